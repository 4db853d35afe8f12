"""AsyncExecutor: submitting, attempts, limits, plain functions, contexts, workers and the end."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from antflow_core import (
    AntFlowError,
    AsyncExecutor,
    AsyncFuture,
    ExecutorShutdownError,
    Pipeline,
    Stage,
    concurrency_limit,
    set_task_status,
)
from antflow_core.context import get_worker_state
from antflow_core.engine.work import Work
from tests.support.gates import Gate, same, settle, until
from tests.support.loops import RunOnLoop

Expect = Callable[[str], None]


async def double(value: int) -> int:
    return value * 2


async def fail(error: BaseException) -> None:
    raise error


class Flaky:
    """Fails so many times, then gives its number of calls; says when it was called."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls: list[float] = []

    async def __call__(self) -> int:
        self.calls.append(asyncio.get_running_loop().time())
        if len(self.calls) <= self.failures:
            raise ValueError(len(self.calls))
        return len(self.calls)


def worker_tasks() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if "executor worker" in task.get_name()]


# Submitting


async def test_a_submitted_function_gets_its_arguments_and_gives_its_result() -> None:
    async def join(*args: str, sep: str) -> str:
        return sep.join(args)

    async with AsyncExecutor(max_workers=2) as executor:
        future = executor.submit(join, "a", "b", sep="-")
        assert isinstance(future, AsyncFuture)
        assert not future.done()
        assert await future.result() == "a-b"
        assert future.done()
        assert future.exception() is None


async def test_futures_are_numbered_in_the_order_of_submission() -> None:
    async with AsyncExecutor() as executor:
        futures = [executor.submit(same, n) for n in range(3)]
        assert [future.sequence_id for future in futures] == [0, 1, 2]
        await executor.map(same, [0, 0])
        assert executor.submit(same, 0).sequence_id == 5


async def test_five_workers_are_there_if_nobody_says_how_many() -> None:
    gate = Gate()
    async with AsyncExecutor() as executor:
        futures = [executor.submit(gate, n) for n in range(7)]
        await settle()
        assert gate.begun == [0, 1, 2, 3, 4]
        gate.open()
        assert [await future for future in futures] == list(range(7))


@pytest.mark.parametrize("workers", [1, 3, 200])
async def test_no_more_tasks_are_under_way_than_there_are_workers(workers: int) -> None:
    inside = most = 0

    async def work(turns: int) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(turns):
            await asyncio.sleep(0)
        inside -= 1

    async with AsyncExecutor(workers) as executor:
        futures = [executor.submit(work, n % 3 + 1) for n in range(300)]
        await executor.wait(futures)
    assert most == workers


async def test_tasks_begin_in_the_order_of_submission() -> None:
    begun = []

    async def note(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0)

    async with AsyncExecutor(3) as executor:
        for number in range(20):
            executor.submit(note, number)
    assert begun == list(range(20))


