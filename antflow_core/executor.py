"""AsyncExecutor: runs functions a few at a time, in the style of concurrent.futures, on the loop."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from antflow_core.arguments import check_timeout, is_iterable, whole_number
from antflow_core.engine.future import AsyncFuture, WaitStrategy, each_as_completed, wait_for_some
from antflow_core.engine.intake import Intake
from antflow_core.engine.invoke import Threads
from antflow_core.engine.pool import Pool
from antflow_core.engine.work import Job, Work
from antflow_core.exceptions import ExecutorShutdownError
from antflow_core.stage import Stage
from antflow_core.telemetry import get_tracer, is_enabled
from antflow_core.utils import setup_logger

# Scripts written for AntFlow can import these from here, those that this module does not use too.
__all__ = [
    "AsyncExecutor",
    "AsyncFuture",
    "ExecutorShutdownError",
    "WaitStrategy",
    "get_tracer",
    "is_enabled",
    "logger",
    "setup_logger",
]

logger = logging.getLogger("antflow.executor")

R = TypeVar("R")

_AHEAD_PER_WORKER = 10
"""As many items a worker as a stage's queue has places."""


class AsyncExecutor:
    """Runs functions, at most so many at a time.

    Coroutine functions run on the loop, plain ones in threads. Each runs in a copy of the context of whoever
    submitted it. A task that waits for another of the same executor keeps its worker meanwhile.

    Leaving ``async with`` waits for all that was submitted, also when an exception leaves; a cancellation
    gives up what waits and cancels what is under way.

    Args:
        max_workers: How many tasks may be under way at once.

    Raises:
        ValueError: `max_workers` is less than 1.
    """

    def __init__(self, max_workers: int = 5) -> None:
        self.max_workers = whole_number("max_workers", max_workers, least=1)
        self._pool = Pool(self.max_workers, self._settle)
        self._task_ids = itertools.count()
        self._intakes: set[Intake] = set()
        self._threads = Threads()
        self._threads.reserve(Stage("AsyncExecutor", self.max_workers, ()))
        self._latest_work: Work | None = None
        self._is_shut = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            try:
                await self.shutdown()
                return
            except asyncio.CancelledError:
                await self._abort()
                raise
        await self._abort()

    def __repr__(self) -> str:
        shut = ", shut down" if self._is_shut else ""
        return f"<AsyncExecutor: {self._pool}{shut}>"

    @overload
    def submit(
        self,
        fn: Callable[..., Awaitable[R]],
        *args: Any,
        retries: int = 0,
        retry_delay: float = 0.1,
        semaphore: AbstractAsyncContextManager[Any] | None = None,
        **kwargs: Any,
    ) -> AsyncFuture[R]: ...

    @overload
    def submit(
        self,
        fn: Callable[..., R],
        *args: Any,
        retries: int = 0,
        retry_delay: float = 0.1,
        semaphore: AbstractAsyncContextManager[Any] | None = None,
        **kwargs: Any,
    ) -> AsyncFuture[R]: ...

    def submit(
        self,
        fn: Callable[..., Any],
        *args: Any,
        retries: int = 0,
        retry_delay: float = 0.1,
        semaphore: AbstractAsyncContextManager[Any] | None = None,
        **kwargs: Any,
    ) -> AsyncFuture[Any]:
        """Have ``fn(*args, **kwargs)`` done by the next free worker.

        Args:
            retries: Further attempts after the first; when the last fails too, its exception is the task's.
            retry_delay: Seconds before the first of them; each further wait is twice as long.
            semaphore: Held during each attempt, not between them. A task that waits for it has a worker.

        Raises:
            ExecutorShutdownError: The executor is shut down.
        """
        if self._is_shut:
            raise ExecutorShutdownError("Cannot submit tasks to a shutdown executor")
        work = self._work_of(fn, retries, retry_delay, semaphore)
        self._pool.enter_loop()
        return self._accept(work, args, kwargs, contextvars.copy_context())

    @overload
    async def map(
        self,
        fn: Callable[..., Awaitable[R]],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        retries: int = 0,
        retry_delay: float = 0.1,
    ) -> list[R]: ...

    @overload
    async def map(
        self,
        fn: Callable[..., R],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        retries: int = 0,
        retry_delay: float = 0.1,
    ) -> list[R]: ...

    async def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        retries: int = 0,
        retry_delay: float = 0.1,
    ) -> list[Any]:
        """Call ``fn`` with the items of the iterables, as the built-in `map`, and give the results in order.

        Items are taken as workers become free. When it raises, what it has not begun it does not begin.

        Args:
            timeout: Seconds to wait for each result, after the one before it.

        Raises:
            TimeoutError: A result did not come in time.
            BaseException: What the first failed task, in the order of the items, raised.
        """
        results = self._results(fn, iterables, timeout, retries, retry_delay, None)
        return [result async for result in results]

    @overload
    def map_iter(
        self,
        fn: Callable[..., Awaitable[R]],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        retries: int = 0,
        retry_delay: float = 0.1,
        buffer_size: int | None = None,
    ) -> AsyncGenerator[R, None]: ...

    @overload
    def map_iter(
        self,
        fn: Callable[..., R],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        retries: int = 0,
        retry_delay: float = 0.1,
        buffer_size: int | None = None,
    ) -> AsyncGenerator[R, None]: ...

    def map_iter(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        retries: int = 0,
        retry_delay: float = 0.1,
        buffer_size: int | None = None,
    ) -> AsyncGenerator[Any, None]:
        """As `map`, for an ``async for`` that gets each result as soon as it and those before it are there.

        The iterables may be endless. Leaving the loop early ends the taking of items.

        Args:
            buffer_size: How many items may be taken whose results were not; None for 10 a worker, and for no
                limit where the items are in memory already: a list, tuple, set or dict.
        """
        if buffer_size is not None:
            whole_number("buffer_size", buffer_size, least=1)
        elif not any(isinstance(items, list | tuple | set | frozenset | dict) for items in iterables):
            buffer_size = _AHEAD_PER_WORKER * self.max_workers
        return self._results(fn, iterables, timeout, retries, retry_delay, buffer_size)

    def as_completed(
        self, futures: Iterable[AsyncFuture[R]], timeout: float | None = None
    ) -> AsyncGenerator[AsyncFuture[R], None]:
        """Give futures one by one as they end, those that have ended first.

        Args:
            timeout: Seconds for all of them together.

        Raises:
            TimeoutError: They are not all done by then.
        """
        return each_as_completed(futures, timeout)

    async def wait(
        self,
        futures: Iterable[AsyncFuture[R]],
        timeout: float | None = None,
        return_when: WaitStrategy = WaitStrategy.ALL_COMPLETED,
    ) -> tuple[set[AsyncFuture[R]], set[AsyncFuture[R]]]:
        """Wait for futures.

        Args:
            timeout: Seconds to wait; None for as long as it takes.
            return_when: What is waited for.

        Returns:
            Those that have ended, and those that have not.

        Raises:
            TimeoutError: All were waited for, and not all are done by then.
            ValueError: `return_when` is no `WaitStrategy`.
        """
        return await wait_for_some(futures, timeout, _strategy(return_when))

    async def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        """Take no further task; may be called again.

        A `map_iter` that takes its items as they are wanted takes no more; who iterates it is told so.

        Args:
            wait: Return when all that was submitted is done; in a task of this executor, when the other
                workers have nothing left. False leaves that to the background.
            cancel_futures: What has not begun ends in `ExecutorShutdownError`, and a task that waits for
                another attempt in what the last one raised.
        """
        self._pool.enter_loop()
        self._is_shut = True
        for intake in self._intakes:
            if intake.is_held_back:
                intake.stop(ExecutorShutdownError("Executor shutdown: map_iter takes no further items"))
        if cancel_futures:
            self._stop_intakes()
            self._pool.give_up()
        self._settle()
        if wait:
            await self._pool.wait_left()

    def _work_of(
        self,
        fn: Callable[..., Any],
        retries: int,
        retry_delay: float,
        semaphore: AbstractAsyncContextManager[Any] | None,
    ) -> Work:
        """What is to be done; for one function again and again it is judged once."""
        latest = self._latest_work
        if latest is not None and latest.fits(fn, retries, retry_delay, semaphore):
            return latest
        self._latest_work = work = Work(fn, self._threads, retries, retry_delay, semaphore)
        return work

    def _accept(
        self, work: Work, args: tuple[Any, ...], kwargs: dict[str, Any], context: contextvars.Context
    ) -> AsyncFuture[Any]:
        job = Job(next(self._task_ids), work, args, kwargs, context)
        self._pool.add(job)
        return job

    async def _results(
        self,
        fn: Callable[..., Any],
        iterables: tuple[Iterable[Any], ...],
        timeout_s: float | None,
        retries: int,
        retry_delay: float,
        ahead: int | None,
    ) -> AsyncGenerator[Any, None]:
        if self._is_shut:
            raise ExecutorShutdownError("Cannot use map on a shutdown executor")
        work = self._work_of(fn, retries, retry_delay, None)
        check_timeout(timeout_s)
        _check_iterables(iterables)
        self._pool.enter_loop()
        context = contextvars.copy_context()

        def submit(item: tuple[Any, ...]) -> AsyncFuture[Any]:
            return self._accept(work, item, {}, context.copy())

        intake = Intake(zip(*iterables, strict=False), submit, self.max_workers, ahead, context)
        self._intakes.add(intake)
        try:
            while (future := intake.first()) is not None:
                result = await future.result(timeout_s)
                intake.give_out()
                yield result
        finally:
            self._intakes.discard(intake)
            intake.leave()

    def _stop_intakes(self) -> None:
        for intake in self._intakes:
            intake.stop(ExecutorShutdownError("Executor shutdown"))

    def _settle(self) -> None:
        """Let the threads go when nobody will need them."""
        if self._is_shut and self._pool.is_empty:
            self._threads.close()

    async def _abort(self) -> None:
        """Give up what waits, cancel what is under way, and wait until it has ended."""
        self._is_shut = True
        self._stop_intakes()
        self._pool.cancel()
        self._settle()
        await self._pool.wait_left()


def _check_iterables(iterables: tuple[Any, ...]) -> None:
    for items in iterables:
        if not is_iterable(items):
            raise TypeError(
                f"an executor maps a function over lists or other iterables; {items!r} is not iterable"
            )


def _strategy(return_when: Any) -> WaitStrategy:
    try:
        return WaitStrategy(return_when)
    except ValueError:
        names = ", ".join(map(str, WaitStrategy))
        raise ValueError(f"return_when must be one of {names}, got {return_when!r}") from None
