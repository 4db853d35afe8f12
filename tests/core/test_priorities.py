"""Priorities: what goes first, and the channel that keeps the order."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from antflow_core import Pipeline, Stage
from antflow_core.engine.channel import Channel


async def order_of(*feeds: tuple[list[Any], int]) -> list[Any]:
    """What one worker processes when all is queued before it starts."""
    order: list[Any] = []

    async def note(value: Any) -> None:
        order.append(value)

    pipeline = Pipeline([Stage("A", 1, [note])])
    for items, priority in feeds:
        await pipeline.feed(items, priority=priority)
    await pipeline.start()
    await pipeline.join()
    await pipeline.shutdown()
    return order


async def test_a_lower_number_goes_first_and_equal_ones_keep_order() -> None:
    assert await order_of((["c", "d"], 100), (["e"], 200), (["a", "b"], 1)) == ["a", "b", "c", "d", "e"]


async def test_100_is_the_usual_priority() -> None:
    order: list[int] = []

    async def note(value: int) -> None:
        order.append(value)

    pipeline = Pipeline([Stage("A", 1, [note])])
    await pipeline.feed([1])
    await pipeline.feed([2], priority=101)
    await pipeline.feed([3])
    await pipeline.run([])
    assert order == [1, 3, 2]


async def test_a_priority_holds_in_later_stages() -> None:
    gate = asyncio.Event()
    order: list[int] = []

    async def same(value: int) -> int:
        return value

    async def note(value: int) -> None:
        order.append(value)
        await gate.wait()

    async with Pipeline([Stage("A", 1, [same]), Stage("B", 1, [note])]) as pipeline:
        await pipeline.start()
        await pipeline.feed([1, 2, 3])
        while not order:
            await asyncio.sleep(0)
        await pipeline.feed([9], priority=1)
        while pipeline.get_stats().queue_sizes != {"A": 0, "B": 3}:
            await asyncio.sleep(0)
        gate.set()
        await pipeline.join()
    assert order == [1, 9, 2, 3]


@given(st.lists(st.one_of(st.integers(0, 5), st.none())))
def test_a_channel_gives_what_a_sorted_list_would(steps: list[int | None]) -> None:
    """A number is put with that priority, None takes one."""
    channel: Channel[tuple[int, int]] = Channel(None)
    model: list[tuple[int, int]] = []
    for count, priority in enumerate(steps):
        if priority is None:
            expected = min(model, default=None)
            assert channel.take() == expected
            if expected is not None:
                model.remove(expected)
        else:
            channel.put((priority, count), priority)
            model.append((priority, count))
        assert len(channel) == len(model)


async def test_a_value_handed_to_a_taker_that_is_cancelled_is_not_lost() -> None:
    channel: Channel[str] = Channel(None)
    taker = asyncio.create_task(channel.wait())
    await asyncio.sleep(0)
    channel.put("a")
    taker.cancel()
    await asyncio.gather(taker, return_exceptions=True)
    channel.put("b")
    assert [channel.take(), channel.take(), channel.take()] == ["a", "b", None]


async def test_a_place_promised_to_a_putter_that_is_cancelled_goes_to_the_next() -> None:
    channel: Channel[str] = Channel(1)
    channel.put("a")
    putters = [asyncio.create_task(channel.wait_room()) for _ in range(2)]
    await asyncio.sleep(0)
    channel.take()
    putters[0].cancel()
    await asyncio.wait_for(putters[1], 10)
    assert channel.has_room()
    await asyncio.gather(*putters, return_exceptions=True)


async def test_a_closed_channel_sends_everybody_home() -> None:
    channel: Channel[str] = Channel(1)
    taker = asyncio.create_task(channel.wait())
    await asyncio.sleep(0)
    channel.close()
    assert await taker is None
    assert await channel.wait() is None
    full: Channel[str] = Channel(1)
    full.put("a")
    putter = asyncio.create_task(full.wait_room())
    await asyncio.sleep(0)
    full.close()
    await asyncio.wait_for(putter, 10)
