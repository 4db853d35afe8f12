"""What the header and the cards show, computed from snapshots: counts, rates, time left, the bottleneck."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from antflow_core.link.protocol import PipelineView
from antflow_core.types import StageStats
from antflow_core.units import format_count

RATE_WINDOW_S = 2.0
"""A rate "now" is the mean of this many seconds: short enough to follow, long enough to be read."""
_FIRST_RATE_S = 0.4
_STEADY_AFTER_S = 1.5
_STEADY_RATIO = 4.0
"""Time left is shown only while its pessimistic end is within this many times its optimistic end."""
_BOTTLENECK_POLLS = 3
_LONGEST_NAME = 60
"""Of a stage in a sentence, which is to be read to its end."""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """One stage at one moment.

    Attributes:
        done: Items that left the stage well, the skipped ones included.
        total: Items that will have come here in the end; None while that is not known.
        capacity: What its queue holds; None for unbounded.
        rate: Items a second that left it, well or failed; None before it can be told.
        rate_is_mean: The rate is that of its whole pipeline, which is over, and not that of lately.
    """

    name: str
    index: int
    done: int
    failed: int
    skipped: int
    retried: int
    total: int | None
    queued: int
    capacity: int | None
    busy: int
    workers: int
    rate: float | None
    rate_is_mean: bool = False


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The stage that holds the others up, and the sentence that says why."""

    index: int
    sentence: str


@dataclass(frozen=True, slots=True)
class RunProgress:
    """A whole run at one moment: counts over all its pipelines, the stages of the one in view.

    Attributes:
        remaining_s: Seconds left as (optimistic, pessimistic); None while the rate is not steady.
    """

    completed: int
    failed: int
    retried: int
    skipped: int
    in_hand: int
    total: int | None
    rate_now: float | None
    rate_mean: float | None
    elapsed_s: float
    remaining_s: tuple[float, float] | None
    stages: tuple[StageProgress, ...]
    bottleneck: Bottleneck | None


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    ended: int
    by_stage: tuple[int, ...]


