"""Retries: per task and per stage, what is told about them, waits, timeouts, and what is not retried."""

from __future__ import annotations

import asyncio
import pickle
import threading
import traceback
from typing import Any

import pytest

from antflow_core import ExponentialBackoff, Pipeline, Stage, StatusEvent, StatusTracker, TaskEvent, TaskFunc


class Flaky:
    """A task that fails so many times for each item, then gives ten times its value."""

    def __init__(self, failures: int, error: type[BaseException] = ValueError) -> None:
        self.failures = failures
        self.error = error
        self.calls: dict[Any, int] = {}

    async def __call__(self, value: Any) -> Any:
        calls = self.calls[value] = self.calls.get(value, 0) + 1
        if calls <= self.failures:
            raise self.error(f"boom {calls}")
        return value * 10


async def same(value: Any) -> Any:
    return value


def recorded() -> tuple[StatusTracker, list[tuple[Any, ...]]]:
    """A tracker and the list its callbacks write into."""
    told: list[tuple[Any, ...]] = []

    def status(event: StatusEvent) -> None:
        told.append((event.status, event.metadata))

    def task(event: TaskEvent) -> None:
        told.append((event.event_type, event.task_name, event.attempt, str(event.error or "")))

    return StatusTracker(status, task, task, task, task), told


@pytest.mark.parametrize("tasks_before", [[], [same]], ids=["only task", "later task"])
@pytest.mark.parametrize("tracked", [False, True])
async def test_the_error_of_an_attempt_does_not_claim_to_come_of_the_one_before(
    tasks_before: list[TaskFunc], tracked: bool
) -> None:
    errors: list[BaseException] = []
    stage = Stage(
        "A",
        1,
        [*tasks_before, Flaky(3)],
        task_wait_seconds=0,
        on_failure=lambda item_id, error, payload: errors.append(error),
    )
    await Pipeline([stage], status_tracker=StatusTracker() if tracked else None).run([1])
    (error,) = errors
    assert (str(error), error.__context__) == ("boom 3", None)


async def test_a_failed_task_is_attempted_again_with_the_same_input() -> None:
    tracker, told = recorded()
    stage = Stage("A", 1, [same, Flaky(1)], task_wait_seconds=0)
    assert [r.value for r in await Pipeline([stage], status_tracker=tracker).run([1])] == [10]
    assert [entry[:3] for entry in told if len(entry) > 2] == [
        ("start", "same", 1),
        ("complete", "same", 1),
        ("start", "Flaky", 1),
        ("retry", "Flaky", 1),
        ("start", "Flaky", 2),
        ("complete", "Flaky", 2),
    ]
    assert [entry[0] for entry in told if len(entry) == 2] == ["queued", "in_progress", "completed"]


async def test_attempts_count_in_all_and_the_last_one_fails_the_item() -> None:
    tracker, told = recorded()
    flaky = Flaky(9)
    pipeline = Pipeline(
        [Stage("A", 1, [flaky], task_attempts=3, task_wait_seconds=0)], status_tracker=tracker
    )
    assert await pipeline.run([1]) == []
    assert flaky.calls == {1: 3}
    assert [entry[0] for entry in told if len(entry) > 2] == ["start", "retry"] * 2 + ["start", "fail"]
    assert told[-1] == ("failed", {"error": "boom 3", "error_type": "ValueError"})
    assert pipeline.get_error_summary().failed_items[0].attempts == 3
    assert pipeline.get_stats().stage_stats["A"].retried == 2


async def test_per_stage_begins_again_at_the_first_task() -> None:
    tracker, told = recorded()
    stage = Stage("A", 1, [same, Flaky(1)], retry="per_stage", stage_attempts=2)
    assert [r.value for r in await Pipeline([stage], status_tracker=tracker).run([1])] == [10]
    assert [entry[0] for entry in told] == [
        "queued",
        "in_progress",
        "start",
        "complete",
        "start",
        "retry",
        "retrying",
        "in_progress",
        "start",
        "complete",
        "start",
        "complete",
        "completed",
    ]
    retrying = dict(told[6][1])
    assert retrying == {"attempt": 2, "retry": True, "error": "boom 1", "error_type": "ValueError"}
    assert told[8][:3] == ("start", "same", 2)


