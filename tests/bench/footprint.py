"""What a pipeline takes besides time: flat memory, no CPU while it is idle, an end without delay."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from antflow_core import Pipeline, Stage
from tests.bench.child import in_child
from tests.bench.engine import STAGES, WORKERS, suspend_once
from tests.bench.rounds import Table, at_most, interleave, read_options, stopwatch

_WARM_ITEMS = 50_000
_LOOKS = 50


def memory_growth(items: int) -> float:
    """By how many bytes this process grows over a run that keeps no results, once it is warm."""
    asyncio.run(_pipeline(collect=False).run(range(_WARM_ITEMS)))
    before = resident_bytes()
    most = before

    def watched() -> Iterator[int]:
        nonlocal most
        for item in range(items):
            if not item % (items // _LOOKS):
                most = max(most, resident_bytes())
            yield item

    asyncio.run(_pipeline(collect=False).run(watched()))
    return max(most, resident_bytes()) - before


def idle_cpu(workers: int, seconds: float) -> float:
    """The part of a processor that a started pipeline takes while nobody feeds it."""

    async def timed() -> float:
        pipeline = _pipeline(workers)
        await pipeline.start()
        await asyncio.sleep(0.1)
        used = time.process_time()
        with stopwatch() as elapsed:
            await asyncio.sleep(seconds)
        share = (time.process_time() - used) / elapsed()
        await pipeline.shutdown()
        return share

    return asyncio.run(timed())


def stop_seconds(workers: int) -> float:
    """How long an idle pipeline takes to end."""

    async def timed() -> float:
        pipeline = _pipeline(workers)
        await pipeline.start()
        await asyncio.sleep(0.05)
        with stopwatch() as elapsed:
            await pipeline.shutdown()
        return elapsed()

    return asyncio.run(timed())


def _pipeline(workers: int = WORKERS, *, collect: bool = True) -> Pipeline:
    stages = [Stage(f"Stage {index}", workers, [suspend_once]) for index in range(STAGES)]
    return Pipeline(stages, collect_results=collect)


def resident_bytes() -> int:
    """How much memory this process has; where /proc is not known, the most it ever had."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource  # late: Windows has none

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    """Measure, and show."""
    options = read_options(__doc__, rounds=(5, 3), items=(1_000_000, 200_000), idle_seconds=(3, 1))
    table = Table("Footprint: memory, CPU of an idle pipeline, the end of one", options.markdown)
    measured = interleave(
        {
            "idle": partial(in_child, idle_cpu, WORKERS, options.idle_seconds),
            "idle, many": partial(in_child, idle_cpu, 1_000, options.idle_seconds),
            "stop": partial(in_child, stop_seconds, WORKERS),
        },
        options.rounds,
    )
    growth = in_child(memory_growth, options.items) / 1e6
    what = f"untracked, {options.items:,} items from a generator, none kept: growth of memory"
    table.add(what, growth, "MB", at_most(4))
    for name, workers in (("idle", WORKERS), ("idle, many", 1_000)):
        milliseconds = measured.spread(name).times(1e3)
        what = f"an idle pipeline of {STAGES} × {workers:,} workers, CPU a second"
        table.add(what, milliseconds, "ms", at_most(1))
    table.add("an idle pipeline ends after", measured.spread("stop").times(1e3), "ms", at_most(10))


if __name__ == "__main__":
    main()
