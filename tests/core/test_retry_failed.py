"""Retrying failed items: from the stage that failed, while the pipeline runs and after its end."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from antflow_core import (
    AntFlowError,
    Pipeline,
    PipelineError,
    PipelineResult,
    Stage,
    StatusEvent,
    StatusTracker,
    TaskFailedError,
)
from antflow_core.context import observer_var
from tests.support.ends import counts


async def same(value: Any) -> Any:
    return value


class Picky:
    """A task that refuses some values until it is told to take them, and counts its calls."""

    def __init__(self, *refused: Any, error: type[BaseException] = ValueError) -> None:
        self.refused = set(refused)
        self.error = error
        self.calls: list[Any] = []

    async def __call__(self, value: Any) -> Any:
        self.calls.append(value)
        await asyncio.sleep(0)
        if value in self.refused:
            raise self.error(f"refused {value}")
        return value


class Gate:
    """A task that waits until it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.entered: list[Any] = []

    async def __call__(self, value: Any) -> Any:
        self.entered.append(value)
        await self.opened.wait()
        return value


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def values(results: list[PipelineResult]) -> list[Any]:
    return [result.value for result in results]


def failed_ids(pipeline: Pipeline) -> list[Any]:
    return [item.item_id for item in pipeline.get_error_summary().failed_items]


def stage(name: str, *tasks: Any, workers: int = 1, **fields: Any) -> Stage:
    """A stage that attempts once."""
    return Stage(name, workers, list(tasks), **{"task_attempts": 1, "stage_attempts": 1} | fields)


# After the end


async def test_failed_items_go_again_from_the_stage_that_failed_with_the_value_they_had_there() -> None:
    async def double(value: int) -> int:
        first.append(value)
        return value * 2

    first: list[int] = []
    picky, tracker = Picky(2, 6), StatusTracker()
    stages = [stage("A", double), stage("B", same, picky), stage("C", same)]
    pipeline = Pipeline(stages, status_tracker=tracker)
    assert values(await pipeline.run([1, 2, 3])) == [4]
    number = pipeline.run_number
    picky.refused = set()

    results = await pipeline.retry_failed()

    assert [(r.id, r.value, r.sequence_id) for r in results] == [(0, 2, 0), (2, 6, 2)]
    assert values(pipeline.results) == [2, 4, 6]
    assert first == [1, 2, 3]
    assert counts(pipeline) == {"processed": 3}
    assert pipeline.run_number == number
    assert str(pipeline.get_error_summary()) == "No errors occurred"
    history = [(event.stage, event.status) for event in tracker.get_history(0)]
    assert history == [
        ("A", "queued"),
        ("A", "in_progress"),
        ("A", "completed"),
        ("B", "queued"),
        ("B", "in_progress"),
        ("B", "failed"),
        ("B", "queued"),
        ("B", "in_progress"),
        ("B", "completed"),
        ("C", "queued"),
        ("C", "in_progress"),
        ("C", "completed"),
    ]
    assert (tracker.get_stats()["completed"], len(tracker.log.runs)) == (3, 1)
    stats = pipeline.get_stats().stage_stats
    assert [(s.completed_items, s.failed_items) for s in stats.values()] == [(3, 0), (3, 0), (3, 0)]
    metrics = pipeline.get_worker_metrics()
    assert [(m.items_processed, m.items_failed) for m in metrics.values()] == [(3, 0), (3, 2), (3, 0)]
    assert await pipeline.retry_failed() == []


async def test_what_fails_again_is_failed_again() -> None:
    picky = Picky(1, 2)
    pipeline = Pipeline([stage("A", picky, task_attempts=2, task_wait_seconds=0)])
    await pipeline.run(range(4))
    picky.refused = {2}
    assert values(await pipeline.retry_failed()) == [1]
    assert (failed_ids(pipeline), counts(pipeline)) == ([2], {"processed": 3, "failed": 1})
    assert pipeline.get_error_summary().failed_items[0].attempts == 2
    assert picky.calls.count(2) == 4
    assert values(await pipeline.retry_failed()) == []
    picky.refused = set()
    assert values(await pipeline.retry_failed()) == [2]
    assert values(pipeline.results) == [0, 1, 2, 3]


async def test_per_stage_attempts_are_counted_from_1_again() -> None:
    picky = Picky(1)
    pipeline = Pipeline([stage("A", same, picky, retry="per_stage", stage_attempts=3)])
    await pipeline.run([1])
    assert await pipeline.retry_failed() == []
    assert picky.calls == [1] * 6
    (failed,) = pipeline.get_error_summary().failed_items
    assert failed.attempts == 3


