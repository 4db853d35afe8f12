"""Reading: what can be asked of a pipeline at any time, before, during and after its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antflow_core.engine import statistics
from antflow_core.types import (
    DashboardSnapshot,
    ErrorSummary,
    PipelineResult,
    PipelineStats,
    WorkerMetrics,
    WorkerState,
)

if TYPE_CHECKING:
    from antflow_core.engine.run import Run
    from antflow_core.engine.succession import Succession
    from antflow_core.stage import Stage
    from antflow_core.tracker import StatusTracker


class PipelineReading:
    """The reading half of a pipeline: the current run, or the last one until the next begins."""

    stages: list[Stage]
    _runs: Succession

    @property
    def results(self) -> list[PipelineResult]:
        """The results until now in input order; failed items are not among them."""
        return self._run.output.in_input_order()

    @property
    def status_tracker(self) -> StatusTracker | None:
        """The tracker in use: its own, else the one given by its observer or made for a recording."""
        return self._runs.attendance.tracker

    @property
    def run_number(self) -> int | None:
        """The number of the current or last run in the tracker's log; None where nobody tracks."""
        return None if self._run.recorder is None else self._run.recorder.run

    @property
    def total_items(self) -> int | None:
        """How many items there are and will be; None while a source is fed that does not know its number."""
        return statistics.total_items(self._run)

    @property
    def paused(self) -> bool:
        """Whether it runs and is paused."""
        return self._run.paused

    @property
    def dropped_items(self) -> int:
        """Items that were fed and given up, because the pipeline was stopped or cancelled.

        For the tracker, one that its stage had begun ends ``failed``, with a CancelledError that says why and
        no callback; one that waited stays ``queued``.
        """
        return self._run.dropped

    @property
    def cancelled_items(self) -> int:
        """Items that were ended by `cancel_item`."""
        return self._run.cancels.count

    def get_stats(self) -> PipelineStats:
        """The items, counted."""
        return statistics.pipeline_stats(self._run)

    def get_worker_names(self) -> dict[str, list[str]]:
        """Worker names by stage name, in order."""
        return {stage.name: stage.worker_names() for stage in self.stages}

    def get_worker_states(self) -> dict[str, WorkerState]:
        """What each worker is doing, by name."""
        return statistics.worker_states(self._run)

    def get_worker_metrics(self) -> dict[str, WorkerMetrics]:
        """What each worker has done, by name."""
        return statistics.worker_metrics(self._run)

    def get_dashboard_snapshot(self) -> DashboardSnapshot:
        """Everything of this moment; costs O(stages + workers)."""
        return statistics.snapshot(self._run)

    def get_error_summary(self) -> ErrorSummary:
        """The items that failed."""
        return self._run.failures.summary()

    @property
    def _run(self) -> Run:
        return self._runs.run
