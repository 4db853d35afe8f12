"""Invoke: how a task is called: on the loop, in a thread, or in the stage's executor."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import types
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from antflow_core.context import worker_state_var
from antflow_core.stage import Stage, task_name
from antflow_core.types import TaskFunc

Call = Callable[[Any], Awaitable[Any]]

_LOOP_RUNNERS = frozenset({"run", "run_until_complete", "run_coroutine_threadsafe", "Runner"})
_LOOP_USERS = frozenset(
    {"create_task", "ensure_future", "gather", "get_running_loop", "to_thread", "wait_for"}
)


class TaskCall:
    """One task of a stage, ready to be called.

    Attributes:
        call: Takes a value, gives what to await for the result.
        limit: Held while a worker is inside the task; None where nothing limits it.
    """

    __slots__ = ("call", "limit", "name")

    def __init__(
        self, task: TaskFunc, stage: Stage, threads: Threads, limits: Mapping[str, asyncio.Semaphore]
    ) -> None:
        self.name = task_name(task)
        self.limit = limits.get(self.name)
        self.call = _make_call(task, self.name, stage, threads)


class Threads:
    """The threads of one run, for plain functions: as many as the stages that may need one have workers.

    The default executor has 6 on a machine with 2 cores, and is shared with everybody.
    """

    def __init__(self) -> None:
        self._places = 0
        self._pool: ThreadPoolExecutor | None = None
        self._calls: set[Future[Any]] = set()

    def reserve(self, workers: int) -> None:
        """A stage with so many workers may call its tasks here."""
        self._places += workers

    def submit(self, function: Callable[[Any], Any], value: Any) -> Future[Any]:
        """Call `function` in a thread, in a copy of the caller's context."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max(self._places, 1), thread_name_prefix="antflow-task")
        future = self._pool.submit(contextvars.copy_context().run, run_plain, function, value)
        self._calls.add(future)
        future.add_done_callback(self._calls.discard)
        return future

    def close(self) -> None:
        """Let the threads go; one that is still inside a function goes when that returns."""
        if self._pool is not None:
            self._pool.shutdown(wait=not self._calls, cancel_futures=True)
            self._pool = None


def unpack(task: TaskFunc, value: Any) -> Any:
    """Call `task` with the value's contents: a dict as keywords, a list or tuple as positions."""
    if isinstance(value, dict):
        return task(**value)
    if isinstance(value, list | tuple):
        return task(*value)
    return task(value)


def run_plain(function: Callable[[Any], Any], value: Any) -> Any:
    """Call a function where a StopIteration would break the future that carries its outcome."""
    try:
        return function(value)
    except StopIteration as error:
        raise RuntimeError(f"the task raised StopIteration({error})") from error


def run_anywhere(function: Callable[[Any], Any], value: Any) -> Any:
    """Call a function, async or not, on a thread or in a process without a loop."""
    result = run_plain(function, value)
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _make_call(task: TaskFunc, name: str, stage: Stage, threads: Threads) -> Call:
    function: Callable[[Any], Any] = functools.partial(unpack, task) if stage.unpack_args else task
    if stage.executor is not None:
        return _Elsewhere(function, name, functools.partial(_submit_to, stage.executor), stage.timeout)
    if not _is_async(task):
        threads.reserve(stage.workers)
        return _Undeclared(function, name, threads, stage.timeout, on_loop=_may_need_loop(task))
    if stage.timeout is not None:
        return functools.partial(_call_timed, function, name, stage.timeout)
    return function


def _submit_to(executor: Executor, function: Callable[[Any], Any], value: Any) -> Future[Any]:
    if isinstance(executor, ThreadPoolExecutor):
        return executor.submit(contextvars.copy_context().run, run_anywhere, function, value)
    return executor.submit(run_anywhere, function, value)  # a context does not pickle


def _is_async(task: TaskFunc) -> bool:
    """Whether calling it is known to give an awaitable, and so to belong on the loop."""
    task = inspect.unwrap(_without_partial(task))
    return inspect.iscoroutinefunction(task) or inspect.iscoroutinefunction(type(task).__call__)


