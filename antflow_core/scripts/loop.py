"""The loop that a script shares with its host: whatever the script does to it ends with the script."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from antflow_core.scripts import faults
from antflow_core.scripts.exits import ScriptExit

_UNSET: Any = object()


class SharedLoop:
    """A context manager, entered on the loop's thread; inside, the loop looks to the script like its own.

    ``asyncio.all_tasks()`` gives the script's tasks only: programs end by cancelling all of them, and the
    host's are none of theirs. ``loop.stop()`` ends the script and the loop goes on, unless the host's own
    `run_until_complete` calls it. Error handler, debug mode, signal handlers and a default executor that was
    shut down are put back at the end.

    Args:
        loop: The loop that runs.
        script: To be named where the script stops the loop.
        tasks: Gives the script's tasks.
        end: Ends the script.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        script: Path,
        tasks: Callable[[], Collection[asyncio.Future[Any]]],
        end: Callable[[ScriptExit], None],
    ) -> None:
        self._loop = loop
        self._script = script
        self._tasks = tasks
        self._end = end
        self._thread = threading.get_ident()
        self._signals: set[int] = set()
        self._is_open = False

    def __enter__(self) -> Self:
        self._all_tasks = asyncio.tasks.all_tasks
        self._real_stop, self._real_add_signal_handler = self._loop.stop, self._loop.add_signal_handler
        with ExitStack() as stack:
            stack.enter_context(_kept_settings(self._loop))
            stack.callback(self._remove_signal_handlers)
            stack.enter_context(replaced(self._loop, "add_signal_handler", self._add_signal_handler))
            stack.enter_context(replaced(self._loop, "stop", self._stop))
            # asyncio has no public way to keep a task out of it, and a private one that changes with 3.14.
            for module in (asyncio, asyncio.tasks):
                stack.enter_context(replaced(module, "all_tasks", self._all_tasks_of_script))
            self._stack = stack.pop_all()
        self._is_open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        self._stack.close()

    def _all_tasks_of_script(self, loop: asyncio.AbstractEventLoop | None = None) -> set[asyncio.Task[Any]]:
        tasks = self._all_tasks(loop)
        if not self._is_open or (loop or asyncio.get_running_loop()) is not self._loop:
            return tasks
        return tasks.intersection(self._tasks())

    def _stop(self) -> None:
        caller = sys._getframe(1)  # noqa: SLF001 - public in all but name
        if not self._is_open or caller.f_code.co_name == "_run_until_complete_cb":
            self._real_stop()
            return
        wish = faults.loop_stopped(self._script, _line_in(caller, str(self._script)))
        if threading.get_ident() == self._thread:
            self._end(wish)
        else:
            self._loop.call_soon_threadsafe(self._end, wish)

    def _add_signal_handler(self, number: int, callback: Callable[..., object], *args: Any) -> None:
        self._real_add_signal_handler(number, callback, *args)
        self._signals.add(number)

    def _remove_signal_handlers(self) -> None:
        for number in self._signals:
            self._loop.remove_signal_handler(number)


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Give an object another attribute for a while."""
    before = vars(owner).get(name, _UNSET)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is not _UNSET:
            setattr(owner, name, before)
        elif name in vars(owner):
            delattr(owner, name)


@contextmanager
def _kept_settings(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    handler, debug = loop.get_exception_handler(), loop.get_debug()
    slow = getattr(loop, "slow_callback_duration", None)
    try:
        yield
    finally:
        loop.set_exception_handler(handler)
        if loop.get_debug() != debug:
            loop.set_debug(debug)
        if slow is not None:
            loop.slow_callback_duration = slow
        _revive_default_executor(loop)


def _revive_default_executor(loop: asyncio.AbstractEventLoop) -> None:
    """Forget a default executor that takes no more work, so that the loop makes a new one."""
    # WORKAROUND(CPython): a loop whose default executor was shut down has no public way back.
    state = vars(loop)
    if getattr(state.get("_default_executor"), "_shutdown", False):
        state["_default_executor"] = None
    if state.get("_executor_shutdown_called"):
        state["_executor_shutdown_called"] = False


def _line_in(frame: FrameType | None, script: str) -> int | None:
    """The line of the script's innermost frame."""
    while frame is not None:
        if frame.f_code.co_filename == script:
            return frame.f_lineno
        frame = frame.f_back
    return None