@pytest.mark.parametrize(
    ("count", "words"), [(0, "must be at least 1, got 0"), (-3, "max_workers must be at least 1")]
)
def test_an_executor_has_at_least_one_worker(count: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        AsyncExecutor(max_workers=count)


@pytest.mark.parametrize("count", ["3", 1.5, None])
def test_the_number_of_workers_is_a_whole_number(count: Any) -> None:
    with pytest.raises(TypeError, match="max_workers must be a whole number, got"):
        AsyncExecutor(count)


async def test_what_cannot_be_run_is_refused_with_a_sentence() -> None:
    async def numbers() -> Any:
        yield 1

    async with AsyncExecutor() as executor:
        with pytest.raises(TypeError, match=r"got a coroutine object; pass the function .* submit\(same, "):
            executor.submit(cast("Any", same(1)))
        with pytest.raises(TypeError, match="runs functions, got 3"):
            executor.submit(cast("Any", 3))
        with pytest.raises(TypeError, match="'numbers' yields"):
            executor.submit(numbers)
        with pytest.raises(TypeError, match="runs functions, got None"):
            await executor.map(cast("Any", None), [1])


@pytest.mark.parametrize(
    ("option", "kind", "words"),
    [
        ({"retries": -1}, ValueError, "retries must be at least 0, got -1"),
        ({"retries": "1"}, TypeError, "retries must be a whole number, got '1'"),
        ({"retries": 1, "retry_delay": -0.5}, ValueError, "retry_delay must not be negative, got -0.5"),
        ({"retries": 1, "retry_delay": "1"}, TypeError, "retry_delay must be a number of seconds, got '1'"),
        ({"semaphore": 3}, TypeError, "semaphore must be an asyncio.Semaphore, got 3"),
    ],
)
async def test_options_that_cannot_be_are_refused(option: Any, kind: type[Exception], words: str) -> None:
    executor = AsyncExecutor()
    with pytest.raises(kind, match=words):
        executor.submit(same, 1, **option)


async def test_a_call_that_does_not_fit_fails_its_future() -> None:
    async with AsyncExecutor() as executor:
        with pytest.raises(TypeError, match="unexpected keyword"):
            await executor.submit(double, 1, size=3).result()
        assert await executor.submit(double, 2) == 4


def test_submitting_without_a_loop_says_so() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncExecutor().submit(double, 1)


# Attempts


async def test_a_failed_task_is_tried_again_as_often_as_told() -> None:
    async with AsyncExecutor(1) as executor:
        assert await executor.submit(Flaky(2), retries=2, retry_delay=0) == 3
        assert await executor.submit(Flaky(0), retries=2, retry_delay=0) == 1
        flaky = Flaky(5)
        with pytest.raises(ValueError, match=r"^3\b"):
            await executor.submit(flaky, retries=2, retry_delay=0)
        assert len(flaky.calls) == 3


async def test_a_task_is_tried_once_if_nobody_says_more() -> None:
    flaky = Flaky(1)
    async with AsyncExecutor(1) as executor:
        with pytest.raises(ValueError, match=r"^1\b"):
            await executor.submit(flaky)
    assert len(flaky.calls) == 1


async def test_each_submission_has_its_own_options() -> None:
    calls: list[float] = []
    limit, loop = asyncio.Semaphore(0), asyncio.get_running_loop()

    async def flaky() -> None:
        calls.append(loop.time())
        raise ValueError

    async def count(**options: Any) -> int:
        calls.clear()
        await executor.wait([future := executor.submit(flaky, **options)])
        assert isinstance(future.exception(), ValueError)
        return len(calls)

    async with AsyncExecutor(1) as executor:
        assert await count() == 1
        assert await count(retries=2, retry_delay=0) == 3
        assert await count(retries=1, retry_delay=0) == 2
        assert await count(retries=1, retry_delay=0.02) == 2
        assert calls[1] - calls[0] >= 0.019
        assert await count() == 1
        limited = executor.submit(flaky, semaphore=limit)
        await settle()
        assert not limited.done()
        limit.release()
        await executor.wait([limited])
        assert isinstance(limited.exception(), ValueError)
        assert await count() == 1


async def test_the_last_exception_is_the_original_one() -> None:
    error = ValueError("mine")
    async with AsyncExecutor(1) as executor:
        future = executor.submit(fail, error, retries=2, retry_delay=0)
        with pytest.raises(ValueError, match="mine") as caught:
            await future.result()
    assert caught.value is error
    assert future.exception() is error
    assert error.__cause__ is None
    assert error.__notes__ == ["task 0 of an executor, 'fail', attempt 3"]


async def test_each_pause_is_twice_as_long_as_the_one_before() -> None:
    flaky = Flaky(3)
    async with AsyncExecutor(1) as executor:
        await executor.submit(flaky, retries=3, retry_delay=0.01)
    first, second, third = (
        after - before for before, after in zip(flaky.calls, flaky.calls[1:], strict=False)
    )
    assert first >= 0.009
    assert second >= 0.019
    assert third >= 0.039


def test_pauses_double_from_the_first_and_stay_finite() -> None:
    def work(delay: float) -> Work:
        return Work(double, cast("Any", None), 3, delay, None)

    assert [work(0.1).pause_s(attempt) for attempt in (1, 2, 3, 4)] == [0.1, 0.2, 0.4, 0.8]
    assert work(0.5).pause_s(2000) == work(1e300).pause_s(900) == 24 * 3600
    assert work(0).pause_s(2000) == 0


async def test_a_task_that_is_cancelled_or_ends_the_program_is_not_tried_again() -> None:
    calls = []

    async def end(error: BaseException) -> None:
        calls.append(error)
        raise error

    async with AsyncExecutor(1) as executor:
        for error in (asyncio.CancelledError(), SystemExit(3), KeyboardInterrupt()):
            with pytest.raises(type(error)):
                await executor.submit(end, error, retries=3, retry_delay=0)
    assert len(calls) == 3


async def test_a_worker_keeps_a_task_that_waits_for_another_attempt() -> None:
    flaky = Flaky(1)
    async with AsyncExecutor(1) as executor:
        first = executor.submit(flaky, retries=1, retry_delay=0.01)
        second = executor.submit(same, 2)
        order = [future.sequence_id async for future in executor.as_completed([second, first])]
    assert order == [0, 1]


async def test_trying_again_at_once_lets_the_loop_have_its_turns() -> None:
    flaky = Flaky(10**9)
    executor = AsyncExecutor(1)
    future = executor.submit(flaky, retries=10**9, retry_delay=0)
    await until(lambda: len(flaky.calls) > 5)
    await executor.shutdown(cancel_futures=True)
    assert isinstance(future.exception(), ValueError)


async def test_one_error_that_is_raised_again_and_again_does_not_grow() -> None:
    error = ValueError("shared")

    def length() -> int:
        step, steps = error.__traceback__, 0
        while step is not None:
            step, steps = step.tb_next, steps + 1
        return steps

    async with AsyncExecutor(1) as executor:
        lengths = []
        for _ in range(20):
            with pytest.raises(ValueError, match="shared"):
                await executor.submit(fail, error, retries=2, retry_delay=0)
            lengths.append(length())
    assert lengths[-1] == lengths[0]
    assert len(error.__notes__) == 1


# Semaphores


async def test_tasks_with_one_semaphore_are_limited_by_it() -> None:
    gate, free = Gate(), Gate()
    limit = asyncio.Semaphore(2)
    async with AsyncExecutor(5) as executor:
        limited = [executor.submit(gate, n, semaphore=limit) for n in range(4)]
        executor.submit(free, "free")
        await settle()
        assert gate.begun == [0, 1]
        assert free.begun == ["free"]
        gate.open()
        free.open()
        assert [await future for future in limited] == [0, 1, 2, 3]
    assert not limit.locked()


async def test_a_semaphore_is_free_between_two_attempts() -> None:
    limit = asyncio.Semaphore(1)
    order: list[str] = []

    async def task(name: str) -> None:
        order.append(name)
        if order.count(name) == 1 and name == "flaky":
            raise ValueError(name)

    async with AsyncExecutor(2) as executor:
        executor.submit(task, "flaky", retries=1, retry_delay=0.01, semaphore=limit)
        executor.submit(task, "other", semaphore=limit)
    assert order == ["flaky", "other", "flaky"]


# Functions of other kinds


async def test_a_plain_function_runs_in_a_thread_and_not_on_the_loop() -> None:
    released = threading.Event()

    def block(value: int) -> tuple[int, bool]:
        released.wait(30)
        return value, threading.current_thread() is threading.main_thread()

    async with AsyncExecutor(3) as executor:
        futures = [executor.submit(block, n) for n in range(3)]
        await settle()
        assert not any(future.done() for future in futures)
        released.set()
        assert [await future for future in futures] == [(0, False), (1, False), (2, False)]


async def test_as_many_plain_functions_run_at_once_as_there_are_workers() -> None:
    barrier = threading.Barrier(9, timeout=30)
    async with AsyncExecutor(9) as executor:
        assert sorted(await executor.map(barrier.wait, [30.0] * 9)) == list(range(9))


async def test_what_gives_an_awaitable_is_called_on_the_loop() -> None:
    def wrapper(value: int) -> Any:
        return double(value)

    class Client:
        async def get(self, value: int) -> int:
            return await double(value)

        def ask(self, value: int) -> Any:
            return asyncio.ensure_future(double(value))

        async def __call__(self, value: int) -> int:
            return await double(value)

    client = Client()
    tasks: list[Any] = [
        wrapper,
        client,
        client.get,
        client.ask,
        lambda value: double(value),  # noqa: PLW0108  that is the point
        functools.partial(double),
        functools.partial(client.get),
    ]
    async with AsyncExecutor(2) as executor:
        assert [await executor.submit(task, 4) for task in tasks] == [8] * len(tasks)


async def test_a_plain_function_can_be_tried_again_and_can_fail() -> None:
    calls = []

    def flaky(limit: int) -> int:
        calls.append(limit)
        if len(calls) < limit:
            raise ValueError(limit)
        return len(calls)

    async with AsyncExecutor(1) as executor:
        assert await executor.submit(flaky, 3, retries=4, retry_delay=0) == 3
        with pytest.raises(ZeroDivisionError):
            await executor.submit(divmod, 1, 0)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await executor.submit(next, iter(()))


def test_no_thread_is_left_after_shutdown(run_alone: RunOnLoop[None]) -> None:
    before = threading.active_count()

    async def main() -> None:
        async with AsyncExecutor(4) as executor:
            assert await executor.map(abs, [-1, -2, -3]) == [1, 2, 3]
        assert threading.active_count() == before

    run_alone(main())


# Contexts

request_var = contextvars.ContextVar("request_var", default="nobody's")


async def test_a_task_sees_the_context_of_who_submitted_it() -> None:
    async def read() -> str:
        await asyncio.sleep(0)
        return request_var.get()

    async with AsyncExecutor(1) as executor:
        futures = []
        for name in ("first", "second"):
            request_var.set(name)
            futures += [executor.submit(read), executor.submit(request_var.get)]
        request_var.set("third")
        assert [await future for future in futures] == ["first", "first", "second", "second"]
        assert await executor.map(lambda _: read(), [1, 2]) == ["third", "third"]


async def test_what_a_task_sets_is_seen_by_no_other() -> None:
    async def change(number: int) -> tuple[str, str]:
        found = request_var.get()
        request_var.set(f"task {number}")
        await asyncio.sleep(0)
        return found, request_var.get()

    request_var.set("before")
    async with AsyncExecutor(1) as executor:
        assert await executor.map(change, range(3)) == [("before", f"task {n}") for n in range(3)]
    assert request_var.get() == "before"


# Ends of tasks


@pytest.mark.parametrize("error", [asyncio.CancelledError("own"), SystemExit(3), KeyboardInterrupt("own")])
async def test_what_a_task_raises_ends_its_future_and_not_its_worker(error: BaseException) -> None:
    async def worker() -> object:
        return asyncio.current_task()

    async with AsyncExecutor(1) as executor:
        before, failed, after = (
            executor.submit(worker),
            executor.submit(fail, error),
            executor.submit(worker),
        )
        assert await before is await after
        assert failed.exception() is error
        future = executor.submit(fail, error)
        others = [executor.submit(double, n) for n in range(3)]
        with pytest.raises(type(error)) as caught:
            await future.result()
        assert caught.value is error
        assert future.exception() is error
        assert [await other for other in others] == [0, 2, 4]


@pytest.mark.parametrize("kind", [StopAsyncIteration, GeneratorExit])
async def test_odd_exceptions_are_handed_on_as_they_are(kind: type[BaseException]) -> None:
    async with AsyncExecutor(1) as executor:
        future = executor.submit(fail, kind("odd"))
        other = executor.submit(double, 1)
        assert await other == 2
        assert isinstance(future.exception(), kind)


async def test_a_task_may_cancel_itself() -> None:
    async def give_up() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel("enough")
        await asyncio.sleep(0)

    async with AsyncExecutor(1) as executor:
        future = executor.submit(give_up)
        others = [executor.submit(double, n) for n in range(3)]
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await future.result()
        assert [await other for other in others] == [0, 2, 4]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_task_that_cancels_itself_as_it_ends_leaves_the_next_one_alone(fails: bool) -> None:
    async def cancel_late() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        if fails:
            raise ValueError
        return "done"

    async def group(value: int) -> int:
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(fail(LookupError(value)))
        return value

    async with AsyncExecutor(1) as executor:
        future = executor.submit(cancel_late)
        others = [executor.submit(group, n) for n in range(2)]
        await executor.wait([future])
        assert isinstance(future.exception(), ValueError) is fails
        assert [await other for other in others] == [0, 1]


async def test_a_task_may_have_timeouts_and_groups_of_its_own() -> None:
    async def patient() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            pass
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail(ValueError("inside")))
                await asyncio.Event().wait()
        except* ValueError:
            pass
        return "went on"

    async with AsyncExecutor(1) as executor:
        futures = [executor.submit(patient) for _ in range(3)]
        assert [await future for future in futures] == ["went on"] * 3


