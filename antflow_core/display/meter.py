"""Figures for a person from successive snapshots: what is done, how fast, and how long it will take."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from antflow_core.types import DashboardSnapshot, StageStats

RATE_WINDOW_S = 5.0
"""A rate is the mean over this long: shorter jumps about at four redraws a second, longer lags behind."""
_FIRST_RATE_S = 0.2
_FIRST_ESTIMATE_S = 1.0


@dataclass(frozen=True, slots=True)
class StageReading:
    """One stage at one moment.

    Attributes:
        done: Items that left the stage, failed and skipped ones included.
        total: Items that will have come here in the end; None while that is not known.
        rate: Items a second that left it lately; None before it can be told.
    """

    name: str
    done: int
    failed: int
    retried: int
    total: int | None
    queued: int
    busy: int
    workers: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A whole run at one moment.

    Attributes:
        snapshot: What the figures were read from.
        completed: Items that ended in a result.
        total: Items there will be; None while that is not known.
        rate: Items a second that ended lately, well or failed; None before it can be told.
        remaining_s: Seconds left at that rate; None while it cannot be told.
    """

    snapshot: DashboardSnapshot
    completed: int
    failed: int
    retried: int
    skipped: int
    total: int | None
    elapsed_s: float
    rate: float | None
    remaining_s: float | None
    stages: tuple[StageReading, ...]

    @property
    def done(self) -> int:
        """Items that ended, well or failed."""
        return self.completed + self.failed

    @property
    def paused(self) -> bool:
        """Whether the run is paused: its pace tells nothing then."""
        return self.snapshot.paused


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    done: int
    by_stage: Mapping[str, int]


class Meter:
    """Reads snapshots of one run, one after the other; keeps the few seconds that rates need."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque([_Sample(0.0, 0, {})])

    def read(
        self, snapshot: DashboardSnapshot, elapsed_s: float, total: int | None, *, at_least: int = 0
    ) -> Reading:
        """The figures of one snapshot.

        Args:
            snapshot: The pipeline now.
            elapsed_s: Seconds since the run began.
            total: How many items there will be, where the snapshot does not know.
            at_least: How many there will be, whatever the snapshot knows of yet.
        """
        stats = snapshot.pipeline_stats
        done = stats.items_processed + stats.items_failed
        total = total if stats.total_items is None else max(stats.total_items, at_least)
        self._note(_Sample(elapsed_s, done, {name: _left(s) for name, s in stats.stage_stats.items()}))
        rate = self._rate(None)
        return Reading(
            snapshot=snapshot,
            completed=stats.items_processed,
            failed=stats.items_failed,
            retried=sum(stage.retried for stage in stats.stage_stats.values()),
            skipped=sum(stage.skipped_items for stage in stats.stage_stats.values()),
            total=total,
            elapsed_s=elapsed_s,
            rate=rate,
            remaining_s=_remaining_s(done, total, rate, elapsed_s),
            stages=self._stages(snapshot, total),
        )

    def _note(self, sample: _Sample) -> None:
        """Keep the sample, and of the old ones only the youngest that is a whole window old."""
        self._samples.append(sample)
        while len(self._samples) > 2 and self._samples[1].at_s <= sample.at_s - RATE_WINDOW_S:
            self._samples.popleft()

    def _rate(self, stage: str | None) -> float | None:
        first, last = self._samples[0], self._samples[-1]
        seconds = last.at_s - first.at_s
        if seconds < _FIRST_RATE_S:
            return None
        if stage is None:
            return max(0.0, (last.done - first.done) / seconds)
        return max(0.0, (last.by_stage.get(stage, 0) - first.by_stage.get(stage, 0)) / seconds)

    def _stages(self, snapshot: DashboardSnapshot, total: int | None) -> tuple[StageReading, ...]:
        workers = Counter(worker.stage for worker in snapshot.worker_states.values())
        busy = Counter(worker.stage for worker in snapshot.worker_states.values() if worker.status == "busy")
        readings: list[StageReading] = []
        coming = total
        for name, stage in snapshot.pipeline_stats.stage_stats.items():
            done = _left(stage)
            readings.append(
                StageReading(
                    name=name,
                    done=done,
                    failed=stage.failed_items,
                    retried=stage.retried,
                    total=None if coming is None else max(coming, done),
                    queued=stage.pending_items,
                    busy=busy[name],
                    workers=workers[name],
                    rate=self._rate(name),
                )
            )
            coming = None if coming is None else max(0, coming - stage.failed_items)
        return tuple(readings)


def _left(stage: StageStats) -> int:
    """Items that left a stage."""
    return stage.completed_items + stage.failed_items


def _remaining_s(done: int, total: int | None, rate: float | None, elapsed_s: float) -> float | None:
    if total is None or not rate or elapsed_s < _FIRST_ESTIMATE_S:
        return None
    return max(0, total - done) / rate
