"""Properties of a pipeline's life: whoever runs, feeds, joins and stops it at once, nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antflow_core import Pipeline, PipelineError, Stage
from tests.support.loops import RunOnLoop

_TURNS_BEFORE_HELP = 60
"""Some wait in vain by right, for a start or a resume: after so many turns the pipeline is shut down."""


@dataclass(frozen=True)
class Place:
    """A stage, and every which item fails in it."""

    workers: int
    capacity: int | None
    pull: bool
    fails_every: int


@dataclass(frozen=True)
class Act:
    """What an actor does, after so many turns of the loop."""

    turns: int
    wish: str
    stage: int
    count: int


places = st.builds(
    Place,
    workers=st.integers(1, 2),
    capacity=st.sampled_from([None, 0, 1, 2]),
    pull=st.booleans(),
    fails_every=st.sampled_from([0, 0, 3]),
)
_FEEDING = ["run", "stream", "batch", "feed", "feed", "feed", "feed slowly"]
_OTHERS = ["start", "start", "join", "shutdown", "request_stop", "pause", "set_workers"]
acts = st.builds(
    Act,
    turns=st.integers(0, 12),
    wish=st.sampled_from([*_FEEDING, *_OTHERS, "cancel_item", "retry_failed"]),
    stage=st.integers(0, 2),
    count=st.integers(0, 12),
)


def make_pipeline(described: list[Place]) -> Pipeline:
    def make_stage(index: int, place: Place) -> Stage:
        async def work(value: int) -> int:
            for _ in range(value % 7):
                await asyncio.sleep(0)
            if place.fails_every and value % place.fails_every == 1:
                raise ValueError(value)
            return value

        return Stage(
            f"Stage {index}",
            place.workers,
            [work],
            task_attempts=2,
            task_wait_seconds=0,
            queue_capacity=place.capacity,
            pull=place.pull and index > 0,
        )

    return Pipeline([make_stage(index, place) for index, place in enumerate(described)])


async def slowly(count: int) -> AsyncIterator[int]:
    for value in range(count):
        for _ in range(value % 4):
            await asyncio.sleep(0)
        yield value


async def perform(pipeline: Pipeline, act: Act) -> None:
    stage = pipeline.stages[act.stage % len(pipeline.stages)].name
    match act.wish:
        case "run":
            await pipeline.run(range(act.count))
        case "stream":
            stream = pipeline.stream(slowly(act.count), buffer_size=act.stage)
            with suppress(StopAsyncIteration):
                await anext(stream)
            await stream.aclose()
        case "feed":
            await pipeline.feed(range(act.count), target_stage=stage, priority=act.turns)
        case "feed slowly":
            await pipeline.feed(slowly(act.count), target_stage=stage)
        case "batch":
            async with pipeline:
                await pipeline.feed(range(act.count))
                await pipeline.join()
        case "pause":
            pipeline.pause()
            for _ in range(act.count):
                await asyncio.sleep(0)
            pipeline.resume()
        case "set_workers":
            pipeline.set_workers(stage, 1 + act.count % 3)
        case "cancel_item":
            pipeline.cancel_item(act.count)
        case "request_stop":
            pipeline.request_stop()
        case wish:
            await getattr(pipeline, wish)()


async def play(pipeline: Pipeline, part: list[Act]) -> None:
    for act in part:
        for _ in range(act.turns):
            await asyncio.sleep(0)
        with suppress(PipelineError):  # it runs already, or it does not
            await perform(pipeline, act)
        check(pipeline)


def check(pipeline: Pipeline) -> None:
    """All that was fed to the current run is accounted for, and nothing twice."""
    stats = pipeline.get_stats()
    counts = [stats.items_processed, stats.items_failed, stats.items_in_flight]
    counts += [pipeline.dropped_items, pipeline.cancelled_items]
    assert min(*counts, *stats.queue_sizes.values()) >= 0
    assert sum(counts) == pipeline._run.fed


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    described=st.lists(places, min_size=1, max_size=3),
    parts=st.lists(st.lists(acts, min_size=1, max_size=5), min_size=1, max_size=4),
    given_up=st.none() | st.integers(0, 3),
)
def test_whoever_uses_it_at_once_nobody_waits_for_ever_and_nothing_is_lost(
    caplog: pytest.LogCaptureFixture,
    run_alone: RunOnLoop[None],
    described: list[Place],
    parts: list[list[Act]],
    given_up: int | None,
) -> None:
    """The log says how many were discarded; that is not judged here."""

    async def main() -> None:
        pipeline = make_pipeline(described)
        actors = [asyncio.create_task(play(pipeline, part)) for part in parts]
        while not all(actor.done() for actor in actors):
            for _ in range(_TURNS_BEFORE_HELP):
                await asyncio.sleep(0)
            if given_up is not None:
                actors[given_up % len(actors)].cancel()
            await pipeline.shutdown()
            check(pipeline)
        for actor in actors:
            if not actor.cancelled():
                await actor
        await pipeline.shutdown()
        check(pipeline)
        assert pipeline.get_stats().items_in_flight == 0
        assert [result.value for result in await pipeline.run([0, 3])] == [0, 3]

    run_alone(main())
