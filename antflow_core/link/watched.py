"""A pipeline of this process as a viewer sees it: live while it runs, afterwards only its last snapshot."""

from __future__ import annotations

import weakref
from contextvars import Context, copy_context
from typing import Any

from antflow_core.context import worker_state_var
from antflow_core.exceptions import PipelineError
from antflow_core.history.event_log import EventLog
from antflow_core.link.protocol import PipelineView, StageView
from antflow_core.pipeline import Pipeline
from antflow_core.stage import task_name


class WatchedPipeline:
    """One start-to-end of one pipeline, which may go on after its end to retry what failed.

    Made in the context that starts the pipeline: what the viewer asks of it later runs there too.

    Args:
        pipeline: Let go of at the end, so that its items can be freed, all but those that failed.
        log: Where the viewer looks its events up, whichever tracker records them.
    """

    def __init__(self, pipeline: Pipeline, log: EventLog) -> None:
        self._pipeline: Pipeline | None = pipeline
        self._log = log
        self._stages = _stage_views(pipeline)
        self._last = pipeline.get_dashboard_snapshot()
        self._run = 0
        self._recorded: tuple[EventLog, int] | None = None
        self._original = weakref.ref(pipeline)
        self._remainder: Pipeline | None = None
        self._context: Context | None = copy_context()
        self._context.run(worker_state_var.set, None)  # of another pipeline, whose task started this one

    def is_of(self, pipeline: Pipeline) -> bool:
        """Whether this is the pipeline's current start-to-end."""
        return self._pipeline is pipeline

    def goes_on_as(self, pipeline: Pipeline) -> bool:
        """Whether the pipeline, which is about to start, goes on with this start-to-end."""
        tracker, number = pipeline.status_tracker, pipeline.run_number
        return tracker is not None and number is not None and self._recorded == (tracker.log, number)

    def go_on(self, pipeline: Pipeline) -> None:
        """Watch the pipeline again."""
        self._pipeline = pipeline
        self._original = weakref.ref(pipeline)
        self._remainder = None

    def with_failures(self) -> Pipeline | None:
        """The pipeline, or what is kept of it, to retry failed items; None where nothing failed."""
        if self._pipeline is not None:
            return self._pipeline
        original = self._original()
        if self._remainder is not None and original is not None and self.goes_on_as(original):
            return original  # whoever still holds it sees there what comes of it
        return self._remainder

    def needs(self, log: EventLog) -> bool:
        """Whether events may still be written to that log."""
        return self._remainder is not None and self._recorded is not None and self._recorded[0] is log

    def new_context(self) -> Context:
        """A copy of the context the pipeline was started in."""
        return copy_context() if self._context is None else self._context.copy()

    def cancel_item(self, item_id: Any) -> bool:
        """Pass the wish on if it still runs; says whether an item ends."""
        return self._pipeline is not None and self.new_context().run(self._pipeline.cancel_item, item_id)

    def stage_names(self) -> list[str]:
        """Its stages."""
        return [stage.name for stage in self._stages]

    def run_number(self) -> int:
        """Its number in the viewer's log; a copied run is found by what identifies it, once it is copied."""
        if self._pipeline is not None:
            self._note_run(self._pipeline)
        if self._run == 0 and self._recorded is not None:
            log, number = self._recorded
            if log is self._log:
                self._run = number
            else:
                wanted = _identity(log, number)
                numbers = range(1, len(self._log.runs) + 1)
                self._run = next((n for n in numbers if _identity(self._log, n) == wanted), 0)
        return self._run

    def view(self) -> PipelineView:
        """How it stands now."""
        pipeline = self._pipeline
        if pipeline is None:
            run = self.run_number()
            return PipelineView(
                run, self.name(), self._stages, self._last, ended=True, lasted_s=self._lasted_s(run)
            )
        stages, snapshot = _stage_views(pipeline), pipeline.get_dashboard_snapshot()
        return PipelineView(
            self.run_number(), self.name(), stages, snapshot, ended=False, paused=pipeline.paused
        )

    def request_stop(self) -> None:
        """Pass the wish on if it still runs."""
        if self._pipeline is not None:
            self._pipeline.request_stop()

    def pause(self) -> None:
        """Pass the wish on if it still runs."""
        if self._pipeline is not None:
            self._pipeline.pause()

    def resume(self) -> None:
        """Pass the wish on if it still runs."""
        if self._pipeline is not None:
            self._pipeline.resume()

    def set_workers(self, stage: str, n: int) -> None:
        """Pass the wish on.

        Raises:
            PipelineError: It has ended, or the number is wrong.
            ValueError: It has no such stage.
        """
        if self._pipeline is None:
            raise PipelineError(f"Pipeline {self.name()} has ended; it has no workers to change any more")
        self._pipeline.set_workers(stage, n)

    def let_go(self) -> None:
        """Keep the last snapshot and what failed, release the pipeline."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is None:
            return
        self._note_run(pipeline)
        self._copy_end()
        self._stages, self._last = _stage_views(pipeline), pipeline.get_dashboard_snapshot()
        self._remainder = pipeline.remainder()
        if self._remainder is None:
            self._context = None

    def name(self) -> str:
        """How to call it."""
        return " → ".join(stage.name for stage in self._stages)

    def _lasted_s(self, run: int) -> float | None:
        """How long it took; None where its events are not in the viewer's log, or it has not ended there."""
        record = self._log.run_record(run) if run else None
        return None if record is None or record.ended_at is None else record.ended_at - record.started_at

    def _note_run(self, pipeline: Pipeline) -> None:
        """Note which run of which log this is; the pipeline tells when its recorder has begun."""
        tracker, number = pipeline.status_tracker, pipeline.run_number
        if self._recorded is None and tracker is not None and number is not None:
            self._recorded = (tracker.log, number)

    def _copy_end(self) -> None:
        """Tell the viewer's log that the run has ended, which a copy hears of with the next events only."""
        if self._recorded is not None and self._recorded[0] is not self._log:
            log, number = self._recorded
            log.flush()
            if run := self.run_number():
                self._log.end_run(run, log.run_record(number).ended_at)


def _identity(log: EventLog, number: int) -> tuple[str, tuple[str, ...], float]:
    record = log.runs[number - 1]
    return record.name, record.stages, record.started_at


def _stage_views(pipeline: Pipeline) -> tuple[StageView, ...]:
    return tuple(
        StageView(stage.name, stage.workers, stage.capacity(), tuple(map(task_name, stage.tasks)))
        for stage in pipeline.stages
    )
