"""Results one by one, from a source that need not fit into memory, through stages without a queue.

Run it with ``python streaming.py``, or open it in the app.
"""

import asyncio

from antflow_core import Pipeline, Stage


async def pages():
    """A source without an end; it is asked for another page only when there is room for it."""
    number = 0
    while True:
        pages.asked = number = number + 1
        yield {"id": f"page {number}", "value": number, "shelf": number % 3}
        await asyncio.sleep(0)


async def fetch(number):
    """Some pages are gone."""
    await asyncio.sleep(0.001)
    if number % 9 == 0:
        raise LookupError("gone")
    return "word " * number


async def count_words(text):
    """The slow part."""
    await asyncio.sleep(0.004)
    return len(text.split())


STAGES = [
    Stage("Fetch", 2, [fetch], task_attempts=1, queue_capacity=2),
    # pull: no page is fetched further than to a worker that waits for it.
    Stage("Count", 2, [count_words], pull=True),
]


async def main():
    """Stop at a long page. Whoever leaves the loop ends the pipeline; nothing goes on in the background."""
    gone = 0
    stream = Pipeline(STAGES).stream(pages(), buffer_size=4)
    async for result in stream:
        if not result.is_success:
            gone += 1
        elif result.value >= 50:
            print(f"{result.id} has {result.value} words, on shelf {result.metadata['shelf']}")
            break
    await stream.aclose()
    print(f"{gone} pages are gone")
    print("the source was not read ahead" if pages.asked < 80 else f"{pages.asked} pages were asked for")


if __name__ == "__main__":
    asyncio.run(main())
