"""What a task costs in an AsyncExecutor of ten workers, beside AntFlow 0.10 and tasks under a semaphore.

Each contestant runs in a fresh process each round; what a further task costs is taken from a long and a short
run, so that nobody's start and end counts. AntFlow's `wait` looks at all futures each time one ends, so it
gets few of them. Tasks that do nothing show the machinery most: work of any length only hides it.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from antflow_core import AsyncExecutor
from tests.bench.child import in_child
from tests.bench.engine import real_antflow, suspend_once
from tests.bench.rounds import Rounds, Table, at_least, interleave, read_options

WORKERS = 10


async def nothing(value: int) -> int:
    """Not even suspends."""
    return value


async def plain(task: Any, tasks: int) -> None:
    """What somebody writes by hand: a task each, ten of them past a semaphore."""
    limit = asyncio.Semaphore(WORKERS)

    async def limited(value: int) -> int:
        async with limit:
            return await task(value)  # type: ignore[no-any-return]

    await asyncio.gather(*[limited(value) for value in range(tasks)])


async def map_all(make: Callable[[int], Any], task: Any, tasks: int) -> None:
    """All in one call."""
    async with make(WORKERS) as executor:
        await executor.map(task, range(tasks))


async def map_each(make: Callable[[int], Any], task: Any, tasks: int) -> None:
    """All in one loop."""
    async with make(WORKERS) as executor:
        async for _ in executor.map_iter(task, range(tasks)):
            pass


async def submit_and_gather(make: Callable[[int], Any], task: Any, tasks: int) -> None:
    """One by one, and all awaited at once."""
    async with make(WORKERS) as executor:
        futures = [executor.submit(task, value) for value in range(tasks)]
        await asyncio.gather(*[future.result() for future in futures])


async def submit_and_wait(make: Callable[[int], Any], task: Any, tasks: int) -> None:
    """One by one, and waited for until all are done."""
    async with make(WORKERS) as executor:
        await executor.wait([executor.submit(task, value) for value in range(tasks)])


WAYS = (map_all, map_each, submit_and_gather, submit_and_wait)
TASKS = (nothing, suspend_once)
_FEW = 0.02
"""The part of the tasks that AntFlow's `wait` gets: what one costs there grows with their number."""


def task_seconds(who: str, way: str, task: str, tasks: int) -> float:
    """What one further task costs a contestant, in this process."""
    run: Callable[[int], Awaitable[None]] = partial(plain, globals()[task])
    if who != "plain":
        make = AsyncExecutor if who == "ours" else real_antflow().AsyncExecutor
        run = partial(globals()[way], make, globals()[task])
    short = max(tasks // 10, 100)
    _seconds(run, short)
    return (_seconds(run, tasks) - _seconds(run, short)) / (tasks - short)


def _seconds(run: Callable[[int], Awaitable[None]], tasks: int) -> float:
    """How long one run takes, the loop's start and end left out."""

    async def timed() -> float:
        began = time.perf_counter()
        await run(tasks)
        return time.perf_counter() - began

    gc.collect()
    return asyncio.run(timed())


def measure(way: str, task: str, tasks: int, rounds: int, *, with_antflow: bool) -> Rounds:
    """Have every contestant do it, round by round."""
    sizes = {"ours": tasks, "plain": tasks}
    if with_antflow:
        sizes["antflow"] = int(tasks * _FEW) if way == "submit_and_wait" else tasks // 2
    contestants = {who: partial(in_child, task_seconds, who, way, task, size) for who, size in sizes.items()}
    return interleave(contestants, rounds)


def main() -> None:
    """Measure, and show what there are bars for."""
    options = read_options(__doc__, rounds=(5, 3), tasks=(100_000, 20_000))
    table = Table(f"AsyncExecutor: {WORKERS} workers, tasks that do nothing", options.markdown)
    with_antflow = importlib.util.find_spec("antflow") is not None
    if not with_antflow:
        table.note("AntFlow 0.10 is left out; for it: pip install '.[bench]'")
    for way in WAYS:
        for task in TASKS:
            rounds = measure(
                way.__name__, task.__name__, options.tasks, options.rounds, with_antflow=with_antflow
            )
            what = f"{way.__name__.replace('_', ' ')}, {task.__name__.replace('_', ' ')}"
            if with_antflow:
                beside = rounds.ratio("antflow", "ours")
                table.add(f"{what}: tasks/s beside AntFlow 0.10", beside, "×", at_least(1))
            table.add(f"{what}: tasks/s beside plain tasks", rounds.ratio("plain", "ours"), "×")
            table.add(f"{what}: each", rounds.spread("ours").times(1e6), "µs")


if __name__ == "__main__":
    main()
