"""What a pipeline says about itself: counts, workers, snapshots, dashboards."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any

import pytest

from antflow_core import (
    DashboardProtocol,
    DashboardSnapshot,
    ErrorSummary,
    FailedItem,
    Pipeline,
    PipelineResult,
    Stage,
    StatusEvent,
    WorkerMetrics,
    set_task_status,
)
from antflow_core.context import get_worker_state


async def same(value: Any) -> Any:
    return value


class Recorder:
    """A dashboard that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.snapshots: list[DashboardSnapshot] = []

    def on_start(self, pipeline: Pipeline, total_items: int) -> None:
        self.told.append(("start", total_items))

    def on_update(self, snapshot: DashboardSnapshot) -> None:
        self.told.append("update")
        self.snapshots.append(snapshot)

    def on_finish(self, results: list[PipelineResult], summary: ErrorSummary) -> None:
        self.told.append(("finish", len(results), summary.total_failed))


async def test_a_fresh_pipeline_can_be_read() -> None:
    pipeline = Pipeline([Stage("A", 2, [same]), Stage("B", 1, [same])])
    assert pipeline.get_worker_names() == {"A": ["A-W0", "A-W1"], "B": ["B-W0"]}
    assert [s.status for s in pipeline.get_worker_states().values()] == ["idle"] * 3
    assert pipeline.get_stats().queue_sizes == {"A": 0, "B": 0}
    assert (pipeline.results, pipeline.total_items, pipeline.run_number) == ([], 0, None)
    assert str(pipeline.get_error_summary()) == "No errors occurred"
    assert pipeline.get_dashboard_snapshot().get_worker_names() == pipeline.get_worker_names()


async def test_counts_follow_items_through_the_stages() -> None:
    gate = asyncio.Event()

    async def work(value: int) -> int:
        if value == 1:
            raise ValueError
        if value > 2:
            await gate.wait()
        return value

    stages = [
        Stage("A", 2, [work], task_attempts=1, skip_if=lambda value: value == 2),
        Stage("B", 1, [same]),
    ]
    pipeline = Pipeline(stages)
    running = asyncio.create_task(pipeline.run(range(10)))
    for _ in range(30):
        await asyncio.sleep(0)
    stats = pipeline.get_stats()
    first = stats.stage_stats["A"]
    assert (stats.items_processed, stats.items_failed, stats.items_in_flight, stats.total_items) == (
        2,
        1,
        7,
        10,
    )
    assert (first.pending_items, first.in_progress_items, first.completed_items) == (5, 2, 2)
    assert (first.failed_items, first.skipped_items, first.retried) == (1, 1, 0)
    assert stats.queue_sizes == {"A": 5, "B": 0}
    busy = pipeline.get_worker_states()["A-W0"]
    assert (busy.status, busy.current_task, busy.stage) == ("busy", "work", "A")
    assert busy.processing_since is not None
    gate.set()
    assert len(await running) == 9
    metrics = pipeline.get_worker_metrics()
    assert sum(m.items_processed for m in metrics.values() if m.stage == "A") == 9
    assert sum(m.items_failed for m in metrics.values()) == 1
    assert metrics["B-W0"].last_active is not None
    assert metrics["B-W0"].avg_processing_time > 0


async def test_a_snapshot_does_not_change_afterwards() -> None:
    async def picky(value: int) -> int:
        if value % 2:
            raise ValueError(value)
        return value

    async with Pipeline([Stage("A", 1, [picky], task_attempts=1)]) as pipeline:
        await pipeline.feed([0, 1])
        await pipeline.join()
        before = pipeline.get_dashboard_snapshot()
        await pipeline.feed([2, 3])
        await pipeline.join()
    assert before.pipeline_stats.items_processed == 1
    assert [item.item_id for item in before.error_summary.failed_items] == [1]
    assert before.worker_metrics["A-W0"].items_processed == 1


async def test_a_task_may_say_what_it_does() -> None:
    shown: list[Any] = []

    async def talk(value: int) -> int:
        assert set_task_status(f"item {value}")
        shown.append(pipeline.get_worker_states()["A-W0"].current_task)
        first = set_task_status("often", min_interval=1000)
        shown.append((first, set_task_status("often", min_interval=1000)))
        return value

    pipeline = Pipeline([Stage("A", 1, [talk])])
    await pipeline.run([1, 2])
    assert shown == ["item 1", (True, False), "item 2", (True, False)]
    assert not set_task_status("nobody listens")
    assert get_worker_state() is None


async def test_a_plain_function_may_say_what_it_does() -> None:
    def talk(_: int) -> bool:
        return set_task_status("reading")

    (result,) = await Pipeline([Stage("A", 1, [talk])]).run([1])
    assert result.value is True


