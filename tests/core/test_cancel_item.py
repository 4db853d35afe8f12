"""Cancelling single items: wherever one is it ends once, at once, and all the others go on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from antflow_core import Pipeline, Stage, StatusEvent, StatusTracker, concurrency_limit
from tests.support.ends import counts

CANCELLED = {"error": "cancelled by cancel_item()", "error_type": "CancelledError"}


async def same(value: Any) -> Any:
    return value


class Gate:
    """A task that lets nothing but numbers from `free_from` on through until it is opened."""

    def __init__(self, free_from: float = float("inf")) -> None:
        self.opened = asyncio.Event()
        self.free_from = free_from
        self.entered: list[Any] = []
        self.cancelled: list[Any] = []

    async def __call__(self, value: Any) -> Any:
        self.entered.append(value)
        if value < self.free_from:
            try:
                await self.opened.wait()
            except asyncio.CancelledError:
                self.cancelled.append(value)
                raise
        return value


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def words(tracker: StatusTracker, item_id: Any) -> list[str]:
    return [event.status for event in tracker.get_history(item_id)]


# Where an item may be


async def test_an_item_in_hand_ends_and_its_worker_takes_the_next() -> None:
    gate, tracker = Gate(free_from=1), StatusTracker()
    failures: list[Any] = []
    stage = Stage("A", 1, [gate], on_failure=lambda *told: failures.append(told))
    pipeline = Pipeline([stage, Stage("B", 1, [same])], status_tracker=tracker)
    running = asyncio.create_task(pipeline.run(range(5)))
    await until(lambda: gate.entered)
    assert pipeline.cancel_item(0) is True
    assert [r.value for r in await running] == [1, 2, 3, 4]
    assert (gate.cancelled, failures) == ([0], [])
    assert counts(pipeline) == {"processed": 4, "cancelled": 1}
    assert str(pipeline.get_error_summary()) == "No errors occurred"
    last = tracker.get_status(0)
    assert last is not None
    assert (last.status, last.stage, last.worker, last.metadata) == ("failed", "A", "A-W0", CANCELLED)
    assert words(tracker, 0) == ["queued", "in_progress", "failed"]
    stats = pipeline.get_stats().stage_stats["A"]
    assert (stats.completed_items, stats.failed_items) == (4, 0)
    metrics = pipeline.get_worker_metrics()["A-W0"]
    assert (metrics.items_processed, metrics.items_failed) == (4, 0)


async def test_a_queued_item_leaves_at_once_and_makes_room() -> None:
    gate, tracker = Gate(), StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [gate], queue_capacity=1)], status_tracker=tracker)
    await pipeline.start()
    await pipeline.feed([0])
    await until(lambda: gate.entered)
    await pipeline.feed([1])
    waiting = asyncio.create_task(pipeline.feed([2]))
    await settle()
    assert not waiting.done()
    assert pipeline.cancel_item(1)
    assert counts(pipeline) == {"cancelled": 1, "in flight": 2}
    assert tracker.get_stats()["failed"] == 1
    await waiting
    assert pipeline.get_stats().queue_sizes == {"A": 1}
    gate.opened.set()
    await pipeline.join()
    assert [r.value for r in pipeline.results] == [0, 2]
    assert words(tracker, 1) == ["queued", "failed"]


async def test_items_of_other_priorities_keep_their_order() -> None:
    gate = Gate(free_from=1)
    pipeline = Pipeline([Stage("A", 1, [gate])])
    await pipeline.start()
    await pipeline.feed([0])
    await until(lambda: gate.entered)
    for priority in (200, 100, 50):
        items = [{"id": f"{priority}-{n}", "value": priority + n} for n in range(3)]
        await pipeline.feed(items, priority=priority)
    assert pipeline.cancel_item("50-0")
    assert pipeline.cancel_item("100-1")
    assert pipeline.cancel_item("200-2")
    gate.opened.set()
    await pipeline.join()
    assert gate.entered == [0, 51, 52, 100, 102, 200, 201]


@pytest.mark.parametrize("retry", ["per_task", "per_stage"])
async def test_an_item_that_waits_for_a_retry_does_not_get_it(retry: Any) -> None:
    calls: list[int] = []

    async def fail(value: int) -> None:
        calls.append(value)
        raise ValueError

    tracker = StatusTracker()
    pipeline = Pipeline(
        [Stage("A", 1, [fail], retry=retry, task_wait=lambda _: 1000)], status_tracker=tracker
    )
    running = asyncio.create_task(pipeline.run([1]))
    await until(lambda: pipeline.get_stats().stage_stats["A"].retried)
    await settle()
    assert pipeline.cancel_item(0)
    assert await running == []
    assert (calls, counts(pipeline)) == ([1], {"cancelled": 1})
    assert words(tracker, 0)[-1] == "failed"


async def test_an_item_that_is_back_in_its_queue_for_a_retry_leaves_it() -> None:
    gate = Gate(free_from=1)

    async def fail(value: int) -> None:
        await gate(value)
        if value:
            raise ValueError

    pipeline = Pipeline([Stage("A", 2, [fail], retry="per_stage")])
    await pipeline.start()
    pipeline.set_workers("A", 1)
    await pipeline.feed([1, 0])
    await until(lambda: 0 in gate.entered)
    assert pipeline.get_stats().queue_sizes == {"A": 1}
    assert pipeline.cancel_item(0)
    gate.opened.set()
    await pipeline.join()
    assert counts(pipeline) == {"processed": 1, "cancelled": 1}


@pytest.mark.parametrize("pull", [False, True])
async def test_an_item_that_a_worker_cannot_hand_on_gives_the_worker_free(pull: bool) -> None:
    gate = Gate()
    stages = [Stage("A", 1, [same]), Stage("B", 1, [gate], pull=pull, queue_capacity=1)]
    pipeline, stuck = Pipeline(stages), 1 if pull else 2
    running = asyncio.create_task(pipeline.run(range(4)))
    await until(lambda: gate.entered)
    await settle()
    assert pipeline.get_worker_states()["A-W0"].current_item_id == stuck
    assert pipeline.cancel_item(stuck)
    await settle()
    assert pipeline.get_worker_states()["A-W0"].current_item_id == stuck + 1
    gate.opened.set()
    assert [r.value for r in await running] == [n for n in range(4) if n != stuck]
    assert counts(pipeline) == {"processed": 3, "cancelled": 1}


async def test_an_item_whose_feeder_waits_for_room_is_not_let_in() -> None:
    gate, tracker = Gate(), StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [gate], queue_capacity=1)], status_tracker=tracker)
    await pipeline.start()
    first = asyncio.create_task(pipeline.feed([0, 1, 2]))
    await until(lambda: pipeline.get_stats().items_in_flight == 3)
    second = asyncio.create_task(pipeline.feed([3]))
    await until(lambda: pipeline.get_stats().items_in_flight == 4)
    assert pipeline.cancel_item(2)
    assert counts(pipeline) == {"cancelled": 1, "in flight": 3}
    gate.opened.set()
    await asyncio.gather(first, second)
    await pipeline.join()
    assert gate.entered == [0, 1, 3]
    assert words(tracker, 2) == ["failed"]


async def test_the_room_a_cancelled_item_waited_for_goes_to_the_next_in_line() -> None:
    gate = Gate(free_from=1)
    pipeline = Pipeline([Stage("A", 1, [gate], queue_capacity=1)])
    await pipeline.start()
    feeds = [asyncio.create_task(pipeline.feed([n])) for n in range(4)]
    await until(lambda: pipeline.get_stats().items_in_flight == 4)
    await settle()
    assert pipeline.cancel_item(2)
    gate.opened.set()
    await asyncio.gather(*feeds)
    await pipeline.join()
    assert gate.entered == [0, 1, 3]


async def test_the_room_of_an_item_cancelled_as_it_is_queued_goes_to_the_next_worker_in_line() -> None:
    """Two workers wait for room in the next stage, whose own worker waits for an item when it comes."""

    def cancel_third(event: StatusEvent) -> None:
        if (event.item_id, event.stage, event.status) == (2, "B", "queued"):
            assert pipeline.cancel_item(2)

    gate, tracker = Gate(free_from=1), StatusTracker(cancel_third)
    stages = [Stage("A", 4, [same]), Stage("B", 1, [gate], queue_capacity=1)]
    pipeline = Pipeline(stages, status_tracker=tracker)
    running = asyncio.create_task(pipeline.run(range(4)))
    await until(lambda: pipeline.get_stats().stage_stats["A"].completed_items == 4)
    await settle()
    gate.opened.set()
    results = await asyncio.wait_for(running, 5)
    assert [result.value for result in results] == [0, 1, 3]
    assert counts(pipeline) == {"processed": 3, "cancelled": 1}


async def test_a_feed_that_is_cancelled_after_its_item_was_counts_it_once() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate], queue_capacity=1)])
    await pipeline.start()
    feeding = asyncio.create_task(pipeline.feed([0, 1, 2]))
    await until(lambda: pipeline.get_stats().items_in_flight == 3)
    assert pipeline.cancel_item(2)
    feeding.cancel()
    await asyncio.wait([feeding])
    gate.opened.set()
    await pipeline.join()
    assert counts(pipeline) == {"processed": 2, "cancelled": 1}


@pytest.mark.parametrize("paused", [False, True])
async def test_an_item_handed_over_and_not_begun_is_never_begun(paused: bool) -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate])])
    await pipeline.start()
    await settle()
    await pipeline.feed([0])  # it goes to the waiting worker, who has not run since
    assert gate.entered == []
    if paused:
        pipeline.pause()
    assert pipeline.cancel_item(0)
    assert not pipeline.cancel_item(0)
    await settle()
    assert counts(pipeline) == {"cancelled": 1}
    if paused:
        pipeline.resume()
    gate.opened.set()
    await pipeline.feed([1])
    await pipeline.join()
    assert gate.entered == [1]


async def test_a_shutdown_right_after_a_handed_over_item_was_cancelled_finds_nothing_left() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    running = asyncio.create_task(pipeline.run(Waiting([7])))
    await until(lambda: pipeline.get_stats().items_in_flight)
    assert pipeline.cancel_item(0)
    running.cancel()
    await asyncio.wait([running])
    assert counts(pipeline) == {"cancelled": 1}


class Waiting:
    """Items that never end."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    async def __aiter__(self) -> Any:
        for item in self.items:
            yield item
        await asyncio.Event().wait()


