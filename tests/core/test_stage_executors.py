"""Executors of stages: threads, processes and a Dask cluster, with all that can go wrong on the way."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import threading
import warnings
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from antflow_core import FailedItem, Pipeline, PipelineResult, Stage, StageValidationError, set_task_status
from antflow_core.engine.invoke import Threads
from tests.support import far_tasks
from tests.support.loops import RunOnLoop

colour: ContextVar[str] = ContextVar("colour", default="none")


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def start_processes(count: int) -> ProcessPoolExecutor:
    """Processes that are there already, so that no test has to wait for them."""
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
    pool.submit(far_tasks.double, 1).result()
    return pool


@pytest.fixture(scope="module", autouse=True)
def shared_processes() -> Iterator[ProcessPoolExecutor]:
    """There before the first test, which must not be taken for who left its thread behind."""
    with start_processes(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Dask client that is not asynchronous, with a cluster in threads of its own."""
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")  # whatever Dask deprecates is not for its users' tests
        folder = tmp_path_factory.mktemp("dask")
        patch.setattr(logging.getLogger("distributed"), "propagate", False)  # it logs what tasks raise
        with (
            distributed.LocalCluster(
                n_workers=1,
                threads_per_worker=2,
                processes=False,
                dashboard_address=None,
                local_directory=str(folder),
            ) as local,
            distributed.Client(local) as client,
        ):
            yield client
        # Dask leaves futures behind with timeouts that nobody asked for; a later test must not hear of them.
        del client, local
        gc.collect()


@pytest.fixture(params=["threads", "processes", "dask"])
def executor(request: pytest.FixtureRequest) -> Executor:
    """One of each kind."""
    return pool_of(request)


@pytest.fixture(params=["processes", "dask"])
def far_executor(request: pytest.FixtureRequest) -> Executor:
    """One of each kind that pickles."""
    return pool_of(request)


def pool_of(request: pytest.FixtureRequest) -> Executor:
    names = {"threads": "threads", "processes": "shared_processes", "dask": "cluster"}
    pool: Any = request.getfixturevalue(names[request.param])
    executor: Executor = pool.get_executor() if request.param == "dask" else pool
    return executor


def one_stage(task: Any, executor: Executor, **fields: Any) -> Pipeline:
    fields = {"workers": 2, "task_wait_seconds": 0, **fields}
    return Pipeline([Stage("Far", tasks=[task], executor=executor, **fields)])


def values(results: list[PipelineResult]) -> list[Any]:
    return [result.value for result in results]


async def failures(pipeline: Pipeline, items: Any) -> list[FailedItem]:
    await pipeline.run(items)
    return sorted(pipeline.get_error_summary().failed_items, key=lambda item: str(item.item_id))


def release(path: Path) -> None:
    path.touch()


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


@asynccontextmanager
async def blocked(
    executor: Executor, path: Path, **fields: Any
) -> AsyncIterator[tuple[Pipeline, asyncio.Task[list[PipelineResult]]]]:
    """A pipeline whose only worker is inside a call that nothing can stop; it ends when the body has."""
    pipeline = one_stage(far_tasks.wait_for_file, executor, workers=1, **fields)
    running = asyncio.create_task(pipeline.run([str(path)]))
    try:
        await eventually(Path(f"{path}.begun").exists)
        yield pipeline, running
    finally:
        release(path)
        await asyncio.wait((running,))


# What a stage's executor does


@pytest.mark.parametrize("task", [far_tasks.double, far_tasks.double_later])
async def test_an_executor_runs_tasks_async_or_not(executor: Executor, task: Any) -> None:
    pipeline = Pipeline(
        [Stage("Far", 2, [task, task], executor=executor), Stage("Near", 1, [far_tasks.double_later])]
    )
    assert values(await pipeline.run(range(4))) == [0, 8, 16, 24]


