"""Attempts: a worker's calls of its stage's tasks, made again after failures as the stage allows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from antflow_core.engine.cancelling import worker_task
from antflow_core.engine.feeding import Entry
from antflow_core.engine.invoke import TaskCall
from antflow_core.engine.limits import TaskLimit
from antflow_core.engine.raised import add_note, trim_traceback
from antflow_core.engine.statistics import error_text

if TYPE_CHECKING:
    from antflow_core.context import WorkerContext
    from antflow_core.engine.hand import Hand
    from antflow_core.engine.run import Run
    from antflow_core.engine.stage_run import StageRun
    from antflow_core.engine.worker_reports import WorkerReports

logger = logging.getLogger("antflow.pipeline")


class Unfinished(Exception):  # noqa: N818  no error: it unwinds to the worker once the item is taken care of
    """The item is not to be handed on: it failed, was put back, or was dropped."""


class Attempts:
    """What one worker does to get an item through its stage's tasks, where that takes more than one call.

    Args:
        run: The run; told of items that fail, or go back into the queue.
        stage: The worker's stage.
        context: What others may read of the worker.
        hand: What it has in hand.
        reports: Tells of every attempt.

    Attributes:
        note_failure: Called with what an item failed with for good; None where nobody wants to know.
    """

    __slots__ = ("_context", "_hand", "_reports", "_run", "_stage", "note_failure")

    def __init__(
        self, run: Run, stage: StageRun, context: WorkerContext, hand: Hand, reports: WorkerReports
    ) -> None:
        self._run = run
        self._stage = stage
        self._context = context
        self._hand = hand
        self._reports = reports
        self.note_failure: Callable[[BaseException], None] | None = None

    async def perform(self, entry: Entry) -> Any:
        """Report that the entry was taken and call the stage's tasks; gives the last one's result.

        Raises:
            Unfinished: A task failed.
        """
        hand, reports, tasks = self._hand, self._reports, self._stage.tasks
        value = entry.value
        hand.spent_s = 0.0
        waiting = reports.status("in_progress", entry, entry.attempt)
        if waiting is not None:
            await waiting
        self._run.cancels.check(entry)
        for task in tasks:
            recovery = None
            try:
                value = await self._call(entry, task, value, entry.attempt)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  it is recorded
                recovery = self._recover(entry, task, value, error)
            if recovery is not None:  # out here, else the next error would claim to come of this one
                value = await recovery
            if worker_task().cancelling():
                await self._run.cancels.look_after(entry)
            hand.spent_s += hand.last_s
            if task is not tasks[-1]:
                waiting = reports.task("complete", entry, task, hand.attempt)
                if waiting is not None:
                    await waiting
        return value

    def recover_straight(self, entry: Entry, error: BaseException) -> Awaitable[Any]:
        """Attempt the stage's only task again after its first failure, as often as the stage allows.

        Raises:
            Unfinished: There is no other attempt at this time; raised once the result is awaited.
        """
        hand = self._hand
        hand.note_return()
        hand.spent_s = 0.0
        return self._recover_only(entry, self._recover(entry, self._stage.tasks[0], entry.value, error))

    async def wait_overdue(self, call: asyncio.Future[Any], why: str = "timed out") -> None:
        """Wait for a call that was given up but cannot be stopped; its outcome no longer matters."""
        self._context.current_task = f"{self._context.current_task} ({why}, not back yet)"
        await asyncio.wait((call,))
        if not call.cancelled():
            call.exception()
        self._context.overdue_call = None

    # Inside

    async def _recover_only(self, entry: Entry, value: Awaitable[Any]) -> Any:
        """Count the time of an only task for the whole way."""
        result = await value
        if worker_task().cancelling():
            await self._run.cancels.look_after(entry)
        self._hand.spent_s = self._hand.last_s
        return result

    async def _recover(self, entry: Entry, task: TaskCall, value: Any, error: BaseException) -> Any:
        """Attempt a task again after its first failure, as often as the stage allows.

        Raises:
            Unfinished: There is no other attempt at this time.
        """
        attempt = entry.attempt
        failure: BaseException | None = error
        try:
            while failure is not None:
                if self._run.cancels.means_worker(failure):
                    raise failure
                await self._after_failure(entry, task, failure, attempt)
                failure = None
                attempt += 1
                self._hand.attempts = max(self._hand.attempts, attempt)
                try:
                    return await self._call(entry, task, value, attempt)
                except (Exception, asyncio.CancelledError) as next_error:  # noqa: BLE001  it is recorded
                    failure = next_error
        finally:
            # An error that is kept refers to this frame, and must not be referred to by it.
            del failure, error

    async def _call(self, entry: Entry, task: TaskCall, value: Any, attempt: int) -> Any:
        """Call one task once."""
        hand = self._hand
        if task.limit is not None:
            await task.limit.enter(self._context.worker_name)
        try:
            hand.attempt = attempt
            waiting = self._reports.task("start", entry, task, attempt)
            if waiting is not None:
                await waiting
            self._run.cancels.check(entry)
            self._context.current_task = task.name
            hand.called = perf_counter()
            try:
                return await task.call(value)
            finally:
                hand.note_return()
        finally:
            if task.limit is not None:
                self._release(task.limit)

    def _release(self, limit: TaskLimit) -> None:
        """Let the next worker into the task; a call that cannot be stopped is still inside."""
        overdue, worker = self._context.overdue_call, self._context.worker_name
        if overdue is None:
            limit.leave(worker)
        else:
            overdue.add_done_callback(lambda _: limit.leave(worker))

    async def _after_failure(self, entry: Entry, task: TaskCall, error: BaseException, attempt: int) -> None:
        """Get ready for another attempt at the task; raise `Unfinished` where there is none."""
        policy, cancels = self._stage.retry, self._run.cancels
        cancels.check(entry)
        trim_traceback(error)
        add_note(error, f"stage {self._stage.name!r}, item {_shown(entry.id)}, attempt {attempt}")
        again = policy.allows_another(error, attempt)
        waiting = self._reports.task("retry" if again else "fail", entry, task, attempt, error)
        if waiting is not None:
            await waiting
        cancels.check(entry)
        if not again:
            await self._fail(entry, error, attempt)
            raise Unfinished
        self._stage.retried += 1
        if self._context.overdue_call is not None:
            await self.wait_overdue(self._context.overdue_call)
        if policy.per_stage:
            await self._put_back(entry, error, attempt)
            raise Unfinished
        self._context.current_task = f"waiting to retry {task.name}"
        if not await self._run.wait_retry(policy.wait_s(attempt)):
            self._drop()
            raise Unfinished

    async def _put_back(self, entry: Entry, error: BaseException, attempt: int) -> None:
        """Queue the entry again for another attempt at the whole stage."""
        hand = self._hand
        hand.count_time()
        if self._run.stopping:  # else it would be said to be tried again
            self._drop()
            return
        entry.attempt = attempt + 1
        spent_s = hand.spent_s + hand.last_s
        waiting = self._reports.status("retrying", entry, entry.attempt, duration=spent_s, error=error)
        if waiting is not None:
            await waiting
        self._run.cancels.check(entry)
        self._run.put_back(entry, self._stage, self._stage.retry.wait_s(attempt))

    def _drop(self) -> None:
        """Give the entry up, because the run is stopping."""
        self._reports.given_up()
        self._run.drop(1)

    async def _fail(self, entry: Entry, error: BaseException, attempt: int) -> None:
        hand, stage, name = self._hand, self._stage, self._context.worker_name
        logger.info("[%s] FAIL stage=%s id=%s error=%s", name, stage.name, entry.id, error_text(error))
        if self.note_failure is not None:
            self.note_failure(error)
        hand.entry = None  # nothing can change any more how it ends
        hand.count_time()
        self._context.failed += 1
        stage.failed += 1
        spent_s = hand.spent_s + hand.last_s
        try:
            waiting = self._reports.status("failed", entry, attempt, duration=spent_s, error=error)
            if waiting is not None:
                await waiting
            await self._reports.call_back(stage.stage.on_failure, "on_failure", entry, error, entry.value)
            await self._run.output.deliver_failure(entry, error)
        finally:
            self._run.fail_entry(entry, error, stage, attempt)


def _shown(item_id: object) -> str:
    try:
        return repr(item_id)
    except Exception:  # noqa: BLE001  a class of the script's may raise anything
        return f"<{type(item_id).__name__}>"
