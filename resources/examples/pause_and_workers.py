"""A service says it is too much: pause, go on with fewer workers, and with more when it can take them.

Run it with ``python pause_and_workers.py``, or open it in the app.
"""

import asyncio

from antflow_core import Pipeline, Stage


class Service:
    """Refuses who comes while it has enough to do."""

    def __init__(self):
        self.bears, self.inside, self.most = 3, 0, 0

    async def get(self, page):
        """Take a moment."""
        if self.inside >= self.bears:
            raise ConnectionError("too many calls, come back later")
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.005)
        self.inside -= 1
        return f"page {page}"


service, stored = Service(), []


async def fetch(page):
    """Refused, it pauses the whole pipeline: what is in hand is tried again and finished, no more begun."""
    try:
        return await service.get(page)
    except ConnectionError as error:
        if not pipeline.paused:
            print(f"{error}: pausing")
            pipeline.pause()
            asyncio.get_running_loop().call_later(0.4, go_on_slower)
        raise


def go_on_slower():
    """By now those in hand are through, and wait to be stored."""
    queues = pipeline.get_stats().queue_sizes
    print(f"paused: {service.inside} calls, {queues['Store']} pages wait to be stored")
    pipeline.set_workers("Fetch", service.bears)
    pipeline.resume()
    print(f"going on with {', '.join(pipeline.get_worker_names()['Fetch'])}")


async def store(page):
    """Half-way the service gets a bigger machine."""
    stored.append(page)
    if len(stored) == 60:
        print(f"never more than {service.most} calls at once; from now on 12")
        service.bears = 12
        pipeline.set_workers("Fetch", 12)
    return page


pipeline = Pipeline(
    [
        Stage("Fetch", 8, [fetch], task_attempts=8, task_wait_seconds=0.01),
        Stage("Store", 1, [store]),
    ]
)


async def main():
    """Run; everything else happens in the tasks."""
    results = await pipeline.run(range(120))
    print(f"{len(results)} pages, at most {service.most} calls at once")


if __name__ == "__main__":
    asyncio.run(main())
