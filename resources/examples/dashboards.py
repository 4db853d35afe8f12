"""The four displays in the terminal: one line, a panel, a table of the stages, everything.

    python dashboards.py
    python dashboards.py full

They redraw in place on a terminal. Where there is none, as in the app's console, they print a line now and
then.
"""

import argparse
import asyncio
import random

from antflow_core import Pipeline, Stage, set_task_status

DISPLAYS = {
    "progress": {"progress": True},
    "compact": {"dashboard": "compact"},
    "detailed": {"dashboard": "detailed"},
    "full": {"dashboard": "full"},
}
dice = random.Random(3)


async def fetch(page):
    """The full dashboard shows beside each worker what it says of itself."""
    set_task_status(f"asking for page {page}")
    await asyncio.sleep(dice.uniform(0.005, 0.02))
    if page % 25 == 24:
        raise LookupError(f"page {page} is gone")
    return page


async def store(page):
    """Fewer hands than in the stage before it: here a queue grows."""
    await asyncio.sleep(0.01)
    return page


STAGES = [
    Stage("Fetch", 6, [fetch], task_attempts=2, task_wait_seconds=0.01),
    Stage("Store", 3, [store], skip_if=lambda page: page % 10 == 0),
]


async def main():
    """Run the same pipeline with one display after the other, or with the one that is asked for."""
    parser = argparse.ArgumentParser(prog="dashboards.py", description="Show the displays in the terminal.")
    parser.add_argument("display", nargs="?", choices=list(DISPLAYS), help="only this one; all if left out")
    chosen = parser.parse_args().display

    for name in [chosen] if chosen else DISPLAYS:
        print(f"--- {name}")
        await Pipeline(STAGES).run(range(100), dashboard_update_interval=0.1, **DISPLAYS[name])


if __name__ == "__main__":
    asyncio.run(main())
