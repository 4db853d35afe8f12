"""How many callbacks a second the app's loop runs, beside asyncio's own loop and plain qasync.

Run: ``python -m tests.bench.event_loop [--rounds 7]``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable, Coroutine
from typing import Any

import qasync
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QGuiApplication

from antflow_gui.event_loop import BatchedEventLoop

_SLOWER = 10  # so much less is asked of plain qasync, or it would take most of the time

Work = Callable[[int], Coroutine[Any, Any, None]]


async def chain(count: int) -> None:
    """Each callback registers the next one."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def step(left: int) -> None:
        if left:
            loop.call_soon(step, left - 1)
        else:
            done.set_result(None)

    loop.call_soon(step, count)
    await done


async def burst(count: int) -> None:
    """All are registered, then all run."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    for _ in range(count):
        loop.call_soon(int)
    loop.call_soon(done.set_result, None)
    await done


async def sleeps(count: int) -> None:
    """A hundred tasks that do nothing but let the others go first, as workers with nothing to wait for do."""

    async def yield_often() -> None:
        for _ in range(count // 100):
            await asyncio.sleep(0)

    await asyncio.gather(*(yield_often() for _ in range(100)))


async def timeouts(count: int) -> None:
    """Each step under a timeout that never fires."""
    for _ in range(count):
        async with asyncio.timeout(60):
            await asyncio.sleep(0)


async def wakes(count: int) -> None:
    """Another thread wakes the sleeping loop each time."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        await loop.run_in_executor(None, int)


def rate(make_loop: Callable[[], asyncio.AbstractEventLoop], work: Work, count: int) -> float:
    """Callbacks a second."""
    loop = make_loop()
    asyncio.set_event_loop(loop)
    began = time.perf_counter()
    loop.run_until_complete(work(count))
    duration = time.perf_counter() - began
    loop.run_until_complete(loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close()
    return count / duration


WORKS: dict[Work, int] = {chain: 100_000, burst: 100_000, sleeps: 100_000, timeouts: 20_000, wakes: 5_000}
"""What is done, and how many times."""


def main() -> None:
    """Print a table; the rounds of the three loops are interleaved: the machine's moods meet all alike."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    given = arguments.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QGuiApplication([])
    print(f"{'':10}{'asyncio/s':>12}{'ours/s':>12}{'qasync/s':>12}{'ours:asyncio':>14}{'ours:qasync':>13}")
    for work, count in WORKS.items():
        rates = [_round(app, work, count) for _ in range(given.rounds)]
        plain, ours, qt = (statistics.median(column) for column in zip(*rates, strict=True))
        to_plain, to_qt = (statistics.median(r[1] / r[other] for r in rates) for other in (0, 2))
        print(f"{work.__name__:10}{plain:12,.0f}{ours:12,.0f}{qt:12,.0f}{to_plain:14.2f}{to_qt:13.1f}")


def _round(app: QCoreApplication, work: Work, count: int) -> tuple[float, float, float]:
    return (
        rate(asyncio.SelectorEventLoop, work, count),
        rate(lambda: BatchedEventLoop(app), work, count),
        rate(lambda: qasync.QEventLoop(app), work, count // _SLOWER),
    )


if __name__ == "__main__":
    main()
