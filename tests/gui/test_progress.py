"""Figures computed from snapshots: rates, totals, time left, the bottleneck."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antflow_core.link.protocol import PipelineView, StageView
from antflow_core.types import DashboardSnapshot, ErrorSummary, PipelineStats, StageStats
from antflow_gui.runs.progress import ProgressMeter, RunProgress

Counts = dict[str, int]


def _view(
    *stages: Counts,
    total: int | None = 100,
    run: int = 1,
    ended: bool = False,
    workers: int = 2,
    capacity: int = 10,
    prefix: str = "S",
) -> PipelineView:
    """A pipeline view with stages S0, S1, … whose counts are given."""
    stats = {f"{prefix}{index}": _stats(index, counts) for index, counts in enumerate(stages)}
    pipeline = PipelineStats(
        items_processed=stages[-1].get("done", 0) + stages[-1].get("skipped", 0),
        items_failed=sum(counts.get("failed", 0) for counts in stages),
        items_in_flight=0,
        queue_sizes={name: stat.pending_items for name, stat in stats.items()},
        stage_stats=stats,
        total_items=total,
    )
    snapshot = DashboardSnapshot({}, {}, pipeline, ErrorSummary(0, {}, {}, []), 0.0)
    shape = tuple(StageView(name=name, workers=workers, capacity=capacity, tasks=("task",)) for name in stats)
    return PipelineView(run=run, name="pipeline", stages=shape, snapshot=snapshot, ended=ended)


def _stats(index: int, counts: Counts) -> StageStats:
    return StageStats(
        stage_name=f"S{index}",
        pending_items=counts.get("queued", 0),
        in_progress_items=counts.get("busy", 0),
        completed_items=counts.get("done", 0) + counts.get("skipped", 0),
        failed_items=counts.get("failed", 0),
        skipped_items=counts.get("skipped", 0),
        retried=counts.get("retried", 0),
    )


def _measure(meter: ProgressMeter, view: PipelineView, at_s: float, *, running: bool = True) -> RunProgress:
    return meter.measure([view], at_s, running=running)


def test_a_rate_is_the_mean_of_the_last_two_seconds() -> None:
    meter = ProgressMeter()
    for tenth in range(60):
        progress = _measure(meter, _view({"done": tenth * 10}, total=10_000), tenth / 10)
    assert progress.rate_now == pytest.approx(100, rel=0.01)
    assert progress.stages[0].rate == pytest.approx(100, rel=0.01)
    assert progress.rate_mean == pytest.approx(100, rel=0.05)


def test_a_pipeline_that_is_over_has_the_rate_of_its_whole_time() -> None:
    view = replace(_view({"done": 90, "failed": 10}, ended=True), lasted_s=4.0)
    (stage,) = _measure(ProgressMeter(), view, 5.0, running=False).stages
    assert (stage.rate, stage.rate_is_mean) == (25.0, True)


def test_there_is_no_rate_before_it_can_be_told() -> None:
    progress = _measure(ProgressMeter(), _view({"done": 5}), 0.1)
    assert progress.rate_now is None
    assert progress.stages[0].rate is None
    assert progress.remaining_s is None


def test_time_left_is_a_range_between_the_rate_now_and_the_mean() -> None:
    meter = ProgressMeter()
    for second, done in enumerate((0, 100, 200, 300, 500, 700)):
        progress = _measure(meter, _view({"done": done}, total=900), float(second))
    assert progress.remaining_s is not None
    best, worst = progress.remaining_s
    assert best == pytest.approx(1.0)
    assert worst == pytest.approx(200 / 140)


def test_time_left_is_not_told_while_the_rate_is_unsteady() -> None:
    meter = ProgressMeter()
    for second, done in enumerate((0, 1, 2, 3, 900)):
        progress = _measure(meter, _view({"done": done}, total=100_000), float(second * 3))
    assert progress.rate_now is not None
    _measure(meter, _view({"done": 900}, total=100_000), 13.0)
    progress = _measure(meter, _view({"done": 900}, total=100_000), 15.5)
    assert progress.remaining_s is None


def test_a_stage_awaits_only_what_no_earlier_stage_lost() -> None:
    progress = _measure(ProgressMeter(), _view({"done": 90, "failed": 10}, {"done": 50, "queued": 40}), 1.0)
    assert [stage.total for stage in progress.stages] == [100, 90]


def test_an_unknown_total_stays_unknown_until_the_end() -> None:
    view = _view({"done": 30, "queued": 5}, total=None)
    assert _measure(ProgressMeter(), view, 1.0).total is None
    over = _view({"done": 35}, total=None, ended=True)
    progress = _measure(ProgressMeter(), over, 2.0, running=False)
    assert (progress.total, progress.stages[0].total) == (35, 35)


def test_counts_are_summed_over_all_pipelines_and_stages_are_those_in_view() -> None:
    first = _view({"done": 10, "failed": 2}, total=12, run=1, ended=True)
    second = _view({"done": 4, "skipped": 1, "retried": 3}, total=20, run=2)
    progress = ProgressMeter().measure([first, second], 1.0, running=True)
    assert (progress.completed, progress.failed, progress.skipped, progress.retried) == (15, 2, 1, 3)
    assert progress.total == 32
    assert (progress.stages[0].done, progress.stages[0].skipped) == (5, 1)


def test_another_pipeline_in_view_starts_the_rates_afresh() -> None:
    meter = ProgressMeter()
    for second in range(3):
        _measure(meter, _view({"done": 1000 * second}, run=1), float(second))
    both = [_view({"done": 2000}, ended=True), _view({"done": 5}, {"done": 1}, run=0)]
    assert meter.measure(both, 3.0, running=True).stages[0].rate is None


def test_the_reason_for_a_bottleneck_is_read_behind_a_name_of_any_length() -> None:
    meter = ProgressMeter()
    for poll in range(3):
        progress = _measure(
            meter, _view({"busy": 2, "queued": 10}, {}, prefix="A stage\n" + "N" * 500), poll / 4
        )
    assert progress.bottleneck is not None
    assert progress.bottleneck.sentence.startswith("A stage NNN")
    assert len(progress.bottleneck.sentence) < 150


def test_the_bottleneck_is_the_last_stage_that_is_busy_with_a_queue_that_stands() -> None:
    meter = ProgressMeter()
    stages = ({"busy": 2, "queued": 10}, {"busy": 2, "queued": 10}, {"busy": 1, "queued": 0})
    for poll in range(3):
        progress = _measure(meter, _view(*stages), poll / 4)
    assert progress.bottleneck is not None
    assert progress.bottleneck.index == 1
    assert progress.bottleneck.sentence == "S1 is the bottleneck: 2 of 2 workers busy, and its queue is full."


def test_one_busy_moment_is_no_bottleneck() -> None:
    meter = ProgressMeter()
    for queued in (0, 10, 0):
        progress = _measure(meter, _view({"busy": 2, "queued": queued}, {"busy": 0}), 1.0)
        assert progress.bottleneck is None


def test_a_run_that_ended_has_neither_rate_now_nor_bottleneck() -> None:
    meter = ProgressMeter()
    for poll in range(4):
        progress = _measure(meter, _view({"busy": 2, "queued": 10}, {}), poll / 2, running=poll < 3)
    assert progress.rate_now is None
    assert progress.bottleneck is None
    assert progress.rate_mean is not None or progress.elapsed_s < 1
