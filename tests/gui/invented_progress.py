"""Invented figures of runs and stages, for tests of the views that show them."""

from __future__ import annotations

from dataclasses import replace

from antflow_gui.runs.progress import RunProgress, StageProgress

_STAGE = StageProgress(
    name="Parse",
    index=0,
    done=0,
    failed=0,
    skipped=0,
    retried=0,
    total=100,
    queued=0,
    capacity=16,
    busy=0,
    workers=8,
    rate=None,
)
_RUN = RunProgress(
    completed=0,
    failed=0,
    retried=0,
    skipped=0,
    in_hand=0,
    total=3084,
    rate_now=317.0,
    rate_mean=298.0,
    elapsed_s=6.4,
    remaining_s=(3.0, 5.0),
    stages=(),
    bottleneck=None,
)


def stage(name: str = "Parse", index: int = 0, **figures: float | None) -> StageProgress:
    """A stage with 8 workers, a queue of 16 and 100 items to come, changed as told."""
    return replace(_STAGE, name=name, index=index, **figures)  # type: ignore[arg-type]  # any of its fields


def stages(*names: str, **figures: float | None) -> tuple[StageProgress, ...]:
    """Stages of these names, all with the same figures."""
    return tuple(stage(name, index, **figures) for index, name in enumerate(names))


def run(**figures: object) -> RunProgress:
    """A run of 3,084 items that is going on, changed as told."""
    return replace(_RUN, **figures)  # type: ignore[arg-type]  # any of its fields