async def test_who_cancels_all_tasks_by_hand_gets_them_ended_and_the_executor_goes_on() -> None:
    gate = Gate()
    executor = AsyncExecutor(2)
    futures = [executor.submit(gate, n) for n in range(4)]
    await gate.wait_begun(2)
    workers = worker_tasks()
    for task in workers:
        task.cancel()
    await asyncio.wait(workers)
    assert all(task.cancelled() for task in workers)
    gate.open()
    assert [await future for future in futures[2:]] == [2, 3]
    assert [type(future.exception()) for future in futures[:2]] == [asyncio.CancelledError] * 2
    await executor.shutdown()


def test_a_loop_that_ends_takes_what_is_left_with_it(run_on_new_loop: RunOnLoop[Any]) -> None:
    """`asyncio.run` cancels all tasks: the executor must begin no other, and nobody may wait for ever."""
    gate_begun: list[int] = []

    async def stay(number: int) -> None:
        gate_begun.append(number)
        await asyncio.Event().wait()

    async def main() -> tuple[AsyncExecutor, list[AsyncFuture[None]]]:
        executor = AsyncExecutor(2)
        futures = [executor.submit(stay, n) for n in range(5)]
        await until(lambda: len(gate_begun) == 2)
        return executor, futures

    executor, futures = run_on_new_loop(main())
    assert gate_begun == [0, 1]
    assert [type(future.exception()) for future in futures] == [
        *[asyncio.CancelledError] * 2,
        *[ExecutorShutdownError] * 3,
    ]

    async def again() -> None:
        async with executor:
            assert await executor.submit(double, 4) == 8

    run_on_new_loop(again())


