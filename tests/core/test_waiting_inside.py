"""Whoever is part of a run may use its pipeline from wherever he is called, and nobody waits for himself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from antflow_core import Pipeline, PipelineError, Stage, StatusEvent, StatusTracker, TaskEvent
from tests.support.ends import counts
from tests.support.gates import Gate, same, settle, until

SOON_S = 10.0
"""Whatever takes so long hangs."""


class Picky:
    """A task that refuses some values until it is told to take them."""

    def __init__(self, *refused: Any) -> None:
        self.refused = set(refused)

    async def __call__(self, value: Any) -> Any:
        await asyncio.sleep(0)
        if value in self.refused:
            raise ValueError(value)
        return value


# From every place, everything


class Life:
    """A run whose items come to every place where something of the script's is called.

    ``old`` has failed when ``fed`` is fed into the middle; ``x`` fails once in each of two stages and passes
    the third by; ``y`` fails for good; ``held`` is cancelled in a task, ``waiting`` before it is let in.

    Args:
        place: Where `act` is called, once.
    """

    def __init__(self, place: str, act: Callable[[Life], Awaitable[None]]) -> None:
        self.acted = 0
        self.forgiven = False
        self._place, self._act = place, act
        self._tries: list[tuple[str, str]] = []
        tracker = StatusTracker(
            self._hear, self._hear_task, self._hear_task, self._hear_task, self._hear_task
        )
        fields: dict[str, Any] = {"queue_capacity": 1, "task_wait_seconds": 0}
        fields |= {name: self._told(name) for name in ("on_success", "on_failure", "on_skip")}
        self.pipeline = Pipeline(
            [
                Stage("A", 2, [self._first], retry="per_stage", stage_attempts=2, **fields),
                Stage("B", 2, [self._second], task_attempts=2, **fields),
                Stage("C", 2, [same], skip_if=self._skips, **fields),
            ],
            status_tracker=tracker,
        )

    async def live(self) -> None:
        """Run to the end."""
        feeding = asyncio.create_task(self._feed_from_outside())
        await asyncio.wait_for(self.pipeline.run(self._source()), SOON_S)
        feeding.cancel()
        await asyncio.wait([feeding])

    async def _source(self) -> AsyncIterator[Any]:
        yield self._item("old")
        await until(lambda: self.pipeline.get_stats().items_failed)
        await self._come_to("source")
        for name in ("x", "y", "held", "waiting"):
            yield self._item(name)

    async def _feed_from_outside(self) -> None:
        await until(lambda: self.pipeline.get_stats().items_failed)
        await self.pipeline.feed([self._item("fed")], target_stage="B")

    def _item(self, name: str) -> dict[str, str]:
        return {"id": name, "value": name}

    async def _come_to(self, place: str) -> None:
        if place == self._place and not self.acted:
            self.acted += 1
            await self._act(self)

    async def _hear(self, event: StatusEvent) -> None:
        if event.item_id == "waiting" and event.status == "queued":
            self.pipeline.cancel_item("waiting")
        if event.item_id == "held" and (event.stage, event.status) == ("B", "in_progress"):
            asyncio.get_running_loop().call_soon(self.pipeline.cancel_item, "held")
        await self._come_to(f"{event.item_id} {event.status} in {event.stage}")

    async def _hear_task(self, event: TaskEvent) -> None:
        await self._come_to(f"{event.item_id} {event.event_type} of task in {event.stage}")

    def _told(self, name: str) -> Callable[..., Awaitable[None]]:
        async def tell(item_id: str, outcome: Any, payload: Any) -> None:
            await self._come_to(f"{item_id} {name}")

        return tell

    async def _skips(self, value: str) -> bool:
        await self._come_to(f"{value} skip_if")
        return value == "x"

    async def _first(self, value: str) -> str:
        await self._try_twice("A", value)
        if value == "old" and not self.forgiven:
            raise ValueError(value)
        return value

    async def _second(self, value: str) -> str:
        if value == "held":
            await asyncio.Event().wait()
        if value == "y":
            raise ValueError(value)
        await self._try_twice("B", value)
        return value

    async def _try_twice(self, stage: str, value: str) -> None:
        await self._come_to(f"{value} task in {stage}")
        self._tries.append((stage, value))
        if value == "x" and self._tries.count((stage, value)) == 1:
            raise ValueError(value)


PLACES = [
    "source",
    "fed queued in B",
    "x queued in A",
    "x in_progress in A",
    "x start of task in A",
    "x task in A",
    "x retry of task in A",
    "x retrying in A",
    "x complete of task in A",
    "x completed in A",
    "x on_success",
    "x queued in B",
    "x start of task in B",
    "x retry of task in B",
    "x task in B",
    "y fail of task in B",
    "y failed in B",
    "y on_failure",
    "x queued in C",
    "y queued in B",
    "x skip_if",
    "x skipped in C",
    "x on_skip",
    "held failed in B",
    "waiting failed in A",
]


async def feed_first(life: Life) -> None:
    await life.pipeline.feed(range(3))


async def feed_middle(life: Life) -> None:
    await life.pipeline.feed(range(3), target_stage="B", priority=1)


async def retry(life: Life) -> None:
    life.forgiven = True
    results = await life.pipeline.retry_failed(ids=["old"])
    assert [result.id for result in results] == ["old"]


async def pause(life: Life) -> None:
    life.pipeline.pause()
    await settle()
    life.pipeline.resume()


async def set_workers(life: Life) -> None:
    for number in (1, 3, 2):
        for stage in life.pipeline.stages:
            life.pipeline.set_workers(stage.name, number)
        await settle()


async def cancel_others(life: Life) -> None:
    for name in ("old", "held", "y"):
        life.pipeline.cancel_item(name)
    await settle()


async def cancel_all(life: Life) -> None:
    for name in ("x", "y", "fed", "old", "held", "waiting"):
        life.pipeline.cancel_item(name)
    await settle()


def refused(use: Callable[[Pipeline], Awaitable[object]]) -> Callable[[Life], Awaitable[None]]:
    async def be_refused(life: Life) -> None:
        with pytest.raises(PipelineError, match=r"would wait for itself|already running"):
            await use(life.pipeline)

    return be_refused


async def shut_down(life: Life) -> None:
    await life.pipeline.shutdown()


async def stop(life: Life) -> None:
    life.pipeline.request_stop()
    await settle()
    assert await life.pipeline.retry_failed() == []


async def leave(life: Life) -> None:
    async with life.pipeline:
        pass


ACTS: dict[str, Callable[[Life], Awaitable[None]]] = {
    "feed the first stage": feed_first,
    "feed the middle": feed_middle,
    "retry": retry,
    "pause": pause,
    "set workers": set_workers,
    "cancel others": cancel_others,
    "cancel all": cancel_all,
    "join": refused(lambda pipeline: pipeline.join()),
    "start": refused(lambda pipeline: pipeline.start()),
    "run": refused(lambda pipeline: pipeline.run([1])),
    "stream": refused(lambda pipeline: anext(pipeline.stream([1]))),
    "shut down": shut_down,
    "stop": stop,
    "leave": leave,
}


@pytest.mark.parametrize("act", ACTS)
async def test_whoever_is_part_of_a_run_may_do_everything_from_everywhere(
    act: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says how many were discarded; that is not judged here, but what a callback raised is."""
    for place in PLACES:
        life = Life(place, ACTS[act])
        try:
            await life.live()
        except TimeoutError:
            pytest.fail(f"{act}, where {place}: hangs")
        assert life.acted == 1, place
        assert "in flight" not in counts(life.pipeline), place
        errors = [record.getMessage() for record in caplog.records if record.exc_info]
        assert errors == [], place