async def test_id_payload_and_metadata_go_along() -> None:
    picky = Picky(1)
    told: list[Any] = []
    first = stage("A", picky, on_success=lambda item_id, value, payload: told.append((item_id, payload)))
    pipeline = Pipeline([first])
    await pipeline.run([{"id": "x", "value": 1, "colour": "red"}])
    picky.refused = set()
    (result,) = await pipeline.retry_failed()
    assert (result.id, result.value, result.metadata) == ("x", 1, {"colour": "red"})
    assert told[0][0] == "x"
    assert told[0][1]["colour"] == "red"


async def test_the_next_run_begins_anew() -> None:
    picky = Picky(1)
    pipeline = Pipeline([stage("A", picky)], status_tracker=StatusTracker())
    await pipeline.run([1])
    picky.refused = set()
    await pipeline.retry_failed()
    assert values(await pipeline.run([5])) == [5]
    assert (counts(pipeline), pipeline.run_number) == ({"processed": 1}, 2)


@pytest.mark.parametrize("way", ["join", "async with", "shutdown", "stream", "cancel"])
async def test_however_the_run_has_ended(way: str) -> None:
    picky = Picky(1)
    pipeline = Pipeline([stage("A", picky)])
    if way == "join":
        await pipeline.start()
        await pipeline.feed([0, 1])
        await pipeline.join()
    elif way in ("async with", "shutdown"):
        async with pipeline:
            await pipeline.start()
            await pipeline.feed([0, 1])
            await pipeline.join()
            if way == "shutdown":
                await pipeline.shutdown()
    elif way == "stream":
        assert len([r async for r in pipeline.stream([0, 1])]) == 2
    else:
        running = asyncio.create_task(pipeline.run(Unending([0, 1])))
        await until(lambda: pipeline.get_stats().items_failed)
        running.cancel()
        await asyncio.wait([running])
    picky.refused = set()
    assert values(await pipeline.retry_failed()) == [1]
    assert counts(pipeline) == {"processed": 2}
    assert values(pipeline.results) == ([0, 1] if way != "stream" else [])  # a stream gives them away


