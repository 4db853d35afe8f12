"""Stopping: shutdown, request_stop, cancellation, and tasks that raise what ends programs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from typing import Any

import pytest

from antflow_core import Pipeline, PipelineError, Stage, StatusEvent, StatusTracker, TaskEvent
from antflow_core.context import observer_var
from tests.support.loops import RunOnLoop


async def same(value: Any) -> Any:
    return value


class Gate:
    """A task that waits until it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.inside = 0

    async def __call__(self, value: Any) -> Any:
        self.inside += 1
        await self.opened.wait()
        return value

    async def wait_inside(self, count: int) -> None:
        while self.inside < count:
            await asyncio.sleep(0)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_shutdown_finishes_what_is_in_hand_and_counts_the_rest(expect_log: Any) -> None:
    expect_log("Shutdown: discarded 3 unprocessed item(s)")
    gate = Gate()
    pipeline = Pipeline([Stage("A", 2, [gate]), Stage("B", 1, [same])])
    await pipeline.start()
    await pipeline.feed(range(5))
    await gate.wait_inside(2)
    ending = asyncio.create_task(pipeline.shutdown())
    await settle()
    assert not ending.done()
    gate.opened.set()
    await ending
    assert [r.value for r in pipeline.results] == [0, 1]
    assert (pipeline.dropped_items, pipeline.get_stats().items_in_flight) == (3, 0)
    await pipeline.start()
    await pipeline.feed([7])
    await pipeline.join()
    await pipeline.shutdown()
    assert [r.value for r in pipeline.results] == [7]


async def test_request_stop_makes_run_return_what_there_is(expect_log: Any) -> None:
    expect_log("discarded")
    gate = Gate()
    pipeline = Pipeline([Stage("A", 2, [gate], queue_capacity=5)])
    running = asyncio.create_task(pipeline.run(range(100)))
    await gate.wait_inside(2)
    pipeline.request_stop()
    pipeline.request_stop()
    gate.opened.set()
    assert [r.value for r in await running] == [0, 1]
    assert pipeline.get_stats().total_items == 2 + pipeline.dropped_items


async def test_request_stop_ends_a_slow_source() -> None:
    async def source() -> Any:
        yield 1
        await asyncio.Event().wait()

    pipeline = Pipeline([Stage("A", 1, [same])])
    running = asyncio.create_task(pipeline.run(source()))
    while not pipeline.get_stats().items_processed:
        await asyncio.sleep(0)
    pipeline.request_stop()
    assert [r.value for r in await running] == [1]


async def test_request_stop_of_an_idle_pipeline_does_nothing() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    pipeline.request_stop()
    assert len(await pipeline.run([1])) == 1
    pipeline.request_stop()
    assert len(await pipeline.run([1])) == 1


async def test_a_stop_lets_join_and_a_blocked_feed_return(expect_log: Any) -> None:
    expect_log("discarded")
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate], queue_capacity=1)])
    await pipeline.start()
    feeding = asyncio.create_task(pipeline.feed(range(10)))
    await gate.wait_inside(1)
    joining = asyncio.create_task(pipeline.join())
    await settle()
    pipeline.request_stop()
    await feeding
    gate.opened.set()
    await joining
    await pipeline.shutdown()
    assert pipeline.dropped_items == 2


async def test_a_stop_before_the_start_lets_a_feed_return_that_waits_for_a_worker() -> None:
    pipeline = Pipeline([Stage("A", 1, [same]), Stage("B", 1, [same], pull=True)])
    feeding = asyncio.create_task(pipeline.feed([1, 2], target_stage="B"))
    await settle()
    async with asyncio.timeout(20):
        await pipeline.shutdown()
        await feeding
    assert (pipeline.get_stats().items_in_flight, pipeline.dropped_items) == (0, 1)


async def test_a_stop_gives_the_worker_that_comes_free_to_who_still_has_an_item_for_it() -> None:
    """Not to a feeder who waited longer, and whose item is dropped."""
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [same]), Stage("B", 1, [gate], pull=True)])
    await pipeline.start()
    await pipeline.feed(["in B"])
    await gate.wait_inside(1)
    await pipeline.feed(["in A"])
    feeding = [asyncio.create_task(pipeline.feed(["outside"], target_stage="B")) for _ in range(2)]
    await settle()
    stopping = asyncio.create_task(pipeline.shutdown())
    await settle()
    gate.opened.set()
    async with asyncio.timeout(20):
        await asyncio.gather(stopping, *feeding)
    assert [result.value for result in pipeline.results] == ["in B", "in A"]
    assert pipeline.dropped_items == 2


