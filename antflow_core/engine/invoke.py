"""Invoke: how a task is called: on the loop, in a thread, or in the stage's executor."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import types
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from antflow_core.engine.carried import run_plain
from antflow_core.engine.elsewhere import Elsewhere, Way, timeout_error
from antflow_core.engine.executors import way_through
from antflow_core.engine.limits import TaskLimit
from antflow_core.stage import Stage, task_name
from antflow_core.types import TaskFunc

if TYPE_CHECKING:
    from antflow_core.engine.traced import RunTelemetry

Call = Callable[[Any], Awaitable[Any]]

_LOOP_RUNNERS = frozenset({"run", "run_until_complete", "run_coroutine_threadsafe", "Runner"})
_LOOP_USERS = frozenset(
    {
        "create_future",
        "create_task",
        "ensure_future",
        "gather",
        "get_event_loop",
        "get_running_loop",
        "run_in_executor",
        "shield",
        "to_thread",
        "wait_for",
        "wrap_future",
    }
)
_WITHOUT_LOOP = ("no running event loop", "There is no current event loop")
"""What asyncio says to who needs the loop where there is none."""


class TaskCall:
    """One task of a stage, ready to be called.

    Args:
        telemetry: What the run tells OpenTelemetry with; None where nobody listens.

    Attributes:
        call: Takes a value, gives what to await for the result.
        limit: Held while a worker is inside the task; None where nothing limits it.
    """

    __slots__ = ("call", "limit", "name")

    def __init__(
        self,
        task: TaskFunc,
        stage: Stage,
        threads: Threads,
        limits: Mapping[str, TaskLimit],
        telemetry: RunTelemetry | None = None,
    ) -> None:
        self.name = task_name(task)
        self.limit = limits.get(self.name)
        self.call = _make_call(task, self.name, stage, threads)
        if telemetry is not None:
            self.call = telemetry.make_call(self.call, self.name, stage.name)


class Threads(Way):
    """The threads of one run, for plain functions: as many as the stages that may need one have workers.

    The default executor has 6 on a machine with 2 cores, and is shared with everybody.
    """

    def __init__(self) -> None:
        self._stages: list[Stage] = []
        self._pool: _GrowingPool | None = None
        self._calls: set[Future[Any]] = set()

    def reserve(self, stage: Stage) -> None:
        """Each of a stage's workers may need a thread, however many they become."""
        if not any(known is stage for known in self._stages):
            self._stages.append(stage)

    def submit(self, function: Callable[[Any], Any], value: Any) -> Future[Any]:
        """Call `function` in a thread, in a copy of the caller's context."""
        places = sum(stage.workers for stage in self._stages)
        if self._pool is None:
            self._pool = _GrowingPool(places, thread_name_prefix="antflow-task")
        self._pool.grow(places)
        future = self._pool.submit(contextvars.copy_context().run, run_plain, function, value)
        self._calls.add(future)
        future.add_done_callback(self._calls.discard)
        return future

    def close(self) -> None:
        """Let the threads go; one that is still inside a function goes when that returns."""
        if self._pool is not None:
            self._pool.shutdown(wait=not self._calls, cancel_futures=True)
            self._pool = None


class _GrowingPool(ThreadPoolExecutor):
    """Threads that can become more: a stage may be given further workers while it runs."""

    def grow(self, places: int) -> None:
        # WORKAROUND(CPython): there is no public way; the number is looked at when a thread is to be started.
        self._max_workers = max(self._max_workers, places)


def unpack(task: TaskFunc, value: Any) -> Any:
    """Call `task` with the value's contents: a dict as keywords, a list or tuple as positions."""
    if isinstance(value, dict):
        return task(**value)
    if isinstance(value, list | tuple):
        return task(*value)
    return task(value)


def free_call(function: Callable[..., Any], threads: Threads) -> Callable[..., Awaitable[Any]]:
    """How to call a function that is no stage's task, with any arguments: on the loop or in a thread."""
    if _is_async(function):
        return function
    call = _Undeclared(
        functools.partial(_apply, function),
        task_name(function),
        threads,
        None,
        on_loop=_may_need_loop(function),
    )
    return lambda *args, **kwargs: call((args, kwargs))


def _apply(function: Callable[..., Any], arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> Any:
    args, kwargs = arguments
    return function(*args, **kwargs)


def _make_call(task: TaskFunc, name: str, stage: Stage, threads: Threads) -> Call:
    function: Callable[[Any], Any] = functools.partial(unpack, task) if stage.unpack_args else task
    if stage.executor is not None:
        return Elsewhere(function, name, way_through(stage.executor, stage.name, name), stage.timeout)
    if not _is_async(task):
        threads.reserve(stage)
        return _Undeclared(function, name, threads, stage.timeout, on_loop=_may_need_loop(task))
    if stage.timeout is not None:
        return functools.partial(_call_timed, function, name, stage.timeout)
    return function


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
            raise timeout_error(name, timeout_s) from error
        raise


class _Undeclared:
    """A task that is no coroutine function: only its result shows whether it belongs on the loop.

    A plain function could block the loop, so it runs in a thread; a callable that returns an awaitable may
    need the loop's thread already when it is called. The first guess goes by the kind of callable, and the
    first result settles it: an awaitable means the loop for good, anything else means a thread. One that asks
    for the loop in a thread is called once more, on the loop.
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
        self._in_thread = Elsewhere(function, name, threads, timeout_s)
        self._on_loop = on_loop
        self._gave_awaitable = False

    async def __call__(self, value: Any) -> Any:
        result = await self._first_result(value)
        if not inspect.isawaitable(result):
            self._on_loop = self._gave_awaitable
            return result
        self._on_loop = self._gave_awaitable = True
        if self._timeout_s is None:
            return await result
        return await _call_timed(_same, self._name, self._timeout_s, result)

    async def _first_result(self, value: Any) -> Any:
        """What the call itself gives."""
        if self._on_loop:
            return run_plain(self._function, value)
        try:
            return await self._in_thread(value)
        except RuntimeError as error:
            if not str(error).startswith(_WITHOUT_LOOP):
                raise
        self._on_loop = True
        return run_plain(self._function, value)


def _same(value: Any) -> Any:
    return value