async def test_an_item_fed_before_the_start_is_never_begun() -> None:
    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [same])], status_tracker=tracker)
    await pipeline.feed([1, 2, 3])
    assert pipeline.cancel_item(1)
    assert counts(pipeline) == {"cancelled": 1, "in flight": 2}
    await pipeline.start()
    await pipeline.join()
    assert [r.value for r in pipeline.results] == [1, 3]
    assert words(tracker, 1) == ["queued", "failed"]


# Which items


async def test_every_item_of_the_id_is_cancelled_wherever_it_is() -> None:
    gate = Gate(free_from=1)
    pipeline = Pipeline([Stage("A", 2, [gate])])
    items = [{"id": "twice", "value": 0}, {"id": "twice", "value": 0}, {"id": "twice", "value": 5}]
    running = asyncio.create_task(pipeline.run([*items, {"id": "once", "value": 6}]))
    await until(lambda: len(gate.entered) == 2)
    assert pipeline.cancel_item("twice")
    assert [r.id for r in await running] == ["once"]
    assert counts(pipeline) == {"processed": 1, "cancelled": 3}


async def test_an_id_compares_as_python_compares_it() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    pipeline = Pipeline([Stage("A", 1, [same])])
    odd = Odd()
    await pipeline.feed([{"id": item_id} for item_id in (1, "1", [1], odd)])
    assert [pipeline.cancel_item(item_id) for item_id in (1.0, [1], [2], "2", odd, odd)] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]
    assert counts(pipeline) == {"cancelled": 3, "in flight": 1}