@pytest.mark.parametrize("retry", ["per_task", "per_stage"])
async def test_a_stop_does_not_wait_for_a_retry(retry: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: int) -> None:
        raise ValueError

    pipeline = Pipeline([Stage("A", 1, [fail], retry=retry, task_wait=lambda _: 1000.0)])
    running = asyncio.create_task(pipeline.run([1]))
    while not pipeline.get_stats().stage_stats["A"].retried:
        await asyncio.sleep(0)
    await settle()
    pipeline.request_stop()
    assert await running == []
    assert pipeline.dropped_items == 1


async def test_a_stop_during_a_callback_for_a_retry_drops_the_item() -> None:
    attempts: list[int] = []
    retrying, go_on = asyncio.Event(), asyncio.Event()

    async def fail(value: int) -> None:
        attempts.append(value)
        raise ValueError

    async def hold(event: Any) -> None:
        if event.status == "retrying":
            retrying.set()
            await go_on.wait()

    stage = Stage("A", 1, [fail], retry="per_stage")
    pipeline = Pipeline([stage], status_tracker=StatusTracker(hold))
    running = asyncio.create_task(pipeline.run([1]))
    await retrying.wait()
    pipeline.request_stop()
    go_on.set()
    assert await running == []
    assert (attempts, pipeline.dropped_items, pipeline.get_stats().items_failed) == ([1], 1, 0)


async def test_a_stop_before_anything_was_fed_leaves_nothing_expected() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate])])
    await pipeline.start()
    await pipeline.feed([1])
    await gate.wait_inside(1)
    running = asyncio.create_task(pipeline.run(range(10)))
    while pipeline.total_items == 1:
        await asyncio.sleep(0)
    assert (pipeline.total_items, pipeline.get_stats().items_in_flight) == (11, 1)
    pipeline.request_stop()
    assert pipeline.total_items == 1
    gate.opened.set()
    assert [r.value for r in await running] == [1]
    assert pipeline.total_items == 1


async def test_a_stop_closes_any_source_that_can_be_closed() -> None:
    class Pages:
        closed = False

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> int:
            return await asyncio.Event().wait()

        async def aclose(self) -> None:
            self.closed = True

    pages = Pages()
    pipeline = Pipeline([Stage("A", 1, [same])])
    running = asyncio.create_task(pipeline.run(pages))
    await settle()
    pipeline.request_stop()
    assert await running == []
    assert pages.closed


async def test_a_dashboard_that_ends_the_program_leaves_no_worker_behind() -> None:
    class Leaving:
        def on_start(self, pipeline: Any, total_items: int) -> None:
            raise SystemExit(3)

        def on_update(self, snapshot: Any) -> None:
            pass

        def on_finish(self, results: Any, summary: Any) -> None:
            pass

    before = asyncio.all_tasks()
    pipeline = Pipeline([Stage("A", 3, [same])])
    with pytest.raises(SystemExit):
        await pipeline.run([1], custom_dashboard=Leaving())
    assert asyncio.all_tasks() == before


async def test_a_task_may_shut_its_own_pipeline_down(expect_log: Any) -> None:
    expect_log("discarded")

    async def enough(value: int) -> int:
        if value == 3:
            await pipeline.shutdown()
        return value

    pipeline = Pipeline([Stage("A", 1, [enough])])
    assert [r.value for r in await pipeline.run(range(100))] == [0, 1, 2, 3]


async def test_an_observer_may_stop_a_pipeline_before_it_begins() -> None:
    class Stopped:
        ended = 0

        def pipeline_starting(self, pipeline: Pipeline) -> None:
            pipeline.request_stop()

        def pipeline_ended(self, pipeline: Pipeline) -> None:
            self.ended += 1

    observer = Stopped()
    token = observer_var.set(observer)
    try:
        pipeline = Pipeline([Stage("A", 1, [same])])
        assert await pipeline.run([1, 2]) == []
        assert [r async for r in pipeline.stream([1])] == []
        assert observer.ended == 2
    finally:
        observer_var.reset(token)


async def test_an_observer_gives_a_tracker_to_a_pipeline_that_has_none() -> None:
    class Host:
        def __init__(self) -> None:
            self.tracker = StatusTracker()
            self.seen: list[str] = []

        def pipeline_starting(self, pipeline: Pipeline) -> StatusTracker:
            self.seen.append(f"start of {pipeline.total_items}")
            return self.tracker

        def pipeline_ended(self, pipeline: Pipeline) -> None:
            self.seen.append(f"end of run {pipeline.run_number}")

    host, own = Host(), StatusTracker()
    token = observer_var.set(host)
    try:
        pipeline = Pipeline([Stage("A", 1, [same])])
        await pipeline.run([1, 2])
        tracked = Pipeline([Stage("A", 1, [same])], status_tracker=own)
        await tracked.run([1])
    finally:
        observer_var.reset(token)
    assert pipeline.status_tracker is host.tracker
    assert tracked.status_tracker is own
    assert host.seen == ["start of 2", "end of run 1", "start of 1", "end of run 1"]
    assert (host.tracker.get_stats()["completed"], own.get_stats()["completed"]) == (2, 1)