class ProgressMeter:
    """Turns successive snapshots of one run into `RunProgress`; keeps the few seconds that rates need."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()
        self._position = -1
        self._suspects: deque[int | None] = deque(maxlen=_BOTTLENECK_POLLS)

    def measure(
        self, pipelines: Sequence[PipelineView], elapsed_s: float, *, running: bool, shown: int = -1
    ) -> RunProgress:
        """What there is to show now.

        Args:
            pipelines: Every pipeline of the run in order of start, with fresh snapshots.
            elapsed_s: Seconds since the run began.
            running: Whether it still runs; the rate of a run that ended is its mean.
            shown: Index of the pipeline whose stages are in view.
        """
        view = pipelines[shown] if pipelines else None
        self._follow(shown % len(pipelines) if pipelines else -1)
        stats = [pipeline.snapshot.pipeline_stats for pipeline in pipelines]
        completed = sum(stat.items_processed for stat in stats)
        failed = sum(stat.items_failed for stat in stats)
        total = _total(pipelines, running=running)
        self._sample(elapsed_s, completed + failed, view)
        rate_now = self._rate_of_run() if running else None
        rate_mean = (completed + failed) / elapsed_s if elapsed_s > _FIRST_RATE_S else None
        stages = self._stages(view, running=running) if view is not None else ()
        return RunProgress(
            completed=completed,
            failed=failed,
            retried=sum(stage.retried for stat in stats for stage in stat.stage_stats.values()),
            skipped=sum(stage.skipped_items for stat in stats for stage in stat.stage_stats.values()),
            in_hand=sum(stage.in_progress_items for stat in stats for stage in stat.stage_stats.values()),
            total=total,
            rate_now=rate_now,
            rate_mean=rate_mean,
            elapsed_s=elapsed_s,
            remaining_s=_remaining(total, completed + failed, rate_now, rate_mean, elapsed_s)
            if running
            else None,
            stages=stages,
            bottleneck=self._bottleneck(stages) if running else None,
        )

    def _follow(self, position: int) -> None:
        """Start afresh when another pipeline comes into view: its counters begin elsewhere."""
        if position != self._position:
            self._position = position
            self._samples.clear()
            self._suspects.clear()

    def _sample(self, at_s: float, ended: int, view: PipelineView | None) -> None:
        by_stage = (
            tuple(_left(_stats_of(view, stage.name)) for stage in view.stages) if view is not None else ()
        )
        self._samples.append(_Sample(at_s, ended, by_stage))
        while len(self._samples) > 2 and at_s - self._samples[1].at_s >= RATE_WINDOW_S:
            self._samples.popleft()

    def _rate_of_run(self) -> float | None:
        first, last = self._samples[0], self._samples[-1]
        return _per_second(last.ended - first.ended, last.at_s - first.at_s)

    def _rate_of_stage(self, index: int) -> float | None:
        first, last = self._samples[0], self._samples[-1]
        return _per_second(last.by_stage[index] - first.by_stage[index], last.at_s - first.at_s)

    def _stages(self, view: PipelineView, *, running: bool) -> tuple[StageProgress, ...]:
        coming = view.snapshot.pipeline_stats.total_items
        ended = view.ended or not running
        rows = []
        for index, stage in enumerate(view.stages):
            stats = _stats_of(view, stage.name)
            here = _left(stats) + stats.pending_items + stats.in_progress_items
            total = max(coming, here) if coming is not None else here
            rows.append(
                StageProgress(
                    name=stage.name,
                    index=index,
                    done=stats.completed_items,
                    failed=stats.failed_items,
                    skipped=stats.skipped_items,
                    retried=stats.retried,
                    total=total if coming is not None or ended else None,
                    queued=stats.pending_items,
                    capacity=stage.capacity,
                    busy=stats.in_progress_items,
                    workers=stage.workers,
                    rate=_mean_rate(view, stats) if ended else self._rate_of_stage(index),
                    rate_is_mean=ended,
                )
            )
            if coming is not None:
                coming -= stats.failed_items
        return tuple(rows)

    def _bottleneck(self, stages: Sequence[StageProgress]) -> Bottleneck | None:
        """The last stage with all workers busy and a queue that stands: those before it wait for it."""
        suspect = next((stage for stage in reversed(stages) if _is_held_up(stage)), None)
        self._suspects.append(suspect.index if suspect else None)
        if suspect is None or len(stages) < 2:
            return None
        if len(self._suspects) < _BOTTLENECK_POLLS or set(self._suspects) != {suspect.index}:
            return None
        return Bottleneck(suspect.index, _why(suspect))


def _stats_of(view: PipelineView, stage: str) -> StageStats:
    return view.snapshot.pipeline_stats.stage_stats[stage]


def _left(stats: StageStats) -> int:
    """Items that left the stage, one way or another."""
    return stats.completed_items + stats.failed_items


def _per_second(count: int, seconds: float) -> float | None:
    """A rate; not below zero where failed items go again, and so have not ended any more."""
    return max(0, count) / seconds if seconds >= _FIRST_RATE_S else None


def _mean_rate(view: PipelineView, stats: StageStats) -> float | None:
    """The rate over all of a pipeline that is over."""
    return _left(stats) / view.lasted_s if view.lasted_s else None


def _total(pipelines: Sequence[PipelineView], *, running: bool) -> int | None:
    """Items of all pipelines; None while one may come, or one of those that run does not know its own."""
    total = 0
    for pipeline in pipelines:
        stats = pipeline.snapshot.pipeline_stats
        if pipeline.ended or not running:
            known = stats.items_processed + stats.items_failed + stats.items_in_flight
            total += max(stats.total_items or 0, known)
        elif stats.total_items is None:
            return None
        else:
            total += stats.total_items
    return None if running and not pipelines else total


def _remaining(
    total: int | None, ended: int, now: float | None, mean: float | None, elapsed_s: float
) -> tuple[float, float] | None:
    if total is None or not now or not mean or elapsed_s < _STEADY_AFTER_S:
        return None
    left = max(0, total - ended)
    best, worst = left / max(now, mean), left / min(now, mean)
    return (best, worst) if worst <= best * _STEADY_RATIO else None


def _is_held_up(stage: StageProgress) -> bool:
    standing = stage.capacity * 0.5 if stage.capacity else stage.workers * 2
    return stage.busy >= stage.workers > 0 and stage.queued >= max(1.0, standing)


def _why(stage: StageProgress) -> str:
    busy = f"{stage.busy} of {stage.workers} workers busy"
    name = " ".join(stage.name.split())
    name = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    if stage.capacity and stage.queued >= stage.capacity:
        return f"{name} is the bottleneck: {busy}, and its queue is full."
    waiting = "1 item waits" if stage.queued == 1 else f"{format_count(stage.queued)} items wait"
    return f"{name} is the bottleneck: {busy}, and {waiting} for it."
