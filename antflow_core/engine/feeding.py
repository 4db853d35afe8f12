"""Feeding: items from any iterable, async or not, become entries, one at a time as room appears."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sized
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from antflow_core.arguments import is_iterable
from antflow_core.engine.channel import DEFAULT_PRIORITY

if TYPE_CHECKING:
    from antflow_core.engine.run import Run
    from antflow_core.engine.stage_run import StageRun

ENTRIES_PER_TURN = 256
"""After so many without a wait the loop gets a turn: a queue without limit would keep it from all else."""


class Entry:
    """An item on its way through the stages.

    Attributes:
        sequence: Its place in the order of feeding, over all runs of its pipeline.
        attempt: The coming or current attempt at its stage, from 1.
        item: Its index in the tracker's log, where there is a tracker.
        payload: What callbacks get: id, value, sequence and the item's other keys; made when first needed.
    """

    __slots__ = ("attempt", "id", "item", "payload", "priority", "sequence", "value")

    def __init__(self, item: Any, sequence: int, priority: int) -> None:
        self.sequence = sequence
        self.priority = priority
        self.attempt = 1
        self.item = -1
        self.payload: dict[Any, Any] | None = None
        if isinstance(item, dict) and "id" in item:
            self.id = item["id"]
            self.value = item.get("value", item)
            if len(item) > 2 or "value" not in item:
                self.payload = {"id": self.id, "value": self.value, "_sequence_id": sequence, **item}
                self.payload["value"] = self.value
        else:
            self.id = sequence
            self.value = item

    def payload_with(self, value: Any) -> dict[Any, Any]:
        """The payload, always the same dict for one item, with the value of the moment."""
        if self.payload is None:
            self.payload = {"id": self.id, "value": value, "_sequence_id": self.sequence}
        self.payload["value"] = value
        return self.payload

    def metadata(self) -> dict[Any, Any]:
        """The payload without what the result says anyway."""
        if self.payload is None:
            return {}
        return {k: v for k, v in self.payload.items() if k not in ("id", "value", "_sequence_id")}


class Source:
    """Items being fed to a run, and how many are still to come.

    Attributes:
        unfed: None where the items do not know their number.

    Raises:
        TypeError: They cannot be gone through.
    """

    __slots__ = ("items", "unfed")

    def __init__(self, items: Iterable[Any] | AsyncIterable[Any]) -> None:
        if not (isinstance(items, AsyncIterable) or is_iterable(items)):
            raise _no_items(items)
        self.items = items
        self.unfed = len(items) if isinstance(items, Sized) else None


def _no_items(given: Any) -> TypeError:
    """What there is to say of something that holds no items."""
    hint = ""
    if inspect.iscoroutine(given):
        hint = f"; await it first: await {given.__name__}()"
        given.close()  # else Python warns that it was never awaited, beside the error that says why
    elif inspect.isroutine(given):
        hint = f"; call it: {given.__name__}()"
    return TypeError(f"items must be a list or another iterable, async or not, got {given!r}{hint}")


async def feed(
    run: Run,
    source: Source,
    stage: StageRun,
    *,
    priority: int = DEFAULT_PRIORITY,
    past_capacity: bool = False,
) -> None:
    """Let a source's items into a stage until there are no more, or the run takes none any more.

    Args:
        past_capacity: Do not wait for room: who feeds is a worker of the run and would wait for himself.
    """
    run.sources.add(source)
    try:
        async with _one_by_one(source.items) as items:
            async for item in items:
                if source.unfed:
                    source.unfed -= 1
                entry = Entry(item, run.next_sequence(), priority)
                run.fed += 1
                run.outstanding += 1
                if _goes_in(run, entry, stage, past_capacity):
                    continue
                if not await _bring(run, entry, stage, past_capacity):
                    return
    finally:
        run.sources.discard(source)


async def _bring(run: Run, entry: Entry, stage: StageRun, past_capacity: bool) -> bool:
    """Let an entry in that counts as outstanding; says whether the run took it, or it is dropped."""
    if run.ended:
        run.drop_latecomer()
        return False
    try:
        admitted = await let_in(run, entry, stage, past_capacity)
    except BaseException:
        stage.channel.pass_room_on()
        if run.cancels.at_door.pop(entry, None) is not None:
            run.drop(1)
        raise
    if not admitted:
        run.drop(1)
    return admitted


def _goes_in(run: Run, entry: Entry, stage: StageRun, past_capacity: bool) -> bool:
    """Let an entry in at once where there is room and nobody is to be called."""
    recorder = run.recorder
    if run.stopping or not (recorder is None or recorder.tracker.silent):
        return False
    if not (past_capacity or stage.channel.has_room()):
        return False
    if recorder is not None:
        entry.item = recorder.item(entry.id)
        stage.write_queued(entry.item, time.perf_counter() + run.wall_offset)
    stage.channel.put(entry, entry.priority)
    return True


async def let_in(run: Run, entry: Entry, stage: StageRun, past_capacity: bool) -> bool:
    """Let an entry in when there is room; until then it can be cancelled.

    Where this raises, and it still is among those at the door, it is for the caller to end it.

    Returns:
        False when the run takes none any more; it is for the caller to end the entry.
    """
    door = run.cancels.at_door
    door[entry] = stage
    if not past_capacity:
        await _wait_room(run, stage)
    if entry in door and not run.stopping and not await _tell(run, entry, stage) and not past_capacity:
        await _wait_room(run, stage)
    is_outstanding = door.pop(entry, None) is not None
    if is_outstanding and not run.stopping:
        stage.put(entry)
        return True
    stage.channel.pass_room_on()  # a worker that still has an item may wait behind
    return not is_outstanding


async def _tell(run: Run, entry: Entry, stage: StageRun) -> bool:
    """Tell that an entry is let in; says whether its place is still there after that.

    What ends a program ends the run, as it does from every other callback, and not only who feeds.
    """
    try:
        waiting = stage.report_fed(entry)
        return waiting is None or await waiting
    except (Exception, asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        run.abort(error)
        raise


async def _wait_room(run: Run, stage: StageRun) -> None:
    """Wait until there is room, or the run takes nothing any more."""
    if not (run.stopping or stage.channel.has_room()):
        run.start_if_needed()
        with run.output.let_out_for_caller():
            await stage.channel.wait_room()


@asynccontextmanager
async def _one_by_one(items: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """Items as an async iterator that is closed when feeding ends early."""
    if not isinstance(items, AsyncIterable):
        source = _in_turns(items)
        async with aclosing(source):
            yield source
        return
    iterator = aiter(items)
    try:
        yield iterator
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()


async def _in_turns(items: Iterable[Any]) -> Any:
    for count, item in enumerate(items, start=1):
        yield item
        if not count % ENTRIES_PER_TURN:
            await asyncio.sleep(0)
