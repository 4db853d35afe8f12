"""Cancelling: how single entries of a run end before their time, wherever they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from antflow_core.engine.callers import calling_back
from antflow_core.engine.failures import Ids
from antflow_core.engine.feeding import Entry
from antflow_core.history.endings import CANCELLED

if TYPE_CHECKING:
    from antflow_core.engine.run import Run
    from antflow_core.engine.stage_run import StageRun


class Cancels:
    """The entries of one run that are cancelled one by one.

    One that a worker has in hand is marked, and the worker's asyncio task cancelled; the worker notices, ends
    the entry and goes on. Any other leaves where it is and ends at once.

    Args:
        run: Told about every end.

    Attributes:
        count: How many have ended so.
        at_door: Entries that wait to be let in, with the stage they are for; who cancels one takes it out.
    """

    __slots__ = ("_marked", "_reports", "_run", "at_door", "count")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._marked: dict[Entry, int] = {}  # how often the worker's task was cancelled for it
        self._reports: set[asyncio.Task[None]] = set()
        self.at_door: dict[Entry, StageRun] = {}
        self.count = 0

    def cancel(self, item_id: Any) -> bool:
        """Cancel every entry of an id that has not ended; says whether there was one."""
        run = self._run
        if run.cancelling or run.ended:
            return False
        ids = Ids([item_id])
        workers = [worker for stage in run.stages for worker in stage.crew.working()]
        in_hand = [
            (worker, worker.hand.entry)
            for worker in workers
            if worker.hand.entry is not None and worker.hand.entry.id in ids
        ]
        for worker, entry in in_hand:
            self._marked[entry] = self._marked.get(entry, 0) + 1
            worker.interrupt()
        # All have left before the first end is told: who hears of it may ask for the next.
        left = self._withdraw(lambda entry: entry.id in ids)
        with ExitStack() as ends:  # all of them end, whatever a callback raises
            for entry, stage in reversed(left):
                ends.callback(self._end, entry, stage)
        return bool(in_hand or left)

    def check(self, entry: Entry) -> None:
        """Go no further with an entry in hand that is to end.

        Raises:
            CancelledError: It is marked; the worker knows what that means.
        """
        if entry in self._marked:
            raise asyncio.CancelledError(CANCELLED)

    def means_worker(self, error: BaseException) -> bool:
        """Whether an error is the cancellation of the worker that meets it; a task may raise one itself."""
        return isinstance(error, asyncio.CancelledError) and (
            self._run.cancelling or worker_task().cancelling() > 0
        )

    async def look_after(self, entry: Entry) -> None:
        """A task came through although the worker's asyncio task was cancelled: see what that was meant for.

        Raises:
            CancelledError: The entry is to end, or the worker.
        """
        task = worker_task()
        self.check(entry)
        if self._run.cancelling:
            return
        while task.uncancel():  # the task did it to itself, and dealt with it
            pass
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)  # or did not wait for it to come
        self.check(entry)
        if self._run.cancelling or task.cancelling():
            raise asyncio.CancelledError

    def unmark(self, entry: Entry) -> int:
        """Take the mark off an entry.

        Returns:
            How often the worker's task was cancelled for it.
        """
        return self._marked.pop(entry, 0)

    async def end_in_hand(self, entry: Entry, stage: StageRun, worker: str, attempt: int) -> None:
        """End an entry that a worker has in hand, in the worker's task.

        Nobody is called back once the run is cancelled: that must not have to wait.
        """
        error = asyncio.CancelledError(CANCELLED)
        run = self._run
        try:
            if run.recorder is not None:
                waiting = run.recorder.status(
                    entry.id,
                    stage.index,
                    "failed",
                    worker,
                    attempt=attempt,
                    error=error,
                    quietly=run.cancelling,
                )
                if waiting is not None:
                    await waiting
        finally:
            self._count(entry, error)

    def is_reporting(self) -> bool:
        """Whether a callback is still being awaited for an entry that no worker had."""
        return bool(self._reports)

    def give_up_reports(self) -> None:
        """Cancel the callbacks that are awaited."""
        for report in self._reports:
            report.get_loop().call_soon(report.cancel)  # not before it has begun: it would never be awaited

    def _withdraw(self, wanted: Callable[[Entry], bool]) -> list[tuple[Entry, StageRun]]:
        """Take entries out of where they wait without a worker."""
        run = self._run
        at_door = [(entry, stage) for entry, stage in self.at_door.items() if wanted(entry)]
        for entry, _ in at_door:
            del self.at_door[entry]
        queued = [(entry, stage) for stage in run.stages for entry in _leave_queue(stage, wanted)]
        delayed = [(entry, stage) for entry, stage in run.waits.delayed() if wanted(entry)]
        for entry, _ in delayed:
            run.waits.remove(entry)
        return [*queued, *delayed, *at_door]

    def _end(self, entry: Entry, stage: StageRun) -> None:
        """End an entry that no worker has; where a callback is to be awaited, after that."""
        error = asyncio.CancelledError(CANCELLED)
        waiting: Awaitable[None] | None = None
        try:
            with calling_back(self._run):
                if self._run.recorder is not None:
                    waiting = self._run.recorder.status(entry.id, stage.index, "failed", error=error)
                if waiting is not None:
                    self._begin_report(waiting, entry, error)
        finally:
            if waiting is None:
                self._count(entry, error)

    def _begin_report(self, waiting: Awaitable[None], entry: Entry, error: asyncio.CancelledError) -> None:
        report = asyncio.get_running_loop().create_task(self._report(waiting), name="antflow cancellation")
        self._reports.add(report)

        def end(_: asyncio.Task[None]) -> None:
            self._reports.discard(report)
            self._count(entry, error)

        report.add_done_callback(end)

    async def _report(self, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  even SystemExit must reach run(), not the loop
            self._run.abort(error)

    def _count(self, entry: Entry, error: asyncio.CancelledError) -> None:
        self.count += 1
        self._run.end_cancelled(entry, error)


def _leave_queue(stage: StageRun, wanted: Callable[[Entry], bool]) -> list[Entry]:
    """Take entries out of a stage's queue, those too that it has handed over and nobody has begun."""
    handed = [worker.recall(wanted) for worker in stage.crew.working()]
    return [*stage.channel.remove(wanted), *(entry for entry in handed if entry is not None)]


def worker_task() -> asyncio.Task[Any]:
    """The asyncio task of the worker that asks."""
    task = asyncio.current_task()
    assert task is not None
    return task
