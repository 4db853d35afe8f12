"""An item that is stopped, or cancelled by itself, has not failed, whoever is asked how many have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from antflow_core import Pipeline, Stage, StatusTracker, open_run, record
from antflow_core.history.endings import count_given_up
from antflow_core.history.event_log import EventLog
from antflow_core.history.figures import figures
from antflow_core.history.standing import Standings, failed_items
from antflow_core.history.storage import CHUNK_ROWS
from tests.support.gates import Gate, settle, until

EndThem = Callable[[Pipeline, "asyncio.Task[Any]"], Awaitable[None]]


async def request_stop(pipeline: Pipeline, running: asyncio.Task[Any]) -> None:
    pipeline.request_stop()


async def cancel_run(pipeline: Pipeline, running: asyncio.Task[Any]) -> None:
    running.cancel()


async def cancel_items(pipeline: Pipeline, running: asyncio.Task[Any]) -> None:
    for number in range(1, 6):
        pipeline.cancel_item(number)


def failed_of(log: EventLog, run: int) -> list[int]:
    """How many items of a run have failed, by all that is told of its events."""
    standing = Standings(log).runs()[run - 1]
    figured = figures(log)[run - 1]
    return [
        standing.stats.items_failed,
        sum(standing.errors_by_type.values()),
        sum(standing.errors_by_stage.values()),
        sum(stage.failed_items for stage in standing.stats.stage_stats.values()),
        len(failed_items(log, run)),
        figured.items["failed"],
        sum(stage.failed for stage in figured.stages),
        sum(error.count for error in figured.errors),
    ]


@pytest.mark.parametrize("retry", ["per_task", "per_stage"])
@pytest.mark.parametrize("end", [request_stop, cancel_run, cancel_items])
async def test_what_is_ended_while_it_waits_for_a_retry_has_failed_nowhere(
    retry: Any, end: EndThem, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Item 0 fails for good; 1 and 2 wait for another attempt, 3 is in hand, 4 and 5 wait in the queue."""

    async def work(value: int) -> int:
        if value == 0:
            raise LookupError(value)
        if value < 3:
            raise ValueError(value)
        return int(await gate(value))

    gate, tracker, path = Gate(), StatusTracker(), tmp_path / "run.antflow"
    workers = 3 if retry == "per_task" else 1
    stage = Stage(
        "A", workers, [work], retry=retry, task_wait=lambda _: 1000, retry_on=(ValueError,), queue_capacity=0
    )
    pipeline = Pipeline([stage], status_tracker=tracker)
    with record(tracker, path):
        running = asyncio.create_task(pipeline.run(range(6)))
        await gate.wait_begun(1)
        await until(lambda: pipeline.get_stats().stage_stats["A"].retried == 2)
        await settle()
        await end(pipeline, running)
        await settle()
        gate.open()
        await asyncio.wait([running])

    snapshot, number = pipeline.get_dashboard_snapshot(), pipeline.run_number
    assert number is not None
    assert (snapshot.pipeline_stats.items_failed, snapshot.error_summary.total_failed) == (1, 1)
    summaries = [pipeline.get_error_summary(), tracker.get_error_summary()]
    assert [summary.errors_by_type for summary in summaries] == [{"LookupError": 1}] * 2
    assert [item.item_id for item in tracker.get_failed_items()] == [0]
    assert set(failed_of(tracker.log, number)) == {1}
    ended = pipeline.dropped_items + pipeline.cancelled_items
    assert ended == 5 - snapshot.pipeline_stats.items_processed
    run = figures(tracker.log)[number - 1]
    assert run.item_count == 6
    assert run.given_up == tracker.get_stats()["failed"] - 1 > 0
    log = tracker.log
    events = log.blocks(log.first_row, log.next_row)
    assert sum(count_given_up(log, block) for _, block in events) == run.given_up

    with open_run(path) as recorded:
        recorded.update()
        assert set(failed_of(recorded.log, 1)) == {1}
        assert recorded.get_error_summary().errors_by_type == {"LookupError": 1}
        [pipeline_told] = recorded.structure()
        assert pipeline_told.stats is not None
        assert pipeline_told.stats.items_failed == 1


async def test_a_cancelled_error_of_a_tasks_own_is_a_failure_everywhere() -> None:
    async def work(value: int) -> int:
        raise asyncio.CancelledError("mine")

    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [work], task_attempts=1)], status_tracker=tracker)
    await pipeline.run([1])
    assert set(failed_of(tracker.log, 1)) == {1}
    assert tracker.get_error_summary().errors_by_type == {"CancelledError": 1}
    assert figures(tracker.log)[0].given_up == 0


def test_what_was_ended_has_not_failed_after_its_events_have_been_dropped() -> None:
    tracker = StatusTracker(max_events=2 * CHUNK_ROWS)
    run = tracker.begin_run(["A"])
    for item in range(3):
        error = ValueError("true") if item else asyncio.CancelledError("the run was stopped")
        run.status(item, 0, "failed", "A-W0", attempt=1, error=error)
    for item in range(3, 3 * CHUNK_ROWS):
        run.status(item, 0, "completed", "A-W0", attempt=1)
    assert tracker.log.dropped_events
    assert [failed.item_id for failed in tracker.get_failed_items()] == [1, 2]
    [run_figures] = figures(tracker.log)
    assert (run_figures.items["failed"], run_figures.given_up) == (2, 1)
    assert run_figures.item_count == 3 * CHUNK_ROWS