# Waiting for retried items


def forgiving(
    pipeline: Callable[[], Pipeline],
    picky: Picky,
    stage: str,
    then: Callable[[], Awaitable[object]] | None = None,
) -> StatusTracker:
    """A tracker whose callback, as item 9 is queued in a stage, waits for the failed items, then for more."""

    async def retry_first(event: StatusEvent) -> None:
        if (event.item_id, event.stage, event.status) == (9, stage, "queued"):
            picky.refused = set()
            assert [result.value for result in await pipeline().retry_failed()] == [1]
            await (then or settle)()

    return StatusTracker(retry_first)


def item(number: int) -> dict[str, int]:
    return {"id": number, "value": number}


@pytest.mark.parametrize("by", ["feed", "worker"])
@pytest.mark.parametrize("room", [{"queue_capacity": 1}, {"pull": True}])
async def test_a_callback_that_waits_for_retried_items_gives_up_the_only_place(
    by: str, room: dict[str, Any]
) -> None:
    picky = Picky(1)
    stages = [Stage("A", 2, [picky], task_attempts=1), Stage("B", 1, [same], **room)]
    pipeline = Pipeline(stages, status_tracker=forgiving(lambda: pipeline, picky, "B"))
    async with pipeline:
        await pipeline.start()
        await pipeline.feed([item(1)])
        await until(lambda: pipeline.get_stats().items_failed)
        await pipeline.feed([item(9)], target_stage="B" if by == "feed" else "A")
        await asyncio.wait_for(pipeline.join(), SOON_S)
    assert counts(pipeline) == {"processed": 2}


