"""Another number of workers while a pipeline runs: who comes, who goes and when, and what is said of them."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from contextvars import ContextVar
from typing import Any

import pytest

from antflow_core import (
    Pipeline,
    Stage,
    StageValidationError,
    StatusTracker,
    WorkerMetrics,
    concurrency_limit,
    rate_limit,
)
from tests.support.gates import Gate, same, settle, until
from tests.support.messages import Expect


def names(pipeline: Pipeline) -> list[str]:
    """The workers there are, in the order they are told."""
    states, metrics = pipeline.get_worker_states(), pipeline.get_worker_metrics()
    assert list(states) == list(metrics)
    return list(states)


def busy(pipeline: Pipeline) -> list[str]:
    return [name for name, state in pipeline.get_worker_states().items() if state.status == "busy"]


def tasks_of(stage: str) -> list[str]:
    """The asyncio tasks of a stage's workers."""
    return sorted(task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith(f"{stage}-W"))


def workers(stage: str, count: int) -> list[str]:
    return [f"{stage}-W{number}" for number in range(count)]


async def test_further_workers_take_what_waits_at_once() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate]), Stage("B", 2, [same])])
    running = asyncio.create_task(pipeline.run(range(10)))
    await gate.wait_begun(1)
    pipeline.set_workers("A", 4)
    assert names(pipeline) == [*workers("A", 4), *workers("B", 2)]
    assert pipeline.get_worker_names() == {"A": workers("A", 4), "B": workers("B", 2)}
    assert pipeline.stages[0].workers == 4
    await gate.wait_begun(4)
    assert (busy(pipeline), tasks_of("A")) == (workers("A", 4), workers("A", 4))
    gate.open()
    assert len(await running) == 10
    assert names(pipeline) == [*workers("A", 4), *workers("B", 2)]


async def test_the_busy_ones_that_are_too_many_finish_first_and_go() -> None:
    gate, after = Gate(), Gate()
    after.open()
    pipeline = Pipeline([Stage("A", 4, [gate, after])])
    running = asyncio.create_task(pipeline.run(range(20)))
    await gate.wait_begun(4)
    pipeline.set_workers("A", 1)
    await settle()
    assert (names(pipeline), pipeline.get_worker_names()) == (workers("A", 4), {"A": ["A-W0"]})
    assert pipeline.get_stats().stage_stats["A"].in_progress_items == 4
    for _ in range(4):
        gate.let_one_go()
    await until(lambda: len(after.begun) == 4)
    await gate.wait_begun(5)
    assert (names(pipeline), tasks_of("A")) == (["A-W0"], ["A-W0"])
    assert pipeline.get_stats().stage_stats["A"].completed_items == 4
    gate.open()
    assert len(await running) == 20
    assert pipeline.get_stats().items_processed == 20
    assert pipeline.get_worker_metrics()["A-W0"].items_processed == 17


async def test_the_waiting_ones_go_at_once_and_those_with_the_highest_numbers() -> None:
    async with Pipeline([Stage("A", 1000, [same])]) as pipeline:
        await pipeline.start()
        await settle()
        pipeline.set_workers("A", 3)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (names(pipeline), tasks_of("A")) == (workers("A", 3), workers("A", 3))
        await pipeline.feed(range(50))
        await pipeline.join()
        assert len(pipeline.results) == 50


async def test_an_idle_one_that_was_just_handed_an_item_finishes_it() -> None:
    gate = Gate()
    async with Pipeline([Stage("A", 2, [gate])]) as pipeline:
        await pipeline.start()
        await settle()
        await pipeline.feed(range(3))
        pipeline.set_workers("A", 1)
        await gate.wait_begun(2)
        await settle()
        assert (gate.begun, names(pipeline)) == ([0, 1], workers("A", 2))
        gate.let_one_go()
        gate.let_one_go()
        await gate.wait_begun(3)
        assert names(pipeline) == ["A-W0"]
        gate.open()
        await pipeline.join()


async def test_fewer_and_more_at_once_keeps_everybody() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 3, [gate])])
    running = asyncio.create_task(pipeline.run(range(12)))
    await gate.wait_begun(3)
    before = {task for task in asyncio.all_tasks() if task.get_name().startswith("A-W")}
    for count in (1, 2, 1, 3):
        pipeline.set_workers("A", count)
    gate.let_one_go()
    await gate.wait_begun(4)
    assert {task for task in asyncio.all_tasks() if task.get_name().startswith("A-W")} == before
    gate.open()
    assert len(await running) == 12


