"""A pipeline that runs for as long as there is work: fed from outside and from its own tasks.

Run it with ``python feeding.py``, or open it in the app.
"""

import asyncio

from antflow_core import Pipeline, Stage

LINKS = {
    "home": ["news", "shop"],
    "news": ["archive"],
    "shop": ["basket", "home"],
    "archive": [],
    "basket": [],
}
seen, order = {"home", "express"}, []


async def visit(page):
    """Feed the pages it links to; inside a task that never waits for room, as it would wait for itself."""
    new = [link for link in LINKS.get(page, []) if link not in seen]
    seen.update(new)
    await pipeline.feed(new)
    return page


async def store(page):
    """One worker, so that the order shows."""
    order.append(page)
    await asyncio.sleep(0.001)
    return page.upper()


pipeline = Pipeline(
    [Stage("Visit", 2, [visit], queue_capacity=1), Stage("Store", 1, [store], queue_capacity=0)]
)


async def main():
    """Crawl, then feed single stages; a lower number goes first."""
    async with pipeline:
        await pipeline.feed(["home"])
        await pipeline.join()
        print(f"crawled: {', '.join(sorted(order))}")

        order.clear()
        await pipeline.feed(["b", "c", "d"], target_stage="Store")  # b is taken at once
        await pipeline.feed(["express"], target_stage="Store", priority=1)
        await pipeline.join()
        print(f"stored in the order {', '.join(order)}")
    print(f"{len(pipeline.results)} results in all")

    # The same pipeline runs again, and counts anew.
    results = await pipeline.run(["once more"])
    print(f"again: {results[0].value}")


if __name__ == "__main__":
    asyncio.run(main())