async def test_an_executor_gets_unpacked_arguments(executor: Executor) -> None:
    pipeline = one_stage(far_tasks.add, executor, unpack_args=True)
    assert values(await pipeline.run([(1, 2), {"left": 3, "right": 4}])) == [3, 7]


async def test_processes_are_other_processes(shared_processes: ProcessPoolExecutor) -> None:
    numbers = values(await one_stage(far_tasks.process_number, shared_processes).run(range(4)))
    assert set(numbers) <= {process.pid for process in multiprocessing.active_children()}


async def test_a_task_in_a_thread_knows_its_worker_and_what_was_set_before(threads: Executor) -> None:
    def look(value: int) -> tuple[str, bool]:
        return colour.get(), set_task_status(f"looking at {value}")

    token = colour.set("red")
    try:
        assert values(await one_stage(look, threads).run([1])) == [("red", True)]
    finally:
        colour.reset(token)


async def test_an_attempt_after_a_failure_is_a_call_of_its_own(executor: Executor, tmp_path: Path) -> None:
    pipeline = one_stage(far_tasks.fail_the_first_time, executor, task_attempts=2)
    assert values(await pipeline.run([str(tmp_path)])) == [2]


async def test_equal_items_are_calls_of_their_own(executor: Executor, tmp_path: Path) -> None:
    pipeline = one_stage(far_tasks.note, executor, workers=1)
    assert values(await pipeline.run([str(tmp_path)] * 3)) == [1, 2, 3]


async def test_an_error_comes_back_as_it_is(executor: Executor) -> None:
    pipeline = one_stage(far_tasks.fail, executor, task_attempts=2)
    errors: list[BaseException] = []
    pipeline.stages[0].on_failure = lambda _id, error, _payload: errors.append(error)
    assert [(item.error_type, item.error, item.attempts) for item in await failures(pipeline, ["sea"])] == [
        ("LookupError", "nothing at sea", 2)
    ]
    assert errors[0].__notes__ == ["stage 'Far', item 0, attempt 2"]


async def test_system_exit_in_an_executor_ends_the_run_and_reaches_who_waits(
    shared_processes: Executor, threads: Executor
) -> None:
    for executor in (threads, shared_processes):
        with pytest.raises(SystemExit) as ended:
            await one_stage(far_tasks.leave, executor).run([1])
        assert ended.value.code == 3


# Time and cancelling


async def test_a_run_that_is_cancelled_waits_for_no_call(executor: Executor, tmp_path: Path) -> None:
    async with blocked(executor, tmp_path / "go") as (pipeline, running):
        running.cancel()
        await asyncio.wait((running,))
        assert running.cancelled()
        assert pipeline.dropped_items == 1
        assert not (tmp_path / "go").exists()


async def test_a_call_that_takes_too_long_fails_and_keeps_its_slot_until_it_returns(
    shared_processes: Executor, threads: Executor, tmp_path: Path
) -> None:
    for number, executor in enumerate((threads, shared_processes)):
        path = tmp_path / str(number)
        async with blocked(executor, path, timeout=0.01, task_attempts=1) as (pipeline, running):
            await eventually(lambda: pipeline.get_error_summary().total_failed == 1)
            [state] = pipeline.get_worker_states().values()
            assert (state.status, state.current_task) == ("busy", "wait_for_file (timed out, not back yet)")
            assert not running.done()
        [failed] = pipeline.get_error_summary().failed_items
        assert failed.error == "task 'wait_for_file' took longer than 0.01 s"


async def test_an_item_that_is_cancelled_ends_at_once_and_its_call_keeps_the_slot_until_it_returns(
    shared_processes: Executor, threads: Executor, tmp_path: Path
) -> None:
    for number, executor in enumerate((threads, shared_processes)):
        async with blocked(executor, tmp_path / str(number)) as (pipeline, running):
            assert pipeline.cancel_item(0)
            await eventually(lambda: pipeline.cancelled_items == 1)
            [state] = pipeline.get_worker_states().values()
            assert (state.status, state.current_task) == ("busy", "wait_for_file (cancelled, not back yet)")
            assert not running.done()
        assert running.result() == []


