"""Pipeline.run: items through stages, kinds of tasks, identity of items, builder and quick."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from antflow_core import CompactDashboard, Pipeline, PipelineError, Stage, StatusTracker
from tests.support.loops import RunOnLoop


async def double(value: int) -> int:
    await asyncio.sleep(0)
    return value * 2


async def same(value: Any) -> Any:
    return value


def plain_double(value: int) -> int:
    return value * 2


async def run_one(task: Any, value: Any = 1, **fields: Any) -> Any:
    """The result of one task for one value; what it raised, if it did."""
    pipeline = Pipeline([Stage("A", 1, [task], task_attempts=1, **fields)])
    (result,) = [result async for result in pipeline.stream([value])]
    return result.error or result.value


def values(results: Any) -> list[Any]:
    return [result.value for result in results]


async def test_results_come_in_input_order_whatever_finishes_first() -> None:
    first_may_go = asyncio.Event()

    async def reverse(value: int) -> int:
        if value == 0:
            await first_may_go.wait()
        elif value == 4:
            first_may_go.set()
        return value * 10

    results = await Pipeline([Stage("A", 5, [reverse]), Stage("B", 2, [same])]).run(range(5))
    assert [(r.id, r.sequence_id, r.value, r.is_success) for r in results] == [
        (n, n, n * 10, True) for n in range(5)
    ]


async def test_tasks_of_a_stage_run_in_order_on_the_previous_result() -> None:
    async def add_one(value: int) -> int:
        return value + 1

    pipeline = Pipeline([Stage("A", 2, [double, add_one, double]), Stage("B", 1, [add_one])])
    assert values(await pipeline.run([1, 2])) == [7, 11]


async def test_failed_items_are_in_the_summary_and_not_in_the_results() -> None:
    async def picky(value: int) -> int:
        if value % 2:
            raise ValueError(f"odd {value}")
        return value

    pipeline = Pipeline([Stage("A", 1, [picky], task_attempts=1), Stage("B", 1, [same])])
    results = await pipeline.run(range(4))
    summary = pipeline.get_error_summary()
    assert values(results) == [0, 2]
    assert (summary.total_failed, summary.errors_by_type, summary.errors_by_stage) == (
        2,
        {"ValueError": 2},
        {"A": 2},
    )
    assert [(item.item_id, item.error, item.attempts) for item in summary.failed_items] == [
        (1, "odd 1", 1),
        (3, "odd 3", 1),
    ]
    assert "ValueError: 2" in str(summary)


async def test_a_dict_with_an_id_brings_id_value_and_metadata() -> None:
    items = [{"id": "x", "value": 3, "k": 1}, {"id": "y", "k": 2}, {"value": 4}, {"id": None, "value": 5}]
    results = await Pipeline([Stage("A", 1, [same])]).run(items)
    assert [(r.id, r.value, r.metadata) for r in results] == [
        ("x", 3, {"k": 1}),
        ("y", {"id": "y", "k": 2}, {"k": 2}),
        (2, {"value": 4}, {}),
        (None, 5, {}),
    ]


async def test_any_iterable_will_do_and_is_taken_as_room_appears() -> None:
    taken: list[int] = []
    hold = asyncio.Event()

    def source() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    async def wait(value: int) -> int:
        await hold.wait()
        return value

    pipeline = Pipeline([Stage("A", 1, [wait], queue_capacity=3)])
    running = asyncio.create_task(pipeline.run(source()))
    while pipeline.get_stats().queue_sizes["A"] < 3:
        await asyncio.sleep(0)
    assert len(taken) == 5  # one in hand, three queued, one held by the feeder
    assert pipeline.total_items is None
    hold.set()
    assert len(await running) == 50
    assert pipeline.total_items == 50


async def test_async_iterables_are_taken_too() -> None:
    async def source() -> AsyncIterator[int]:
        for number in range(5):
            await asyncio.sleep(0)
            yield number

    assert values(await Pipeline([Stage("A", 2, [double])]).run(source())) == [0, 2, 4, 6, 8]


async def test_an_iterable_that_raises_ends_the_run_with_its_error() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise LookupError("no more pages")

    with pytest.raises(LookupError, match="no more pages"):
        await Pipeline([Stage("A", 1, [same])]).run(source())


async def test_no_items_give_no_results() -> None:
    assert await Pipeline([Stage("A", 3, [same])]).run([]) == []


async def test_a_pipeline_can_run_again_and_numbers_go_on() -> None:
    pipeline = Pipeline([Stage("A", 2, [double])])
    assert values(await pipeline.run([1, 2])) == [2, 4]
    again = await pipeline.run([5])
    assert [(r.id, r.value) for r in again] == [(2, 10)]
    assert pipeline.get_stats().items_processed == 1


def test_a_pipeline_can_run_in_one_loop_after_another(run_on_new_loop: RunOnLoop[Any]) -> None:
    pipeline = Pipeline(
        [Stage("A", 2, [double], task_concurrency_limits={"double": 1}, call_concurrency=1, call_rate=5)]
    )
    for _ in range(2):
        assert values(run_on_new_loop(pipeline.run([1, 2, 3]))) == [2, 4, 6]


async def test_two_runs_at_once_are_refused_and_the_first_is_not_harmed() -> None:
    hold = asyncio.Event()

    async def wait(value: int) -> int:
        await hold.wait()
        return value

    pipeline = Pipeline([Stage("A", 1, [wait])])
    first = asyncio.create_task(pipeline.run([1]))
    await asyncio.sleep(0)
    with pytest.raises(PipelineError, match="already running"):
        await pipeline.run([2])
    hold.set()
    assert values(await first) == [1]


async def test_results_are_not_kept_where_they_are_not_wanted() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])], collect_results=False)
    assert await pipeline.run([1, 2]) == []
    assert pipeline.get_stats().items_processed == 2
    assert pipeline.collect_results is False
    pipeline.collect_results = True
    assert values(await pipeline.run([3])) == [3]


async def test_arguments_are_unpacked_where_the_stage_says_so() -> None:
    async def area(width: int, height: int = 1) -> int:
        return width * height

    pipeline = Pipeline([Stage("A", 1, [area], unpack_args=True)])
    items = [(2, 3), [4], {"width": 5, "height": 2}, 7]
    assert values(await pipeline.run(items)) == [6, 4, 10, 7]


# Kinds of tasks


async def test_a_plain_function_runs_in_a_thread_of_the_pipelines_own() -> None:
    def where(_: int) -> str:
        return threading.current_thread().name

    assert (await run_one(where)).startswith("antflow-task")


async def test_there_are_as_many_threads_as_workers() -> None:
    together = threading.Barrier(12)

    def meet(value: int) -> int:
        together.wait(10)
        return value

    assert len(await Pipeline([Stage("A", 12, [meet], task_attempts=1)]).run(range(12))) == 12


async def test_stop_iteration_in_a_plain_function_fails_the_item() -> None:
    def exhausted(_: int) -> Any:
        return next(iter(()))

    error = await run_one(exhausted)
    assert isinstance(error, RuntimeError)
    assert "StopIteration" in str(error)


class Caller:
    def __call__(self, value: int) -> Any:
        return self.later(value)

    async def later(self, value: int) -> str:
        return threading.current_thread().name


def wrapped(function: Any) -> Any:
    def wrapper(*arguments: Any) -> Any:
        threads.append(threading.current_thread().name)
        return function(*arguments)

    return wrapper


threads: list[str] = []


@pytest.mark.parametrize(
    "task",
    [
        lambda value: double(value + 0),
        functools.partial(double),
        functools.partial(lambda _, value: double(value), None),
        wrapped(double),
        lambda value: asyncio.ensure_future(double(value)),
    ],
)
async def test_callables_that_return_awaitables_are_called_on_the_loop(task: Any) -> None:
    threads.clear()
    assert await run_one(task, 4) == 8
    assert set(threads) <= {threading.current_thread().name}


async def test_callable_objects_may_be_async() -> None:
    assert await run_one(Caller()) == threading.current_thread().name


async def test_a_function_that_returns_an_awaitable_unexpectedly_is_awaited() -> None:
    service = {"double": double}

    def hidden(value: int) -> Any:
        return service["double"](value)

    pipeline = Pipeline([Stage("A", 2, [hidden])])
    assert values(await pipeline.run([1, 2, 3])) == [2, 4, 6]


async def test_a_lambda_may_give_a_plain_value() -> None:
    assert values(await Pipeline([Stage("A", 2, [lambda value: value + 1])]).run([1, 2, 3])) == [2, 3, 4]


@pytest.mark.parametrize("task", [double, plain_double])
@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
async def test_a_stages_executor_runs_its_tasks(kind: Any, task: Any) -> None:
    with kind(2) as executor:
        pipeline = Pipeline([Stage("A", 2, [task], executor=executor), Stage("B", 1, [double])])
        assert values(await pipeline.run([1, 2, 3])) == [4, 8, 12]


# Builder, quick, observers


async def test_the_builder_makes_what_was_added() -> None:
    tracker = StatusTracker()
    pipeline = (
        Pipeline.create()
        .add("Double", double, workers=2)
        .add("Again", double, double, retries=2, retry_policy="per_stage")
        .with_tracker(tracker)
        .build()
    )
    assert [(s.name, s.workers, s.retry, s.stage_attempts) for s in pipeline.stages] == [
        ("Double", 2, "per_task", 3),
        ("Again", 5, "per_stage", 2),
    ]
    assert values(await pipeline.run([1])) == [8]
    assert tracker.get_stats()["completed"] == 1
    assert await Pipeline.create().add("A", same).collect_results(False).run([1]) == []


async def test_quick_makes_a_stage_for_each_task() -> None:
    assert values(await Pipeline.quick([1, 2], double)) == [2, 4]
    stages: list[str] = []

    async def note_stage(value: int) -> int:
        from antflow_core.context import get_worker_state

        state = get_worker_state()
        assert state is not None
        stages.append(state.stage)
        return value

    assert values(await Pipeline.quick([1], [note_stage, double], workers=1, retries=1)) == [2]
    assert stages == ["NoteStage"]


async def test_progress_and_dashboard_together_are_refused() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    with pytest.raises(ValueError, match="Cannot use both"):
        await pipeline.run([1], progress=True, dashboard="full")
    with pytest.raises(ValueError, match="'compact', 'detailed' or 'full'"):
        await pipeline.run([1], dashboard="huge")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="more than 0"):
        await pipeline.run([1], dashboard_update_interval=0)


async def test_displays_given_in_the_wrong_place_are_told_where_to_go() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    with pytest.raises(ValueError, match="custom_dashboard=") as told:
        await pipeline.run([1], dashboard=CompactDashboard())  # type: ignore[arg-type]
    assert "object at" not in str(told.value)
    with pytest.raises(
        ValueError, match="custom_dashboard needs on_start, on_update and on_finish, got 'full'"
    ):
        await pipeline.run([1], custom_dashboard="full")  # type: ignore[arg-type]


@pytest.mark.parametrize("tracker", ["all", StatusTracker])
def test_a_tracker_that_is_none_is_refused_at_once(tracker: Any) -> None:
    with pytest.raises(PipelineError, match="status_tracker must be a StatusTracker, got"):
        Pipeline([Stage("A", 1, [same])], status_tracker=tracker)


@pytest.mark.parametrize("way", ["run_in_executor", "wrap_future", "future", "helper"])
async def test_plain_wrappers_that_need_the_loop_are_called_on_it(way: str) -> None:
    def hidden(value: int) -> Any:
        future = asyncio.get_running_loop().create_future()
        future.set_result(value)
        return future

    class Helper:
        def call(self, value: int) -> Any:
            return hidden(value)

    pool = ThreadPoolExecutor(1)
    helper = Helper()
    wrappers: dict[str, Any] = {
        "run_in_executor": lambda value: asyncio.get_event_loop().run_in_executor(pool, plain_double, value),
        "wrap_future": lambda value: asyncio.wrap_future(pool.submit(plain_double, value)),
        "future": hidden,
        "helper": helper.call,
    }
    wrapper = wrappers[way]

    def task(value: int) -> Any:
        return wrapper(value)

    results = await Pipeline([Stage("A", 2, [task], task_attempts=1)]).run([1, 2])
    pool.shutdown()
    assert values(results) == ([1, 2] if way in ("future", "helper") else [2, 4])
