"""How to spare a service: so many workers in a task, so many calls at once, so many calls a second.

Run it with ``python limits.py``, or open it in the app.
"""

import asyncio
import time

from antflow_core import Pipeline, Stage, concurrency_limit, rate_limit, set_task_status


class Service:
    """Counts who is in it."""

    def __init__(self):
        self.inside = self.most = self.calls = 0

    async def call(self):
        """Take a moment."""
        self.calls += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.005)
        self.inside -= 1


database, search, shop = Service(), Service(), Service()


async def look_up(order, customer):
    """The stage unpacks its items: a pair comes as two arguments. Its limit is set by name, below."""
    await database.call()
    return {"order": order, "customer": customer}


async def find_related(order, customer):
    """A dict comes as keywords. Only the call itself is limited, not what the task does around it."""
    set_task_status(f"looking for what {customer} bought before")
    async with concurrency_limit():
        await search.call()
    return {"order": order, "customer": customer}


async def place(order, customer):
    """At most so many calls begin in a period."""
    async with rate_limit():
        await shop.call()
    return f"{order} for {customer}"


STAGES = [
    Stage("Look up", 8, [look_up], unpack_args=True, task_concurrency_limits={"look_up": 3}),
    Stage("Find", 8, [find_related], unpack_args=True, call_concurrency=2),
    Stage("Place", 8, [place], unpack_args=True, call_rate=20, call_rate_period=0.25),
]


async def main():
    """Eight workers a stage, but never eight calls."""
    began = time.monotonic()
    results = await Pipeline(STAGES).run([(number, f"customer {number % 7}") for number in range(40)])
    print(f"{len(results)} orders placed, the last: {results[-1].value}")
    print(f"at most {database.most} in the database, {search.most} in the search")
    print("the shop's rate was kept" if time.monotonic() - began > 0.2 else "the shop was called too fast")


if __name__ == "__main__":
    asyncio.run(main())
