"""Limits: workers inside a task, calls inside a task at once and per period."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from antflow_core import Pipeline, Stage, StatusTracker, call_rate_has_capacity, concurrency_limit, rate_limit


class Gauge:
    """How many are inside, and how many were at most."""

    def __init__(self) -> None:
        self.inside = self.most = 0

    async def pass_through(self) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        for _ in range(3):
            await asyncio.sleep(0)
        self.inside -= 1


async def errors_of(task: Any, **fields: Any) -> list[str]:
    pipeline = Pipeline([Stage("A", 1, [task], task_attempts=1, **fields)])
    await pipeline.run([1])
    return [item.error for item in pipeline.get_error_summary().failed_items]


async def test_only_so_many_workers_are_inside_a_limited_task() -> None:
    limited, free = Gauge(), Gauge()

    async def parse(_: int) -> None:
        await free.pass_through()

    async def load(_: None) -> None:
        await limited.pass_through()

    stage = Stage("A", 6, [parse, load], task_concurrency_limits={"load": 2})
    assert len(await Pipeline([stage]).run(range(30))) == 30
    assert (free.most, limited.most) == (6, 2)


async def test_who_waits_for_a_limited_task_has_not_started_it() -> None:
    gate = asyncio.Event()
    started: list[Any] = []

    async def wait(value: int) -> int:
        await gate.wait()
        return value

    stage = Stage("A", 3, [wait], task_concurrency_limits={"wait": 1})
    tracker = StatusTracker(on_task_start=lambda event: started.append(event.item_id))
    running = asyncio.create_task(Pipeline([stage], status_tracker=tracker).run(range(3)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert started == [0]
    gate.set()
    await running


async def test_a_limit_is_free_again_after_failures_and_cancellations() -> None:
    async def fail(_: int) -> None:
        raise ValueError

    stage = Stage("A", 3, [fail], task_attempts=2, task_wait_seconds=0, task_concurrency_limits={"fail": 1})
    pipeline = Pipeline([stage])
    await asyncio.wait_for(pipeline.run(range(5)), 10)
    assert pipeline.get_error_summary().total_failed == 5


async def test_a_thread_that_timed_out_is_still_inside_its_limit() -> None:
    gate = threading.Event()
    gauge: list[int] = []

    def block(value: int) -> int:
        gauge.append(value)
        if value == 0:
            gate.wait(10)
        return value

    stage = Stage("A", 2, [block], task_attempts=1, timeout=0.05, task_concurrency_limits={"block": 1})
    pipeline = Pipeline([stage])
    running = asyncio.create_task(pipeline.run([0, 1]))
    while not pipeline.get_error_summary().total_failed:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert gauge == [0]
    gate.set()
    assert [r.value for r in await running] == [1]


async def test_only_so_many_calls_at_once() -> None:
    gauge = Gauge()

    async def call(_: int) -> None:
        async with concurrency_limit():
            await gauge.pass_through()

    await Pipeline([Stage("A", 8, [call], call_concurrency=3)]).run(range(30))
    assert gauge.most == 3


async def test_only_so_many_calls_per_period() -> None:
    passed: list[bool] = []

    async def call(_: int) -> None:
        if call_rate_has_capacity():
            async with rate_limit():
                passed.append(True)
        else:
            passed.append(False)

    await Pipeline([Stage("A", 1, [call], call_rate=3, call_rate_period=1000)]).run(range(5))
    assert passed == [True, True, True, False, False]


async def test_a_rate_holds_calls_back_until_there_is_room() -> None:
    async def call(value: int) -> int:
        async with rate_limit():
            return value

    pipeline = Pipeline([Stage("A", 4, [call], call_rate=2, call_rate_period=0.02)])
    assert len(await pipeline.run(range(6))) == 6


async def test_a_plain_function_may_ask_for_the_rate() -> None:
    def ask(_: int) -> bool:
        return call_rate_has_capacity()

    (result,) = await Pipeline([Stage("A", 1, [ask], call_rate=1)]).run([1])
    assert result.value is True


async def test_a_limit_that_is_not_set_is_named() -> None:
    async def concurrent(_: int) -> None:
        async with concurrency_limit():
            pass

    async def rated(_: int) -> None:
        async with rate_limit():
            pass

    assert "call_concurrency" in (await errors_of(concurrent))[0]
    assert "call_rate" in (await errors_of(rated))[0]
    assert call_rate_has_capacity()
    with pytest.raises(RuntimeError, match="call_rate"):
        async with rate_limit():
            pass
