"""When Python collects garbage while the app lives: not as it starts, and seldom through everything."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SELDOMER = 3
"""A full collection comes when so many times as much is new as Python's own setting says."""


@contextmanager
def calm_collecting() -> Iterator[Callable[[], None]]:
    """Collect nothing until the window stands, then with fewer and shorter pauses; for the main thread.

    A full collection looks at every object while nothing is painted and no task goes on. The app's own, about
    80,000, took 40 ms of each such pause and stay to the end: they are frozen, which leaves the script's.
    Full collections through these come a third as often: where a fast run keeps a result of each item, every
    four seconds and no longer every one. Python's rule that a quarter of what there is must be new holds as
    ever, so what can pile up in between is bounded, by 200,000 objects or that quarter.

    Gives what is to be called once the window stands. At the end all is as it was.
    """
    thresholds, was_enabled = gc.get_threshold(), gc.isenabled()
    gc.disable()  # what is made until then stays: collections found none of it, and took 50 ms of the start

    def begin() -> None:
        gc.freeze()
        gc.set_threshold(*thresholds[:2], _SELDOMER * thresholds[2])
        if was_enabled:
            gc.enable()

    try:
        yield begin
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        if was_enabled:
            gc.enable()