async def test_a_worker_that_asks_whether_to_skip_an_item_is_at_no_task_yet() -> None:
    doing: list[Any] = []

    async def ask(value: Any) -> bool:
        state = pipeline.get_worker_states()["Load-W0"]
        doing.append((state.current_item_id, state.current_task))
        return False

    load = Stage("Load", workers=1, tasks=[same], skip_if=ask, queue_capacity=0)
    pipeline = Pipeline([load, Stage("Save", workers=1, tasks=[same], queue_capacity=0)])
    await pipeline.run(range(3))

    assert doing == [(0, None), (1, None), (2, None)]


async def test_a_custom_dashboard_is_told_of_start_progress_and_end() -> None:
    recorder = Recorder()
    assert isinstance(recorder, DashboardProtocol)

    async def fail_one(value: int) -> int:
        if value == 1:
            raise ValueError
        return value

    pipeline = Pipeline([Stage("A", 1, [fail_one], task_attempts=1)])
    await pipeline.run([1, 2, 3], custom_dashboard=recorder, dashboard_update_interval=1000)
    assert recorder.told == [("start", 3), "update", "update", ("finish", 2, 1)]
    assert [s.pipeline_stats.items_processed for s in recorder.snapshots] == [0, 2]


async def test_a_custom_dashboard_is_told_every_interval() -> None:
    recorder = Recorder()

    async def wait_for_updates(value: int) -> int:
        while len(recorder.snapshots) < 5:
            await asyncio.sleep(0)
        return value

    pipeline = Pipeline([Stage("A", 1, [wait_for_updates])])
    await pipeline.run(iter([1]), custom_dashboard=recorder, dashboard_update_interval=0.001)
    assert recorder.told[0] == ("start", 0)
    assert len(recorder.snapshots) >= 6


async def test_a_dashboard_that_raises_never_harms_the_run(expect_log: Any) -> None:
    for method in ("on_start", "on_update", "on_finish"):
        expect_log(method)

    class Broken:
        def on_start(self, pipeline: Pipeline, total_items: int) -> None:
            raise RuntimeError

        def on_update(self, snapshot: DashboardSnapshot) -> None:
            raise RuntimeError

        def on_finish(self, results: list[PipelineResult], summary: ErrorSummary) -> None:
            raise RuntimeError

    assert len(await Pipeline([Stage("A", 1, [same])]).run([1], custom_dashboard=Broken())) == 1


async def test_a_dashboard_is_finished_when_the_run_is_cancelled() -> None:
    recorder = Recorder()

    async def forever(_: int) -> None:
        await asyncio.Event().wait()

    pipeline = Pipeline([Stage("A", 1, [forever])])
    running = asyncio.create_task(pipeline.run([1], custom_dashboard=recorder))
    while not recorder.snapshots:
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert recorder.told[-1] == ("finish", 0, 0)


@pytest.mark.parametrize("shown", [{"progress": True}, {"dashboard": "compact"}, {"dashboard": "full"}])
async def test_the_displays_of_the_terminal_can_be_used(shown: Any, capsys: Any) -> None:
    assert len(await Pipeline([Stage("Fetch", 1, [same])]).run(range(5), **shown)) == 5
    assert "5" in capsys.readouterr().out


async def test_a_stream_can_show_progress(capsys: Any) -> None:
    pipeline = Pipeline([Stage("Fetch", 1, [same])])
    assert len([r async for r in pipeline.stream(range(5), progress=True)]) == 5
    assert "5" in capsys.readouterr().out


# The values


def test_an_error_summary_makes_its_list_when_it_is_looked_at() -> None:
    made: list[int] = []

    def make() -> list[FailedItem]:
        made.append(1)
        return [FailedItem(1, "boom", "ValueError", "A", 1, 0.0)]

    summary = ErrorSummary.deferred(1, {"ValueError": 1}, {"A": 1}, make)
    assert str(summary).splitlines() == [
        "1 failed item",
        "By type:",
        "  ValueError: 1",
        "By stage:",
        "  A: 1",
    ]
    assert made == []
    assert [item.error for item in summary.failed_items] == ["boom"]
    assert summary.failed_items is summary.failed_items
    assert made == [1]
    assert copy.deepcopy(summary) == pickle.loads(pickle.dumps(summary)) == summary
    assert not hasattr(summary, "failed_item")


def test_a_worker_id_is_the_number_in_its_name() -> None:
    assert StatusEvent(1, "A", "queued", "A-W5", 0.0).worker_id == 5
    assert StatusEvent(1, "A", "queued", None, 0.0).worker_id is None
    assert StatusEvent(1, "A", "queued", "odd", 0.0).worker_id is None


def test_an_average_of_nothing_is_zero() -> None:
    assert WorkerMetrics("A-W0", "A").avg_processing_time == 0.0
    assert WorkerMetrics("A-W0", "A", 4, 0, 2.0).avg_processing_time == 0.5