async def test_there_is_nothing_to_cancel_where_nothing_is_outstanding() -> None:
    async def fail(value: int) -> int:
        if value == 1:
            raise ValueError
        return value

    pipeline = Pipeline([Stage("A", 1, [fail], task_attempts=1)])
    assert not pipeline.cancel_item(0)
    async with pipeline:
        await pipeline.start()
        await pipeline.feed([0, 1])
        await pipeline.join()
        assert [pipeline.cancel_item(n) for n in range(3)] == [False, False, False]
    assert not pipeline.cancel_item(0)
    assert counts(pipeline) == {"processed": 1, "failed": 1}


async def test_an_item_whose_failure_is_being_told_is_failed() -> None:
    answers: list[bool] = []

    async def fail(_: int) -> None:
        raise ValueError

    async def ask(item_id: int, error: Exception, payload: Any) -> None:
        answers.append(pipeline.cancel_item(item_id))
        await asyncio.sleep(0)

    pipeline = Pipeline([Stage("A", 1, [fail], task_attempts=1, on_failure=ask)])
    await pipeline.run([1])
    assert (answers, counts(pipeline)) == ([False], {"failed": 1})


async def test_a_new_run_counts_anew() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate])])
    await pipeline.feed([1])
    assert pipeline.cancel_item(0)
    await pipeline.start()
    await pipeline.join()
    await pipeline.shutdown()
    assert pipeline.cancelled_items == 1
    gate.opened.set()
    await pipeline.run([2])
    assert pipeline.cancelled_items == 0