async def test_on_a_cluster_a_call_that_takes_too_long_is_given_up(cluster: Any, tmp_path: Path) -> None:
    fields = {"timeout": 0.05, "task_attempts": 1}
    async with blocked(cluster.get_executor(), tmp_path / "go", **fields) as (pipeline, running):
        await asyncio.wait((running,))
        [failed] = pipeline.get_error_summary().failed_items
        assert failed.error == "task 'wait_for_file' took longer than 0.05 s"


async def test_a_call_whose_time_is_over_before_its_turn_never_begins(tmp_path: Path) -> None:
    inside, free = threading.Event(), threading.Event()
    begun: list[int] = []

    def occupy() -> None:
        inside.set()
        free.wait(30)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(occupy)
        await eventually(inside.is_set)
        [failed] = await failures(one_stage(begun.append, pool, timeout=0.01, task_attempts=1), [1])
        assert failed.error_type == "TimeoutError"
        free.set()
    assert begun == []


def test_a_call_may_return_after_its_loop_is_gone(tmp_path: Path, run_on_new_loop: RunOnLoop[None]) -> None:
    async def leave_it(executor: Executor) -> None:
        pipeline = one_stage(far_tasks.wait_for_file, executor)
        running = asyncio.create_task(pipeline.run([str(tmp_path / "go")]))
        await eventually((tmp_path / "go.begun").exists)
        running.cancel()
        await asyncio.wait((running,))

    with ThreadPoolExecutor(1) as pool:
        run_on_new_loop(leave_it(pool))
        (tmp_path / "go").touch()


# Executors that end


async def test_an_executor_that_is_shut_down_is_named_and_not_tried_again(tmp_path: Path) -> None:
    for pool in (ThreadPoolExecutor(1), start_processes(1)):
        pool.shutdown()
        failed = await failures(one_stage(far_tasks.double, pool), [1, 2])
        assert [(item.error_type, item.attempts) for item in failed] == [("ExecutorShutdownError", 1)] * 2
        assert failed[0].error == (
            "Stage 'Far': its executor is shut down and does not run task 'double' any more; "
            "keep it open until the pipeline has ended"
        )


async def test_calls_that_an_executor_drops_end_as_failures(tmp_path: Path) -> None:
    path, pool = tmp_path / "go", ThreadPoolExecutor(1)
    pipeline = one_stage(far_tasks.wait_for_file, pool)
    running = asyncio.create_task(pipeline.run([str(path)] * 4))
    await eventually((tmp_path / "go.begun").exists)
    pool.shutdown(wait=False, cancel_futures=True)
    path.touch()
    assert len(await running) == 1
    assert pipeline.get_error_summary().errors_by_type == {"ExecutorShutdownError": 3}


async def test_items_fail_where_a_process_dies_and_the_run_ends(tmp_path: Path) -> None:
    with start_processes(1) as pool:
        pipeline = one_stage(far_tasks.die, pool)
        failed = await failures(pipeline, range(5))
    assert [(item.error_type, item.attempts) for item in failed] == [("BrokenProcessPool", 1)] * 5


async def test_an_executor_of_dask_that_is_shut_down_is_named(cluster: Any) -> None:
    executor = cluster.get_executor()
    executor.shutdown()
    [failed] = await failures(one_stage(far_tasks.double, executor), [1])
    assert failed.error.startswith("Stage 'Far': its executor is shut down and does not run task 'double'")


async def test_a_closed_client_of_dask_is_named(cluster: Any) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.Client(cluster.cluster, set_as_default=False) as client:
        executor = client.get_executor()
    failed = await failures(one_stage(far_tasks.double, executor), range(3))
    assert [(item.error_type, item.attempts) for item in failed] == [("ExecutorShutdownError", 1)] * 3


# What does not pickle