async def test_fewer_and_more_of_idle_workers_keeps_everybody() -> None:
    async with Pipeline([Stage("A", 3, [same])]) as pipeline:
        await pipeline.start()
        await settle()
        pipeline.set_workers("A", 1)
        pipeline.set_workers("A", 4)
        await settle()
        assert (names(pipeline), tasks_of("A")) == (workers("A", 4), workers("A", 4))
        await pipeline.feed(range(20))
        await pipeline.join()
        assert len(pipeline.results) == 20


async def test_who_comes_back_goes_on_with_the_counts_of_the_name() -> None:
    def counts(metrics: dict[str, WorkerMetrics]) -> dict[str, int]:
        return {name: each.items_processed for name, each in metrics.items()}

    gate = Gate()
    async with Pipeline([Stage("A", 3, [gate])]) as pipeline:
        for total in (3, 6):
            pipeline.set_workers("A", 3)
            await pipeline.start() if total == 3 else None
            await settle()
            await pipeline.feed(range(3))
            await gate.wait_begun(total)
            for _ in range(3):
                gate.let_one_go()
            await pipeline.join()
            pipeline.set_workers("A", 1)
            await until(lambda: names(pipeline) == ["A-W0"])
            assert counts(pipeline.get_worker_metrics()) == {"A-W0": total // 3}
        assert pipeline.get_stats().stage_stats["A"].completed_items == 6
        pipeline.set_workers("A", 4)
        metrics = pipeline.get_worker_metrics()
        assert counts(metrics) == {"A-W0": 2, "A-W1": 2, "A-W2": 2, "A-W3": 0}
        assert (metrics["A-W2"].last_active is None, metrics["A-W3"].last_active) == (False, None)


async def test_the_tracker_tells_the_new_workers_by_their_names() -> None:
    gate, tracker = Gate(), StatusTracker()
    pipeline = Pipeline([Stage("A", 1, [gate])], status_tracker=tracker)
    running = asyncio.create_task(pipeline.run(range(3)))
    await gate.wait_begun(1)
    pipeline.set_workers("A", 3)
    await gate.wait_begun(3)
    gate.open()
    await running
    latest = [tracker.get_status(item) for item in range(3)]
    assert sorted(event.worker or "" for event in latest if event) == workers("A", 3)


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "must have at least 1 worker, got 0"),
        (-2, "must have at least 1 worker, got -2"),
        (2.5, "workers must be a whole number, got 2.5"),
        (True, "workers must be a whole number, got True"),
        (None, "workers must be a whole number, got None"),
    ],
)
async def test_a_wrong_number_is_refused_and_changes_nothing(count: Any, said: str) -> None:
    async with Pipeline([Stage("A", 2, [same])]) as pipeline:
        await pipeline.start()
        with pytest.raises(StageValidationError, match=f"Stage 'A' {said}"):
            pipeline.set_workers("A", count)
        assert (pipeline.stages[0].workers, names(pipeline)) == (2, workers("A", 2))


@pytest.mark.parametrize("stage", ["B", None, 0])
async def test_an_unknown_stage_is_refused(stage: Any) -> None:
    pipeline = Pipeline([Stage("A", 2, [same])])
    with pytest.raises(ValueError, match=r"not found in pipeline; there are \['A'\]"):
        pipeline.set_workers(stage, 1)


async def test_before_and_after_a_run_the_number_counts_for_the_next() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate])])
    pipeline.set_workers("A", 3)
    assert names(pipeline) == pipeline.get_worker_names()["A"] == workers("A", 3)
    await pipeline.feed(range(9))
    pipeline.set_workers("A", 2)
    assert names(pipeline) == workers("A", 2)
    await pipeline.start()
    await gate.wait_begun(2)
    await settle()
    assert (len(gate.begun), tasks_of("A")) == (2, workers("A", 2))
    gate.open()
    await pipeline.join()
    pipeline.set_workers("A", 1)
    assert names(pipeline) == ["A-W0"]
    await pipeline.run([1])
    assert (names(pipeline), pipeline.stages[0].workers) == (["A-W0"], 1)


