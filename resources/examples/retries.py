"""What happens to an attempt that fails: fixed and growing pauses, errors not worth another try, time limits.

Run it with ``python retries.py``, or open it in the app.
"""

import asyncio
import collections

from antflow_core import ExponentialBackoff, Pipeline, Stage

attempts = collections.Counter()


async def answers_the_third_time(order):
    """A service that is down for a moment."""
    attempts[order] += 1
    if attempts[order] < 3:
        raise ConnectionError("no answer")
    return order


async def check(order):
    """A fault of the order itself: trying again would change nothing."""
    if order % 10 == 0:
        raise ValueError(f"order {order} has no address")
    return order


async def hangs_sometimes(order):
    """Never comes back for one order in eight."""
    if order % 8 == 0:
        await asyncio.Event().wait()
    return order


STAGES = [
    # Up to four attempts; the pause doubles from 10 ms on and is partly drawn by lot.
    Stage(
        "Ask", 5, [answers_the_third_time], task_attempts=4, task_wait=ExponentialBackoff(0.01, longest_s=0.1)
    ),
    # Only these errors are worth another attempt; any other fails the item at once.
    Stage("Check", 5, [check], task_attempts=4, retry_on=(ConnectionError, TimeoutError)),
    # An attempt may take 50 ms. A failure puts the item back into the queue, so that others go first;
    # the pause can be any function of the attempt's number.
    Stage(
        "Send",
        5,
        [hangs_sometimes],
        retry="per_stage",
        stage_attempts=2,
        timeout=0.05,
        task_wait=lambda n: n / 100,
    ),
]


async def main():
    """Forty orders: four have no address, four more hang."""
    pipeline = Pipeline(STAGES)
    results = await pipeline.run(range(1, 41))
    stats = pipeline.get_stats().stage_stats
    print(f"{len(results)} orders sent")
    for name, stage in stats.items():
        print(f"{name}: {stage.retried} attempts repeated, {stage.failed_items} failed")
    for kind, count in pipeline.get_error_summary().errors_by_type.items():
        print(f"{kind}: {count}")


if __name__ == "__main__":
    asyncio.run(main())
