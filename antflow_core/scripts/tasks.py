"""The asyncio tasks and asynchronous generators that a script starts, so that they end with it."""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import ExitStack, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Self

from antflow_core.scripts.exits import ScriptExit
from antflow_core.scripts.loop import SharedLoop, replaced

_current: ContextVar[ScriptTasks | None] = ContextVar("antflow_script_tasks", default=None)


def leave_script() -> None:
    """Have what the current context starts from here on belong to the host: it outlasts the script."""
    _current.set(None)


class ScriptTasks:
    """An asynchronous context manager; what is started inside its body belongs to it, wherever that runs on.

    It does what `asyncio.run` does around a program, on a loop that others use too. A task that raises
    ``SystemExit`` or ``KeyboardInterrupt`` would stop that loop; the body is cancelled instead, and the
    exception (a `ScriptExit` for ``SystemExit``) comes out of the context manager. `SharedLoop` says what
    the loop looks like in the body.

    Args:
        script: Whose tasks they are.
    """

    def __init__(self, script: Path) -> None:
        self._script = script
        self._exit: ScriptExit | KeyboardInterrupt | None = None
        self._tasks: weakref.WeakSet[asyncio.Future[Any]] = weakref.WeakSet()
        self._generators: weakref.WeakSet[AsyncGenerator[Any, Any]] = weakref.WeakSet()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        self._token = _current.set(self)
        self._factory = self._factory_before = self._loop.get_task_factory()
        self._loop.set_task_factory(self._make_task)
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._note_generator)
        self._shared = ExitStack()
        self._shared.enter_context(SharedLoop(self._loop, self._script, self._of_script, self._end_with))
        # One that the script sets makes its tasks, but they are noted and guarded all the same.
        self._shared.enter_context(replaced(self._loop, "get_task_factory", lambda: self._factory))
        self._shared.enter_context(replaced(self._loop, "set_task_factory", self._set_factory))
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._take_back_cancellation()
            await self._cancel_tasks()
            await self._close_generators()
        finally:
            self._shared.close()
            self._loop.set_task_factory(self._factory_before)
            sys.set_asyncgen_hooks(firstiter=self._hooks.firstiter)
            _current.reset(self._token)
        if self._exit is not None:
            raise self._exit from None

    def _of_script(self) -> set[asyncio.Future[Any]]:
        return {*self._tasks, *([self._main] if self._main is not None else [])}

    def _set_factory(self, factory: Any) -> None:
        if factory is not None and not callable(factory):
            raise TypeError("task factory must be a callable or None")
        self._factory = factory

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,
    ) -> asyncio.Future[Any]:
        make: Callable[..., asyncio.Future[Any]] = self._factory or _plain_task
        if _current.get() is not self or not asyncio.iscoroutine(coro):
            return make(loop, coro, **options)
        guarded: Any = self._guarded(coro)
        guarded.__name__ = getattr(coro, "__name__", guarded.__name__)
        guarded.__qualname__ = getattr(coro, "__qualname__", guarded.__qualname__)
        task = make(loop, guarded, **options)
        task.add_done_callback(lambda _: coro.close())  # one cancelled before it began was never awaited
        self._tasks.add(task)
        return task

    async def _guarded(self, coro: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await coro
        except SystemExit as error:
            self._end_with(ScriptExit.of(error))
        except KeyboardInterrupt as error:
            self._end_with(error)
        raise asyncio.CancelledError

    def _end_with(self, wish: ScriptExit | KeyboardInterrupt) -> None:
        if self._exit is None:
            self._exit = wish
            if self._main is not None:
                self._main.cancel()

    def _note_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        if _current.get() is self:
            self._generators.add(generator)
        if self._hooks.firstiter is not None:
            self._hooks.firstiter(generator)

    async def _take_back_cancellation(self) -> None:
        """The main task was cancelled to end the script, not whoever awaits it; it may still be under way."""
        main, self._main = self._main, None
        if self._exit is not None and main is not None:
            main.uncancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

    async def _cancel_tasks(self) -> None:
        left = [task for task in self._tasks if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for task in left:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                message = "A task that the script left running failed when it was cancelled"
                self._loop.call_exception_handler({"message": message, "exception": error, "task": task})

    async def _close_generators(self) -> None:
        left = list(self._generators)
        closed = await asyncio.gather(*(generator.aclose() for generator in left), return_exceptions=True)
        for generator, error in zip(left, closed, strict=True):
            if isinstance(error, Exception):
                message = "An asynchronous generator of the script failed when it was closed"
                self._loop.call_exception_handler(
                    {"message": message, "exception": error, "asyncgen": generator}
                )


def _plain_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    return asyncio.Task(coro, loop=loop, **options)
