"""What a run file tells beside the events: how they came about, of what pipelines, in what numbers."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from antflow_core._version import __version__
from antflow_core.types import PipelineStats, StageStats, WorkerMetrics


class Outcome(StrEnum):
    """How a recorded process ended, in words for a person; `UNEXPECTED` if it vanished without an end.

    `ENDED` is the end of a whole process that no exception caused: nobody in it is told whether it has come
    to its last line or to ``sys.exit(3)``.
    """

    RECORDING = "still being recorded"
    FINISHED = "finished"
    ENDED = "ended, exit code not known"
    STOPPED = "stopped"
    FAILED = "failed"
    CUT_SHORT = "recorded in part"
    UNEXPECTED = "ended unexpectedly"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be written."""
        return self is not Outcome.RECORDING


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Where a recording came from and how it ended; times are Unix seconds.

    Attributes:
        script: The program as it was called; None where there was none, as in an interactive session.
        arguments: What followed it on the command line.
        host: Name of the machine.
        system: Operating system and processor.
        python: Version of Python.
        antflow: Version of this package.
        process_id: Number of the process.
        ended_at: None while it is recorded, and where it ended unexpectedly.
        message: Why it failed or was cut short, one sentence; None where there is nothing to say.
        left_out_values: Values that were to be kept and were not, because they came faster than the disk took
            them.
        missed_events: Events that a limited tracker had dropped before it was recorded; known at the end.
        folder: The working directory, from which a relative `script` is meant; None in recordings that do not
            tell it.
    """

    script: str | None
    arguments: tuple[str, ...]
    host: str
    system: str
    python: str
    antflow: str
    process_id: int
    started_at: float
    ended_at: float | None = None
    outcome: Outcome = Outcome.RECORDING
    message: str | None = None
    left_out_values: int = 0
    folder: str | None = None
    missed_events: int = 0

    @property
    def script_path(self) -> Path | None:
        """Where the script was, on the machine of the recording; None where that is not known."""
        if not self.script:
            return None
        path = Path(self.folder or "", self.script)
        return path if path.is_absolute() else None

    @classmethod
    def of_here(
        cls, script: str | None, arguments: tuple[str, ...], started_at: float, folder: str | None = None
    ) -> RunInfo:
        """What is to be told of a recording that begins in this process."""
        return cls(
            script,
            arguments,
            platform.node(),
            platform.platform(),
            platform.python_version(),
            __version__,
            os.getpid(),
            started_at,
            folder=folder,
        )

    def columns(self) -> dict[str, str]:
        """The values as JSON by name, as the file holds them."""
        return {name: json.dumps(value) for name, value in asdict(self).items()}

    @classmethod
    def from_columns(cls, columns: dict[str, str]) -> RunInfo:
        """What `columns` gave; further values, of a newer minor version, are left out."""
        values = {name: json.loads(text) for name, text in columns.items() if name in _INFO_FIELDS}
        values["arguments"] = tuple(values["arguments"])
        known = {*Outcome}
        values["outcome"] = Outcome(values["outcome"]) if values["outcome"] in known else Outcome.FINISHED
        return cls(**values)


_INFO_FIELDS: Final = frozenset(field.name for field in fields(RunInfo))


@dataclass(frozen=True, slots=True)
class RecordedStage:
    """A stage as its pipeline described it when the run began.

    Attributes:
        capacity: What its queue holds; 0 where it has none (``pull``), None where it is unbounded.
        tasks: Task names in order.
        retry: ``per_task`` or ``per_stage``.
        attempts: How many there are in all, of each task or of the stage.
        timeout_s: What an attempt at a task may take.
    """

    name: str
    workers: int
    capacity: int | None
    tasks: tuple[str, ...]
    retry: str
    attempts: int
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class RecordedPipeline:
    """One start-to-end of one pipeline.

    Attributes:
        run: Its number in the log, from 1.
        name: How to call it: its stages, ``Fetch → Parse → Save``.
        stages: Empty where the tracker was not given its events by a pipeline.
        stats: Its numbers at the end, or the newest there are; None where there are none.
        workers: What each worker had done by then.
    """

    run: int
    name: str
    stages: tuple[RecordedStage, ...]
    stats: PipelineStats | None
    workers: tuple[WorkerMetrics, ...]
    started_at: float
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """The numbers of one run at one moment."""

    run: int
    time: float
    stats: PipelineStats


@dataclass(frozen=True, slots=True)
class StageValue:
    """What was noted of an item's value at a stage.

    Attributes:
        run: Number of the run.
        stage: The stage it came to; None for what came out of the last one.
        text: Its repr, or that of what stands in its stead, cut at a size.
    """

    run: int
    stage: str | None
    text: str


def told_of_run(number: int, *texts: str | None) -> tuple[int, Any, Any, Any]:
    """Of a run its number, and the JSON of stages, newest counts and workers; None where it told nothing.

    Raises:
        ValueError: A text is no JSON.
    """
    stages, stats, workers = (None if text is None else json.loads(text) for text in texts)
    return number, stages, stats, workers


def encode_stages(stages: tuple[RecordedStage, ...]) -> str:
    """Stages as JSON."""
    return json.dumps([asdict(stage) for stage in stages])


def decode_stages(told: Any) -> tuple[RecordedStage, ...]:
    """What `encode_stages` was given, from its JSON; what a newer minor version adds is left out."""
    return tuple(_stage(values) for values in told or ())


def encode_stats(stats: PipelineStats) -> str:
    """Counts as a JSON list: those of the run, then a list for each stage; names are told once a run."""
    counts = [stats.items_processed, stats.items_failed, stats.items_in_flight, stats.total_items]
    return json.dumps([*counts, [_counts(stage) for stage in stats.stage_stats.values()]])


def decode_stats(told: Any, stages: tuple[str, ...]) -> PipelineStats:
    """What `encode_stats` was given, from its JSON."""
    processed, failed, in_flight, total, by_stage, *_ = told
    stage_stats = {
        name: StageStats(name, *counts[:_STAGE_COUNTS])
        for name, counts in zip(stages, by_stage, strict=False)
    }
    queues = {name: stage.pending_items for name, stage in stage_stats.items()}
    return PipelineStats(processed, failed, in_flight, queues, stage_stats, total)


def encode_workers(workers: tuple[WorkerMetrics, ...]) -> str:
    """What workers have done, as JSON."""
    return json.dumps([asdict(worker) for worker in workers])


def decode_workers(told: Any) -> tuple[WorkerMetrics, ...]:
    """What `encode_workers` was given, from its JSON."""
    known = {field.name for field in fields(WorkerMetrics)}
    return tuple(
        WorkerMetrics(**{name: value for name, value in values.items() if name in known})
        for values in told or ()
    )


_STAGE_COUNTS: Final = 6


def _counts(stage: StageStats) -> list[int]:
    return [
        stage.pending_items,
        stage.in_progress_items,
        stage.completed_items,
        stage.failed_items,
        stage.skipped_items,
        stage.retried,
    ]


def _stage(values: dict[str, Any]) -> RecordedStage:
    known = {field.name for field in fields(RecordedStage)}
    kept = {name: value for name, value in values.items() if name in known}
    return RecordedStage(**{**kept, "tasks": tuple(kept["tasks"])})