async def test_an_executor_at_work_belongs_to_its_loop() -> None:
    gate, refused = Gate(), []
    async with AsyncExecutor(1) as executor:
        executor.submit(gate, 1)
        await gate.wait_begun(1)

        async def elsewhere() -> None:
            with pytest.raises(RuntimeError, match="at work on another event loop"):
                executor.submit(double, 1)
            refused.append(True)

        thread = threading.Thread(target=asyncio.run, args=[elsewhere()])
        thread.start()
        await until(lambda: not thread.is_alive())
        assert refused
        gate.open()


class Argument:
    """Something whose end can be seen."""


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What goes now goes because nobody refers to it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_the_arguments_of_a_task_that_is_done_are_let_go(no_collector: None) -> None:
    async def take(argument: Argument) -> None:
        await asyncio.sleep(0)

    argument = Argument()
    seen = weakref.ref(argument)
    async with AsyncExecutor(1) as executor:
        future = executor.submit(take, argument)
        del argument
        await future
        await settle()
        assert seen() is None


@pytest.mark.parametrize("options", [{}, {"retries": 1, "retry_delay": 0}], ids=["once", "twice"])
async def test_a_failed_future_goes_with_all_that_its_error_refers_to(
    no_collector: None, options: dict[str, Any]
) -> None:
    async def take(argument: Argument) -> None:
        await asyncio.sleep(0)
        raise ValueError

    argument = Argument()
    async with AsyncExecutor(1) as executor:
        future = executor.submit(take, argument, **options)
        left: list[weakref.ref[Any]] = [weakref.ref(argument), weakref.ref(future)]
        del argument
        with pytest.raises(ValueError):
            await future
        del future
        await settle()
        assert [reference() for reference in left] == [None, None]


