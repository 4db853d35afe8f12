"""The figures of a run are those that a plain count over its events gives."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antflow_core import Pipeline, Stage, StatusTracker
from antflow_core.history.event_log import EventLog
from antflow_core.history.figures import NO_TYPE, PERCENTILES, RunFigures, StageFigures, figures
from antflow_core.history.records import NO_ERROR, EventRow
from tests.support.small_log import Written


async def follow(tracker: StatusTracker, items: int = 60) -> None:
    seen: set[int] = set()

    async def flaky(value: int) -> int:
        if value % 4 == 0 and value not in seen:
            seen.add(value)
            raise ConnectionError("no answer")
        return value

    async def picky(value: int) -> int:
        if value % 10 == 0:
            raise ValueError(f"{value} is round")
        if value % 15 == 1:
            raise LookupError("nowhere")
        return value

    stages = [
        Stage("Fetch", 3, [flaky], task_wait_seconds=0),
        Stage("Parse", 3, [picky], task_attempts=1, skip_if=lambda value: value % 7 == 3),
    ]
    await Pipeline(stages, status_tracker=tracker).run(range(items))


@pytest.fixture
async def run_and_log() -> tuple[RunFigures, StatusTracker]:
    tracker = StatusTracker()
    await follow(tracker)
    (run,) = figures(tracker.log)
    return run, tracker


def test_stages_are_counted_and_timed(run_and_log: tuple[RunFigures, StatusTracker]) -> None:
    run, tracker = run_and_log
    events = tracker.log.page(range(tracker.log.next_row))
    for stage in run.stages:
        kinds = Counter(event.kind for event in events if event.stage == stage.name)
        assert (stage.completed, stage.failed) == (kinds["completed"], kinds["failed"])
        assert (stage.skipped, stage.retried) == (kinds["skipped"], kinds["retry"])
        took = [e.duration for e in events if e.stage == stage.name and e.kind == "completed" and e.duration]
        assert stage.durations_s is not None
        assert stage.durations_s[0] == pytest.approx(statistics.median(took))
        assert list(stage.durations_s) == sorted(stage.durations_s)
        times = [event.time for event in events if event.stage == stage.name]
        assert stage.rate is not None
        assert stage.rate == pytest.approx(60 / (times[-1] - times[0]), rel=0.5)


def test_errors_are_grouped_by_type_and_stage_the_largest_first(
    run_and_log: tuple[RunFigures, StatusTracker],
) -> None:
    run, tracker = run_and_log
    assert [(error.type_name, error.stage, error.count) for error in run.errors] == [
        ("ValueError", "Parse", 5),
        ("LookupError", "Parse", 3),
    ]
    first = run.errors[0]
    failed = [item.item_id for item in tracker.get_failed_items() if item.error_type == "ValueError"]
    assert list(first.item_ids) == failed[:3]
    assert first.message == f"{failed[0]} is round"
    assert first.first_at <= first.last_at


def test_a_run_as_a_whole(run_and_log: tuple[RunFigures, StatusTracker]) -> None:
    run, tracker = run_and_log
    assert run.name == "Fetch → Parse"
    assert run.items == tracker.get_stats()
    assert run.item_count == 60
    assert run.events == len(tracker.log)
    assert run.ended_at is not None
    assert run.elapsed_s == pytest.approx(run.ended_at - run.started_at)
    assert run.rate == pytest.approx(60 / run.elapsed_s)


async def test_the_runs_of_one_log_are_kept_apart() -> None:
    tracker = StatusTracker()
    for items in (20, 40):
        await follow(tracker, items)
    assert [run.item_count for run in figures(tracker.log)] == [20, 40]


def test_a_run_without_events_has_empty_figures() -> None:
    tracker = StatusTracker()
    tracker.begin_run(["A"], name="nothing yet")
    (run,) = figures(tracker.log)
    assert (run.name, run.item_count, run.rate, run.errors) == ("nothing yet", 0, None, ())
    (stage,) = run.stages
    assert (stage.completed, stage.rate, stage.durations_s) == (0, None, None)
    assert figures(StatusTracker().log) == []


# Against a plain count

_KINDS = ("queued", "completed", "completed", "failed", "skipped", "retry", "start", "complete")
_steps = st.tuples(
    st.sampled_from([0.0, 0.125, 0.5, 2.0]),
    st.integers(0, 6),
    st.sampled_from(["A", "B"]),
    st.sampled_from(_KINDS),
    st.one_of(st.just(math.nan), st.floats(0, 64, width=32)),
    st.sampled_from([None, ValueError("first"), ValueError("second"), LookupError("nowhere")]),
)


def plain_percentile(values: list[float], percent: int) -> float:
    """By linear interpolation between the two nearest values in order."""
    values = sorted(values)
    place = (len(values) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


@given(st.lists(st.lists(_steps, max_size=30), min_size=1, max_size=3))
def test_figures_are_those_of_a_plain_count(runs: list[list[Any]]) -> None:
    log = EventLog()
    for steps in runs:
        run = Written(log, ("A", "B"), 1_000.0 * len(log.runs) + 8.0)
        now = 0.0
        for passed, item, stage, kind, duration, error in steps:
            now += passed
            run.event(now, item, stage, kind, 1, "W", "t", duration, error)
        run.end(now + 1.0)
    events = log.page(range(log.next_row))
    for told in figures(log):
        mine = [event for event in events if event.run == told.number]
        assert told.events == len(mine)
        latest = {event.item_id: event.kind for event in mine if event.is_status}
        assert {status: count for status, count in told.items.items() if count} == Counter(latest.values())
        for stage in told.stages:
            check_stage(stage, [event for event in mine if event.stage == stage.name])
        check_errors(told, [event for event in mine if event.kind == "failed"], log)


def check_stage(told: StageFigures, events: list[EventRow]) -> None:
    kinds = Counter(event.kind for event in events)
    assert (told.completed, told.failed) == (kinds["completed"], kinds["failed"])
    assert (told.skipped, told.retried) == (kinds["skipped"], kinds["retry"])
    took = [e.duration for e in events if e.kind == "completed" and e.duration is not None]
    if took:
        expected = [plain_percentile(took, percent) for percent in PERCENTILES]
        assert told.durations_s == pytest.approx(expected, rel=1e-6)
    else:
        assert told.durations_s is None
    left = [event.time for event in events if event.kind in ("completed", "failed", "skipped")]
    if left and left[-1] > events[0].time:
        assert told.rate == pytest.approx(len(left) / (left[-1] - events[0].time))
    else:
        assert told.rate is None


def check_errors(told: RunFigures, failed: list[EventRow], log: EventLog) -> None:
    groups: dict[tuple[str, str], list[EventRow]] = {}
    for event in failed:
        type_name = NO_TYPE if event.error == NO_ERROR else log.error(event.error).type_name
        groups.setdefault((type_name, event.stage), []).append(event)
    assert {(error.type_name, error.stage) for error in told.errors} == groups.keys()
    for error in told.errors:
        group = groups[error.type_name, error.stage]
        assert error.count == len(group)
        assert (error.first_at, error.last_at) == (group[0].time, group[-1].time)
        if error.type_name != NO_TYPE:
            earliest = [event for event in group if event.time == group[0].time]
            assert error.message in [log.error(event.error).message for event in earliest]
    counts = [error.count for error in told.errors]
    assert counts == sorted(counts, reverse=True)
