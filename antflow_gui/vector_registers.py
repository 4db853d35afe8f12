"""Gives the processor's vector registers back after Qt has painted, which would slow down the script."""

from __future__ import annotations

from functools import partial

import numpy as np

_BYTES = np.zeros(64, np.bool_)

# WORKAROUND(PySide6 6.11, x86-64): some of Qt's raster painting, such as filling a pixmap or drawing a smooth
# line, returns with the upper halves of the vector registers in use. From then on every change between the
# two encodings of vector instructions costs, and Python's interpreter and the C library use one each: a
# tracked run took 10 to 20 % more CPU time, most of it in copies of a few bytes. Any code compiled for wide
# registers clears them as it returns; numpy's for this operation is among it. 0.3 µs; elsewhere no effect.
release_vector_registers = partial(np.logical_not, _BYTES, _BYTES)