async def test_an_idle_executor_has_no_tasks_and_no_timers() -> None:
    executor = AsyncExecutor(10)
    assert worker_tasks() == []
    await executor.map(same, range(100))
    await settle()
    assert worker_tasks() == []
    assert repr(executor) == "<AsyncExecutor: 0 of 10 workers busy, 0 tasks waiting>"


async def test_tasks_that_never_suspend_leave_the_loop_its_turns() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    async with AsyncExecutor(2) as executor:
        await executor.wait([executor.submit(same, n) for n in range(2000)])
    assert turns > 5
    counting.cancel()
    await asyncio.wait([counting])


async def test_what_a_task_asks_of_its_pipeline_it_may_ask_in_an_executor_too() -> None:
    async def shout(value: int) -> tuple[str, bool]:
        state = get_worker_state()
        assert state is not None
        async with concurrency_limit():
            return state.stage, set_task_status(f"shouting {value}")

    async with AsyncExecutor(1) as executor:

        async def work(value: int) -> tuple[str, bool]:
            return await executor.submit(shout, value)

        first, second = (Stage(name, 3, [work], call_concurrency=1) for name in ("First", "Second"))
        pipelines = [Pipeline([stage]).run(range(5)) for stage in (first, second)]
        results = await asyncio.gather(*pipelines)
    for name, seen in zip(("First", "Second"), results, strict=True):
        assert [result.value for result in seen] == [(name, True)] * 5


