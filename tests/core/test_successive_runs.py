"""One run of a pipeline after another: who ends late keeps to his own run, and who comes late is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from antflow_core import (
    DashboardSnapshot,
    ErrorSummary,
    Pipeline,
    PipelineError,
    PipelineResult,
    Stage,
    StatusTracker,
)
from antflow_core.recorded_run import open_run
from antflow_core.run_files.run_records import Outcome
from tests.support.gates import Gate, same, settle, until

_ROUNDS = 12
"""Who waits for one and the same thing is woken in any order; so often, each comes first now and then."""


class Screen:
    """A dashboard that keeps what it is told.

    Attributes:
        snapshots: All of them.
        finished: Set at the end.
    """

    def __init__(self) -> None:
        self.snapshots: list[DashboardSnapshot] = []
        self.finished = asyncio.Event()

    def on_start(self, pipeline: Pipeline, total_items: int) -> None:
        pass

    def on_update(self, snapshot: DashboardSnapshot) -> None:
        self.snapshots.append(snapshot)

    def on_finish(self, results: list[PipelineResult], summary: ErrorSummary) -> None:
        self.finished.set()


def values(results: list[PipelineResult]) -> list[Any]:
    return [result.value for result in results]


async def test_run_gives_its_own_results_though_another_begins_while_its_file_is_closed(
    tmp_path: Path,
) -> None:
    pipeline, screen = Pipeline([Stage("A", 1, [same])], status_tracker=StatusTracker()), Screen()

    async def run_next() -> list[PipelineResult]:
        await screen.finished.wait()
        return await pipeline.run("xyz")

    following = asyncio.create_task(run_next())
    results = await pipeline.run("abc", custom_dashboard=screen, record=tmp_path / "first")
    assert values(results) == ["a", "b", "c"]
    assert values(await following) == ["x", "y", "z"]
    assert open_run(tmp_path / "first").get_stats()["completed"] == 3


async def test_leaving_a_stream_waits_for_its_own_file_only(tmp_path: Path) -> None:
    async def run_next(pipeline: Pipeline, path: Path) -> list[PipelineResult]:
        return await pipeline.run("xyz", record=path)

    for number in range(_ROUNDS):
        pipeline = Pipeline([Stage("A", 1, [same])], status_tracker=StatusTracker())
        left, following = tmp_path / f"left-{number}", tmp_path / f"following-{number}"
        stream = pipeline.stream("abc", buffer_size=0, record=left)
        await anext(stream)
        closing = asyncio.create_task(stream.aclose())
        running = asyncio.create_task(run_next(pipeline, following))
        async with asyncio.timeout(20):
            await closing
            assert values(await running) == ["x", "y", "z"]
        assert open_run(left).info.outcome is Outcome.STOPPED
        assert open_run(following).info.outcome is Outcome.FINISHED


async def test_a_run_that_is_refused_leaves_no_expectations(tmp_path: Path) -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.start()
    await pipeline.feed("ab")
    with pytest.raises(PipelineError, match="record= comes too late"):
        await pipeline.run("cde", record=tmp_path / "late")
    assert pipeline.total_items == 2
    await pipeline.join()
    assert not pipeline._run.sources
    with pytest.raises(PipelineError, match="is not running"):
        pipeline.pause()
    assert values(pipeline.results) == ["a", "b"]


async def test_what_a_task_leaves_behind_feeds_after_the_end_is_dropped_and_counted() -> None:
    ended, left = asyncio.Event(), []

    async def leave_behind(value: str) -> str:
        left.append(asyncio.create_task(feed_late()))
        return value

    async def feed_late() -> None:
        await ended.wait()
        await pipeline.feed(["late"])

    pipeline = Pipeline([Stage("A", 1, [leave_behind])])
    await pipeline.run("a")
    ended.set()
    await asyncio.gather(*left)
    stats = pipeline.get_stats()
    assert (stats.items_processed, stats.items_in_flight, pipeline.dropped_items) == (1, 0, 1)
    assert stats.total_items == 2
    assert values(await pipeline.run("b")) == ["b"]


async def test_what_a_slow_source_gives_after_the_end_is_dropped_and_counted() -> None:
    ended = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        yield "a"
        await ended.wait()
        yield "late"

    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.start()
    feeding = asyncio.create_task(pipeline.feed(source()))
    await until(lambda: pipeline.get_stats().items_processed)
    await pipeline.shutdown()
    ended.set()
    await feeding
    assert (pipeline.get_stats().items_in_flight, pipeline.dropped_items) == (0, 1)


async def test_join_tells_of_a_worker_that_is_cancelled_while_they_end() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.start()
    joining = asyncio.create_task(pipeline.join())
    await until(lambda: pipeline._run.stopping)
    for task in asyncio.all_tasks():
        if task.get_name() == "A-W0":
            task.cancel()
    with pytest.raises(PipelineError, match="A-W0 was cancelled from outside"):
        await joining


async def test_a_dashboard_of_a_stream_shows_its_run_though_another_has_begun(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gate = Gate()
    gate.open()
    pipeline = Pipeline([Stage("A", 1, [gate])])
    stream = pipeline.stream("abc", progress=True)
    first = await anext(stream)
    await until(lambda: pipeline._run.ended)
    await pipeline.run("vwxyz")
    rest = [result async for result in stream]
    assert values([first, *rest]) == ["a", "b", "c"]
    await settle()
    assert "3 of 3" in capsys.readouterr().out.splitlines()[-1]


async def test_who_watches_a_tracker_may_stop_a_recorded_run_as_it_begins(tmp_path: Path) -> None:
    class Watcher:
        def run_started(self, run: int, pipeline: Pipeline) -> None:
            pipeline.request_stop()

        def run_ended(self, run: int) -> None:
            pass

    tracker = StatusTracker()
    tracker.watchers.append(Watcher())
    pipeline = Pipeline([Stage("A", 1, [same])], status_tracker=tracker)
    assert await pipeline.run("abc", record=tmp_path / "run") == []
    run = open_run(tmp_path / "run")
    assert [record.stages for record in run.log.runs] == [("A",)]
