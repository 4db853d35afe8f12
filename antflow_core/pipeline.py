"""Pipeline: its lifecycle (run, stream, or start, feed, join, shut down) and the reading of how far it is."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import os
from collections.abc import AsyncIterable, Collection, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from antflow_core.context import PipelineObserver, observer_var, worker_state_var
from antflow_core.engine import statistics
from antflow_core.engine.callers import calling_back_var
from antflow_core.engine.channel import DEFAULT_PRIORITY, Channel
from antflow_core.engine.continuing import go_on_from, remains_of
from antflow_core.engine.failures import Choice, ErrorType
from antflow_core.engine.feeding import Source, feed
from antflow_core.engine.reporting import Reporter
from antflow_core.engine.run import Run
from antflow_core.engine.stream import ResultStream
from antflow_core.exceptions import PipelineError, StageValidationError
from antflow_core.stage import Stage, validate_stages
from antflow_core.tracker import StatusTracker
from antflow_core.types import (
    DashboardProtocol,
    DashboardSnapshot,
    ErrorSummary,
    PipelineResult,
    PipelineStats,
    StageStats,
    StatusEvent,
    StatusType,
    TaskEvent,
    TaskEventType,
    TaskFunc,
    WorkerMetrics,
    WorkerState,
)

if TYPE_CHECKING:
    from antflow_core.builder import PipelineBuilder
    from antflow_core.recording.environment import ProcessRecording
    from antflow_core.recording.recorder import Recorder

# Scripts written for AntFlow import these from here, those that this module does not use too.
__all__ = [
    "DashboardSnapshot",
    "ErrorSummary",
    "Pipeline",
    "PipelineBuilder",
    "PipelineError",
    "PipelineResult",
    "PipelineStats",
    "Stage",
    "StageStats",
    "StageValidationError",
    "StatusEvent",
    "StatusTracker",
    "StatusType",
    "TaskEvent",
    "TaskEventType",
    "TaskFunc",
    "WorkerMetrics",
    "WorkerState",
]

DashboardKind = Literal["compact", "detailed", "full"]

RECORD_VARIABLE = "ANTFLOW_RECORD"
"""In the environment: a run file, or a folder for one, to record all pipelines of the process into."""

logger = logging.getLogger("antflow.pipeline")


class Pipeline:
    """Takes items through stages of concurrent workers.

    Run it over items (`run`), over items with the results one by one (`stream`), or start it, feed it and
    join it. After any of these it can be started or run again; each start-to-end counts and collects anew,
    only the running numbers of items go on. But what is started or fed after `join` adds to the results until
    `shutdown`, so that a script may feed and join one batch after another.

    Args:
        stages: In the order items pass them.
        collect_results: Keep results for `results` and as what `run` returns.
        status_tracker: Follows every item.

    Attributes:
        stages: As given.
        collect_results: As given; a change counts from the next start.

    Raises:
        PipelineError: There is no stage, or the first is a pull stage.
        StageValidationError: A stage is described wrongly.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        collect_results: bool = True,
        status_tracker: StatusTracker | None = None,
    ) -> None:
        self.stages = list(stages)
        validate_stages(self.stages)
        self.collect_results = collect_results
        self._own_tracker = status_tracker
        self._tracker = status_tracker
        self._numbers = itertools.count()
        self._observer: PipelineObserver | None = None
        self._opening = False
        self._stop_requested = False
        self._opened = False
        self._in_use = False
        self._entered = False
        self._joined = False
        self._recorder: Recorder | None = None
        self._run = self._new_run()

    @staticmethod
    def create() -> PipelineBuilder:
        """A builder: ``Pipeline.create().add("Fetch", fetch, workers=5).build()``."""
        from antflow_core.builder import PipelineBuilder  # late: the builder is made of pipelines

        return PipelineBuilder()

    @staticmethod
    async def quick(
        items: Iterable[Any] | AsyncIterable[Any],
        tasks: TaskFunc | Sequence[TaskFunc],
        workers: int = 5,
        retries: int = 3,
        progress: bool = False,
        dashboard: DashboardKind | None = None,
    ) -> list[PipelineResult]:
        """Run items through a stage for each task.

        Args:
            tasks: One, or several in order; the stages are named after them in CamelCase.
            workers: Of each stage.
            retries: Attempts in all at each task.
        """
        from antflow_core.builder import quick_pipeline  # late: the builder is made of pipelines

        pipeline = quick_pipeline(tasks, workers=workers, retries=retries)
        return await pipeline.run(items, progress=progress, dashboard=dashboard)

    # Lifecycle

    async def run(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        progress: bool = False,
        dashboard: DashboardKind | None = None,
        custom_dashboard: DashboardProtocol | None = None,
        dashboard_update_interval: float = 0.5,
        record: str | os.PathLike[str] | None = None,
    ) -> list[PipelineResult]:
        """Take all items through all stages.

        Cancelling it ends all workers. On a pipeline that is started already, the items join those fed
        before, and the pipeline is shut down when all are through.

        Args:
            items: Taken one at a time as room appears.
            progress: Show one line of progress.
            dashboard: Show a dashboard in the terminal.
            custom_dashboard: Is informed of start, progress and end.
            dashboard_update_interval: Seconds between two updates.
            record: A run file to make of this run, or a folder to make one in; `open_run` reads it. Where the
                disk fails the run goes on without.

        Returns:
            The results in input order; failed items are not among them, see `get_error_summary`.

        Raises:
            PipelineError: It is running already.
            RunFileError: The run file is there already, or the folder for it is not.
            ValueError: `progress` and `dashboard` together, an unknown dashboard, or a wrong interval.
        """
        displays = _displays(progress, dashboard, custom_dashboard, items)
        reporter = Reporter(displays, self, dashboard_update_interval)
        source = Source(items)
        run = await self._begin(source, record=record)
        self._in_use = True
        try:
            reporter.begin()
            run.feed_in_background(source)
            await run.wait_ended()
        except BaseException:
            run.cancel()
            await run.wait_ended()
            raise
        finally:
            self._in_use = False
            reporter.end(self.results)
            await self._wait_recorded()
        run.raise_fatal()
        return self.results

    def stream(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        progress: bool = False,
        buffer_size: int | None = None,
        record: str | os.PathLike[str] | None = None,
    ) -> ResultStream:
        """Take all items through all stages and give the results, failures too, in completion order.

        Leaving the loop over it early ends all workers, once nobody keeps it; `aclose()` does in any case,
        and waits for that.

        Args:
            progress: Show one line of progress.
            buffer_size: Results that may wait to be taken; with so many, workers wait. None for no limit, 0
                for handing over only to who waits.
            record: A run file to make of this run, as for `run`.

        Raises:
            ValueError: `buffer_size` is negative.
        """
        if buffer_size is not None and buffer_size < 0:
            raise ValueError(f"buffer_size must be None (no limit) or 0 and more, got {buffer_size}")
        source = Source(items)

        async def begin(delivery: Channel[PipelineResult]) -> Run:
            run = await self._begin(source, delivery, record)
            run.feed_in_background(source)
            return run

        reporter = Reporter(_displays(progress, None, None, items), self)
        return ResultStream(begin, reporter, buffer_size, self._wait_recorded)

    async def start(self) -> None:
        """Start the workers, to be fed.

        Inside ``async with`` they do not stop at `join`; to start them again after it changes nothing.

        Raises:
            PipelineError: It is running already.
        """
        if self._keeps_running():
            raise PipelineError("Pipeline is already running, and this is a task of it")
        await self._wait_stopped()
        restarted = self._joined and not self._run.ends_when_drained
        if self._opened and self._run.started and not (restarted or self._run.starts_when_needed):
            raise PipelineError("Pipeline is already running")
        run = self._open()
        self._joined = False
        run.starts_when_needed = False
        if not run.started and not run.ended:
            run.start()

    async def feed(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        target_stage: str | None = None,
        priority: int = DEFAULT_PRIORITY,
    ) -> None:
        """Queue items; waits for room where the queue is full, except inside a task of this pipeline.

        What is fed before the start waits for it. Inside ``async with``, and after `join`, the pipeline
        starts by itself once somebody would wait for that in vain.

        Args:
            items: Taken one at a time as room appears.
            target_stage: Where to queue them; the first stage if None.
            priority: A lower number goes first; equal ones keep order.

        Raises:
            ValueError: There is no such stage, or `priority` is no number.
        """
        if not isinstance(priority, int | float) or math.isnan(priority):
            raise ValueError(f"priority must be a number, the lower the sooner; got {priority!r}")
        stage = 0 if target_stage is None else self._index_of(target_stage)
        inside = self._is_inside()
        if not inside and (self._joined or self._run.reopened):
            await self._wait_stopped()
        run = self._run if inside else self._open()
        await feed(run, Source(items), run.stages[stage], priority=priority, past_capacity=inside)

    async def feed_async(
        self, items: AsyncIterable[Any], target_stage: str | None = None, priority: int = DEFAULT_PRIORITY
    ) -> None:
        """Queue the items of an async iterable, as `feed` does."""
        await self.feed(items, target_stage, priority)

    async def join(self) -> None:
        """Wait until nothing is queued, in hand or waiting for a retry; then stop the workers.

        They go on inside ``async with``, whose end stops them, and while somebody else is feeding still.

        Raises:
            PipelineError: Called inside a task of this pipeline, or items wait and it was never started.
        """
        run = self._run
        if self._is_inside():
            raise PipelineError("join() inside a task of the same pipeline would wait for itself")
        run.start_if_needed()
        if run.outstanding and not run.started and not run.stopping:
            raise PipelineError(f"{run.outstanding} item(s) wait for start(): join() would wait for ever")
        await run.wait_drained()
        run.raise_fatal()
        if self._opened and self._run is run and not (run.ends_when_drained or run.sources):
            self._joined = True
            if not self._entered:
                run.stop()
        if run.stopping:
            await run.wait_ended()

    async def shutdown(self) -> None:
        """Finish the items in hand, drop the rest, and log how many.

        Inside a task of this pipeline it does not wait for the end.
        """
        run = self._run
        self._joined = False
        if self._opened:
            run.stop()
            if self._is_inside():
                return
            try:
                await run.wait_ended()
            except asyncio.CancelledError:
                run.cancel()
                raise
        if not run.fatal_raised and not self._in_use:
            run.raise_fatal()

    def request_stop(self) -> None:
        """Take no more input, finish the items in hand, drop the queued rest; `run` and `join` then return.

        Does nothing where nothing runs. May be called at any time on the loop's thread.
        """
        if self._opening:
            self._stop_requested = True
        elif self._opened:
            self._run.stop()

    def pause(self) -> None:
        """Let workers finish what they have in hand and take nothing more, at no stage, until `resume`.

        What they finish waits in the next queue; who feeds goes on until the queue is full, and `run` and
        `join` wait. A stop or a cancellation ends the pause; while the pipeline stops there is none.

        Called on the loop's thread, also in a task or a callback; once more changes nothing.

        Raises:
            PipelineError: It does not run.
        """
        self._running("pause").pause()

    def resume(self) -> None:
        """Let workers take items again; where it is not paused nothing changes.

        Raises:
            PipelineError: It does not run.
        """
        self._running("resume").resume()

    def set_workers(self, stage: str, n: int) -> None:
        """Give a stage another number of workers, at once where the pipeline runs, and for later starts.

        Those with the highest numbers go, each when it has finished what it has in hand. The default capacity
        of the stage's queue follows. Called on the loop's thread, also in a task or a callback.

        Raises:
            ValueError: There is no such stage.
            StageValidationError: `n` is no whole number, or less than 1.
        """
        index = self._index_of(stage)
        self.stages[index].set_workers(n)
        self._run.resize(self._run.stages[index])

    async def __aenter__(self) -> Self:
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened and error is not None and not isinstance(error, Exception):
            self._run.cancel()
        self._entered = False
        await self.shutdown()

    # Single items

    def cancel_item(self, item_id: Any) -> bool:
        """End an item now, wherever it is; with an id that several items have, all of them.

        It is neither a result nor a failure: `cancelled_items` counts it, the tracker gets ``failed`` with a
        CancelledError, and no `on_failure` is called. Out of a queue or a wait for a retry it goes at once. A
        task is cancelled as asyncio does it, at its next ``await`` if the item is its own; what it still
        returns or raises is dropped. A function in a thread cannot be stopped: the item ends, and the worker
        stays taken until the function returns.

        May be called at any time on the loop's thread.

        Returns:
            Whether an item was outstanding that now ends so: no where it has ended, failed for good, or was
            never fed. Of one whose task does not let itself be cancelled it is yes again, and the task is
            cancelled once more.
        """
        return self._run.cancels.cancel(item_id)

    async def retry_failed(
        self,
        stage: str | None = None,
        error_type: ErrorType | Collection[ErrorType] | None = None,
        ids: Iterable[Any] | None = None,
    ) -> list[PipelineResult]:
        """Let failed items go again from the stage that failed, with the value they had there.

        Their attempts are counted from 1, and they are no longer failed unless they fail again. While the
        pipeline runs they wait for room like items that are fed. After its end it starts its workers again
        for them, and its numbers, its results, the tracker's run and the error summary go on. When it is
        stopped meanwhile, those that did not get in stay failed.

        A task of this pipeline may call it where every stage on the items' way has a worker that does not
        wait for them too.

        Args:
            stage: Those only that failed in this stage.
            error_type: Those only that failed with this class of exceptions, or a subclass, or by its name
                exactly; one, or several in a list.
            ids: Those only that have one of these ids.

        Returns:
            The results of those that came through now, in input order.

        Raises:
            ValueError: There is no such stage.
            TypeError: `error_type` or `ids` is of another kind.
            PipelineError: A task calls it that keeps the last worker from the items.
        """
        if stage is not None:
            self._index_of(stage)
        choice, inside = Choice(stage, error_type, ids), self._is_inside()
        while self._opened and self._run.stopping and not inside:
            await self._run.wait_ended()
        run = self._run
        if not run.ended:
            results = await run.rescues.rescue(choice, inside=inside)
        elif run.failures.chosen(choice):
            run = self._reopen()
            try:
                results = await run.rescues.rescue(choice, inside=False)
                await run.wait_ended()
            except BaseException:
                run.cancel()
                await run.wait_ended()
                raise
        else:
            return []
        run.raise_fatal()
        return results

    def remainder(self) -> Pipeline | None:
        """What the ended run leaves to be retried, without its results; None where nothing has failed.

        Who may want to retry later keeps this instead of the pipeline, and frees all the rest.
        """
        if self._opened or not len(self._run.failures):
            return None
        pipeline = Pipeline(self.stages, collect_results=False, status_tracker=self._tracker)
        remains_of(self._run, pipeline._run)
        return pipeline

    # Reading

    @property
    def results(self) -> list[PipelineResult]:
        """The results until now in input order; failed items are not among them."""
        return sorted(self._run.results, key=lambda result: result.sequence_id)

    @property
    def status_tracker(self) -> StatusTracker | None:
        """The tracker in use: its own, else the one given by its observer or made for a recording."""
        return self._tracker

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

    # Inside

    def _new_run(self, delivery: Channel[PipelineResult] | None = None) -> Run:
        return Run(
            self.stages,
            collect=self.collect_results,
            next_sequence=self._numbers.__next__,
            on_end=self._run_ended,
            delivery=delivery,
        )

    async def _begin(
        self,
        source: Source,
        delivery: Channel[PipelineResult] | None = None,
        record: str | os.PathLike[str] | None = None,
    ) -> Run:
        """Get a run going that will be fed with `source`."""
        if self._keeps_running():
            raise PipelineError("Pipeline is already running, and a task of it would wait for itself")
        await self._wait_stopped()
        busy = self._opened and (delivery is not None or self._run.ends_when_drained)
        if busy or self._in_use:
            raise PipelineError("Pipeline is already running")
        self._recorder = None if record is None else _start_recorder(record)
        try:
            run = self._open(source, delivery)
        except BaseException as error:
            if self._recorder is not None:
                self._recorder.end_after(error)
            raise
        if not run.started and not run.ended:
            run.start()
        return run

    def _keeps_running(self) -> bool:
        """Whether the caller is a task of the current run, which cannot end before the task does."""
        return not self._run.ended and self._is_inside()

    async def _wait_stopped(self) -> None:
        """Wait for the end of a run that is on its way there, or goes on only for its failed items."""
        while self._opened and (self._run.stopping or self._run.reopened):
            await self._run.wait_ended()

    def _open(self, source: Source | None = None, delivery: Channel[PipelineResult] | None = None) -> Run:
        """The run that takes items now; after the last has ended a new one, with tracker and observer."""
        if self._opened:
            if source is not None:
                self._run.sources.add(source)
            self._record(self._run)
            return self._run
        environment = _environment()
        joined, self._run = self._run, self._new_run(delivery)
        run = self._run
        if source is not None:
            run.sources.add(source)
            self._joined = False
        elif self._joined:
            run.results = joined.results
        run.starts_when_needed = self._entered or self._joined
        self._opened = True
        given = self._announce_start(observer_var.get())
        self._tracker = self._own_tracker or given
        if environment is not None:
            self._tracker = environment.follow(self._tracker)
        if self._tracker is None and self._recorder is not None and self._recorder.is_open:
            self._tracker = self._recorder.make_tracker()
        if self._tracker is not None:
            run.report_to(self._tracker.begin_run([stage.name for stage in self.stages]))
            self._announce_to_tracker(run)
        self._record(run)
        if self._stop_requested:
            run.stop()
        return run

    def _reopen(self) -> Run:
        """Have the ended run go on, under the eyes of the same observer."""
        ended, run = self._run, self._new_run()
        go_on_from(ended, run)
        if run.recorder is not None:
            run.recorder.reopen()
        self._run = run
        self._opened = True
        self._announce_to_tracker(run)
        self._announce_start(self._observer or observer_var.get())
        run.start()
        if self._stop_requested:
            run.stop()
        return run

    def _announce_start(self, observer: PipelineObserver | None) -> StatusTracker | None:
        self._observer = observer
        self._opening, self._stop_requested = True, False
        try:
            return None if self._observer is None else self._observer.pipeline_starting(self)
        except Exception:
            logger.exception("Error in the observer's pipeline_starting")
            return None
        finally:
            self._opening = False

    def _announce_to_tracker(self, run: Run) -> None:
        if self._tracker is not None and run.recorder is not None:
            self._tracker.announce_start(run.recorder.run, self)

    def _record(self, run: Run) -> None:
        recorder = self._recorder
        if recorder is None or not recorder.is_open:
            return
        if self._tracker is None or run.recorder is None:
            raise PipelineError(
                "record= comes too late: the pipeline was started without a status_tracker; give it one"
            )
        recorder.follow(self._tracker, run=run.recorder.run)

    async def _wait_recorded(self) -> None:
        """Wait until the file of a run that has ended is closed."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            await recorder.wait_closed()

    def _run_ended(self) -> None:
        self._opened = False
        run = self._run
        if self._tracker is not None and run.recorder is not None:
            self._tracker.announce_end(run.recorder.run)
        if self._recorder is not None:
            self._recorder.end_after(run.fatal, stopped=run.cancelling or run.dropped > 0)
        if self._observer is not None:
            try:
                self._observer.pipeline_ended(self)
            except Exception:
                logger.exception("Error in the observer's pipeline_ended")

    def _is_inside(self) -> bool:
        """Whether the caller is a task or a callback of this pipeline's current run."""
        run, worker = self._run, worker_state_var.get()
        if run.ended and self._joined:  # a task's own task outlived it, and begins the next batch
            return False
        return (worker is not None and worker.run is run) or run in calling_back_var.get()

    def _running(self, wish: str) -> Run:
        if not self._opened:
            raise PipelineError(f"Pipeline is not running; {wish}() works from its start to its end")
        return self._run

    def _index_of(self, name: str) -> int:
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise ValueError(f"Stage {name!r} not found in pipeline; there are {names}")
        return names.index(name)


