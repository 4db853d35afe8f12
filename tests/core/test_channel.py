"""The channel between two stages: held and released, places and room, and who stands in line for them."""

from __future__ import annotations

import asyncio

import pytest

from antflow_core.engine.channel import Channel
from tests.support.gates import settle


async def taken(channel: Channel[int]) -> int | None:
    """Take as a worker does: at once, or after a wait in line."""
    while not channel.closed:
        value = channel.take()
        if value is None:
            value = await channel.wait()
        if value is not None:
            return value
    return None


async def put(channel: Channel[int], value: int) -> None:
    """Put as one does who respects the capacity."""
    if not channel.has_room():
        await channel.wait_room()
    channel.put(value)


async def test_a_held_channel_gives_nothing_out_and_keeps_what_is_put() -> None:
    channel: Channel[int] = Channel(2)
    waiting = asyncio.create_task(taken(channel))
    await settle()
    channel.hold()
    channel.put(1)
    assert (channel.take(), len(channel), channel.has_room()) == (None, 1, True)
    channel.put(2)
    assert not channel.has_room()
    channel.release()
    assert (await waiting, channel.take()) == (1, 2)


async def test_released_it_gives_first_to_the_last_who_came_to_wait() -> None:
    channel: Channel[int] = Channel(None)
    waiting = [asyncio.create_task(taken(channel)) for _ in range(3)]
    await settle()
    channel.hold()
    for value, priority in ((1, 100), (2, 100), (0, 5), (3, 100)):
        channel.put(value, priority)
    channel.release()
    assert await asyncio.gather(*waiting) == [2, 1, 0]
    assert channel.take() == 3


async def test_values_on_their_way_come_back_before_all_others_and_in_order() -> None:
    channel: Channel[int] = Channel(None)
    waiting = [asyncio.create_task(taken(channel)) for _ in range(2)]
    await settle()
    channel.put(1)
    channel.put(2, 500)
    channel.put(0, 5)
    channel.hold()
    await settle()
    assert (len(channel), [task.done() for task in waiting]) == (3, [False, False])
    channel.release()
    assert await asyncio.gather(*waiting) == [1, 2]
    assert channel.take() == 0


@pytest.mark.parametrize("held", [True, False])
async def test_a_value_handed_to_who_is_cancelled_goes_to_the_next_or_waits(held: bool) -> None:
    channel: Channel[int] = Channel(None)
    first, second = [asyncio.create_task(taken(channel)) for _ in range(2)]
    await settle()
    channel.put(1)
    if held:
        channel.hold()
    first.cancel()
    await settle()
    assert (first.cancelled(), second.done(), len(channel)) == (True, not held, int(held))
    channel.release()
    assert await second == 1


async def test_who_is_cancelled_while_it_is_held_gets_nothing() -> None:
    channel: Channel[int] = Channel(None)
    first, second = [asyncio.create_task(taken(channel)) for _ in range(2)]
    await settle()
    channel.hold()
    channel.put(1)
    first.cancel()
    channel.release()
    assert await second == 1
    assert len(channel) == 0


async def test_a_place_given_up_gets_nothing_and_the_next_gets_all() -> None:
    channel: Channel[int] = Channel(0)
    first, second = channel.stand_in_line(), channel.stand_in_line()
    channel.give_up(first)
    assert channel.has_room()
    channel.put(1)
    channel.give_up(second)
    assert (await channel.receive(first), await channel.receive(second)) == (None, 1)
    assert not channel.has_room()


async def test_closing_ends_every_wait_and_the_hold() -> None:
    channel: Channel[int] = Channel(0)
    channel.hold()
    waits = [asyncio.create_task(wait) for wait in (taken(channel), taken(channel))]
    putting = asyncio.create_task(put(channel, 1))
    await settle()
    channel.close()
    assert await asyncio.gather(*waits) == [None, None]
    await putting
    assert (channel.held, await channel.wait()) == (False, None)