async def test_per_stage_attempts_count_in_all() -> None:
    flaky = Flaky(9)
    pipeline = Pipeline([Stage("A", 2, [flaky], retry="per_stage", stage_attempts=3)])
    await pipeline.run([1, 2])
    assert flaky.calls == {1: 3, 2: 3}
    assert {item.attempts for item in pipeline.get_error_summary().failed_items} == {3}


async def test_retries_go_past_a_full_queue() -> None:
    flaky = Flaky(1)
    stage = Stage("A", 1, [flaky], retry="per_stage", queue_capacity=1)
    assert len(await asyncio.wait_for(Pipeline([stage]).run(range(1, 20)), 10)) == 19


async def test_the_attempt_number_begins_anew_at_the_next_stage() -> None:
    tracker, told = recorded()
    stages = [Stage("A", 1, [Flaky(1)], retry="per_stage"), Stage("B", 1, [same])]
    await Pipeline(stages, status_tracker=tracker).run([1])
    assert [entry[2] for entry in told if len(entry) > 2 and entry[1] == "same"] == [1, 1]


async def test_only_the_named_errors_are_retried() -> None:
    flaky, other = Flaky(1, ConnectionError), Flaky(1, KeyError)
    stages = [
        Stage("A", 1, [flaky], retry_on=(ConnectionError,), task_wait_seconds=0),
        Stage("B", 1, [other], retry_on=(ConnectionError,), task_wait_seconds=0),
    ]
    pipeline = Pipeline(stages)
    await pipeline.run([1])
    assert flaky.calls == {1: 2}
    assert other.calls == {10: 1}
    assert pipeline.get_error_summary().errors_by_stage == {"B": 1}


async def test_the_wait_may_depend_on_the_attempt() -> None:
    asked: list[int] = []

    def wait(attempt: int) -> float:
        asked.append(attempt)
        return 0

    await Pipeline([Stage("A", 1, [Flaky(3)], task_attempts=4, task_wait=wait)]).run([1])
    assert asked == [1, 2, 3]


async def test_a_wait_that_raises_falls_back_to_the_fixed_pause(expect_log: Any) -> None:
    expect_log("task_wait failed")

    def wait(_: int) -> float:
        raise ZeroDivisionError

    stage = Stage("A", 1, [Flaky(1)], task_wait=wait, task_wait_seconds=0)
    assert len(await Pipeline([stage]).run([1])) == 1


@pytest.mark.parametrize("retry", ["per_task", "per_stage"])
async def test_join_waits_for_items_that_wait_for_a_retry(retry: Any) -> None:
    stage = Stage("A", 1, [Flaky(1)], retry=retry, task_wait=lambda _: 0.01)
    async with Pipeline([stage]) as pipeline:
        await pipeline.start()
        await pipeline.feed([1])
        await pipeline.join()
        assert [r.value for r in pipeline.results] == [10]


def test_backoff_doubles_up_to_a_bound_with_jitter() -> None:
    plain = ExponentialBackoff(first_s=1, longest_s=10, jitter=0)
    assert [plain(attempt) for attempt in (1, 2, 3, 4, 5, 5000)] == [1, 2, 4, 8, 10, 10]
    assert ExponentialBackoff(first_s=8, jitter=0.5, draw=lambda: 1.0)(1) == 4
    with pytest.raises(ValueError, match="jitter"):
        ExponentialBackoff(jitter=2)
    with pytest.raises(ValueError, match="negative"):
        ExponentialBackoff(first_s=-1)


# Timeouts


async def test_an_attempt_that_takes_too_long_fails() -> None:
    async def forever(_: int) -> None:
        await asyncio.Event().wait()

    pipeline = Pipeline([Stage("A", 1, [forever], task_attempts=2, task_wait_seconds=0, timeout=0.01)])
    await pipeline.run([1])
    (failed,) = pipeline.get_error_summary().failed_items
    assert (failed.error_type, failed.attempts) == ("TimeoutError", 2)
    assert failed.error == "task 'forever' took longer than 0.01 s"


async def test_a_timeout_of_the_tasks_own_is_left_alone() -> None:
    async def own(_: int) -> None:
        raise TimeoutError("mine")

    pipeline = Pipeline([Stage("A", 1, [own], task_attempts=1, timeout=10)])
    await pipeline.run([1])
    assert pipeline.get_error_summary().failed_items[0].error == "mine"


