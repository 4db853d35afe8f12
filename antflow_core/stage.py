"""Stage: one step of a pipeline as a script describes it, and the judgement whether that can work."""

from __future__ import annotations

import functools
import inspect
import math
import operator
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Literal

from antflow_core.arguments import is_number
from antflow_core.exceptions import PipelineError, StageValidationError
from antflow_core.types import TaskFunc

_QUEUE_PLACES_PER_WORKER = 10
_MOST_WORKERS = 1_000_000
"""Each is a task of some kilobytes; a number with a digit too many would take the machine's memory."""


@dataclass
class Stage:
    """One step of a pipeline: tasks run in order for each item by a number of workers.

    Accepts anything when made; `validate` (and `Pipeline`) judge it.

    Attributes:
        name: Unique in its pipeline; workers are named ``"{name}-W{index}"``.
        workers: How many items are in hand at once.
        tasks: Each is given the previous one's result; the first gets the item's value.
        retry: ``per_task`` tries the failed task again, ``per_stage`` puts the item back at the first task.
        task_attempts: Attempts in all at each task, for ``per_task``.
        task_wait_seconds: Pause between two attempts, for ``per_task``.
        stage_attempts: Attempts in all at the stage, for ``per_stage``.
        unpack_args: A dict goes to the task as keywords, a list or tuple as positional arguments.
        task_concurrency_limits: By task name, how many workers may be inside that task at once.
        on_success: Called with item id, result and payload; plain or async.
        on_failure: Called with item id, error and payload; plain or async.
        on_skip: Called with item id, value and payload; plain or async.
        skip_if: True lets the item pass this stage untouched.
        queue_capacity: Places in the input queue; None for 10 a worker, 0 for no limit.
        pull: No queue: the upstream worker hands over only to a waiting worker.
        call_concurrency: What ``concurrency_limit()`` inside a task enforces.
        call_rate: Calls that ``rate_limit()`` inside a task lets through per period.
        call_rate_period: That period in seconds.
        task_wait: Seconds to wait after the given failed attempt (from 1), instead of `task_wait_seconds`;
            for ``per_stage`` too.
        retry_on: Errors worth another attempt; any other fails the item at once.
        timeout: Seconds an attempt at a task may take, waiting for a place in the executor included.
        executor: Runs this stage's tasks, in threads, processes or on a cluster; what goes to another process
            must pickle. Keep it open until the pipeline has ended: once it is shut down or broken, items fail
            here without another attempt.
    """

    name: str
    workers: int
    tasks: Sequence[TaskFunc]
    retry: Literal["per_task", "per_stage"] = "per_task"
    task_attempts: int = 3
    task_wait_seconds: float = 1.0
    stage_attempts: int = 3
    unpack_args: bool = False
    task_concurrency_limits: dict[str, int] | None = field(default_factory=dict)
    on_success: Callable[..., Any] | None = None
    on_failure: Callable[..., Any] | None = None
    on_skip: Callable[..., Any] | None = None
    skip_if: Callable[[Any], Any] | None = None
    queue_capacity: int | None = None
    pull: bool = False
    call_concurrency: int | None = None
    call_rate: float | None = None
    call_rate_period: float = 60.0
    task_wait: Callable[[int], float] | None = None
    retry_on: tuple[type[Exception], ...] = (Exception,)
    timeout: float | None = None
    executor: Executor | None = None

    def validate(self) -> None:
        """Judge the description.

        Raises:
            StageValidationError: The first fault found, with stage, field, value and what would be right.
        """
        self._check_workers_and_tasks()
        self._check_retry()
        self._check_limits()
        self._check_callables()
        self._check_executor()

    def set_workers(self, workers: int) -> None:
        """Have another number of workers; a pipeline that runs follows with its own `set_workers`.

        Raises:
            StageValidationError: It is no whole number, or less than 1.
        """
        self._check_workers(workers)
        self.workers = workers

    def capacity(self) -> int | None:
        """Places in the input queue; None for no limit, 0 for a pull stage, which has no queue."""
        if self.pull:
            return 0
        if self.queue_capacity is None:
            return max(1, _QUEUE_PLACES_PER_WORKER * self.workers)
        return self.queue_capacity or None

    def worker_names(self) -> list[str]:
        """The names of its workers, in order."""
        return [f"{self.name}-W{index}" for index in range(self.workers)]

    def _check_workers_and_tasks(self) -> None:
        name: object = self.name
        if not isinstance(name, str) or not name:
            raise StageValidationError(f"Stage name must be a non-empty str, got {name!r}")
        self._check_workers(self.workers)
        tasks: object = self.tasks
        if not isinstance(tasks, Sequence):
            raise self._fault(f"tasks must be a list of functions, got {tasks!r}")
        if not self.tasks:
            raise self._fault("must have at least one task")
        for task in self.tasks:
            self._check_task(task)

    def _check_workers(self, workers: int) -> None:
        self._require_int("workers", workers)
        if workers < 1:
            raise self._fault(f"must have at least 1 worker, got {workers}")
        if workers > _MOST_WORKERS:
            raise self._fault(f"must have at most {_MOST_WORKERS:,} workers, got {workers}")

    def _check_task(self, task: Any) -> None:
        if inspect.iscoroutine(task):
            name = task.__name__
            task.close()  # else Python warns that it was never awaited, beside the error that says why
            raise StageValidationError(
                f"Stage {self.name!r} got a coroutine object; pass the function: tasks=[{name}]"
            )
        if not callable(task):
            raise self._fault(f"tasks must be functions, got {task!r}")
        if inspect.isasyncgenfunction(task):
            raise self._fault(f"task {task_name(task)!r} yields; a task returns one value for each item")

    def _check_retry(self) -> None:
        if self.retry not in ("per_task", "per_stage"):
            raise StageValidationError(
                f"Invalid retry policy for stage {self.name!r}: {self.retry!r}; use 'per_task' or 'per_stage'"
            )
        if self.pull and self.retry == "per_stage":
            raise self._fault("pull=True does not go with retry='per_stage': there is no queue to go back to")
        self._require_at_least_one("task_attempts", self.task_attempts)
        self._require_at_least_one("stage_attempts", self.stage_attempts)
        self._require_number("task_wait_seconds", self.task_wait_seconds)
        if self.task_wait_seconds < 0:
            raise self._fault(f"task_wait_seconds must not be negative, got {self.task_wait_seconds}")
        kinds: object = self.retry_on
        if not isinstance(kinds, tuple) or not all(map(_is_exception_class, kinds)):
            raise self._fault(f"retry_on must be a tuple of exception classes, got {kinds!r}")

    def _check_limits(self) -> None:
        limits: object = self.task_concurrency_limits or {}
        if not isinstance(limits, Mapping):
            raise self._fault(f"task_concurrency_limits must be a dict by task name, got {limits!r}")
        known = {task_name(task) for task in self.tasks}
        unknown = sorted((name for name in limits if name not in known), key=str)
        if unknown:
            raise self._fault(
                f"task_concurrency_limits names unknown task(s) {unknown}; it has {sorted(known)}"
            )
        for name, limit in limits.items():
            self._require_at_least_one(f"task_concurrency_limits[{name!r}]", limit)
        if self.queue_capacity is not None:
            self._require_int("queue_capacity", self.queue_capacity)
            if self.queue_capacity < 0:
                raise self._fault(f"queue_capacity must be 0 (no limit) or more, got {self.queue_capacity}")
        if self.call_concurrency is not None:
            self._require_at_least_one("call_concurrency", self.call_concurrency)
        if self.call_rate is not None:
            self._require_number("call_rate", self.call_rate)
            if self.call_rate < 1:
                raise self._fault(
                    f"call_rate must be at least 1, got {self.call_rate}; for less, lengthen call_rate_period"
                )
        self._require_positive("call_rate_period", self.call_rate_period)
        if self.timeout is not None:
            self._require_positive("timeout", self.timeout)

    def _check_callables(self) -> None:
        for field_name in ("on_success", "on_failure", "on_skip", "skip_if", "task_wait"):
            value = getattr(self, field_name)
            if value is not None and not callable(value):
                raise self._fault(f"{field_name} must be a function or None, got {value!r}")

    def _check_executor(self) -> None:
        if self.executor is None:
            return
        if not callable(getattr(self.executor, "submit", None)):
            raise self._fault(f"executor must be a concurrent.futures.Executor, got {self.executor!r}")
        for field_name in ("call_concurrency", "call_rate"):
            if getattr(self, field_name) is not None:
                raise self._fault(
                    f"{field_name} does not go with an executor: its tasks do not run on the loop that would "
                    "enforce it; limit the stage's workers instead"
                )
        # Threads need no pickling, and clusters bring picklers of their own that take more than pickle does.
        homes = {kind.__module__ for kind in type(self.executor).__mro__}
        if homes & {"concurrent.futures.process", "concurrent.futures.interpreter"}:
            for task in self.tasks:
                self._check_picklable(task)

    def _check_picklable(self, task: TaskFunc) -> None:
        try:
            pickle.dumps(task)
        except Exception as error:
            raise self._fault(
                f"task {task_name(task)!r} cannot go to another process ({error}); "
                "use a function defined at the top of a module"
            ) from error

    def _require_int(self, field_name: str, value: object) -> None:
        try:
            operator.index(value)  # type: ignore[arg-type]  # numpy's integers are whole numbers too
        except TypeError:
            raise self._fault(f"{field_name} must be a whole number, got {value!r}") from None
        if isinstance(value, bool):
            raise self._fault(f"{field_name} must be a whole number, got {value!r}")

    def _require_number(self, field_name: str, value: Any) -> None:
        if isinstance(value, bool) or not is_number(value) or not math.isfinite(value):
            raise self._fault(f"{field_name} must be a number, got {value!r}")

    def _require_positive(self, field_name: str, value: float) -> None:
        self._require_number(field_name, value)
        if not value > 0:
            raise self._fault(f"{field_name} must be more than 0, got {value}")

    def _require_at_least_one(self, field_name: str, value: int) -> None:
        self._require_int(field_name, value)
        if value < 1:
            raise self._fault(f"{field_name} must be at least 1, got {value}")

    def _fault(self, what: str) -> StageValidationError:
        return StageValidationError(f"Stage {self.name!r} {what}")


