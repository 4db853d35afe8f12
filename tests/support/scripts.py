"""Pipeline scripts that tests run: small, quick, each with one thing to show."""

from __future__ import annotations

TWO_STAGES = '''\
"""Fetch orders and price them."""

import asyncio

from antflow import Pipeline, Stage


async def fetch(order):
    await asyncio.sleep(0)
    if order % 10 == 7:
        raise ValueError(f"order {order} is cursed")
    return order


async def price(order):
    await asyncio.sleep(0)
    return order * 2


async def main():
    pipeline = Pipeline(
        stages=[
            Stage(name="Fetch", workers=3, tasks=[fetch], task_attempts=1),
            Stage(name="Price", workers=2, tasks=[price]),
        ]
    )
    results = await pipeline.run(range(100))
    print(f"priced {len(results)} orders")
'''
"""100 items, 10 of which fail in Fetch with a ValueError."""

RAISES = """\
from antflow import Pipeline, Stage


async def double(number):
    return number * 2


def explode():
    raise LookupError("no such warehouse")


async def main():
    await Pipeline(stages=[Stage(name="Double", workers=1, tasks=[double])]).run([1, 2, 3])
    explode()
"""
"""Three items, then the script raises a LookupError on line 9."""

ENDLESS = """\
import asyncio
import itertools

from antflow import Pipeline, Stage


async def wait(number):
    await asyncio.sleep(0.01)
    return number


async def numbers():
    for number in itertools.count():
        yield number


async def main():
    await Pipeline(stages=[Stage(name="Wait", workers=4, tasks=[wait])]).run(numbers())
"""
"""Runs until it is stopped; its total is never known."""

SYNTAX_ERROR = "async def main(:\n    pass\n"
"""Not Python, on line 1."""

NO_PIPELINE = "print('nothing to run here')\n"
"""Python, with nothing to run."""

SEVERAL_PIPELINES = """\
from antflow import Pipeline, Stage, StatusTracker


async def same(value):
    return value


async def main():
    await Pipeline(stages=[Stage(name="Load", workers=1, tasks=[same])]).run(range(5))
    stages = [Stage(name=name, workers=2, tasks=[same]) for name in ("Match", "Score", "Rank")]
    await Pipeline(stages=stages, status_tracker=StatusTracker()).run(range(7))
"""
"""Five items through one stage, then seven through three, those with a tracker of the script's own."""
