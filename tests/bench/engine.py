"""How many items a second go through 3 stages of 10 workers, beside AntFlow, pypeln and naive queues.

The task does nothing but suspend once. Each contestant runs in a fresh process each round; what a further
item costs is taken from a long and a short run, so that no start and no end counts, the polling at the end of
AntFlow's included. Slow ones get fewer items. All of them compute all the time on one thread, so their CPU
time is taken: it says the same on a busy machine.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from antflow_core import Pipeline, Stage, StatusTracker
from tests.bench.child import in_child
from tests.bench.rounds import Table, at_least, interleave, read_options, stopwatch

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


def stages(make: Callable[..., Any] = Stage) -> list[Any]:
    """The stages of either package; theirs take the same arguments."""
    return [make(f"Stage {index}", WORKERS, [suspend_once]) for index in range(STAGES)]


async def untracked(items: int) -> None:
    """The engine alone."""
    await Pipeline(stages()).run(range(items))


async def tracked(items: int) -> None:
    """The engine with every event in a tracker's log."""
    await Pipeline(stages(), status_tracker=StatusTracker()).run(range(items))


def real_antflow() -> Any:
    """AntFlow 0.10 at its fastest: its telemetry costs a third where OpenTelemetry is installed."""
    antflow = importlib.import_module("antflow")
    antflow.configure_telemetry(enabled=False)
    return antflow


async def antflow_untracked(items: int) -> None:
    """The real AntFlow."""
    antflow = real_antflow()
    await antflow.Pipeline(stages(antflow.Stage)).run(range(items))


async def antflow_tracked(items: int) -> None:
    """The real AntFlow with its own tracker."""
    antflow = real_antflow()
    tracker = antflow.StatusTracker()
    await antflow.Pipeline(stages(antflow.Stage), status_tracker=tracker).run(range(items))


async def pypeln(items: int) -> None:
    """The way pypeln's own pages do it, awaited on the same loop; it has no tracking."""
    task = importlib.import_module("pypeln").task
    stage: Any = range(items)
    for _ in range(STAGES):
        stage = task.map(suspend_once, stage, workers=WORKERS)
    await stage


Contestant = Callable[[int], Awaitable[None]]

# Each with the part of the items it gets, so that a round takes each about as long.
OURS: dict[Contestant, float] = {naive: 1, untracked: 0.7, tracked: 0.5}
THEIRS: dict[Contestant, float] = {pypeln: 0.15, antflow_untracked: 0.04, antflow_tracked: 0.03}


def item_seconds(name: str, items: int) -> float:
    """What one further item costs a contestant, in this process."""
    contestant = globals()[name]
    short = max(items // 10, 100)
    _run(contestant, short)
    return (_run(contestant, items) - _run(contestant, short)) / (items - short)


def _run(contestant: Contestant, items: int) -> float:
    """How long one run takes, the loop's start and end left out."""

    async def timed() -> float:
        with stopwatch(time.process_time) as elapsed:
            await contestant(items)
        return elapsed()

    gc.collect()
    return asyncio.run(timed())


def main() -> None:
    """Measure, and show what there are bars for."""
    options = read_options(__doc__, rounds=(7, 3), items=(150_000, 50_000))
    table = Table("Throughput: 3 stages × 10 workers, a task that suspends once", options.markdown)
    contestants = dict(OURS)
    if importlib.util.find_spec("antflow") and importlib.util.find_spec("pypeln"):
        contestants |= THEIRS
    else:
        table.note("AntFlow 0.10 and pypeln are left out; for them: pip install '.[bench]'")
    rounds = interleave(
        {
            (name := contestant.__name__): partial(in_child, item_seconds, name, int(options.items * part))
            for contestant, part in contestants.items()
        },
        options.rounds,
    )
    if antflow_tracked in contestants:
        antflow = rounds.ratio("antflow_tracked", "tracked")
        table.add("tracked, items/s beside AntFlow 0.10 tracked", antflow, "×", at_least(15))
        table.add("tracked, items/s beside pypeln 0.4.9", rounds.ratio("pypeln", "tracked"), "×", at_least(3))
    table.add("tracked, items/s beside naive queues", rounds.ratio("naive", "tracked"), "×", at_least(0.4))
    if antflow_tracked in contestants:
        antflow = rounds.ratio("antflow_untracked", "untracked")
        table.add("untracked, items/s beside AntFlow 0.10 untracked", antflow, "×")
        table.add("untracked, items/s beside pypeln 0.4.9", rounds.ratio("pypeln", "untracked"), "×")
    table.add("untracked, items/s beside naive queues", rounds.ratio("naive", "untracked"), "×")
    table.add("tracked, time beside untracked", rounds.ratio("tracked", "untracked"), "×")
    for contestant in contestants:
        each = rounds.spread(contestant.__name__).times(1e6 / STAGES)
        table.add(f"{contestant.__name__.replace('_', ' ')}, an item and stage", each, "µs")


if __name__ == "__main__":
    main()
