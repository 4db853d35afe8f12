"""A recorded run as a viewer sees it: read in steps, and followed while it is still being written."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from antflow_core.exceptions import PipelineError
from antflow_core.history.event_log import EventLog
from antflow_core.history.standing import Standing, Standings, failed_items
from antflow_core.link.protocol import (
    Act,
    PipelineView,
    Recording,
    RunOutcome,
    RunState,
    StageView,
    counted,
)
from antflow_core.recorded_run import FOLLOW_S, open_run
from antflow_core.run_files.run_records import Outcome, RecordedPipeline, RunSnapshot, StageValue
from antflow_core.types import (
    DashboardSnapshot,
    ErrorSummary,
    PipelineStats,
    StageStats,
    WorkerState,
)

if TYPE_CHECKING:
    from antflow_core.engine.failures import ErrorType
    from antflow_core.run_files.run_records import RunInfo

_SLICE_S: Final = 0.012
"""What reading may take at once of the loop's time; a window has to paint in between."""
_STATES: Final = {
    Outcome.RECORDING: RunState.RUNNING,
    Outcome.FINISHED: RunState.FINISHED,
    Outcome.ENDED: RunState.FINISHED,
    Outcome.STOPPED: RunState.STOPPED,
    Outcome.FAILED: RunState.FAILED,
    Outcome.CUT_SHORT: RunState.BROKEN_OFF,
    Outcome.UNEXPECTED: RunState.BROKEN_OFF,
}


