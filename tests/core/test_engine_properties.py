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


def run_alone(main: Any) -> Any:
    """Run in a loop of its own; nothing may be left in it."""

    async def guarded() -> Any:
        before = asyncio.all_tasks()
        result = await asyncio.wait_for(main, 20)
        left = asyncio.all_tasks() - before
        assert not left, left
        return result

    return asyncio.run(guarded())


@quick
@given(st.lists(behaviours, min_size=1, max_size=3), st.integers(0, 40))
def test_every_item_ends_once_as_plain_reasoning_says(stages: list[Behaviour], items: int) -> None:
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
    caplog: pytest.LogCaptureFixture, stages: list[Behaviour], turns: int, way: str
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
    stages: list[Behaviour], buffer_size: int | None, leave_after: int
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
    stages: list[Behaviour], feeds: list[tuple[int, int]]
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
