"""Future: the outcome of a task of an executor, and the waiting for one or many of them."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from enum import Enum
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from antflow_core.arguments import check_timeout, is_iterable

R = TypeVar("R")
Callback = Callable[["AsyncFuture[R]"], object]

logger = logging.getLogger("antflow.executor")


class WaitStrategy(Enum):
    """When `wait` returns; named and valued as in asyncio and concurrent.futures."""

    FIRST_COMPLETED = "FIRST_COMPLETED"
    FIRST_EXCEPTION = "FIRST_EXCEPTION"
    ALL_COMPLETED = "ALL_COMPLETED"


class AsyncFuture(Generic[R]):
    """The outcome of one task, for whoever awaits it: as often, and as many at once, as they like.

    It belongs to the thread of the loop. Who is cancelled while he waits, or waits too long, ends his own
    waiting only. A failure that nobody asks for is told to the loop's exception handler, as asyncio does.

    Args:
        sequence_id: Its number among those of its executor, from 0.
    """

    __slots__ = ("__weakref__", "_callbacks", "_done", "_failure", "_result", "sequence_id")

    def __init__(self, sequence_id: int) -> None:
        self.sequence_id = sequence_id
        self._done = False
        self._result: R | None = None
        self._failure: _Failure | None = None
        self._callbacks: list[Callback[R]] | None = None

    def __await__(self) -> Generator[Any, None, R]:
        return self.result().__await__()

    def __repr__(self) -> str:
        if not self._done:
            state = "not done"
        elif self._failure is not None:
            state = f"failed with {type(self._failure.error).__name__}"
        else:
            state = "done"
        return f"<AsyncFuture {self.sequence_id}: {state}>"

    async def result(self, timeout: float | None = None) -> R:
        """Wait for the task's result.

        Args:
            timeout: Seconds to wait; None for as long as it takes.

        Raises:
            TimeoutError: It is not done by then; it goes on.
            BaseException: What the task raised.
        """
        if timeout is not None:
            check_timeout(timeout)
        if not self._done and not await self.wait_done(timeout):
            raise TimeoutError(f"task {self.sequence_id} is not done after {timeout:g} s")
        failure = self._failure
        if failure is None:
            return cast("R", self._result)
        try:
            raise failure.ask()
        finally:
            del failure, self  # the error refers to this frame

    def done(self) -> bool:
        """Whether it has ended, in a result or in an exception."""
        return self._done

    def failed(self) -> bool:
        """Whether it has ended in an exception; to ask this is not to ask for the exception."""
        return self._failure is not None

    def exception(self) -> BaseException | None:
        """What the task raised; None where it gave a result, and as long as it is not done."""
        return None if self._failure is None else self._failure.ask()

    async def wait_done(self, timeout: float | None = None) -> bool:
        """Wait for the end, whatever it is; false where the time is over first."""
        if self._done:
            return True
        waiter = asyncio.get_running_loop().create_future()
        wake = functools.partial(_release, waiter)
        self.add_done_callback(wake)
        try:
            return await _is_released(waiter, timeout) or self._done
        finally:
            self.remove_done_callback(wake)

    def set_result(self, result: R) -> None:
        """End it with a result.

        Raises:
            asyncio.InvalidStateError: It has ended already.
        """
        self._check_open()
        self._result = result
        self._end()

    def set_exception(self, exception: BaseException | type[BaseException]) -> None:
        """End it with an exception, or with one of a class.

        Raises:
            asyncio.InvalidStateError: It has ended already.
            TypeError: `exception` is none.
        """
        self._check_open()
        self._failure = _Failure(self.sequence_id, _raisable(exception))
        self._end()

    def add_done_callback(self, callback: Callback[R]) -> None:
        """Have `callback` called with this future at the moment it ends; at once where it has.

        What it raises is logged and harms nobody.
        """
        if self._done:
            self._call(callback)
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

    def remove_done_callback(self, callback: Callback[R]) -> None:
        """Do not call `callback`, if that was the plan."""
        if self._callbacks is not None and callback in self._callbacks:
            self._callbacks.remove(callback)

    def _check_open(self) -> None:
        if self._done:
            raise asyncio.InvalidStateError(f"{self!r} has ended already, and a future ends once")

    def _end(self) -> None:
        self._done = True
        callbacks, self._callbacks = self._callbacks, None
        if callbacks is not None:
            for callback in callbacks:
                self._call(callback)

    def _call(self, callback: Callback[R]) -> None:
        try:
            callback(self)
        except Exception:
            logger.exception("a callback of %r failed", self)


class _Failure:
    """An exception that a future ended with; complains when it goes and nobody has asked for it."""

    __slots__ = ("_asked", "_loop", "_sequence_id", "_trace", "error")

    def __init__(self, sequence_id: int, error: BaseException) -> None:
        self.error = error
        self._sequence_id = sequence_id
        self._trace: TracebackType | None = error.__traceback__
        self._loop = _running_loop()
        # Nobody has to ask what was cancelled.
        self._asked = isinstance(error, asyncio.CancelledError)

    def ask(self) -> BaseException:
        """The exception as it was raised; each raise adds to its traceback."""
        self._asked = True
        return self.error.with_traceback(self._trace)

    def __del__(self) -> None:
        if self._asked:
            return
        message = f"The exception of AsyncFuture {self._sequence_id} was never retrieved"
        if self._loop is None:
            logger.error(message, exc_info=self.error)
        else:
            self._loop.call_exception_handler({"message": message, "exception": self.error})


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:  # a future may be ended elsewhere
        return None


def _raisable(exception: BaseException | type[BaseException]) -> BaseException:
    error = exception() if isinstance(exception, type) else exception
    if not isinstance(error, BaseException):
        raise TypeError(f"a future ends in an exception or a result; {exception!r} is no exception")
    if not isinstance(error, StopIteration):
        return error
    refusal = RuntimeError(f"StopIteration({error}) cannot be raised where a future is awaited")
    refusal.__cause__ = error
    return refusal


async def each_as_completed(
    futures: Iterable[AsyncFuture[R]], timeout_s: float | None
) -> AsyncGenerator[AsyncFuture[R], None]:
    """Give the futures one by one as they end; see `AsyncExecutor.as_completed`."""
    loop = asyncio.get_running_loop()
    check_timeout(timeout_s)
    times = Counter(_checked(futures))
    deadline = None if timeout_s is None else loop.time() + timeout_s
    ended: deque[AsyncFuture[R]] = deque()
    waiter: asyncio.Future[bool] = loop.create_future()

    def note(future: AsyncFuture[R]) -> None:
        ended.append(future)
        _release(waiter)

    try:
        for future in times:
            future.add_done_callback(note)
        for count in range(len(times)):
            if not ended:
                waiter = loop.create_future()
                left_s = None if deadline is None else deadline - loop.time()
                if not (await _is_released(waiter, left_s) or ended):
                    raise _not_all_done(len(times) - count, len(times), timeout_s)
            future = ended.popleft()
            for _ in range(times[future]):
                yield future
    finally:
        for future in times:
            future.remove_done_callback(note)


async def wait_for_some(
    futures: Iterable[AsyncFuture[R]], timeout_s: float | None, strategy: WaitStrategy
) -> tuple[set[AsyncFuture[R]], set[AsyncFuture[R]]]:
    """Wait until enough of the futures have ended; see `AsyncExecutor.wait`."""
    check_timeout(timeout_s)
    every = set(_checked(futures))
    open_futures = {future for future in every if not future.done()}
    waiter = asyncio.get_running_loop().create_future()
    left = len(open_futures)

    def note(future: AsyncFuture[R]) -> None:
        nonlocal left
        left -= 1
        if not left or _suffices(future, strategy):
            _release(waiter)

    if left and not any(_suffices(future, strategy) for future in every - open_futures):
        try:
            for future in open_futures:
                future.add_done_callback(note)
            in_time = await _is_released(waiter, timeout_s)
        finally:
            for future in open_futures:
                future.remove_done_callback(note)
        if left and not in_time and strategy is WaitStrategy.ALL_COMPLETED:
            raise _not_all_done(left, len(every), timeout_s)
    done = {future for future in every if future.done()}
    return done, every - done


def _suffices(future: AsyncFuture[Any], strategy: WaitStrategy) -> bool:
    """Whether this one's end is worth returning for."""
    if strategy is WaitStrategy.FIRST_EXCEPTION:
        return future.failed()
    return strategy is WaitStrategy.FIRST_COMPLETED


def _checked(futures: Iterable[AsyncFuture[R]]) -> list[AsyncFuture[R]]:
    if not is_iterable(futures):
        raise TypeError(f"an executor waits for a list of the futures that submit() gave, got {futures!r}")
    every = list(futures)
    for future in every:
        if not isinstance(future, AsyncFuture):
            raise TypeError(f"an executor waits for the futures that submit() gave, got {future!r}")
    return every


def _not_all_done(left: int, count: int, timeout_s: float | None) -> TimeoutError:
    return TimeoutError(f"{left} of {count} tasks are not done after {timeout_s or 0:g} s")


async def _is_released(waiter: asyncio.Future[bool], timeout_s: float | None) -> bool:
    """Wait to be released; false where the time is over first."""
    if timeout_s is None or timeout_s == math.inf:
        return await waiter
    if timeout_s <= 0:
        return waiter.done()
    timer = waiter.get_loop().call_later(timeout_s, _time_is_over, waiter)
    try:
        return await waiter
    finally:
        timer.cancel()


def _release(waiter: asyncio.Future[bool], _: object = None) -> None:
    if not waiter.done():
        waiter.set_result(True)


def _time_is_over(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)
