"""Fetch orders and price them: two stages, some retries, a few failures.

The shop answers after a while, sometimes only when asked again, and never for an order that it does not have.
Nothing here leaves this machine.

    antflow-core run first_steps.py
"""

import asyncio
import random

from antflow import Pipeline, Stage

ORDERS = 200
dice = random.Random(7)


async def fetch(number):
    """Ask the shop for an order."""
    await asyncio.sleep(dice.uniform(0.01, 0.05))
    if number % 40 == 13:
        raise LookupError(f"the shop has no order {number}")
    if dice.random() < 0.1:
        raise ConnectionError("the shop did not answer")
    return {"number": number, "net": dice.randint(100, 9900) / 100}


async def price(order):
    """Add the tax."""
    await asyncio.sleep(0.02)
    return round(order["net"] * 1.19, 2)


async def main():
    """Run both stages over all orders."""
    pipeline = Pipeline(
        stages=[
            Stage(name="Fetch", workers=10, tasks=[fetch], task_attempts=3, task_wait_seconds=0.1),
            Stage(name="Price", workers=4, tasks=[price]),
        ]
    )
    results = await pipeline.run(range(ORDERS))
    print(f"{len(results)} of {ORDERS} orders priced, {sum(result.value for result in results):,.2f} in all")