@pytest.mark.parametrize("by", ["feed", "worker"])
async def test_a_place_that_was_given_up_is_waited_for_again(by: str) -> None:
    """As the callback for item 9 ends, item 2 is in hand, and 3 has the only place."""
    picky, gate, may_end = Picky(1), Gate(), asyncio.Event()
    tracker = forgiving(lambda: pipeline, picky, "B", may_end.wait)
    stages = [Stage("A", 2, [picky], task_attempts=1), Stage("B", 1, [gate], queue_capacity=1)]
    pipeline = Pipeline(stages, status_tracker=tracker)
    async with pipeline:
        await pipeline.start()
        await pipeline.feed([item(1)])
        await until(lambda: pipeline.get_stats().items_failed)
        feeding = asyncio.create_task(pipeline.feed([item(9)], target_stage="B" if by == "feed" else "A"))
        await gate.wait_begun(1)
        gate.let_one_go()
        await pipeline.feed([item(2), item(3)])
        await gate.wait_begun(2)
        await until(lambda: pipeline.get_stats().queue_sizes["B"])
        may_end.set()
        await settle()
        assert pipeline.get_stats().queue_sizes["B"] == 1
        gate.open()
        await feeding
        await asyncio.wait_for(pipeline.join(), SOON_S)
    assert gate.begun == [1, 2, 3, 9]


async def test_a_feeder_whose_callback_gave_up_its_place_can_be_cancelled_and_stopped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for way in ("cancel item", "cancel feed", "shutdown"):
        picky, gate = Picky(1), Gate()
        tracker = forgiving(lambda: pipeline, picky, "B")  # noqa: B023  it is awaited in this turn
        stages = [Stage("A", 1, [picky], task_attempts=1), Stage("B", 1, [gate], queue_capacity=1)]
        pipeline = Pipeline(stages, status_tracker=tracker)
        await pipeline.start()
        await pipeline.feed([item(1), item(2)])
        await until(lambda: pipeline.get_stats().items_failed)  # noqa: B023
        await gate.wait_begun(1)
        feeding = asyncio.create_task(pipeline.feed([item(9)], target_stage="B"))
        await settle()
        await pipeline.feed([item(3)])
        await settle()
        assert pipeline.get_stats().queue_sizes["B"] == 1
        if way == "cancel feed":
            feeding.cancel()
        elif way == "cancel item":
            assert pipeline.cancel_item(9)
        stopping = asyncio.create_task(pipeline.shutdown())
        await settle()
        gate.open()
        await asyncio.wait_for(stopping, SOON_S)
        await asyncio.wait([feeding])
        assert "in flight" not in counts(pipeline)


async def test_a_callback_of_another_pipeline_in_between_gives_up_both_places() -> None:
    """Of item 9 another pipeline is told, which first has the failed items of the first one retried."""
    picky = Picky(1)

    async def retry_first(event: StatusEvent) -> None:
        if event.status == "queued":
            picky.refused = set()
            await first.retry_failed()

    async def tell(event: StatusEvent) -> None:
        if (event.item_id, event.status) == (9, "queued"):
            await second.feed([9])

    second = Pipeline([Stage("C", 1, [same], queue_capacity=1)], status_tracker=StatusTracker(retry_first))
    stages = [Stage("A", 1, [picky], task_attempts=1), Stage("B", 1, [same], queue_capacity=1)]
    first = Pipeline(stages, status_tracker=StatusTracker(tell))
    async with first, second:
        await first.start()
        await second.start()
        await first.feed([item(1)])
        await until(lambda: first.get_stats().items_failed)
        await first.feed([item(9)], target_stage="B")
        await asyncio.wait_for(first.join(), SOON_S)
        await asyncio.wait_for(second.join(), SOON_S)
    assert (counts(first), counts(second)) == ({"processed": 2}, {"processed": 1})


@pytest.mark.parametrize("places", [1, 2])
async def test_a_task_that_would_keep_the_last_place_in_a_task_is_told_so(places: int) -> None:
    complaints: list[str] = []
    picky = Picky(1)

    async def work(value: int) -> int:
        if value == 9:
            picky.refused = set()
            try:
                await pipeline.retry_failed()
            except PipelineError as error:
                complaints.append(str(error))
        return int(await picky(value))

    limits = {"work": places}
    pipeline = Pipeline([Stage("A", 3, [work], task_attempts=1, task_concurrency_limits=limits)])
    async with pipeline:
        await pipeline.start()
        await pipeline.feed([1])
        await until(lambda: pipeline.get_stats().items_failed)
        await pipeline.feed([9])
        await asyncio.wait_for(pipeline.join(), SOON_S)
    assert counts(pipeline) == ({"processed": 2} if places == 2 else {"processed": 1, "failed": 1})
    told = "no place in task 'work' of stage 'A' is left; give that task another place, or call it outside"
    assert [told in text for text in complaints] == ([] if places == 2 else [True])


