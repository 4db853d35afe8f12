"""StatusTracker: the log of what happened to every item, callbacks at the event, and answers afterwards."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from antflow_core.history.answers import status_metadata
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KIND_INDEX, NO_DURATION, NO_ERROR, NO_TASK
from antflow_core.history.steps import (
    WriteCompleted,
    WriteOne,
    completed_writer,
    queued_writer,
    taken_writer,
)
from antflow_core.search.questions import Questions
from antflow_core.types import ErrorSummary, FailedItem, StatusEvent, StatusType, TaskEvent, TaskEventType

if TYPE_CHECKING:
    from antflow_core.pipeline import Pipeline

StatusCallback = Callable[[StatusEvent], object]
TaskCallback = Callable[[TaskEvent], object]
ValueListener = Callable[[int, int, int, Any], None]

# Scripts written for AntFlow import these from here, those that this module does not use too.
__all__ = ["ErrorSummary", "FailedItem", "StatusEvent", "StatusTracker", "TaskEvent", "logger"]

logger = logging.getLogger("antflow.tracker")

_CALLBACK_NAMES: Final[dict[TaskEventType, str]] = {
    "start": "on_task_start",
    "complete": "on_task_complete",
    "retry": "on_task_retry",
    "fail": "on_task_fail",
}
_CALLBACKS: Final = frozenset({"on_status_change", *_CALLBACK_NAMES.values()})


class RunWatcher(Protocol):
    """Is told which pipelines report to a tracker; everything is called on the loop's thread."""

    def run_started(self, run: int, pipeline: Pipeline) -> None:
        """A pipeline begins, or goes on after its end, under this number; nothing is queued yet."""

    def run_ended(self, run: int) -> None:
        """All its workers have ended."""


class StatusTracker(Questions):
    """Follows every item through the pipelines it is given to.

    Callbacks may be plain or async and are called at the event, in order per item; an async one (whatever
    returns an awaitable) is awaited before the item goes on. An exception in a callback is logged and never
    fails an item. They can be set and changed at any time as attributes.

    One tracker may serve several pipelines, also at once. An id used again in a later run is a new item:
    `get_status` answers for the latest, `get_by_status`, `get_stats` and `get_failed_items` count each,
    `get_history` gives all.

    Args:
        max_events: How many events the log holds at most, None for no limit. The oldest are dropped, 16,384
            at a time, and what is known of items that ended with them; such items stay counted, and failed
            ones named.
        on_status_change: Called for every change of an item's status.
        on_task_start: Called when a task begins an attempt.
        on_task_complete: Called when a task has returned.
        on_task_retry: Called when an attempt failed and another one follows.
        on_task_fail: Called when an attempt failed and none is left.

    Attributes:
        log: The packed events themselves.
        silent: Nobody is to be called back, so that events which come together may be written together.
        running: The pipelines that report to it now, by the numbers of their runs.
        watchers: Who is told of the pipelines; what one raises is logged.
        value_listeners: Who is told of each value that comes to a stage, with the log's indexes of run and
            item and the stage's place in its pipeline; a result comes with the place after the last one. Only
            while there are some when a pipeline starts is anything done for it.
    """

    silent: bool

    def __init__(
        self,
        on_status_change: StatusCallback | None = None,
        on_task_start: TaskCallback | None = None,
        on_task_complete: TaskCallback | None = None,
        on_task_retry: TaskCallback | None = None,
        on_task_fail: TaskCallback | None = None,
        *,
        max_events: int | None = None,
    ) -> None:
        super().__init__(EventLog(max_events))
        self.running: dict[int, Pipeline] = {}
        self.watchers: list[RunWatcher] = []
        self.value_listeners: list[ValueListener] = []
        self.on_status_change = on_status_change
        self.on_task_start = on_task_start
        self.on_task_complete = on_task_complete
        self.on_task_retry = on_task_retry
        self.on_task_fail = on_task_fail

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in _CALLBACKS:
            silent = all(getattr(self, callback, None) is None for callback in _CALLBACKS)
            super().__setattr__("silent", silent)

    def begin_run(self, stages: Sequence[str], *, name: str = "") -> RunRecorder:
        """Open a run over some stages; what its pipeline reports goes through the recorder."""
        return RunRecorder(self, name, stages)

    def announce_start(self, run: int, pipeline: Pipeline) -> None:
        """Tell the watchers of a run's beginning."""
        self.running[run] = pipeline
        for watcher in self.watchers.copy():
            _tell(watcher.run_started, run, pipeline)

    def announce_end(self, run: int) -> None:
        """Tell the watchers of a run's end."""
        self.running.pop(run, None)
        for watcher in self.watchers.copy():
            _tell(watcher.run_ended, run)


