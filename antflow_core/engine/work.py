"""Work: what an executor is to do with the arguments of its tasks: the function, its limit, its attempts."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import Context
from types import FunctionType, MethodType
from typing import Any

from antflow_core.arguments import check_seconds, whole_number
from antflow_core.engine.future import AsyncFuture
from antflow_core.engine.invoke import Threads, free_call
from antflow_core.engine.raised import add_note
from antflow_core.stage import task_name

_LONGEST_PAUSE_S = 24 * 3600.0
_NO_LIMIT = nullcontext()


class Work:
    """What is to be done with the arguments of a task, or of many.

    Args:
        function: As the caller gave it; judged here.
        threads: Where it runs if it is a plain function.

    Attributes:
        call: Takes the arguments, gives what to await.
        is_simple: `call` gives a coroutine, is not limited, and not tried again.
        limit: Held during an attempt.
        retries: Further attempts after the first.
    """

    __slots__ = ("_function", "_retry_delay", "call", "is_simple", "limit", "retries")

    def __init__(
        self,
        function: Callable[..., Any],
        threads: Threads,
        retries: int,
        retry_delay: float,
        semaphore: AbstractAsyncContextManager[Any] | None,
    ) -> None:
        if not isinstance(retries, bool):  # AntFlow takes True for one
            whole_number("retries", retries, least=0)
        if retries or retry_delay is not None:  # as AntFlow, which does not look at it without retries
            _check_delay(retry_delay)
        is_coroutine_function = _is_coroutine_function(function)
        if not is_coroutine_function:
            _check_function(function)
        self._function = function
        self._retry_delay = retry_delay
        self.call: Callable[..., Any] = function if is_coroutine_function else free_call(function, threads)
        self.is_simple = is_coroutine_function and not retries and semaphore is None
        self.limit = _NO_LIMIT if semaphore is None else _checked_limit(semaphore)
        self.retries = retries

    @property
    def name(self) -> str:
        """What the function is called."""
        return task_name(self._function)

    def fits(
        self,
        function: object,
        retries: int,
        retry_delay: float,
        semaphore: AbstractAsyncContextManager[Any] | None,
    ) -> bool:
        """Whether it is the same again."""
        return (
            function is self._function
            and retries == self.retries
            and retry_delay == self._retry_delay
            and (_NO_LIMIT if semaphore is None else semaphore) is self.limit
        )

    def pause_s(self, attempt: int) -> float:
        """Seconds to wait after the failed `attempt`, from 1."""
        doublings = min(attempt - 1, 1000)  # a float holds no more
        return min(self._retry_delay * 2.0**doublings, _LONGEST_PAUSE_S)


class Job(AsyncFuture[Any]):
    """A future that knows what is to be done for it, until a worker takes that."""

    __slots__ = ("_args", "_context", "_kwargs", "_work")

    def __init__(
        self, job_id: int, work: Work, args: tuple[Any, ...], kwargs: dict[str, Any], context: Context
    ) -> None:
        super().__init__(job_id)
        self._work = work
        self._args = args
        self._kwargs = kwargs
        self._context = context

    def take(self) -> tuple[Work, tuple[Any, ...], dict[str, Any], Context]:
        """What is to be done, with which arguments, in which context; it can be asked for once."""
        taken = self._work, self._args, self._kwargs, self._context
        del self._work, self._args, self._kwargs, self._context  # they are worth no memory any more
        return taken


def note_attempt(error: BaseException, task_id: int, work: Work, attempt: int) -> None:
    """Say in the error which task it ended, and at which attempt."""
    add_note(error, f"task {task_id} of an executor, {work.name!r}, attempt {attempt}")


def _is_coroutine_function(function: Any) -> bool:
    """Whether it certainly is one, and calling it does nothing yet."""
    if isinstance(function, MethodType):
        function = function.__func__
    return isinstance(function, FunctionType) and bool(function.__code__.co_flags & inspect.CO_COROUTINE)


def _check_function(function: Any) -> None:
    if inspect.iscoroutine(function):
        name = function.__name__
        function.close()  # else Python warns that it was never awaited, beside the error that says why
        raise TypeError(f"got a coroutine object; pass the function and its arguments: submit({name}, ...)")
    if not callable(function):
        raise TypeError(f"an executor runs functions, got {function!r}")
    if inspect.isasyncgenfunction(function):
        raise TypeError(f"function {task_name(function)!r} yields; a task of an executor returns one value")


def _checked_limit(semaphore: Any) -> AbstractAsyncContextManager[Any]:
    if not isinstance(semaphore, AbstractAsyncContextManager):
        raise TypeError(f"semaphore must be an asyncio.Semaphore, got {semaphore!r}")
    return semaphore


def _check_delay(retry_delay: Any) -> None:
    check_seconds("retry_delay", retry_delay)
    if retry_delay < 0:
        raise ValueError(f"retry_delay must not be negative, got {retry_delay}")
