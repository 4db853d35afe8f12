"""Pausing: workers finish what they have in hand and take nothing more, until it goes on or ends."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from antflow_core import Pipeline, PipelineError, Stage, StatusTracker
from antflow_core.context import observer_var
from tests.support.gates import Gate, same, settle, until
from tests.support.messages import Expect


def queued(pipeline: Pipeline) -> list[int]:
    """What waits before each stage."""
    return list(pipeline.get_stats().queue_sizes.values())


def busy(pipeline: Pipeline) -> list[str]:
    """The workers that have something in hand."""
    return [name for name, state in pipeline.get_worker_states().items() if state.status == "busy"]


async def test_what_is_in_hand_ends_its_stage_and_waits_before_the_next() -> None:
    first, second = Gate(), Gate()
    pipeline = Pipeline([Stage("A", 2, [first]), Stage("B", 2, [second])])
    running = asyncio.create_task(pipeline.run(range(6)))
    await first.wait_begun(2)
    pipeline.pause()
    assert pipeline.paused
    first.open()
    await settle()
    assert (first.begun, second.begun) == ([0, 1], [])
    assert (queued(pipeline), busy(pipeline)) == ([4, 2], [])
    assert pipeline.get_stats().items_in_flight == 6
    second.open()
    pipeline.resume()
    assert not pipeline.paused
    assert [r.value for r in await running] == list(range(6))


async def test_what_was_handed_over_and_not_begun_is_not_begun() -> None:
    gate = Gate()
    async with Pipeline([Stage("A", 2, [gate])]) as pipeline:
        await pipeline.start()
        await settle()
        await pipeline.feed(range(4))
        pipeline.pause()
        await pipeline.feed(["urgent"], priority=1)
        await settle()
        assert (gate.begun, queued(pipeline)) == ([], [5])
        pipeline.resume()
        await gate.wait_begun(2)
        gate.let_one_go()
        await gate.wait_begun(3)
        gate.open()
        await pipeline.join()
        assert gate.begun == [0, 1, "urgent", 2, 3]


async def test_a_pause_that_ends_at_once_changes_nothing() -> None:
    gate = Gate()
    async with Pipeline([Stage("A", 2, [gate])]) as pipeline:
        await pipeline.start()
        await settle()
        await pipeline.feed(range(3))
        pipeline.pause()
        pipeline.resume()
        await settle()
        assert (gate.begun, queued(pipeline)) == ([0, 1], [1])
        gate.open()
        await pipeline.join()
        assert gate.begun == [0, 1, 2]


async def test_pausing_and_resuming_twice_is_pausing_and_resuming_once() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate], queue_capacity=0)])
    running = asyncio.create_task(pipeline.run(range(3)))
    await gate.wait_begun(1)
    pipeline.resume()
    pipeline.pause()
    pipeline.pause()
    gate.open()
    await settle()
    assert (gate.begun, queued(pipeline)) == ([0], [2])
    pipeline.resume()
    pipeline.resume()
    assert len(await running) == 3


async def test_an_item_waiting_between_two_attempts_goes_on_with_the_next_one() -> None:
    attempts: list[int] = []

    async def fail_once(value: int) -> int:
        attempts.append(value)
        if len(attempts) == 1:
            raise ValueError
        return value

    stages = [Stage("A", 1, [fail_once], task_wait_seconds=0.001), Stage("B", 1, [same])]
    pipeline = Pipeline(stages)
    running = asyncio.create_task(pipeline.run([7, 8]))
    await until(lambda: attempts)
    pipeline.pause()
    await until(lambda: queued(pipeline)[1])
    await settle()
    assert (attempts, queued(pipeline)) == ([7, 7], [1, 1])
    pipeline.resume()
    assert [r.value for r in await running] == [7, 8]


async def test_an_item_put_back_for_another_attempt_waits_in_the_queue() -> None:
    attempts: list[int] = []

    async def fail_once(value: int) -> int:
        attempts.append(value)
        if len(attempts) == 1:
            raise ValueError
        return value

    pipeline = Pipeline([Stage("A", 2, [fail_once], retry="per_stage", task_wait=lambda _: 0.001)])
    running = asyncio.create_task(pipeline.run([7]))
    await until(lambda: attempts and not busy(pipeline))
    pipeline.pause()
    assert queued(pipeline) == [0]
    await until(lambda: queued(pipeline) == [1])
    await settle()
    assert (attempts, pipeline.get_stats().items_in_flight) == ([7], 1)
    pipeline.resume()
    assert [r.value for r in await running] == [7]


async def test_who_feeds_goes_on_until_the_queue_is_full_and_gets_in_afterwards() -> None:
    gate = Gate()
    async with Pipeline([Stage("A", 1, [gate], queue_capacity=3)]) as pipeline:
        await pipeline.start()
        pipeline.pause()
        feeding = [asyncio.create_task(pipeline.feed([n, n + 1])) for n in (0, 2, 4)]
        await settle()
        assert queued(pipeline) == [3]
        assert [task.done() for task in feeding] == [True, False, False]
        gate.open()
        pipeline.resume()
        await asyncio.gather(*feeding)
        await pipeline.join()
        assert sorted(r.value for r in pipeline.results) == list(range(6))


async def test_a_feed_that_is_cancelled_while_paused_leaves_the_queue_as_it_was() -> None:
    async with Pipeline([Stage("A", 1, [same], queue_capacity=1)]) as pipeline:
        await pipeline.start()
        pipeline.pause()
        await pipeline.feed([0])
        first, second = [asyncio.create_task(pipeline.feed([n])) for n in (1, 2)]
        await settle()
        first.cancel()
        await asyncio.wait([first])
        assert (queued(pipeline), pipeline.dropped_items) == ([1], 1)
        pipeline.resume()
        await second
        await pipeline.join()
        assert [r.value for r in pipeline.results] == [0, 2]


async def test_a_place_kept_for_an_item_whose_callback_is_awaited_is_filled_while_paused() -> None:
    reporting, go_on = asyncio.Event(), asyncio.Event()

    async def hold(event: Any) -> None:
        if event.status == "queued" and event.stage == "B":
            reporting.set()
            await go_on.wait()

    for pull in (False, True):
        reporting.clear()
        go_on.clear()
        begun = Gate()
        begun.open()
        stages = [Stage("A", 1, [same]), Stage("B", 1, [begun], pull=pull)]
        pipeline = Pipeline(stages, status_tracker=StatusTracker(hold))
        running = asyncio.create_task(pipeline.run([1]))
        await reporting.wait()
        pipeline.pause()
        go_on.set()
        await settle()
        assert (queued(pipeline), begun.begun) == ([0, 1], [])
        pipeline.resume()
        assert [r.value for r in await running] == [1]


async def test_nothing_is_handed_over_to_a_pull_stage() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 2, [same]), Stage("B", 2, [gate], pull=True)])
    running = asyncio.create_task(pipeline.run(range(8)))
    await gate.wait_begun(2)
    pipeline.pause()
    gate.let_one_go()
    gate.let_one_go()
    await settle()
    assert (len(gate.begun), busy(pipeline), queued(pipeline)) == (2, ["A-W0", "A-W1"], [4, 0])
    gate.open()
    pipeline.resume()
    assert [r.value for r in await running] == list(range(8))


async def test_a_pull_stage_held_at_once_after_it_asked_gets_its_item_later() -> None:
    """Who hands over was woken by the worker's wish, and finds the stage held when it is his turn."""
    gate = Gate()
    async with Pipeline([Stage("A", 1, [same]), Stage("B", 1, [gate], pull=True)]) as pipeline:
        await pipeline.start()
        await pipeline.feed(range(2))
        await gate.wait_begun(1)
        await until(lambda: busy(pipeline) == ["A-W0", "B-W0"])  # the second item waits for a worker
        gate.let_one_go()
        await until(lambda: pipeline.results)
        pipeline.pause()
        await settle()
        assert (gate.begun, busy(pipeline)) == ([0], ["A-W0"])
        gate.open()
        pipeline.resume()
        await pipeline.join()
        assert gate.begun == [0, 1]