# What a task may do about it


async def test_from_its_own_task_the_cancellation_comes_at_the_next_await() -> None:
    seen: list[str] = []

    async def work(value: int) -> int:
        if value == 0:
            seen.append(f"cancels {pipeline.cancel_item(0)}")
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
        return value

    pipeline = Pipeline([Stage("A", 1, [work])])
    assert [r.value for r in await pipeline.run([0, 1])] == [1]
    assert seen == ["cancels True", "cancelled"]
    assert counts(pipeline) == {"processed": 1, "cancelled": 1}


@pytest.mark.parametrize("outcome", ["returns", "raises", "swallows", "raises another"])
@pytest.mark.parametrize("tasks", [1, 2])
async def test_whatever_the_task_does_then_the_item_is_cancelled(outcome: str, tasks: int) -> None:
    calls: list[str] = []

    async def work(value: int) -> int:
        if value == 0:
            assert pipeline.cancel_item(0)
            if outcome == "raises":
                raise ValueError
            if outcome.startswith(("swallows", "raises another")):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if outcome == "raises another":
                        raise LookupError from None
        return value

    async def second(value: int) -> int:
        calls.append(f"second {value}")
        await asyncio.sleep(0)
        return value

    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [work, second][:tasks])], status_tracker=tracker)
    assert [r.value for r in await pipeline.run([0, 1])] == [1]
    assert counts(pipeline) == {"processed": 1, "cancelled": 1}
    assert words(tracker, 0) == ["queued", "in_progress", "failed"]
    assert calls == ["second 1"] * (tasks - 1)


async def test_a_stubborn_task_is_cancelled_as_often_as_asked() -> None:
    gate, refusals = asyncio.Event(), [1, 2]

    async def stubborn(value: int) -> int:
        while refusals:
            try:
                await gate.wait()
            except asyncio.CancelledError:
                refusals.pop()
        return value

    pipeline = Pipeline([Stage("A", 1, [stubborn])])
    running = asyncio.create_task(pipeline.run([0, 1]))
    await settle()
    assert pipeline.cancel_item(0)
    await settle()
    assert counts(pipeline) == {"in flight": 2}
    assert pipeline.cancel_item(0)
    assert [r.value for r in await running] == [1]
    assert counts(pipeline) == {"processed": 1, "cancelled": 1}


async def test_a_worker_can_be_cancelled_again_and_the_run_after_that() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate])])
    running = asyncio.create_task(pipeline.run(range(10)))
    for n in range(5):
        await until(partial(gate.entered.count, n))
        assert pipeline.cancel_item(n)
    await until(lambda: 5 in gate.entered)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert gate.cancelled == [0, 1, 2, 3, 4, 5]
    assert counts(pipeline) == {"cancelled": 5, "dropped": 5}


async def test_timeouts_and_groups_in_a_task_let_the_cancellation_through() -> None:
    inside = asyncio.Event()
    left: list[str] = []

    async def nested(value: int) -> int:
        if value == 0:
            try:
                async with asyncio.timeout(100), asyncio.TaskGroup() as group:
                    group.create_task(asyncio.Event().wait())
                    inside.set()
            finally:
                left.append("left")
        async with asyncio.timeout(100):
            await asyncio.sleep(0)
        return value

    pipeline = Pipeline([Stage("A", 1, [nested], timeout=100)])
    running = asyncio.create_task(pipeline.run([0, 1]))
    await inside.wait()
    assert pipeline.cancel_item(0)
    assert [r.value for r in await running] == [1]
    assert left == ["left"]


async def test_a_task_that_cancels_itself_and_goes_on_harms_nobody() -> None:
    async def work(value: int) -> int:
        task = asyncio.current_task()
        assert task is not None
        if value == 0:
            task.cancel()
        if value == 1:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        if value == 2:
            raise asyncio.CancelledError("its own")
        return value

    pipeline = Pipeline([Stage("A", 1, [work], task_attempts=1)])
    assert [r.value for r in await pipeline.run(range(4))] == [0, 1, 3]
    assert counts(pipeline) == {"processed": 3, "failed": 1}