def _may_need_loop(task: TaskFunc) -> bool:
    """The first guess at a callable that is no coroutine function: whether to call it on the loop.

    Lambdas and callable objects usually stand for something async; functions, methods and classes do only if
    they mention something async.
    """
    task = _without_partial(task)
    if isinstance(task, types.MethodType):
        task = task.__func__
    if isinstance(task, types.FunctionType):
        return task.__name__ == "<lambda>" or _mentions_async(task)
    return not isinstance(task, types.BuiltinFunctionType | type)


def _mentions_async(function: types.FunctionType) -> bool:
    """Whether a function refers to coroutine functions or makes futures, and does not run a loop itself."""
    names = set(function.__code__.co_names)
    if names & _LOOP_RUNNERS:
        return False
    mentioned = [function.__globals__.get(name) for name in names] + _enclosed(function)
    return bool(names & _LOOP_USERS) or any(map(inspect.iscoroutinefunction, mentioned))


def _without_partial(task: TaskFunc) -> TaskFunc:
    while isinstance(task, functools.partial):
        task = task.func
    return task


def _enclosed(function: types.FunctionType) -> list[Any]:
    """What a function's closure holds: a wrapper holds the function it wraps."""
    enclosed = []
    for cell in function.__closure__ or ():
        try:
            enclosed.append(_without_partial(cell.cell_contents))
        except ValueError:  # not assigned yet
            continue
    return enclosed


async def _call_timed(function: Callable[[Any], Any], name: str, timeout_s: float, value: Any) -> Any:
    """Call an async task that may take so long."""
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            return await function(value)
    except TimeoutError as error:
        if limit.expired():
            raise _timeout_error(name, timeout_s) from error
        raise


def _timeout_error(name: str, timeout_s: float) -> TimeoutError:
    return TimeoutError(f"task {name!r} took longer than {timeout_s:g} s")


class _Elsewhere:
    """A task that runs in a thread, in a process or on a cluster."""

    def __init__(
        self,
        function: Callable[[Any], Any],
        name: str,
        submit: Callable[[Callable[[Any], Any], Any], Future[Any]],
        timeout_s: float | None,
    ) -> None:
        self._function = function
        self._name = name
        self._submit = submit
        self._timeout_s = timeout_s

    async def __call__(self, value: Any) -> Any:
        call = self._submit(self._function, value)
        future = asyncio.wrap_future(call)
        if self._timeout_s is None:
            return await future
        try:
            done, _ = await asyncio.wait((future,), timeout=self._timeout_s)
        except asyncio.CancelledError:
            future.cancel()
            raise
        if done:
            return future.result()
        worker = worker_state_var.get()
        if worker is not None and not call.cancel():
            worker.overdue_call = (
                future  # nothing can stop it: the worker's slot stays taken until it returns
            )
        raise _timeout_error(self._name, self._timeout_s)


class _Undeclared:
    """A task that is no coroutine function: only its result shows whether it belongs on the loop.

    A plain function could block the loop, so it runs in a thread; a callable that returns an awaitable may
    need the loop's thread already when it is called. The first guess goes by the kind of callable, and the
    first result settles it: an awaitable means the loop for good, anything else means a thread.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        name: str,
        threads: Threads,
        timeout_s: float | None,
        *,
        on_loop: bool,
    ) -> None:
        self._function = function
        self._name = name
        self._timeout_s = timeout_s
        self._in_thread = _Elsewhere(function, name, threads.submit, timeout_s)
        self._on_loop = on_loop
        self._gave_awaitable = False

    async def __call__(self, value: Any) -> Any:
        result = run_plain(self._function, value) if self._on_loop else await self._in_thread(value)
        if not inspect.isawaitable(result):
            self._on_loop = self._gave_awaitable
            return result
        self._on_loop = self._gave_awaitable = True
        if self._timeout_s is None:
            return await result
        return await _call_timed(_same, self._name, self._timeout_s, result)


def _same(value: Any) -> Any:
    return value
