"""AsyncFuture, and waiting for several: `wait`, `as_completed`, deadlines, failures that nobody asks for."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
import traceback
from collections.abc import Callable
from typing import Any, cast

import pytest

from antflow_core import AsyncExecutor, AsyncFuture, WaitStrategy
from tests.support.gates import Gate, same, settle, until

Expect = Callable[[str], None]
NEVER_RETRIEVED = "was never retrieved"


async def fail(value: object) -> None:
    raise ValueError(value)


def ended(*results: Any) -> list[AsyncFuture[Any]]:
    futures: list[AsyncFuture[Any]] = [AsyncFuture(number) for number in range(len(results))]
    for future, result in zip(futures, results, strict=True):
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
    return futures


def numbers(futures: set[AsyncFuture[Any]]) -> list[int]:
    return sorted(future.sequence_id for future in futures)


# One future


async def test_a_future_can_be_awaited_as_often_as_one_likes() -> None:
    future: AsyncFuture[int] = AsyncFuture(7)
    assert (future.sequence_id, future.done(), future.exception()) == (7, False, None)
    future.set_result(3)
    assert [await future.result(), await future.result(timeout=0), await future] == [3, 3, 3]
    assert (future.done(), future.exception(), future.failed()) == (True, None, False)


async def test_many_may_wait_for_one_future() -> None:
    future: AsyncFuture[int] = AsyncFuture(0)
    waiting = [asyncio.create_task(future.result()) for _ in range(50)]
    gathered = asyncio.gather(future, future)
    await settle()
    waiting[3].cancel()
    await settle()
    future.set_result(8)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results.count(8) == 49
    assert waiting[3].cancelled()
    assert list(await gathered) == [8, 8]


async def test_a_failure_is_raised_for_everybody_with_the_traceback_it_came_with() -> None:
    async with AsyncExecutor(1) as executor:
        future = executor.submit(fail, "shared")
        depths = []
        for _ in range(3):
            with pytest.raises(ValueError, match="shared") as caught:
                await future.result()
            depths.append(len(traceback.extract_tb(caught.value.__traceback__)))
            assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "fail"
        assert len(set(depths)) == 1


async def test_a_result_that_is_late_ends_the_waiting_and_not_the_task() -> None:
    gate = Gate()
    async with AsyncExecutor(1) as executor:
        future = executor.submit(gate, 5)
        for timeout in (0.01, 0, -1):
            with pytest.raises(TimeoutError, match="task 0 is not done after"):
                await future.result(timeout=timeout)
        assert not future.done()
        gate.open()
        assert await future.result(timeout=1000) == 5
        assert await future.result(timeout=float("inf")) == 5


@pytest.mark.parametrize("way", ["result", "wait", "as_completed"])
async def test_what_ends_in_the_same_turn_as_the_time_is_not_late(way: str) -> None:
    async def wait_for_it() -> list[str]:
        if way == "result":
            return [await future.result(timeout=0.001)]
        if way == "wait":
            done, _ = await executor.wait([future], timeout=0.001)
            return [await each for each in done]
        return [await each async for each in executor.as_completed([future], timeout=0.001)]

    executor, future = AsyncExecutor(), AsyncFuture[str](0)
    waiting = asyncio.create_task(wait_for_it())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.002, future.set_result, "in time")
    time.sleep(0.02)  # noqa: ASYNC251  the loop meets both moments at once, in their order
    assert await waiting == ["in time"]


async def test_who_is_cancelled_while_he_waits_ends_his_own_waiting_only() -> None:
    gate = Gate()
    async with AsyncExecutor(1) as executor:
        future = executor.submit(gate, 5)
        waiting = [asyncio.create_task(future.result(timeout)) for timeout in (None, 1000, None)]
        await gate.wait_begun(1)
        for task in waiting[:2]:
            task.cancel()
        await asyncio.wait(waiting[:2])
        gate.open()
        assert await waiting[2] == 5


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    futures: list[AsyncFuture[int]] = [AsyncFuture(n) for n in range(3)]
    executor = AsyncExecutor()
    waiting = [asyncio.create_task(futures[0].result(timeout)) for timeout in (None, 1000)]
    await settle()
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    for timeout in (0, 0.001):
        assert not await futures[0].wait_done(timeout)
        with pytest.raises(TimeoutError):
            await anext(executor.as_completed(futures, timeout))
        with pytest.raises(TimeoutError):
            await executor.wait(futures, timeout)
    assert [future._callbacks for future in futures] == [[]] * 3


async def test_waiting_for_the_end_does_not_ask_how_it_was() -> None:
    future: AsyncFuture[None] = AsyncFuture(0)
    assert not await future.wait_done(timeout=0)
    assert not await future.wait_done(timeout=0.001)
    waiting = asyncio.create_task(future.wait_done())
    await settle()
    future.set_exception(ValueError())
    assert await waiting
    assert await future.wait_done()
    assert isinstance(future.exception(), ValueError)


async def test_a_future_ends_once() -> None:
    done, failed = ended(1, ValueError("first"))
    for future in (done, failed):
        with pytest.raises(asyncio.InvalidStateError, match="has ended already"):
            future.set_result(2)
        with pytest.raises(asyncio.InvalidStateError, match="has ended already"):
            future.set_exception(ValueError("second"))
    assert await done == 1
    assert str(failed.exception()) == "first"


async def test_who_ends_a_future_by_hand_is_not_overruled_by_its_task() -> None:
    gate, later = Gate(), Gate()
    async with AsyncExecutor(1) as executor:
        running, waiting = executor.submit(gate, 1), executor.submit(later, 2)
        await gate.wait_begun(1)
        running.set_result(10)
        waiting.set_exception(LookupError("not wanted"))
        assert await running == 10
        gate.open()
        await executor.submit(same, 3)
        assert await running == 10
        assert later.begun == []
        with pytest.raises(LookupError, match="not wanted"):
            await waiting


async def test_what_an_exception_may_be() -> None:
    future: AsyncFuture[None] = AsyncFuture(0)
    for nonsense in (None, 3, int):
        with pytest.raises(TypeError, match="is no exception"):
            future.set_exception(cast("Any", nonsense))
    future.set_exception(LookupError)
    with pytest.raises(LookupError):
        await future
    [odd] = ended(StopIteration(3))
    with pytest.raises(RuntimeError, match=r"StopIteration\(3\) cannot be raised") as caught:
        await odd
    assert isinstance(caught.value.__cause__, StopIteration)


async def test_callbacks_are_called_when_the_future_ends(expect_log: Expect) -> None:
    expect_log("a callback of <AsyncFuture 0: done> failed")
    called: list[object] = []

    def broken(_: object) -> None:
        raise ValueError("in a callback")

    future: AsyncFuture[int] = AsyncFuture(0)
    removed = called.append
    future.add_done_callback(broken)
    future.add_done_callback(removed)
    future.remove_done_callback(removed)
    future.remove_done_callback(removed)
    future.add_done_callback(lambda ended_one: called.append(ended_one.done()))
    assert called == []
    future.set_result(1)
    assert called == [True]
    future.add_done_callback(called.append)
    assert called == [True, future]


async def test_a_future_says_what_became_of_it() -> None:
    future: AsyncFuture[None] = AsyncFuture(4)
    assert repr(future) == "<AsyncFuture 4: not done>"
    done, failed = ended(1, ValueError())
    assert repr(done) == "<AsyncFuture 0: done>"
    assert repr(failed) == "<AsyncFuture 1: failed with ValueError>"
    failed.exception()


# Failures that nobody asks for


async def test_a_failure_that_nobody_asks_for_is_told(expect_log: Expect) -> None:
    expect_log(f"The exception of AsyncFuture 1 {NEVER_RETRIEVED}")
    async with AsyncExecutor(1) as executor:
        executor.submit(same, 1)
        executor.submit(fail, 2)


def test_a_failure_set_outside_a_loop_is_told_too(expect_log: Expect) -> None:
    expect_log(f"The exception of AsyncFuture 9 {NEVER_RETRIEVED}")
    future: AsyncFuture[None] = AsyncFuture(9)
    future.set_exception(ValueError("unheard"))


@pytest.mark.parametrize("way", ["result", "exception", "map"])
async def test_a_failure_that_somebody_asked_for_is_not_told(way: str) -> None:
    async with AsyncExecutor(1) as executor:
        if way == "map":
            with pytest.raises(ValueError):
                await executor.map(fail, range(3))
            return
        future = executor.submit(fail, 1)
        await executor.wait([future])
        if way == "exception":
            assert isinstance(future.exception(), ValueError)
        else:
            with pytest.raises(ValueError):
                await future


async def test_nobody_has_to_ask_for_what_was_cancelled() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    gate = Gate()
    executor = AsyncExecutor(1)
    executor.submit(cancelled)
    executor.submit(gate, 1)
    executor.submit(gate, 2)
    await gate.wait_begun(1)
    gate.open()
    await executor.shutdown(cancel_futures=True)


# wait


async def test_wait_returns_when_all_are_done() -> None:
    gate = Gate()
    async with AsyncExecutor(3) as executor:
        futures = [executor.submit(gate, n) for n in range(3)]
        waiting = asyncio.create_task(executor.wait(futures))
        await gate.wait_begun(3)
        for _ in range(2):
            gate.let_one_go()
            await settle()
            assert not waiting.done()
        gate.let_one_go()
        done, pending = await waiting
    assert done == set(futures)
    assert pending == set()


@pytest.mark.parametrize("strategy", [*WaitStrategy, "FIRST_COMPLETED", concurrent.futures.FIRST_EXCEPTION])
async def test_wait_returns_what_is_done_and_what_is_not(strategy: Any) -> None:
    gate = Gate()
    async with AsyncExecutor(4) as executor:
        good, bad = executor.submit(same, 0), executor.submit(fail, 1)
        futures = [good, bad, executor.submit(gate, 2)]
        waiting = asyncio.create_task(executor.wait(futures, return_when=strategy))
        await until(bad.done)
        if strategy is WaitStrategy.ALL_COMPLETED:
            await settle()
            gate.open()
        done, pending = await waiting
        gate.open()
    assert done | pending == set(futures)
    assert all(future.done() for future in done)
    assert (futures[2] in done) is (strategy is WaitStrategy.ALL_COMPLETED)
    assert isinstance(bad.exception(), ValueError)


async def test_first_completed_is_the_first_to_end_in_whatever_way() -> None:
    gate = Gate()
    async with AsyncExecutor(2) as executor:
        futures = [executor.submit(gate, 0), executor.submit(fail, 1)]
        done, pending = await executor.wait(futures, return_when=WaitStrategy.FIRST_COMPLETED)
        assert (numbers(done), numbers(pending)) == ([1], [0])
        gate.open()
    assert isinstance(futures[1].exception(), ValueError)


async def test_first_exception_waits_for_all_where_there_is_none() -> None:
    async with AsyncExecutor(2) as executor:
        futures = [executor.submit(same, n) for n in range(5)]
        done, pending = await executor.wait(futures, return_when=WaitStrategy.FIRST_EXCEPTION)
    assert (numbers(done), pending) == ([0, 1, 2, 3, 4], set())


async def test_wait_does_not_wait_for_what_has_happened() -> None:
    executor, open_one = AsyncExecutor(), AsyncFuture[int](9)
    good, bad = ended(1, ValueError())
    for strategy in (WaitStrategy.FIRST_COMPLETED, WaitStrategy.FIRST_EXCEPTION):
        done, pending = await executor.wait([good, bad, open_one], return_when=strategy)
        assert (done, pending) == ({good, bad}, {open_one})
    assert await executor.wait(iter([good, good])) == ({good}, set())
    assert await executor.wait([]) == (set(), set())
    assert isinstance(bad.exception(), ValueError)


async def test_wait_for_all_ends_in_a_timeout_and_the_others_in_what_there_is() -> None:
    executor, open_one = AsyncExecutor(), AsyncFuture[int](9)
    [good] = ended(1)
    for timeout in (0.001, 0):
        with pytest.raises(TimeoutError, match="1 of 2 tasks are not done after 0"):
            await executor.wait([good, open_one], timeout=timeout)
        for strategy in (WaitStrategy.FIRST_COMPLETED, WaitStrategy.FIRST_EXCEPTION):
            done, pending = await executor.wait([open_one], timeout, strategy)
            assert (done, pending) == (set(), {open_one})


async def test_what_cannot_be_waited_for_is_refused() -> None:
    executor = AsyncExecutor()
    with pytest.raises(TypeError, match=r"futures that submit\(\) gave, got 3"):
        await executor.wait(cast("Any", [3]))
    with pytest.raises(TypeError, match=r"futures that submit\(\) gave, got 'x'"):
        await anext(executor.as_completed(cast("Any", "x")))
    with pytest.raises(ValueError, match=r"return_when must be one of WaitStrategy\.FIRST_COMPLETED, "):
        await executor.wait([], return_when=cast("Any", "SOME"))


async def test_a_cancelled_wait_leaves_the_futures_alone() -> None:
    gate = Gate()
    async with AsyncExecutor(2) as executor:
        futures = [executor.submit(gate, n) for n in range(2)]

        async def collect() -> None:
            async for _ in executor.as_completed(futures):
                pass

        waiting = [asyncio.create_task(executor.wait(futures)), asyncio.create_task(collect())]
        await gate.wait_begun(2)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        gate.open()
        assert [await future for future in futures] == [0, 1]


# as_completed


async def test_futures_come_in_the_order_in_which_they_end() -> None:
    gates = [Gate() for _ in range(3)]
    async with AsyncExecutor(3) as executor:
        futures = [executor.submit(gate, n) for n, gate in enumerate(gates)]
        order = []
        gates[2].open()
        async for future in executor.as_completed(futures):
            order.append(await future)
            gates[(order[-1] + 1) % 3 - 2].open()
    assert sorted(order) == [0, 1, 2]
    assert order[0] == 2


async def test_what_has_ended_comes_first_and_what_is_given_twice_comes_twice() -> None:
    executor, late = AsyncExecutor(), AsyncFuture[int](9)
    first, second = ended(1, ValueError())
    seen: list[AsyncFuture[int]] = []
    nothing: list[AsyncFuture[int]] = []
    async for future in executor.as_completed([late, second, first, second]):
        seen.append(future)
        if future is first:
            late.set_result(1)
    assert seen == [second, second, first, late]
    assert [future async for future in executor.as_completed(nothing)] == []
    assert isinstance(second.exception(), ValueError)


async def test_as_completed_has_one_deadline_for_all() -> None:
    futures: list[AsyncFuture[int]] = [AsyncFuture(n) for n in range(100)]
    seen: list[AsyncFuture[int]] = []
    loop = asyncio.get_running_loop()

    async def collect() -> None:
        async for future in AsyncExecutor().as_completed(futures, timeout=0.05):
            seen.append(future)
            loop.call_later(0.02, futures[len(seen)].set_result, 0)

    began = loop.time()
    futures[0].set_result(0)
    with pytest.raises(TimeoutError, match=r"of 100 tasks are not done after 0\.05 s"):
        await collect()
    assert loop.time() - began >= 0.049
    assert 1 <= len(seen) <= 3
    await until(futures[len(seen)].done)


async def test_as_completed_gives_what_is_done_even_where_the_time_is_over() -> None:
    executor = AsyncExecutor()
    [done] = ended(1)
    assert [future async for future in executor.as_completed([done], timeout=0)] == [done]
    late = executor.as_completed([AsyncFuture(3), done], timeout=0)
    assert await anext(late) is done
    with pytest.raises(TimeoutError, match="1 of 2 tasks are not done after 0 s"):
        await anext(late)


async def test_leaving_as_completed_early_leaves_nothing() -> None:
    gate = Gate()
    async with AsyncExecutor(3) as executor:
        futures = [executor.submit(gate, n) for n in range(3)]
        gate.open()
        async for future in executor.as_completed(futures):
            assert await future == 0
            break
        assert await futures[2] == 2
