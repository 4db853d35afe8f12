"""Run files for tests: what a tracker holds written and read back, and what both of them tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from antflow_core.history.answers import RecordedError
from antflow_core.recorded_run import RecordedRun, open_run
from antflow_core.recording import record
from antflow_core.run_files.stored_values import stored_id
from antflow_core.search.questions import Questions
from antflow_core.tracker import StatusTracker
from antflow_core.types import StatusEvent, TaskEvent


def written(tracker: StatusTracker, path: Path) -> Path:
    """A run file with all that a tracker holds."""
    with record(tracker, path):
        pass
    return path


def read_back(tracker: StatusTracker, folder: Path, name: str = "run") -> RecordedRun:
    """What a tracker holds after its way through a file."""
    return open_run(written(tracker, folder / f"{name}.antflow"))


def told(event: StatusEvent | TaskEvent) -> tuple[Any, ...]:
    """What an event says, its id as a file keeps it."""
    if isinstance(event, StatusEvent):
        return (
            stored_id(event.item_id),
            event.stage,
            event.status,
            event.worker,
            event.timestamp,
            event.metadata,
        )
    error = event.error
    assert error is None or isinstance(error, RecordedError)
    texts = None if error is None else (error.type_name, error.message, error.traceback)
    place = (stored_id(event.item_id), event.stage, event.task_name, event.worker)
    return (*place, event.event_type, event.attempt, event.timestamp, event.duration, texts)


def story(questions: Questions, query: str = "") -> list[tuple[Any, ...]]:
    """Every event that a search finds."""
    return [told(event) for event in questions.search(query)]