async def test_a_thread_that_timed_out_keeps_its_slot_until_it_returns() -> None:
    gate = threading.Event()
    calls: list[int] = []
    tracker, told = recorded()

    def block(value: int) -> int:
        calls.append(value)
        if len(calls) == 1:
            gate.wait(10)
        return value

    stage = Stage("A", 1, [block], task_attempts=2, task_wait_seconds=0, timeout=0.05)
    pipeline = Pipeline([stage], status_tracker=tracker)
    running = asyncio.create_task(pipeline.run([1]))
    while not any(entry[0] == "retry" for entry in told):
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    state = pipeline.get_worker_states()["A-W0"]
    assert (state.status, state.current_task) == ("busy", "block (timed out, not back yet)")
    assert calls == [1]
    gate.set()
    assert [r.value for r in await running] == [1]
    assert calls == [1, 1]


# What errors carry


@pytest.mark.parametrize("retry", ["per_task", "per_stage"])
async def test_an_error_says_where_it_happened(retry: Any) -> None:
    stage = Stage("Parse", 1, [Flaky(9)], retry=retry, task_attempts=2, stage_attempts=2, task_wait_seconds=0)
    pipeline = Pipeline([stage])
    (result,) = [r async for r in pipeline.stream([{"id": "x.py", "value": 1}])]
    assert result.error is not None
    assert result.error.__notes__ == ["stage 'Parse', item 'x.py', attempt 2"]
    traceback = result.error.__traceback__
    names = []
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert names[-1] == "__call__"


def raising_functions(error: BaseException) -> list[str]:
    """The functions of this file that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    return [frame.name for frame in frames if frame.filename == __file__]


async def test_one_error_object_raised_again_and_again_carries_the_latest_note_and_raise() -> None:
    error = ValueError("shared")
    error.add_note("the script's own")

    async def fail(_: int) -> None:
        raise error

    await Pipeline([Stage("A", 1, [fail], task_attempts=2, task_wait_seconds=0)]).run(range(20))
    assert error.__notes__ == ["the script's own", "stage 'A', item 19, attempt 2"]
    assert raising_functions(error) == ["fail"]
    assert type(pickle.loads(pickle.dumps(error)).__notes__[1]) is str


async def test_one_error_object_raised_at_many_places_keeps_a_few_of_them() -> None:
    error = ValueError("shared")

    def raising(depth: int) -> None:
        if depth:
            raising(depth - 1)
        raise error

    async def fail(depth: int) -> None:
        raising(depth)

    await Pipeline([Stage("A", 1, [fail], task_attempts=1)]).run(range(20))
    assert raising_functions(error).count("fail") == 4


async def test_an_error_object_raised_by_callbacks_does_not_grow_either(expect_log: Any) -> None:
    expect_log("Error in on_success callback")
    expect_log("skip_if failed")
    error = ValueError("shared")

    def fail(*_: Any) -> None:
        raise error

    stage = Stage("A", 1, [Flaky(0)], skip_if=fail, on_success=fail)
    await Pipeline([stage]).run(range(20))
    assert raising_functions(error) == ["fail"]


async def test_an_error_raised_anew_still_shows_where_it_came_from() -> None:
    async def inner_task(_: int) -> None:
        raise ValueError("inner")

    async def outer_task(value: int) -> None:
        async for result in Pipeline([Stage("I", 1, [inner_task], task_attempts=1)]).stream([value]):
            assert result.error is not None
            raise result.error

    outer = Pipeline([Stage("O", 1, [outer_task], task_attempts=1)])
    (result,) = [r async for r in outer.stream([1])]
    assert result.error is not None
    assert raising_functions(result.error) == ["outer_task", "inner_task"]


async def test_an_error_whose_text_raises_is_recorded_all_the_same() -> None:
    class RudeError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    async def fail(_: int) -> None:
        raise RudeError

    pipeline = Pipeline([Stage("A", 1, [fail], task_attempts=1)])
    await pipeline.run([1])
    assert pipeline.get_error_summary().failed_items[0].error == "<RudeError without a text>"
