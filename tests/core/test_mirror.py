"""A log that follows others: the same events under its own indexes, live and to the last row."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from antflow_core.history.answers import event_at
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import NO_DURATION, NO_ERROR, EventRow
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.tracker import StatusTracker
from antflow_core.types import TaskEvent
from tests.support.events import STAGES, play_item, played_tracker


def told(log: EventLog, event: EventRow) -> tuple[object, ...]:
    """What an event says without the indexes of its log."""
    error = None if event.error < 0 else log.error(event.error)
    return (
        event.time,
        event.item_id,
        log.stages[event.stage_index].name,
        event.kind,
        event.attempt,
        event.worker,
        event.task,
        event.duration,
        error,
    )


def story(log: EventLog, run: int) -> list[tuple[object, ...]]:
    return [told(log, event) for event in log.page(range(log.next_row)) if event.run == run]


def latest_kinds(log: EventLog) -> list[str | None]:
    rows = map(log.latest_row, range(log.item_count))
    return [log.event(row).kind if row >= 0 else None for row in rows]


def test_what_is_there_is_copied_at_once() -> None:
    source, target = played_tracker(20).log, played_tracker(5, seed=2).log
    own = story(target, 1)
    target.mirror(source)
    assert story(target, 2) == story(source, 1)
    assert story(target, 1) == own
    assert target.status_counts(2) == source.status_counts()
    assert target.runs[1].name == source.runs[0].name
    assert target.runs[1].ended_at == source.runs[0].ended_at


def test_answers_follow_the_copied_events() -> None:
    source = played_tracker(20)
    session = StatusTracker()
    session.log.mirror(source.log)
    assert session.get_tracked_ids() == source.get_tracked_ids()
    assert session.get_failed_items() == source.get_failed_items()
    for item_id in source.get_tracked_ids():
        assert session.get_status(item_id) == source.get_status(item_id)
        assert session.get_history(item_id) == source.get_history(item_id)


def test_the_same_error_is_stored_once_in_the_copying_log() -> None:
    first, second = played_tracker(20, seed=3).log, played_tracker(20, seed=3).log
    target = EventLog()
    target.mirror(first)
    errors = target.error_count
    target.mirror(second)
    assert target.error_count == errors


async def test_new_events_are_copied_as_they_are_announced() -> None:
    source, target, heard, copied = StatusTracker(), EventLog(), list[range](), asyncio.Event()

    def hear(rows: range) -> None:
        heard.append(rows)
        copied.set()

    target.mirror(source.log)
    target.subscribe(hear)
    record = source.begin_run(STAGES)
    play_item(record, "a", fails_in=1)
    await asyncio.wait_for(copied.wait(), 10)
    assert heard == [range(len(source.log))]
    play_item(record, "b")
    copied.clear()
    await asyncio.wait_for(copied.wait(), 10)
    assert len(heard) == 2
    assert story(target, 1) == story(source.log, 1)
    assert target.status_counts() == source.log.status_counts()


def test_stopping_copies_the_tail_and_nothing_after_it() -> None:
    source, target = StatusTracker(), EventLog()
    stop = target.mirror(source.log)
    record = source.begin_run(STAGES)
    play_item(record, "a")
    record.end()
    assert len(target) == 0
    stop()
    assert story(target, 1) == story(source.log, 1)
    assert target.runs[0].ended_at == source.log.runs[0].ended_at
    copied = len(target)
    play_item(record, "b")
    stop()
    source.log.flush()
    assert len(target) == copied


def test_two_logs_with_equal_ids_stay_apart() -> None:
    first, second, session = StatusTracker(), StatusTracker(), StatusTracker()
    stops = [session.log.mirror(first.log), session.log.mirror(second.log)]
    for tracker, fails_in in ((first, 0), (second, None)):
        record = tracker.begin_run(STAGES)
        for item in range(3):
            play_item(record, item, fails_in=fails_in)
    for stop in stops:
        stop()
    assert session.get_stats()["failed"] == session.get_stats()["completed"] == 3


def test_copies_go_on_over_chunks() -> None:
    source = StatusTracker()
    record = source.begin_run(["A"])
    for number in range(2 * CHUNK_ROWS + 10):
        record.status(number % 1_000, 0, "queued" if number % 2 else "completed")
    target = StatusTracker()
    target.begin_run(["Own"]).status("own", 0, "queued")
    target.log.mirror(source.log)
    assert len(target.log) == len(source.log) + 1
    assert story(target.log, 2) == story(source.log, 1)
    assert target.log.status_counts(2) == source.log.status_counts(1)


def test_further_metadata_is_copied() -> None:
    source, target = StatusTracker(), StatusTracker()
    target.begin_run(["Own"]).status("own", 0, "queued")
    source.begin_run(["A"]).status("a", 0, "skipped", metadata={"reason": "cached"})
    target.log.mirror(source.log)
    copied = target.get_status("a")
    assert copied is not None
    assert copied.metadata == {"reason": "cached"}


def test_copied_events_read_as_the_originals() -> None:
    source, target = played_tracker(10).log, EventLog()
    target.mirror(source)
    for row in source.rows_of_item(4).tolist():
        original, copied = event_at(source, row), event_at(target, row)
        if isinstance(original, TaskEvent) and original.error is not None:
            assert str(getattr(copied, "error", None)) == str(original.error)
        else:
            assert copied == original


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 9), st.booleans()), max_size=60)
)
def test_however_it_is_cut_the_copy_tells_the_same(steps: list[tuple[int, int, int, bool]]) -> None:
    source, target = StatusTracker(), EventLog()
    for _ in range(3):
        source.begin_run(STAGES)
    stop = target.mirror(source.log)
    log = source.log
    for run, item, kind, flush in steps:
        index = log.run_items(run + 1)[item]
        stage = log.stage_indexes(run + 1)[item % 3]
        task, worker = log.task_indexes[f"task-{kind}"], log.worker_indexes[f"W-{item}"]
        log.append(1.0, index, stage, kind, 1, task, worker, NO_DURATION, NO_ERROR)
        if flush:
            log.flush()
    stop()
    for run in (1, 2, 3):
        assert story(target, run) == story(log, run)
        assert target.status_counts(run) == log.status_counts(run)
    assert latest_kinds(target) == latest_kinds(log)
