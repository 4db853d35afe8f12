"""start, feed, join, shutdown: interactive use, backpressure, and who is admitted past it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from antflow_core import Pipeline, PipelineError, Stage, StatusTracker


async def same(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def values(pipeline: Pipeline) -> list[Any]:
    return [result.value for result in pipeline.results]


async def test_what_is_fed_is_there_after_join() -> None:
    async with Pipeline([Stage("A", 2, [same]), Stage("B", 1, [same])]) as pipeline:
        await pipeline.start()
        await pipeline.feed([1, 2])
        await pipeline.join()
        assert values(pipeline) == [1, 2]
        await pipeline.feed([3])
        await pipeline.join()
        assert values(pipeline) == [1, 2, 3]
    assert values(pipeline) == [1, 2, 3]


async def test_an_async_iterable_can_be_fed() -> None:
    async def source() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    async with Pipeline([Stage("A", 2, [same])]) as pipeline:
        await pipeline.start()
        await pipeline.feed_async(source())
        await pipeline.join()
        assert values(pipeline) == [0, 1, 2]


async def test_items_may_enter_at_a_later_stage() -> None:
    async def shout(value: str) -> str:
        return value.upper()

    async with Pipeline([Stage("Shout", 1, [shout]), Stage("Keep", 1, [same])]) as pipeline:
        await pipeline.start()
        await pipeline.feed(["a"])
        await pipeline.feed(["b"], target_stage="Keep")
        await pipeline.join()
        assert values(pipeline) == ["A", "b"]
        with pytest.raises(ValueError, match="Stage 'Eat' not found in pipeline"):
            await pipeline.feed(["c"], target_stage="Eat")


async def test_a_feed_to_an_unknown_stage_begins_nothing() -> None:
    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [same])], status_tracker=tracker)
    with pytest.raises(ValueError, match="not found"):
        await pipeline.feed([1], target_stage="Z")
    assert (pipeline.run_number, len(tracker.log.runs)) == (None, 0)


async def test_what_is_fed_before_the_start_waits_for_it() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.feed([1, 2])
    assert pipeline.get_stats().queue_sizes == {"A": 2}
    with pytest.raises(PipelineError, match=r"2 item\(s\) wait for start"):
        await pipeline.join()
    await pipeline.start()
    await pipeline.join()
    assert values(pipeline) == [1, 2]
    await pipeline.shutdown()


async def test_what_is_fed_before_run_is_run_too() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.feed([1, 2])
    assert [r.value for r in await pipeline.run([3])] == [1, 2, 3]


async def test_inside_async_with_nobody_waits_in_vain_for_the_start() -> None:
    async with Pipeline([Stage("A", 1, [same], queue_capacity=2)]) as pipeline:
        await pipeline.feed(range(10))
        await pipeline.join()
        assert values(pipeline) == [*range(10)]
        await pipeline.start()
    async with pipeline:
        await pipeline.feed([1])
        await pipeline.join()
        assert values(pipeline) == [1]


async def test_start_twice_is_refused() -> None:
    async with Pipeline([Stage("A", 1, [same])]) as pipeline:
        await pipeline.start()
        with pytest.raises(PipelineError, match="already running"):
            await pipeline.start()


async def test_run_on_a_started_pipeline_takes_all_and_shuts_down() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.start()
    await pipeline.feed([1])
    assert [r.value for r in await pipeline.run([2])] == [1, 2]
    await pipeline.start()
    await pipeline.shutdown()


async def test_join_and_shutdown_of_an_idle_pipeline_do_nothing() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    before = asyncio.all_tasks()
    await pipeline.join()
    await pipeline.shutdown()
    assert pipeline.get_stats().total_items == 0
    await pipeline.start()
    await pipeline.join()
    await pipeline.shutdown()
    await pipeline.shutdown()
    assert asyncio.all_tasks() == before
    assert [r.value for r in await pipeline.run([1])] == [1]


async def test_join_stops_the_workers_and_the_pipeline_can_be_started_again() -> None:
    before = asyncio.all_tasks()
    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 2, [same])], status_tracker=tracker)
    for batch in ([1, 2], [3], [4]):
        await pipeline.start()
        await pipeline.feed(batch)
        await pipeline.join()
        assert asyncio.all_tasks() == before
        assert pipeline.get_stats().items_processed == len(batch)
    assert values(pipeline) == [1, 2, 3, 4]
    assert [record.ended_at is None for record in tracker.log.runs] == [False] * 3
    assert [r.value for r in await pipeline.run([5])] == [5]


async def test_what_is_fed_after_join_needs_no_other_start() -> None:
    pipeline = Pipeline([Stage("A", 1, [same], queue_capacity=2)])
    await pipeline.start()
    await pipeline.feed([1])
    await pipeline.join()
    await pipeline.feed([2, 3, 4, 5])
    await pipeline.join()
    await pipeline.feed([6])
    await pipeline.start()
    with pytest.raises(PipelineError, match="already running"):
        await pipeline.start()
    await pipeline.join()
    assert values(pipeline) == [1, 2, 3, 4, 5, 6]


async def test_shutdown_ends_a_series_of_batches() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    for _ in range(2):
        await pipeline.start()
        await pipeline.feed([1])
        await pipeline.join()
        await pipeline.shutdown()
        await pipeline.join()
        assert values(pipeline) == [1]


async def test_inside_async_with_a_start_after_join_goes_on() -> None:
    async with Pipeline([Stage("A", 1, [same])]) as pipeline:
        for batch in (1, 2):
            await pipeline.start()
            await pipeline.feed([batch])
            await pipeline.join()
        assert values(pipeline) == [1, 2]
        await pipeline.start()
        with pytest.raises(PipelineError, match="already running"):
            await pipeline.start()


async def test_join_leaves_the_workers_to_who_is_feeding_still() -> None:
    go_on = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        yield 1
        await go_on.wait()
        yield 2

    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.start()
    feeding = asyncio.create_task(pipeline.feed_async(source()))
    while not pipeline.results:
        await asyncio.sleep(0)
    await pipeline.join()
    go_on.set()
    await feeding
    await pipeline.join()
    assert values(pipeline) == [1, 2]


async def test_nothing_fed_while_join_ends_is_lost() -> None:
    pipeline = Pipeline([Stage("A", 2, [same])])
    await pipeline.start()
    await pipeline.feed([0])
    for number in range(1, 30):
        joining = asyncio.create_task(pipeline.join())
        for _ in range(number % 6):
            await asyncio.sleep(0)
        await pipeline.feed([number])
        await joining
    await pipeline.join()
    assert values(pipeline) == [*range(30)]
    await pipeline.shutdown()
    assert pipeline.dropped_items == 0


async def test_a_full_queue_blocks_who_feeds() -> None:
    gate = asyncio.Event()

    async def wait(value: int) -> int:
        await gate.wait()
        return value

    async with Pipeline([Stage("A", 1, [wait], queue_capacity=2)]) as pipeline:
        await pipeline.start()
        feeding = asyncio.create_task(pipeline.feed(range(10)))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not feeding.done()
        assert pipeline.get_stats().queue_sizes == {"A": 2}
        gate.set()
        await feeding
        await pipeline.join()
        assert len(pipeline.results) == 10


async def test_a_full_queue_blocks_the_stage_before() -> None:
    gate = asyncio.Event()

    async def wait(value: int) -> int:
        await gate.wait()
        return value

    stages = [Stage("A", 2, [same]), Stage("B", 1, [wait], queue_capacity=3)]
    pipeline = Pipeline(stages)
    running = asyncio.create_task(pipeline.run(range(30)))
    for _ in range(200):
        await asyncio.sleep(0)
    stats = pipeline.get_stats().stage_stats
    assert (stats["A"].completed_items, stats["B"].pending_items, stats["B"].in_progress_items) == (6, 3, 1)
    gate.set()
    assert len(await running) == 30


async def test_a_task_may_feed_its_own_pipeline_past_a_full_queue() -> None:
    async def spread(value: int) -> int:
        if value < 100:
            await pipeline.feed([value + 100 + n for n in range(10)])
        return value

    pipeline = Pipeline([Stage("A", 2, [spread], queue_capacity=1)])
    assert len(await pipeline.run(range(5))) == 55


async def test_join_inside_a_task_is_refused() -> None:
    async def wait_for_all(_: int) -> None:
        await pipeline.join()

    pipeline = Pipeline([Stage("A", 1, [wait_for_all], task_attempts=1)])
    await pipeline.run([1])
    assert pipeline.get_error_summary().errors_by_type == {"PipelineError": 1}


async def test_a_pull_stage_has_no_queue() -> None:
    gates = [asyncio.Event() for _ in range(4)]

    async def wait(value: int) -> int:
        await gates[value].wait()
        return value

    stages = [Stage("A", 1, [same]), Stage("B", 1, [wait], pull=True)]
    pipeline = Pipeline(stages)
    running = asyncio.create_task(pipeline.run(range(4)))
    for number, gate in enumerate(gates):
        for _ in range(50):
            await asyncio.sleep(0)
        stats = pipeline.get_stats().stage_stats
        assert stats["A"].completed_items == min(number + 2, 4)
        assert (stats["B"].pending_items, stats["B"].completed_items) == (0, number)
        gate.set()
    assert len(await running) == 4


async def test_a_huge_input_does_not_keep_the_loop_to_itself() -> None:
    turns = 0

    def count_turn() -> None:
        nonlocal turns
        turns += 1
        if not done:
            loop.call_soon(count_turn)

    async def instant(value: int) -> int:
        return value

    done = False
    loop = asyncio.get_running_loop()
    loop.call_soon(count_turn)
    await Pipeline([Stage("A", 1, [instant], queue_capacity=0)]).run(range(5000))
    done = True
    assert turns > 5000 / 64 / 2


async def test_a_huge_feed_into_a_queue_without_limit_leaves_the_loop_its_turns() -> None:
    pipeline = Pipeline([Stage("A", 1, [same], queue_capacity=0)])
    feeding = asyncio.create_task(pipeline.feed(range(10_000)))
    turns = 0
    while not feeding.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10_000 // 256
    await pipeline.run([])


@pytest.mark.parametrize("priority", ["high", None, float("nan")])
async def test_a_priority_that_is_no_number_is_refused_and_nothing_is_lost(priority: Any) -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.start()
    await pipeline.feed([1])
    with pytest.raises(ValueError, match="priority must be a number"):
        await pipeline.feed([2], priority=priority)
    await pipeline.join()
    assert [result.value for result in pipeline.results] == [1]


async def test_a_priority_may_be_any_real_number() -> None:
    order: list[int] = []

    async def note(value: int) -> None:
        order.append(value)

    pipeline = Pipeline([Stage("A", 1, [note])])
    await pipeline.feed([1])
    await pipeline.feed([2], priority=np.int64(3))  # type: ignore[arg-type]
    await pipeline.feed([3], priority=Fraction(1, 2))  # type: ignore[arg-type]
    await pipeline.start()
    await pipeline.join()
    assert order == [3, 2, 1]


async def test_a_task_cannot_run_or_start_its_own_pipeline() -> None:
    complaints: list[str] = []

    async def again(value: int) -> int:
        for begin in (pipeline.run([2]), pipeline.start()):
            try:
                await begin
            except PipelineError as error:
                complaints.append(str(error))
        return value

    pipeline = Pipeline([Stage("A", 1, [again])])
    await pipeline.start()
    await pipeline.feed([1])
    await pipeline.join()
    assert len(complaints) == 2
    assert all("already running" in complaint for complaint in complaints)
