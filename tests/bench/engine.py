"""How fast the engine is beside naive asyncio queues: ratios of interleaved rounds, because machines vary.

Run: ``python -m tests.bench.engine [--items 20000] [--rounds 5]``.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from antflow_core import Pipeline, Stage, StatusTracker

STAGES, WORKERS = 3, 10


async def suspend_once(value: int) -> int:
    """The least an async task does."""
    await asyncio.sleep(0)
    return value


async def naive(items: int) -> None:
    """What somebody writes by hand: a queue and some workers a stage, no names, no errors, no statistics."""
    queues: list[asyncio.Queue[int]] = [asyncio.Queue(10 * WORKERS) for _ in range(STAGES + 1)]
    queues[-1] = asyncio.Queue()

    async def work(source: asyncio.Queue[int], target: asyncio.Queue[int]) -> None:
        while True:
            value = await source.get()
            await target.put(await suspend_once(value))
            source.task_done()

    workers = [
        asyncio.create_task(work(queues[index], queues[index + 1]))
        for index in range(STAGES)
        for _ in range(WORKERS)
    ]
    for value in range(items):
        await queues[0].put(value)
    for queue in queues[:-1]:
        await queue.join()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


def _pipeline(tracker: StatusTracker | None) -> Pipeline:
    stages = [Stage(f"Stage {index}", WORKERS, [suspend_once]) for index in range(STAGES)]
    return Pipeline(stages, status_tracker=tracker)


async def untracked(items: int) -> None:
    """The engine alone."""
    await _pipeline(None).run(range(items))


async def tracked(items: int) -> None:
    """The engine with every event in a tracker's log."""
    await _pipeline(StatusTracker()).run(range(items))


def seconds(run: Callable[[int], Awaitable[None]], items: int) -> float:
    """How long one run takes, the loop's start and end left out."""

    async def timed() -> float:
        began = time.perf_counter()
        await run(items)
        return time.perf_counter() - began

    return asyncio.run(timed())


def main() -> None:
    """Print a line for each way."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--items", type=int, default=20_000)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    ways = (naive, untracked, tracked)
    rounds = [[seconds(way, given.items) for way in ways] for _ in range(given.rounds)]
    for index, way in enumerate(ways):
        each_us = min(times[index] for times in rounds) / given.items / STAGES * 1e6
        ratio = statistics.median(times[0] / times[index] for times in rounds)
        print(f"{way.__name__:>10}: {each_us:5.2f} µs per item and stage, {ratio:.2f} × naive queues")


if __name__ == "__main__":
    main()
