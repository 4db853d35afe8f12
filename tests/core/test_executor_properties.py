"""Properties of AsyncExecutor: whatever is submitted and however it is left, each future ends once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antflow_core import AsyncExecutor, AsyncFuture, ExecutorShutdownError, WaitStrategy
from tests.support.loops import RunOnLoop

quick = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

ERRORS: dict[str, type[BaseException]] = {
    "fails": ValueError,
    "is cancelled": asyncio.CancelledError,
    "ends the program": SystemExit,
}


@dataclass(frozen=True)
class Plan:
    """What a task does: how it ends, after how many failures and turns of the loop."""

    end: str
    failures: int
    retries: int
    turns: int
    limited: bool
    waiter: str

    @property
    def outcome(self) -> type[BaseException] | None:
        """What it ends in when nobody stops it; None for its number."""
        return ValueError if self.failures > self.retries else ERRORS.get(self.end)

    @property
    def attempts(self) -> int:
        failures = self.failures if self.end != "fails" else self.retries
        return min(failures, self.retries) + 1


plans = st.builds(
    Plan,
    end=st.sampled_from(["succeeds", "succeeds", "succeeds", "cancels itself late", *ERRORS]),
    failures=st.integers(0, 2),
    retries=st.integers(0, 2),
    turns=st.integers(0, 3),
    limited=st.booleans(),
    waiter=st.sampled_from(["", "", "waits", "is cancelled", "is late"]),
)


@dataclass
class World:
    """What the tasks of one example did."""

    workers: int
    plans: list[Plan]
    limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    calls: list[int] = field(default_factory=list)
    ends: Counter[int] = field(default_factory=Counter)
    inside: int = 0
    inside_limit: int = 0

    async def work(self, number: int) -> int:
        plan = self.plans[number]
        self.calls.append(number)
        self.inside += 1
        self.inside_limit += plan.limited
        assert self.inside <= self.workers
        assert self.inside_limit <= 2
        try:
            for _ in range(plan.turns):
                await asyncio.sleep(0)
            if self.calls.count(number) <= plan.failures:
                raise ValueError(number)
            if plan.end == "cancels itself late":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            if plan.end in ERRORS:
                raise ERRORS[plan.end](number)
            return number
        finally:
            self.inside -= 1
            self.inside_limit -= plan.limited

    def submit_all(self, executor: AsyncExecutor) -> list[AsyncFuture[int]]:
        futures = []
        for number, plan in enumerate(self.plans):
            limit = self.limit if plan.limited else None
            future = executor.submit(self.work, number, retries=plan.retries, retry_delay=0, semaphore=limit)
            future.add_done_callback(self._note_end)
            futures.append(future)
        return futures

    def _note_end(self, future: AsyncFuture[int]) -> None:
        self.ends[future.sequence_id] += 1

    async def wait_for(self, future: AsyncFuture[int], waiter: str) -> None:
        """As one who waits for a result: to its end, or not."""
        try:
            result = await future.result(timeout=0.0001 if waiter == "is late" else None)
        except TimeoutError:
            assert waiter == "is late"
        except (ValueError, asyncio.CancelledError, SystemExit, ExecutorShutdownError):
            if not future.done():
                assert waiter == "is cancelled"
        else:
            assert result == future.sequence_id

    def start_waiters(self, futures: list[AsyncFuture[int]]) -> list[asyncio.Task[None]]:
        waiting = [future for future in futures if self.plans[future.sequence_id].waiter]
        return [
            asyncio.create_task(self.wait_for(future, self.plans[future.sequence_id].waiter))
            for future in waiting
        ]

    def cancel_waiters(self, waiters: list[asyncio.Task[None]]) -> None:
        kinds = [plan.waiter for plan in self.plans if plan.waiter]
        for waiter, kind in zip(waiters, kinds, strict=bool(waiters)):
            if kind == "is cancelled":
                waiter.cancel()

    def check(self, futures: list[AsyncFuture[int]], *, stopped: bool) -> None:
        """Each future has ended once, in what its plan says, or in what stopped it."""
        assert [future.done() for future in futures] == [True] * len(futures)
        assert self.ends == Counter(range(len(futures)))
        for number, (future, plan) in enumerate(zip(futures, self.plans, strict=True)):
            error, calls = future.exception(), self.calls.count(number)
            assert calls <= plan.attempts
            if isinstance(error, ExecutorShutdownError):
                assert stopped
                assert calls == 0
            elif not stopped:
                assert calls == plan.attempts
                assert type(error) is (plan.outcome or type(None))
            elif error is None:
                assert plan.outcome is None
            else:
                assert isinstance(error, (plan.outcome or ValueError, ValueError, asyncio.CancelledError))


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Leaving:
    """How an executor is left, and after how many turns of the loop."""

    way: str
    turns: int

    @property
    def stops(self) -> bool:
        """Whether it ends tasks that have not come to their end."""
        return self.way in {"cancel", "drop", "drop and go"}

    async def leave(self, executor: AsyncExecutor) -> None:
        if self.way == "error":
            raise LookupError
        if self.way == "cancel":
            await asyncio.Event().wait()
        if self.way == "leave":
            return
        await executor.shutdown(wait="go" not in self.way, cancel_futures="drop" in self.way)
        with pytest.raises(ExecutorShutdownError):
            executor.submit(turns, 0)


leavings = st.builds(
    Leaving,
    way=st.sampled_from(["leave", "error", "cancel", "shutdown", "drop", "drop and go", "go"]),
    turns=st.integers(0, 25),
)


@quick
@given(todo=st.lists(plans, max_size=25), workers=st.integers(1, 5), leaving=leavings)
def test_each_future_ends_once_as_its_task_says_however_the_executor_is_left(
    run_alone: RunOnLoop[None], todo: list[Plan], workers: int, leaving: Leaving
) -> None:
    async def main() -> None:
        world = World(workers, todo)
        futures: list[AsyncFuture[int]] = []
        waiters: list[asyncio.Task[None]] = []

        async def use() -> None:
            async with AsyncExecutor(workers) as executor:
                futures.extend(world.submit_all(executor))
                waiters.extend(world.start_waiters(futures))
                await turns(leaving.turns)
                await leaving.leave(executor)

        using = asyncio.create_task(use())
        await turns(leaving.turns + 2)
        world.cancel_waiters(waiters)
        if leaving.way == "cancel":
            using.cancel()
        [outcome] = await asyncio.gather(using, return_exceptions=True)
        ends = {"cancel": asyncio.CancelledError, "error": LookupError}
        assert type(outcome) is ends.get(leaving.way, type(None))
        await asyncio.gather(*waiters, return_exceptions=True)
        assert all(waiter.cancelled() or waiter.exception() is None for waiter in waiters)
        assert world.inside == 0
        world.check(futures, stopped=leaving.stops)

    run_alone(main())


@quick
@given(todo=st.lists(plans, min_size=1, max_size=20), workers=st.integers(1, 4), data=st.data())
def test_whoever_waits_for_several_gets_each_of_them_once(
    run_alone: RunOnLoop[None], todo: list[Plan], workers: int, data: st.DataObject
) -> None:
    strategy = data.draw(st.sampled_from(list(WaitStrategy)))

    async def main() -> None:
        world = World(workers, todo)
        async with AsyncExecutor(workers) as executor:
            futures = world.submit_all(executor)
            done, pending = await executor.wait(futures, return_when=strategy)
            assert done | pending == set(futures)
            assert not done & pending
            if strategy is WaitStrategy.ALL_COMPLETED:
                assert not pending
            elif strategy is WaitStrategy.FIRST_EXCEPTION:
                assert not pending or any(future.failed() for future in done)
            else:
                assert done
            seen = [future async for future in executor.as_completed(futures)]
            assert Counter(seen) == Counter(futures)
        world.check(futures, stopped=False)

    run_alone(main())


@quick
@given(
    todo=st.lists(plans, max_size=30),
    workers=st.integers(1, 4),
    ahead=st.sampled_from([None, 1, 2, 100]),
    lazily=st.booleans(),
    leave_after=st.integers(0, 30),
)
def test_a_map_gives_the_results_in_order_up_to_the_first_failure(
    run_alone: RunOnLoop[None],
    todo: list[Plan],
    workers: int,
    ahead: int | None,
    lazily: bool,
    leave_after: int,
) -> None:
    outcomes = [None if plan.failures == 0 and plan.outcome is None else plan for plan in todo]
    good = next((number for number, plan in enumerate(outcomes) if plan is not None), len(todo))

    async def main() -> None:
        world = World(workers, [Plan(p.end, p.failures, 0, p.turns, limited=False, waiter="") for p in todo])
        numbers: Any = iter(range(len(todo))) if lazily else list(range(len(todo)))
        seen: list[int] = []
        failure: BaseException | None = None
        async with AsyncExecutor(workers) as executor:
            results = executor.map_iter(world.work, numbers, buffer_size=ahead)
            try:
                async for result in results:
                    seen.append(result)
                    if len(seen) == leave_after:
                        break
            except (ValueError, asyncio.CancelledError, SystemExit) as error:
                failure = error
            await results.aclose()
        ends_early = 0 < leave_after <= good
        assert seen == list(range(leave_after if ends_early else good))
        assert (failure is not None) is (not ends_early and good < len(todo))
        assert max(Counter(world.calls).values(), default=0) <= 1
        assert world.inside == 0

    run_alone(main())