async def test_without_places_there_is_room_for_as_many_as_wait_and_none_while_held() -> None:
    channel: Channel[int] = Channel(0)
    channel.hold()
    taking = [asyncio.create_task(taken(channel)) for _ in range(2)]
    putting = [asyncio.create_task(put(channel, value)) for value in range(3)]
    await settle()
    assert (channel.has_room(), [task.done() for task in putting]) == (False, [False] * 3)
    channel.release()
    assert await asyncio.gather(*taking) == [1, 0]
    await settle()
    assert [task.done() for task in putting] == [True, True, False]
    assert await taken(channel) == 2


async def test_who_was_let_in_and_finds_it_held_stays_first_in_line() -> None:
    channel: Channel[int] = Channel(0)
    putting = [asyncio.create_task(put(channel, value)) for value in range(2)]
    await settle()
    taking = asyncio.create_task(taken(channel))
    await asyncio.sleep(0)
    channel.hold()
    await settle()
    assert [task.done() for task in putting] == [False, False]
    channel.release()
    assert await taking == 0
    assert await taken(channel) == 1


@pytest.mark.parametrize("capacity", [0, 1])
async def test_nobody_overtakes_who_has_been_let_in(capacity: int) -> None:
    channel: Channel[int] = Channel(capacity)
    if capacity:
        channel.put(0)
    waiting = [asyncio.create_task(put(channel, 1))]
    await settle()
    taking = [asyncio.create_task(taken(channel))]
    await asyncio.sleep(0)  # there is room for one, who does not know it yet
    waiting.append(asyncio.create_task(put(channel, 2)))
    assert not channel.has_room()
    await settle()
    taking += [asyncio.create_task(taken(channel)) for _ in range(1 + capacity)]
    assert await asyncio.gather(*taking) == [0, 1, 2][-len(taking) :]
    await asyncio.gather(*waiting)


async def test_who_were_let_in_and_find_their_places_taken_keep_their_order() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(0)
    channel.put(1)
    waiting = [asyncio.create_task(put(channel, value)) for value in (2, 3, 4)]
    await settle()
    seen = [channel.take(), channel.take()]
    channel.put(10)
    channel.put(11)  # somebody is quicker than the two who are let in
    for _ in range(5):
        await settle()
        seen.append(channel.take())
    assert seen == [0, 1, 10, 11, 2, 3, 4]
    await asyncio.gather(*waiting)


@pytest.mark.parametrize("capacity", [0, 1])
async def test_who_leaves_the_line_for_room_passes_it_on(capacity: int) -> None:
    channel: Channel[int] = Channel(capacity)
    channel.hold()
    if capacity:
        channel.put(0)
    first, second = [asyncio.create_task(put(channel, value)) for value in (1, 2)]
    await settle()
    taking = asyncio.create_task(taken(channel))
    await settle()
    channel.release()
    first.cancel()
    assert await taking == (0 if capacity else 2)
    await second
    assert first.cancelled()


async def test_a_reserved_place_counts_and_is_filled_while_held() -> None:
    channel: Channel[int] = Channel(1)
    channel.reserve()
    channel.hold()
    putting = asyncio.create_task(put(channel, 2))
    await settle()
    assert not channel.has_room()
    channel.release_reserved()
    channel.put(1)
    await settle()
    assert (putting.done(), len(channel)) == (False, 1)
    channel.release()
    assert (await taken(channel), await taken(channel)) == (1, 2)


@pytest.mark.parametrize(("capacity", "let_in"), [(1, 0), (3, 2), (9, 4), (None, 4)])
async def test_another_capacity_lets_in_as_many_as_fit(capacity: int | None, let_in: int) -> None:
    channel: Channel[int] = Channel(1)
    channel.put(0)
    putting = [asyncio.create_task(put(channel, value)) for value in range(1, 5)]
    await settle()
    channel.set_capacity(capacity)
    await settle()
    assert [task.done() for task in putting] == [number < let_in for number in range(4)]
    assert [await taken(channel) for _ in range(5)] == list(range(5))


async def test_values_beyond_a_smaller_capacity_stay_and_go_first() -> None:
    channel: Channel[int] = Channel(4)
    for value in range(4):
        channel.put(value)
    channel.set_capacity(2)
    putting = asyncio.create_task(put(channel, 4))
    assert [channel.take(), channel.take()] == [0, 1]
    await settle()
    assert not putting.done()
    assert channel.take() == 2
    await putting
    assert [channel.take(), channel.take()] == [3, 4]
