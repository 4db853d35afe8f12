"""What every viewer sees of a run: its state, its pipelines, its log and its outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from antflow_core.types import DashboardSnapshot

if TYPE_CHECKING:
    from antflow_core.engine.failures import ErrorType
    from antflow_core.history.event_log import EventLog


class RunState(StrEnum):
    """Where a run stands: ``FINISHED`` even if items failed, ``FAILED`` if the script raised or could not.

    ``BROKEN_OFF`` is a recording that ends before its run did, so that nobody knows how that ended.
    """

    READY = "ready"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    BROKEN_OFF = "broken off"

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen any more."""
        return self in (RunState.FINISHED, RunState.STOPPED, RunState.FAILED, RunState.BROKEN_OFF)


class Act(StrEnum):
    """What a viewer may ask of a run beside letting it run; a recorded one cannot do any of it."""

    STOP = "stop"
    PAUSE = "pause"
    RETRY = "retry"
    SET_WORKERS = "set workers"
    CANCEL_ITEM = "cancel an item"


EVERY_ACT: Final = frozenset(Act)


@dataclass(frozen=True, slots=True)
class Recording:
    """The run file that is made of a run.

    Attributes:
        path: The file.
        fault: Why nothing more is written to it, one sentence; None where all is well.
    """

    path: Path
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class StageView:
    """How a stage is set up.

    Attributes:
        workers: How many there are to be; the script and `RunSource.set_workers` may change it.
        capacity: What its queue holds; 0 where the stage has no queue (``pull``), None where it is unbounded.
        tasks: Task names in order.
    """

    name: str
    workers: int
    capacity: int | None
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PipelineView:
    """One start-to-end of one pipeline; one that goes on to retry failed items is the same, not ended then.

    Attributes:
        run: Its number in the log of the source, from 1; 0 until its first event.
        name: How to call it: its stages, ``Fetch → Parse → Save``.
        snapshot: Fresh while it runs, the last one after that.
        paused: Its workers take nothing new, by the wish of a viewer or of the script.
        lasted_s: Seconds from its start to its end; None while it runs, and where that is not known.
    """

    run: int
    name: str
    stages: tuple[StageView, ...]
    snapshot: DashboardSnapshot
    ended: bool
    paused: bool = False
    lasted_s: float | None = None


def counted(pipelines: Iterable[PipelineView]) -> tuple[int, int, int]:
    """Items completed, items failed and stages skipped over all pipelines."""
    stats = [view.snapshot.pipeline_stats for view in pipelines]
    skipped = sum(stage.skipped_items for each in stats for stage in each.stage_stats.values())
    return sum(each.items_processed for each in stats), sum(each.items_failed for each in stats), skipped


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run came out.

    Attributes:
        completed: Items that ended in a result, over all pipelines.
        failed: Items that ended with an error.
        skipped: Stages skipped.
        error: What the script raised, or why it could not run.
        message: One sentence for a person; None where there is nothing to say.
        traceback: From the script's own first frame; None where a traceback would not help.
        exit_code: 0 done or stopped, 1 the script raised or exited with another code, 2 nothing to run.
    """

    state: RunState
    completed: int
    failed: int
    skipped: int
    duration_s: float
    error: BaseException | None = None
    message: str | None = None
    traceback: str | None = None
    exit_code: int = 0

    def summary_line(self) -> str:
        """The counts in one line: ``completed 1912, failed 13, skipped 0 in 6.4 s``."""
        counts = f"completed {self.completed}, failed {self.failed}, skipped {self.skipped}"
        return f"{counts} in {self.duration_s:.1f} s"


class RunSource(Protocol):
    """A run that can be watched. Everything is called on the loop's thread.

    What is not among its `acts` raises `PipelineError`, so that a viewer offers only what can be done.
    """

    @property
    def acts(self) -> frozenset[Act]:
        """What can be asked of it at all, whether or not it makes sense at the moment."""

    @property
    def log(self) -> EventLog:
        """Every event of the run, whichever pipeline it came from."""

    @property
    def state(self) -> RunState:
        """Where the run stands."""

    @property
    def outcome(self) -> RunOutcome | None:
        """How the run came out, what was retried after its end included; None before its end."""

    def pipelines(self) -> list[PipelineView]:
        """Every pipeline the run started, in order of start; O(stages + workers) for each that still runs."""

    @property
    def recording(self) -> Recording | None:
        """The run file that is made of it; None where none was asked for."""

    @property
    def paused(self) -> bool:
        """Whether `pause` holds, for pipelines that are still to start too."""

    async def run(self) -> RunOutcome:
        """Run to the end. Never raises what the script raised: that is in the outcome."""

    def pause(self) -> None:
        """Finish the items in hand and take no more until `resume`; pipelines to come begin paused."""

    def resume(self) -> None:
        """Let every pipeline go on."""

    def set_workers(self, run: int, stage: str, n: int) -> None:
        """Give a stage of a pipeline that runs another number of workers.

        Args:
            run: The pipeline's `PipelineView.run`.
            stage: The stage's name.
            n: At least 1.

        Raises:
            PipelineError: The pipeline has ended, or the number is wrong.
            ValueError: There is no such pipeline, or no such stage.
        """

    def cancel_item(self, run: int, item_id: Any) -> bool:
        """End one item of a pipeline now, wherever it is.

        Args:
            run: The pipeline's `PipelineView.run`.
            item_id: As the log has it.

        Returns:
            Whether there was one that now ends.

        Raises:
            ValueError: There is no such pipeline.
        """

    async def retry_failed(
        self,
        run: int | None = None,
        stage: str | None = None,
        error_type: ErrorType | Collection[ErrorType] | None = None,
        ids: Collection[Any] | None = None,
    ) -> int:
        """Let failed items go again from the stage that failed, while the run lasts and after its end.

        After its end `state` is ``RUNNING`` until they are through, and then what it was; `outcome` follows.

        Args:
            run: The pipeline's `PipelineView.run`; None for all.
            stage: Those only that failed in this stage.
            error_type: Those only that failed with this class of exceptions, or by this name.
            ids: Those only that have one of these ids.

        Returns:
            How many items came through now.

        Raises:
            ValueError: There is no such pipeline, or no such stage.
        """

    def stop(self) -> None:
        """Finish the items in hand, drop the rest."""

    def cancel(self) -> None:
        """End at once."""
