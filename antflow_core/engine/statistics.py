"""Statistics: the counters of a run as snapshots; each costs O(stages + workers), whatever the items."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from antflow_core.types import (
    DashboardSnapshot,
    ErrorSummary,
    FailedItem,
    PipelineStats,
    StageStats,
    WorkerMetrics,
    WorkerState,
)

if TYPE_CHECKING:
    from antflow_core.engine.run import Run, StageRun


class FailureList:
    """The items that failed for good in one run."""

    __slots__ = ("_by_stage", "_by_type", "_items")

    def __init__(self) -> None:
        self._items: list[tuple[Any, str, str, str, int, float]] = []
        self._by_type: Counter[str] = Counter()
        self._by_stage: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item_id: Any, error: BaseException, stage: str, attempts: int) -> None:
        """Note a failure; the exception itself is not kept, it would keep its frames."""
        kind = type(error).__name__
        self._items.append((item_id, error_text(error), kind, stage, attempts, time.time()))
        self._by_type[kind] += 1
        self._by_stage[stage] += 1

    def summary(self) -> ErrorSummary:
        """What has failed until now; the list is made when it is looked at."""
        count = len(self._items)
        return ErrorSummary.deferred(
            count,
            dict(self._by_type),
            dict(self._by_stage),
            lambda: [FailedItem(*failure) for failure in self._items[:count]],
        )


def error_text(error: BaseException) -> str:
    """An exception's text, also where making it raises."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  a class of the script's may raise anything
        return f"<{type(error).__name__} without a text>"


def pipeline_stats(run: Run) -> PipelineStats:
    """A run's items, counted."""
    return PipelineStats(
        items_processed=run.processed,
        items_failed=len(run.failures),
        items_in_flight=run.outstanding,
        queue_sizes={stage.name: len(stage.channel) for stage in run.stages},
        stage_stats={stage.name: _stage_stats(stage) for stage in run.stages},
        total_items=total_items(run),
    )


def total_items(run: Run) -> int | None:
    """How many items there are and will be; None while a source is fed that does not know its number."""
    total = run.fed
    for source in run.sources:
        if source.unfed is None:
            return None
        total += source.unfed
    return total


def worker_states(run: Run) -> dict[str, WorkerState]:
    """What each worker is doing, by name."""
    return {worker.worker_name: worker.state() for stage in run.stages for worker in stage.workers}


def worker_metrics(run: Run) -> dict[str, WorkerMetrics]:
    """What each worker has done, by name."""
    return {worker.worker_name: worker.metrics() for stage in run.stages for worker in stage.workers}


def snapshot(run: Run) -> DashboardSnapshot:
    """A whole run at this moment."""
    return DashboardSnapshot(
        worker_states=worker_states(run),
        worker_metrics=worker_metrics(run),
        pipeline_stats=pipeline_stats(run),
        error_summary=run.failures.summary(),
        timestamp=time.time(),
    )


def _stage_stats(stage: StageRun) -> StageStats:
    return StageStats(
        stage_name=stage.name,
        pending_items=len(stage.channel),
        in_progress_items=sum(worker.status == "busy" for worker in stage.workers),
        completed_items=stage.completed,
        failed_items=stage.failed,
        skipped_items=stage.skipped,
        retried=stage.retried,
    )