class Unending:
    """Items after which nothing comes, and no end."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    async def __aiter__(self) -> Any:
        for item in self.items:
            yield item
        await asyncio.Event().wait()


async def test_batches_after_a_join_go_on_adding_to_the_results() -> None:
    picky = Picky(1)
    pipeline = Pipeline([stage("A", picky)])
    await pipeline.start()
    await pipeline.feed([0, 1])
    await pipeline.join()
    picky.refused = set()
    await pipeline.retry_failed()
    await pipeline.feed([2])
    await pipeline.join()
    assert values(pipeline.results) == [0, 1, 2]
    await pipeline.shutdown()


async def test_what_is_failed_of_a_dropped_run_can_go_again(expect_log: Any) -> None:
    expect_log("discarded")
    picky, gate = Picky(1), Gate()
    pipeline = Pipeline([stage("A", picky), stage("B", gate)])
    running = asyncio.create_task(pipeline.run(range(5)))
    await until(lambda: pipeline.get_stats().items_failed and gate.entered)
    pipeline.request_stop()
    gate.opened.set()
    await running
    before = counts(pipeline)
    picky.refused = set()
    assert values(await pipeline.retry_failed()) == [1]
    assert before.pop("failed") == 1
    assert counts(pipeline) == before | {"processed": before["processed"] + 1}


async def test_nothing_failed_starts_nothing() -> None:
    observer = Host()
    token = observer_var.set(observer)
    try:
        pipeline = Pipeline([stage("A", same)])
        assert await pipeline.retry_failed() == []
        await pipeline.run([1])
        assert await pipeline.retry_failed() == []
    finally:
        observer_var.reset(token)
    assert observer.seen == ["start None", "end 1"]


class Host:
    """An observer that notes what it is told."""

    def __init__(self, tracker: StatusTracker | None = None) -> None:
        self.tracker = tracker
        self.stops = False
        self.seen: list[str] = []

    def pipeline_starting(self, pipeline: Pipeline) -> StatusTracker | None:
        self.seen.append(f"start {pipeline.run_number}")
        if self.stops:
            pipeline.request_stop()
        return self.tracker

    def pipeline_ended(self, pipeline: Pipeline) -> None:
        self.seen.append(f"end {pipeline.get_stats().items_processed}")


async def test_the_observer_of_the_run_is_told_that_it_goes_on() -> None:
    host, picky = Host(StatusTracker()), Picky(1)
    token = observer_var.set(host)
    try:
        pipeline = Pipeline([stage("A", picky)])
        await pipeline.run([0, 1])
    finally:
        observer_var.reset(token)
    picky.refused = set()
    assert values(await pipeline.retry_failed()) == [1]
    assert host.seen == ["start None", "end 1", "start 1", "end 2"]
    assert pipeline.status_tracker is host.tracker


async def test_an_observer_may_stop_what_goes_on_before_it_begins() -> None:
    host, picky = Host(), Picky(1)
    token = observer_var.set(host)
    try:
        pipeline = Pipeline([stage("A", picky)])
        await pipeline.run([0, 1])
        host.stops = True
        assert await pipeline.retry_failed() == []
    finally:
        observer_var.reset(token)
    assert counts(pipeline) == {"processed": 1, "failed": 1}
    assert picky.calls == [0, 1]


async def test_the_trackers_run_is_open_again_until_the_end() -> None:
    tracker, picky, gate = StatusTracker(), Picky(1), Gate()
    pipeline = Pipeline([stage("A", picky), stage("B", gate)], status_tracker=tracker)
    await pipeline.run([1])
    assert tracker.log.run_record(1).ended_at is not None
    picky.refused = set()
    retrying = asyncio.create_task(pipeline.retry_failed())
    await until(lambda: gate.entered)
    assert tracker.log.run_record(1).ended_at is None
    gate.opened.set()
    await retrying
    assert tracker.log.run_record(1).ended_at is not None


async def test_later_numbers_of_workers_hold() -> None:
    picky, gate = Picky(*range(4)), Gate()
    pipeline = Pipeline([stage("A", picky, gate)])
    await pipeline.run(range(4))
    picky.refused = set()
    pipeline.set_workers("A", 3)
    retrying = asyncio.create_task(pipeline.retry_failed())
    await until(lambda: len(gate.entered) == 3)
    assert [state.status for state in pipeline.get_worker_states().values()] == ["busy"] * 3
    gate.opened.set()
    assert values(await retrying) == [0, 1, 2, 3]


async def test_results_are_returned_also_where_none_are_collected() -> None:
    picky = Picky(1)
    pipeline = Pipeline([stage("A", picky)], collect_results=False)
    await pipeline.run([1])
    picky.refused = set()
    assert values(await pipeline.retry_failed()) == [1]
    assert pipeline.results == []


async def test_other_stages_than_those_of_the_run_are_refused() -> None:
    pipeline = Pipeline([stage("A", Picky(1))])
    await pipeline.run([1])
    pipeline.stages.append(stage("B", same))
    with pytest.raises(PipelineError, match=r"belong to the stages \['A'\]; the pipeline has \['A', 'B'\]"):
        await pipeline.retry_failed()
    assert failed_ids(pipeline) == [0]


async def test_what_ends_a_program_ends_the_retry() -> None:
    picky = Picky(1, 2)
    pipeline = Pipeline([stage("A", picky)])
    await pipeline.run([1, 2])
    picky.error = SystemExit
    with pytest.raises(SystemExit):
        await pipeline.retry_failed()
    assert pipeline.get_stats().items_in_flight == 0
    assert len(await pipeline.run([5])) == 1


async def test_who_starts_the_pipeline_again_meanwhile_waits_for_the_end() -> None:
    picky, gate = Picky(1), Gate()
    pipeline = Pipeline([stage("A", picky), stage("B", gate)])
    gate.opened.set()
    await pipeline.run([0, 1])
    gate.opened.clear()
    picky.refused = set()
    retrying = asyncio.create_task(pipeline.retry_failed())
    await until(lambda: gate.entered == [0, 1])
    running = asyncio.create_task(pipeline.run([7]))
    feeding = asyncio.create_task(pipeline.feed([8]))
    await settle()
    assert not (running.done() or feeding.done())
    gate.opened.set()
    assert values(await retrying) == [1]
    await feeding
    assert 7 in values(await running)


async def test_a_task_may_not_start_the_pipeline_that_goes_on_for_it() -> None:
    complaints: list[str] = []

    async def again(value: int) -> int:
        if picky.refused:
            await picky(value)
        for start in (pipeline.start(), pipeline.run([1])):
            try:
                await start
            except PipelineError as error:
                complaints.append(str(error))
        return value

    picky = Picky(1)
    pipeline = Pipeline([stage("A", again)])
    await pipeline.run([1])
    picky.refused = set()
    assert values(await pipeline.retry_failed()) == [1]
    assert len(complaints) == 2
    assert all(complaint.startswith("Pipeline is already running, and") for complaint in complaints)


# Which items


class NarrowError(ValueError):
    """A kind of ValueError."""


async def pipeline_with_failures() -> tuple[Pipeline, set[Any]]:
    """Items 0 to 5 that failed: even ones in A, odd ones in B, each with an error of its own."""
    errors: dict[int, type[Exception]] = {
        0: ValueError,
        1: ValueError,
        2: NarrowError,
        3: NarrowError,
        4: KeyError,
        5: KeyError,
    }
    refused: set[Any] = set(errors)

    async def pick(value: int) -> int:
        if value in refused and value % 2 == 0:
            raise errors[value]
        return value

    async def pick_odd(value: int) -> int:
        if value in refused:
            raise errors[value]
        return value

    pipeline = Pipeline([stage("A", pick), stage("B", pick_odd)])
    await pipeline.run(range(6))
    assert counts(pipeline) == {"failed": 6}
    return pipeline, refused


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"stage": "A"}, [0, 2, 4]),
        ({"error_type": ValueError}, [0, 1, 2, 3]),
        ({"error_type": NarrowError}, [2, 3]),
        ({"error_type": Exception}, [0, 1, 2, 3, 4, 5]),
        ({"error_type": "ValueError"}, [0, 1]),
        ({"error_type": ("NarrowError", KeyError)}, [2, 3, 4, 5]),
        ({"error_type": ["NarrowError"]}, [2, 3]),
        ({"error_type": "LookupError"}, []),
        ({"error_type": LookupError}, [4, 5]),
        ({"error_type": []}, []),
        ({"ids": [5, 0, 9]}, [0, 5]),
        ({"ids": {0: "first", 1: "second"}}, [0, 1]),
        ({"ids": {1.0}}, [1]),
        ({"ids": []}, []),
        ({"stage": "B", "error_type": ValueError, "ids": range(2)}, [1]),
    ],
)
async def test_only_what_fits_all_that_is_given_goes_again(choice: dict[str, Any], chosen: list[int]) -> None:
    pipeline, refused = await pipeline_with_failures()
    refused.clear()
    assert values(await pipeline.retry_failed(**choice)) == chosen
    # Those of A failed before those of B, and what stays keeps its place.
    assert failed_ids(pipeline) == [n for n in (0, 2, 4, 1, 3, 5) if n not in chosen]


async def test_ids_that_cannot_be_hashed_are_compared() -> None:
    picky = Picky(1)
    pipeline = Pipeline([stage("A", picky)])
    await pipeline.run([{"id": item_id, "value": 1} for item_id in ([1], {2}, (3, [4]), 5)])
    picky.refused = set()
    results = await pipeline.retry_failed(ids=[[1], frozenset({2}), 5])
    assert [r.id for r in results] == [[1], {2}, 5]
    assert [r.id for r in await pipeline.retry_failed(ids=[[3], (3, [4])])] == [(3, [4])]


async def test_wrong_choices_are_named() -> None:
    pipeline, _ = await pipeline_with_failures()
    with pytest.raises(ValueError, match=r"Stage 'C' not found in pipeline; there are \['A', 'B'\]"):
        await pipeline.retry_failed(stage="C")
    wrong: Any
    for wrong in (3, int, [ValueError, 3], ValueError()):
        with pytest.raises(TypeError, match="error_type must be an exception class, its name, or a list"):
            await pipeline.retry_failed(error_type=wrong)
    for wrong in ("abc", 7, b"abc"):
        with pytest.raises(TypeError, match="ids must be a list or another iterable of item ids, got"):
            await pipeline.retry_failed(ids=wrong)
    assert counts(pipeline) == {"failed": 6}


async def test_items_of_one_id_go_all() -> None:
    picky = Picky(1)
    pipeline = Pipeline([stage("A", picky)])
    await pipeline.run([{"id": "twice", "value": 1}] * 2)
    picky.refused = set()
    assert len(await pipeline.retry_failed(ids=["twice"])) == 2


# While the pipeline runs


async def test_the_run_waits_for_them_and_has_them_in_place() -> None:
    picky, gate = Picky(1), Gate()
    pipeline = Pipeline([stage("A", picky), stage("B", gate, workers=3)])
    running = asyncio.create_task(pipeline.run([0, 1, 2]))
    await until(lambda: sorted(gate.entered) == [0, 2])
    picky.refused = set()
    retrying = asyncio.create_task(pipeline.retry_failed())
    await settle()
    assert counts(pipeline) == {"in flight": 3}
    assert not (running.done() or retrying.done())
    gate.opened.set()
    assert values(await running) == [0, 1, 2]
    assert values(await retrying) == [1]
    assert counts(pipeline) == {"processed": 3}


async def test_it_returns_when_they_are_through_whatever_else_runs() -> None:
    picky, gate = Picky(1), Gate()

    async def hold(value: int) -> int:
        return value if value == 1 else await gate(value)

    pipeline = Pipeline([stage("A", picky), stage("B", hold, workers=2)])
    running = asyncio.create_task(pipeline.run([0, 1]))
    await until(lambda: gate.entered and pipeline.get_stats().items_failed)
    picky.refused = set()
    assert values(await pipeline.retry_failed()) == [1]
    assert counts(pipeline) == {"processed": 1, "in flight": 1}
    gate.opened.set()
    assert values(await running) == [0, 1]


async def test_join_waits_for_them_inside_async_with() -> None:
    picky, gate = Picky(1), Gate()
    async with Pipeline([stage("A", picky), stage("B", gate)]) as pipeline:
        await pipeline.start()
        await pipeline.feed([1])
        await pipeline.join()
        picky.refused = set()
        retrying = asyncio.create_task(pipeline.retry_failed())
        await until(lambda: gate.entered)
        joining = asyncio.create_task(pipeline.join())
        await settle()
        assert not joining.done()
        gate.opened.set()
        await joining
        assert values(await retrying) == [1]


async def test_they_wait_for_room_like_what_is_fed() -> None:
    picky, gate = Picky(*range(5)), Gate()
    pipeline = Pipeline([stage("A", picky, gate, queue_capacity=1)])
    async with pipeline:
        await pipeline.start()
        await pipeline.feed(range(5))
        await pipeline.join()
        picky.refused = set()
        retrying = asyncio.create_task(pipeline.retry_failed())
        await until(lambda: gate.entered)
        await settle()
        assert pipeline.get_stats().queue_sizes == {"A": 1}
        assert counts(pipeline) == {"in flight": 5}
        gate.opened.set()
        assert values(await retrying) == [0, 1, 2, 3, 4]


async def test_two_who_ask_get_what_is_failed_then() -> None:
    picky, gate = Picky(1, 2), Gate()
    pipeline = Pipeline([stage("A", picky, workers=2), stage("B", gate)])
    await pipeline.run([1, 2])
    picky.refused = set()
    first = asyncio.create_task(pipeline.retry_failed(ids=[1]))
    await until(lambda: gate.entered)
    second, third = (asyncio.create_task(pipeline.retry_failed()) for _ in range(2))
    await settle()
    assert third.done()
    gate.opened.set()
    assert (values(await first), values(await second), await third) == ([2], [1], [])


async def test_a_paused_pipeline_lets_them_wait() -> None:
    picky = Picky(1)
    async with Pipeline([stage("A", picky)]) as pipeline:
        await pipeline.start()
        await pipeline.feed([1])
        await pipeline.join()
        picky.refused = set()
        pipeline.pause()
        retrying = asyncio.create_task(pipeline.retry_failed())
        await settle()
        assert counts(pipeline) == {"in flight": 1}
        pipeline.resume()
        assert values(await retrying) == [1]


async def test_a_stream_gives_the_failure_and_then_the_result() -> None:
    picky, gate = Picky(1), Gate()
    pipeline = Pipeline([stage("A", picky, workers=2), stage("B", gate)])
    stream = pipeline.stream([0, 1], buffer_size=1)
    failure = await anext(stream)
    assert (failure.id, failure.is_success) == (1, False)
    picky.refused = set()
    retrying = asyncio.create_task(pipeline.retry_failed())
    await settle()
    gate.opened.set()
    rest = [result async for result in stream]
    assert sorted((r.id, r.is_success) for r in rest) == [(0, True), (1, True)]
    assert values(await retrying) == [1]


async def test_callbacks_are_told_as_for_any_other_item() -> None:
    told: list[tuple[Any, str]] = []

    async def tell(event: StatusEvent) -> None:
        await asyncio.sleep(0)
        told.append((event.stage, event.status))

    picky = Picky(1)
    pipeline = Pipeline([stage("A", picky)], status_tracker=StatusTracker(tell))
    await pipeline.run([1])
    told.clear()
    picky.refused = set()
    assert values(await pipeline.retry_failed()) == [1]
    assert told == [("A", "queued"), ("A", "in_progress"), ("A", "completed")]


# Inside a task


async def test_a_task_may_wait_for_them_where_another_worker_takes_them() -> None:
    async def work(value: int) -> int:
        if value == 5:
            await until(lambda: pipeline.get_stats().items_failed)
            picky.refused = set()
            assert values(await pipeline.retry_failed()) == [1]
        await picky(value)
        return value

    picky = Picky(1)
    pipeline = Pipeline([stage("A", work, workers=2, queue_capacity=1)])
    assert values(await pipeline.run([1, 2, 3, 4, 5])) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_task_that_would_wait_for_itself_is_told_so(wrapped: bool) -> None:
    async def work(value: int) -> int:
        if value == 2:
            waiting = pipeline.retry_failed()
            await (asyncio.wait_for(waiting, 10) if wrapped else waiting)
        await picky(value)
        return value

    picky = Picky(1)
    pipeline = Pipeline([stage("A", same), stage("B", work)])
    await pipeline.run([1, 2])
    first, second = pipeline.get_error_summary().failed_items
    assert (first.item_id, second.error_type) == (0, "PipelineError")
    assert (
        "retry_failed() in a task of stage 'B' would wait for itself: no worker of stage 'B'" in second.error
    )
    assert counts(pipeline) == {"failed": 2}


async def test_the_last_worker_that_would_wait_is_told_so() -> None:
    gate = Gate()
    complaints: list[tuple[int, str]] = []

    async def work(value: int) -> int:
        if value in (3, 4):
            await gate(value)
            try:
                await pipeline.retry_failed(ids=[value - 3])
            except PipelineError as error:
                complaints.append((value, str(error)))
        await picky(value)
        return value

    picky = Picky(0, 1)
    pipeline = Pipeline([stage("A", work, workers=2)])
    running = asyncio.create_task(pipeline.run(range(5)))
    await until(lambda: len(gate.entered) == 2)
    picky.refused = set()
    gate.opened.set()
    assert values(await running) in ([0, 2, 3, 4], [1, 2, 3, 4])
    assert len(complaints) == 1
    assert values(await pipeline.retry_failed()) in ([0], [1])


async def test_a_task_may_wait_where_its_own_stage_is_not_on_their_way() -> None:
    async def wait(value: int) -> int:
        if value == 2:
            await until(lambda: pipeline.get_stats().items_failed)
            picky.refused = set()
            assert values(await pipeline.retry_failed()) == [1]
        return value

    picky = Picky(1)
    pipeline = Pipeline([stage("A", wait), stage("B", picky)])
    assert values(await pipeline.run([1, 2, 3])) == [1, 2, 3]


async def test_inside_a_task_nobody_waits_for_room() -> None:
    async def work(value: int) -> int:
        if value == 9:
            await until(lambda: pipeline.get_stats().items_failed == 5)
            picky.refused = set()
            assert len(await pipeline.retry_failed()) == 5
        await picky(value)
        return value

    picky = Picky(*range(5))
    pipeline = Pipeline([stage("A", work, workers=2, queue_capacity=1)])
    assert len(await pipeline.run([*range(5), 9, 10, 11, 12])) == 9


# Ends before the end


async def test_a_stop_does_not_wait_for_a_callback_that_waits_for_what_is_dropped(expect_log: Any) -> None:
    """The callback of an item being fed keeps the run from its end, and what it waits for will not come."""
    expect_log("discarded 1")
    picky, gate = Picky(1), Gate()
    retried: list[list[PipelineResult]] = []

    async def retry_before(event: StatusEvent) -> None:
        if event.item_id == 2 and event.status == "queued":
            retried.append(await pipeline.retry_failed())

    tracker = StatusTracker(retry_before)
    pipeline = Pipeline([stage("A", picky, gate)], status_tracker=tracker)
    await pipeline.start()
    await pipeline.feed([1, 0])
    await until(lambda: gate.entered == [0])
    feeding = asyncio.create_task(pipeline.feed([3]))
    await until(lambda: len(tracker.get_by_status("queued")) == 2)  # the failed one is once more
    stopping = asyncio.create_task(pipeline.shutdown())
    await settle()
    gate.opened.set()
    await asyncio.wait_for(stopping, 5)
    await feeding
    assert retried == [[]]
    assert counts(pipeline) == {"processed": 1, "dropped": 2}


async def test_cancelling_the_wait_after_the_end_gives_the_items_up() -> None:
    picky, gate = Picky(1, 2), Gate()
    tracker = StatusTracker()
    pipeline = Pipeline([stage("A", picky, gate, queue_capacity=1)], status_tracker=tracker)
    await pipeline.run([1, 2, 1, 2])
    picky.refused = set()
    retrying = asyncio.create_task(pipeline.retry_failed())
    await until(lambda: gate.entered)
    await settle()
    retrying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await retrying
    # One was in hand and one queued; two had not been let in, and stay failed.
    assert counts(pipeline) == {"failed": 2, "dropped": 2}
    assert failed_ids(pipeline) == [2, 3]
    assert [event.status for event in map(tracker.get_status, range(4)) if event] == [
        "failed",
        "queued",
        "failed",
        "failed",
    ]
    gate.opened.set()
    assert values(await pipeline.retry_failed()) == [1, 2]


async def test_cancelling_the_wait_meanwhile_leaves_the_run_alone() -> None:
    picky, gate = Picky(*range(4)), Gate()
    async with Pipeline([stage("A", picky, gate, queue_capacity=1)]) as pipeline:
        await pipeline.start()
        await pipeline.feed(range(4))
        await pipeline.join()
        picky.refused = set()
        retrying = asyncio.create_task(pipeline.retry_failed())
        await until(lambda: gate.entered)
        await settle()
        retrying.cancel()
        await asyncio.wait([retrying])
        assert counts(pipeline) == {"failed": 2, "in flight": 2}
        gate.opened.set()
        await pipeline.join()
        assert (values(pipeline.results), failed_ids(pipeline)) == ([0, 1], [2, 3])


@pytest.mark.parametrize("after_end", [False, True])
@pytest.mark.parametrize("way", ["request_stop", "shutdown"])
async def test_a_stop_leaves_those_failed_that_were_not_let_in(
    way: str, after_end: bool, expect_log: Any
) -> None:
    expect_log("discarded 1")
    picky, gate, tracker = Picky(*range(4)), Gate(), StatusTracker()
    pipeline = Pipeline([stage("A", picky, gate, queue_capacity=1)], status_tracker=tracker)
    await pipeline.start()
    await pipeline.feed(range(4))
    if after_end:
        await pipeline.join()
    else:
        await until(lambda: pipeline.get_stats().items_failed == 4)
    picky.refused = set()
    retrying = asyncio.create_task(pipeline.retry_failed())
    await until(lambda: gate.entered)
    await settle()
    if way == "shutdown":
        stopping = asyncio.create_task(pipeline.shutdown())
        await settle()
    else:
        pipeline.request_stop()
    assert failed_ids(pipeline) == [2, 3]
    assert not retrying.done()
    gate.opened.set()
    assert values(await retrying) == [0]
    if way == "shutdown":
        await stopping
    assert counts(pipeline) == {"processed": 1, "failed": 2, "dropped": 1}
    assert [event.status for event in map(tracker.get_status, range(4)) if event] == [
        "completed",
        "queued",
        "failed",
        "failed",
    ]
    await pipeline.shutdown()


async def test_cancelling_the_run_ends_the_wait() -> None:
    picky, gate = Picky(1), Gate()
    pipeline = Pipeline([stage("A", picky, workers=2), stage("B", gate)])
    running = asyncio.create_task(pipeline.run([0, 1]))
    await until(lambda: gate.entered)
    picky.refused = set()
    retrying = asyncio.create_task(pipeline.retry_failed())
    await settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await retrying == []
    assert counts(pipeline) == {"dropped": 2}


async def test_while_the_run_ends_one_waits_and_then_goes_on() -> None:
    picky, gate = Picky(1), Gate()
    pipeline = Pipeline([stage("A", picky, workers=2), stage("B", gate)])
    running = asyncio.create_task(pipeline.run([0, 1]))
    await until(lambda: gate.entered)
    pipeline.request_stop()
    picky.refused = set()
    retrying = asyncio.create_task(pipeline.retry_failed())
    await settle()
    assert failed_ids(pipeline) == [1]
    gate.opened.set()
    assert values(await running) == [0]
    assert values(await retrying) == [1]


async def test_items_on_their_way_again_can_be_cancelled_wherever_they_are() -> None:
    picky, gate = Picky(*range(4)), Gate()
    pipeline = Pipeline([stage("A", picky, gate, queue_capacity=1)])
    await pipeline.run(range(4))
    picky.refused = set()
    retrying = asyncio.create_task(pipeline.retry_failed())
    await until(lambda: gate.entered)
    await settle()
    assert [pipeline.cancel_item(n) for n in (3, 1, 0)] == [True] * 3
    gate.opened.set()
    assert values(await retrying) == [2]
    assert counts(pipeline) == {"processed": 1, "cancelled": 3}


# What is kept


async def test_a_failed_item_keeps_its_value_and_no_error() -> None:
    class Heavy:
        pass

    kept: weakref.WeakSet[Any] = weakref.WeakSet()

    class HeavyError(Exception):
        def __init__(self) -> None:
            kept.add(self)

    async def fail(value: Heavy) -> None:
        in_frame = Heavy()
        kept.add(in_frame)
        kept.add(value)
        raise HeavyError

    pipeline = Pipeline([stage("A", fail)])
    await pipeline.run([Heavy()])
    gc.collect()
    assert [type(each) for each in kept] == [Heavy]
    assert await pipeline.retry_failed(error_type=HeavyError) == []
    summary = pipeline.get_error_summary()
    del pipeline
    gc.collect()
    assert (len(kept), summary.failed_items[0].error_type) == (0, "HeavyError")


async def test_a_task_failed_error_of_the_scripts_own_is_an_error_like_any_other() -> None:
    async def wrap(value: int) -> int:
        try:
            await picky(value)
        except ValueError as error:
            raise TaskFailedError("wrap", error) from error
        return value

    picky = Picky(1)
    pipeline = Pipeline([stage("A", wrap)])
    await pipeline.run([1])
    (failed,) = pipeline.get_error_summary().failed_items
    assert (failed.error_type, failed.error) == ("TaskFailedError", "Task 'wrap' failed: refused 1")
    picky.refused = set()
    assert await pipeline.retry_failed(error_type=ValueError) == []
    assert values(await pipeline.retry_failed(error_type=AntFlowError)) == [1]


async def test_a_summary_taken_before_does_not_change() -> None:
    picky = Picky(1, 2)
    pipeline = Pipeline([stage("A", picky)])
    await pipeline.run(range(4))
    before = pipeline.get_dashboard_snapshot().error_summary
    picky.refused = {2}
    await pipeline.retry_failed()
    after = pipeline.get_error_summary()
    assert [item.item_id for item in before.failed_items] == [1, 2]
    assert (before.total_failed, before.errors_by_type, before.errors_by_stage) == (
        2,
        {"ValueError": 2},
        {"A": 2},
    )
    assert ([item.item_id for item in after.failed_items], after.total_failed) == ([2], 1)
    assert (after.errors_by_type, after.errors_by_stage) == ({"ValueError": 1}, {"A": 1})


async def test_what_is_left_of_a_pipeline_can_be_retried_without_it() -> None:
    picky, tracker = Picky(1), StatusTracker()
    pipeline = Pipeline([stage("A", picky)], status_tracker=tracker)
    await pipeline.run([0, 1])
    left = pipeline.remainder()
    assert left is not None
    gone = weakref.ref(pipeline)
    del pipeline
    gc.collect()
    assert gone() is None
    assert (left.results, counts(left), left.run_number) == ([], {"processed": 1, "failed": 1}, 1)
    picky.refused = set()
    assert values(await left.retry_failed()) == [1]
    assert counts(left) == {"processed": 2}
    assert (left.results, left.run_number, len(tracker.log.runs)) == ([], 1, 1)
    assert left.remainder() is None


async def test_nothing_is_left_where_nothing_failed_or_the_pipeline_runs() -> None:
    picky, gate = Picky(1), Gate()
    pipeline = Pipeline([stage("A", picky, workers=2), stage("B", gate)])
    assert pipeline.remainder() is None
    running = asyncio.create_task(pipeline.run([0, 1]))
    await until(lambda: gate.entered and pipeline.get_stats().items_failed)
    assert pipeline.remainder() is None
    gate.opened.set()
    await running
    assert pipeline.remainder() is not None


async def test_a_stop_does_not_wait_for_a_task_that_waits_for_its_items() -> None:
    waits, results = asyncio.Event(), [PipelineResult(0, 0, 0)]

    async def work(value: str) -> str:
        if value == "bad":
            raise ValueError(value)
        waits.set()
        results[:] = await pipeline.retry_failed()
        return value

    pipeline = Pipeline([stage("A", work, workers=2), stage("B", work, workers=1)])
    await pipeline.start()
    await pipeline.feed(["bad"])
    while not pipeline.get_stats().items_failed:
        await asyncio.sleep(0)
    pipeline.pause()
    await pipeline.feed(["hold"])
    pipeline.resume()
    await waits.wait()
    pipeline.pause()
    async with asyncio.timeout(5):
        await pipeline.shutdown()
    assert pipeline.get_stats().items_in_flight == 0


async def test_a_task_that_waits_is_told_when_no_other_worker_is_left() -> None:
    complaints: list[str] = []
    begun, may_fail = asyncio.Event(), asyncio.Event()

    async def work(value: str) -> str:
        if value == "slow":
            begun.set()
            await may_fail.wait()
        if value == "hold":
            try:
                await pipeline.retry_failed()
            except PipelineError as error:
                complaints.append(str(error))
            return value
        raise ValueError(value)

    pipeline = Pipeline([stage("A", work, workers=2)])
    await pipeline.start()
    for _ in range(3):  # both stand in line: W0 gets the first item and the third, W1 the second
        await asyncio.sleep(0)
    await pipeline.feed(["bad", "slow"])
    while not pipeline.get_stats().items_failed:
        await asyncio.sleep(0)
    await begun.wait()
    await pipeline.feed(["hold"])
    while pipeline.get_stats().items_failed:
        await asyncio.sleep(0)
    pipeline.set_workers("A", 1)
    may_fail.set()
    async with asyncio.timeout(5):
        await pipeline.join()
    assert len(complaints) == 1
    assert "no worker of stage 'A' is left" in complaints[0]


async def test_a_task_that_comes_after_a_limited_one_holds_no_place_of_that() -> None:
    tried: list[int] = []

    async def limited(value: int) -> int:
        tried.append(value)
        if tried == [0]:
            raise ValueError
        return value

    async def ask(value: int) -> int:
        if value == 1:
            return len(await pipeline.retry_failed())
        return value

    stage = Stage("A", 2, [limited, ask], task_attempts=1, task_concurrency_limits={"limited": 1})
    pipeline = Pipeline([stage])
    assert [result.value for result in await pipeline.run([0, 1])] == [0, 1]
    assert tried == [0, 1, 0]
