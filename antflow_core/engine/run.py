"""Run: one start-to-end of a pipeline: what is fed, what has ended, and the order in which it stops."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING

from antflow_core.context import WorkerContext
from antflow_core.engine.channel import Channel
from antflow_core.engine.feeding import Entry, Source, feed
from antflow_core.engine.invoke import TaskCall, Threads
from antflow_core.engine.limits import StageLimits
from antflow_core.engine.retry import RetryPolicy
from antflow_core.engine.statistics import FailureList
from antflow_core.engine.worker import Worker
from antflow_core.exceptions import PipelineError
from antflow_core.stage import Stage
from antflow_core.types import PipelineResult

if TYPE_CHECKING:
    from antflow_core.history.steps import WriteOne
    from antflow_core.tracker import RunRecorder

logger = logging.getLogger("antflow.pipeline")

calling_back_var: ContextVar[tuple[Run, ...]] = ContextVar("calling_back", default=())
"""The runs whose status callback is being called outside their workers."""

_live: dict[Run, asyncio.AbstractEventLoop] = {}
"""Started and not ended: a loop holds its tasks weakly, so workers nobody refers to could vanish."""


class StageRun:
    """A stage within a run: its queue, its workers and its counters.

    Attributes:
        following: Where an item goes next; None after the last stage.
        write_queued: Records the quick way that an item is queued here, where there is a tracker.
        tasks: Empty until the run starts.
        only_task: The task of a stage that has one, if nothing limits it.
    """

    def __init__(self, stage: Stage, index: int, run: Run) -> None:
        self.stage = stage
        self.name = stage.name
        self.index = index
        self.following: StageRun | None = None
        self.write_queued: WriteOne
        self.channel: Channel[Entry] = Channel(stage.capacity())
        self.skip_if = stage.skip_if
        self.on_success = stage.on_success
        self.retry = RetryPolicy(stage)
        self.tasks: tuple[TaskCall, ...] = ()
        self.only_task: TaskCall | None = None
        self.workers = [WorkerContext(name, stage.name, run) for name in stage.worker_names()]
        self.completed = 0
        self.failed = 0
        self.skipped = 0
        self.retried = 0

    def prepare(self, threads: Threads) -> None:
        """Make what belongs to the running loop."""
        limits = StageLimits(self.stage)
        self.tasks = tuple(TaskCall(task, self.stage, threads, limits.tasks) for task in self.stage.tasks)
        if len(self.tasks) == 1 and self.tasks[0].limit is None:
            self.only_task = self.tasks[0]
        for worker in self.workers:
            worker.call_semaphore = limits.call_semaphore
            worker.call_limiter = limits.call_limiter


class Run:
    """One start-to-end of a pipeline.

    Every fed entry ends in a result, in `fail_entry` or in `drop`. A run ends in one of two ways:
    *drained*, when nothing is left and nothing more will come (after `stop`, for one that is fed from
    outside), or *cancelled*. Either way the workers end, the last one's end closes the run, and `wait_ended`
    returns; nobody has to be waiting for that.

    Args:
        collect: Keep the results.
        next_sequence: Numbers the entries.
        on_end: Called once when the run has ended.

    Attributes:
        recorder: The tracker's end of the run; None where nobody tracks it.
        delivery: Where results go one by one; None where they are collected.
        sources: What is being fed, or will be at once.
        outstanding: Entries fed and not ended.
        stopping: It takes no new entries.
        starts_when_needed: Who feeds or joins it need not start it.
        ends_when_drained: It is fed from a source of its own, and ends with what that gave.
        cancelling: What is in hand is given up.
        ended: No worker is left.
        fatal: What ended the run against its will, to be raised by who waits for it.
        fatal_raised: Somebody got to see it.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        collect: bool,
        next_sequence: Callable[[], int],
        on_end: Callable[[], None],
    ) -> None:
        self.collect = collect
        self.next_sequence = next_sequence
        self.stages = [StageRun(stage, index, self) for index, stage in enumerate(stages)]
        for stage, following in zip(self.stages, self.stages[1:], strict=False):
            stage.following = following
        self.recorder: RunRecorder | None = None
        self.results: list[PipelineResult] = []
        self.delivery: Channel[PipelineResult] | None = None
        self.failures = FailureList()
        self.wall_offset = time.time() - time.perf_counter()
        self.sources: set[Source] = set()
        self.fed = self.outstanding = self.processed = self.dropped = 0
        self.started = self.stopping = self.cancelling = self.ended = False
        self.fatal: BaseException | None = None
        self.fatal_raised = False
        self.starts_when_needed = False
        self.ends_when_drained = False
        self._on_end = on_end
        self._threads = Threads()
        self._workers: set[asyncio.Task[None]] = set()
        self._feeders: set[asyncio.Task[None]] = set()
        self._delayed: dict[Entry, asyncio.TimerHandle] = {}
        self._pauses: set[asyncio.Future[None]] = set()
        self._drain_waiters: set[asyncio.Future[None]] = set()
        self._end_waiters: set[asyncio.Future[None]] = set()

    # Beginning and feeding

    def report_to(self, recorder: RunRecorder) -> None:
        """Have a tracker follow the run."""
        self.recorder = recorder
        for stage in self.stages:
            stage.write_queued = recorder.queued_writer(stage.index)

    def start(self) -> None:
        """Start the workers."""
        self.started = True
        loop = asyncio.get_running_loop()
        _keep(self, loop)
        for stage in self.stages:
            stage.prepare(self._threads)
            for context in stage.workers:
                task = loop.create_task(Worker(self, stage, context).work(), name=context.worker_name)
                self._workers.add(task)
                task.add_done_callback(self._worker_ended)

    def start_if_needed(self) -> None:
        """Start the workers if nobody else is going to, and somebody is about to wait for them."""
        if self.starts_when_needed and not self.started and not self.stopping:
            self.start()

    def feed_in_background(self, source: Source) -> None:
        """Feed the first stage; the run ends when all that the source gave is through."""
        self.ends_when_drained = True
        if self.stopping:
            return
        feeder = asyncio.get_running_loop().create_task(self._feed(source), name="antflow feeder")
        self._feeders.add(feeder)
        feeder.add_done_callback(self._feeder_ended)

    async def admit(self, entry: Entry, stage: StageRun, past_capacity: bool) -> bool:
        """Let a new entry in when there is room.

        Returns:
            False, with the entry dropped, when the run takes none any more.
        """
        self.fed += 1
        self.outstanding += 1
        try:
            if not (past_capacity or self.stopping or stage.channel.has_room()):
                self.start_if_needed()
                await stage.channel.wait_room()
            if not self.stopping and self.recorder is not None:
                waiting = self._report_fed(self.recorder, entry, stage)
                if waiting is not None:
                    await self._hold_place(waiting, stage)
        except BaseException:
            self.drop(1)
            raise
        if self.stopping:
            self.drop(1)
            return False
        stage.channel.put(entry, entry.priority)
        return True

    def hand_on(self, entry: Entry, stage: StageRun | None) -> Awaitable[None] | None:
        """Let an entry into its next stage, or out of the pipeline where there is none.

        Returns:
            None where it went at once, else what waits for room and for callbacks.
        """
        if stage is None:
            return self._finish(entry)
        channel = stage.channel
        if not channel.has_room():
            return self._hand_on_later(entry, stage)
        if self.recorder is not None:
            waiting = self._report_queued(self.recorder, entry, stage)
            if waiting is not None:
                return self._put_after(waiting, entry, stage)
        channel.put(entry, entry.priority)
        return None

    def put_back(self, entry: Entry, stage: StageRun, wait_s: float) -> None:
        """Queue an entry again for another attempt, past the capacity: waiting for room could deadlock.

        Once the run is stopping the entry is dropped.
        """
        if self.stopping:
            self.drop(1)
        elif wait_s > 0:
            loop = asyncio.get_running_loop()
            self._delayed[entry] = loop.call_later(wait_s, self._put_back_now, entry, stage)
        else:
            stage.channel.put(entry, entry.priority)

    async def pause(self, wait_s: float) -> bool:
        """Wait before another attempt.

        Returns:
            False when there is to be none because the run is stopping.
        """
        if wait_s > 0 and not self.stopping:
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            timer = loop.call_later(wait_s, _release, future)
            self._pauses.add(future)
            try:
                await future
            finally:
                timer.cancel()
                self._pauses.discard(future)
        return not self.stopping

    # Ends of entries

    async def fail_entry(self, entry: Entry, error: BaseException, stage: StageRun, attempts: int) -> None:
        """An entry failed for good."""
        self.failures.add(entry.id, error, stage.name, attempts)
        if self.delivery is not None:
            await self._deliver(self.delivery, entry, error)
        self._end_outstanding(1)

    def drop(self, count: int) -> None:
        """So many entries end here, unprocessed; what a run had left when it ended is counted by then."""
        if not self.ended:
            self.dropped += count
            self._end_outstanding(count)

    # Ends of the run

    def stop(self) -> None:
        """Take nothing more, drop what waits, finish what is in hand; ends when that is through."""
        if self.stopping:
            return
        self.stopping = True
        self.sources.clear()  # whatever number they announced, they give no more
        dropped = sum(stage.channel.clear() for stage in self.stages) + len(self._delayed)
        self._cancel_delayed()
        for feeder in self._feeders:
            feeder.cancel()
        for pause in self._pauses:
            _release(pause)
        if self.delivery is not None:
            self.delivery.lift_capacity()  # who stops inside the loop over the results takes none
        if dropped:
            logger.warning("Shutdown: discarded %d unprocessed item(s) from queue", dropped)
        self.drop(dropped)
        self._settle()

    def cancel(self) -> None:
        """Give up at once; ends when the workers have noticed."""
        if self.cancelling or self.ended:
            return
        self.stopping = self.cancelling = True
        self.sources.clear()
        self._cancel_delayed()
        self._close_channels()
        for stage in self.stages:
            stage.channel.clear()  # a task may swallow its cancellation; its worker must find nothing more
        for task in (*self._feeders, *self._workers):
            task.cancel()
        self._end_if_left()

    def abort(self, error: BaseException) -> None:
        """Give up because of `error`, which whoever waits for the run gets to see."""
        if self.fatal is None:
            self.fatal = error
        self.cancel()

    async def wait_drained(self) -> None:
        """Wait until nothing is queued, in hand or waiting for a retry, or the run has ended."""
        while (self.outstanding or self._feeders) and not self.ended:
            await _wait_in(self._drain_waiters)

    async def wait_ended(self) -> None:
        """Wait until the last worker has ended."""
        while not self.ended:
            await _wait_in(self._end_waiters)

    def raise_fatal(self) -> None:
        """Raise what ended the run against its will."""
        if self.fatal is not None:
            self.fatal_raised = True
            raise self.fatal

    # Inside

    async def _feed(self, source: Source) -> None:
        try:
            await feed(self, source, self.stages[0])
        except asyncio.CancelledError as error:
            if self.stopping:
                raise
            self.abort(error)
        except BaseException as error:  # noqa: BLE001  even SystemExit must reach run(), not the loop
            self.abort(error)

    async def _hand_on_later(self, entry: Entry, stage: StageRun) -> None:
        await stage.channel.wait_room()
        waiting = None if self.recorder is None else self._report_queued(self.recorder, entry, stage)
        if waiting is not None:
            await self._hold_place(waiting, stage)
        stage.channel.put(entry, entry.priority)

    async def _put_after(self, waiting: Awaitable[None], entry: Entry, stage: StageRun) -> None:
        await self._hold_place(waiting, stage)
        stage.channel.put(entry, entry.priority)

    async def _hold_place(self, waiting: Awaitable[None], stage: StageRun) -> None:
        """Await a callback while a place in the stage's queue is kept."""
        callers = calling_back_var.get()
        calling_back_var.set((*callers, self))
        stage.channel.reserve()
        try:
            await waiting
        finally:
            stage.channel.release_reserved()
            calling_back_var.set(callers)

    def _report_fed(self, recorder: RunRecorder, entry: Entry, stage: StageRun) -> Awaitable[None] | None:
        """Record a new entry; a callback that feeds this run must not wait for room that it holds itself."""
        entry.item = recorder.item(entry.id)
        if recorder.tracker.silent:
            return self._report_queued(recorder, entry, stage)
        callers = calling_back_var.get()
        calling_back_var.set((*callers, self))
        try:
            return self._report_queued(recorder, entry, stage)
        finally:
            calling_back_var.set(callers)

    def _report_queued(self, recorder: RunRecorder, entry: Entry, stage: StageRun) -> Awaitable[None] | None:
        if recorder.tracker.silent:
            stage.write_queued(entry.item, time.perf_counter())
            return None
        return recorder.status(entry.id, stage.index, "queued")

    def _put_back_now(self, entry: Entry, stage: StageRun) -> None:
        del self._delayed[entry]
        stage.channel.put(entry, entry.priority)

    def _finish(self, entry: Entry) -> Awaitable[None] | None:
        """An entry came through the last stage."""
        if self.delivery is not None:
            return self._finish_delivered(self.delivery, entry)
        if self.collect:
            self.results.append(PipelineResult(entry.id, entry.value, entry.sequence, entry.metadata()))
        self.processed += 1
        self._end_outstanding(1)
        return None

    async def _finish_delivered(self, delivery: Channel[PipelineResult], entry: Entry) -> None:
        await self._deliver(delivery, entry, None)
        self.processed += 1
        self._end_outstanding(1)

    async def _deliver(
        self, delivery: Channel[PipelineResult], entry: Entry, error: BaseException | None
    ) -> None:
        # A CancelledError that a task raised by itself is no Exception; the result carries it all the same.
        result = PipelineResult(entry.id, entry.value, entry.sequence, entry.metadata(), error)  # type: ignore[arg-type]
        if not delivery.has_room():
            await delivery.wait_room()
        delivery.put(result)

    def _end_outstanding(self, count: int) -> None:
        self.outstanding -= count
        if not self.outstanding:
            self._settle()

    def _settle(self) -> None:
        """Nothing may be left: tell who waits for that, and end the run if nothing more will come."""
        if self.outstanding or self._feeders:
            return
        _release_all(self._drain_waiters)
        if self.ends_when_drained or self.stopping:
            self.stopping = True
            self._close_channels()
            self._end_if_left()

    def _close_channels(self) -> None:
        for stage in self.stages:
            stage.channel.close()

    def _cancel_delayed(self) -> None:
        for timer in self._delayed.values():
            timer.cancel()
        self._delayed.clear()

    def _feeder_ended(self, task: asyncio.Task[None]) -> None:
        self._feeders.discard(task)
        self._settle()
        self._end_if_left()

    def _worker_ended(self, task: asyncio.Task[None]) -> None:
        self._workers.discard(task)
        if task.cancelled() and not self.cancelling:
            self.abort(PipelineError(f"Worker {task.get_name()} was cancelled from outside its pipeline"))
        self._end_if_left()

    def _end_if_left(self) -> None:
        """End the run once everybody has left."""
        if self._workers or self._feeders or self.ended or not self.stopping:
            return
        self.ended = True
        _live.pop(self, None)
        self.sources.clear()
        self.dropped += self.outstanding
        self.outstanding = 0
        for stage in self.stages:
            stage.channel.clear()
        if self.delivery is not None:
            self.delivery.close()
        self._threads.close()
        if self.recorder is not None:
            self.recorder.end()
        self._on_end()
        _release_all(self._drain_waiters)
        _release_all(self._end_waiters)


def _keep(run: Run, loop: asyncio.AbstractEventLoop) -> None:
    for left in [left for left, its_loop in _live.items() if its_loop.is_closed()]:
        del _live[left]
    _live[run] = loop


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _release_all(futures: set[asyncio.Future[None]]) -> None:
    for future in futures:
        _release(future)


async def _wait_in(waiters: set[asyncio.Future[None]]) -> None:
    future = asyncio.get_running_loop().create_future()
    waiters.add(future)
    try:
        await future
    finally:
        waiters.discard(future)