async def test_a_function_in_a_thread_goes_on_and_keeps_its_worker() -> None:
    inside, release = threading.Event(), threading.Event()

    def block(value: int) -> int:
        if value == 0:
            inside.set()
            release.wait(10)
        return value

    pipeline = Pipeline([Stage("A", 1, [block], task_concurrency_limits={"block": 1})])
    running = asyncio.create_task(pipeline.run([0, 1]))
    await until(inside.is_set)
    assert pipeline.cancel_item(0)
    await until(lambda: pipeline.cancelled_items)
    await settle()
    assert counts(pipeline) == {"cancelled": 1, "in flight": 1}
    assert not pipeline.cancel_item(0)
    state = pipeline.get_worker_states()["A-W0"]
    assert (state.status, state.current_task) == ("busy", "block (cancelled, not back yet)")
    release.set()
    assert [r.value for r in await running] == [1]


async def test_a_function_that_has_no_thread_yet_is_never_called() -> None:
    from concurrent.futures import ThreadPoolExecutor

    release, calls = threading.Event(), []

    def block(value: int) -> int:
        calls.append(value)
        release.wait(10)
        return value

    with ThreadPoolExecutor(1) as executor:
        pipeline = Pipeline([Stage("A", 2, [block], executor=executor)])
        running = asyncio.create_task(pipeline.run([0, 1, 2]))
        await until(lambda: calls)
        assert pipeline.cancel_item(1)
        await until(lambda: pipeline.cancelled_items)
        release.set()
        assert [r.value for r in await running] == [0, 2]
    assert calls == [0, 2]


async def test_a_cancelled_run_does_not_wait_for_the_thread_of_a_cancelled_item() -> None:
    inside, release = threading.Event(), threading.Event()

    def block(value: int) -> int:
        inside.set()
        release.wait(10)
        return value

    pipeline = Pipeline([Stage("A", 1, [block])])
    running = asyncio.create_task(pipeline.run([0]))
    await until(inside.is_set)
    assert pipeline.cancel_item(0)
    await until(lambda: pipeline.cancelled_items)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    release.set()
    assert counts(pipeline) == {"cancelled": 1}


async def test_limits_that_the_item_held_go_to_the_next() -> None:
    gate = Gate(free_from=1)

    async def limited(value: int) -> int:
        async with concurrency_limit():
            await gate(value)
        return value

    stage = Stage("A", 2, [limited], task_concurrency_limits={"limited": 1}, call_concurrency=1)
    pipeline = Pipeline([stage])
    running = asyncio.create_task(pipeline.run([0, 1, 2]))
    await until(lambda: gate.entered)
    await settle()
    assert pipeline.cancel_item(1)  # it waits for the limit
    await settle()
    assert pipeline.cancel_item(0)  # it holds it
    assert [r.value for r in await running] == [2]
    assert gate.entered == [0, 2]


# Callbacks


MOMENTS = [
    "queued A",
    "in_progress A",
    "start",
    "complete",
    "completed A",
    "queued B",
    "on_success",
    "skip_if",
]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_callback_may_cancel_the_item_it_is_told_of(moment: str, is_async: bool) -> None:
    answers: list[bool] = []

    def cancel(place: str, item_id: int) -> None:
        if place == moment and item_id == 0 and not answers:
            answers.append(pipeline.cancel_item(0))

    def told(place: str, item_id: int) -> Any:
        async def later() -> bool:
            await asyncio.sleep(0)
            cancel(place, item_id)
            return False

        return later() if is_async else cancel(place, item_id)

    tracker = StatusTracker(
        on_status_change=lambda event: told(f"{event.status} {event.stage}", event.item_id),
        on_task_start=lambda event: told("start", event.item_id),
        on_task_complete=lambda event: told("complete", event.item_id),
    )
    first = Stage(
        "A",
        1,
        [same],
        on_success=lambda item_id, value, payload: told("on_success", item_id),
        skip_if=lambda value: told("skip_if", value),
    )
    pipeline = Pipeline([first, Stage("B", 1, [same])], status_tracker=tracker)
    assert [r.value for r in await pipeline.run([0, 1])] == [1]
    assert answers == [True]
    assert counts(pipeline) == {"processed": 1, "cancelled": 1}
    latest = tracker.get_status(0)
    assert latest is not None
    assert (latest.status, tracker.get_stats()["failed"]) == ("failed", 1)
    assert [state.status for state in pipeline.get_worker_states().values()] == ["idle", "idle"]