async def test_a_stream_gives_what_was_in_hand_and_the_rest_after_the_pause() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 2, [gate])])
    stream = pipeline.stream(range(4))
    coming = asyncio.ensure_future(anext(stream))
    await gate.wait_begun(2)
    pipeline.pause()
    gate.open()
    seen = [(await coming).value, (await anext(stream)).value]
    coming = asyncio.ensure_future(anext(stream))
    await settle()
    assert (sorted(seen), gate.begun, coming.done()) == ([0, 1], [0, 1], False)
    pipeline.resume()
    seen.append((await coming).value)
    seen += [result.value async for result in stream]
    assert sorted(seen) == [0, 1, 2, 3]


async def test_a_stream_may_be_left_while_paused() -> None:
    pipeline = Pipeline([Stage("A", 2, [same])])
    stream = pipeline.stream(range(100), buffer_size=1)
    await anext(stream)
    pipeline.pause()
    await stream.aclose()
    assert (pipeline.paused, pipeline.get_stats().items_in_flight) == (False, 0)


async def test_join_waits_for_what_the_pause_keeps() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.start()
    pipeline.pause()
    await pipeline.feed([1, 2])
    joining = asyncio.create_task(pipeline.join())
    await settle()
    assert not joining.done()
    pipeline.resume()
    await joining
    assert [r.value for r in pipeline.results] == [1, 2]