async def test_a_task_may_submit_and_await_others() -> None:
    async def outer(executor: AsyncExecutor, depth: int) -> int:
        return 1 + await executor.submit(outer, executor, depth - 1) if depth else 0

    async with AsyncExecutor(5) as executor:
        assert await executor.submit(outer, executor, 4) == 4


# Shutdown


async def test_after_shutdown_nothing_is_taken() -> None:
    executor = AsyncExecutor()
    await executor.shutdown()
    await executor.shutdown()
    with pytest.raises(ExecutorShutdownError, match="Cannot submit tasks to a shutdown executor"):
        executor.submit(same, 1)
    with pytest.raises(ExecutorShutdownError, match="Cannot use map on a shutdown executor"):
        await executor.map(same, [1])
    with pytest.raises(AntFlowError, match="Cannot use map on a shutdown executor"):
        await anext(executor.map_iter(same, [1]))
    assert "shut down" in repr(executor)


async def test_shutdown_waits_until_all_is_done() -> None:
    gate = Gate()
    executor = AsyncExecutor(2)
    futures = [executor.submit(gate, n) for n in range(5)]
    ending = asyncio.create_task(executor.shutdown())
    await settle()
    assert not ending.done()
    gate.open()
    await ending
    assert all(future.done() for future in futures)
    assert worker_tasks() == []