@pytest.mark.parametrize("is_tracked", [False, True])
@pytest.mark.parametrize("tasks", [1, 2])
async def test_an_item_that_skip_if_cancels_is_never_begun(tasks: int, is_tracked: bool) -> None:
    entered: list[int] = []

    async def note(value: int) -> int:
        entered.append(value)
        return value

    def cancel_first(value: int) -> bool:
        return not value and not pipeline.cancel_item(0)

    tracker = StatusTracker() if is_tracked else None
    stage = Stage("A", 1, [note, same][:tasks], skip_if=cancel_first)
    pipeline = Pipeline([stage], status_tracker=tracker)
    assert [r.value for r in await pipeline.run([0, 1])] == [1]
    assert entered == [1]
    assert counts(pipeline) == {"processed": 1, "cancelled": 1}
    if tracker is not None:
        assert [event.status for event in tracker.get_history(0)] == ["queued", "failed"]


@pytest.mark.parametrize("moment", ["in_progress", "start"])
async def test_an_item_cancelled_as_its_task_is_announced_is_never_begun(moment: str) -> None:
    entered: list[int] = []

    async def note(value: int) -> int:
        entered.append(value)
        return value

    def cancel(place: str, item_id: int) -> None:
        if (place, item_id) == (moment, 0):
            assert pipeline.cancel_item(0)

    tracker = StatusTracker(
        on_status_change=lambda event: cancel(event.status, event.item_id),
        on_task_start=lambda event: cancel("start", event.item_id),
    )
    pipeline = Pipeline([Stage("A", 1, [note])], status_tracker=tracker)
    assert [r.value for r in await pipeline.run([0, 1])] == [1]
    assert entered == [1]
    assert counts(pipeline) == {"processed": 1, "cancelled": 1}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("retry", ["per_task", "per_stage"])
@pytest.mark.parametrize("moment", ["retry", "fail", "retrying", "failed"])
async def test_a_callback_may_cancel_the_item_whose_failure_it_is_told_of(
    moment: str, retry: Any, is_async: bool
) -> None:
    answers: list[bool] = []

    async def fail(value: int) -> int:
        if value == 0:
            raise ValueError
        return value

    def told(place: str) -> Any:
        async def later() -> None:
            await asyncio.sleep(0)
            answers.append(pipeline.cancel_item(0))

        if place != moment or answers:
            return None
        if is_async:
            return later()
        answers.append(pipeline.cancel_item(0))
        return None

    tracker = StatusTracker(
        on_status_change=lambda event: told(event.status),
        on_task_retry=lambda _: told("retry"),
        on_task_fail=lambda _: told("fail"),
    )
    stage = Stage("A", 1, [fail], retry=retry, task_attempts=2, stage_attempts=2, task_wait_seconds=0)
    pipeline = Pipeline([stage], status_tracker=tracker)
    assert [r.value for r in await pipeline.run([0, 1])] == [1]
    is_failed = moment == "failed" or not answers
    assert answers == ([moment != "failed"] if answers else [])
    assert counts(pipeline) == {"processed": 1, "failed" if is_failed else "cancelled": 1}
    assert words(tracker, 0).count("failed") == 1


async def test_an_async_callback_for_a_queued_item_is_awaited_before_the_run_ends() -> None:
    told: list[tuple[Any, str]] = []
    telling, go_on = asyncio.Event(), asyncio.Event()
    gate = Gate()

    async def tell(event: StatusEvent) -> None:
        if event.status == "failed":
            telling.set()
            await go_on.wait()
            told.append((event.item_id, event.status))

    pipeline = Pipeline([Stage("A", 1, [gate])], status_tracker=StatusTracker(tell))
    running = asyncio.create_task(pipeline.run([0, 1]))
    await until(lambda: gate.entered)
    assert pipeline.cancel_item(1)
    assert not pipeline.cancel_item(1)
    gate.opened.set()
    await telling.wait()
    await settle()
    assert counts(pipeline) == {"processed": 1, "in flight": 1}
    assert not running.done()
    go_on.set()
    assert len(await running) == 1
    assert (told, counts(pipeline)) == ([(1, "failed")], {"processed": 1, "cancelled": 1})


@pytest.mark.parametrize("begun", [False, True])
async def test_cancelling_the_run_cancels_such_a_callback_too(begun: bool) -> None:
    gate = Gate()

    async def tell(event: StatusEvent) -> None:
        if event.status == "failed":
            await asyncio.Event().wait()

    pipeline = Pipeline([Stage("A", 1, [gate])], status_tracker=StatusTracker(tell))
    running = asyncio.create_task(pipeline.run([0, 1]))
    await until(lambda: gate.entered)
    assert pipeline.cancel_item(1)
    if begun:
        await settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert counts(pipeline) == {"cancelled": 1, "dropped": 1}