async def test_a_value_that_does_not_pickle_fails_alone(far_executor: Executor) -> None:
    pipeline = one_stage(far_tasks.process_number, far_executor)
    [failed] = await failures(pipeline, [1, threading.Lock(), 3])
    assert (failed.item_id, failed.error_type, failed.attempts) == (1, "PicklingError", 1)
    assert failed.error == (
        "Stage 'Far': the value for task 'process_number' cannot go to another process: "
        "TypeError: cannot pickle '_thread.lock' object"
    )
    assert len(pipeline.results) == 2


async def test_a_result_that_does_not_pickle_fails_alone(far_executor: Executor) -> None:
    [failed] = await failures(one_stage(far_tasks.give_lock, far_executor), [1])
    assert (failed.error_type, failed.attempts) == ("PicklingError", 1)
    assert failed.error == (
        "Stage 'Far': task 'give_lock' gave a lock, which cannot leave its process: "
        "TypeError: cannot pickle '_thread.lock' object"
    )


async def test_a_value_that_cannot_be_made_anew_leaves_the_processes_whole(
    shared_processes: Executor,
) -> None:
    pipeline = one_stage(far_tasks.process_number, shared_processes)
    [failed] = await failures(pipeline, [far_tasks.OneWay(), 2])
    assert failed.error == (
        "Stage 'Far': task 'process_number' or its value could not be read in the other process: "
        "ValueError: it cannot be made anew"
    )
    assert len(pipeline.results) == 1


async def test_a_result_that_cannot_be_made_anew_leaves_the_processes_whole(
    shared_processes: Executor,
) -> None:
    [failed] = await failures(one_stage(far_tasks.give_only_there, shared_processes), [1])
    assert failed.error == (
        "Stage 'Far': the result of task 'give_only_there' cannot be read here: ValueError: far from home"
    )
    assert values(await one_stage(far_tasks.double, shared_processes).run([1])) == [2]


async def test_an_error_that_cannot_be_made_anew_leaves_the_processes_whole(
    shared_processes: Executor,
) -> None:
    pipeline = one_stage(far_tasks.fail_oddly, shared_processes, task_attempts=1)
    errors: list[BaseException] = []
    pipeline.stages[0].on_failure = lambda _id, error, _payload: errors.append(error)
    [failed] = await failures(pipeline, ["socks"])
    assert (failed.error_type, failed.error) == ("RuntimeError", "NeedsTwoError: socks in the drawer")
    assert "in fail_oddly" in errors[0].__notes__[0]
    assert values(await one_stage(far_tasks.double, shared_processes).run([1])) == [2]


def test_a_limit_on_calls_does_not_reach_into_an_executor(threads: Executor) -> None:
    for field in ("call_concurrency", "call_rate"):
        with pytest.raises(StageValidationError, match=f"Stage 'Far' {field} does not go with an executor"):
            one_stage(far_tasks.double, threads, **{field: 2})


# Threads of the pipeline's own


async def test_a_run_has_as_many_threads_as_its_stage_has_workers_now() -> None:
    inside: list[str] = []
    free = threading.Event()

    def occupy(_: None) -> None:
        inside.append(threading.current_thread().name)
        free.wait(30)

    stage, own = Stage("Near", 2, [occupy]), Threads()
    own.reserve(stage)
    calls = [own.submit(occupy, None) for _ in range(2)]
    stage.workers = 4
    calls += [own.submit(occupy, None) for _ in range(4)]
    await eventually(lambda: len(inside) == 4)
    free.set()
    for call in calls:
        await asyncio.wrap_future(call)
    own.close()
    assert (len(inside), len(set(inside))) == (6, 4)


async def test_an_error_from_a_thread_is_freed_at_once(threads: Executor) -> None:
    freed: list[weakref.ref[BaseException]] = []

    class HeavyError(Exception):
        pass

    def fail(_: int) -> None:
        error = HeavyError()
        freed.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.collect()
    gc.disable()
    try:
        await one_stage(fail, threads, task_attempts=1).run([1])
        await eventually(lambda: freed[0]() is None)
    finally:
        gc.enable()
