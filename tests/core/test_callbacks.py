"""Callbacks of stages and trackers: what they get, in which order, and that they can harm nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antflow_core import Pipeline, Stage, StatusTracker

_ENDS = ("complete", "completed")


async def tenfold(value: int) -> int:
    if value < 0:
        raise ValueError(f"negative {value}")
    return value * 10


@pytest.mark.parametrize("is_async", [False, True])
async def test_each_outcome_has_its_callback(is_async: bool) -> None:
    told: list[Any] = []

    def callback(name: str) -> Any:
        def plain(item_id: Any, outcome: Any, payload: dict[str, Any]) -> None:
            told.append((name, item_id, str(outcome), dict(payload)))

        async def later(*arguments: Any) -> None:
            await asyncio.sleep(0)
            plain(*arguments)

        return later if is_async else plain

    stage = Stage(
        "A",
        1,
        [tenfold],
        task_attempts=1,
        skip_if=lambda value: value == 5,
        on_success=callback("success"),
        on_failure=callback("failure"),
        on_skip=callback("skip"),
    )
    await Pipeline([stage]).run([1, -1, {"id": "x", "value": 5, "tag": "t"}])
    assert told == [
        ("success", 0, "10", {"id": 0, "value": 10, "_sequence_id": 0}),
        ("failure", 1, "negative -1", {"id": 1, "value": -1, "_sequence_id": 1}),
        ("skip", "x", "5", {"id": "x", "value": 5, "_sequence_id": 2, "tag": "t"}),
    ]


async def test_what_a_callback_adds_to_the_payload_comes_out_as_metadata() -> None:
    def tag(item_id: Any, value: Any, payload: dict[str, Any]) -> None:
        payload["seen"] = payload.get("seen", 0) + 1

    stages = [Stage("A", 1, [tenfold], on_success=tag), Stage("B", 1, [tenfold], on_success=tag)]
    (result,) = await Pipeline(stages).run([1])
    assert (result.value, result.metadata) == (100, {"seen": 2})


@pytest.mark.parametrize("name", ["on_success", "on_failure", "on_skip"])
@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
async def test_a_callback_that_raises_is_logged_and_fails_nothing(
    name: str, error: Any, expect_log: Any
) -> None:
    expect_log(f"Error in {name} callback")

    async def broken(*_: Any) -> None:
        raise error

    fields: Any = {name: broken, "skip_if": lambda value: value == 5}
    pipeline = Pipeline([Stage("A", 1, [tenfold], task_attempts=1, **fields)])
    assert [r.value for r in await pipeline.run([1, -1, 5])] == [10, 5]


async def test_a_predicate_that_raises_means_do_not_skip(expect_log: Any) -> None:
    expect_log("skip_if failed for id=0, not skipped: odd")

    def broken(_: int) -> bool:
        raise ValueError("odd")

    assert [r.value for r in await Pipeline([Stage("A", 1, [tenfold], skip_if=broken)]).run([1])] == [10]


async def test_a_predicate_may_be_async() -> None:
    async def is_one(value: int) -> bool:
        return value == 1

    assert [r.value for r in await Pipeline([Stage("A", 1, [tenfold], skip_if=is_one)]).run([1, 2])] == [
        1,
        20,
    ]


async def test_a_skipped_stage_gives_queued_and_skipped_and_nothing_between() -> None:
    tracker = StatusTracker()
    stages = [Stage("A", 1, [tenfold], skip_if=lambda value: True), Stage("B", 1, [tenfold])]
    await Pipeline(stages, status_tracker=tracker).run([1])
    history = [(event.stage, event.status) for event in tracker.get_history(0)]
    assert history == [
        ("A", "queued"),
        ("A", "skipped"),
        ("B", "queued"),
        ("B", "in_progress"),
        ("B", "completed"),
    ]


async def test_async_status_callbacks_are_awaited_in_order_and_respect_the_capacity() -> None:
    most = 0
    order: dict[Any, list[str]] = {}

    async def note(event: Any) -> None:
        nonlocal most
        await asyncio.sleep(0)
        order.setdefault(event.item_id, []).append(f"{event.stage} {event.status}")
        most = max(most, *pipeline.get_stats().queue_sizes.values())

    stages = [Stage("A", 3, [tenfold], queue_capacity=2), Stage("B", 2, [tenfold], queue_capacity=1)]
    pipeline = Pipeline(stages, status_tracker=StatusTracker(note))
    assert len(await pipeline.run(range(20))) == 20
    steps = ["A queued", "A in_progress", "A completed", "B queued", "B in_progress", "B completed"]
    assert set(map(tuple, order.values())) == {tuple(steps)}
    assert most <= 2


async def test_the_tracker_knows_attempts_and_durations() -> None:
    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [tenfold, tenfold])], status_tracker=tracker)
    await pipeline.run([1])
    rows = [tracker.log.event(row) for row in range(tracker.log.next_row)]
    durations = [row.duration for row in rows if row.kind == "complete"]
    completed = rows[-1]
    assert (completed.kind, completed.attempt, completed.worker) == ("completed", 1, "A-W0")
    assert completed.duration == pytest.approx(sum(d for d in durations if d is not None), rel=1e-3)
    assert pipeline.run_number == 1


@pytest.mark.parametrize("way", ["once", "again", "told of the rest", "limited"])
async def test_a_stage_with_one_task_took_as_long_as_its_last_attempt(way: str) -> None:
    tracker = StatusTracker()

    async def work(number: int) -> int:
        if way == "told of the rest":
            tracker.on_status_change = told.append
        if way == "again" and not failed:
            failed.append(number)
            raise ValueError(number)
        await asyncio.sleep(0)
        return number

    told: list[Any] = []
    failed: list[int] = []
    limits = {"work": 1} if way == "limited" else None
    stage = Stage("A", 1, [work], task_attempts=2, task_wait_seconds=0, task_concurrency_limits=limits)
    await Pipeline([stage], status_tracker=tracker).run([1])
    ends = [event for event in map(tracker.log.event, range(len(tracker.log))) if event.kind in _ENDS]
    assert [event.kind for event in ends] == ["complete", "completed"]
    assert ends[0].duration == ends[1].duration != 0.0
    assert [event.status for event in told] == (["completed"] if way == "told of the rest" else [])


@pytest.mark.parametrize("retry", ["per_task", "per_stage"])
async def test_what_failed_took_its_own_time_and_none_of_the_item_before(retry: Any) -> None:
    async def work(number: int) -> None:
        if number == 0:
            await asyncio.sleep(0.01)
        else:
            raise ValueError(number)

    tracker = StatusTracker()
    stage = Stage("A", 1, [work], retry=retry, task_attempts=2, task_wait_seconds=0)
    await Pipeline([stage], status_tracker=tracker).run(range(2))
    events = [tracker.log.event(row) for row in tracker.search("item:1").rows]
    attempts = [event.duration for event in events if event.kind in {"retry", "fail"}]
    told = [event.duration for event in events if event.kind in {"retrying", "failed"}]
    assert told == (attempts if retry == "per_stage" else attempts[1:])


async def test_a_feeder_cancelled_during_a_callback_gives_its_place_to_the_next() -> None:
    in_callback, never = asyncio.Event(), asyncio.Event()

    async def hold_first(event: Any) -> None:
        if (event.status, event.item_id) == ("queued", 0):
            in_callback.set()
            await never.wait()

    stage = Stage("A", 1, [tenfold], queue_capacity=1)
    async with Pipeline([stage], status_tracker=StatusTracker(hold_first)) as pipeline:
        await pipeline.start()
        first = asyncio.create_task(pipeline.feed([1]))
        await in_callback.wait()
        second = asyncio.create_task(pipeline.feed([2]))
        await asyncio.sleep(0)
        assert not second.done()
        first.cancel()
        await asyncio.wait_for(second, 10)
        await pipeline.join()
        assert [r.value for r in pipeline.results] == [20]


@pytest.mark.parametrize("as_task", [False, True])
async def test_a_callback_may_feed_its_own_pipeline_past_a_full_queue(as_task: bool) -> None:
    def feed_more(event: Any) -> Any:
        if event.status != "queued" or event.item_id >= 3:
            return None
        feeding = pipeline.feed([7])
        return asyncio.create_task(feeding) if as_task else feeding

    stage = Stage("A", 1, [tenfold], queue_capacity=1)
    pipeline = Pipeline([stage], status_tracker=StatusTracker(feed_more))
    results = await asyncio.wait_for(pipeline.run([1] * 5), 10)
    fed_by_callback = [r.value for r in results].count(70)
    assert (len(results), fed_by_callback) == (5 + fed_by_callback, fed_by_callback)
    assert fed_by_callback


async def test_a_callback_cannot_join_its_own_run(expect_log: Any) -> None:
    expect_log("on_status_change failed")

    async def wait_for_all(event: Any) -> None:
        if event.status == "queued":
            await pipeline.join()

    pipeline = Pipeline([Stage("A", 1, [tenfold])], status_tracker=StatusTracker(wait_for_all))
    assert len(await asyncio.wait_for(pipeline.run([1, 2]), 10)) == 2
