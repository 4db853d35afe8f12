"""Single tasks instead of a pipeline: submit, map, retries, limits, the first of several, plain functions.

Run it with ``python executor.py``, or open it in the app.
"""

import asyncio
import hashlib
import itertools

from antflow_core import AsyncExecutor, WaitStrategy

calls = {"api": 0, "most": 0, "now": 0}


async def fetch(number):
    """Ask a service for a page; the first call of all goes wrong."""
    calls["api"] += 1
    calls["now"] += 1
    calls["most"] = max(calls["most"], calls["now"])
    await asyncio.sleep(0.01)
    calls["now"] -= 1
    if calls["api"] == 1:
        raise ConnectionError("the service was asleep")
    return f"page {number}"


async def mirror(place, delay):
    """One of several that have the same."""
    await asyncio.sleep(delay)
    return place


def checksum(text):
    """A plain function: it runs in a thread, and may take its time."""
    return hashlib.sha256(text.encode() * 100_000).hexdigest()[:8]


async def main():
    """Each part shows one way to have tasks done, never more than eight at once."""
    async with AsyncExecutor(max_workers=8) as executor:
        # One by one, or in one go: results come in the order of the items.
        first = await executor.submit(fetch, 1, retries=2, retry_delay=0.01).result()
        pages = await executor.map(fetch, range(2, 21))
        print(f"{first} to {pages[-1]}, in {calls['api']} calls")

        # Eight workers, but this service wants no more than three visitors.
        calls["most"], three = 0, asyncio.Semaphore(3)
        limited = [executor.submit(fetch, number, semaphore=three) for number in range(12)]
        await executor.wait(limited)
        print(f"at most {calls['most']} at the service")

        # The first answer is enough.
        asked = [executor.submit(mirror, *place) for place in [("far", 0.2), ("near", 0.01)]]
        done, pending = await executor.wait(asked, return_when=WaitStrategy.FIRST_COMPLETED)
        print(f"the {await done.pop().result()} mirror answered, {len(pending)} did not yet")

        # Whoever is ready comes next, within one second for all together.
        async for future in executor.as_completed(asked, timeout=1):
            print(f"- {await future.result()}")

        # The items may come from anywhere and never end: they are taken as workers become free.
        async for sum_of_page in executor.map_iter(checksum, (f"page {n}" for n in itertools.count(1))):
            if sum_of_page.startswith("f"):
                print(f"the first checksum with an f: {sum_of_page}")
                break

        # A failure stays in its future until somebody asks.
        lost = executor.submit(mirror, "nowhere", "soon")
        await executor.wait([lost])
        print(f"a failure: {type(lost.exception()).__name__}")


if __name__ == "__main__":
    asyncio.run(main())
