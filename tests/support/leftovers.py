"""Fails a test that leaves something running or open: asyncio tasks and timers, threads, windows."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

_LAST_TURNS = 5
"""Turns of the loop in which a cancelled task may still end."""
_JOIN_S = 2.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let async tests alone have the fixture that needs a loop; first in, it is the last to look."""
    for item in items:
        if isinstance(item, pytest.Function) and _is_async(item.obj):
            item.fixturenames.insert(0, "loop_is_left_empty")


def _is_async(function: object) -> bool:
    """Whether a test is a coroutine function, also below hypothesis' `given`."""
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return inspect.iscoroutinefunction(inner)


@pytest.fixture
async def loop_is_left_empty() -> AsyncIterator[None]:
    """Every task of the test's loop has ended, and no timer is to fire."""
    yield
    loop, last = asyncio.get_running_loop(), current_task()
    for _ in range(_LAST_TURNS):
        if not left_behind(loop, but=last):
            return
        await asyncio.sleep(0)
    pytest.fail("; ".join(left_behind(loop, but=last)), pytrace=False)


def left_behind(loop: asyncio.AbstractEventLoop, *, but: asyncio.Task[Any]) -> list[str]:
    """What a loop has still to do beside one task, in words; empty where there is nothing."""
    tasks = [repr(task) for task in asyncio.all_tasks(loop) - {but}]
    timers = [repr(timer) for timer in timers_of(loop)]
    left = {"Tasks": tasks, "Timers": timers}
    return [f"{what} are left: {', '.join(which)}" for what, which in left.items() if which]


def timers_of(loop: asyncio.AbstractEventLoop) -> list[asyncio.TimerHandle]:
    """The timers that are still to fire; none where the loop does not let them be seen, as uvloop's."""
    scheduled: list[asyncio.TimerHandle] = getattr(loop, "_scheduled", [])  # asyncio's
    entries: list[tuple[float, int, asyncio.TimerHandle]] = getattr(loop, "_timers", [])  # the app's
    timers = [*scheduled, *(timer for _, _, timer in entries)]
    return [timer for timer in timers if not timer.cancelled()]


def current_task() -> asyncio.Task[Any]:
    """The task that runs; there is one."""
    task = asyncio.current_task()
    assert task is not None
    return task


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Every thread that would keep the process alive has ended."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    for thread in left:
        thread.join(_JOIN_S)
    alive = [thread.name for thread in left if thread.is_alive()]
    if alive:
        pytest.fail(f"Threads are left: {', '.join(alive)}", pytrace=False)


@pytest.fixture(autouse=True)
def no_window_is_left() -> Iterator[None]:
    """Every top-level widget is gone; one that exits with the interpreter crashes it."""
    before = _windows()
    yield
    if _windows().keys() <= before.keys():
        return
    # A window that only a cycle of references holds is no fault.
    gc.collect()
    left = [name for address, name in _windows().items() if address not in before]
    if left:
        pytest.fail(f"Windows are left: {', '.join(left)}", pytrace=False)


def _windows() -> dict[int, str]:
    """The top-level widgets by their address in C++, so that looking keeps none of them alive."""
    if "PySide6.QtWidgets" not in sys.modules:
        return {}
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtWidgets import QApplication
    from shiboken6 import getCppPointer

    if QApplication.instance() is None:
        return {}
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return {
        getCppPointer(widget)[0]: f"{type(widget).__name__} {widget.objectName()!r}"
        for widget in QApplication.topLevelWidgets()
    }