async def test_a_stage_may_go_down_to_one_worker_while_all_are_busy_and_full() -> None:
    stages = [Stage("A", 5, [same], queue_capacity=1), Stage("B", 5, [Gate()], pull=True)]
    gate = stages[1].tasks[0]
    assert isinstance(gate, Gate)
    pipeline = Pipeline(stages)
    running = asyncio.create_task(pipeline.run(range(40)))
    await gate.wait_begun(5)
    await until(lambda: len(busy(pipeline)) == 10)
    for name in "AB":
        pipeline.set_workers(name, 1)
    await settle()
    assert len(busy(pipeline)) == 10  # those of A hold an item that waits for a worker of B
    gate.open()
    assert [r.value for r in await running] == list(range(40))
    assert names(pipeline) == ["A-W0", "B-W0"]


async def test_who_waits_to_try_again_does_so_before_it_goes() -> None:
    attempts: list[int] = []

    async def fail_once(value: int) -> int:
        attempts.append(value)
        if attempts.count(value) == 1:
            raise ValueError
        return value

    pipeline = Pipeline([Stage("A", 2, [fail_once], task_wait_seconds=0.01)])
    running = asyncio.create_task(pipeline.run([1, 2]))
    await until(lambda: len(attempts) == 2)
    pipeline.set_workers("A", 1)
    await settle()
    assert names(pipeline) == workers("A", 2)
    assert [r.value for r in await running] == [1, 2]
    assert names(pipeline) == ["A-W0"]


async def test_a_task_may_send_away_the_worker_that_runs_it() -> None:
    began: list[int] = []

    async def reduce(value: int) -> int:
        began.append(value)
        if len(began) == 3:
            pipeline.set_workers("A", 1)
        await asyncio.sleep(0)
        return value

    pipeline = Pipeline([Stage("A", 3, [reduce])])
    assert [r.value for r in await pipeline.run(range(20))] == list(range(20))
    assert names(pipeline) == ["A-W0"]


async def test_a_task_may_ask_for_more_workers_of_its_own_stage() -> None:
    gate = Gate()

    async def ask(value: int) -> int:
        if value == 0:
            pipeline.set_workers("A", 4)
        return int(await gate(value))

    pipeline = Pipeline([Stage("A", 1, [ask])])
    running = asyncio.create_task(pipeline.run(range(8)))
    await gate.wait_begun(4)
    gate.open()
    assert len(await running) == 8


async def test_a_new_worker_does_not_inherit_what_the_asking_task_has_set() -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")
    who.set("the starter")
    heard: set[str] = set()
    gate = Gate()

    async def ask(value: int) -> int:
        heard.add(who.get())
        who.set(f"item {value}")
        if value == 0:
            pipeline.set_workers("A", 3)
        await gate(value)
        return value

    pipeline = Pipeline([Stage("A", 1, [ask])])
    running = asyncio.create_task(pipeline.run(range(3)))
    await gate.wait_begun(3)
    gate.open()
    await running
    assert heard == {"the starter"}


async def test_an_ended_run_does_not_keep_what_was_set_where_it_was_started() -> None:
    class Heavy:
        pass

    heavy: ContextVar[Heavy | None] = ContextVar("heavy", default=None)

    async def start() -> weakref.ref[Heavy]:
        made = Heavy()
        heavy.set(made)
        await pipeline.run(range(3))
        return weakref.ref(made)

    pipeline = Pipeline([Stage("A", 2, [same])])
    reference = await asyncio.create_task(start())
    await settle()
    gc.collect()
    assert reference() is None


async def test_new_workers_share_the_limits_of_their_stage() -> None:
    inside = most = 0

    async def limited(value: int) -> int:
        nonlocal inside, most
        async with rate_limit(), concurrency_limit():
            inside += 1
            most = max(most, inside)
            await settle()
            inside -= 1
        return value

    stage = Stage("A", 1, [limited], call_concurrency=2, call_rate=1000)
    pipeline = Pipeline([stage])
    running = asyncio.create_task(pipeline.run(range(12)))
    await until(lambda: inside)
    pipeline.set_workers("A", 6)
    assert len(await running) == 12
    assert most == 2


async def test_functions_in_threads_get_a_thread_for_each_new_worker() -> None:
    release = threading.Event()
    inside: set[int] = set()

    def work(value: int) -> int:
        inside.add(threading.get_ident())
        release.wait()
        return value

    pipeline = Pipeline([Stage("A", 1, [work])])
    running = asyncio.create_task(pipeline.run(range(12)))
    await until(lambda: len(inside) == 1)
    pipeline.set_workers("A", 5)
    await until(lambda: len(inside) == 5)
    pipeline.set_workers("A", 2)
    release.set()
    assert len(await running) == 12
    assert names(pipeline) == workers("A", 2)
    assert len(inside) == 5