async def test_a_callback_may_feed_and_join_like_one_inside_the_pipeline() -> None:
    gate = Gate()
    complaints: list[str] = []

    async def tell(event: StatusEvent) -> None:
        if event.status == "failed":
            await pipeline.feed([10, 11, 12])  # past the full queue
            try:
                await pipeline.join()
            except Exception as error:
                complaints.append(str(error))

    pipeline = Pipeline([Stage("A", 1, [gate], queue_capacity=2)], status_tracker=StatusTracker(tell))
    running = asyncio.create_task(pipeline.run([0, 1, 2]))
    await until(lambda: gate.entered)
    await settle()
    assert pipeline.cancel_item(1)
    await settle()
    gate.opened.set()
    assert sorted(r.value for r in await running) == [0, 2, 10, 11, 12]
    assert len(complaints) == 1


@pytest.mark.parametrize("is_async", [False, True])
async def test_what_ends_a_program_from_the_callback_ends_the_run(is_async: bool) -> None:
    gate = Gate()

    async def leave() -> None:
        raise SystemExit(3)

    def tell(event: StatusEvent) -> Any:
        if event.status != "failed":
            return None
        if is_async:
            return leave()
        raise SystemExit(3)

    async def run() -> int:
        """The exit must not get out of a task: the loop would end."""
        try:
            return len(await pipeline.run([0, {"id": "x"}, {"id": "x"}]))
        except SystemExit:
            return -1

    pipeline = Pipeline([Stage("A", 1, [gate])], status_tracker=StatusTracker(tell))
    running = asyncio.create_task(run())
    await until(lambda: gate.entered)
    if is_async:
        assert pipeline.cancel_item("x")
    else:
        with pytest.raises(SystemExit):
            pipeline.cancel_item("x")
        gate.opened.set()
    assert await running == (-1 if is_async else 1)
    assert pipeline.cancelled_items == 2


async def test_a_callback_of_one_cancelled_item_may_cancel_another() -> None:
    gate = Gate()

    def tell(event: StatusEvent) -> None:
        if event.status == "failed":
            pipeline.cancel_item(event.item_id + 1)

    pipeline = Pipeline([Stage("A", 1, [gate])], status_tracker=StatusTracker(tell))
    running = asyncio.create_task(pipeline.run(range(5)))
    await until(lambda: gate.entered)
    assert pipeline.cancel_item(2)
    gate.opened.set()
    assert [r.value for r in await running] == [0, 1]
    assert counts(pipeline) == {"processed": 2, "cancelled": 3}


# Streams


@pytest.mark.parametrize("buffer_size", [None, 0, 1])
async def test_a_stream_gives_cancelled_items_too(buffer_size: int | None) -> None:
    gate = Gate(free_from=1)
    pipeline = Pipeline([Stage("A", 2, [gate])])
    items = [{"id": n, "value": value} for n, value in enumerate([0, 9, 0, 9, 9, 9])]
    outcomes: dict[Any, str] = {}
    async for result in pipeline.stream(items, buffer_size=buffer_size):
        outcomes[result.id] = type(result.error).__name__
        if len(outcomes) == 1:
            assert pipeline.cancel_item(0)
            assert pipeline.cancel_item(5)
            gate.opened.set()
    assert outcomes == {n: "CancelledError" if n in {0, 5} else "NoneType" for n in range(6)}
    assert counts(pipeline) == {"processed": 4, "cancelled": 2}


async def test_a_result_that_waits_to_be_taken_can_still_be_cancelled() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    stream = pipeline.stream(range(3), buffer_size=1)
    results = [await anext(stream)]
    await settle()
    assert pipeline.get_worker_states()["A-W0"].current_item_id == 2
    assert pipeline.cancel_item(2)
    results += [result async for result in stream]
    assert [(r.id, r.is_success) for r in results] == [(0, True), (1, True), (2, False)]
    assert counts(pipeline) == {"processed": 2, "cancelled": 1}


async def test_a_failure_that_waits_to_be_taken_is_failed() -> None:
    async def fail(_: int) -> None:
        raise ValueError

    pipeline = Pipeline([Stage("A", 1, [fail], task_attempts=1)])
    stream = pipeline.stream(range(3), buffer_size=1)
    await anext(stream)
    await settle()
    assert pipeline.cancel_item(2) is False
    await stream.aclose()
    assert counts(pipeline) == {"failed": 3}


# With stops


async def test_items_in_hand_can_be_cancelled_while_the_pipeline_stops(expect_log: Any) -> None:
    expect_log("discarded 1")
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate])])
    running = asyncio.create_task(pipeline.run([0, 1]))
    await until(lambda: gate.entered)
    pipeline.request_stop()
    assert pipeline.cancel_item(0)
    assert not pipeline.cancel_item(1)
    assert await running == []
    assert counts(pipeline) == {"cancelled": 1, "dropped": 1}


