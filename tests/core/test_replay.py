"""A recorded run shown like a live one: the same figures, followed while written, honest about its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from antflow_core.exceptions import PipelineError, RunFileError
from antflow_core.history.figures import figures
from antflow_core.history.standing import Standings
from antflow_core.link import InProcessRun, PipelineView, RunSource, RunState
from antflow_core.link.protocol import EVERY_ACT
from antflow_core.link.replay import ReplayedRun
from antflow_core.recorded_run import open_run
from antflow_core.recording import Recorder, record
from antflow_core.run_files.run_records import Outcome
from antflow_core.tracker import StatusTracker
from tests.bench.run_file import filled_log
from tests.support.events import played_tracker
from tests.support.scripts import RAISES, SEVERAL_PIPELINES, TWO_STAGES

UNEVEN = """\
import asyncio

from antflow import Pipeline, Stage

tries = {}


async def fetch(order):
    await asyncio.sleep(0)
    tries[order] = tries.get(order, 0) + 1
    if order % 10 == 3 and tries[order] < 3:
        raise TimeoutError(f"no answer for {order}")
    if order % 10 == 7:
        raise ValueError(f"order {order} is cursed")
    return order


async def price(order):
    if order == 40:
        raise LookupError("no price")
    return order


async def main():
    await Pipeline(
        [
            Stage("Fetch", 3, [fetch], task_attempts=3, task_wait_seconds=0.001),
            Stage("Price", 2, [price], task_attempts=1, skip_if=lambda order: order % 10 == 1),
        ]
    ).run(range(100))
"""
"""10 items fail in Fetch at the third attempt, 10 come through at it, one fails in Price, 10 skip that."""


async def _recorded(folder: Path, text: str) -> InProcessRun:
    script = folder / "orders.py"
    script.write_text(text, encoding="utf-8")
    run = InProcessRun(script, record=folder / "orders.antflow")
    await run.run()
    return run


def _told(view: PipelineView) -> tuple[object, ...]:
    """What a viewer is told of a pipeline, the moment and the failed items' list left out."""
    snapshot = view.snapshot
    errors = snapshot.error_summary
    return (
        view.run,
        view.name,
        view.stages,
        view.ended,
        view.lasted_s,
        snapshot.pipeline_stats,
        snapshot.worker_metrics,
        {name: state.status for name, state in snapshot.worker_states.items()},
        (errors.total_failed, errors.errors_by_type, errors.errors_by_stage),
    )


@pytest.mark.parametrize("text", [TWO_STAGES, SEVERAL_PIPELINES, UNEVEN])
async def test_a_recorded_run_tells_what_the_live_one_told(tmp_path: Path, text: str) -> None:
    live = await _recorded(tmp_path, text)
    assert live.recording is not None and live.recording.fault is None and live.outcome is not None
    replayed = ReplayedRun(live.recording.path)
    source: RunSource = replayed
    outcome = await source.run()
    assert list(map(_told, source.pipelines())) == list(map(_told, live.pipelines()))
    assert figures(replayed.log) == figures(live.log)
    assert (outcome.state, outcome.completed, outcome.failed, outcome.skipped) == (
        live.outcome.state, live.outcome.completed, live.outcome.failed, live.outcome.skipped,
    )  # fmt: skip
    assert replayed.state is RunState.FINISHED and replayed.outcome == outcome
    assert outcome.duration_s == pytest.approx(live.outcome.duration_s, abs=1.0)
    assert [
        item.error for view in source.pipelines() for item in view.snapshot.error_summary.failed_items
    ] == [item.error for view in live.pipelines() for item in view.snapshot.error_summary.failed_items]


@pytest.mark.parametrize("text", [TWO_STAGES, SEVERAL_PIPELINES, UNEVEN])
async def test_counts_taken_from_events_are_those_the_pipeline_told(tmp_path: Path, text: str) -> None:
    live = await _recorded(tmp_path, text)
    for view, standing in zip(live.pipelines(), Standings(live.log).runs(), strict=True):
        told = view.snapshot.pipeline_stats
        taken = standing.stats
        assert (taken.items_processed, taken.items_failed, taken.items_in_flight) == (
            told.items_processed, told.items_failed, told.items_in_flight,
        )  # fmt: skip
        assert taken.stage_stats == told.stage_stats
        errors = view.snapshot.error_summary
        assert standing.errors_by_type == errors.errors_by_type
        assert standing.errors_by_stage == errors.errors_by_stage