class ReplayedRun:
    """A run file, or JSON lines exported from one; a `RunSource` that can only be looked at.

    The first events are there when it is made, the others come while `run` goes on. The counts are those the
    pipelines told when they were recorded; where the recording broke off before a pipeline could tell its
    last ones, they are taken from the events.

    Args:
        path: The file.

    Attributes:
        acts: None at all.
        file: The recording itself.
        outcome: How the run came out; None until all is read and the recording has ended.
        paused: Never so.
        recording: Nothing is made of it.

    Raises:
        RunFileError: It cannot be opened; the sentence says why.
    """

    acts: frozenset[Act] = frozenset()
    paused = False
    recording: Recording | None = None

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.file = open_run(path, whole=False)
        self.outcome: RunOutcome | None = None
        self._tally = Standings(self.file.log)
        self._standings: list[Standing] = []
        self._task: asyncio.Task[Any] | None = None
        self._views = self._look()

    @property
    def log(self) -> EventLog:
        """The events that have been read."""
        return self.file.log

    @property
    def info(self) -> RunInfo:
        """Where the recording came from and how it ended."""
        return self.file.info

    @property
    def state(self) -> RunState:
        """How the recorded run ended, whether or not all of it has been read; ``RUNNING`` while it lasts."""
        return _STATES[self.info.outcome]

    @property
    def share_read(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        return 1.0 if self.file.is_whole else self.log.next_row / max(self.file.total_events, 1)

    @property
    def began_at(self) -> float:
        """When the run began, in Unix seconds: with its recording, unless that was made of earlier events."""
        return min(self.info.started_at, self.log.started_at or self.info.started_at)

    @property
    def elapsed_s(self) -> float:
        """Seconds from the beginning of the run to its end, to the newest event, or to now if it goes on."""
        info, began_at = self.info, self.began_at
        if info.outcome is Outcome.RECORDING:
            ended_at = time.time()
        elif info.ended_at is None or began_at < info.started_at:
            ended_at = self._last_moment()
        else:
            ended_at = info.ended_at
        return max(ended_at - began_at, 0.0)

    def pipelines(self) -> list[PipelineView]:
        """Every pipeline of the recording, in order of start."""
        return self._views.copy()

    def snapshots(self, run: int, after: float = float("-inf")) -> list[RunSnapshot]:
        """The numbers of a pipeline at moments, in order.

        Args:
            run: The pipeline's `PipelineView.run`.
            after: Only those later than this, in Unix seconds.

        Raises:
            RunFileError: The file cannot be read any more.
        """
        return self.file.snapshots(run, after=after)

    def values(self, item: int) -> list[StageValue]:
        """What was noted of an item's values, in the order of the stages; most recordings have none.

        Args:
            item: The item's index in the log.

        Raises:
            RunFileError: The file cannot be read any more.
        """
        run = self.log.items.run_of(item)
        return [value for value in self.file.values_of(self.log.item_id(item)) if value.run == run]

    async def run(self) -> RunOutcome:
        """Read all there is, and follow the file until its recording has ended.

        Raises:
            RunFileError: It cannot be read any more; what has been read stays.
        """
        self._task = asyncio.current_task()
        seen: object = None
        while not (self.file.is_whole and self.info.outcome.is_over):
            self.file.update(_SLICE_S)
            self._tally.count()
            known = self.info, self.log.runs.copy(), self.log.next_row
            if self._is_waiting() and known != seen:
                self._views, seen = self._look(), known
            await asyncio.sleep(FOLLOW_S if self._is_waiting() else 0)
        self._standings = self._tally.runs()
        self._views = self._look()
        self.outcome = self._outcome()
        return self.outcome

    def stop(self) -> None:
        """Look at it no longer; what has been read stays. It is no act, for nothing happens to the run."""
        self.cancel()

    def cancel(self) -> None:
        """The same."""
        if self._task is not None:
            self._task.cancel()

    def pause(self) -> None:
        """Nothing that can be done.

        Raises:
            PipelineError: Always, as from the others.
        """
        self._refuse(Act.PAUSE)

    def resume(self) -> None:
        """Nothing that can be done."""
        self._refuse(Act.PAUSE)

    def set_workers(self, run: int, stage: str, n: int) -> None:
        """Nothing that can be done."""
        self._refuse(Act.SET_WORKERS)

    def cancel_item(self, run: int, item_id: Any) -> bool:
        """Nothing that can be done."""
        self._refuse(Act.CANCEL_ITEM)

    async def retry_failed(
        self,
        run: int | None = None,
        stage: str | None = None,
        error_type: ErrorType | Collection[ErrorType] | None = None,
        ids: Collection[Any] | None = None,
    ) -> int:
        """Nothing that can be done."""
        self._refuse(Act.RETRY)

    # Inside

    def _refuse(self, act: Act) -> NoReturn:
        raise PipelineError(
            f"{self.file.path.name} is a recorded run and cannot {act.value}; run its script again for that"
        )

    def _is_waiting(self) -> bool:
        """Whether there is nothing to read at the moment, but will be."""
        return self.file.is_whole and not self.info.outcome.is_over

    def _last_moment(self) -> float:
        """When the newest event was that has been read."""
        log = self.log
        return log.event(log.next_row - 1).time if log.next_row > log.first_row else self.info.started_at

    def _look(self) -> list[PipelineView]:
        """The pipelines with the numbers that are known now."""
        return [self._view(pipeline) for pipeline in self.file.structure()]

    def _view(self, pipeline: RecordedPipeline) -> PipelineView:
        ended = pipeline.ended_at is not None or self.info.outcome.is_over
        ended_at = self._last_moment() if pipeline.ended_at is None else pipeline.ended_at
        return PipelineView(
            run=pipeline.run,
            name=pipeline.name,
            stages=self._stages(pipeline),
            snapshot=self._snapshot(pipeline),
            ended=ended,
            lasted_s=max(ended_at - pipeline.started_at, 0.0) if ended else None,
        )

    def _stages(self, pipeline: RecordedPipeline) -> tuple[StageView, ...]:
        """As the pipeline told; only the names where the events did not come from one."""
        if pipeline.stages:
            return tuple(
                StageView(stage.name, stage.workers, stage.capacity, stage.tasks) for stage in pipeline.stages
            )
        names = self.log.run_record(pipeline.run).stages
        return tuple(StageView(name, workers=0, capacity=None, tasks=()) for name in names)

    def _snapshot(self, pipeline: RecordedPipeline) -> DashboardSnapshot:
        standing = self._standings[pipeline.run - 1] if self._standings else None
        stats = self._stats(pipeline, standing)
        if standing is None:
            errors = ErrorSummary(stats.items_failed, {}, {}, [])
        else:
            by_type, by_stage = standing.errors_by_type, standing.errors_by_stage
            listing = partial(failed_items, self.log, pipeline.run)
            errors = ErrorSummary.deferred(sum(by_type.values()), by_type, by_stage, listing)
        workers = {worker.worker_name: worker for worker in pipeline.workers}
        states = {name: WorkerState(name, worker.stage, "idle") for name, worker in workers.items()}
        return DashboardSnapshot(states, workers, stats, errors, self._last_moment())

    def _stats(self, pipeline: RecordedPipeline, standing: Standing | None) -> PipelineStats:
        told = pipeline.stats
        if told is not None and (standing is None or pipeline.ended_at is not None):
            return told
        if standing is not None:
            return replace(standing.stats, total_items=None if told is None else told.total_items)
        names = self.log.run_record(pipeline.run).stages
        return PipelineStats(0, 0, 0, {}, {name: StageStats(name, 0, 0, 0, 0) for name in names})

    def _outcome(self) -> RunOutcome:
        completed, failed, skipped = counted(self._views)
        remarks = self.file.remarks
        return RunOutcome(
            state=self.state,
            completed=completed,
            failed=failed,
            skipped=skipped,
            duration_s=self.elapsed_s,
            message=self.info.message or (remarks[0] if remarks else None),
        )
