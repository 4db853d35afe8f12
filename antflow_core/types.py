"""The values that cross borders: results, events, states, statistics, snapshots and protocols.

They are plain dataclasses without slots, which can be changed and asked for their ``__dict__``, because
scripts written for AntFlow do so; the engine hands out copies and never reads them back. Times are Unix
seconds, durations seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from antflow_core.pipeline import Pipeline

TaskFunc = Callable[..., Any]
"""A task: a coroutine function, a callable that returns an awaitable, or a plain function."""

StatusType = Literal["queued", "in_progress", "completed", "failed", "retrying", "skipped"]
TaskEventType = Literal["start", "complete", "retry", "fail"]
WorkerStatus = Literal["idle", "busy"]


@dataclass
class PipelineResult:
    """How one item came out of a pipeline.

    Attributes:
        id: The item's id: its ``"id"`` if it was a dict with one, else its running number.
        value: What the last task returned; for an item that failed, the value it came to that stage with.
        sequence_id: The item's place in the order it was fed, from 0.
        metadata: The other keys of an item that was a dict with an ``"id"``.
        error: The exception that failed the item.
    """

    id: Any
    value: Any
    sequence_id: int
    metadata: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None

    @property
    def is_success(self) -> bool:
        """Whether the item came through without an error."""
        return self.error is None


@dataclass
class StatusEvent:
    """One change of an item's status.

    Attributes:
        stage: The stage's name.
        worker: The worker's name where one has the item.
        metadata: ``attempt``, ``retry``, ``error`` and ``error_type``, where the status has them.
    """

    item_id: Any
    stage: str | None
    status: StatusType
    worker: str | None
    timestamp: float
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def worker_id(self) -> int | None:
        """The number in the worker's name: 3 for ``Fetch-W3``."""
        if self.worker is None:
            return None
        digits = self.worker.rpartition("-W")[2]
        return int(digits) if digits.isdecimal() else None


@dataclass
class TaskEvent:
    """One task's start or end for one item.

    Attributes:
        attempt: From 1; in ``retry`` the attempt that failed.
        error: What the task raised, in ``retry`` and ``fail``; in an event read back from a log or a file
            what is kept of it, with `type_name`, `message` and `traceback`.
        duration: How long the attempt took, in every event but ``start``.
    """

    item_id: Any
    stage: str
    task_name: str
    worker: str
    event_type: TaskEventType
    attempt: int
    timestamp: float
    error: BaseException | None = None
    duration: float | None = None


@dataclass
class WorkerState:
    """What a worker is doing.

    Attributes:
        current_task: The running task's name, or the text given to ``set_task_status``.
        processing_since: When it took the item.
    """

    worker_name: str
    stage: str
    status: WorkerStatus
    current_item_id: Any = None
    current_task: str | None = None
    processing_since: float | None = None


@dataclass
class WorkerMetrics:
    """What a worker has done since the pipeline started.

    Attributes:
        total_processing_time: Seconds spent with items.
        last_active: When it last let go of an item.
    """

    worker_name: str
    stage: str
    items_processed: int = 0
    items_failed: int = 0
    total_processing_time: float = 0.0
    last_active: float | None = None

    @property
    def avg_processing_time(self) -> float:
        """Seconds per item that came through; 0.0 before the first."""
        return self.total_processing_time / self.items_processed if self.items_processed else 0.0


@dataclass
class StageStats:
    """One stage's items, counted.

    Attributes:
        pending_items: In its queue.
        in_progress_items: In a worker's hand.
        completed_items: Came through, skips included.
        failed_items: Ended here with an error.
        skipped_items: Those of the completed that passed untouched because of ``skip_if``.
        retried: Attempts that failed and were tried again.
    """

    stage_name: str
    pending_items: int
    in_progress_items: int
    completed_items: int
    failed_items: int
    skipped_items: int = 0
    retried: int = 0


