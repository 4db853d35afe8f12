"""Run: one start-to-end of a pipeline: what is fed, what has ended, and the order in which it stops."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from typing import TYPE_CHECKING

from antflow_core.context import WorkerContext
from antflow_core.engine.callers import calling_back
from antflow_core.engine.cancelling import Cancels
from antflow_core.engine.channel import Channel
from antflow_core.engine.crew import Crew
from antflow_core.engine.failures import FailureList
from antflow_core.engine.feeding import Entry, Source, feed
from antflow_core.engine.invoke import TaskCall, Threads
from antflow_core.engine.limits import StageLimits
from antflow_core.engine.noting import note_values
from antflow_core.engine.rescuing import Rescues
from antflow_core.engine.retry import RetryPolicy
from antflow_core.engine.traced import RunTelemetry, begin_telemetry
from antflow_core.engine.waits import RetryWaits
from antflow_core.engine.worker import Worker
from antflow_core.exceptions import PipelineError
from antflow_core.stage import Stage
from antflow_core.types import PipelineResult

if TYPE_CHECKING:
    from antflow_core.history.steps import WriteOne
    from antflow_core.tracker import RunRecorder

logger = logging.getLogger("antflow.pipeline")

_live: dict[Run, tuple[asyncio.AbstractEventLoop, Context]] = {}
"""Started and not ended, with where that was: a loop holds its tasks weakly, so workers nobody refers to
could vanish."""


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
        self.crew = Crew(stage, run)
        self.completed = 0
        self.failed = 0
        self.skipped = 0
        self.retried = 0

    def prepare(self, threads: Threads, telemetry: RunTelemetry | None) -> None:
        """Make what belongs to the running loop."""
        self._limits = limits = StageLimits(self.stage)
        self.tasks = tuple(
            TaskCall(task, self.stage, threads, limits.tasks, telemetry) for task in self.stage.tasks
        )
        if len(self.tasks) == 1 and self.tasks[0].limit is None:
            self.only_task = self.tasks[0]

    def equip(self, worker: WorkerContext) -> None:
        """Give a worker what its tasks may use."""
        worker.call_semaphore = self._limits.call_semaphore
        worker.call_limiter = self._limits.call_limiter

    def resize(self) -> None:
        """Follow the stage's number of workers; those that are missing are to be started."""
        self.crew.resize()
        self.channel.set_capacity(self.stage.capacity())

    def put(self, entry: Entry) -> None:
        """Queue an entry, past the capacity."""
        self.channel.put(entry, entry.priority)


