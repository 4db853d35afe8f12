"""What failed can go again later: from the stage that failed, without paying for the stages before it twice.

Run it with ``python retry_failed.py``, or open it in the app.
"""

import asyncio

from antflow_core import Pipeline, Stage, StatusTracker

asked = []
closed = {"north", "south"}
addresses = {9: ""}


async def price(order):
    """The dear part, which is not done again."""
    await asyncio.sleep(0.001)
    asked.append(order)
    return order * 1.2


async def send(amount):
    """Warehouses are closed now and then; an order without an address is another matter."""
    order = round(amount / 1.2)
    if addresses.get(order) == "":
        raise ValueError(f"order {order} has no address")
    warehouse = ("north", "south", "west")[order % 3]
    if warehouse in closed:
        raise ConnectionError(f"{warehouse} does not answer")
    return f"order {order} from {warehouse}"


async def main():
    """Run, look at what failed, mend it, and let it go again, until nothing is failed."""
    tracker = StatusTracker()
    pipeline = Pipeline(
        [Stage("Price", 5, [price]), Stage("Send", 5, [send], task_attempts=1)], status_tracker=tracker
    )
    orders = [{"id": f"order {number}", "value": number} for number in range(1, 31)]
    sent = await pipeline.run(orders)
    print(f"{len(sent)} sent; {pipeline.get_error_summary()}")

    closed.discard("north")
    again = await pipeline.retry_failed(stage="Send", error_type=ConnectionError)
    print(f"north is open: {len(again)} more sent, {pipeline.get_stats().items_failed} still failed")

    addresses[9] = "Harbour Road 1"
    again = await pipeline.retry_failed(ids=["order 9"])
    print(f"with an address: {again[0].value}")

    closed.clear()
    again = await pipeline.retry_failed()
    print(f"south is open: {len(again)} more sent, {pipeline.get_stats().items_failed} still failed")

    print(f"{len(pipeline.results)} orders, {len(asked)} prices asked, the first is {pipeline.results[0].id}")
    for event in tracker.get_history("order 9"):
        print(f"{event.status} @ {event.stage}  {event.metadata.get('error', '')}".rstrip())


if __name__ == "__main__":
    asyncio.run(main())
