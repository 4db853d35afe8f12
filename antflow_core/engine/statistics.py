"""Statistics: the counters of a run as snapshots; each costs O(stages + workers), whatever the items."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from antflow_core.types import (
    DashboardSnapshot,
    PipelineStats,
    StageStats,
    WorkerMetrics,
    WorkerState,
)

if TYPE_CHECKING:
    from antflow_core.context import WorkerContext
    from antflow_core.engine.run import Run
    from antflow_core.engine.stage_run import StageRun


def error_text(error: BaseException) -> str:
    """An exception's text, also where making it raises."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  a class of the script's may raise anything
        return f"<{type(error).__name__} without a text>"


def pipeline_stats(run: Run) -> PipelineStats:
    """A run's items, counted."""
    return PipelineStats(
        items_processed=run.output.processed,
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
    return {worker.worker_name: worker.state() for worker in _workers(run)}


def worker_metrics(run: Run) -> dict[str, WorkerMetrics]:
    """What each worker has done, by name."""
    return {worker.worker_name: worker.metrics() for worker in _workers(run)}


def snapshot(run: Run) -> DashboardSnapshot:
    """A whole run at this moment."""
    return DashboardSnapshot(
        worker_states=worker_states(run),
        worker_metrics=worker_metrics(run),
        pipeline_stats=pipeline_stats(run),
        error_summary=run.failures.summary(),
        timestamp=time.time(),
        paused=run.paused,
    )


def _workers(run: Run) -> Iterator[WorkerContext]:
    for stage in run.stages:
        yield from stage.crew.present.values()


def _stage_stats(stage: StageRun) -> StageStats:
    return StageStats(
        stage_name=stage.name,
        pending_items=len(stage.channel),
        in_progress_items=sum(worker.status == "busy" for worker in stage.crew.present.values()),
        completed_items=stage.completed,
        failed_items=stage.failed,
        skipped_items=stage.skipped,
        retried=stage.retried,
    )