async def test_workers_may_come_and_go_while_it_is_paused() -> None:
    gate = Gate()
    async with Pipeline([Stage("A", 2, [gate]), Stage("B", 1, [same], pull=True)]) as pipeline:
        await pipeline.start()
        await settle()
        pipeline.pause()
        await pipeline.feed(range(8))
        pipeline.set_workers("A", 4)
        pipeline.set_workers("B", 2)
        await settle()
        assert (gate.begun, tasks_of("A")) == ([], workers("A", 4))
        pipeline.set_workers("A", 3)
        await settle()
        assert (tasks_of("A"), tasks_of("B")) == (workers("A", 3), workers("B", 2))
        pipeline.resume()
        await gate.wait_begun(3)
        await settle()
        assert gate.begun == [0, 1, 2]
        gate.open()
        await pipeline.join()
        assert len(pipeline.results) == 8


async def test_an_item_handed_over_before_a_pause_is_not_lost_with_the_worker_that_had_it() -> None:
    gate = Gate()
    async with Pipeline([Stage("A", 3, [gate])]) as pipeline:
        await pipeline.start()
        await settle()
        await pipeline.feed(range(3))
        pipeline.pause()
        pipeline.set_workers("A", 1)
        await settle()
        assert (names(pipeline), pipeline.get_stats().queue_sizes) == (["A-W0"], {"A": 3})
        gate.open()
        pipeline.resume()
        await pipeline.join()
        assert gate.begun == [0, 1, 2]


async def test_the_default_capacity_of_the_queue_follows() -> None:
    gate = Gate()
    async with Pipeline([Stage("A", 1, [gate])]) as pipeline:
        await pipeline.start()
        feeding = asyncio.create_task(pipeline.feed(range(100)))
        await gate.wait_begun(1)
        await settle()
        assert pipeline.get_stats().queue_sizes == {"A": 10}
        pipeline.set_workers("A", 3)
        await gate.wait_begun(3)
        await settle()
        assert pipeline.get_stats().queue_sizes == {"A": 30}
        pipeline.set_workers("A", 1)
        for _ in range(3):
            gate.let_one_go()
        await gate.wait_begun(4)
        await settle()
        assert (pipeline.get_stats().queue_sizes, feeding.done()) == ({"A": 29}, False)
        gate.open()
        await feeding
        await pipeline.join()
        assert len(pipeline.results) == 100


@pytest.mark.parametrize("feeders", [1, 4])
async def test_more_room_lets_in_as_many_as_wait_and_fit(feeders: int) -> None:
    async with Pipeline([Stage("A", 1, [same])]) as pipeline:
        await pipeline.start()
        pipeline.pause()
        feeding = [asyncio.create_task(pipeline.feed(range(50))) for _ in range(feeders)]
        await settle()
        pipeline.set_workers("A", 2)
        await settle()
        assert pipeline.get_stats().queue_sizes == {"A": 20}
        pipeline.resume()
        await asyncio.gather(*feeding)
        await pipeline.join()
        assert len(pipeline.results) == 50 * feeders


async def test_a_capacity_that_was_given_stays() -> None:
    gate = Gate()
    async with Pipeline([Stage("A", 1, [gate], queue_capacity=2)]) as pipeline:
        await pipeline.start()
        pipeline.pause()
        feeding = asyncio.create_task(pipeline.feed(range(9)))
        pipeline.set_workers("A", 4)
        await settle()
        assert pipeline.get_stats().queue_sizes == {"A": 2}
        gate.open()
        pipeline.resume()
        await feeding
        await pipeline.join()


async def test_a_pull_stage_with_more_workers_is_handed_more() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 3, [same]), Stage("B", 1, [gate], pull=True)])
    running = asyncio.create_task(pipeline.run(range(9)))
    await gate.wait_begun(1)
    await until(lambda: len(busy(pipeline)) == 4)
    pipeline.set_workers("B", 3)
    await gate.wait_begun(3)
    gate.open()
    assert len(await running) == 9


