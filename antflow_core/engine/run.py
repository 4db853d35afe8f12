"""Run: one start-to-end of a pipeline: what is fed, what has ended, and the order in which it stops."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from antflow_core.engine.cancelling import Cancels
from antflow_core.engine.channel import Channel
from antflow_core.engine.failures import FailureList
from antflow_core.engine.feeding import Entry, Source
from antflow_core.engine.invoke import Threads
from antflow_core.engine.output import Output
from antflow_core.engine.rescuing import Rescues
from antflow_core.engine.run_tasks import RunTasks
from antflow_core.engine.stage_run import StageRun
from antflow_core.engine.traced import RunTelemetry, begin_telemetry
from antflow_core.engine.waiters import Waiters
from antflow_core.engine.waits import RetryWaits
from antflow_core.stage import Stage
from antflow_core.types import PipelineResult

if TYPE_CHECKING:
    from antflow_core.recording.recorder import Recorder
    from antflow_core.tracker import RunRecorder

logger = logging.getLogger("antflow.pipeline")


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
        delivery: Where results go one by one; None where nobody takes them so.

    Attributes:
        output: Where results go.
        recorder: The tracker's end of the run; None where nobody tracks it.
        file: The run file that this run alone was to go into; None where none was asked for.
        telemetry: What tells OpenTelemetry of it, from the start on; None where nobody listens.
        waits: What pauses before another attempt.
        failures: What is failed now.
        cancels: What is cancelled entry by entry.
        rescues: What failed and is tried again.
        sources: What is being fed, or will be at once.
        fed: Entries that came, from wherever.
        outstanding: Entries fed and not ended.
        dropped: Entries fed and given up.
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
        self.next_sequence = next_sequence
        self.stages = [StageRun(stage, index, self) for index, stage in enumerate(stages)]
        for stage, following in zip(self.stages, self.stages[1:], strict=False):
            stage.following = following
        self.output = Output(self, collect=collect, delivery=delivery)
        self.recorder: RunRecorder | None = None
        self.file: Recorder | None = None
        self.telemetry: RunTelemetry | None = None
        self.waits = RetryWaits()
        self.failures = FailureList()
        self.cancels = Cancels(self)
        self.rescues = Rescues(self)
        self.wall_offset = time.time() - time.perf_counter()
        self.sources: set[Source] = set()
        self.fed = self.outstanding = self.dropped = 0
        self.started = self.stopping = self.cancelling = self.ended = False
        self.fatal: BaseException | None = None
        self.fatal_raised = False
        self.starts_when_needed = False
        self.ends_when_drained = False
        self.reopened = False
        self._on_end = on_end
        self._threads = Threads()
        self._tasks = RunTasks(self)
        self._drain_waiters = Waiters()
        self._end_waiters = Waiters()

    # Beginning and feeding

    def report_to(self, recorder: RunRecorder) -> None:
        """Have a tracker follow the run."""
        self.recorder = recorder
        for stage in self.stages:
            stage.report_to(recorder)
        self.wall_offset = recorder.wall_offset

    def start(self) -> None:
        """Start the workers."""
        self.started = True
        self._tasks.begin()
        self.telemetry = begin_telemetry(self)
        for stage in self.stages:
            stage.prepare(self._threads, self.telemetry)
            self._tasks.start_workers(stage)

    def start_if_needed(self) -> None:
        """Start the workers if nobody else is going to, and somebody is about to wait for them."""
        if self.starts_when_needed and not self.started and not self.stopping:
            self.start()

    def feed_in_background(self, source: Source) -> None:
        """Feed the first stage; the run ends when all that the source gave is through."""
        self.ends_when_drained = True
        if not self.stopping:
            self._tasks.start_feeder(source)

    # Another attempt

    def put_back(self, entry: Entry, stage: StageRun, wait_s: float) -> None:
        """Queue an entry again for another attempt, past the capacity: waiting for room could deadlock.

        Once the run is stopping the entry is dropped.
        """
        if self.stopping:
            stage.report_given_up(entry)
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

    # Ends of entries, beside those that come out as results

    def fail_entry(self, entry: Entry, error: BaseException, stage: StageRun, attempts: int) -> None:
        """An entry failed for good."""
        self.failures.add(entry, error, stage.name, attempts)
        self.rescues.note_end(entry, None)
        self.end_outstanding(1)

    def end_cancelled(self, entry: Entry, error: asyncio.CancelledError) -> None:
        """An entry was cancelled by itself."""
        self.output.deliver_cancelled(entry, error)
        self.rescues.note_end(entry, None)
        self.end_outstanding(1)
        self.end_if_left()

    def drop(self, count: int) -> None:
        """So many entries end here, unprocessed; what a run had left when it ended is counted by then."""
        if not self.ended:
            self.dropped += count
            self.end_outstanding(count)

    def drop_latecomer(self) -> None:
        """An entry was fed after the end, by what a task left behind."""
        self.dropped += 1
        self.outstanding -= 1

    def end_outstanding(self, count: int) -> None:
        """So many entries have ended, or never were to go on; what they ended in is counted."""
        self.outstanding -= count
        if not self.outstanding:
            self.settle()

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
            self._tasks.start_workers(stage)

    # Ends of the run

    def stop(self) -> None:
        """Take nothing more, drop what waits, finish what is in hand; ends when that is through."""
        if self.stopping:
            return
        self.stopping = True
        self.sources.clear()  # whatever number they announced, they give no more
        self.rescues.give_back()
        dropped = sum(stage.clear() for stage in self.stages) + self._end_waits()
        self.resume()  # what is in hand goes through all stages
        self.rescues.release_inside()
        self._tasks.cancel_feeders()
        self.output.wait_for_nobody()
        if not self.started:
            self._close_channels()  # no worker will come whom somebody could wait for
        if dropped:
            logger.warning("Shutdown: discarded %d unprocessed item(s) from queue", dropped)
        self.drop(dropped)
        self.settle()

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
            stage.clear()  # a task may swallow its cancellation; its worker must find nothing more
        self._tasks.cancel()
        self.end_if_left()

    def abort(self, error: BaseException) -> None:
        """Give up because of `error`, which whoever waits for the run gets to see."""
        if self.fatal is None:
            self.fatal = error
        self.cancel()

    @asynccontextmanager
    async def cancelled_on_error(self) -> AsyncIterator[None]:
        """Whatever ends the body before its time gives up the run; what came then goes on after its end."""
        try:
            yield
        except BaseException:
            self.cancel()
            await self.wait_ended()
            raise

    async def wait_drained(self) -> None:
        """Wait until nothing is queued, in hand or waiting for a retry, or the run has ended."""
        with self.output.let_out_for_caller():
            while (self.outstanding or self._tasks.are_feeding) and not self.ended:
                await self._drain_waiters.wait()

    async def wait_ended(self) -> None:
        """Wait until the last worker has ended."""
        while not self.ended:
            await self._end_waiters.wait()

    async def wait_recorded(self) -> None:
        """Wait, after the end, until the run's own file is closed."""
        if self.file is not None:
            await self.file.wait_closed()

    def raise_fatal(self) -> None:
        """Raise what ended the run against its will."""
        if self.fatal is not None:
            self.fatal_raised = True
            raise self.fatal

    def settle(self) -> None:
        """Nothing may be left: tell who waits for that, and end the run if nothing more will come."""
        if self.outstanding or self._tasks.are_feeding:
            return
        self._drain_waiters.wake()
        if self.ends_when_drained or self.stopping:
            self.stopping = True
            self._close_channels()
            self.end_if_left()

    def end_if_left(self) -> None:
        """End the run once everybody has left."""
        if self._tasks.are_left or self.ended or not self.stopping or self.cancels.is_reporting():
            return
        self.ended = True
        self._tasks.end()
        self.sources.clear()
        self.dropped += self.outstanding
        self.outstanding = 0
        for stage in self.stages:
            stage.clear()
        self.output.close()
        self._threads.close()
        if self.telemetry is not None:
            self.telemetry.end()
        if self.recorder is not None:
            self.recorder.end()
        self.rescues.end()
        self._on_end()
        self._drain_waiters.wake()
        self._end_waiters.wake()

    # Inside

    def _close_channels(self) -> None:
        for stage in self.stages:
            stage.channel.close()

    def _end_waits(self) -> int:
        """Nothing is tried again; says how many entries were waiting for that without a worker."""
        for entry, stage in self.waits.delayed():
            stage.report_given_up(entry)
        return self.waits.end()
