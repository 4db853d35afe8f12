"""How many callbacks a second the app's loop runs, beside asyncio's own loop and plain qasync."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import qasync
from PySide6.QtGui import QGuiApplication

from antflow_gui.event_loop import BatchedEventLoop
from tests.bench.rounds import Table, interleave, read_options, stopwatch

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
    with stopwatch() as elapsed:
        loop.run_until_complete(work(count))
    loop.run_until_complete(loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close()
    return count / elapsed()


WORKS: dict[Work, int] = {chain: 100_000, burst: 100_000, sleeps: 100_000, timeouts: 20_000, wakes: 5_000}
"""What is done, and how many times."""


def main() -> None:
    """Measure, and show."""
    options = read_options(__doc__, rounds=(7, 3))
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QGuiApplication([])
    table = Table("Callbacks a second on the app's loop", options.markdown)
    for work, count in WORKS.items():
        rounds = interleave(
            {
                "asyncio": partial(rate, asyncio.SelectorEventLoop, work, count),
                "ours": partial(rate, partial(BatchedEventLoop, app), work, count),
                "qasync": partial(rate, partial(qasync.QEventLoop, app), work, count // _SLOWER),
            },
            options.rounds,
        )
        for other in ("asyncio", "qasync"):
            table.add(f"{work.__name__}, beside {other}", rounds.ratio("ours", other), "×")
        table.detail(f"{work.__name__}, a second", rounds.spread("ours"))


if __name__ == "__main__":
    main()
