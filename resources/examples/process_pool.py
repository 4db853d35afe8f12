"""How to use all processors: a stage's tasks run in a pool of processes, the rest of the pipeline here.

Run it with ``python process_pool.py``, or open it in the app.
"""

import asyncio
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from antflow_core import Pipeline, Stage

RANGES = [(start, start + 2_000) for start in range(0, 40_000, 2_000)]


def count_primes(first, end):
    """Plain work without a pause; in this process it would hold up everything else.

    What goes there and comes back must pickle; a task for processes is a function at the top of a module.
    """
    if first == 10_000:
        raise ValueError("nobody counts from 10,000 on")
    primes = sum(
        number > 1 and all(number % d for d in range(2, int(number**0.5) + 1)) for number in range(first, end)
    )
    return {"primes": primes, "process": os.getpid()}


async def note(count):
    """This stage runs on the loop, as always."""
    return count


async def main():
    """Keep the pool open until the pipeline has ended."""
    # A fresh process is sound everywhere; a forked one inherits locks that the app's threads may hold.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=fresh) as pool:
        pipeline = Pipeline(
            [
                Stage("Count", 4, [count_primes], unpack_args=True, executor=pool, task_attempts=1),
                Stage("Note", 1, [note]),
            ]
        )
        counts = [result.value for result in await pipeline.run(RANGES)]
    print(f"{sum(count['primes'] for count in counts):,} primes in {len(counts)} ranges")
    print(
        "counted elsewhere" if os.getpid() not in {count["process"] for count in counts} else "counted here"
    )
    for failed in pipeline.get_error_summary().failed_items:
        print(f"failed: {failed.error_type}, {failed.error}")


if __name__ == "__main__":
    asyncio.run(main())
