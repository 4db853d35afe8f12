"""Pipeline.stream: results as they come, backpressure by the reader, and what leaving early does."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from antflow_core import Pipeline, PipelineError, Stage


async def same(value: Any) -> Any:
    return value


async def test_results_come_in_completion_order_failures_too() -> None:
    released = asyncio.Event()

    async def slow_first(value: int) -> int:
        if value == 0:
            await released.wait()
        if value == 2:
            raise ValueError("two")
        return value * 10

    pipeline = Pipeline([Stage("A", 3, [slow_first], task_attempts=1)])
    seen = []
    async for result in pipeline.stream(range(3)):
        seen.append((result.id, result.value, str(result.error), result.is_success))
        if len(seen) == 2:
            released.set()
    assert seen == [(1, 10, "None", True), (2, 2, "two", False), (0, 0, "None", True)]


@pytest.mark.parametrize("buffer_size", [None, 0, 1, 3])
async def test_every_result_arrives_whatever_the_buffer(buffer_size: int | None) -> None:
    pipeline = Pipeline([Stage("A", 3, [same]), Stage("B", 2, [same])])
    assert sorted([r.value async for r in pipeline.stream(range(50), buffer_size=buffer_size)]) == [
        *range(50)
    ]


async def test_a_rendezvous_keeps_workers_from_running_ahead() -> None:
    begun: list[int] = []

    async def note(value: int) -> int:
        begun.append(value)
        return value

    pipeline = Pipeline([Stage("A", 1, [note])])
    stream = pipeline.stream(range(20), buffer_size=0)
    await anext(stream)
    for _ in range(20):
        await asyncio.sleep(0)
    assert begun == [0, 1]
    await stream.aclose()


def test_a_negative_buffer_is_refused() -> None:
    with pytest.raises(ValueError, match="buffer_size"):
        Pipeline([Stage("A", 1, [same])]).stream([1], buffer_size=-1)


async def test_leaving_the_loop_early_ends_all_workers() -> None:
    async def forever(value: int) -> int:
        if value:
            await asyncio.Event().wait()
        return value

    pipeline = Pipeline([Stage("A", 5, [forever])])
    before = asyncio.all_tasks()
    async for result in pipeline.stream(range(100)):
        assert result.value == 0
        break
    gc.collect()
    while asyncio.all_tasks() - before or pipeline.get_stats().items_in_flight:
        await asyncio.sleep(0)
    stats = pipeline.get_stats()
    assert (stats.items_in_flight, stats.items_processed + pipeline.dropped_items) == (0, stats.total_items)


async def test_a_pipeline_left_early_can_run_at_once() -> None:
    pipeline = Pipeline([Stage("A", 2, [same])])
    async for _ in pipeline.stream(range(100)):
        break
    assert [r.value for r in await pipeline.run([7])] == [7]


async def test_an_exception_in_the_loop_ends_the_workers_and_travels_up() -> None:
    pipeline = Pipeline([Stage("A", 2, [same])])

    async def read() -> None:
        async for _ in pipeline.stream(range(100)):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await read()
    assert [r.value for r in await pipeline.run([7])] == [7]


async def test_cancelling_the_reader_ends_the_workers() -> None:
    async def forever(_: int) -> None:
        await asyncio.Event().wait()

    async def read() -> None:
        async for _ in Pipeline([Stage("A", 2, [forever])]).stream([1, 2]):
            pass

    before = asyncio.all_tasks()
    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert asyncio.all_tasks() == before


async def test_a_running_pipeline_cannot_be_streamed() -> None:
    async with Pipeline([Stage("A", 1, [same])]) as pipeline:
        await pipeline.start()
        with pytest.raises(PipelineError, match="already running"):
            async for _ in pipeline.stream([1]):
                pass


async def test_a_pipeline_being_streamed_cannot_be_run_or_streamed_again() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    stream = pipeline.stream(range(3), buffer_size=0)
    seen = [(await anext(stream)).value]
    with pytest.raises(PipelineError, match="already running"):
        await pipeline.run([100])
    with pytest.raises(PipelineError, match="already running"):
        await anext(pipeline.stream([100]))
    seen += [result.value async for result in stream]
    assert seen == [0, 1, 2]
    assert [r.value for r in await pipeline.run([100])] == [100]


async def test_a_shutdown_inside_the_loop_lets_the_loop_end(expect_log: Any) -> None:
    expect_log("discarded")
    pipeline = Pipeline([Stage("A", 2, [same])])
    seen = []
    async for result in pipeline.stream(range(100), buffer_size=0):
        seen.append(result.id)
        await pipeline.shutdown()
    assert len(seen) + pipeline.dropped_items == pipeline.get_stats().total_items


async def test_a_closed_stream_gives_nothing_more() -> None:
    stream = Pipeline([Stage("A", 1, [same])]).stream([1, 2])
    await stream.aclose()
    await stream.aclose()
    assert [r async for r in stream] == []


async def test_an_error_of_the_iterable_reaches_the_reader() -> None:
    def source() -> Any:
        yield 1
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        async for _ in Pipeline([Stage("A", 1, [same])]).stream(source()):
            pass
