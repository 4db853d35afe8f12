"""What `guarantees.md` promises and no other test holds: ends, bounds, no deadlock, exits, ids, costs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antflow_core import Pipeline, PipelineError, Stage, StatusTracker
from tests.support.leftovers import timers_of
from tests.support.loops import RunOnLoop

quick = settings(max_examples=60, deadline=None)

SOON_S = 10.0
"""Whatever takes so long hangs."""


async def same(value: Any) -> Any:
    return value


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0)


def has_results(pipeline: Pipeline, count: int) -> bool:
    return len(pipeline.results) >= count


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def turns_of(awaitable: Awaitable[object]) -> int:
    """How often the loop goes round until something has ended."""
    turns = 0
    ending = asyncio.ensure_future(awaitable)
    while not ending.done():
        turns += 1
        await asyncio.sleep(0)
    await ending
    return turns


class Gates:
    """A task that keeps each item until it is let go, and knows how often each came."""

    def __init__(self) -> None:
        self.calls: Counter[Any] = Counter()
        self._gates: dict[Any, asyncio.Event] = {}

    async def __call__(self, value: Any) -> Any:
        self.calls[value] += 1
        await self._gate(value).wait()
        return value

    def let_go(self, *values: Any) -> None:
        for value in values:
            self._gate(value).set()

    def _gate(self, value: Any) -> asyncio.Event:
        return self._gates.setdefault(value, asyncio.Event())


# Ends


@pytest.mark.parametrize("retry", ["per_task", "per_stage"])
async def test_join_returns_when_the_last_item_has_ended_and_no_sooner(retry: Any) -> None:
    gates = Gates()

    async def work(value: str) -> str:
        if value == "fails once" and not gates.calls[value]:
            gates.calls[value] += 1
            raise ValueError
        return str(await gates(value))

    stage = Stage("A", 2, [work], retry=retry, task_wait=lambda _: 0.02)
    async with Pipeline([stage]) as pipeline:
        await pipeline.feed(["fails once", "in hand", "queued"])
        joining = asyncio.create_task(pipeline.join())
        await until(lambda: pipeline.get_stats().stage_stats["A"].retried)
        for count, value in enumerate(["in hand", "queued", "fails once"], 1):
            await settle()
            assert not joining.done()
            gates.let_go(value)
            await until(functools.partial(has_results, pipeline, count))
        assert await turns_of(joining) < 5


async def test_an_item_has_not_ended_before_its_callback_has() -> None:
    gates = Gates()

    async def hold(item_id: Any, value: Any, payload: Any) -> None:
        await gates(value)

    async with Pipeline([Stage("A", 1, [same], on_success=hold)]) as pipeline:
        await pipeline.feed([1])
        joining = asyncio.create_task(pipeline.join())
        await until(lambda: gates.calls[1])
        await settle()
        assert not joining.done()
        gates.let_go(1)
        await joining
        assert pipeline.get_stats().items_processed == 1


async def test_join_waits_for_what_tasks_feed_meanwhile() -> None:
    async def count_down(value: int) -> int:
        if value:
            await pipeline.feed([value - 1])
        return value

    async with Pipeline([Stage("A", 1, [count_down])]) as pipeline:
        await pipeline.feed([30])
        await pipeline.join()
        assert [result.value for result in pipeline.results] == [*range(30, -1, -1)]


# Bounds and order


@pytest.mark.parametrize("priority", [1, 100, 1000])
async def test_a_capacity_binds_all_feeders_together_whatever_their_priority(priority: int) -> None:
    gates = Gates()
    taken: list[int] = []

    def source(first: int) -> Iterator[int]:
        for number in range(first, first + 10):
            taken.append(number)
            yield number

    async with Pipeline([Stage("A", 2, [gates], queue_capacity=3)]) as pipeline:
        await pipeline.start()
        feeders = [
            asyncio.create_task(pipeline.feed(source(100 * n), priority=priority if n % 2 else 100))
            for n in range(4)
        ]
        await settle()
        assert pipeline.get_stats().queue_sizes == {"A": 3}
        assert len(taken) == 2 + 3 + 4  # in hand, queued, and one in the hand of each feeder
        for count in range(1, 41):
            gates.let_go(*taken)
            await until(functools.partial(has_results, pipeline, count))
            assert pipeline.get_stats().queue_sizes["A"] <= 3
        await asyncio.gather(*feeders)


async def test_who_waits_longest_for_room_is_let_in_first() -> None:
    gates = Gates()
    async with Pipeline([Stage("A", 1, [gates], queue_capacity=1)]) as pipeline:
        await pipeline.feed([0, 1])
        feeders = []
        for number in range(2, 7):
            feeders.append(asyncio.create_task(pipeline.feed([number])))
            await settle()
        gates.let_go(*range(7))
        await asyncio.gather(*feeders)
        await pipeline.join()
    assert list(gates.calls) == [*range(7)]


@quick
@given(
    shapes=st.lists(st.tuples(st.sampled_from([0, 1, 2, None]), st.booleans()), min_size=1, max_size=4),
    priorities=st.lists(st.integers(1, 3), max_size=20),
)
def test_one_worker_a_stage_keeps_the_order_of_equal_priorities_from_end_to_end(
    run_alone: RunOnLoop[None], shapes: list[tuple[int | None, bool]], priorities: list[int]
) -> None:
    async def suspend(value: int) -> int:
        for _ in range(value % 3):
            await asyncio.sleep(0)
        return value

    async def main() -> None:
        stages = [
            Stage(f"S{n}", 1, [suspend], queue_capacity=capacity, pull=pull and n > 0)
            for n, (capacity, pull) in enumerate(shapes)
        ]
        ended: list[int] = []
        stages[-1].on_success = lambda item_id, value, payload: ended.append(value)
        async with Pipeline(stages) as pipeline:
            await pipeline.start()
            for number, priority in enumerate(priorities):
                await pipeline.feed([number], priority=priority)
            await pipeline.join()
        for priority in set(priorities):
            of_one = [number for number in ended if priorities[number] == priority]
            assert of_one == sorted(of_one)
        assert len(ended) == len(priorities)

    run_alone(main())


@pytest.mark.parametrize(
    ("retry", "order"), [("per_stage", [1, 2, 3, 9, 1, 3]), ("per_task", [1, 1, 2, 3, 3, 9])]
)
async def test_a_failed_item_goes_behind_those_of_its_priority_or_stays_with_its_worker(
    retry: Any, order: list[int]
) -> None:
    calls: list[int] = []

    async def fail_odd_once(value: int) -> int:
        calls.append(value)
        if value % 2 and value < 9 and calls.count(value) == 1:
            raise ValueError
        return value

    stage = Stage("A", 1, [fail_odd_once], retry=retry, task_wait_seconds=0)
    pipeline = Pipeline([stage])
    await pipeline.feed([1, 2, 3, 9])
    await pipeline.run([])
    assert calls == order


# Deadlocks that bounded queues invite


async def test_a_task_may_feed_an_earlier_stage_while_every_queue_is_full() -> None:
    async def send_back(value: int) -> int:
        if value < 10:
            await pipeline.feed([value + 100, value + 200, value + 300], target_stage="A")
        return value

    stages = [Stage(name, 1, [same], queue_capacity=1) for name in ("A", "B")]
    pipeline = Pipeline([*stages, Stage("C", 1, [send_back], queue_capacity=1)])
    assert len(await asyncio.wait_for(pipeline.run(range(10)), SOON_S)) == 40


async def test_what_a_task_starts_may_feed_past_a_full_queue_too() -> None:
    async def by_task(value: int) -> int:
        if value < 10:
            async with asyncio.TaskGroup() as group:
                group.create_task(pipeline.feed([value + 100, value + 200]))
        return value

    def by_thread(value: int) -> int:
        if value < 10:
            feeding = pipeline.feed([value + 300, value + 400], target_stage="B")
            asyncio.run_coroutine_threadsafe(feeding, loop).result(SOON_S)
        return value

    loop = asyncio.get_running_loop()
    pipeline = Pipeline(
        [Stage("A", 1, [by_task], queue_capacity=1), Stage("B", 1, [by_thread], queue_capacity=1)]
    )
    assert len(await asyncio.wait_for(pipeline.run(range(10)), SOON_S)) == 50
    assert pipeline.get_error_summary().total_failed == 0


@pytest.mark.parametrize("field", ["on_success", "on_failure", "on_skip", "skip_if"])
async def test_callbacks_of_a_stage_may_feed_past_a_full_queue(field: str) -> None:
    async def feed_more(*arguments: Any) -> bool:
        value = arguments[-1] if field == "skip_if" else arguments[-1]["value"]
        if value < 10:
            await pipeline.feed([value + 100, value + 200, value + 300], target_stage="A")
        return field == "on_skip"

    async def work(value: int) -> int:
        if field == "on_failure":
            raise ValueError
        return value

    fields: dict[str, Any] = {field: feed_more}
    if field == "on_skip":
        fields["skip_if"] = lambda _: True
    pipeline = Pipeline(
        [
            Stage("A", 1, [same], queue_capacity=1),
            Stage("B", 1, [work], queue_capacity=1, task_attempts=1, **fields),
        ]
    )
    await asyncio.wait_for(pipeline.run(range(10)), SOON_S)
    stats = pipeline.get_stats()
    assert stats.items_processed + stats.items_failed == 40


@pytest.mark.parametrize("workers", [1, 4])
async def test_pull_stages_with_slow_consumers_come_through(workers: int) -> None:
    calls: Counter[int] = Counter()

    async def fail_once(value: int) -> int:
        calls[value] += 1
        if value % 3 == 0 and calls[value] == 1:
            raise ValueError
        return value

    async def slow(value: int) -> int:
        for _ in range(20):
            await asyncio.sleep(0)
        if value < 5:
            await pipeline.feed([value + 100], target_stage="B")
        return value

    pipeline = Pipeline(
        [
            Stage("A", 4, [fail_once], retry="per_stage", queue_capacity=1),
            Stage("B", workers, [fail_once], pull=True, task_wait_seconds=0),
            Stage("C", 1, [slow], pull=True),
        ]
    )
    assert len(await asyncio.wait_for(pipeline.run(range(40)), SOON_S)) == 45


@pytest.mark.parametrize("buffer_size", [0, 1, 3])
async def test_leaving_a_stream_whose_buffer_is_full_ends_everybody(buffer_size: int) -> None:
    before = asyncio.all_tasks()
    pipeline = Pipeline([Stage("A", 3, [same], queue_capacity=1), Stage("B", 3, [same], queue_capacity=1)])
    async for _ in pipeline.stream(range(1000), buffer_size=buffer_size):
        await until(lambda: pipeline.get_stats().queue_sizes == {"A": 1, "B": 1})
        break
    await until(lambda: asyncio.all_tasks() == before and not pipeline.get_stats().items_in_flight)
    stats = pipeline.get_stats()
    assert stats.items_processed + pipeline.dropped_items == stats.total_items
    assert len(await pipeline.run([1])) == 1


@dataclass(frozen=True)
class Feeding:
    """A stage with as little room as can be that feeds further items."""

    workers: int
    pull: bool
    per_stage: bool
    fails_once_every: int
    target: int
    by: str


feedings = st.builds(
    Feeding,
    workers=st.integers(1, 3),
    pull=st.booleans(),
    per_stage=st.booleans(),
    fails_once_every=st.integers(0, 3),
    target=st.integers(0, 3),
    by=st.sampled_from(["task", "on_success", "skip_if", "nobody"]),
)


@quick
@given(shape=st.lists(feedings, min_size=1, max_size=4), tracked=st.booleans())
def test_whoever_feeds_whom_past_queues_of_one_place_everything_comes_through(
    run_alone: RunOnLoop[None], shape: list[Feeding], tracked: bool
) -> None:
    """An item is ``(number, generation)``; for one, a stage feeds two of the next generation."""

    def make_stage(index: int, feeding: Feeding) -> Stage:
        calls: Counter[Any] = Counter()

        async def feed_two(by: str, value: tuple[int, int]) -> None:
            number, generation = value
            if feeding.by != by or generation == 2:
                return
            fed[0] += 2
            two = [(2 * number, generation + 1), (2 * number + 1, generation + 1)]
            await pipeline.feed(two, target_stage=f"S{feeding.target % len(shape)}")

        async def work(value: tuple[int, int]) -> tuple[int, int]:
            await asyncio.sleep(0)
            calls[value] += 1
            if feeding.fails_once_every and value[0] % feeding.fails_once_every == 0 and calls[value] == 1:
                raise ValueError(value)
            await feed_two("task", value)
            return value

        async def never(value: tuple[int, int]) -> bool:
            await feed_two("skip_if", value)
            return False

        async def succeeded(item_id: Any, value: tuple[int, int], payload: Any) -> None:
            await feed_two("on_success", value)

        pull = feeding.pull and index > 0
        return Stage(
            f"S{index}",
            feeding.workers,
            [work],
            retry="per_stage" if feeding.per_stage and not pull else "per_task",
            task_wait_seconds=0,
            queue_capacity=1,
            pull=pull,
            skip_if=never if feeding.by == "skip_if" else None,
            on_success=succeeded if feeding.by == "on_success" else None,
        )

    async def main() -> None:
        results = await pipeline.run([(number, 0) for number in range(6)])
        assert len(results) == fed[0] == pipeline.get_stats().total_items

    fed = [6]
    tracker = StatusTracker() if tracked else None
    pipeline = Pipeline([make_stage(n, f) for n, f in enumerate(shape)], status_tracker=tracker)
    run_alone(main())


# What tasks raise


class Odd(BaseException):
    """Neither an Exception nor one of those that end programs."""


@pytest.mark.parametrize("kind", [Odd, GeneratorExit, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("way", ["run", "stream", "join"])
async def test_what_is_no_exception_ends_the_run_and_the_next_run_is_sound(kind: Any, way: str) -> None:
    async def leave_once(value: int) -> int:
        if value == 3 and not left:
            left.append(value)
            raise kind(value)
        return value

    async def use() -> None:
        if way == "run":
            await pipeline.run(range(10))
        elif way == "stream":
            async for _ in pipeline.stream(range(10)):
                pass
        else:
            await pipeline.start()
            await pipeline.feed(range(10))
            await pipeline.join()

    left: list[int] = []
    pipeline = Pipeline([Stage("A", 2, [leave_once])])
    with pytest.raises(kind):
        await use()
    stats = pipeline.get_stats()
    assert (stats.items_in_flight, stats.items_failed) == (0, 0)
    assert stats.items_processed + pipeline.dropped_items == stats.total_items
    assert len(await pipeline.run(range(10))) == 10


async def test_a_cancelled_error_of_the_tasks_own_is_retried_like_any_error() -> None:
    attempts: list[int] = []

    async def cancelled_once(value: int) -> int:
        attempts.append(value)
        if len(attempts) == 1:
            raise asyncio.CancelledError
        return value

    results = await Pipeline([Stage("A", 1, [cancelled_once], task_wait_seconds=0)]).run([7])
    assert ([result.value for result in results], attempts) == ([7], [7, 7])


async def test_a_task_that_cancels_its_worker_ends_the_run_with_a_word() -> None:
    async def cancel_worker(value: int) -> int:
        worker = asyncio.current_task()
        if value == 3 and worker is not None:
            worker.cancel()
            await asyncio.sleep(0)
        return value

    pipeline = Pipeline([Stage("A", 2, [cancel_worker])])
    with pytest.raises(PipelineError, match=r"Worker A-W\d was cancelled from outside"):
        await asyncio.wait_for(pipeline.run(range(100)), SOON_S)
    assert pipeline.get_stats().items_in_flight == 0


async def test_cancelling_run_does_not_wait_for_a_thread() -> None:
    entered, may_return = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def block(value: int) -> int:
        loop.call_soon_threadsafe(entered.set)
        may_return.wait(SOON_S)
        return value

    pipeline = Pipeline([Stage("A", 1, [block])])
    running = asyncio.create_task(pipeline.run([1, 2]))
    await entered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, SOON_S)
    assert (pipeline.get_stats().items_in_flight, pipeline.dropped_items) == (0, 2)
    may_return.set()


# Ids


async def test_items_of_one_id_are_items_of_their_own() -> None:
    async def picky(value: int) -> int:
        if value == 2:
            raise ValueError("two")
        return value

    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [picky], task_attempts=1)], status_tracker=tracker)
    results = await pipeline.run([{"id": "x", "value": value} for value in (1, 2, 3)])
    stats = pipeline.get_stats()
    assert [(r.id, r.value, r.sequence_id) for r in results] == [("x", 1, 0), ("x", 3, 2)]
    assert (stats.items_processed, stats.items_failed, stats.total_items) == (2, 1, 3)
    assert [item.error for item in pipeline.get_error_summary().failed_items] == ["two"]


async def test_a_tracker_keeps_one_history_and_the_latest_status_for_an_id() -> None:
    async def picky(value: int) -> int:
        if value == 2:
            raise ValueError("two")
        return value

    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [picky], task_attempts=1)], status_tracker=tracker)
    await pipeline.run([{"id": "x", "value": value} for value in (1, 2)])
    statuses = [event.status for event in tracker.get_history("x")]
    assert statuses == ["queued", "queued", "in_progress", "completed", "in_progress", "failed"]
    latest = tracker.get_status("x")
    assert latest is not None and latest.status == "failed"
    assert tracker.get_tracked_ids() == ["x"]
    assert (tracker.get_stats()["failed"], tracker.get_stats()["completed"]) == (1, 0)


async def test_an_id_may_be_anything_hashable_or_not() -> None:
    ids = [None, 0, "0", (1, 2), [1, 2], {"page": 1}]
    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 2, [same])], status_tracker=tracker)
    results = await pipeline.run([{"id": item_id, "value": n} for n, item_id in enumerate(ids)])
    assert [result.id for result in results] == ids
    assert [len(tracker.get_history(item_id)) for item_id in ids] == [3] * len(ids)


# Costs


async def test_an_idle_pipeline_sleeps() -> None:
    stages = [Stage("A", 50, [same]), Stage("B", 50, [same], pull=True), Stage("C", 50, [same])]
    async with Pipeline(stages, status_tracker=StatusTracker()) as pipeline:
        await pipeline.feed(range(1000))
        await pipeline.join()
        await settle()
        assert timers_of(asyncio.get_running_loop()) == []
        before = time.process_time()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.3)
        assert time.process_time() - before < 0.03
        assert pipeline.get_stats().items_processed == 1000


@pytest.mark.parametrize("retry", ["per_task", "per_stage"])
async def test_a_stop_takes_a_few_turns_of_the_loop_whatever_waits(
    retry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(value: int) -> int:
        if value < 10:
            raise ValueError
        return value

    pipeline = Pipeline(
        [
            Stage("A", 50, [same], queue_capacity=1),
            Stage("B", 20, [fail], retry=retry, task_wait=lambda _: 1000.0),
            Stage("C", 50, [same], pull=retry == "per_task"),
        ]
    )
    await pipeline.start()
    await pipeline.feed(range(20))
    await until(lambda: pipeline.get_stats().stage_stats["B"].retried == 10)
    await settle()
    assert await turns_of(pipeline.shutdown()) < 10
    assert (pipeline.dropped_items, pipeline.get_stats().items_processed) == (10, 10)


# What it keeps does not depend on the loop, and debug mode and tracing would make it last for minutes.
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_the_memory_of_a_run_that_keeps_nothing_does_not_grow_with_its_items() -> None:
    async def peak(items: int) -> int:
        pipeline = Pipeline([Stage("A", 4, [same]), Stage("B", 4, [same])], collect_results=False)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        await pipeline.run(number for number in range(items))
        assert pipeline.get_stats().items_processed == items
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()
    try:
        await peak(1000)
        few, many = await peak(10_000), await peak(100_000)
    finally:
        tracemalloc.stop()
    assert many < few + 20_000


async def test_a_snapshot_takes_the_same_steps_whatever_has_failed() -> None:
    async def fail(value: int) -> int:
        raise ValueError(value)

    async def steps(items: int) -> int:
        """Calls that one snapshot makes, into Python and into C."""
        pipeline = Pipeline([Stage("A", 3, [fail], task_attempts=1), Stage("B", 3, [same])])
        await pipeline.run(range(items))
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event in {"call", "c_call"}

        sys.setprofile(count)
        try:
            snapshot = pipeline.get_dashboard_snapshot()
        finally:
            sys.setprofile(None)
        assert snapshot.error_summary.total_failed == items
        assert len(snapshot.error_summary.failed_items) == items
        return calls

    assert await steps(1) == await steps(3000)
