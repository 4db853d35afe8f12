"""A pipeline of this process as a viewer sees it: live while it runs, afterwards only its last snapshot."""

from __future__ import annotations

from antflow_core.history.event_log import EventLog
from antflow_core.link.protocol import PipelineView, StageView
from antflow_core.pipeline import Pipeline
from antflow_core.stage import Stage, task_name
from antflow_core.types import DashboardSnapshot


class WatchedPipeline:
    """One start-to-end of one pipeline.

    Args:
        pipeline: Let go of at the end, so that its items can be freed.
        log: Where the viewer looks its events up, whichever tracker records them.
    """

    def __init__(self, pipeline: Pipeline, log: EventLog) -> None:
        self._pipeline: Pipeline | None = pipeline
        self._log = log
        self._stages = tuple(_stage_view(stage) for stage in pipeline.stages)
        self._last = pipeline.get_dashboard_snapshot()
        self._run = 0
        self._recorded: tuple[EventLog, int] | None = None

    def is_of(self, pipeline: Pipeline) -> bool:
        """Whether this is the pipeline's current start-to-end."""
        return self._pipeline is pipeline

    def view(self) -> PipelineView:
        """How it stands now."""
        name = " → ".join(stage.name for stage in self._stages)
        return PipelineView(self._run_number(), name, self._stages, self._snapshot(), self._pipeline is None)

    def request_stop(self) -> None:
        """Pass the wish on if it still runs."""
        if self._pipeline is not None:
            self._pipeline.request_stop()

    def let_go(self) -> None:
        """Keep the last snapshot, release the pipeline."""
        self._run_number()
        self._last = self._snapshot()
        self._pipeline = None

    def _snapshot(self) -> DashboardSnapshot:
        return self._last if self._pipeline is None else self._pipeline.get_dashboard_snapshot()

    def _run_number(self) -> int:
        """Its number in the viewer's log; a copied run is found by what identifies it, once it is copied."""
        self._note_run()
        if self._run == 0 and self._recorded is not None:
            log, number = self._recorded
            if log is self._log:
                self._run = number
            else:
                wanted = _identity(log, number)
                numbers = range(1, len(self._log.runs) + 1)
                self._run = next((n for n in numbers if _identity(self._log, n) == wanted), 0)
        return self._run

    def _note_run(self) -> None:
        """Note which run of which log this is; the pipeline tells when its recorder has begun."""
        if self._recorded is not None or self._pipeline is None or self._pipeline.status_tracker is None:
            return
        if self._pipeline.run_number is not None:
            self._recorded = (self._pipeline.status_tracker.log, self._pipeline.run_number)


def _identity(log: EventLog, number: int) -> tuple[str, tuple[str, ...], float]:
    record = log.runs[number - 1]
    return record.name, record.stages, record.started_at


def _stage_view(stage: Stage) -> StageView:
    return StageView(stage.name, stage.workers, stage.capacity(), tuple(map(task_name, stage.tasks)))
