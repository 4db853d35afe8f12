"""A limited log: the oldest chunks leave, the numbers stay right, and memory stays bounded."""

from __future__ import annotations

import random

import pytest

from antflow_core import Pipeline, Stage, StatusTracker
from antflow_core.history.event_log import EventLog
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.tracker import RunRecorder

LIMIT = 2 * CHUNK_ROWS


def feed(record: RunRecorder, items: range, seed: int = 0) -> None:
    """What becomes of some items in two stages; some fail, with few or with many messages."""
    lot = random.Random(seed)
    for item in items:
        record.status(item, 0, "queued")
        record.status(item, 0, "in_progress", "A-W0", attempt=1)
        chance = lot.random()
        if chance < 0.1:
            error = ValueError(f"item {item}" if chance < 0.05 else "the usual")
            record.status(item, 0, "failed", "A-W0", attempt=1, error=error)
        else:
            record.status(item, 0, "completed", "A-W0", attempt=1)
            record.status(item, 1, "queued")
            record.status(item, 1, "in_progress", "B-W0", attempt=1)
            record.status(item, 1, "completed", "B-W0", attempt=1)


def fed(items: int, max_events: int | None) -> tuple[StatusTracker, RunRecorder]:
    tracker = StatusTracker(max_events=max_events)
    record = tracker.begin_run(["A", "B"])
    feed(record, range(items))
    return tracker, record


@pytest.fixture(scope="module")
def limited() -> StatusTracker:
    return fed(20_000, LIMIT)[0]


@pytest.fixture(scope="module")
def whole() -> StatusTracker:
    return fed(20_000, None)[0]


def test_no_more_events_are_held_than_the_limit(limited: StatusTracker, whole: StatusTracker) -> None:
    assert CHUNK_ROWS <= len(limited.log) <= LIMIT
    assert limited.log.dropped_events == limited.log.first_row > 0
    assert limited.log.next_row == whole.log.next_row


def test_the_events_still_held_are_those_of_a_log_without_limit(
    limited: StatusTracker, whole: StatusTracker
) -> None:
    rows = range(limited.log.first_row, limited.log.next_row, 7)
    for ours, theirs in zip(limited.log.page(rows), whole.log.page(rows), strict=True):
        same = ("row", "run", "item", "item_id", "stage", "kind", "attempt", "worker", "task")
        assert [getattr(ours, name) for name in same] == [getattr(theirs, name) for name in same]
        if ours.error >= 0:
            assert limited.log.error(ours.error) == whole.log.error(theirs.error)


def test_counts_and_failures_include_what_has_been_dropped(
    limited: StatusTracker, whole: StatusTracker
) -> None:
    assert limited.get_stats() == whole.get_stats()
    ours, theirs = limited.get_error_summary(), whole.get_error_summary()
    assert (ours.total_failed, ours.errors_by_type, ours.errors_by_stage) == (
        theirs.total_failed,
        theirs.errors_by_type,
        theirs.errors_by_stage,
    )
    assert [(f.item_id, f.error) for f in ours.failed_items] == [
        (f.item_id, f.error) for f in theirs.failed_items
    ]


def test_items_whose_events_are_gone_are_unknown_and_others_known(limited: StatusTracker) -> None:
    assert limited.get_status(0) is None
    assert limited.get_history(0) == []
    latest = limited.get_status(19_999)
    assert latest is not None
    assert latest.status in ("completed", "failed")
    assert 0 not in limited.get_tracked_ids()
    assert 19_999 in limited.get_tracked_ids()
    statuses = [event.status for event in limited.get_by_status("completed")]
    assert set(statuses) == {"completed"}


def test_items_under_way_stay_until_they_end() -> None:
    tracker = StatusTracker(max_events=LIMIT)
    record = tracker.begin_run(["A", "B"])
    record.status("slow", 0, "queued")
    feed(record, range(15_000))
    assert tracker.log.items_with_id("slow") == [0]
    assert tracker.get_status("slow") is None
    record.status("slow", 0, "in_progress", "A-W0", attempt=1)
    status = tracker.get_status("slow")
    assert status is not None
    assert status.status == "in_progress"
    before = len(tracker.log.items.ids)
    record.status("slow", 0, "failed", "A-W0", attempt=1)
    feed(record, range(15_000, 30_000))
    assert tracker.get_status("slow") is None
    assert "slow" in [failed.item_id for failed in tracker.get_failed_items()]
    assert len(tracker.log.items.ids) < before


def test_what_is_held_does_not_grow_with_what_went_through() -> None:
    tracker = StatusTracker(max_events=LIMIT)
    record = tracker.begin_run(["A"])
    sizes = []
    for start in range(0, 120_000, 30_000):
        for item in range(start, start + 30_000):
            record.status(item, 0, "queued")
            record.status(item, 0, "completed", "A-W0", attempt=1)
        sizes.append((len(tracker.log.items.ids), len(tracker.log.run_items(1))))
    assert max(sizes[1:]) <= (LIMIT, LIMIT)
    assert tracker.get_stats()["completed"] == 120_000