class Run:
    """One start-to-end of a pipeline.

    Every fed entry ends in a result, in `fail_entry`, in `end_cancelled` or in `drop`. A run ends in one of
    two ways: *drained*, when nothing is left and nothing more will come (after `stop`, for one that is fed
    from outside), or *cancelled*. Either way the workers end, the last one's end closes the run, and
    `wait_ended` returns; nobody has to be waiting for that.

    Args:
        collect: Keep the results.
        next_sequence: Numbers the entries.
        on_end: Called once when the run has ended.

    Attributes:
        recorder: The tracker's end of the run; None where nobody tracks it.
        telemetry: What tells OpenTelemetry of it, from the start on; None where nobody listens.
        delivery: Where results go one by one; None where they are collected.
        attended: Somebody waits for the ends of single entries: who takes the delivery, or a rescue.
        waits: What pauses before another attempt.
        failures: What is failed now.
        cancels: What is cancelled entry by entry.
        rescues: What failed and is tried again.
        sources: What is being fed, or will be at once.
        outstanding: Entries fed and not ended.
        stopping: It takes no new entries.
        starts_when_needed: Who feeds or joins it need not start it.
        ends_when_drained: It is fed from a source of its own, and ends with what that gave.
        reopened: It goes on where another ended, and ends as soon as it is drained.
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
        delivery: Channel[PipelineResult] | None = None,
    ) -> None:
        self.collect = collect
        self.next_sequence = next_sequence
        self.stages = [StageRun(stage, index, self) for index, stage in enumerate(stages)]
        for stage, following in zip(self.stages, self.stages[1:], strict=False):
            stage.following = following
        self.recorder: RunRecorder | None = None
        self.telemetry: RunTelemetry | None = None
        self.results: list[PipelineResult] = []
        self.delivery = delivery
        self.attended = delivery is not None
        self.waits = RetryWaits()
        self.failures = FailureList()
        self.cancels = Cancels(self)
        self.rescues = Rescues(self)
        self.wall_offset = time.time() - time.perf_counter()
        self.sources: set[Source] = set()
        self.fed = self.outstanding = self.processed = self.dropped = 0
        self.started = self.stopping = self.cancelling = self.ended = False
        self.fatal: BaseException | None = None
        self.fatal_raised = False
        self.starts_when_needed = False
        self.ends_when_drained = False
        self.reopened = False
        self._on_end = on_end
        self._threads = Threads()
        self._workers: dict[asyncio.Task[None], Worker] = {}
        self._feeders: set[asyncio.Task[None]] = set()
        self._drain_waiters: set[asyncio.Future[None]] = set()
        self._end_waiters: set[asyncio.Future[None]] = set()

    # Beginning and feeding

    def report_to(self, recorder: RunRecorder) -> None:
        """Have a tracker follow the run."""
        self.recorder = recorder
        for stage in self.stages:
            stage.write_queued = recorder.queued_writer(stage.index)
        self.wall_offset = recorder.wall_offset

    def start(self) -> None:
        """Start the workers."""
        self.started = True
        _keep(self)
        self.telemetry = begin_telemetry(self)
        for stage in self.stages:
            stage.prepare(self._threads, self.telemetry)
            if self.recorder is not None and self.recorder.tracker.value_listeners:
                note_values(stage, self.recorder)
            self._start_workers(stage)

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
            self.cancels.check(entry)
        channel.put(entry, entry.priority)
        return None

    def put_back(self, entry: Entry, stage: StageRun, wait_s: float) -> None:
        """Queue an entry again for another attempt, past the capacity: waiting for room could deadlock.

        Once the run is stopping the entry is dropped.
        """
        if self.stopping:
            self.report_given_up(entry, stage)
            self.drop(1)
        elif wait_s > 0:
            self.waits.delay(entry, wait_s, stage)
        else:
            stage.put(entry)

    async def wait_retry(self, wait_s: float) -> bool:
        """Wait before another attempt.

        Returns:
            False when there is to be none because the run is stopping.
        """
        if not self.stopping:
            await self.waits.wait(wait_s)
        return not self.stopping

    async def hold_place(self, waiting: Awaitable[None], stage: StageRun) -> None:
        """Await a callback while a place in the stage's queue is kept."""
        stage.channel.reserve()
        try:
            with calling_back(self):
                await waiting
        finally:
            stage.channel.release_reserved()

    def report_fed(self, entry: Entry, stage: StageRun) -> Awaitable[None] | None:
        """Record that an entry is let in; a callback that feeds this run must not wait for room it holds."""
        recorder = self.recorder
        if recorder is None:
            return None
        entry.item = recorder.item(entry.id)
        with calling_back(self):
            return self._report_queued(recorder, entry, stage)

    def report_given_up(
        self,
        entry: Entry,
        stage: StageRun,
        worker: str | None = None,
        attempt: int | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Record the end of an entry that was begun at a stage and ends with the run.

        Nobody is called back: who gives up a run waits for nothing.
        """
        if self.recorder is None:
            return
        if error is None:
            stopped = self.stopping and not self.cancelling
            error = asyncio.CancelledError("the run was stopped" if stopped else "the run was cancelled")
        attempt = entry.attempt if attempt is None else attempt
        self.recorder.status(
            entry.id, stage.index, "failed", worker, attempt=attempt, error=error, quietly=True
        )

    # Ends of entries

    async def deliver_failure(self, entry: Entry, error: BaseException) -> None:
        """Hand the result of an entry that is about to fail to who takes results one by one."""
        if self.delivery is not None:
            await self._deliver(self.delivery, _result(entry, error))

    def fail_entry(self, entry: Entry, error: BaseException, stage: StageRun, attempts: int) -> None:
        """An entry failed for good."""
        self.failures.add(entry, error, stage.name, attempts)
        self.rescues.note_end(entry, None)
        self.end_outstanding(1)

    def end_cancelled(self, entry: Entry, error: asyncio.CancelledError) -> None:
        """An entry was cancelled by itself; who takes the results gets this one past the capacity."""
        if self.delivery is not None:
            self.delivery.put(_result(entry, error))
        self.rescues.note_end(entry, None)
        self.end_outstanding(1)
        self._end_if_left()

    def drop(self, count: int) -> None:
        """So many entries end here, unprocessed; what a run had left when it ended is counted by then."""
        if not self.ended:
            self.dropped += count
            self.end_outstanding(count)

    def end_outstanding(self, count: int) -> None:
        """So many entries have ended, or never were to go on; what they ended in is counted."""
        self.outstanding -= count
        if not self.outstanding:
            self._settle()

    # Control

    @property
    def paused(self) -> bool:
        """Whether no worker takes a further entry, at no stage."""
        return self.stages[0].channel.held

    def pause(self) -> None:
        """Let workers finish what they have in hand, and take nothing more until `resume` or the end."""
        if not self.stopping:
            for stage in self.stages:
                stage.channel.hold()

    def resume(self) -> None:
        """Let workers take entries again."""
        for stage in self.stages:
            stage.channel.release()

    def resize(self, stage: StageRun) -> None:
        """Follow the number of workers of a stage; the end of the run needs no further ones."""
        stage.resize()
        self.rescues.check_workers()
        if self.started and not self.stopping:
            self._start_workers(stage)

    # Ends of the run

    def stop(self) -> None:
        """Take nothing more, drop what waits, finish what is in hand; ends when that is through."""
        if self.stopping:
            return
        self.stopping = True
        self.sources.clear()  # whatever number they announced, they give no more
        self.rescues.give_back()
        dropped = sum(map(self._clear_queue, self.stages)) + self._end_waits()
        self.resume()  # what is in hand goes through all stages
        self.rescues.release_workers()
        for feeder in self._feeders:
            feeder.cancel()
        if self.delivery is not None:
            self.delivery.set_capacity(None)  # who stops inside the loop over the results takes none
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
        self.rescues.give_back()
        self.cancels.give_up_reports()
        self._end_waits()
        self._close_channels()
        for stage in self.stages:
            self._clear_queue(stage)  # a task may swallow its cancellation; its worker must find nothing more
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

    def _start_workers(self, stage: StageRun) -> None:
        """Start those that a stage lacks, in the run's context: who asks for more of them may be a task."""
        loop, context = _live[self]
        make = Worker if self.telemetry is None else self.telemetry.make_worker
        for state in stage.crew.missing():
            stage.equip(state)
            worker, name = make(self, stage, state), state.worker_name
            stage.crew.enter(name, worker)
            task = loop.create_task(worker.work(), name=name, context=context.copy())
            self._workers[task] = worker
            task.add_done_callback(self._worker_ended)

    async def _feed(self, source: Source) -> None:
        if self.telemetry is not None:
            self.telemetry.enter()
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
            await self.hold_place(waiting, stage)
        self.cancels.check(entry)
        stage.put(entry)

    async def _put_after(self, waiting: Awaitable[None], entry: Entry, stage: StageRun) -> None:
        await self.hold_place(waiting, stage)
        self.cancels.check(entry)
        stage.put(entry)

    def _report_queued(self, recorder: RunRecorder, entry: Entry, stage: StageRun) -> Awaitable[None] | None:
        if recorder.tracker.silent:
            stage.write_queued(entry.item, time.perf_counter() + self.wall_offset)
            return None
        return recorder.status(entry.id, stage.index, "queued")

    def _finish(self, entry: Entry) -> Awaitable[None] | None:
        """An entry came through the last stage."""
        if self.attended:
            return self._finish_attended(entry)
        if self.collect:
            self.results.append(PipelineResult(entry.id, entry.value, entry.sequence, entry.metadata()))
        self.processed += 1
        self.end_outstanding(1)
        return None

    async def _finish_attended(self, entry: Entry) -> None:
        """An entry came through, and its result is handed to who waits for it."""
        result = _result(entry)
        if self.delivery is not None:
            await self._deliver(self.delivery, result)
        elif self.collect:
            self.results.append(result)
        self.processed += 1
        self.rescues.note_end(entry, result)
        self.end_outstanding(1)

    async def _deliver(self, delivery: Channel[PipelineResult], result: PipelineResult) -> None:
        if not delivery.has_room():
            await delivery.wait_room()
        delivery.put(result)

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

    def _clear_queue(self, stage: StageRun) -> int:
        """Drop what is queued at a stage; says how many entries that were."""
        begun: list[Entry] = []
        if stage.retry.per_stage:
            begun = stage.channel.remove(lambda entry: entry.attempt > 1)
        for entry in begun:
            self.report_given_up(entry, stage)
        return len(begun) + stage.channel.clear()

    def _end_waits(self) -> int:
        """Nothing is tried again; says how many entries were waiting for that without a worker."""
        for entry, stage in self.waits.delayed():
            self.report_given_up(entry, stage)
        return self.waits.end()

    def _feeder_ended(self, task: asyncio.Task[None]) -> None:
        self._feeders.discard(task)
        self._settle()
        self._end_if_left()

    def _worker_ended(self, task: asyncio.Task[None]) -> None:
        self._workers.pop(task).leave()  # a task that is cancelled before its first step never runs
        if task.cancelled() and not self.cancelling:
            self.abort(PipelineError(f"Worker {task.get_name()} was cancelled from outside its pipeline"))
        self._end_if_left()

    def _end_if_left(self) -> None:
        """End the run once everybody has left."""
        if self._workers or self._feeders or self.ended or not self.stopping or self.cancels.is_reporting():
            return
        self.ended = True
        _live.pop(self, None)
        self.sources.clear()
        self.dropped += self.outstanding
        self.outstanding = 0
        for stage in self.stages:
            self._clear_queue(stage)
        if self.delivery is not None:
            self.delivery.close()
        self._threads.close()
        if self.telemetry is not None:
            self.telemetry.end()
        if self.recorder is not None:
            self.recorder.end()
        self.rescues.end()
        self._on_end()
        _release_all(self._drain_waiters)
        _release_all(self._end_waiters)


def _result(entry: Entry, error: BaseException | None = None) -> PipelineResult:
    # A CancelledError, a task's own or by cancel_item, is no Exception; the result carries it all the same.
    return PipelineResult(entry.id, entry.value, entry.sequence, entry.metadata(), error)  # type: ignore[arg-type]


def _keep(run: Run) -> None:
    for left in [left for left, (loop, _) in _live.items() if loop.is_closed()]:
        del _live[left]
    _live[run] = asyncio.get_running_loop(), copy_context()


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
