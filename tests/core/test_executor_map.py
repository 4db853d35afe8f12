"""`map` and `map_iter`: order, laziness, how much is taken ahead, failures, deadlines, leaving early."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import weakref
from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast

import pytest

from antflow_core import AsyncExecutor, ExecutorShutdownError
from tests.support.gates import Gate, same, settle, until


async def add(*numbers: int) -> int:
    return sum(numbers)


class Source:
    """Endless numbers, and how many were taken."""

    def __init__(self, stop: int | None = None, error: BaseException | None = None) -> None:
        self.taken = 0
        self._stop = stop
        self._error = error

    def __iter__(self) -> Iterator[int]:
        while self._stop is None or self.taken < self._stop:
            self.taken += 1
            yield self.taken - 1
        if self._error is not None:
            raise self._error


async def collect(results: AsyncGenerator[Any, None], into: list[Any], stop: int | None = None) -> None:
    async for result in results:
        into.append(result)
        if len(into) == stop:
            break
    await results.aclose()


# Order


async def test_map_gives_all_results_in_the_order_of_the_items() -> None:
    async def late(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    async with AsyncExecutor(4) as executor:
        assert await executor.map(late, [9, 1, 5, 0, 3, 7]) == [9, 1, 5, 0, 3, 7]
        seen: list[int] = []
        await collect(executor.map_iter(late, iter([9, 1, 5, 0, 3, 7])), seen)
        assert seen == [9, 1, 5, 0, 3, 7]


async def test_several_iterables_go_side_by_side_to_the_end_of_the_shortest() -> None:
    async with AsyncExecutor(2) as executor:
        assert await executor.map(add, [1, 2, 3], itertools.count(10), (100, 200)) == [111, 213]
        assert await executor.map(add) == []
        assert await executor.map(add, []) == []
        assert await executor.map(same, {"a": 1, "b": 2}) == ["a", "b"]


async def test_map_takes_plain_functions_and_tries_again() -> None:
    tries: list[int] = []

    async def flaky(number: int) -> int:
        tries.append(number)
        if tries.count(number) < 3:
            raise ValueError(number)
        return -number

    async with AsyncExecutor(2) as executor:
        assert await executor.map(divmod, [7, 9], [4, 4]) == [(1, 3), (2, 1)]
        assert await executor.map(flaky, [1, 2], retries=2, retry_delay=0) == [-1, -2]
        seen: list[int] = []
        await collect(executor.map_iter(flaky, [3, 4], retries=2, retry_delay=0), seen)
        assert seen == [-3, -4]


async def test_map_iter_gives_a_result_as_soon_as_it_is_its_turn() -> None:
    gates = [Gate() for _ in range(3)]
    seen: list[int] = []
    async with AsyncExecutor(3) as executor:
        results = executor.map_iter(lambda n: gates[n](n), range(3))
        collecting = asyncio.create_task(collect(results, seen))
        await gates[2].wait_begun(1)
        gates[1].open()
        await settle()
        assert seen == []
        gates[0].open()
        await until(lambda: len(seen) == 2)
        gates[2].open()
        await collecting
    assert seen == [0, 1, 2]


# Laziness


async def test_an_endless_iterable_can_be_mapped() -> None:
    source, seen = Source(), list[int]()
    async with AsyncExecutor(3) as executor:
        await collect(executor.map_iter(same, source), seen, stop=5000)
        assert seen == list(range(5000))
        assert source.taken <= 5000 + 30


async def test_an_item_is_taken_when_a_worker_may_be_free_for_it() -> None:
    source, gate = Source(stop=10), Gate()
    async with AsyncExecutor(3) as executor:
        mapping = asyncio.create_task(executor.map(gate, source))
        for begun in range(3, 8):
            await gate.wait_begun(begun)
            await settle()
            assert source.taken == begun
            gate.let_one_go()
        gate.open()
        assert await mapping == list(range(10))


async def test_no_more_is_taken_ahead_than_ten_items_a_worker() -> None:
    source, seen = Source(), list[int]()
    async with AsyncExecutor(2) as executor:
        results = executor.map_iter(same, source)
        for given in range(1, 50):
            seen.append(await anext(results))
            await settle()
            assert source.taken <= given + 20
        await results.aclose()
    assert seen == list(range(49))


@pytest.mark.parametrize("size", [1, 2, 7])
async def test_how_much_is_taken_ahead_can_be_chosen(size: int) -> None:
    source = Source()
    async with AsyncExecutor(3) as executor:
        results = executor.map_iter(same, source, buffer_size=size)
        for given in range(5):
            assert await anext(results) == given
            await settle()
            assert given + size <= source.taken <= given + size + 1
        await results.aclose()


async def test_what_is_in_memory_already_does_not_wait_for_who_takes_the_results() -> None:
    items, begun = list(range(500)), []

    async def note(number: int) -> int:
        begun.append(number)
        await asyncio.sleep(0)
        return number

    async with AsyncExecutor(2) as executor:
        results = executor.map_iter(note, items)
        assert await anext(results) == 0
        await until(lambda: len(begun) == 500)
        assert [result async for result in results] == items[1:]


async def test_one_slow_task_does_not_keep_the_others_of_a_list_from_going_on() -> None:
    gate, begun = Gate(), []

    async def work(number: int) -> int:
        begun.append(number)
        return await gate(number) if number == 0 else number

    async with AsyncExecutor(2) as executor:
        mapping = asyncio.create_task(executor.map(work, range(300)))
        await until(lambda: len(begun) == 300)
        gate.open()
        assert await mapping == list(range(300))


async def test_results_that_were_given_out_are_let_go() -> None:
    class Result:
        pass

    alive: weakref.WeakSet[Result] = weakref.WeakSet()

    async def make(_: int) -> Result:
        result = Result()
        alive.add(result)
        return result

    async with AsyncExecutor(2) as executor:
        results = executor.map_iter(make, itertools.count())
        for _ in range(300):
            await anext(results)
            assert len(alive) <= 25
        await results.aclose()


@pytest.mark.parametrize(("size", "kind"), [(0, ValueError), (-1, ValueError), ("2", TypeError)])
def test_a_buffer_has_at_least_one_place(size: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="buffer_size must be"):
        AsyncExecutor().map_iter(same, [1], buffer_size=size)


async def test_nothing_is_taken_before_the_first_result_is_asked_for() -> None:
    source = Source()
    async with AsyncExecutor() as executor:
        results = executor.map_iter(same, source)
        await settle()
        assert source.taken == 0
        await results.aclose()


request_var = contextvars.ContextVar("request_var", default="nobody's")


async def test_items_are_taken_in_the_context_of_who_maps() -> None:
    def items() -> Iterator[str]:
        for _ in range(20):
            yield request_var.get()

    async def change(found: str) -> str:
        request_var.set("a task's")
        return found

    gate = Gate()
    async with AsyncExecutor(1) as executor:
        request_var.set("who came first")
        executor.submit(gate, 1)
        request_var.set("mine")
        mapping = asyncio.create_task(executor.map(change, items()))
        await gate.wait_begun(1)
        gate.open()
        assert set(await mapping) == {"mine"}


# Failures


async def test_map_raises_the_first_failure_in_the_order_of_the_items() -> None:
    gate = Gate()

    async def work(number: int) -> int:
        if number == 1:
            await gate(number)
        if number in {1, 2}:
            raise ValueError(number)
        return number

    async with AsyncExecutor(3) as executor:
        mapping = asyncio.create_task(executor.map(work, range(3)))
        await gate.wait_begun(1)
        await settle()
        assert not mapping.done()
        gate.open()
        with pytest.raises(ValueError, match="1"):
            await mapping


async def test_after_a_failure_nothing_more_is_taken() -> None:
    source, seen = Source(), list[int]()

    async def work(number: int) -> int:
        await asyncio.sleep(0)
        if number == 10:
            raise ValueError(number)
        return number

    async with AsyncExecutor(3) as executor:
        with pytest.raises(ValueError, match="10"):
            await executor.map(work, source)
        await settle()
        assert 11 <= source.taken <= 13
        with pytest.raises(ValueError, match="10"):
            await collect(executor.map_iter(work, Source()), seen)
    assert seen == list(range(10))


async def test_what_an_iterable_raises_comes_after_the_results_before_it() -> None:
    seen: list[int] = []
    async with AsyncExecutor(3) as executor:
        with pytest.raises(LookupError, match="no more"):
            await collect(executor.map_iter(same, Source(5, LookupError("no more"))), seen)
        assert seen == [0, 1, 2, 3, 4]
        with pytest.raises(LookupError, match="none"):
            await executor.map(same, Source(0, LookupError("none")))
        assert await executor.submit(same, 1) == 1


@pytest.mark.parametrize("items", [3, Gate()])
async def test_what_cannot_be_iterated_is_refused(items: Any) -> None:
    async with AsyncExecutor(3) as executor:
        with pytest.raises(TypeError, match="not iterable"):
            await executor.map(same, cast("Any", items))


# Deadlines


async def test_each_result_has_its_own_time() -> None:
    gate = Gate()
    async with AsyncExecutor(2) as executor:
        assert await executor.map(same, range(50), timeout=1000) == list(range(50))
        seen: list[int] = []

        async def stuck(number: int) -> int:
            return await gate(number) if number == 3 else number

        with pytest.raises(TimeoutError, match="is not done after 0"):
            await collect(executor.map_iter(stuck, range(50), timeout=0.01), seen)
        assert seen == [0, 1, 2]
        with pytest.raises(TimeoutError):
            await executor.map(gate, [1], timeout=0)
        gate.open()


async def test_what_takes_long_altogether_is_in_time_if_each_result_is() -> None:
    async def pause(number: int) -> int:
        await asyncio.sleep(0.02)
        return number

    async with AsyncExecutor(1) as executor:
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await executor.map(pause, range(5), timeout=0.09) == list(range(5))
        assert loop.time() - began > 0.09


# Leaving early


async def test_leaving_early_ends_the_taking_and_what_has_not_begun() -> None:
    source, gate = Source(), Gate()
    async with AsyncExecutor(2) as executor:
        others = [executor.submit(gate, n) for n in range(2)]
        results = executor.map_iter(same, source)
        first = asyncio.create_task(anext(results))
        await settle()
        assert source.taken == 2
        first.cancel()
        await asyncio.wait([first])
        await results.aclose()
        gate.open()
        await executor.wait(others)
        await settle()
        assert source.taken == 2


async def test_a_loop_that_is_broken_off_takes_no_more() -> None:
    source, seen = Source(), []
    async with AsyncExecutor(2) as executor:
        async for result in executor.map_iter(same, source):
            seen.append(result)
            if result == 3:
                break
        await settle()
        taken = source.taken
        await executor.map(same, range(100))
        assert source.taken == taken
    assert seen == [0, 1, 2, 3]


async def test_a_task_under_way_goes_on_when_nobody_takes_its_result() -> None:
    gate, ended = Gate(), []

    async def work(number: int) -> None:
        await gate(number)
        ended.append(number)
        raise ValueError(number)

    async with AsyncExecutor(2) as executor:
        mapping = asyncio.create_task(executor.map(work, range(10)))
        await gate.wait_begun(2)
        mapping.cancel()
        await asyncio.wait([mapping])
        gate.open()
    assert ended == [0, 1]


async def test_a_task_whose_result_nobody_takes_is_not_tried_again() -> None:
    calls = []

    async def work(number: int) -> None:
        calls.append(number)
        raise ValueError(number)

    async with AsyncExecutor(2) as executor:
        mapping = asyncio.create_task(executor.map(work, range(10), retries=5, retry_delay=1000))
        await until(lambda: len(calls) == 2)
        mapping.cancel()
        await asyncio.wait([mapping])
    assert calls == [0, 1]


# Shutdown


async def test_shutdown_waits_for_the_maps_of_what_is_in_memory() -> None:
    gate = Gate()
    executor = AsyncExecutor(2)
    mapping = asyncio.create_task(executor.map(gate, range(10)))
    await gate.wait_begun(2)
    ending = asyncio.create_task(executor.shutdown())
    await settle()
    gate.open()
    await ending
    assert await mapping == list(range(10))


async def test_shutdown_ends_what_takes_its_items_as_they_are_wanted() -> None:
    executor, seen = AsyncExecutor(2), list[int]()
    results = executor.map_iter(same, Source())
    assert await anext(results) == 0
    await executor.shutdown()
    with pytest.raises(ExecutorShutdownError, match="takes no further items"):
        await collect(results, seen)
    assert seen == list(range(1, len(seen) + 1))


async def test_cancelling_futures_ends_the_maps_too() -> None:
    gate = Gate()
    executor = AsyncExecutor(2)
    mapping = asyncio.create_task(executor.map(gate, range(10)))
    await gate.wait_begun(2)
    ending = asyncio.create_task(executor.shutdown(cancel_futures=True))
    await settle()
    gate.open()
    await ending
    with pytest.raises(ExecutorShutdownError, match="Executor shutdown"):
        await mapping
    assert gate.begun == [0, 1]


async def test_maps_and_single_tasks_share_the_workers() -> None:
    async with AsyncExecutor(2) as executor:
        endless = executor.map_iter(same, itertools.count())
        assert await anext(endless) == 0
        maps = [asyncio.create_task(executor.map(same, range(100))) for _ in range(5)]
        assert await executor.submit(same, "single") == "single"
        assert [await mapping for mapping in maps] == [list(range(100))] * 5
        await endless.aclose()
