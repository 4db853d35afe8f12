"""Properties of cancelling and retrying single items: whatever happens when, every item ends exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Self

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from antflow_core import Pipeline, PipelineError, PipelineResult, Stage, StatusEvent, StatusTracker
from tests.support.loops import RunOnLoop

ITEMS = 20

quick = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True)
class Behaviour:
    """What a stage does with an item, by its number."""

    workers: int
    capacity: int | None
    pull: bool
    per_stage: bool
    attempts: int
    wait_s: float
    fails_every: int
    fails_times: int
    skips_every: int
    suspends: int
    tasks: int
    limited: bool
    timed: bool
    unpacks: bool
    runs_in: Literal["loop", "threads", "executor"]
    asks: Literal["nothing", "feed", "retry", "cancel", "workers"]


@dataclass(frozen=True)
class Step:
    """Something done to the pipeline after some turns of the loop."""

    turns: int
    what: Literal[
        "cancel", "retry", "feed", "feed middle", "pause", "workers", "give up waiting", "stop", "end"
    ]
    number: int


behaviours = st.builds(
    Behaviour,
    workers=st.integers(1, 3),
    capacity=st.sampled_from([None, 0, 1, 2]),
    pull=st.booleans(),
    per_stage=st.booleans(),
    attempts=st.integers(1, 2),
    wait_s=st.sampled_from([0, 0, 0.001]),
    fails_every=st.integers(0, 4),
    fails_times=st.integers(1, 6),
    skips_every=st.integers(0, 5),
    suspends=st.integers(0, 3),
    tasks=st.integers(1, 2),
    limited=st.booleans(),
    timed=st.booleans(),
    unpacks=st.booleans(),
    runs_in=st.sampled_from(["loop", "loop", "loop", "threads", "executor"]),
    asks=st.sampled_from(["nothing", "nothing", "feed", "retry", "cancel", "workers"]),
)
deeds = ["cancel"] * 6 + ["retry"] * 4 + ["feed", "feed middle", "pause", "workers", "give up waiting"]
steps = st.builds(Step, st.integers(0, 6), st.sampled_from(deeds), st.integers(0, 30))
ends = st.builds(Step, st.integers(0, 6), st.sampled_from(["stop", "end"]), st.integers(0, 30))
plans = st.lists(steps, max_size=15)
listeners = st.sampled_from(["nobody", "silent", "plain", "async", "asking"])


def bare(value: Any) -> int:
    """The number in a value that was packed for a stage that unpacks."""
    if isinstance(value, dict):
        return int(value["value"])
    return int(value[0]) if isinstance(value, list) else int(value)


def packed(value: int, behaviour: Behaviour | None) -> Any:
    """A value as the next stage is to get it."""
    if behaviour is None or not behaviour.unpacks:
        return value
    return {"value": value} if value % 2 else [value]


def make_stage(
    index: int,
    behaviour: Behaviour,
    following: Behaviour | None,
    ask: Callable[[str, int], Awaitable[None]],
    executor: ThreadPoolExecutor,
) -> Stage:
    calls: Counter[int] = Counter()

    def judge(value: Any) -> Any:
        number = bare(value)
        calls[number] += 1
        fails = behaviour.fails_every and number % behaviour.fails_every == 0
        if fails and calls[number] <= behaviour.fails_times:
            raise ValueError(number)
        return packed(number, following)

    async def work(value: Any) -> Any:
        for _ in range(behaviour.suspends):
            await asyncio.sleep(0)
        if bare(value) % 4 == 3:
            await ask(behaviour.asks, bare(value))
        return judge(value)

    async def before(value: Any) -> Any:
        return packed(bare(value), behaviour)

    def is_skipped(value: Any) -> bool:
        return bool(behaviour.skips_every) and bare(value) % behaviour.skips_every == 1

    last: Any = work if behaviour.runs_in == "loop" else judge
    return Stage(
        f"Stage {index}",
        behaviour.workers,
        [before, last][-behaviour.tasks if behaviour.runs_in != "executor" else -1 :],
        retry="per_stage" if behaviour.per_stage else "per_task",
        task_attempts=behaviour.attempts,
        stage_attempts=behaviour.attempts,
        task_wait=lambda _: behaviour.wait_s,
        queue_capacity=behaviour.capacity,
        pull=behaviour.pull and index > 0 and not behaviour.per_stage,
        skip_if=is_skipped if behaviour.skips_every else None,
        task_concurrency_limits={last.__name__: 1} if behaviour.limited else {},
        timeout=20 if behaviour.timed else None,
        unpack_args=behaviour.unpacks,
        executor=executor if behaviour.runs_in == "executor" else None,
    )


def make_tracker(listener: str, ask: Callable[[str, int], Awaitable[None]]) -> StatusTracker | None:
    async def hear(_: StatusEvent) -> None:
        await asyncio.sleep(0)

    async def hear_and_ask(change: StatusEvent) -> None:
        if change.item_id % 4 == 1:
            await ask("retry", change.item_id)
        elif change.status == "queued" and change.item_id % 4 == 3:
            await ask("feed", change.item_id)

    heard: dict[str, Any] = {
        "silent": None,
        "plain": lambda _: None,
        "async": hear,
        "asking": hear_and_ask,
    }
    return None if listener == "nobody" else StatusTracker(heard[listener])


def note_shape(behaviour: list[Behaviour], listener: str) -> None:
    """Tell Hypothesis what is tried, for its statistics."""
    event(f"listener: {listener}")
    for index, each in enumerate(behaviour):
        event(f"runs in {each.runs_in}, {'per stage' if each.per_stage else 'per task'}")
        event(f"pull: {each.pull and index > 0 and not each.per_stage}")
        event(f"unpacks: {each.unpacks}, limited: {each.limited}, timed: {each.timed}")


class Trial:
    """A pipeline that is meddled with, and what must hold of it all the while."""

    def __init__(self, behaviour: list[Behaviour], listener: str) -> None:
        self.tracker = make_tracker(listener, self.ask)
        self.executor = ThreadPoolExecutor(2)
        following = [*behaviour[1:], None]
        stages = [
            make_stage(index, *each, self.ask, self.executor)
            for index, each in enumerate(zip(behaviour, following, strict=True))
        ]
        self.pipeline = Pipeline(stages, status_tracker=self.tracker)
        self.fed_within = 0
        note_shape(behaviour, listener)
        self.cancelled: set[int] = set()
        self.waits: list[asyncio.Task[list[PipelineResult]]] = []
        self.feeds: list[asyncio.Task[None]] = []
        self.running: asyncio.Task[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.shutdown()

    def check(self) -> None:
        """The arithmetic that holds at every moment."""
        pipeline, stats = self.pipeline, self.pipeline.get_stats()
        ended = [stats.items_processed, stats.items_failed, pipeline.dropped_items, pipeline.cancelled_items]
        stages = stats.stage_stats.values()
        assert min(*ended, stats.items_in_flight, *(stage.failed_items for stage in stages)) >= 0
        assert sum(ended) + stats.items_in_flight == pipeline._run.fed
        assert sum(stage.failed_items for stage in stages) >= stats.items_failed
        assert sum(stats.queue_sizes.values()) <= stats.items_in_flight

    async def meddle(self, plan: list[Step]) -> None:
        """Do one thing after the other."""
        for step in plan:
            for _ in range(step.turns):
                await asyncio.sleep(0)
                self.check()
            self.do(step)
            self.check()
        if self.pipeline.paused:
            self.pipeline.resume()

    async def ask(self, what: str, number: int) -> None:
        """Do one thing from within, as a task or a callback."""
        pipeline = self.pipeline
        stage = pipeline.stages[number // 4 % len(pipeline.stages)]
        event(f"from within: {what}")
        match what:
            case "feed" if self.fed_within < ITEMS:
                self.fed_within += 1
                await pipeline.feed([number], target_stage=stage.name, priority=number)
            case "retry":
                with suppress(PipelineError):  # it would wait for itself
                    results = await pipeline.retry_failed(stage.name)
                    event(f"from within: {'some' if results else 'none'} came through at last")
            case "cancel":
                self.cancel(number + 1)
            case "workers":
                pipeline.set_workers(stage.name, 1 + number % 3)

    def cancel(self, number: int) -> None:
        """Cancel an item, and remember it if that is how it ends."""
        if self.pipeline.cancel_item(number):
            self.cancelled.add(number)

    def do(self, step: Step) -> None:
        """Do one thing."""
        pipeline, number = self.pipeline, step.number
        event(f"done: {step.what}")
        match step.what:
            case "cancel":
                self.cancel(number)
            case "retry":
                stage = pipeline.stages[number % len(pipeline.stages)].name if number % 3 else None
                self.waits.append(asyncio.create_task(pipeline.retry_failed(stage)))
            case "feed":
                self.feeds.append(asyncio.create_task(pipeline.feed(range(number % 4), priority=number)))
            case "feed middle" if self.running is not None and not self.running.done():
                stage = pipeline.stages[number % len(pipeline.stages)].name
                feeding = pipeline.feed(range(number % 4), target_stage=stage, priority=number)
                self.feeds.append(asyncio.create_task(feeding))
            case "pause":
                with suppress(PipelineError):  # it may be at its end
                    (pipeline.resume if pipeline.paused else pipeline.pause)()
            case "workers":
                pipeline.set_workers(pipeline.stages[number % len(pipeline.stages)].name, 1 + number % 3)
            case "give up waiting":
                for wait in self.waits[number % 2 :: 2]:
                    wait.cancel()
            case "stop":
                pipeline.request_stop()
            case "end" if self.running is not None:
                self.running.cancel()

    async def settle(self) -> None:
        """All that was begun is over."""
        if self.running is not None:
            await asyncio.wait([self.running])
        if self.pipeline._run.ended or not self.pipeline._run.started:
            for feed in self.feeds:
                feed.cancel()  # it came after the end, and waits for the start of another run
        await asyncio.wait([*self.waits, *self.feeds, asyncio.create_task(asyncio.sleep(0))])
        for wait in self.waits:
            if not wait.cancelled():
                results = wait.result()
                assert [r.sequence_id for r in results] == sorted({r.sequence_id for r in results})
                assert {r.id for r in results}.isdisjoint(self.cancelled)

    def check_ends(self, results: list[PipelineResult]) -> None:
        """Every item has ended once, and the tracker says the same."""
        self.check()
        pipeline, stats = self.pipeline, self.pipeline.get_stats()
        assert stats.items_in_flight == 0
        assert set(stats.queue_sizes.values()) == {0}
        assert {state.status for state in pipeline.get_worker_states().values()} == {"idle"}
        through = {result.id for result in results}
        failed = {item.item_id for item in pipeline.get_error_summary().failed_items}
        assert (len(through), len(failed)) == (stats.items_processed, stats.items_failed)
        assert len(self.cancelled) == pipeline.cancelled_items
        assert not through & failed | through & self.cancelled | failed & self.cancelled
        if self.tracker is not None:
            for item_id in range(pipeline._run.fed):
                assert self.said_of(item_id) == self.end_of(item_id, through, failed)

    def end_of(self, item_id: int, through: set[int], failed: set[int]) -> str:
        if item_id in through:
            return "through"
        if item_id in failed:
            return "failed"
        return "cancelled" if item_id in self.cancelled else "dropped"

    def said_of(self, item_id: int) -> str:
        """What the item's latest status means."""
        assert self.tracker is not None
        latest = self.tracker.get_status(item_id)
        if latest is None or latest.status == "queued":
            return "dropped"
        if latest.status in ("completed", "skipped"):
            return "through"
        assert latest.status == "failed", latest
        error = latest.metadata["error"]
        return {
            "cancelled by cancel_item()": "cancelled",
            "the run was stopped": "dropped",
            "the run was cancelled": "dropped",
        }.get(error, "failed")


