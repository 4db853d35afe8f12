"""Scripts that, run as programs of their own, do as they please with their loop."""

from __future__ import annotations

_HEAD = """\
import asyncio
from antflow import Pipeline, Stage
async def same(x): return x
async def main():
    await Pipeline([Stage("Same", 2, [same])]).run(range(5))
"""

_CLEAN_UP = """\
    side = asyncio.create_task(asyncio.sleep(1000))
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
"""

_STOP = """\
    asyncio.get_running_loop().stop()
    await asyncio.sleep(1000)
"""

HARMS = [
    (_HEAD + _CLEAN_UP, 0, ""),
    (_HEAD + _STOP, 1, "orders.py, line 6: the script stopped the event loop"),
]
"""Each with the exit code it comes to, and with words that stderr holds."""
