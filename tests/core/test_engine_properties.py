"""Properties of the engine: whatever the pipeline and however it ends, every item ends exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antflow_core import Pipeline, PipelineStats, Stage, StatusTracker
from tests.support.loops import RunOnLoop

quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True)
class Behaviour:
    """What a stage does with an item, by its number."""

    workers: int
    capacity: int | None
    pull: bool
    per_stage: bool
    attempts: int
    fails_every: int
    fails_times: int
    skips_every: int
    suspends: int
    limited: bool


behaviours = st.builds(
    Behaviour,
    workers=st.integers(1, 4),
    capacity=st.sampled_from([None, 0, 1, 2]),
    pull=st.booleans(),
    per_stage=st.booleans(),
    attempts=st.integers(1, 3),
    fails_every=st.integers(0, 4),
    fails_times=st.integers(1, 3),
    skips_every=st.integers(0, 5),
    suspends=st.integers(0, 3),
    limited=st.booleans(),
)


def make_stage(index: int, behaviour: Behaviour) -> Stage:
    calls: Counter[int] = Counter()

    async def work(value: int) -> int:
        calls[value] += 1
        for _ in range(behaviour.suspends):
            await asyncio.sleep(0)
        fails = behaviour.fails_every and value % behaviour.fails_every == 0
        if fails and calls[value] <= behaviour.fails_times:
            raise ValueError(value)
        return value

    def is_skipped(value: int) -> bool:
        return bool(behaviour.skips_every) and value % behaviour.skips_every == 1

    pull = behaviour.pull and index > 0 and not behaviour.per_stage
    return Stage(
        f"Stage {index}",
        behaviour.workers,
        [work],
        retry="per_stage" if behaviour.per_stage else "per_task",
        task_attempts=behaviour.attempts,
        stage_attempts=behaviour.attempts,
        task_wait_seconds=0,
        queue_capacity=behaviour.capacity,
        pull=pull,
        skip_if=is_skipped,
        task_concurrency_limits={"work": 1} if behaviour.limited else {},
    )


def expected_outcome(behaviour: list[Behaviour], value: int) -> bool:
    """Whether an item comes through, by plain reasoning."""
    for stage in behaviour:
        if stage.skips_every and value % stage.skips_every == 1:
            continue
        if stage.fails_every and value % stage.fails_every == 0 and stage.fails_times >= stage.attempts:
            return False
    return True


def check(stats: PipelineStats, pipeline: Pipeline) -> None:
    """The arithmetic that holds at every moment."""
    numbers = [stats.items_processed, stats.items_failed, stats.items_in_flight, *stats.queue_sizes.values()]
    for stage in stats.stage_stats.values():
        numbers += [stage.pending_items, stage.in_progress_items, stage.completed_items, stage.failed_items]
        assert stage.skipped_items <= stage.completed_items
    assert min(numbers) >= 0
    ended = stats.items_processed + stats.items_failed + pipeline.dropped_items
    if stats.total_items is not None:
        assert ended + stats.items_in_flight <= stats.total_items
    assert sum(stats.queue_sizes.values()) <= stats.items_in_flight


async def watch(pipeline: Pipeline) -> None:
    while True:
        check(pipeline.get_stats(), pipeline)
        await asyncio.sleep(0)


@quick
@given(st.lists(behaviours, min_size=1, max_size=3), st.integers(0, 40))
def test_every_item_ends_once_as_plain_reasoning_says(
    run_alone: RunOnLoop[None], stages: list[Behaviour], items: int
) -> None:
    async def main() -> None:
        tracker = StatusTracker()
        pipeline = Pipeline([make_stage(n, b) for n, b in enumerate(stages)], status_tracker=tracker)
        watcher = asyncio.create_task(watch(pipeline))
        results = await pipeline.run(range(items))
        watcher.cancel()
        await asyncio.wait([watcher])
        assert watcher.cancelled()
        through = [value for value in range(items) if expected_outcome(stages, value)]
        failed = {item.item_id for item in pipeline.get_error_summary().failed_items}
        assert [r.value for r in results] == through
        assert failed == set(range(items)) - set(through)
        assert pipeline.dropped_items == 0
        check(pipeline.get_stats(), pipeline)
        latest = Counter(event.status for n in range(items) if (event := tracker.get_status(n)))
        assert latest["failed"] == len(failed)
        assert latest["completed"] + latest["skipped"] == len(through)

    run_alone(main())


@quick
@given(
    stages=st.lists(behaviours, min_size=1, max_size=3),
    turns=st.integers(0, 60),
    way=st.sampled_from(["request_stop", "shutdown", "cancel"]),
)
def test_however_it_is_stopped_every_fed_item_is_accounted_for(
    caplog: pytest.LogCaptureFixture,
    run_alone: RunOnLoop[None],
    stages: list[Behaviour],
    turns: int,
    way: str,
) -> None:
    """The log says how many were discarded; that is not judged here."""

    async def main() -> None:
        pipeline = Pipeline([make_stage(n, b) for n, b in enumerate(stages)])
        running = asyncio.create_task(pipeline.run(range(50)))
        for _ in range(turns):
            await asyncio.sleep(0)
            check(pipeline.get_stats(), pipeline)
        if way == "cancel":
            running.cancel()
        elif way == "shutdown":
            await pipeline.shutdown()
        else:
            pipeline.request_stop()
        await asyncio.gather(running, return_exceptions=True)
        stats = pipeline.get_stats()
        check(stats, pipeline)
        assert stats.items_in_flight == 0
        ended = stats.items_processed + stats.items_failed + pipeline.dropped_items
        assert ended == stats.total_items
        assert len(await pipeline.run([])) == 0

    run_alone(main())


@quick
@given(
    st.lists(behaviours, min_size=1, max_size=3),
    st.sampled_from([None, 0, 1, 4]),
    st.integers(0, 30),
)
def test_a_stream_gives_each_item_once_until_it_is_left(
    run_alone: RunOnLoop[None], stages: list[Behaviour], buffer_size: int | None, leave_after: int
) -> None:
    async def main() -> None:
        pipeline = Pipeline([make_stage(n, b) for n, b in enumerate(stages)])
        stream = pipeline.stream(range(25), buffer_size=buffer_size)
        seen: list[Any] = []
        async for result in stream:
            seen.append(result.id)
            if len(seen) == leave_after:
                break
        await stream.aclose()
        assert len(seen) == len(set(seen))
        assert len(seen) == (25 if leave_after == 0 or leave_after > 25 else leave_after)
        assert pipeline.get_stats().items_in_flight == 0

    run_alone(main())


@quick
@given(
    st.lists(behaviours, min_size=1, max_size=2),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3)), max_size=5),
)
def test_join_returns_when_all_that_was_fed_is_through(
    run_alone: RunOnLoop[None], stages: list[Behaviour], feeds: list[tuple[int, int]]
) -> None:
    async def main() -> None:
        async with Pipeline([make_stage(n, b) for n, b in enumerate(stages)]) as pipeline:
            await pipeline.start()
            fed = 0
            for count, priority in feeds:
                await pipeline.feed(range(count), priority=priority)
                fed += count
                await pipeline.join()
                stats = pipeline.get_stats()
                assert stats.items_processed + stats.items_failed == fed
                assert stats.items_in_flight == 0
                assert {state.status for state in pipeline.get_worker_states().values()} <= {"idle", "busy"}

    run_alone(main())


@dataclass(frozen=True)
class Step:
    """Something done to a pipeline that runs, after so many turns of the loop."""

    turns: int
    wish: str
    stage: int
    workers: int


steps = st.builds(
    Step,
    turns=st.integers(0, 12),
    wish=st.sampled_from(["pause", "resume", "set_workers", "set_workers"]),
    stage=st.integers(0, 2),
    workers=st.integers(1, 5),
)


def take_step(pipeline: Pipeline, step: Step) -> None:
    stage = pipeline.stages[step.stage % len(pipeline.stages)]
    if step.wish == "set_workers":
        pipeline.set_workers(stage.name, step.workers)
    elif step.wish == "pause":
        pipeline.pause()
    else:
        pipeline.resume()


def in_hand(pipeline: Pipeline) -> int:
    return sum(state.status == "busy" for state in pipeline.get_worker_states().values())


async def turn(pipeline: Pipeline) -> None:
    """Let the loop turn once; in a pause no worker may have begun with another item."""
    before, paused = in_hand(pipeline), pipeline.paused
    await asyncio.sleep(0)
    check(pipeline.get_stats(), pipeline)
    assert pipeline.get_worker_states().keys() == pipeline.get_worker_metrics().keys()
    assert not paused or in_hand(pipeline) <= before


def check_workers(pipeline: Pipeline) -> None:
    """After the end those that are wanted are told of, and together they have done what the stages count."""
    wanted = pipeline.get_worker_names()
    assert list(pipeline.get_worker_states()) == [name for stage in wanted.values() for name in stage]
    for stage in pipeline.stages:
        pipeline.set_workers(stage.name, 5)  # no step asked for more: all that were ever there are told of
    processed: Counter[str] = Counter()
    for metrics in pipeline.get_worker_metrics().values():
        processed[metrics.stage] += metrics.items_processed
    for name, stats in pipeline.get_stats().stage_stats.items():
        assert processed[name] == stats.completed_items


@quick
@given(
    stages=st.lists(behaviours, min_size=1, max_size=3),
    plan=st.lists(steps, max_size=12),
    end=st.sampled_from(["resume", "resume", "request_stop", "cancel"]),
)
def test_pauses_and_other_numbers_of_workers_lose_nothing(
    caplog: pytest.LogCaptureFixture,
    run_alone: RunOnLoop[None],
    stages: list[Behaviour],
    plan: list[Step],
    end: str,
) -> None:
    """The log says how many were discarded; that is not judged here."""

    async def main() -> None:
        pipeline = Pipeline([make_stage(n, b) for n, b in enumerate(stages)])
        running = asyncio.create_task(pipeline.run(range(50)))
        await asyncio.sleep(0)
        for step in plan:
            for _ in range(step.turns):
                await turn(pipeline)
            if running.done() or pipeline.get_stats().items_in_flight == 0:
                break
            take_step(pipeline, step)
        if end == "cancel":
            running.cancel()
        elif end == "request_stop":
            pipeline.request_stop()
        elif pipeline.paused:
            pipeline.resume()
        while not running.done():
            await turn(pipeline)
        stats = pipeline.get_stats()
        assert (stats.items_in_flight, pipeline.paused) == (0, False)
        assert stats.items_processed + stats.items_failed + pipeline.dropped_items == stats.total_items
        if end == "resume":
            through = [value for value in range(50) if expected_outcome(stages, value)]
            assert [result.value for result in await running] == through
            assert pipeline.dropped_items == 0
        check_workers(pipeline)
        await asyncio.gather(running, return_exceptions=True)

    run_alone(main())


@quick
@given(
    st.lists(behaviours, min_size=1, max_size=3),
    st.lists(steps, max_size=10),
    st.sampled_from([None, 0, 2]),
)
def test_a_stream_and_feeds_into_any_stage_survive_them_too(
    run_alone: RunOnLoop[None], stages: list[Behaviour], plan: list[Step], buffer_size: int | None
) -> None:
    """Somebody feeds every stage from outside, in every pause too, while the results are taken one by one."""

    async def control(pipeline: Pipeline) -> None:
        for step in plan:
            for _ in range(step.turns):
                await asyncio.sleep(0)
            take_step(pipeline, step)
        pipeline.resume()

    async def main() -> None:
        pipeline = Pipeline([make_stage(n, b) for n, b in enumerate(stages)])
        holding = asyncio.Event()

        async def source() -> Any:
            for value in range(25):
                yield value
            await holding.wait()

        async def feed(stage: Stage) -> None:
            await pipeline.feed(range(100, 110), target_stage=stage.name, priority=1)

        stream = pipeline.stream(source(), buffer_size=buffer_size)
        seen = [await anext(stream)]
        others = [asyncio.create_task(feed(stage)) for stage in pipeline.stages]
        others.append(asyncio.create_task(control(pipeline)))

        async def finish() -> None:
            await asyncio.gather(*others)
            holding.set()

        finishing = asyncio.create_task(finish())
        seen += [result async for result in stream]
        await finishing
        stats = pipeline.get_stats()
        assert len(seen) == len({result.sequence_id for result in seen}) == 25 + 10 * len(stages)
        assert (stats.items_in_flight, pipeline.dropped_items) == (0, 0)
        check_workers(pipeline)

    run_alone(main())