async def test_shutdown_without_waiting_leaves_the_rest_to_the_background() -> None:
    gate = Gate()
    executor = AsyncExecutor(1)
    futures = [executor.submit(gate, n) for n in range(3)]
    await executor.shutdown(wait=False)
    assert not any(future.done() for future in futures)
    with pytest.raises(ExecutorShutdownError):
        executor.submit(same, 1)
    gate.open()
    assert [await future for future in futures] == [0, 1, 2]
    await executor.shutdown()


@pytest.mark.parametrize("wait", [True, False])
async def test_cancelling_futures_ends_those_that_wait_and_lets_the_others_finish(wait: bool) -> None:
    gate = Gate()
    executor = AsyncExecutor(2)
    futures = [executor.submit(gate, n) for n in range(5)]
    await gate.wait_begun(2)
    ending = asyncio.create_task(executor.shutdown(wait=wait, cancel_futures=True))
    await until(futures[-1].done)
    assert [future.done() for future in futures] == [False, False, True, True, True]
    for future in futures[2:]:
        with pytest.raises(ExecutorShutdownError, match="Executor shutdown"):
            await future.result()
    assert ending.done() is not wait
    gate.open()
    assert [await future for future in futures[:2]] == [0, 1]
    await ending
    assert gate.begun == [0, 1]
    await executor.shutdown()


async def test_cancelling_futures_does_not_wait_for_another_attempt() -> None:
    flaky = Flaky(9)
    executor = AsyncExecutor(1)
    future = executor.submit(flaky, retries=8, retry_delay=1000)
    await until(lambda: flaky.calls)
    await executor.shutdown(cancel_futures=True)
    with pytest.raises(ValueError, match=r"^1\b"):
        await future.result()
    assert len(flaky.calls) == 1


async def test_cancelling_futures_leaves_an_attempt_its_end_and_begins_no_other() -> None:
    gate, calls = Gate(), list[int]()

    async def work() -> None:
        calls.append(await gate(len(calls)))
        raise ValueError(len(calls))

    executor = AsyncExecutor(1)
    future = executor.submit(work, retries=8, retry_delay=1000)
    await gate.wait_begun(1)
    await executor.shutdown(wait=False, cancel_futures=True)
    assert not future.done()
    gate.open()
    await executor.shutdown()
    assert isinstance(future.exception(), ValueError)
    assert calls == [0]


async def test_a_second_shutdown_may_cancel_what_the_first_waits_for() -> None:
    gate = Gate()
    executor = AsyncExecutor(1)
    futures = [executor.submit(gate, n) for n in range(3)]
    ending = asyncio.create_task(executor.shutdown())
    await gate.wait_begun(1)
    await executor.shutdown(wait=False, cancel_futures=True)
    gate.open()
    await ending
    assert [type(future.exception()) for future in futures[1:]] == [ExecutorShutdownError] * 2


async def test_who_waits_for_shutdown_may_be_cancelled_and_the_work_goes_on() -> None:
    gate = Gate()
    executor = AsyncExecutor(1)
    future = executor.submit(gate, 1)
    ending = asyncio.create_task(executor.shutdown())
    await gate.wait_begun(1)
    ending.cancel()
    await asyncio.wait([ending])
    gate.open()
    assert await future == 1
    await executor.shutdown()


async def test_tasks_may_shut_their_own_executor_down() -> None:
    async def end(executor: AsyncExecutor, gate: Gate) -> str:
        await gate(0)
        await executor.shutdown()
        return "ended"

    gate = Gate()
    executor = AsyncExecutor(2)
    futures = [executor.submit(end, executor, gate), executor.submit(end, executor, gate)]
    last = executor.submit(same, "last")
    await gate.wait_begun(2)
    gate.open()
    assert [await future for future in futures] == ["ended", "ended"]
    assert await last == "last"
    await executor.shutdown()


