"""Fails a test that leaves something running or open: asyncio tasks, threads, windows."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

_LAST_TURNS = 5
"""Turns of the loop in which a cancelled task may still end."""
_JOIN_S = 2.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let async tests alone have the fixture that needs a loop; first in, it is the last to look."""
    for item in items:
        if isinstance(item, pytest.Function) and _is_async(item.obj):
            item.fixturenames.insert(0, "no_task_is_left")


def _is_async(function: object) -> bool:
    """Whether a test is a coroutine function, also below hypothesis' `given`."""
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return inspect.iscoroutinefunction(inner)


@pytest.fixture
async def no_task_is_left() -> AsyncIterator[None]:
    """Every task of the test's loop has ended."""
    before = asyncio.all_tasks()
    yield
    for _ in range(_LAST_TURNS):
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        if not left:
            return
        await asyncio.sleep(0)
    pytest.fail(f"Tasks are left: {', '.join(map(repr, left))}", pytrace=False)


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
