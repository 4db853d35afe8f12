"""What a tracker answers afterwards: status, history, statistics, errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antflow_core.history.answers import RecordedError
from antflow_core.history.records import KINDS, STATUS_COUNT
from antflow_core.tracker import StatusTracker
from antflow_core.types import StatusEvent, TaskEvent
from tests.support.events import STAGES, play_item, played_tracker, raised


def statuses(events: list[StatusEvent]) -> list[str]:
    return [event.status for event in events]


def test_an_unknown_item_has_no_status_and_no_history() -> None:
    tracker = played_tracker(3)
    assert tracker.get_status("nobody") is None
    assert tracker.get_history("nobody") == []
    assert tracker.get_task_history(["nobody"]) == []


def test_the_latest_status_is_answered() -> None:
    tracker = StatusTracker()
    play_item(tracker.begin_run(STAGES), "a", fails_in=1)
    event = tracker.get_status("a")
    assert event is not None
    assert (event.status, event.stage, event.worker_id is not None) == ("failed", "Parse", True)


def test_the_history_of_an_item_is_in_order_and_holds_status_events_only() -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    play_item(record, "a", fails_in=0)
    play_item(record, "b")
    assert statuses(tracker.get_history("a")) == ["queued", "in_progress", "retrying", "failed"]
    assert statuses(tracker.get_history("b")) == ["queued", "in_progress", "completed"] * 3


def test_the_task_history_of_an_item_carries_recorded_errors() -> None:
    tracker = StatusTracker()
    play_item(tracker.begin_run(STAGES), "a", fails_in=0, message="boom")
    events = tracker.get_task_history("a")
    assert [event.event_type for event in events] == ["start", "retry", "start", "fail"]
    assert [event.attempt for event in events] == [1, 1, 2, 2]
    assert events[0].error is None
    assert events[0].duration is None
    assert events[3].duration == 0.25
    error = events[3].error
    assert isinstance(error, RecordedError)
    assert (error.type_name, str(error)) == ("ValueError", "boom")
    assert error.traceback.endswith("ValueError: boom")


def test_statistics_name_every_status() -> None:
    assert StatusTracker().get_stats() == dict.fromkeys(KINDS[:STATUS_COUNT], 0)


def test_items_are_found_by_their_current_status_in_first_seen_order() -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    for item in ("c", "a", "b"):
        record.status(item, 0, "queued")
    record.status("a", 0, "in_progress")
    assert [event.item_id for event in tracker.get_by_status("queued")] == ["c", "b"]
    assert [event.item_id for event in tracker.get_by_status("in_progress")] == ["a"]
    assert tracker.get_by_status("failed") == []


def test_no_item_has_what_is_no_status_as_in_antflow() -> None:
    tracker = StatusTracker()
    tracker.begin_run(STAGES).status("a", 0, "queued")
    for status in ("pending", "start", None):
        assert tracker.get_by_status(status) == []  # type: ignore[arg-type]


def test_ids_are_listed_once_in_first_seen_order() -> None:
    tracker = StatusTracker()
    first, second = tracker.begin_run(STAGES), tracker.begin_run(STAGES)
    for record, item in ((first, 2), (second, "2"), (second, 2), (first, 1)):
        record.status(item, 0, "queued")
    assert tracker.get_tracked_ids() == [2, "2", 1]


def test_an_id_used_again_in_a_later_run_is_a_new_item() -> None:
    tracker = StatusTracker()
    first = tracker.begin_run(STAGES)
    play_item(first, 0, fails_in=0)
    first.end()
    second = tracker.begin_run(STAGES)
    second.status(0, 0, "queued")

    latest = tracker.get_status(0)
    assert latest is not None
    assert latest.status == "queued"
    assert tracker.get_stats()["queued"] == tracker.get_stats()["failed"] == 1
    assert [event.item_id for event in tracker.get_by_status("failed")] == [0]
    assert statuses(tracker.get_history(0)) == ["queued", "in_progress", "retrying", "failed", "queued"]


def test_failed_items_come_in_the_order_they_failed() -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    for item in ("a", "b", "c"):
        record.status(item, 0, "queued")
    for item in ("c", "a"):
        record.status(item, 0, "failed", "Fetch-W0", attempt=3, error=raised(OSError(f"no {item}")))
    failed = tracker.get_failed_items()
    assert [(item.item_id, item.error, item.error_type) for item in failed] == [
        ("c", "no c", "OSError"),
        ("a", "no a", "OSError"),
    ]
    assert {(item.stage, item.attempts) for item in failed} == {("Fetch", 3)}


def test_a_failure_without_an_error_is_listed_all_the_same() -> None:
    tracker = StatusTracker()
    tracker.begin_run(STAGES).status("a", 0, "failed")
    (failed,) = tracker.get_failed_items()
    assert (failed.error, failed.error_type, failed.attempts) == ("Unknown error", "Exception", 1)


def test_the_error_summary_counts_by_type_and_stage() -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    for item in range(4):
        play_item(record, item, fails_in=item % 2)
    play_item(record, "fine")
    summary = tracker.get_error_summary()
    assert summary.total_failed == 4
    assert summary.errors_by_type == {"ValueError": 4}
    assert summary.errors_by_stage == {"Fetch": 2, "Parse": 2}
    assert "ValueError: 4" in str(summary)


def test_a_summary_without_failures_is_empty() -> None:
    summary = StatusTracker().get_error_summary()
    assert (summary.total_failed, summary.failed_items) == (0, [])


def test_iterating_a_search_gives_status_and_task_events() -> None:
    tracker = played_tracker(5)
    events = list(tracker.search())
    assert len(events) == len(tracker.log)
    assert {type(event) for event in events} == {StatusEvent, TaskEvent}


_steps = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 1)), max_size=60)


@given(_steps)
def test_replaying_the_history_gives_the_live_numbers(steps: list[tuple[int, int, int]]) -> None:
    tracker = StatusTracker()
    records = [tracker.begin_run(STAGES), tracker.begin_run(STAGES)]
    now: dict[tuple[int, int], str] = {}
    for item, kind, run in steps:
        records[run].status(item, 0, KINDS[kind])  # type: ignore[arg-type]
        now[run, item] = KINDS[kind]

    assert tracker.get_stats() == {kind: [*now.values()].count(kind) for kind in KINDS[:STATUS_COUNT]}
    for item in range(4):
        expected = [KINDS[kind] for step_item, kind, _ in steps if step_item == item]
        history = tracker.get_history(item)
        assert statuses(history) == expected
        assert tracker.get_status(item) == (history[-1] if history else None)


@pytest.mark.parametrize("status", KINDS[:STATUS_COUNT])
def test_statistics_agree_with_the_lists_by_status(status: str) -> None:
    tracker = played_tracker(40)
    listed = tracker.get_by_status(status)  # type: ignore[arg-type]
    assert len(listed) == tracker.get_stats()[status]