async def test_a_run_that_has_nothing_left_ends_though_it_is_paused() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 2, [gate])])
    running = asyncio.create_task(pipeline.run([1, 2]))
    await gate.wait_begun(2)
    pipeline.pause()
    gate.open()
    assert [r.value for r in await running] == [1, 2]
    assert not pipeline.paused


async def test_a_fed_pipeline_may_be_paused_before_its_start() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate])])
    await pipeline.feed([1])
    pipeline.pause()
    await pipeline.start()
    await settle()
    assert (gate.begun, pipeline.paused) == ([], True)
    gate.open()
    pipeline.resume()
    await pipeline.join()
    assert gate.begun == [1]


async def test_a_new_run_is_not_paused(expect_log: Expect) -> None:
    expect_log("discarded 2")
    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.start()
    pipeline.pause()
    await pipeline.feed([1, 2])
    await pipeline.shutdown()
    assert not pipeline.paused
    assert [r.value for r in await pipeline.run([3])] == [3]


async def test_what_does_not_run_cannot_be_paused() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    for _ in range(2):
        with pytest.raises(PipelineError, match=r"not running; pause\(\)"):
            pipeline.pause()
        with pytest.raises(PipelineError, match=r"not running; resume\(\)"):
            pipeline.resume()
        assert not pipeline.paused
        await pipeline.run([1])


@pytest.mark.parametrize("way", ["shutdown", "request_stop", "exit"])
async def test_a_stop_ends_the_pause_and_what_is_in_hand_goes_all_the_way(
    way: str, expect_log: Expect
) -> None:
    expect_log("discarded 4")
    gate = Gate()
    pipeline = Pipeline([Stage("A", 2, [gate]), Stage("B", 1, [same]), Stage("C", 1, [same], pull=True)])
    async with pipeline:
        await pipeline.start()
        await pipeline.feed(range(5))
        await gate.wait_begun(2)
        pipeline.pause()
        gate.let_one_go()
        await until(lambda: queued(pipeline)[1])
        if way == "shutdown":
            ending = asyncio.create_task(pipeline.shutdown())
            await settle()
            assert (ending.done(), pipeline.paused) == (False, False)
            gate.open()
            await ending
        elif way == "request_stop":
            pipeline.request_stop()
        gate.open()
    assert [r.value for r in pipeline.results] == [1]
    assert (pipeline.dropped_items, pipeline.get_stats().items_in_flight) == (4, 0)


async def test_a_stop_lets_an_item_through_that_waits_for_a_pull_stage(expect_log: Expect) -> None:
    expect_log("discarded")
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate]), Stage("B", 1, [same], pull=True)])
    running = asyncio.create_task(pipeline.run(range(5)))
    await gate.wait_begun(1)
    pipeline.pause()
    gate.open()
    await settle()
    assert busy(pipeline) == ["A-W0"]
    pipeline.request_stop()
    assert [r.value for r in await running] == [0]


async def test_a_stop_lets_a_feed_return_that_waits_for_room(expect_log: Expect) -> None:
    expect_log("discarded 1")
    pipeline = Pipeline([Stage("A", 1, [same], queue_capacity=1)])
    await pipeline.start()
    pipeline.pause()
    feeding = asyncio.create_task(pipeline.feed(range(5)))
    await settle()
    pipeline.request_stop()
    await feeding
    await pipeline.shutdown()
    assert (pipeline.dropped_items, pipeline.results) == (2, [])


async def test_while_it_stops_there_is_no_pause() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 1, [gate]), Stage("B", 1, [same])])
    await pipeline.start()
    await pipeline.feed([1])
    await gate.wait_begun(1)
    pipeline.request_stop()
    pipeline.pause()
    assert not pipeline.paused
    pipeline.resume()
    gate.open()
    await pipeline.shutdown()
    assert [r.value for r in pipeline.results] == [1]


async def test_cancelling_a_paused_run_ends_it_at_once() -> None:
    gate = Gate()
    pipeline = Pipeline([Stage("A", 2, [gate])])
    running = asyncio.create_task(pipeline.run(range(100)))
    await gate.wait_begun(2)
    pipeline.pause()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (pipeline.paused, pipeline.get_stats().items_in_flight) == (False, 0)


async def test_an_item_may_be_cancelled_out_of_a_paused_queue() -> None:
    async with Pipeline([Stage("A", 1, [same], queue_capacity=2)]) as pipeline:
        await pipeline.start()
        await settle()
        await pipeline.feed([0])
        pipeline.pause()
        feeding = asyncio.create_task(pipeline.feed([1, 2]))
        await settle()
        assert pipeline.cancel_item(0)
        await feeding
        assert queued(pipeline) == [2]
        pipeline.resume()
        await pipeline.join()
        assert [r.value for r in pipeline.results] == [1, 2]