@quick
@given(st.lists(behaviours, min_size=1, max_size=3), listeners, plans, st.lists(ends, max_size=1), plans)
def test_whatever_is_done_to_a_run_and_after_it_every_item_ends_once(
    caplog: pytest.LogCaptureFixture,
    run_alone: RunOnLoop[None],
    stages: list[Behaviour],
    listener: str,
    plan: list[Step],
    ending: list[Step],
    plan_after: list[Step],
) -> None:
    """The log says how many were discarded; that is not judged here."""

    async def main(trial: Trial) -> None:
        trial.running = asyncio.create_task(trial.pipeline.run(range(ITEMS)))
        await asyncio.sleep(0)
        first = trial.pipeline._run
        await trial.meddle([*plan, *ending])
        await trial.settle()
        run = trial.pipeline._run
        if run is first or not trial.feeds:  # what is fed after the end is another run's
            trial.check_ends(trial.pipeline.results)
        await trial.pipeline.shutdown()
        if trial.pipeline._run.fed < ITEMS or trial.pipeline._run.failures is not run.failures:
            return
        trial.running = None
        trial.waits = [asyncio.create_task(trial.pipeline.retry_failed())]
        await trial.meddle([step for step in plan_after if step.what not in ("feed", "pause")])
        await trial.settle()
        if not trial.feeds:
            trial.check_ends(trial.pipeline.results)
        await trial.pipeline.shutdown()

    with Trial(stages, listener) as trial:
        run_alone(main(trial))


