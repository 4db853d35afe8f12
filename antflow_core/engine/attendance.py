"""Attendance: who follows the runs of a pipeline: the host's observer, a tracker, run files."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from antflow_core.context import PipelineObserver, observer_var
from antflow_core.exceptions import PipelineError

if TYPE_CHECKING:
    from antflow_core.engine.run import Run
    from antflow_core.pipeline import Pipeline
    from antflow_core.recording.environment import ProcessRecording
    from antflow_core.tracker import StatusTracker

logger = logging.getLogger("antflow.pipeline")


class Attendance:
    """Who follows the runs of one pipeline, and is told of their beginnings and ends.

    Args:
        pipeline: The pipeline.
        tracker: The pipeline's own, if it has one.

    Attributes:
        tracker: The one in use: the pipeline's own, else one given by its observer or made for a recording.
    """

    def __init__(self, pipeline: Pipeline, tracker: StatusTracker | None) -> None:
        self._pipeline = pipeline
        self._own_tracker = tracker
        self._observer: PipelineObserver | None = None
        self.tracker = tracker

    def begin(self, run: Run, process: ProcessRecording | None) -> None:
        """Tell of a run that takes items from now on, and have it followed.

        Args:
            process: The recording of the whole process, if there is one.
        """
        tracker = self._tell_observer(observer_var.get())
        if self._own_tracker is not None:
            tracker = self._own_tracker
        if process is not None:
            tracker = process.follow(tracker)
        if tracker is None and run.file is not None and run.file.is_open:
            tracker = run.file.make_tracker()
        self.tracker = tracker
        if tracker is not None:
            run.report_to(tracker.begin_run([stage.name for stage in run.stages]))
            self._tell_watchers(run)
            self.record(run)

    def go_on(self, run: Run) -> None:
        """Tell of a run that goes on where one has ended, under the eyes of the same observer."""
        if run.recorder is not None:
            run.recorder.reopen()
        self._tell_watchers(run)
        self._tell_observer(self._observer or observer_var.get())

    def record(self, run: Run) -> None:
        """Have a run followed by the file that is its own, if it has one.

        Raises:
            PipelineError: Nobody tracks the run.
        """
        if run.file is None or not run.file.is_open:
            return
        if self.tracker is None or run.recorder is None:
            raise PipelineError(
                "record= comes too late: the pipeline was started without a status_tracker; give it one"
            )
        run.file.follow(self.tracker, run=run.recorder.run)

    def end(self, run: Run) -> None:
        """Tell of a run that has ended."""
        if self.tracker is not None and run.recorder is not None:
            self.tracker.announce_end(run.recorder.run)
        if run.file is not None:
            run.file.end_after(run.fatal, stopped=run.cancelling or run.dropped > 0)
        if self._observer is not None:
            try:
                self._observer.pipeline_ended(self._pipeline)
            except Exception:
                logger.exception("Error in the observer's pipeline_ended")

    def _tell_observer(self, observer: PipelineObserver | None) -> StatusTracker | None:
        """Tell the host, who may have a tracker for the pipeline."""
        self._observer = observer
        if observer is None:
            return None
        try:
            return observer.pipeline_starting(self._pipeline)
        except Exception:
            logger.exception("Error in the observer's pipeline_starting")
            return None

    def _tell_watchers(self, run: Run) -> None:
        if self.tracker is not None and run.recorder is not None:
            self.tracker.announce_start(run.recorder.run, self._pipeline)
