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
from antflow_core.engine.feeding import Entry
from antflow_core.engine.invoke import TaskCall
from antflow_core.engine.raised import add_note, trim_traceback
from antflow_core.engine.statistics import error_text
from antflow_core.types import StatusType, TaskEventType

if TYPE_CHECKING:
    from antflow_core.engine.run import Run, StageRun

logger = logging.getLogger("antflow.pipeline")

_ENTRIES_PER_TURN = 64
"""Tasks that never suspend would let one worker empty a queue while the loop waits; so it gets a turn."""


class _Unfinished(Exception):  # noqa: N818  no error: it unwinds to the loop once the item is taken care of
    """The item is not to be handed on: it failed, was put back, or was dropped."""


class Worker:
    """One of a stage's workers.

    Args:
        run: The run it belongs to; told about every end of an entry.
        stage: Its stage.
        context: Its state that others may read.

    Attributes:
        entry: What it has in hand, until it is decided how that ends, or it is handed on.
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
        self.entry: Entry | None = None
        self.retiring = False
        self._place: asyncio.Future[Entry | None] | None = None  # in the line before the queue
        self._attempt = 1  # the latest at a task
        self._attempts = 1  # the highest at any of the item's tasks
        self._started = 0.0  # when the item was taken
        self._called = 0.0  # when the latest attempt at a task began
        self._ended = 0.0  # when the latest attempt at a task ended
        self._last_s = 0.0  # how long that took
        self._spent_s = 0.0  # the item's tasks that came through

    async def work(self) -> None:
        """Work until the queue is closed or others are enough.

        Whatever goes wrong here ends the run, never the worker alone.
        """
        worker_state_var.set(self._context)
        task = asyncio.current_task()
        assert task is not None
        self._task: asyncio.Task[Any] = task
        try:
            await self._work()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  SystemExit from a task must reach run(), not the loop
            self._give_up(error)
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
        stage = self._stage
        context = self._context
        self._started = self._called = started = perf_counter()
        context.processing_since = started + self._wall_offset
        context.current_item_id = entry.id
        context.status = "busy"
        self._attempts = self._attempt = entry.attempt
        self.entry = entry
        recorder = self._recorder
        quick = recorder is None or (entry.attempt == 1 and recorder.tracker.silent)
        try:
            if stage.skip_if is not None:
                if await self._skips(stage.skip_if, entry):
                    await self._skip(entry)
                    return
                self._called = perf_counter()  # events stand in the order of their moments
            if quick and stage.only_task is not None:
                if recorder is not None:
                    self._write.taken(entry.item, self._called + self._wall_offset)
                # The usual case goes without coroutines around the task's: they cost a sixth of the speed.
                task = stage.only_task
                context.current_task = task.name
                try:
                    entry.value = await task.call(entry.value)
                    self._ended = ended = perf_counter()
                    self._last_s = self._spent_s = ended - self._called
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  it is recorded
                    self._note_return()
                    entry.value = await self._recover(entry, task, entry.value, error)
                    self._spent_s = self._last_s
                if self._task.cancelling():
                    await self._pass_cancellation(entry)
            else:
                entry.value = await self._perform(entry)
        except _Unfinished:
            self.entry = None
            if context.overdue_call is not None:
                await self._wait_overdue(context.overdue_call)
            return
        entry.attempt = 1
        context.current_task = None
        self._count_success()
        waiting = self._pass_on(entry)
        if waiting is not None:
            await waiting

    async def _perform(self, entry: Entry) -> Any:
        """Report that the entry was taken and call the stage's tasks; gives the last one's result."""
        stage = self._stage
        value = entry.value
        self._spent_s = 0.0
        waiting = self._report("in_progress", entry, entry.attempt)
        if waiting is not None:
            await waiting
        for task in stage.tasks:
            try:
                value = await self._call(entry, task, value, entry.attempt)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  it is recorded
                value = await self._recover(entry, task, value, error)
            if self._task.cancelling():
                await self._pass_cancellation(entry)
            self._spent_s += self._last_s
            if task is not stage.tasks[-1]:
                waiting = self._report_task("complete", entry, task, self._attempt)
                if waiting is not None:
                    await waiting
        return value

    def _rest(self) -> None:
        self.entry = None
        context = self._context
        context.status = "idle"
        context.current_item_id = context.current_task = context.processing_since = None

    async def _call(self, entry: Entry, task: TaskCall, value: Any, attempt: int) -> Any:
        """Call one task once."""
        if task.limit is not None:
            await task.limit.acquire()
        try:
            self._attempt = attempt
            waiting = self._report_task("start", entry, task, attempt)
            if waiting is not None:
                await waiting
            self._context.current_task = task.name
            self._called = perf_counter()
            try:
                return await task.call(value)
            finally:
                self._note_return()
        finally:
            if task.limit is not None:
                self._release(task.limit)

    def _note_return(self) -> None:
        self._ended = ended = perf_counter()
        self._last_s = ended - self._called

    def _release(self, limit: asyncio.Semaphore) -> None:
        """Let the next worker into the task; a call that cannot be stopped is still inside."""
        overdue = self._context.overdue_call
        if overdue is None:
            limit.release()
        else:
            overdue.add_done_callback(lambda _: limit.release())

    def _is_being_cancelled(self, error: BaseException) -> bool:
        """Whether a CancelledError means this worker; a task may raise one by itself."""
        return isinstance(error, asyncio.CancelledError) and (
            self._run.cancelling or self._task.cancelling() > 0
        )

    async def _end_cancelled(self, entry: Entry) -> bool:
        """The worker's task was cancelled, which may mean the entry alone; then that ends.

        Returns:
            False when the worker is to end.
        """
        run, task = self._run, self._task
        cancels = run.cancels.unmark(entry)
        if cancels:
            self.entry = None
            for _ in range(cancels):
                task.uncancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # a task that cancelled its own item may not have met it yet
            self._ended = perf_counter()
            self._count_failure()
            await run.cancels.end_in_hand(entry, self._stage, self._name, self._attempt)
        if not cancels or run.cancelling or task.cancelling():
            self._give_up()
            return False
        if self._context.overdue_call is not None:
            await self._wait_overdue(self._context.overdue_call, "cancelled")
        return True

    async def _pass_cancellation(self, entry: Entry) -> None:
        """A task came through although the worker's was cancelled: see what that was meant for.

        Raises:
            CancelledError: The entry is to end, or the worker.
        """
        run, task = self._run, self._task
        run.cancels.check(entry)
        if run.cancelling:
            return
        while task.uncancel():  # the task did it to itself, and dealt with it
            pass
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)  # or did not wait for it to come
        run.cancels.check(entry)
        if run.cancelling or task.cancelling():
            raise asyncio.CancelledError

    def _give_up(self, error: BaseException | None = None) -> None:
        """Record the end of what is in hand, because the worker ends."""
        if self.entry is not None:
            self._run.report_given_up(self.entry, self._stage, self._name, self._attempt, error)

    # After a failure

    async def _recover(self, entry: Entry, task: TaskCall, value: Any, error: BaseException) -> Any:
        """Attempt a task again after its first failure, as often as the stage allows."""
        attempt = entry.attempt
        failure: BaseException | None = error
        try:
            while failure is not None:
                if self._is_being_cancelled(failure):
                    raise failure
                await self._after_failure(entry, task, failure, attempt)
                failure = None
                attempt += 1
                self._attempts = max(self._attempts, attempt)
                try:
                    return await self._call(entry, task, value, attempt)
                except (Exception, asyncio.CancelledError) as next_error:  # noqa: BLE001  it is recorded
                    failure = next_error
        finally:
            del (
                failure,
                error,
            )  # an error that is kept refers to this frame, and must not be referred to by it

    async def _after_failure(self, entry: Entry, task: TaskCall, error: BaseException, attempt: int) -> None:
        """Get ready for another attempt at the task; raise `_Unfinished` where there is none."""
        policy = self._stage.retry
        self._run.cancels.check(entry)
        trim_traceback(error)
        add_note(error, f"stage {self._stage.name!r}, item {_shown(entry.id)}, attempt {attempt}")
        again = policy.allows_another(error, attempt)
        if self._recorder is not None:
            waiting = self._report_task("retry" if again else "fail", entry, task, attempt, error)
            if waiting is not None:
                await waiting
            self._run.cancels.check(entry)
        if not again:
            await self._fail(entry, error, attempt)
            raise _Unfinished
        self._stage.retried += 1
        if self._context.overdue_call is not None:
            await self._wait_overdue(self._context.overdue_call)
        if policy.per_stage:
            await self._put_back(entry, error, attempt)
            raise _Unfinished
        self._context.current_task = f"waiting to retry {task.name}"
        if not await self._run.wait_retry(policy.wait_s(attempt)):
            self._give_up()
            self._run.drop(1)
            raise _Unfinished

    async def _put_back(self, entry: Entry, error: BaseException, attempt: int) -> None:
        """Queue the entry again for another attempt at the whole stage."""
        self._count_failure()
        if self._run.stopping:  # else it would be said to be tried again
            self._give_up()
            self._run.drop(1)
            return
        entry.attempt = attempt + 1
        spent_s = self._spent_s + self._last_s
        waiting = self._report("retrying", entry, entry.attempt, duration=spent_s, error=error)
        if waiting is not None:
            await waiting
        self._run.cancels.check(entry)
        self._run.put_back(entry, self._stage, self._stage.retry.wait_s(attempt))

    async def _fail(self, entry: Entry, error: BaseException, attempt: int) -> None:
        logger.info(
            "[%s] FAIL stage=%s id=%s error=%s", self._name, self._stage.name, entry.id, error_text(error)
        )
        self.entry = None  # nothing can change any more how it ends
        self._count_failure()
        self._context.failed += 1
        self._stage.failed += 1
        spent_s = self._spent_s + self._last_s
        try:
            waiting = self._report("failed", entry, attempt, duration=spent_s, error=error)
            if waiting is not None:
                await waiting
            on_failure = self._stage.stage.on_failure
            if on_failure is not None:
                await self._call_back(on_failure, "on_failure", entry, error, entry.value)
            await self._run.deliver_failure(entry, error)
        finally:
            self._run.fail_entry(entry, error, self._stage, attempt)

    async def _wait_overdue(self, call: asyncio.Future[Any], why: str = "timed out") -> None:
        """Wait for a call that was given up but cannot be stopped; its outcome no longer matters."""
        self._context.current_task = f"{self._context.current_task} ({why}, not back yet)"
        await asyncio.wait((call,))
        if not call.cancelled():
            call.exception()
        self._context.overdue_call = None

    # After a success

    def _pass_on(self, entry: Entry) -> Awaitable[None] | None:
        """Report that the stage is through with the entry, and hand it on; gives what is to be waited for."""
        stage, recorder = self._stage, self._recorder
        if stage.on_success is not None:
            return self._complete(entry)
        following = stage.following
        goes_on = following is not None and following.channel.has_room()
        if recorder is not None:
            if self._attempts > 1 or not recorder.tracker.silent:
                return self._complete(entry)
            write = self._write.passed if goes_on else self._write.completed
            write(entry.item, self._ended + self._wall_offset, self._last_s, self._spent_s)
        if following is None or not goes_on:
            return self._run.hand_on(entry, following)
        following.channel.put(entry, entry.priority)
        return None

    async def _complete(self, entry: Entry) -> None:
        """Report what the stage did, wait for the callbacks, and hand the entry on."""
        stage = self._stage
        waiting = self._report_task("complete", entry, stage.tasks[-1], self._attempt)
        if waiting is not None:
            await waiting
        waiting = self._report("completed", entry, self._attempts, duration=self._spent_s)
        if waiting is not None:
            await waiting
        if stage.on_success is not None:
            await self._call_back(stage.on_success, "on_success", entry, entry.value, entry.value)
        self._run.cancels.check(entry)
        waiting = self._run.hand_on(entry, stage.following)
        if waiting is not None:
            await waiting

    async def _skips(self, skip_if: Callable[[Any], Any], entry: Entry) -> bool:
        try:
            answer = skip_if(entry.value)
            return bool(await answer if inspect.isawaitable(answer) else answer)
        except (Exception, asyncio.CancelledError) as error:
            if self._is_being_cancelled(error):
                raise
            trim_traceback(error)
            logger.warning("[%s] skip_if failed for id=%s, not skipped: %s", self._name, entry.id, error)
            return False

    async def _skip(self, entry: Entry) -> None:
        """Let the entry pass the stage untouched."""
        self._ended = perf_counter()
        self._stage.skipped += 1
        self._count_success()
        waiting = self._report("skipped", entry, 0)
        if waiting is not None:
            await waiting
        on_skip = self._stage.stage.on_skip
        if on_skip is not None:
            await self._call_back(on_skip, "on_skip", entry, entry.value, entry.value)
        self._run.cancels.check(entry)
        entry.attempt = 1
        waiting = self._run.hand_on(entry, self._stage.following)
        if waiting is not None:
            await waiting

    # Telling others

    def _count_success(self) -> None:
        self._stage.completed += 1
        context = self._context
        context.processed += 1
        context.processing_s += self._ended - self._started
        context.last_active = self._ended + self._wall_offset

    def _count_failure(self) -> None:
        context = self._context
        context.processing_s += self._ended - self._started
        context.last_active = self._ended + self._wall_offset

    def _report(
        self,
        status: StatusType,
        entry: Entry,
        attempt: int,
        *,
        duration: float | None = None,
        error: BaseException | None = None,
    ) -> Awaitable[None] | None:
        """Record a status; gives what is to be waited for."""
        if self._recorder is None:
            return None
        return self._recorder.status(
            entry.id, self._stage.index, status, self._name, attempt=attempt, duration=duration, error=error
        )

    def _report_task(
        self,
        event: TaskEventType,
        entry: Entry,
        task: TaskCall,
        attempt: int,
        error: BaseException | None = None,
    ) -> Awaitable[None] | None:
        """Record a task's start or the end of an attempt; gives what is to be waited for."""
        if self._recorder is None:
            return None
        duration = None if event == "start" else self._last_s
        return self._recorder.task(
            entry.id, self._stage.index, task.name, self._name, event, attempt, duration=duration, error=error
        )

    async def _call_back(
        self, callback: Callable[..., Any], field: str, entry: Entry, outcome: Any, value: Any
    ) -> None:
        """Call one of the stage's callbacks; what it raises is logged and never fails the item."""
        try:
            waiting = callback(entry.id, outcome, entry.payload_with(value))
            if inspect.isawaitable(waiting):
                await waiting
        except (Exception, asyncio.CancelledError) as error:
            if self._is_being_cancelled(error):
                raise
            trim_traceback(error)
            logger.exception("[%s] Error in %s callback for id=%s", self._name, field, entry.id)


def _shown(item_id: object) -> str:
    try:
        return repr(item_id)
    except Exception:  # noqa: BLE001  a class of the script's may raise anything
        return f"<{type(item_id).__name__}>"