# Who takes the results one by one


@pytest.mark.parametrize("buffer_size", [None, 2, 1, 0])
@pytest.mark.parametrize("wish", ["retry", "feed", "join", "shut down"])
async def test_who_takes_the_results_of_a_stream_may_wait_for_the_pipeline_between_them(
    buffer_size: int | None, wish: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def take() -> None:
        async for result in pipeline.stream(range(8), buffer_size=buffer_size):
            seen.append((result.value, result.is_success))
            if wish == "retry" and not result.is_success:
                picky.refused = set()
                assert len(await pipeline.retry_failed()) == 1
            elif wish == "feed" and result.value < 8:
                await pipeline.feed([result.value + 100, result.value + 200, result.value + 300])
            elif wish == "join":
                await pipeline.join()
            elif wish == "shut down":
                await pipeline.shutdown()

    seen: list[tuple[int, bool]] = []
    picky = Picky(*([1] if wish == "retry" else []))
    pipeline = Pipeline([Stage("A", 1, [picky], task_attempts=1, queue_capacity=1)])
    await asyncio.wait_for(take(), SOON_S)
    expected = {"retry": 9, "feed": 32, "join": 8, "shut down": pipeline.get_stats().items_processed}
    assert len(seen) == len(set(seen)) == expected[wish]
    assert "in flight" not in counts(pipeline)


async def test_a_buffer_is_bounded_again_once_who_takes_from_it_waits_no_longer() -> None:
    picky, ended = Picky(1), []
    stage = Stage("A", 1, [picky], task_attempts=1, queue_capacity=1)
    stage.on_success = lambda item_id, value, payload: ended.append(value)
    pipeline = Pipeline([stage])
    stream = pipeline.stream(range(1000), buffer_size=1)
    seen = [await anext(stream), await anext(stream)]
    picky.refused = set()
    await pipeline.retry_failed()
    waiting = len(ended)
    await settle()
    assert len(ended) <= waiting + 1
    async for result in stream:
        seen.append(result)
        await settle()
        assert len(ended) <= max(waiting, len(seen)) + 2
    assert len(seen) == 1001


async def test_whoever_else_feeds_a_stream_leaves_its_buffer_bounded() -> None:
    pipeline = Pipeline([Stage("A", 1, [same], queue_capacity=1)])
    stream = pipeline.stream(range(50), buffer_size=1)
    await anext(stream)
    feeding = asyncio.create_task(pipeline.feed(range(100, 150)))
    await settle()
    assert pipeline.get_stats().items_processed <= 3
    assert len([result async for result in stream]) == 99
    await feeding


# What feeds a run


async def test_a_stop_by_what_feeds_the_run_finishes_what_is_in_hand(expect_log: Any) -> None:
    expect_log("discarded 1")
    gate = Gate()

    async def source() -> AsyncIterator[int]:
        yield 1
        yield 2
        await gate.wait_begun(1)
        await pipeline.shutdown()
        gate.open()
        yield 3

    pipeline = Pipeline([Stage("A", 1, [gate])])
    results = await asyncio.wait_for(pipeline.run(source()), SOON_S)
    assert [result.value for result in results] == [1]
    assert "in flight" not in counts(pipeline)


@pytest.mark.parametrize("wish", ["retry", "shut down", "leave"])
async def test_what_feeds_the_run_may_use_it_where_it_is_closed(
    wish: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            closed.append(wish)
            if wish == "retry":
                assert await pipeline.retry_failed() == []
            elif wish == "shut down":
                await pipeline.shutdown()
            else:
                await stream.aclose()

    closed: list[str] = []
    pipeline = Pipeline([Stage("A", 1, [same])])
    stream = pipeline.stream(source())
    assert (await anext(stream)).value == 1
    pipeline.request_stop()
    assert [result async for result in stream] == []
    assert closed == [wish]


async def test_a_task_that_leaves_the_stream_of_its_own_results_does_not_wait_for_itself() -> None:
    async def leave(value: int) -> int:
        try:
            await asyncio.Event().wait()
        finally:
            await stream.aclose()
        return value

    pipeline = Pipeline([Stage("A", 1, [leave])])
    stream = pipeline.stream([1])
    taking = asyncio.create_task(anext(stream))
    await until(lambda: pipeline.get_stats().queue_sizes == {"A": 0} and pipeline.get_stats().items_in_flight)
    await settle()
    taking.cancel()
    await asyncio.wait_for(asyncio.wait([taking]), SOON_S)
    assert pipeline.dropped_items == 1
