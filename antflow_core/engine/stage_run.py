"""StageRun: a stage within a run: its queue and the ways into it, its workers and its counters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from antflow_core.context import WorkerContext
from antflow_core.engine.callers import begin_calling_back, end_calling_back
from antflow_core.engine.channel import Channel
from antflow_core.engine.crew import Crew
from antflow_core.engine.feeding import Entry
from antflow_core.engine.invoke import TaskCall, Threads
from antflow_core.engine.limits import StageLimits
from antflow_core.engine.noting import note_values
from antflow_core.engine.places import Place
from antflow_core.engine.retry import RetryPolicy
from antflow_core.history.endings import RUN_CANCELLED, RUN_STOPPED
from antflow_core.stage import Stage

if TYPE_CHECKING:
    from antflow_core.engine.run import Run
    from antflow_core.engine.traced import RunTelemetry
    from antflow_core.history.steps import WriteOne
    from antflow_core.tracker import RunRecorder


class StageRun:
    """A stage within a run.

    Attributes:
        following: Where an item goes next; None after the last stage.
        write_queued: Records the quick way that an item is queued here, where there is a tracker.
        tasks: Empty until the run starts.
        is_straight: One call is all there is to do with an entry, as long as it does not fail.
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
        self.is_straight = False
        self.crew = Crew(stage, run)
        self.completed = 0
        self.failed = 0
        self.skipped = 0
        self.retried = 0
        self._run = run

    def prepare(self, threads: Threads, telemetry: RunTelemetry | None) -> None:
        """Make what belongs to the running loop."""
        self._limits = limits = StageLimits(self.stage)
        self.tasks = tuple(
            TaskCall(task, self.stage, threads, limits.tasks, telemetry) for task in self.stage.tasks
        )
        self.is_straight = len(self.tasks) == 1 and self.tasks[0].limit is None and telemetry is None
        recorder = self._run.recorder
        if recorder is not None and recorder.tracker.value_listeners:
            note_values(self, recorder)

    def equip(self, worker: WorkerContext) -> None:
        """Give a worker what its tasks may use."""
        worker.call_semaphore = self._limits.call_semaphore
        worker.call_limiter = self._limits.call_limiter

    def resize(self) -> None:
        """Follow the stage's number of workers; those that are missing are to be started."""
        self.crew.resize()
        self.channel.set_capacity(self.stage.capacity())

    # Into the queue, and on from the stage

    def put(self, entry: Entry) -> None:
        """Queue an entry, past the capacity."""
        self.channel.put(entry, entry.priority)

    def hand_on(self, entry: Entry) -> Awaitable[None] | None:
        """Let an entry into the next stage, or out of the pipeline where there is none.

        Returns:
            None where it went at once, else what waits for room and for callbacks.
        """
        if self.following is None:
            return self._run.output.take(entry)
        return self.following.take_in(entry)

    def take_in(self, entry: Entry) -> Awaitable[None] | None:
        """Queue an entry that comes from the stage before; gives what `hand_on` gives."""
        if not self.channel.has_room():
            return self._take_in_later(entry)
        recorder = self._run.recorder
        if recorder is not None:
            waiting = self._report_queued(recorder, entry)
            if waiting is not None:
                return self._put_after(waiting, entry)
            self._run.cancels.check(entry)
        self.put(entry)
        return None

    def clear(self) -> int:
        """Drop what is queued; says how many entries that were."""
        begun: list[Entry] = []
        if self.retry.per_stage:
            begun = self.channel.remove(lambda entry: entry.attempt > 1)
        for entry in begun:
            self.report_given_up(entry)
        return len(begun) + self.channel.clear()

    # For the tracker

    def report_to(self, recorder: RunRecorder) -> None:
        """Have a tracker follow what comes here."""
        self.write_queued = recorder.queued_writer(self.index)

    def report_fed(self, entry: Entry) -> Awaitable[bool] | None:
        """Record that an entry is let in.

        Returns:
            What awaits a callback, with a place kept for the entry; it says whether that still is. None where
            there is nothing to be waited for.
        """
        recorder = self._run.recorder
        if recorder is None:
            return None
        entry.item = recorder.item(entry.id)
        return self._report_queued(recorder, entry)

    def report_given_up(
        self,
        entry: Entry,
        worker: str | None = None,
        attempt: int | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Record the end of an entry that was begun here and ends with the run.

        Nobody is called back: who gives up a run waits for nothing.
        """
        run = self._run
        if run.recorder is None:
            return
        if error is None:
            stopped = run.stopping and not run.cancelling
            error = asyncio.CancelledError(RUN_STOPPED if stopped else RUN_CANCELLED)
        attempt = entry.attempt if attempt is None else attempt
        run.recorder.status(
            entry.id, self.index, "failed", worker, attempt=attempt, error=error, quietly=True
        )

    # Inside

    async def _take_in_later(self, entry: Entry) -> None:
        await self.channel.wait_room()
        recorder = self._run.recorder
        waiting = None if recorder is None else self._report_queued(recorder, entry)
        if waiting is None:
            self._put_unless_cancelled(entry)
        else:
            await self._put_after(waiting, entry)

    async def _put_after(self, waiting: Awaitable[bool], entry: Entry) -> None:
        """Queue an entry after its callback, and as soon as there is room if its place was given up."""
        is_kept = await waiting
        if not (is_kept or self.channel.has_room()):
            await self.channel.wait_room()
        self._put_unless_cancelled(entry)

    def _put_unless_cancelled(self, entry: Entry) -> None:
        try:
            self._run.cancels.check(entry)
        except asyncio.CancelledError:
            self.channel.pass_room_on()  # a worker may wait behind for the room that came
            raise
        self.put(entry)

    def _report_queued(self, recorder: RunRecorder, entry: Entry) -> Awaitable[bool] | None:
        """Record that an entry is let in; gives what `report_fed` gives."""
        if recorder.tracker.silent:
            self.write_queued(entry.item, time.perf_counter() + self._run.wall_offset)
            return None
        place = Place(self.channel)
        token = begin_calling_back(self._run, place)  # a `with` would cost a tenth of the speed
        try:
            waiting = recorder.status(entry.id, self.index, "queued")
        finally:
            end_calling_back(token)
        return None if waiting is None else place.keep_during(waiting, self._run)