class StepWriters(NamedTuple):
    """The quick ways of one worker.

    Attributes:
        taken: It took an item and starts its first task, at the first attempt.
        completed: It completed its last task at the first attempt, and with it the stage.
        passed: The same, and the item is queued at the next stage, where there is one.
    """

    taken: WriteOne
    completed: WriteCompleted
    passed: WriteCompleted


class RunRecorder:
    """The way of one run's events into the tracker; made by `StatusTracker.begin_run`.

    Attributes:
        run: Number of the run in the tracker's log.
        tracker: Whose log it is.
        wall_offset: Added to a moment of `time.perf_counter` it gives the Unix seconds that events hold.
    """

    __slots__ = (
        "_append",
        "_errors",
        "_items",
        "_log",
        "_stages",
        "_tasks",
        "_workers",
        "run",
        "tracker",
        "wall_offset",
    )

    def __init__(self, tracker: StatusTracker, name: str, stages: Sequence[str]) -> None:
        started_at = time.time()
        # One wall anchor a run, then the monotonic clock: a clock set back must not turn events around.
        self.wall_offset = started_at - perf_counter()
        self.tracker = tracker
        self._log = log = tracker.log
        self.run = log.begin_run(name, stages, started_at)
        self._append = log.append
        self._items = log.run_items(self.run)
        self._stages = log.stage_indexes(self.run)
        self._workers = log.worker_indexes
        self._tasks = log.task_indexes
        self._errors = log.errors

    def status(
        self,
        item_id: object,
        stage: int,
        status: StatusType,
        worker: str | None = None,
        *,
        attempt: int = 0,
        duration: float | None = None,
        error: BaseException | None = None,
        metadata: dict[str, Any] | None = None,
        quietly: bool = False,
    ) -> Awaitable[None] | None:
        """Record a change of an item's status and call back.

        Args:
            item_id: The caller's id; an unhashable one is recorded by its repr.
            stage: Index in the stages given to `begin_run`.
            worker: Name of the worker that has the item.
            attempt: The attempt the event belongs to; in ``retrying`` the coming one.
            duration: For the end of an attempt, the seconds its tasks took together.
            metadata: What the event carries besides ``attempt``, ``retry``, ``error`` and ``error_type``.
            quietly: Call nobody back.

        Returns:
            None where nothing is to be waited for, else an awaitable that never raises.
        """
        try:
            item = self._items[item_id]
        except Exception:  # noqa: BLE001  the caller's __hash__ may raise anything
            item = self._items.index(item_id)
        kind, stage_index = KIND_INDEX[status], self._stages[stage]
        spent = NO_DURATION if duration is None else duration
        fault = NO_ERROR if error is None else self._errors.index(error)
        at = perf_counter() + self.wall_offset
        row = self._append(at, item, stage_index, kind, attempt, NO_TASK, self._workers[worker], spent, fault)
        if metadata is not None:
            self._log.notes[row] = metadata
        callback = self.tracker.on_status_change
        if callback is None or quietly:
            return None
        carried = status_metadata(self._log, row, kind, attempt, fault)
        event = StatusEvent(self._id(item), self._stage_name(stage), status, worker, at, carried)
        return _call(callback, event, "on_status_change")

    def task(
        self,
        item_id: object,
        stage: int,
        task_name: str,
        worker: str,
        event: TaskEventType,
        attempt: int,
        *,
        duration: float | None = None,
        error: BaseException | None = None,
    ) -> Awaitable[None] | None:
        """Record a task's start or end for an item and call back.

        Args:
            item_id: The caller's id; an unhashable one is recorded by its repr.
            stage: Index in the stages given to `begin_run`.
            attempt: From 1; in ``retry`` the attempt that failed.
            duration: Seconds the attempt took.
            error: What the task raised; the callback gets the object itself, the log keeps its texts.

        Returns:
            None where nothing is to be waited for, else an awaitable that never raises.
        """
        try:
            item = self._items[item_id]
        except Exception:  # noqa: BLE001  the caller's __hash__ may raise anything
            item = self._items.index(item_id)
        kind, stage_index = KIND_INDEX[event], self._stages[stage]
        spent = NO_DURATION if duration is None else duration
        fault = NO_ERROR if error is None else self._errors.index(error)
        at, task = perf_counter() + self.wall_offset, self._tasks[task_name]
        self._append(at, item, stage_index, kind, attempt, task, self._workers[worker], spent, fault)
        name = _CALLBACK_NAMES[event]
        callback: TaskCallback | None = getattr(self.tracker, name)
        if callback is None:
            return None
        place = (self._id(item), self._stage_name(stage), task_name, worker)
        return _call(callback, TaskEvent(*place, event, attempt, at, error, duration), name)

    def item(self, item_id: object) -> int:
        """An item's index in the log, for the quick ways."""
        try:
            return self._items[item_id]
        except Exception:  # noqa: BLE001  the caller's __hash__ may raise anything
            return self._items.index(item_id)

    def value(self, item_id: object, stage: int, value: Any) -> None:
        """Tell the tracker's value listeners of a value; the stage after the last one stands for a result."""
        item = self.item(item_id)
        for listener in self.tracker.value_listeners:
            _tell(listener, self.run, item, stage, value)

    def queued_writer(self, stage: int) -> WriteOne:
        """What writes without calling back that an item, by its index, is queued at a stage.

        The moment is one of `time.perf_counter`, as in all the quick ways.
        """
        return queued_writer(self._log, self.run, self._stages[stage])

    def step_writers(self, stage: int, worker: str, tasks: Sequence[str]) -> StepWriters:
        """What writes without calling back, some events at once, what a worker usually does with an item."""
        place = (self._log, self.run, self._stages[stage], self._workers[worker])
        last = self._tasks[tasks[-1]]
        following = self._stages[stage + 1 : stage + 2]
        return StepWriters(
            taken_writer(*place, self._tasks[tasks[0]]),
            completed_writer(*place, last),
            completed_writer(*place, last, *following),
        )

    def reopen(self) -> None:
        """Note that the run goes on after its end."""
        self._log.end_run(self.run, None)

    def end(self) -> None:
        """Note that the run is over; the first call counts."""
        if self._log.run_record(self.run).ended_at is None:
            self._log.end_run(self.run, perf_counter() + self.wall_offset)

    def _id(self, item: int) -> object:
        return self._log.item_id(item)

    def _stage_name(self, stage: int) -> str:
        return self._log.run_record(self.run).stages[stage]


def _tell(told: Callable[..., None], *facts: object) -> None:
    try:
        told(*facts)
    except Exception:
        logger.exception("Who watches a tracker failed: %r", told)


def _call(
    callback: Callable[[Any], object], event: StatusEvent | TaskEvent, name: str
) -> Awaitable[None] | None:
    try:
        outcome = callback(event)
    except (Exception, asyncio.CancelledError) as error:
        if _is_being_cancelled(error):
            raise
        logger.exception("%s failed for item %r", name, event.item_id)
        return None
    if outcome is not None and inspect.isawaitable(outcome):
        return _await(outcome, event, name)
    return None


async def _await(outcome: Awaitable[object], event: StatusEvent | TaskEvent, name: str) -> None:
    try:
        await outcome
    except (Exception, asyncio.CancelledError) as error:
        if _is_being_cancelled(error):
            raise
        logger.exception("%s failed for item %r", name, event.item_id)


def _is_being_cancelled(error: BaseException) -> bool:
    """Whether a CancelledError means the running task; a callback may raise one by itself."""
    if not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs, so nobody can have cancelled anything
        return False
    return task is not None and task.cancelling() > 0