async def test_a_script_that_raised_is_told_with_its_sentence(tmp_path: Path) -> None:
    live = await _recorded(tmp_path, RAISES)
    outcome = await ReplayedRun(tmp_path / "orders.antflow").run()
    assert live.outcome is not None
    assert (outcome.state, outcome.message) == (RunState.FAILED, live.outcome.message)
    assert outcome.exit_code == 0  # the recording itself is sound


def test_nothing_can_be_asked_of_a_recording(tmp_path: Path) -> None:
    with record(played_tracker(), tmp_path / "run.antflow"):
        pass
    source = ReplayedRun(tmp_path / "run.antflow")
    assert (source.acts, source.paused, source.recording) == (frozenset(), False, None)
    assert InProcessRun(tmp_path / "orders.py").acts == EVERY_ACT
    for refused in (
        source.pause,
        source.resume,
        lambda: source.set_workers(1, "Fetch", 2),
        lambda: source.cancel_item(1, 0),
        lambda: asyncio.run(source.retry_failed()),
    ):
        with pytest.raises(PipelineError, match=r"run\.antflow is a recorded run"):
            refused()


async def test_a_file_is_followed_while_it_is_written_and_ends_with_its_writer(tmp_path: Path) -> None:
    tracker = StatusTracker()
    recorder = Recorder(tmp_path / "run.antflow", script="/there/orders.py", arguments=("--limit", "5"))
    recorder.follow(tracker)
    run = tracker.begin_run(["Fetch"])
    run.status(1, 0, "queued")
    await _until(lambda: len(open_run(recorder.path).log) == 1)
    source = ReplayedRun(tmp_path / "run.antflow")
    reading = asyncio.create_task(source.run())
    await _until(lambda: len(source.log) == 1)
    assert (source.state, source.outcome) == (RunState.RUNNING, None)
    assert [view.ended for view in source.pipelines()] == [False]
    run.status(1, 0, "completed")
    await _until(lambda: len(source.log) == 2)
    assert not reading.done()
    run.end()
    recorder.end(Outcome.STOPPED)
    outcome = await reading
    assert (outcome.state, outcome.completed, outcome.message) == (RunState.STOPPED, 1, None)
    assert [view.ended for view in source.pipelines()] == [True]
    await recorder.wait_closed()


async def test_who_looks_no_longer_reads_no_further(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.antflow")
    source = ReplayedRun(tmp_path / "run.antflow")
    reading = asyncio.create_task(source.run())
    await asyncio.sleep(0)
    source.stop()
    await asyncio.wait([reading])
    assert reading.cancelled() and source.state is RunState.RUNNING
    recorder.close()


async def test_a_file_that_goes_away_while_it_is_followed_is_told_in_one_sentence(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.antflow")
    source = ReplayedRun(tmp_path / "run.antflow")
    reading = asyncio.create_task(source.run())
    await asyncio.sleep(0)
    recorder.close()
    (tmp_path / "run.antflow").unlink()
    with pytest.raises(RunFileError, match=r"run\.antflow"):
        await reading


async def test_many_events_come_in_steps_that_tell_how_far_they_are(tmp_path: Path) -> None:
    tracker = StatusTracker()
    filled_log(tracker.log, 200_000)
    with record(tracker, tmp_path / "run.antflow"):
        pass
    source = ReplayedRun(tmp_path / "run.antflow")
    first = source.share_read
    assert 0 < first < 1 and source.log.event(0).kind == "queued"
    outcome = await source.run()
    assert source.share_read == 1
    assert (outcome.completed, outcome.failed) == (13_320 - 134, 134)
    (view,) = source.pipelines()
    assert [stage.name for stage in view.stages] == ["Fetch", "Parse", "Save"]
    assert view.snapshot.pipeline_stats.stage_stats["Save"].failed_items == outcome.failed


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)
