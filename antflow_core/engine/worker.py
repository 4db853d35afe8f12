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
from antflow_core.engine.worker_reports import WorkerReports

if TYPE_CHECKING:
    from antflow_core.engine.run import Run
    from antflow_core.engine.stage_run import StageRun

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
        self._recorder = recorder = run.recorder
        if recorder is not None:
            tasks = [task.name for task in stage.tasks]
            self._write = recorder.step_writers(stage.index, self._name, tasks)
        self._wall_offset = run.wall_offset
        self.hand = Hand(context, run.wall_offset)
        self._reports = WorkerReports(run, stage, self._name, self.hand)
        self._attempts = Attempts(run, stage, context, self.hand, self._reports)
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
        channel = self._stage.channel
        turn = _ENTRIES_PER_TURN
        while not self.retiring:
            if not turn:
                self._rest()
                turn = _ENTRIES_PER_TURN
                await asyncio.sleep(0)
                continue
            entry = channel.take()
            if entry is None:
                self._rest()
                self._place = channel.stand_in_line()
                entry = await channel.receive(self._place)
                self._place = None
                if entry is None:
                    if channel.closed:
                        return
                    continue
                turn = _ENTRIES_PER_TURN
            turn -= 1
            try:
                await self._handle(entry)
            except asyncio.CancelledError:
                if not await self._end_cancelled(entry):
                    raise

    async def _handle(self, entry: Entry) -> None:
        """Take one entry through the stage, and on to the next."""
        stage, hand, context, offset = self._stage, self.hand, self._context, self._wall_offset
        hand.started = called = perf_counter()
        context.processing_since = called + offset
        context.current_item_id = entry.id
        context.status = "busy"
        hand.attempts = hand.attempt = entry.attempt
        hand.entry = entry
        recorder = self._recorder
        quick = recorder is None or (entry.attempt == 1 and recorder.tracker.silent)
        try:
            if stage.skip_if is not None:
                if await self._skips(stage.skip_if, entry):
                    await self._skip(entry)
                    return
                called = perf_counter()  # events stand in the order of their moments
            hand.called = called
            if quick and stage.only_task is not None:
                if recorder is not None:
                    self._write.taken(entry.item, called + offset)
                # The usual case goes without coroutines around the task's: they cost a sixth of the speed.
                task = stage.only_task
                context.current_task = task.name
                recovery = None
                try:
                    entry.value = await task.call(entry.value)
                    hand.ended = ended = perf_counter()
                    hand.last_s = hand.spent_s = ended - called
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  it is recorded
                    hand.note_return()
                    hand.spent_s = 0.0
                    recovery = self._attempts.recover(entry, task, entry.value, error)
                if recovery is not None:  # out here, else the next error would claim to come of this one
                    entry.value = await recovery
                    hand.spent_s = hand.last_s
                if self._task.cancelling():
                    await self._run.cancels.look_after(entry)
            else:
                entry.value = await self._attempts.perform(entry)
        except Unfinished:
            hand.entry = None
            if context.overdue_call is not None:
                await self._attempts.wait_overdue(context.overdue_call)
            return
        entry.attempt = 1
        context.current_task = None
        stage.completed += 1
        hand.count_success()
        waiting = self._pass_on(entry)
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

    def _pass_on(self, entry: Entry) -> Awaitable[None] | None:
        """Report that the stage is through with the entry, and hand it on; gives what is to be waited for."""
        stage, recorder = self._stage, self._recorder
        if stage.on_success is not None:
            return self._complete(entry)
        following = stage.following
        goes_on = following is not None and following.channel.has_room()
        if recorder is not None:
            hand = self.hand
            if hand.attempts > 1 or not recorder.tracker.silent:
                return self._complete(entry)
            write = self._write.passed if goes_on else self._write.completed
            write(entry.item, hand.ended + self._wall_offset, hand.last_s, hand.spent_s)
        if following is None or not goes_on:
            return stage.hand_on(entry)
        following.channel.put(entry, entry.priority)
        return None

    async def _complete(self, entry: Entry) -> None:
        """Report what the stage did, wait for the callbacks, and hand the entry on."""
        stage, hand, reports = self._stage, self.hand, self._reports
        waiting = reports.task("complete", entry, stage.tasks[-1], hand.attempt)
        if waiting is not None:
            await waiting
        waiting = reports.status("completed", entry, hand.attempts, duration=hand.spent_s)
        if waiting is not None:
            await waiting
        await reports.call_back(stage.on_success, "on_success", entry, entry.value, entry.value)
        await self._hand_on(entry)

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
        """Let the entry pass the stage untouched."""
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
        await self._hand_on(entry)

    async def _hand_on(self, entry: Entry) -> None:
        """Let the entry go on, unless it was cancelled meanwhile."""
        self._run.cancels.check(entry)
        waiting = self._stage.hand_on(entry)
        if waiting is not None:
            await waiting
