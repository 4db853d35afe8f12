"""How fast the stages of a recorded run were, over its whole time: rates from the counts in its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from antflow_core.exceptions import RunFileError
from antflow_core.history.endings import are_failures
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KIND_INDEX
from antflow_core.link.replay import ReplayedRun
from antflow_core.types import PipelineStats
from antflow_gui.runs.progress import RATE_WINDOW_S

_FEWEST_SNAPSHOTS: Final = 5
"""A run that has fewer was so short that its events say more."""
_POINTS: Final = 400
_QUIET_POINTS: Final = 16
_WINDOW_SHARES: Final = 1 / 300, 1 / 12
"""A rate is the mean of two seconds, but of no less and no more than such a part of the run."""
_LEFT_WELL: Final = (KIND_INDEX["completed"], KIND_INDEX["skipped"])


@dataclass(frozen=True, slots=True)
class RateCurves:
    """Rates over time.

    Attributes:
        times_s: Seconds since the first pipeline of the recording began, in order.
        rates: Items a second that left each stage, a row a stage, a column a time.
        began_s: When the pipeline began; its time axis begins there.
        ended_s: When it ended, or how far it is.
    """

    times_s: NDArray[np.float64]
    rates: NDArray[np.float64]
    began_s: float
    ended_s: float

    def evenly(self, count: int) -> NDArray[np.float64]:
        """The rates at so many moments between beginning and end, in even steps."""
        moments = np.linspace(self.began_s, self.ended_s, count)
        return np.array([np.interp(moments, self.times_s, rates) for rates in self.rates])


class RecordedCurves:
    """Follows the counts of one pipeline of a recorded run.

    Args:
        source: The recorded run.
        run: Number of the pipeline in its log.
    """

    def __init__(self, source: ReplayedRun, run: int) -> None:
        self._source = source
        self._run = run
        self._times: list[float] = []
        self._counts: list[list[int]] = []
        self._events = _EventCounts(source.log, run)

    def update(self) -> RateCurves | None:
        """Take in what is new in the file; None before anything can be told."""
        self._take_snapshots()
        if len(self._times) >= _FEWEST_SNAPSHOTS:
            times, counts = np.array(self._times), np.array(self._counts, np.float64)
        else:
            self._events.update(max(self._source.file.total_events // _POINTS, 1))
            times, counts = self._events.table()
        if not len(times):
            return None
        return self._curves(times, counts)

    def _take_snapshots(self) -> None:
        after = self._times[-1] if self._times else float("-inf")
        try:
            new = self._source.snapshots(self._run, after)
        except RunFileError:
            return  # who reads the events meets it too, and tells
        for snapshot in new:
            self._times.append(snapshot.time)
            self._counts.append(_left(snapshot.stats))

    def _curves(self, times: NDArray[np.float64], counts: NDArray[np.float64]) -> RateCurves:
        log = self._source.log
        record = log.run_record(self._run)
        began_s = record.started_at - log.started_at
        times = np.concatenate([[began_s], np.maximum(times - log.started_at, began_s)])
        counts = np.concatenate([np.zeros((1, counts.shape[1])), counts])
        if record.ended_at is not None and (ended_s := record.ended_at - log.started_at) > times[-1]:
            quiet = np.linspace(times[-1], ended_s, _QUIET_POINTS + 1)[1:]  # nothing was through any more
            times = np.concatenate([times, quiet])
            counts = np.concatenate([counts, np.repeat(counts[-1:], _QUIET_POINTS, axis=0)])
        return RateCurves(times, _rates(times, counts), began_s, float(times[-1]))


class _EventCounts:
    """Items that have left each stage of a run, every so many events."""

    def __init__(self, log: EventLog, run: int) -> None:
        self._log = log
        self._stages = np.array(log.stage_indexes(run))
        self._times: list[float] = []
        self._counts = [np.zeros(len(self._stages), np.int64)]
        self._counted_to = log.first_row

    def update(self, step: int) -> None:
        """Take in what is new, with a count every `step` events and at the end of each chunk."""
        log = self._log
        for _, block in log.blocks(self._counted_to, log.next_row):
            for begin in range(0, len(block), step):
                self._count(block[begin : begin + step])
        self._counted_to = log.next_row

    def table(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The moments, and the counts at each of them."""
        return np.array(self._times), np.array(self._counts[1:], np.float64).reshape(-1, len(self._stages))

    def _count(self, events: NDArray[np.void]) -> None:
        left = np.isin(events["kind"], _LEFT_WELL) | are_failures(self._log, events)
        stages = events["stage"][left]
        found = np.array([np.count_nonzero(stages == stage) for stage in self._stages], np.int64)
        if found.any():
            self._times.append(float(events["time"][-1]))
            self._counts.append(self._counts[-1] + found)


def _left(stats: PipelineStats) -> list[int]:
    return [stage.completed_items + stage.failed_items for stage in stats.stage_stats.values()]


def _rates(times: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """What came between each moment and one a window before it, by the second; a row a column of counts."""
    took_s = times[-1] - times[0]
    least, most = (took_s * share for share in _WINDOW_SHARES)
    window_s = min(max(RATE_WINDOW_S, least), most)
    before = np.clip(np.searchsorted(times, times - window_s, "right") - 1, 0, None)
    before = np.minimum(before, np.maximum(np.arange(len(times)) - 1, 0))
    spans = np.maximum(times - times[before], 1e-9)
    rates = np.maximum(counts - counts[before], 0.0) / spans[:, None]
    # Before there is half a window behind them, moments have the rate of the first one that has.
    early = int(np.searchsorted(times - times[0], window_s / 2))
    rates[:early] = rates[min(early, len(rates) - 1)]
    return np.ascontiguousarray(rates.T)