@quick
@given(
    st.lists(behaviours, min_size=1, max_size=3),
    listeners,
    st.sampled_from([None, 0, 1, 4]),
    plans,
    st.integers(1, 90),
)
def test_a_stream_gives_every_end_of_an_item_until_it_is_left(
    run_alone: RunOnLoop[None],
    stages: list[Behaviour],
    listener: str,
    buffer_size: int | None,
    plan: list[Step],
    leave_after: int,
) -> None:
    async def main(trial: Trial) -> None:
        given: list[PipelineResult] = []
        stream = trial.pipeline.stream(range(ITEMS), buffer_size=buffer_size)
        first = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        run = trial.pipeline._run
        meddling = asyncio.create_task(
            trial.meddle([step for step in plan if step.what not in ("feed", "pause")])
        )
        given.append(await first)
        while len(given) < leave_after and (result := await anext(stream, None)) is not None:
            given.append(result)
        await stream.aclose()
        is_whole = len(given) < leave_after
        await meddling
        await trial.settle()
        if is_whole and trial.pipeline._run is run:  # else what failed has gone on after the stream
            latest = {result.id: result for result in given}
            # Whose task or callback is cancelled while it feeds takes what it feeds along.
            dropped = trial.pipeline.dropped_items
            assert len(latest.keys() & range(run.fed)) == len(latest) == run.fed - dropped
            assert dropped <= trial.fed_within
            ends = Counter(type(result.error).__name__ for result in latest.values())
            assert ends["CancelledError"] == len(trial.cancelled)
            trial.check_ends([result for result in latest.values() if result.is_success])

    with Trial(stages, listener) as trial:
        run_alone(main(trial))


@quick
@given(st.lists(behaviours, min_size=1, max_size=3), listeners, plans)
def test_join_returns_when_all_that_was_fed_has_ended(
    run_alone: RunOnLoop[None], stages: list[Behaviour], listener: str, plan: list[Step]
) -> None:
    async def main(trial: Trial) -> None:
        async with trial.pipeline:
            await trial.pipeline.start()
            trial.running = asyncio.create_task(trial.pipeline.feed(range(ITEMS)))
            await trial.meddle(plan)
            await trial.settle()
            await trial.pipeline.join()
            trial.check_ends(trial.pipeline.results)
            assert await trial.pipeline.retry_failed(ids=[]) == []
        trial.check_ends(trial.pipeline.results)
        assert trial.pipeline.dropped_items <= trial.fed_within

    with Trial(stages, listener) as trial:
        run_alone(main(trial))
