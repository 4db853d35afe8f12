"""The feed: a tracker's announcements, joined into one batch a tick."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from antflow_core.tracker import StatusTracker
from antflow_gui.runs.feed import HistoryFeed


def _record(tracker: StatusTracker, count: int) -> None:
    recorder = tracker.begin_run(["Fetch"])
    for item in range(count):
        recorder.status(item, 0, "queued")


def test_many_events_between_two_ticks_are_one_batch(qtbot: QtBot) -> None:
    tracker, feed, batches = StatusTracker(), HistoryFeed(), []
    feed.rows_arrived.connect(lambda: batches.append(tracker.log.next_row))
    feed.follow(tracker.log)
    _record(tracker, 500)
    feed.deliver()
    assert batches == [500]


def test_nothing_new_is_no_batch(qtbot: QtBot) -> None:
    tracker, feed, batches = StatusTracker(), HistoryFeed(), []
    feed.rows_arrived.connect(lambda: batches.append(1))
    feed.follow(tracker.log)
    _record(tracker, 1)
    for _ in range(3):
        feed.deliver()
    assert batches == [1]


def test_a_log_that_is_no_longer_followed_is_silent(qtbot: QtBot) -> None:
    tracker, feed, batches = StatusTracker(), HistoryFeed(), []
    feed.rows_arrived.connect(lambda: batches.append(1))
    feed.follow(tracker.log)
    feed.follow(None)
    _record(tracker, 5)
    feed.deliver()
    assert batches == []