def _start_recorder(path: str | os.PathLike[str]) -> Recorder:
    # Late, because it loads numpy and SQLite, which few runs need.
    from antflow_core.recording.recorder import Recorder

    return Recorder(path)


def _environment() -> ProcessRecording | None:
    """The recording of this process, going on, where the environment wants one."""
    wanted = os.environ.get(RECORD_VARIABLE)
    if not wanted:
        return None
    from antflow_core.recording.environment import process_recording  # late, as above

    process_recording.begin(wanted)
    return process_recording


def _displays(
    progress: bool,
    dashboard: DashboardKind | None,
    custom: DashboardProtocol | None,
    items: object,
) -> list[DashboardProtocol]:
    """What to inform of a run.

    Raises:
        ValueError: Two displays want the terminal, or there is none of that name.
    """
    if progress and dashboard is not None:
        raise ValueError("Cannot use both 'progress' and 'dashboard': they would draw on the same terminal")
    if dashboard is not None and dashboard not in get_args(DashboardKind):
        raise ValueError(f"Unknown dashboard {dashboard!r}; use 'compact', 'detailed' or 'full'")
    kind: Literal["progress", "compact", "detailed", "full"] | None = "progress" if progress else dashboard
    displays = []
    if kind is not None:
        from antflow_core.display import create_display  # late: it loads rich, which few runs need

        displays.append(create_display(kind, len(items) if isinstance(items, Sequence) else None))
    if custom is not None:
        displays.append(custom)
    return displays


def __getattr__(name: str) -> Any:
    if name == "PipelineBuilder":
        from antflow_core.builder import PipelineBuilder  # late: the builder is made of pipelines

        return PipelineBuilder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