async def test_leaving_waits_for_what_was_submitted() -> None:
    async with AsyncExecutor(1) as executor:
        futures = [executor.submit(double, n) for n in range(5)]
    assert [await future for future in futures] == [0, 2, 4, 6, 8]


async def test_leaving_by_an_exception_waits_too_and_hands_it_on() -> None:
    futures: list[AsyncFuture[int]] = []

    async def use() -> None:
        async with AsyncExecutor(1) as executor:
            futures.extend(executor.submit(double, n) for n in range(5))
            raise LookupError("body")

    with pytest.raises(LookupError, match="body"):
        await use()
    assert [await future for future in futures] == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("where", ["body", "end"])
async def test_leaving_by_a_cancellation_ends_everything(where: str) -> None:
    gate, cleaned = Gate(), []
    futures: list[AsyncFuture[Any]] = []

    async def work(number: int) -> None:
        try:
            await gate(number)
        finally:
            cleaned.append(number)

    async def use() -> None:
        async with AsyncExecutor(2) as executor:
            futures.extend(executor.submit(work, n) for n in range(5))
            if where == "body":
                await asyncio.Event().wait()

    using = asyncio.create_task(use())
    await gate.wait_begun(2)
    using.cancel()
    await asyncio.wait([using])
    assert using.cancelled()
    assert cleaned == [0, 1]
    assert [type(future.exception()) for future in futures] == [
        *[asyncio.CancelledError] * 2,
        *[ExecutorShutdownError] * 3,
    ]
    assert worker_tasks() == []


async def test_leaving_by_a_cancellation_does_not_wait_for_another_attempt() -> None:
    flaky = Flaky(9)
    futures = []

    async def use() -> None:
        async with AsyncExecutor(1) as executor:
            futures.append(executor.submit(flaky, retries=8, retry_delay=1000))

    using = asyncio.create_task(use())
    await until(lambda: flaky.calls)
    using.cancel()
    await asyncio.wait([using])
    assert isinstance(futures[0].exception(), ValueError)


async def test_a_task_that_will_not_be_cancelled_is_waited_for() -> None:
    gate = Gate()

    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await gate(1)
        return "kept"

    futures: list[AsyncFuture[Any]] = []

    async def use() -> None:
        async with AsyncExecutor(1) as executor:
            futures.extend([executor.submit(stubborn), executor.submit(double, 1)])
            await asyncio.Event().wait()

    using = asyncio.create_task(use())
    await settle()
    using.cancel()
    await gate.wait_begun(1)
    assert not using.done()
    gate.open()
    await asyncio.wait([using])
    assert futures[0].exception() is None
    assert await futures[0] == "kept"
    assert isinstance(futures[1].exception(), ExecutorShutdownError)


async def test_a_cancellation_does_not_wait_for_a_function_in_a_thread() -> None:
    released, entered = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        released.wait(30)

    async def use() -> None:
        async with AsyncExecutor(1) as executor:
            futures.append(executor.submit(block))

    futures: list[AsyncFuture[None]] = []
    using = asyncio.create_task(use())
    await until(entered.is_set)
    using.cancel()
    await asyncio.wait([using])
    assert isinstance(futures[0].exception(), asyncio.CancelledError)
    released.set()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_what_ends_the_program_ends_the_tasks_on_its_way(kind: type[BaseException]) -> None:
    gate = Gate()
    futures: list[AsyncFuture[Any]] = []

    async def use() -> None:
        async with AsyncExecutor(1) as executor:
            futures.extend(executor.submit(gate, n) for n in range(2))
            await gate.wait_begun(1)
            raise kind

    with pytest.raises(kind):
        await use()
    assert [type(future.exception()) for future in futures] == [
        asyncio.CancelledError,
        ExecutorShutdownError,
    ]