async def test_an_observer_that_raises_harms_nothing(expect_log: Any) -> None:
    expect_log("pipeline_starting")
    expect_log("pipeline_ended")

    class Faulty:
        def pipeline_starting(self, pipeline: Pipeline) -> None:
            raise RuntimeError

        def pipeline_ended(self, pipeline: Pipeline) -> None:
            raise RuntimeError

    token = observer_var.set(Faulty())
    try:
        assert len(await Pipeline([Stage("A", 1, [same])]).run([1])) == 1
    finally:
        observer_var.reset(token)


async def test_cancelling_run_ends_all_workers() -> None:
    gate = Gate()
    before = asyncio.all_tasks()
    pipeline = Pipeline([Stage("A", 5, [gate])])
    running = asyncio.create_task(pipeline.run(range(100)))
    await gate.wait_inside(5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() == before
    stats = pipeline.get_stats()
    assert (stats.items_in_flight, stats.total_items, stats.queue_sizes) == (
        0,
        pipeline.dropped_items,
        {"A": 0},
    )
    assert {state.status for state in pipeline.get_worker_states().values()} == {"idle"}
    gate.opened.set()
    assert len(await pipeline.run([1])) == 1


async def test_cancelling_shutdown_gives_up_at_once() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate])])
    await pipeline.start()
    await pipeline.feed([1])
    await gate.wait_inside(1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pipeline.shutdown(), 0.01)
    await settle()
    assert pipeline.get_stats().items_in_flight == 0


async def test_a_task_that_raises_cancelled_error_fails_its_item_only() -> None:
    async def cancelled(value: int) -> int:
        if value == 1:
            raise asyncio.CancelledError("mine")
        if value == 2:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        return value

    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [cancelled], task_attempts=1)], status_tracker=tracker)
    assert [r.value for r in await pipeline.run(range(5))] == [0, 3, 4]
    assert pipeline.get_error_summary().errors_by_type == {"CancelledError": 2}
    assert tracker.get_stats()["failed"] == 2


async def test_a_task_that_swallows_its_cancellation_does_not_outlive_the_run() -> None:
    inside = asyncio.Event()

    async def stubborn(value: int) -> int:
        inside.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return value

    pipeline = Pipeline([Stage("A", 1, [stubborn])])
    running = asyncio.create_task(pipeline.run([1, 2, 3]))
    await inside.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert pipeline.get_stats().items_in_flight == 0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("place", ["task", "thread", "skip_if", "callback", "source"])
async def test_what_ends_a_program_ends_the_run_and_reaches_its_caller(kind: Any, place: str) -> None:
    async def leave(_: int) -> None:
        raise kind(3)

    def leave_thread(_: int) -> None:
        raise kind(3)

    def leave_skip(_: int) -> bool:
        raise kind(3)

    def leave_callback(*_: Any) -> None:
        raise kind(3)

    def leave_source() -> Any:
        yield 1
        raise kind(3)

    fields: dict[str, Any] = {"skip_if": leave_skip} if place == "skip_if" else {}
    fields |= {"on_success": leave_callback} if place == "callback" else {}
    task = {"task": leave, "thread": leave_thread}.get(place, same)
    pipeline = Pipeline([Stage("A", 3, [task], **fields)])
    with pytest.raises(kind):
        await pipeline.run(leave_source() if place == "source" else range(100))
    assert pipeline.get_stats().items_in_flight == 0


