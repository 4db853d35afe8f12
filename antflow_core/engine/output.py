"""Output: where the results of a run go: they are kept, or handed over one by one to who takes them."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from antflow_core.engine.channel import Channel
from antflow_core.engine.feeding import Entry
from antflow_core.types import PipelineResult

if TYPE_CHECKING:
    from antflow_core.engine.run import Run


class Output:
    """The results of one run.

    Args:
        run: Told about every end in a result.
        collect: Keep them.
        delivery: Where they are handed over one by one, failures too; None where nobody takes them so.

    Attributes:
        collect: As given.
        delivery: As given.
        results: Those that are kept, in the order they came.
        processed: Entries that ended in a result.
        attended: Somebody waits for the ends of single entries: who takes the delivery, or a rescue.
    """

    __slots__ = ("_run", "_taker", "attended", "collect", "delivery", "processed", "results")

    def __init__(self, run: Run, *, collect: bool, delivery: Channel[PipelineResult] | None) -> None:
        self._run = run
        self.collect = collect
        self.delivery = delivery
        self.results: list[PipelineResult] = []
        self.processed = 0
        self.attended = delivery is not None
        self._taker: weakref.ref[asyncio.Task[Any]] | None = None

    def in_input_order(self) -> list[PipelineResult]:
        """The results that are kept."""
        return sorted(self.results, key=lambda result: result.sequence_id)

    def take(self, entry: Entry) -> Awaitable[None] | None:
        """An entry came through the last stage; gives what is to be waited for before it has ended."""
        if self.attended:
            return self._take_attended(entry)
        if self.collect:
            self.results.append(PipelineResult(entry.id, entry.value, entry.sequence, entry.metadata()))
        self.processed += 1
        self._run.end_outstanding(1)
        return None

    def attend(self, by_rescue: bool) -> None:
        """From now on somebody waits for entries that are tried again, or nobody does any more."""
        self.attended = by_rescue or self.delivery is not None

    async def deliver_failure(self, entry: Entry, error: BaseException) -> None:
        """Hand the result of an entry that is about to fail to who takes results one by one."""
        if self.delivery is not None:
            await _deliver(self.delivery, _result(entry, error))

    def deliver_cancelled(self, entry: Entry, error: asyncio.CancelledError) -> None:
        """The same for one that was cancelled by itself: nobody waits, so it goes past the capacity."""
        if self.delivery is not None:
            self.delivery.put(_result(entry, error))

    def wait_for_nobody(self) -> None:
        """Let all results out: who stops inside the loop over them takes none."""
        if self.delivery is not None:
            self.delivery.set_capacity(None)

    def note_taker(self) -> None:
        """The asyncio task that calls takes the delivery; it is not kept, and with it what it failed with."""
        task = asyncio.current_task()
        self._taker = None if task is None else weakref.ref(task)

    @contextmanager
    def let_out_for_caller(self) -> Iterator[None]:
        """Where the caller is who takes the results, let all of them out as long as he waits in the body."""
        delivery = self.delivery
        if delivery is None or delivery.capacity is None or not self._is_taken_by_caller():
            yield
            return
        capacity = delivery.capacity
        delivery.set_capacity(None)
        try:
            yield
        finally:
            if not self._run.stopping:
                delivery.set_capacity(capacity)

    def close(self) -> None:
        """There are no more."""
        if self.delivery is not None:
            self.delivery.close()

    def _is_taken_by_caller(self) -> bool:
        return self._taker is not None and self._taker() is asyncio.current_task()

    async def _take_attended(self, entry: Entry) -> None:
        """An entry came through, and its result is handed to who waits for it."""
        result = _result(entry)
        if self.delivery is not None:
            await _deliver(self.delivery, result)
        elif self.collect:
            self.results.append(result)
        self.processed += 1
        self._run.rescues.note_end(entry, result)
        self._run.end_outstanding(1)


def _result(entry: Entry, error: BaseException | None = None) -> PipelineResult:
    # A CancelledError, a task's own or by cancel_item, is no Exception; the result carries it all the same.
    return PipelineResult(entry.id, entry.value, entry.sequence, entry.metadata(), error)  # type: ignore[arg-type]


async def _deliver(delivery: Channel[PipelineResult], result: PipelineResult) -> None:
    if not delivery.has_room():
        await delivery.wait_room()
    delivery.put(result)
