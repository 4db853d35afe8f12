"""The quick way of writing the usual events: it says exactly what the slow one says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antflow_core import Pipeline, Stage, StatusTracker
from antflow_core.history.records import EventRow
from antflow_core.history.storage import CHUNK_ROWS


async def work(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def fails_first(value: int, seen: set[int]) -> int:
    if value % 7 == 0 and value not in seen:
        seen.add(value)
        raise ValueError(value)
    return value


def make_stages() -> list[Stage]:
    seen: set[int] = set()

    async def flaky(value: int) -> int:
        return await fails_first(value, seen)

    async def hopeless(value: int) -> int:
        if value % 11 == 0:
            raise LookupError(value)
        return value

    return [
        Stage("Plain", 3, [work]),
        Stage("Two tasks", 2, [work, flaky], task_wait_seconds=0),
        Stage("Limited", 2, [work], task_concurrency_limits={"work": 1}),
        Stage("Put back", 2, [flaky], retry="per_stage", queue_capacity=1),
        Stage("Pull", 2, [hopeless], pull=True, task_attempts=1, skip_if=lambda value: value % 5 == 0),
    ]


async def follow(tracker: StatusTracker, items: int) -> StatusTracker:
    await Pipeline(make_stages(), status_tracker=tracker).run(range(items))
    return tracker


def ways(tracker: StatusTracker) -> dict[object, list[tuple[Any, ...]]]:
    """Each item's events without moments, durations and the number of the worker that happened to be free."""
    found: dict[object, list[tuple[Any, ...]]] = {}
    for event in tracker.log.page(range(tracker.log.next_row)):
        found.setdefault(event.item_id, []).append(_told(event))
    return found


def _told(event: EventRow) -> tuple[Any, ...]:
    worker = event.worker and event.worker.rpartition("-")[0]
    return (
        event.stage,
        event.kind,
        event.attempt,
        worker,
        event.task,
        event.duration is None,
        event.error >= 0,
    )


async def test_silent_and_calling_trackers_hold_the_same_ways() -> None:
    silent = await follow(StatusTracker(), 200)
    calling = await follow(StatusTracker(on_status_change=lambda event: None), 200)
    assert silent.silent
    assert not calling.silent
    assert ways(silent) == ways(calling)
    assert silent.get_stats() == calling.get_stats()


async def test_chunks_change_without_a_gap() -> None:
    items = CHUNK_ROWS // 20
    tracker = await follow(StatusTracker(), items)
    assert tracker.log.next_row > CHUNK_ROWS
    rows = tracker.log.page(range(tracker.log.next_row))
    assert all(row.time > 0 for row in rows)
    assert [row.time for row in rows] == sorted(row.time for row in rows)
    latest = {item: tracker.get_status(item) for item in range(items)}
    assert all(event is not None for event in latest.values())
    assert sum(tracker.get_stats().values()) == items


@pytest.mark.parametrize("records_before", range(4))
async def test_steps_at_the_end_of_a_chunk_are_whole(records_before: int) -> None:
    tracker = StatusTracker()
    recorder = tracker.begin_run(["A", "B"])
    write = recorder.step_writers(0, "A-W0", ["f", "g"])
    item = recorder.item("x")
    tracker.log.append_records(_filler(tracker, CHUNK_ROWS - records_before))
    write.taken(item, 1.0)
    write.passed(item, 2.0, 0.5, 0.75)
    write.taken(item, 3.0)
    write.completed(item, 4.0, 0.5, 0.75)
    rows = tracker.log.page(range(CHUNK_ROWS - records_before, tracker.log.next_row))
    told = [(row.stage, row.kind, row.task, row.duration) for row in rows]
    took = [("A", "in_progress", None, None), ("A", "start", "f", None)]
    done = [("A", "complete", "g", 0.5), ("A", "completed", None, 0.75)]
    assert told == [*took, *done, ("B", "queued", None, None), *took, *done]
    assert tracker.get_stats()["completed"] == 1
    assert tracker.log.latest_row(item) == rows[-1].row


def _filler(tracker: StatusTracker, count: int) -> Any:
    """Task events of another item, as a block."""
    import numpy

    recorder = tracker.begin_run(["Z"])
    recorder.task("other", 0, "f", "Z-W0", "start", 1)
    row = tracker.log.columns(0, 1)
    return numpy.repeat(row, count - 1)


def test_a_callback_set_later_is_called_at_once() -> None:
    seen: list[str] = []
    tracker = StatusTracker()

    async def main() -> None:
        async def set_callback(value: int) -> int:
            tracker.on_status_change = lambda event: seen.append(event.status)
            return value

        await Pipeline([Stage("A", 1, [set_callback]), Stage("B", 1, [work])], status_tracker=tracker).run(
            [1]
        )

    asyncio.run(main())
    assert seen == ["completed", "queued", "in_progress", "completed"]
    tracker.on_status_change = None
    assert tracker.silent
