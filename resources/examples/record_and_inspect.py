"""A run recorded into a file, and the file asked afterwards, as one asks a tracker while the run goes on.

python record_and_inspect.py [FOLDER]
"""

import asyncio
import collections
import pathlib
import sys
import tempfile

from antflow_core import Pipeline, Stage, open_run

asked = collections.Counter()


async def fetch(order):
    """The shop is down for a moment now and then."""
    asked[order] += 1
    await asyncio.sleep(0.002)
    if order % 15 == 0 and asked[order] < 3:
        raise ConnectionError("the shop did not answer")
    return order


async def check(order):
    """Some orders cannot be sent."""
    if order % 20 == 0:
        raise ValueError(f"order {order} has no address")
    return order


STAGES = [
    Stage("Fetch", 4, [fetch], task_attempts=3, task_wait_seconds=0.01),
    Stage("Check", 2, [check], task_attempts=1),
]


def inspect(path):
    """What the file tells; nothing of this script is needed for that."""
    run = open_run(path)
    print(
        f"{path.name}: {run.info.outcome}, {len(run.log)} events, {run.get_stats()['completed']} orders sent"
    )
    for pipeline in run.structure():
        for stage in pipeline.stages:
            print(f"{stage.name}: {stage.workers} workers, at most {stage.attempts} attempts")
    for item in run.get_failed_items():
        print(f"{item.item_id} failed in {item.stage}: {item.error}")
    print(f"{len(run.search('event:retry stage:Fetch'))} attempts were repeated")
    for event in run.get_history("order 15"):
        print(f"order 15: {event.status} in {event.stage}")


async def main():
    """Sixty orders. A folder in place of the file gets one that is named after script and time."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else folder, "orders.antflow")
        orders = [{"id": f"order {number}", "value": number} for number in range(1, 61)]
        await Pipeline(STAGES).run(orders, record=path)
        inspect(path)


if __name__ == "__main__":
    asyncio.run(main())
