"""The functions of a script that still run in threads when it is over; nothing can interrupt them."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import thread

_WORKER = thread._worker.__code__  # noqa: SLF001 - a pool's thread that waits


def busy_threads() -> set[int]:
    """The threads that the end of the process would wait for: neither daemons nor idle ones of a pool."""
    frames = sys._current_frames()  # noqa: SLF001 - public in all but name
    awaited = {
        each.ident
        for each in threading.enumerate()
        if each is not threading.main_thread() and not each.daemon
    }
    return {ident for ident, frame in frames.items() if ident in awaited and frame.f_code is not _WORKER}
