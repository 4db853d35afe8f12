"""What must not grow: an item's cost with the items or the idle workers, a snapshot's with the failures.

Each figure is a ratio of the CPU times of two sizes, measured in turn, each in a fresh process.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import statistics
import time
from collections.abc import AsyncIterator
from functools import partial

from antflow_core import Pipeline, Stage, StatusTracker
from tests.bench.child import in_child
from tests.bench.engine import STAGES, WORKERS, stages, suspend_once
from tests.bench.rounds import Table, at_most, interleave, read_options, stopwatch

_AT_LEAST_ITEMS = 50_000
_AT_ONCE = 5
_SNAPSHOTS = 201
_FLAT = at_most(1.2)


def item_seconds(items: int, tracked: bool) -> float:
    """What an item costs in this process, in runs of so many items."""
    _run_seconds(1_000, tracked)
    repeats = max(1, _AT_LEAST_ITEMS // items)
    return statistics.median(_run_seconds(items, tracked) for _ in range(repeats)) / items


def _run_seconds(items: int, tracked: bool) -> float:
    async def timed() -> float:
        pipeline = Pipeline(stages(), status_tracker=StatusTracker() if tracked else None)
        with stopwatch(time.process_time) as elapsed:
            await pipeline.run(range(items))
        return elapsed()

    gc.collect()
    return asyncio.run(timed())


class _Trickle:
    """Feeds an item when one has come through, so that most workers have nothing to do."""

    def __init__(self, items: int, at_once: int) -> None:
        self._left = items
        self._free = at_once
        self._wake: asyncio.Future[None] | None = None

    async def items(self) -> AsyncIterator[int]:
        """As many as were asked for."""
        while self._left:
            if not self._free:
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake
                self._wake = None
            self._free -= 1
            self._left -= 1
            yield self._left

    async def come_through(self, value: int) -> int:
        """The last stage's task."""
        await asyncio.sleep(0)
        self._free += 1
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        return value


def idle_item_seconds(items: int, workers: int, tracked: bool) -> float:
    """What an item costs in this process where it is nearly alone among so many workers a stage."""

    async def timed(items: int) -> float:
        trickle = _Trickle(items, _AT_ONCE)
        tasks = [suspend_once] * (STAGES - 1) + [trickle.come_through]
        pipeline = Pipeline(
            [Stage(f"Stage {index}", workers, [task]) for index, task in enumerate(tasks)],
            status_tracker=StatusTracker() if tracked else None,
        )
        async with pipeline:
            await pipeline.start()
            await asyncio.sleep(0)  # all workers wait now
            with stopwatch(time.process_time) as elapsed:
                await pipeline.feed(trickle.items())
            return elapsed()

    asyncio.run(timed(1_000))
    gc.collect()
    return asyncio.run(timed(items)) / items


async def _fail(value: int) -> int:
    raise ValueError(f"{value} is not welcome")


def snapshot_seconds(failures: int, stage_count: int, workers: int) -> float:
    """What a snapshot costs in this process, after so many items have failed."""
    logging.disable(logging.CRITICAL)

    async def timed() -> float:
        failing = [Stage(f"Stage {index}", workers, [_fail], task_attempts=1) for index in range(stage_count)]
        pipeline = Pipeline(failing, status_tracker=StatusTracker())
        await pipeline.run(range(failures))
        times = []
        for _ in range(_SNAPSHOTS):
            with stopwatch(time.process_time) as elapsed:
                pipeline.get_dashboard_snapshot()
            times.append(elapsed())
        assert len(pipeline.get_error_summary().failed_items) == failures
        return statistics.median(times)

    return asyncio.run(timed())


def measure_items(table: Table, rounds: int, few: int, many: int) -> None:
    """Whether an item costs more in a long run."""
    for tracked in (False, True):
        sizes = {str(items): partial(in_child, item_seconds, items, tracked) for items in (few, many)}
        what = f"{_way(tracked)}, cost of an item: {many:,} items beside {few:,}"
        table.add(what, interleave(sizes, rounds).ratio(str(many), str(few)), "×", _FLAT)


def measure_workers(table: Table, rounds: int, items: int) -> None:
    """Whether an item costs more where many workers have nothing to do, instead of few."""
    for tracked in (False, True):
        sizes = {str(n): partial(in_child, idle_item_seconds, items, n, tracked) for n in (WORKERS, 1_000)}
        what = f"{_way(tracked)}, cost of an item: 1,000 idle workers a stage beside {WORKERS}"
        table.add(what, interleave(sizes, rounds).ratio("1000", str(WORKERS)), "×", _FLAT)


def measure_snapshots(table: Table, rounds: int, failures: int) -> None:
    """Whether a snapshot costs more than its stages and workers."""
    sizes = {
        "few": partial(in_child, snapshot_seconds, 10, STAGES, WORKERS),
        "many": partial(in_child, snapshot_seconds, failures, STAGES, WORKERS),
        "large": partial(in_child, snapshot_seconds, 10, 10 * STAGES, 10 * WORKERS),
    }
    measured = interleave(sizes, rounds)
    what = f"cost of a snapshot: {failures:,} failures beside 10"
    table.add(what, measured.ratio("many", "few"), "×", _FLAT)
    what = "cost of a snapshot: 30 stages × 100 workers beside 3 × 10, 100 times as many"
    table.add(what, measured.ratio("large", "few"), "×", at_most(100 * _FLAT.limit))


def _way(tracked: bool) -> str:
    return "tracked" if tracked else "untracked"


def main() -> None:
    """Measure, and show."""
    options = read_options(
        __doc__,
        rounds=(3, 2),
        items=(1_000_000, 100_000),
        idle_items=(100_000, 50_000),
        failures=(100_000, 10_000),
    )
    table = Table("Growth: what an item and a snapshot cost with more of everything", options.markdown)
    measure_items(table, options.rounds, 10_000, options.items)
    measure_workers(table, options.rounds, options.idle_items)
    measure_snapshots(table, options.rounds, options.failures)


if __name__ == "__main__":
    main()