def test_a_failure_is_told_alike_before_and_after_its_events_are_dropped() -> None:
    tracker = StatusTracker(max_events=LIMIT)
    record = tracker.begin_run(["A", "B"])
    record.status("no error", 0, "failed")
    record.status("told by hand", 0, "failed", metadata={"error": "no stock", "error_type": "Refused"})
    record.status("raised", 0, "failed", attempt=3, error=ValueError("boom"))
    before = tracker.get_failed_items()
    feed(record, range(15_000))
    assert tracker.get_status("raised") is None
    assert tracker.get_failed_items()[:3] == before


def test_what_is_kept_of_failed_items_counts_as_memory() -> None:
    tracker = StatusTracker(max_events=LIMIT)
    record = tracker.begin_run(["A"])
    sizes = []
    for start in range(0, 120_000, 40_000):
        for item in range(start, start + 40_000):
            record.status(item, 0, "failed", "A-W0", attempt=1, error=ValueError("boom"))
        sizes.append(tracker.log.memory_bytes)
    assert 200 < (sizes[2] - sizes[1]) / 40_000 < 400


def test_an_item_that_failed_long_ago_can_succeed_after_all() -> None:
    tracker = StatusTracker(max_events=LIMIT)
    record = tracker.begin_run(["A", "B"])
    record.status("late", 0, "failed", "A-W0", attempt=1, error=ValueError("first"))
    feed(record, range(20_000))
    failed = tracker.get_stats()["failed"]
    record.status("late", 0, "queued")
    assert tracker.get_stats()["failed"] == failed - 1
    assert "late" not in [lost.item_id for lost in tracker.get_failed_items()]


def test_rows_that_somebody_still_needs_stay() -> None:
    log = EventLog(LIMIT)
    log.begin_run("", ["A"], 0.0)
    item = log.run_items(1)["x"]
    release = log.hold_rows(lambda: 100)
    for _ in range(4 * CHUNK_ROWS):
        log.append(1.0, item, 0, 0, 0, 0xFFFF, -1, float("nan"), -1)
    assert log.first_row == 0
    release()
    release()
    for _ in range(CHUNK_ROWS):
        log.append(1.0, item, 0, 0, 0, 0xFFFF, -1, float("nan"), -1)
    assert log.first_row > 100
    assert len(log) <= LIMIT


def test_a_mirror_of_a_limited_log_misses_nothing() -> None:
    tracker = StatusTracker(max_events=LIMIT)
    record = tracker.begin_run(["A", "B"])
    copy = EventLog()
    end = copy.mirror(tracker.log)
    for start in range(0, 20_000, 2_000):
        feed(record, range(start, start + 2_000), seed=start)
    end()
    assert copy.next_row == tracker.log.next_row
    assert copy.status_counts() == tracker.log.status_counts()


def test_a_limit_below_two_chunks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"max_events must be None \(no limit\) or at least 32,768.*got 10"):
        StatusTracker(max_events=10)


async def test_a_pipeline_with_a_limited_tracker_runs_through() -> None:
    tracker = StatusTracker(max_events=LIMIT)

    async def work(value: int) -> int:
        if value % 50 == 0:
            raise LookupError(value)
        return value

    stages = [Stage("A", 3, [work], task_attempts=1), Stage("B", 3, [work], task_attempts=1)]
    results = await Pipeline(stages, status_tracker=tracker).run(range(10_000))
    assert len(results) == 9_800
    assert tracker.get_stats()["completed"] == 9_800
    assert tracker.get_error_summary().total_failed == 200
    assert tracker.log.dropped_events > 0


def test_a_batch_of_many_chunks_drops_what_it_overtakes_itself() -> None:
    source, _ = fed(20_000, None)
    target = EventLog(LIMIT)
    end = target.mirror(source.log)
    end()
    assert target.next_row == source.log.next_row
    assert len(target) <= LIMIT
    assert target.status_counts() == source.log.status_counts()


def test_records_added_at_once_may_be_more_than_the_limit() -> None:
    source, _ = fed(20_000, None)
    target = StatusTracker(max_events=LIMIT)
    target.begin_run(["A", "B"])
    for item in range(source.log.item_count):
        target.log.run_items(1)[item]
    for error in range(source.log.error_count):
        target.log.errors.add(source.log.error_parts(error))
    for worker in source.log.workers:
        target.log.worker_indexes[worker]
    target.log.append_records(source.log.columns(0, source.log.next_row))
    assert len(target.log) <= LIMIT
    assert target.get_stats() == source.get_stats()
    assert target.get_error_summary().total_failed == source.get_error_summary().total_failed
