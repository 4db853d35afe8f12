"""Waits: what pauses before another attempt: workers with an item in hand, and entries to be queued again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from antflow_core.engine.feeding import Entry
from antflow_core.engine.waiters import wake

if TYPE_CHECKING:
    from antflow_core.engine.stage_run import StageRun


class RetryWaits:
    """The pauses between attempts in one run."""

    __slots__ = ("_delayed", "_workers")

    def __init__(self) -> None:
        self._delayed: dict[Entry, tuple[asyncio.TimerHandle, StageRun]] = {}
        self._workers: set[asyncio.Future[None]] = set()

    async def wait(self, wait_s: float) -> None:
        """Have a worker wait with its item in hand."""
        if wait_s <= 0:
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        timer = loop.call_later(wait_s, wake, future)
        self._workers.add(future)
        try:
            await future
        finally:
            timer.cancel()
            self._workers.discard(future)

    def delay(self, entry: Entry, wait_s: float, stage: StageRun) -> None:
        """Have an entry that no worker holds put into a stage's queue after so many seconds."""
        timer = asyncio.get_running_loop().call_later(wait_s, self._put, entry)
        self._delayed[entry] = timer, stage

    def remove(self, entry: Entry) -> bool:
        """Take an entry out; says whether it was waiting here."""
        waiting = self._delayed.pop(entry, None)
        if waiting is None:
            return False
        waiting[0].cancel()
        return True

    def delayed(self) -> list[tuple[Entry, StageRun]]:
        """The entries that no worker holds, with the stages they are for."""
        return [(entry, stage) for entry, (_, stage) in self._delayed.items()]

    def end(self) -> int:
        """Let the workers go on at once, and let go of the entries.

        Returns:
            How many entries that were.
        """
        count = len(self._delayed)
        for timer, _ in self._delayed.values():
            timer.cancel()
        self._delayed.clear()
        for future in self._workers:
            wake(future)
        return count

    def _put(self, entry: Entry) -> None:
        _, stage = self._delayed.pop(entry)
        stage.put(entry)