async def test_an_item_can_not_be_cancelled_once_the_run_is() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate])])
    running = asyncio.create_task(pipeline.run([0, 1]))
    await until(lambda: gate.entered)
    assert pipeline.cancel_item(0)
    running.cancel()
    await asyncio.sleep(0)  # run() notices
    assert not pipeline.cancel_item(1)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert counts(pipeline) == {"cancelled": 1, "dropped": 1}


@pytest.mark.parametrize("turns", range(4))
async def test_a_run_cancelled_while_an_item_is_waits_for_no_callback_and_no_thread(turns: int) -> None:
    inside, release = threading.Event(), threading.Event()

    def block(value: int) -> int:
        inside.set()
        release.wait(10)
        return value

    async def tell(event: StatusEvent) -> None:
        if event.status == "failed":
            await asyncio.Event().wait()

    pipeline = Pipeline([Stage("A", 1, [block])], status_tracker=StatusTracker(tell))
    running = asyncio.create_task(pipeline.run([0]))
    await until(inside.is_set)
    assert pipeline.cancel_item(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    release.set()
    assert counts(pipeline) == {"cancelled": 1}


async def test_an_item_in_hand_has_an_end_in_the_history_when_the_run_is_cancelled() -> None:
    gate, tracker = Gate(), StatusTracker()
    told: list[str] = []
    tracker.on_status_change = lambda event: told.append(event.status)
    pipeline = Pipeline([Stage("A", 2, [gate])], status_tracker=tracker)
    running = asyncio.create_task(pipeline.run(range(4)))
    await until(lambda: len(gate.entered) == 2)
    running.cancel()
    await asyncio.wait([running])
    assert [words(tracker, n)[-1] for n in range(4)] == ["failed", "failed", "queued", "queued"]
    last = tracker.get_status(0)
    assert last is not None
    assert last.metadata == {"error": "the run was cancelled", "error_type": "CancelledError"}
    assert "failed" not in told
    assert tracker.get_stats()["in_progress"] == 0
    assert counts(pipeline) == {"dropped": 4}


@pytest.mark.parametrize("retry", ["per_task", "per_stage"])
@pytest.mark.parametrize("way", ["request_stop", "cancel"])
async def test_an_item_that_waits_for_a_retry_has_an_end_too(retry: Any, way: str, expect_log: Any) -> None:
    if (retry, way) == ("per_stage", "request_stop"):
        expect_log("discarded 1")

    async def fail(_: int) -> None:
        raise ValueError

    tracker = StatusTracker()
    pipeline = Pipeline(
        [Stage("A", 1, [fail], retry=retry, task_wait=lambda _: 1000)], status_tracker=tracker
    )
    running = asyncio.create_task(pipeline.run([1]))
    await until(lambda: pipeline.get_stats().stage_stats["A"].retried)
    await settle()
    if way == "cancel":
        running.cancel()
    else:
        pipeline.request_stop()
    await asyncio.wait([running])
    last = tracker.get_status(0)
    assert last is not None
    reason = "the run was cancelled" if way == "cancel" else "the run was stopped"
    assert (last.status, last.metadata["error"]) == ("failed", reason)
    assert counts(pipeline) == {"dropped": 1}


async def test_what_ended_the_program_is_the_end_of_the_item_it_hit() -> None:
    async def leave(_: int) -> None:
        raise SystemExit(3)

    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [leave])], status_tracker=tracker)
    with pytest.raises(SystemExit):
        await pipeline.run([1])
    last = tracker.get_status(0)
    assert last is not None
    assert (last.status, last.metadata["error_type"]) == ("failed", "SystemExit")


@pytest.mark.parametrize("tasks", [1, 2])
async def test_the_time_of_an_item_that_is_cancelled_on_its_way_on_counts_once(tasks: int) -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [same] * tasks), Stage("B", 1, [gate], queue_capacity=1)])
    running = asyncio.create_task(pipeline.run(range(3)))
    await until(lambda: pipeline.get_stats().stage_stats["A"].completed_items == 3)
    await settle()
    before = pipeline.get_worker_metrics()["A-W0"].total_processing_time
    assert pipeline.cancel_item(2)
    await settle()
    assert pipeline.get_worker_metrics()["A-W0"].total_processing_time == before
    gate.opened.set()
    assert len(await running) == 2