async def test_failed_items_go_again_after_the_pause() -> None:
    failing = True

    async def fail(value: int) -> int:
        if failing:
            raise ValueError
        return value

    async with Pipeline([Stage("A", 1, [fail], task_attempts=1)]) as pipeline:
        await pipeline.feed([1, 2])
        await pipeline.join()
        failing = False
        pipeline.pause()
        retrying = asyncio.create_task(pipeline.retry_failed())
        await settle()
        assert (retrying.done(), queued(pipeline)) == (False, [2])
        pipeline.resume()
        assert [r.value for r in await retrying] == [1, 2]


async def test_a_task_may_pause_its_own_pipeline() -> None:
    async def pause_at_two(value: int) -> int:
        if value == 2:
            pipeline.pause()
        return value

    pipeline = Pipeline([Stage("A", 1, [pause_at_two]), Stage("B", 1, [same])])
    running = asyncio.create_task(pipeline.run(range(6)))
    await until(lambda: pipeline.paused)
    await settle()
    assert queued(pipeline)[0] == 3
    assert pipeline.get_stats().items_in_flight >= 4
    pipeline.resume()
    assert [r.value for r in await running] == list(range(6))


async def test_a_callback_may_pause_and_a_task_in_hand_may_resume() -> None:
    begun: list[int] = []

    async def resume_later(value: int) -> int:
        begun.append(value)
        await until(lambda: 1 in begun)
        if value == 1:
            await until(lambda: pipeline.paused)
            await settle()
            assert 2 not in begun
            pipeline.resume()
        return value

    def pause_after(item_id: int, *_: Any) -> None:
        if item_id == 0:
            pipeline.pause()

    pipeline = Pipeline([Stage("A", 2, [resume_later], on_success=pause_after)])
    assert [r.value for r in await pipeline.run(range(4))] == [0, 1, 2, 3]


async def test_a_function_in_a_thread_is_finished_first() -> None:
    release = threading.Event()
    begun: list[int] = []

    def work(value: int) -> int:
        begun.append(value)
        release.wait()
        return value

    pipeline = Pipeline([Stage("A", 2, [work])])
    running = asyncio.create_task(pipeline.run(range(4)))
    await until(lambda: len(begun) == 2)
    pipeline.pause()
    release.set()
    await until(lambda: not busy(pipeline))
    await settle()
    assert (sorted(begun), queued(pipeline)) == ([0, 1], [2])
    pipeline.resume()
    assert len(await running) == 4


async def test_what_a_task_feeds_while_paused_waits_past_the_capacity() -> None:
    gate = Gate()

    async def split(value: int) -> int:
        await gate(value)
        if value < 10:
            await pipeline.feed([value + 10, value + 20, value + 30])
        return value

    pipeline = Pipeline([Stage("A", 1, [split], queue_capacity=1)])
    running = asyncio.create_task(pipeline.run([1]))
    await gate.wait_begun(1)
    pipeline.pause()
    gate.open()
    await until(lambda: not busy(pipeline))
    assert queued(pipeline) == [3]
    pipeline.resume()
    assert len(await running) == 4


async def test_more_urgent_items_that_come_in_a_pause_go_first_after_it() -> None:
    gate = Gate()
    async with Pipeline([Stage("A", 1, [gate])]) as pipeline:
        await pipeline.start()
        pipeline.pause()
        await pipeline.feed(["late"], priority=200)
        await pipeline.feed(["usual", "usual too"])
        await pipeline.feed(["first"], priority=1)
        gate.open()
        pipeline.resume()
        await pipeline.join()
        assert gate.begun == ["first", "usual", "usual too", "late"]


async def test_an_observer_may_let_a_pipeline_begin_paused() -> None:
    class Host:
        def pipeline_starting(self, pipeline: Pipeline) -> None:
            pipeline.pause()

        def pipeline_ended(self, pipeline: Pipeline) -> None:
            assert not pipeline.paused

    gate = Gate()
    gate.open()
    token = observer_var.set(Host())
    try:
        pipeline = Pipeline([Stage("A", 1, [gate])])
        running = asyncio.create_task(pipeline.run([1]))
        await until(lambda: pipeline.paused)
        await settle()
        assert gate.begun == []
        pipeline.resume()
        assert len(await running) == 1
    finally:
        observer_var.reset(token)


async def test_a_paused_pipeline_with_a_thousand_workers_uses_no_processor_time() -> None:
    async with Pipeline([Stage("A", 1000, [same])]) as pipeline:
        await pipeline.start()
        await settle()
        pipeline.pause()
        await pipeline.feed(range(100))
        await settle()
        before = time.process_time()
        await asyncio.sleep(0.3)  # nothing to wait for: that nothing happens is what is measured
        assert time.process_time() - before < 0.1
        pipeline.resume()
        await pipeline.join()
        assert len(pipeline.results) == 100
