"""Worker: the loop that takes items from a stage's queue, performs its tasks and hands them on."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any

from antflow_core.context import WorkerContext, worker_state_var
from antflow_core.engine.attempts import Attempts, Unfinished
from antflow_core.engine.cancelling import worker_task
from antflow_core.engine.feeding import Entry
from antflow_core.engine.hand import Hand
from antflow_core.engine.raised import trim_traceback
from antflow_core.engine.straight import straight_way
from antflow_core.engine.worker_reports import WorkerReports

if TYPE_CHECKING:
    from antflow_core.engine.run import Run
    from antflow_core.engine.stage_run import StageRun
    from antflow_core.tracker import StatusTracker, StepWriters

logger = logging.getLogger("antflow.pipeline")

_ENTRIES_PER_TURN = 64
"""Tasks that never suspend would let one worker empty a queue while the loop waits; so it gets a turn."""


class Worker:
    """One of a stage's workers.

    Args:
        run: The run it belongs to; told about every end of an entry.
        stage: Its stage.
        context: Its state that others may read.

    Attributes:
        hand: What it has in hand.
        retiring: It takes no further item, and ends.
    """

    def __init__(self, run: Run, stage: StageRun, context: WorkerContext) -> None:
        self._run = run
        self._stage = stage
        self._context = context
        self._name = context.worker_name
        self._tracker: StatusTracker | None = None
        self._write: StepWriters | None = None
        if run.recorder is not None:
            self._tracker = run.recorder.tracker
            tasks = [task.name for task in stage.tasks]
            self._write = run.recorder.step_writers(stage.index, self._name, tasks)
        self.hand = Hand(context, run.wall_offset)
        self._reports = WorkerReports(run, stage, self._name, self.hand)
        self._attempts = Attempts(run, stage, context, self.hand, self._reports)
        self._hand_on = stage.hand_on if stage.on_success is None else self._succeed
        self._straight = straight_way(stage, context, self.hand, self._write, self._hand_on)
        self.retiring = False
        self._place: asyncio.Future[Entry | None] | None = None  # in the line before the queue

    async def work(self) -> None:
        """Work until the queue is closed or others are enough.

        Whatever goes wrong here ends the run, never the worker alone.
        """
        worker_state_var.set(self._context)
        self._task = worker_task()
        try:
            await self._work()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  SystemExit from a task must reach run(), not the loop
            self._reports.given_up(error)
            self._run.abort(error)
        finally:
            if self._context.overdue_call is not None:
                self._context.overdue_call.cancel()
            self._rest()
            self.leave()

    def retire(self) -> None:
        """End once the item in hand, if there is one, is through."""
        self.retiring = True
        if self._place is not None:
            self._stage.channel.give_up(self._place)

    def stay(self) -> None:
        """Do not retire, if that was the plan."""
        self.retiring = False

    def leave(self) -> None:
        """Be there no more; only the first call counts."""
        self._stage.crew.leave(self._name, self)

    def interrupt(self) -> None:
        """Cancel what is being done with the entry in hand."""
        self._task.cancel()

    def recall(self, wanted: Callable[[Entry], bool]) -> Entry | None:
        """Take back an entry that was handed over and has not been begun."""
        return None if self._place is None else self._stage.channel.recall(self._place, wanted)

    async def _work(self) -> None:
        stage, tracker, task = self._stage, self._tracker, self._task
        channel, is_straight, skip_if = stage.channel, stage.is_straight, stage.skip_if
        begin, call, finish = self._straight
        turn = _ENTRIES_PER_TURN
        while not self.retiring:
            entry = channel.take() if turn else None
            if entry is None:
                entry = await self._wait_entry(is_turn_over=not turn)
                turn = _ENTRIES_PER_TURN
                if entry is None:
                    if channel.closed:
                        return
                    continue
            turn -= 1
            try:
                if not is_straight or entry.attempt > 1 or not (tracker is None or tracker.silent):
                    await self._handle(entry)
                    continue
                if skip_if is not None and await self._is_skipped(skip_if, entry):
                    continue
                # No coroutine stands between this loop and the task's: one would cost a sixth of the speed.
                called = begin(entry)
                try:
                    entry.value = await call(entry.value)
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  it is recorded
                    value = self._attempts.recover_straight(entry, error)
                else:
                    as_usual = (tracker is None or tracker.silent) and not task.cancelling()
                    waiting = finish(entry, called) if as_usual else self._leave_straight(entry)
                    if waiting is not None:
                        await waiting
                    continue
                # Out here, else the next error would claim to come of this one.
                await self._see_through(entry, value)
            except asyncio.CancelledError:
                if not await self._end_cancelled(entry):
                    raise

    async def _wait_entry(self, is_turn_over: bool) -> Entry | None:
        """Give the loop a turn, or wait for an entry; gives None where to look again for one."""
        self._rest()
        if is_turn_over:
            await asyncio.sleep(0)
            return None
        channel = self._stage.channel
        self._place = channel.stand_in_line()
        entry = await channel.receive(self._place)
        self._place = None
        return entry

    def _take(self, entry: Entry) -> None:
        hand, context = self.hand, self._context
        hand.entry = entry
        hand.attempts = hand.attempt = entry.attempt
        hand.started = hand.called = perf_counter()
        context.processing_since = hand.started + self._run.wall_offset
        context.current_item_id = entry.id
        context.current_task = None
        context.status = "busy"

    async def _handle(self, entry: Entry) -> None:
        """Take an entry through the stage and on to the next, whatever belongs to its way."""
        skip_if = self._stage.skip_if
        if skip_if is not None and await self._is_skipped(skip_if, entry):
            return
        self._take(entry)
        await self._see_through(entry, self._attempts.perform(entry))

    async def _see_through(self, entry: Entry, value: Awaitable[Any]) -> None:
        """Wait for what the tasks give for an entry, and let it go on, unless it is taken care of."""
        try:
            entry.value = await value
        except Unfinished:
            self.hand.entry = None
            overdue = self._context.overdue_call
            if overdue is not None:
                await self._attempts.wait_overdue(overdue)
            return
        waiting = self._come_through(entry)
        if waiting is not None:
            await waiting

    async def _leave_straight(self, entry: Entry) -> None:
        """The only task came through, but there is more to do than usual."""
        self.hand.note_return()
        self.hand.spent_s = self.hand.last_s
        if self._task.cancelling():
            await self._run.cancels.look_after(entry)
        waiting = self._come_through(entry)
        if waiting is not None:
            await waiting

    def _rest(self) -> None:
        self.hand.entry = None
        context = self._context
        context.status = "idle"
        context.current_item_id = context.current_task = context.processing_since = None

    async def _end_cancelled(self, entry: Entry) -> bool:
        """The worker's task was cancelled, which may mean the entry alone; then that ends.

        Returns:
            False when the worker is to end.
        """
        run, task, hand = self._run, self._task, self.hand
        cancels = run.cancels.unmark(entry)
        if cancels:
            hand.entry = None
            for _ in range(cancels):
                task.uncancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # a task that cancelled its own item may not have met it yet
            hand.ended = perf_counter()
            hand.count_time()
            await run.cancels.end_in_hand(entry, self._stage, self._name, hand.attempt)
        if not cancels or run.cancelling or task.cancelling():
            self._reports.given_up()
            return False
        if self._context.overdue_call is not None:
            await self._attempts.wait_overdue(self._context.overdue_call, "cancelled")
        return True

    # After a success

    def _come_through(self, entry: Entry) -> Awaitable[None] | None:
        """The tasks came through with an entry: it goes on; gives what is to be waited for."""
        hand, tracker, write = self.hand, self._tracker, self._write
        entry.attempt = 1
        self._context.current_task = None
        self._stage.completed += 1
        hand.count_success()
        if tracker is not None and (hand.attempts > 1 or not tracker.silent):
            return self._report_success(entry)
        if write is not None:
            write.completed(entry.item, hand.ended + hand.wall_offset, hand.last_s, hand.spent_s)
        return self._hand_on(entry)

    async def _report_success(self, entry: Entry) -> None:
        """Report what the stage did, wait for those who are called back, and let the entry go on."""
        stage, hand, reports = self._stage, self.hand, self._reports
        waiting = reports.task("complete", entry, stage.tasks[-1], hand.attempt)
        if waiting is not None:
            await waiting
        waiting = reports.status("completed", entry, hand.attempts, duration=hand.spent_s)
        if waiting is not None:
            await waiting
        await self._succeed(entry)

    async def _succeed(self, entry: Entry) -> None:
        """Call the stage's `on_success`, and hand the entry on."""
        await self._reports.call_back(self._stage.on_success, "on_success", entry, entry.value, entry.value)
        await self._hand_on_checked(entry)

    # Skipping

    async def _is_skipped(self, skip_if: Callable[[Any], Any], entry: Entry) -> bool:
        """Ask whether the stage is to be skipped, and let the entry pass untouched if so."""
        self._take(entry)
        if await self._skips(skip_if, entry):
            await self._skip(entry)
            return True
        self._run.cancels.check(entry)
        self._context.processing_s += perf_counter() - self.hand.started
        return False

    async def _skips(self, skip_if: Callable[[Any], Any], entry: Entry) -> bool:
        try:
            answer = skip_if(entry.value)
            return bool(await answer if inspect.isawaitable(answer) else answer)
        except (Exception, asyncio.CancelledError) as error:
            if self._run.cancels.means_worker(error):
                raise
            trim_traceback(error)
            logger.warning("[%s] skip_if failed for id=%s, not skipped: %s", self._name, entry.id, error)
            return False

    async def _skip(self, entry: Entry) -> None:
        stage, hand = self._stage, self.hand
        hand.ended = perf_counter()
        stage.skipped += 1
        stage.completed += 1
        hand.count_success()
        waiting = self._reports.status("skipped", entry, 0)
        if waiting is not None:
            await waiting
        on_skip = stage.stage.on_skip
        await self._reports.call_back(on_skip, "on_skip", entry, entry.value, entry.value)
        entry.attempt = 1
        await self._hand_on_checked(entry)

    async def _hand_on_checked(self, entry: Entry) -> None:
        """Let the entry go on, unless it was cancelled meanwhile."""
        self._run.cancels.check(entry)
        waiting = self._stage.hand_on(entry)
        if waiting is not None:
            await waiting
