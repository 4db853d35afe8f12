"""Fast loop: uvloop, on Windows winloop, as the loop of the whole process, where it is installed."""

from __future__ import annotations

import asyncio
import importlib
import sys
import warnings

__all__ = ["install_fast_loop"]


def install_fast_loop() -> bool:
    """Have ``asyncio.run`` use uvloop, on Windows winloop; call it before.

    Where a loop runs already, as in a script that the app or the command hosts, it changes nothing: that loop
    would stay what it is, and could start no processes any more.

    Returns:
        Whether loops are fast from now on: False inside a loop, where none is installed that can be loaded,
        and from Python 3.16 on, where only ``asyncio.run(..., loop_factory=uvloop.new_event_loop)`` chooses a
        loop.
    """
    if _is_in_loop():
        return False
    try:
        fast = importlib.import_module("winloop" if sys.platform == "win32" else "uvloop")
    except Exception:  # noqa: BLE001  one made for an older asyncio may fail with anything
        return False
    with warnings.catch_warnings():
        # Python 3.14 warns of every policy, but has no other way that reaches a plain asyncio.run().
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            asyncio.set_event_loop_policy(fast.EventLoopPolicy())
        except AttributeError:
            return False
    return True


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