@dataclass
class PipelineStats:
    """A pipeline's items, counted.

    Attributes:
        items_processed: Ended in a result.
        items_failed: Ended with an error.
        items_in_flight: Fed and not ended yet.
        queue_sizes: Waiting items by stage name.
        stage_stats: By stage name.
        total_items: How many there will be; None where it is not known, as for an async iterable.
    """

    items_processed: int
    items_failed: int
    items_in_flight: int
    queue_sizes: dict[str, int]
    stage_stats: dict[str, StageStats] = field(default_factory=dict)
    total_items: int | None = None


@dataclass
class FailedItem:
    """One item that failed for good.

    Attributes:
        error: The exception's text.
        error_type: The exception's class name.
        attempts: How many attempts were made at it in that stage.
    """

    item_id: Any
    error: str
    error_type: str
    stage: str
    attempts: int
    timestamp: float


@dataclass
class ErrorSummary:
    """The failed items of a pipeline, counted and listed.

    Attributes:
        errors_by_type: Failed items by exception class name.
        errors_by_stage: Failed items by stage name.
        failed_items: In the order they failed.
    """

    total_failed: int
    errors_by_type: dict[str, int]
    errors_by_stage: dict[str, int]
    failed_items: list[FailedItem]

    @classmethod
    def deferred(
        cls,
        total_failed: int,
        errors_by_type: dict[str, int],
        errors_by_stage: dict[str, int],
        list_failed_items: Callable[[], list[FailedItem]],
    ) -> ErrorSummary:
        """A summary that makes its list when it is looked at: a snapshot must not cost O(failures)."""
        summary = cls.__new__(cls)
        summary.total_failed = total_failed
        summary.errors_by_type = errors_by_type
        summary.errors_by_stage = errors_by_stage
        vars(summary)["_list_failed_items"] = list_failed_items
        return summary

    if not TYPE_CHECKING:  # to mypy a __getattr__ would make every misspelt attribute a list

        def __getattr__(self, name: str) -> list[FailedItem]:
            """Make the list of failed items; reached only while there is none."""
            make = vars(self).pop("_list_failed_items", None) if name == "failed_items" else None
            if make is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            self.failed_items = make()
            return self.failed_items

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles carry the list itself."""
        return type(self), (self.total_failed, self.errors_by_type, self.errors_by_stage, self.failed_items)

    def __str__(self) -> str:
        if not self.total_failed:
            return "No errors occurred"
        heading = f"{self.total_failed} failed {'item' if self.total_failed == 1 else 'items'}"
        by_type = _counted("By type", self.errors_by_type)
        by_stage = _counted("By stage", self.errors_by_stage)
        return "\n".join([heading, *by_type, *by_stage])


def _counted(title: str, counts: dict[str, int]) -> list[str]:
    """One title and a line for each name, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda entry: -entry[1])
    return [f"{title}:", *(f"  {name}: {count}" for name, count in ordered)]


@dataclass
class DashboardSnapshot:
    """A whole pipeline at one moment; costs O(stages + workers) to take.

    Attributes:
        worker_states: By worker name.
        worker_metrics: By worker name.
        paused: No worker takes a further item.
    """

    worker_states: dict[str, WorkerState]
    worker_metrics: dict[str, WorkerMetrics]
    pipeline_stats: PipelineStats
    error_summary: ErrorSummary
    timestamp: float
    paused: bool = False

    def get_worker_names(self) -> dict[str, list[str]]:
        """Worker names by stage name, in order."""
        names: dict[str, list[str]] = {stage: [] for stage in self.pipeline_stats.stage_stats}
        for worker in self.worker_states.values():
            names.setdefault(worker.stage, []).append(worker.worker_name)
        return names


@runtime_checkable
class DashboardProtocol(Protocol):
    """What ``Pipeline.run(custom_dashboard=…)`` calls; what it raises is logged and never harms the run."""

    def on_start(self, pipeline: Pipeline, total_items: int) -> None:
        """The run begins; `total_items` is 0 where it is not known."""

    def on_update(self, snapshot: DashboardSnapshot) -> None:
        """Called at once, at every interval, and once more just before the end."""

    def on_finish(self, results: list[PipelineResult], summary: ErrorSummary) -> None:
        """The run is over."""
