"""The figures of a run are those that a plain count over its events gives."""

from __future__ import annotations

import statistics
from collections import Counter

import pytest

from antflow_core import Pipeline, Stage, StatusTracker
from antflow_core.history.figures import RunFigures, figures


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