def _is_exception_class(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


def task_name(task: Any) -> str:
    """What a task is called in events, limits and displays.

    Its own ``__name__``, else that of the ``func`` it wraps, as a partial does and many a class for
    decorating, else the name of its class.
    """
    wrapped = task
    while isinstance(wrapped, functools.partial) and not hasattr(wrapped, "__name__"):
        wrapped = wrapped.func
    for named in (wrapped, getattr(wrapped, "func", None)):
        name = getattr(named, "__name__", None)
        if isinstance(name, str):
            return name
    return type(task).__name__


def validated_stages(stages: Iterable[Stage] | None) -> list[Stage]:
    """Judge a whole pipeline's stages, and give them as a list.

    Raises:
        PipelineError: There is none, something else is among them, or the first is a pull stage.
        StageValidationError: A stage is described wrongly, or two have one name.
    """
    listed = _listed(stages)
    if not listed:
        raise PipelineError("Pipeline must have at least one stage")
    for stage in listed:
        stage.validate()
    names = [stage.name for stage in listed]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise StageValidationError(f"Duplicate stage name(s): {twice}; each stage needs a name of its own")
    if listed[0].pull:
        raise PipelineError(
            f"The first stage ({names[0]!r}) cannot be a pull stage: no stage before it hands over"
        )
    return listed


def _listed(stages: object) -> list[Stage]:
    if isinstance(stages, Stage):
        raise PipelineError("stages must be a list of Stage, got one Stage: put it into a list")
    if stages is not None and not isinstance(stages, Iterable):
        raise PipelineError(f"stages must be a list of Stage, got {stages!r}")
    listed = list(stages or ())
    for each in listed:
        if not isinstance(each, Stage):
            raise PipelineError(f"stages must be a list of Stage, got {each!r} in it")
    return listed
