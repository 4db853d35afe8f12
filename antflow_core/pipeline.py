"""Pipeline: its lifecycle (run, stream, or start, feed, join, shut down) and the reading of how far it is."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterable, Collection, Iterable
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from antflow_core.arguments import is_number, whole_number
from antflow_core.engine.channel import DEFAULT_PRIORITY, Channel
from antflow_core.engine.displays import DashboardKind, choose_displays
from antflow_core.engine.failures import Choice, ErrorType
from antflow_core.engine.feeding import Source, feed
from antflow_core.engine.reading import PipelineReading
from antflow_core.engine.reporting import Reporter
from antflow_core.engine.run import Run
from antflow_core.engine.stream import ResultStream
from antflow_core.engine.succession import Succession
from antflow_core.exceptions import PipelineError, StageValidationError
from antflow_core.stage import Stage, validated_stages
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
    from antflow_core.context import worker_state_var
    from antflow_core.telemetry import StatusCode, get_meter, get_tracer, is_enabled
    from antflow_core.utils import extract_exception, get_task_name, setup_logger

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
    "StatusCode",
    "StatusEvent",
    "StatusTracker",
    "StatusType",
    "TaskEvent",
    "TaskEventType",
    "TaskFunc",
    "WorkerMetrics",
    "WorkerState",
    "extract_exception",
    "get_meter",
    "get_task_name",
    "get_tracer",
    "is_enabled",
    "logger",
    "setup_logger",
    "worker_state_var",
]

_HOMES = {
    "PipelineBuilder": "builder",
    "StatusCode": "telemetry",
    "extract_exception": "utils",
    "get_meter": "telemetry",
    "get_task_name": "utils",
    "get_tracer": "telemetry",
    "is_enabled": "telemetry",
    "setup_logger": "utils",
    "worker_state_var": "context",
}
"""Where those live that are looked up when a script asks: the builder is made of pipelines."""

logger = logging.getLogger("antflow.pipeline")


class Pipeline(PipelineReading):
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
        PipelineError: There is no stage, the first is a pull stage, or an argument is of another kind.
        StageValidationError: A stage is described wrongly, or two have one name.
    """

    def __init__(
        self,
        stages: Iterable[Stage],
        collect_results: bool = True,
        status_tracker: StatusTracker | None = None,
    ) -> None:
        self.stages = validated_stages(stages)
        tracker: object = status_tracker
        if tracker is not None and not isinstance(tracker, StatusTracker):
            raise PipelineError(f"status_tracker must be a StatusTracker, got {tracker!r}")
        self.collect_results = collect_results
        self._runs = Succession(self, status_tracker)

    @staticmethod
    def create() -> PipelineBuilder:
        """A builder: ``Pipeline.create().add("Fetch", fetch, workers=5).build()``."""
        from antflow_core.builder import PipelineBuilder  # late: the builder is made of pipelines

        return PipelineBuilder()

    @classmethod
    async def quick(
        cls,
        items: Iterable[Any] | AsyncIterable[Any],
        tasks: TaskFunc | Iterable[TaskFunc],
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
        from antflow_core.builder import quick_stages  # late: the builder is made of pipelines

        pipeline = cls(stages=quick_stages(tasks, workers=workers, retries=retries))
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
                disk fails the run goes on without. What is retried after the end is not in it: a
                ``with record(tracker, path)`` around both keeps both.

        Returns:
            The results in input order; failed items are not among them, see `get_error_summary`.

        Raises:
            PipelineError: It is running already.
            RunFileError: The run file is there already, or the folder for it is not.
            TypeError: `items` cannot be gone through, or an argument is of another kind.
            ValueError: `progress` and `dashboard` together, an unknown dashboard, or a wrong interval.
        """
        displays = choose_displays(items, progress, dashboard, custom_dashboard)
        reporter = Reporter(displays, self, self._runs, dashboard_update_interval)
        source = Source(items)
        run = await self._runs.begin(source, record=record)
        try:
            async with self._runs.awaited(run):
                reporter.begin(run)
                run.feed_in_background(source)
                await run.wait_ended()
        finally:
            reporter.end(run.output.in_input_order())
            await run.wait_recorded()
        run.raise_fatal()
        return run.output.in_input_order()

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
            TypeError: `items` cannot be gone through, or `buffer_size` is no whole number.
            ValueError: `buffer_size` is negative.
        """
        if buffer_size is not None:
            buffer_size = whole_number("buffer_size", buffer_size, least=0)
        source = Source(items)

        async def begin(delivery: Channel[PipelineResult]) -> Run:
            run = await self._runs.begin(source, delivery, record)
            run.feed_in_background(source)
            return run

        reporter = Reporter(choose_displays(items, progress), self, self._runs)
        return ResultStream(begin, reporter, buffer_size)

    async def start(self) -> None:
        """Start the workers, to be fed.

        Inside ``async with`` they do not stop at `join`; to start them again after it changes nothing.

        Raises:
            PipelineError: It is running already.
        """
        await self._runs.start()

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
            TypeError: `items` cannot be gone through.
            ValueError: There is no such stage, or `priority` is no number.
        """
        if not is_number(priority):
            raise ValueError(f"priority must be a number, the lower the sooner; got {priority!r}")
        source = Source(items)
        stage = 0 if target_stage is None else self._index_of(target_stage)
        inside = self._runs.is_inside()
        run = await self._runs.taking(inside=inside)
        await feed(run, source, run.stages[stage], priority=priority, past_capacity=inside)

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
        await self._runs.join()

    async def shutdown(self) -> None:
        """Finish the items in hand, drop the rest, and log how many.

        Inside a task of this pipeline it does not wait for the end.
        """
        await self._runs.shutdown()

    def request_stop(self) -> None:
        """Take no more input, finish the items in hand, drop the queued rest; `run` and `join` then return.

        Does nothing where nothing runs. May be called at any time on the loop's thread.
        """
        self._runs.request_stop()

    def pause(self) -> None:
        """Let workers finish what they have in hand and take nothing more, at no stage, until `resume`.

        What they finish waits in the next queue; who feeds goes on until the queue is full, and `run` and
        `join` wait. A stop or a cancellation ends the pause; while the pipeline stops there is none.

        Called on the loop's thread, also in a task or a callback; once more changes nothing.

        Raises:
            PipelineError: It does not run.
        """
        self._runs.running("pause").pause()

    def resume(self) -> None:
        """Let workers take items again; where it is not paused nothing changes.

        Raises:
            PipelineError: It does not run.
        """
        self._runs.running("resume").resume()

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
        self._runs.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runs.leave(error)

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

        The file of ``run(record=…)`` is closed with that run's end and does not get what is retried later;
        that of ``with record(tracker, path)`` around both does, and so does that of ``ANTFLOW_RECORD``.

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
        return await self._runs.retry(Choice(stage, error_type, ids))

    def remainder(self) -> Pipeline | None:
        """What the ended run leaves to be retried, without its results; None where nothing has failed.

        Who may want to retry later keeps this instead of the pipeline, and frees all the rest.
        """
        if not self._run.ended or not len(self._run.failures):
            return None
        pipeline = Pipeline(self.stages, collect_results=False, status_tracker=self.status_tracker)
        pipeline._runs.inherit(self._run)
        return pipeline

    def _index_of(self, name: str) -> int:
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise ValueError(f"Stage {name!r} not found in pipeline; there are {names}")
        return names.index(name)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"antflow_core.{_HOMES[name]}"), name)