class Odd(BaseException):
    """Neither an Exception nor one of those that end programs."""


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", [Odd, SystemExit])
async def test_from_whichever_callback_it_ends_the_run(kind: Any, is_async: bool) -> None:
    """Item 1 fails once, 2 fails for good, 3 passes the second stage by."""

    def raise_at(told: str, place: str) -> Any:
        async def raise_later() -> None:
            await asyncio.sleep(0)
            raise kind(place)

        if told != place:
            return None
        if is_async:
            return raise_later()
        raise kind(place)

    def make_pipeline(place: str) -> Pipeline:
        tried: list[int] = []

        async def work(value: int) -> int:
            tried.append(value)
            if value == 2 or (value == 1 and tried.count(1) == 1):
                raise ValueError(value)
            return value

        def tell(event: StatusEvent) -> Any:
            return raise_at(f"{event.status} in {event.stage}", place)

        def tell_task(event: TaskEvent) -> Any:
            return raise_at(event.event_type, place)

        fields: dict[str, Any] = {
            name: lambda *_, name=name: raise_at(name, place)
            for name in ("on_success", "on_failure", "on_skip")
        }
        tracker = StatusTracker(tell, tell_task, tell_task, tell_task, tell_task)
        first = Stage("A", 2, [work], retry="per_stage", stage_attempts=2, task_wait_seconds=0, **fields)
        second = Stage("B", 2, [same], skip_if=lambda value: value == 3, **fields)
        return Pipeline([first, second], status_tracker=tracker)

    statuses = ["queued in A", "queued in B", "in_progress in A", "retrying in A", "completed in A"]
    statuses += ["failed in A", "skipped in B"]
    for place in (*statuses, "start", "complete", "retry", "fail", "on_success", "on_failure", "on_skip"):
        pipeline = make_pipeline(place)
        with pytest.raises(kind, match=place):
            await pipeline.run(range(6))
        stats = pipeline.get_stats()
        ended = stats.items_processed + stats.items_failed + pipeline.dropped_items
        assert (stats.items_in_flight, ended) == (0, stats.total_items), place


@pytest.mark.parametrize("is_async", [False, True])
async def test_what_ends_a_program_as_an_item_is_fed_reaches_who_feeds_and_who_joins(is_async: bool) -> None:
    async def leave_later() -> None:
        raise Odd

    def leave(event: StatusEvent) -> Any:
        if event.item_id != 1:
            return None
        if is_async:
            return leave_later()
        raise Odd

    pipeline = Pipeline([Stage("A", 1, [same])], status_tracker=StatusTracker(leave))
    await pipeline.start()
    with pytest.raises(Odd):
        await pipeline.feed(range(3))
    with pytest.raises(Odd):
        await pipeline.join()
    stats = pipeline.get_stats()
    assert stats.items_processed + pipeline.dropped_items == stats.total_items == 2


async def test_what_ends_a_program_reaches_join() -> None:
    async def leave(_: int) -> None:
        raise SystemExit(4)

    async def main() -> None:
        async with Pipeline([Stage("A", 1, [leave])]) as pipeline:
            await pipeline.start()
            await pipeline.feed([1])
            await pipeline.join()

    with pytest.raises(SystemExit):
        await main()


async def test_what_ends_a_program_reaches_shutdown_if_nobody_joined() -> None:
    async def leave(_: int) -> None:
        raise SystemExit(4)

    pipeline = Pipeline([Stage("A", 1, [leave])])
    await pipeline.start()
    await pipeline.feed([1])
    await settle()
    with pytest.raises(SystemExit):
        await pipeline.shutdown()


async def test_a_worker_cancelled_from_outside_ends_the_run_with_a_word() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 2, [gate])])
    running = asyncio.create_task(pipeline.run([1, 2]))
    await gate.wait_inside(2)
    (worker,) = [task for task in asyncio.all_tasks() if task.get_name() == "A-W1"]
    worker.cancel()
    with pytest.raises(PipelineError, match="A-W1 was cancelled from outside"):
        await running


def test_the_end_of_the_loop_ends_a_pipeline_nobody_shut_down(run_on_new_loop: RunOnLoop[Pipeline]) -> None:
    async def leave_it() -> Pipeline:
        gate = Gate()
        pipeline = Pipeline([Stage("A", 2, [gate])])
        await pipeline.start()
        await pipeline.feed(range(10))
        await gate.wait_inside(2)
        return pipeline

    pipeline = run_on_new_loop(leave_it())
    assert (pipeline.get_stats().items_in_flight, pipeline.dropped_items) == (0, 10)


def test_workers_nobody_refers_to_last_until_the_loop_ends(run_on_new_loop: RunOnLoop[int]) -> None:
    complaints: list[Any] = []

    async def leave_it() -> int:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: complaints.append(fault))
        pipeline = Pipeline([Stage("A", 2, [same])])
        await pipeline.start()
        await pipeline.feed([1])
        del pipeline
        await settle()
        gc.collect()
        return len(asyncio.all_tasks())

    assert run_on_new_loop(leave_it()) == 3
    gc.collect()
    assert complaints == []


async def test_a_finished_run_holds_on_to_no_value() -> None:
    class Heavy:
        pass

    alive: weakref.WeakSet[Heavy] = weakref.WeakSet()

    async def make(_: int) -> Heavy:
        heavy = Heavy()
        alive.add(heavy)
        return heavy

    pipeline = Pipeline([Stage("A", 2, [make]), Stage("B", 2, [same])], collect_results=False)
    await pipeline.run(range(10))
    gc.collect()
    assert len(alive) == 0
