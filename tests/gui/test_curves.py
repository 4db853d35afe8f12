"""The rates of a recorded run over its whole time, from its snapshots or, where it was short, its events."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from antflow_core.history.records import KIND_INDEX, NO_ERROR, NO_TASK, NO_WORKER
from antflow_core.link.replay import ReplayedRun
from antflow_core.recording import record
from antflow_core.run_files.run_records import RunSnapshot
from antflow_core.tracker import StatusTracker
from antflow_core.types import PipelineStats, StageStats
from antflow_gui.plots.curve_axes import elapsed_ticks
from antflow_gui.runs.curves import RateCurves, RecordedCurves
from tests.bench.run_file import filled_log

STARTED_AT = 1_000.0


class _Snapshots(ReplayedRun):
    """A recorded run with snapshots as a test wants them."""

    told: tuple[RunSnapshot, ...] = ()

    def snapshots(self, run: int, after: float = float("-inf")) -> list[RunSnapshot]:
        return [each for each in self.told if each.time > after]


def _snapshot(second: float, *left: int) -> RunSnapshot:
    stages = {f"S{at}": StageStats(f"S{at}", 0, 0, count, 0) for at, count in enumerate(left)}
    return RunSnapshot(1, STARTED_AT + second, PipelineStats(left[-1], 0, 0, {}, stages))


@pytest.fixture
def recorded(tmp_path: Path) -> _Snapshots:
    """150,000 events of 10,000 items, a microsecond apart."""
    tracker = StatusTracker()
    filled_log(tracker.log, 150_000)
    with record(tracker, tmp_path / "run.antflow"):
        pass
    source = _Snapshots(tmp_path / "run.antflow")
    asyncio.run(source.run())
    return source


def _curves(source: ReplayedRun) -> RateCurves:
    curves = RecordedCurves(source, 1).update()
    assert curves is not None
    return curves


def test_rates_come_from_the_snapshots_of_a_run(recorded: _Snapshots) -> None:
    recorded.told = tuple(_snapshot(second, second * 50, second * 30) for second in range(1, 61))
    curves = _curves(recorded)
    assert (curves.began_s, curves.times_s[0], curves.times_s[-1]) == (0.0, 0.0, 60.0)
    assert curves.rates == pytest.approx(np.array([[50.0] * 61, [30.0] * 61]))


def test_snapshots_that_come_later_are_added(recorded: _Snapshots) -> None:
    recorded.told = tuple(_snapshot(second, second * 10) for second in range(1, 21))
    curves = RecordedCurves(recorded, 1)
    first = curves.update()
    recorded.told += (_snapshot(21, 210), _snapshot(22, 240))
    second = curves.update()
    assert first is not None and second is not None
    assert (first.ended_s, second.ended_s) == (20.0, 22.0)
    assert second.rates[0, -1] == pytest.approx(20.0)


def test_items_that_fail_no_longer_make_no_rate_below_zero(recorded: _Snapshots) -> None:
    recorded.told = tuple(
        _snapshot(float(second), count) for second, count in enumerate((5, 9, 7, 7, 8, 9), 1)
    )
    assert _curves(recorded).rates.min() >= 0


def test_without_snapshots_rates_come_from_the_events(recorded: _Snapshots) -> None:
    curves = _curves(recorded)
    assert len(curves.times_s) > 100
    assert curves.ended_s == pytest.approx(0.15, abs=0.01)
    assert curves.evenly(80).shape == (3, 80)
    assert curves.rates.mean(axis=1) == pytest.approx([1e6 / 15] * 3, rel=0.05)


def test_after_the_last_item_that_was_through_the_rate_falls_to_nothing(tmp_path: Path) -> None:
    tracker = StatusTracker()
    log = tracker.log
    log.begin_run("", ["Fetch"], STARTED_AT)
    for number in range(100):
        item = log.run_items(1)[number]
        log.append(
            STARTED_AT + number / 100, item, 0, KIND_INDEX["completed"], 1, NO_TASK, NO_WORKER, 0.1, NO_ERROR
        )
    log.end_run(1, STARTED_AT + 10)
    with record(tracker, tmp_path / "run.antflow"):
        pass
    source = ReplayedRun(tmp_path / "run.antflow")
    asyncio.run(source.run())
    curves = _curves(source)
    assert (curves.began_s, curves.ended_s, curves.times_s[-1]) == (0.0, 10.0, 10.0)
    rates = curves.evenly(11)[0]
    assert rates[0] > 50 and rates[3:].max() == 0.0


def test_of_a_run_without_events_there_is_nothing_to_draw(tmp_path: Path) -> None:
    tracker = StatusTracker()
    tracker.begin_run(["Fetch"])
    with record(tracker, tmp_path / "run.antflow"):
        pass
    assert RecordedCurves(ReplayedRun(tmp_path / "run.antflow"), 1).update() is None


@pytest.mark.parametrize(
    ("begin_s", "end_s", "words"),
    [
        (0.0, 8.3, ["0 s", "2 s", "4 s", "6 s", "8 s"]),
        (0.0, 0.3, ["0 s", "0.1 s", "0.2 s", "0.3 s"]),
        (0.0, 200.0, ["0:00", "0:30", "1:00", "1:30", "2:00", "2:30", "3:00"]),
        (95.0, 140.0, ["1:40", "1:50", "2:00", "2:10", "2:20"]),
        (0.0, 4000.0, ["0:00:00", "0:10:00", "0:20:00", "0:30:00", "0:40:00", "0:50:00", "1:00:00"]),
        (0.0, 90_000.0, ["0:00:00", "4:00:00", "8:00:00", "12:00:00", "16:00:00", "20:00:00", "24:00:00"]),
    ],
)  # fmt: skip
def test_elapsed_time_is_labelled_at_round_moments(begin_s: float, end_s: float, words: list[str]) -> None:
    assert [word for _, word in elapsed_ticks(begin_s, end_s)] == words