async def test_a_hand_over_to_a_worker_that_goes_waits_for_another() -> None:
    """The item of A was promised the only idle worker of B, which is sent away before it is handed over."""
    gate = Gate()
    first = Gate()
    async with Pipeline([Stage("A", 1, [first]), Stage("B", 2, [gate], pull=True)]) as pipeline:
        await pipeline.start()
        await pipeline.feed(range(2))
        first.let_one_go()
        await gate.wait_begun(1)
        assert busy(pipeline) == ["A-W0", "B-W0"]
        first.open()
        pipeline.set_workers("B", 1)
        await settle()
        assert (gate.begun, busy(pipeline)) == ([0], ["A-W0", "B-W0"])
        gate.open()
        await pipeline.join()
        assert gate.begun == [0, 1]


async def test_a_stop_while_workers_are_going_ends_all_of_them(expect_log: Expect) -> None:
    expect_log("discarded")
    gate = Gate()
    pipeline = Pipeline([Stage("A", 4, [gate])])
    running = asyncio.create_task(pipeline.run(range(30)))
    await gate.wait_begun(4)
    pipeline.set_workers("A", 2)
    pipeline.request_stop()
    pipeline.set_workers("A", 6)
    await settle()
    assert tasks_of("A") == workers("A", 4)
    gate.open()
    assert len(await running) == 4
    assert (names(pipeline), tasks_of("A")) == (workers("A", 6), [])
    assert len(await pipeline.run(range(30))) == 30


async def test_a_cancelled_run_ends_those_too_that_have_just_come_or_are_to_go() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 3, [gate]), Stage("B", 1, [same])])
    running = asyncio.create_task(pipeline.run(range(30)))
    await gate.wait_begun(3)
    pipeline.set_workers("A", 1)
    pipeline.set_workers("B", 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (names(pipeline), tasks_of("A"), tasks_of("B")) == (["A-W0", *workers("B", 5)], [], [])
    assert pipeline.get_stats().items_in_flight == 0


async def test_failed_items_are_tried_again_by_the_workers_there_are_now() -> None:
    failing = True
    gate = Gate()

    async def fail(value: int) -> Any:
        if failing:
            raise ValueError
        return await gate(value)

    pipeline = Pipeline([Stage("A", 3, [fail], task_attempts=1)])
    await pipeline.run(range(4))
    failing = False
    pipeline.set_workers("A", 2)
    retrying = asyncio.create_task(pipeline.retry_failed())
    await gate.wait_begun(2)
    await settle()
    assert (len(gate.begun), names(pipeline)) == (2, workers("A", 2))
    pipeline.set_workers("A", 4)
    await gate.wait_begun(4)
    gate.open()
    assert len(await retrying) == 4


async def test_the_numbers_agree_at_every_step_while_workers_come_and_go() -> None:
    def check() -> None:
        snapshot = pipeline.get_dashboard_snapshot()
        stats = snapshot.pipeline_stats
        in_hand = [state for state in snapshot.worker_states.values() if state.status == "busy"]
        in_progress = sum(stage.in_progress_items for stage in stats.stage_stats.values())
        assert len(in_hand) == in_progress
        assert stats.items_in_flight >= in_progress + sum(stats.queue_sizes.values())
        assert snapshot.worker_states.keys() == snapshot.worker_metrics.keys()
        assert set(snapshot.worker_states) >= set(pipeline.get_worker_names()["A"])
        processed = dict.fromkeys(stats.stage_stats, 0)
        for metrics in snapshot.worker_metrics.values():
            processed[metrics.stage] += metrics.items_processed
        assert all(processed[name] <= stage.completed_items for name, stage in stats.stage_stats.items())

    pipeline = Pipeline([Stage("A", 2, [same, settle_one]), Stage("B", 2, [settle_one], pull=True)])
    running = asyncio.create_task(pipeline.run(range(300)))
    steps = 0
    while not running.done():
        pipeline.set_workers("AB"[steps % 2], 1 + steps * 7 % 6)
        check()
        await asyncio.sleep(0)
        check()
        steps += 1
    assert [r.value for r in await running] == list(range(300))
    pipeline.set_workers("A", 6)
    pipeline.set_workers("B", 6)
    total = sum(metrics.items_processed for metrics in pipeline.get_worker_metrics().values())
    assert total == 600


async def settle_one(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def test_idle_workers_use_no_processor_time() -> None:
    async with Pipeline([Stage("A", 2, [same])]) as pipeline:
        await pipeline.start()
        pipeline.set_workers("A", 1000)
        await settle()
        before = time.process_time()
        await asyncio.sleep(0.3)  # nothing to wait for: that nothing happens is what is measured
        assert time.process_time() - before < 0.1
