"""A small log whose every event is known: two runs, retries, failures, a skipped item, ids of all types."""

from __future__ import annotations

from typing import Any

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KIND_INDEX, NO_DURATION, NO_ERROR
from antflow_core.tracker import StatusTracker
from tests.support.events import raised

STARTED_AT = 1_800_000_000.0
"""2027-01-15 08:00:00 UTC."""
ODD_TEXT = 'a "b", c\nd'
ODD_IDS = (7, "7", 7.5, None, True, b"\x00\xff", ODD_TEXT, "ünï 🐜", 2**70, "")


class Written:
    """Writes events into a log, each given by names.

    Args:
        log: Where to.
        name: That of the run that is begun.
    """

    def __init__(self, log: EventLog, stages: tuple[str, ...], started_at: float, name: str = "") -> None:
        self.log = log
        self.run = log.begin_run(name, stages, started_at)
        self._started_at = started_at
        self._stages = dict(zip(stages, log.stage_indexes(self.run), strict=True))
        self._items = log.run_items(self.run)

    def event(
        self,
        at: float,
        item_id: object,
        stage: str,
        kind: str,
        attempt: int = 0,
        worker: str | None = None,
        task: str | None = None,
        duration: float = NO_DURATION,
        error: BaseException | None = None,
        note: dict[str, Any] | None = None,
    ) -> None:
        """Add one, so many seconds after the start of the run."""
        log = self.log
        row = log.append(
            self._started_at + at,
            self._items[item_id],
            self._stages[stage],
            KIND_INDEX[kind],
            attempt,
            log.task_indexes[task],
            log.worker_indexes[worker],
            duration,
            NO_ERROR if error is None else log.errors.index(error),
        )
        if note is not None:
            log.notes[row] = note

    def end(self, at: float) -> None:
        """End the run."""
        self.log.end_run(self.run, self._started_at + at)


def small_tracker() -> StatusTracker:
    """Run 1: an item that is retried, one that fails, one that is skipped; run 2: every type of id."""
    tracker = StatusTracker()
    first = Written(tracker.log, ("Fetch", "Parse"), STARTED_AT)
    for fed in ("order 17", 7, "7"):
        first.event(0.25, fed, "Fetch", "queued")
    timeout = raised(TimeoutError("no answer\nfrom “host”, 80"))
    first.event(0.5, "order 17", "Fetch", "in_progress", 1, "Fetch-W0")
    first.event(0.5, "order 17", "Fetch", "start", 1, "Fetch-W0", "fetch")
    first.event(0.75, "order 17", "Fetch", "retry", 1, "Fetch-W0", "fetch", 0.25, timeout)
    first.event(0.75, "order 17", "Fetch", "retrying", 2, "Fetch-W0", duration=0.25, error=timeout)
    first.event(1.0, "order 17", "Fetch", "start", 2, "Fetch-W0", "fetch")
    first.event(1.1, "order 17", "Fetch", "complete", 2, "Fetch-W0", "fetch", 0.1)
    first.event(1.1, "order 17", "Fetch", "completed", 2, "Fetch-W0", duration=0.1)
    first.event(1.1, "order 17", "Parse", "queued", note={"priority": 5, "why": "ürgent"})
    faulty = raised(ValueError('7 is "odd"'))
    first.event(1.25, 7, "Fetch", "start", 1, "Fetch-W1", "fetch")
    first.event(1.5, 7, "Fetch", "fail", 1, "Fetch-W1", "fetch", 0.25, faulty)
    first.event(1.5, 7, "Fetch", "failed", 1, "Fetch-W1", duration=0.25, error=faulty)
    first.event(1.5, "7", "Fetch", "skipped", 0, "Fetch-W1")
    first.end(2.0)
    second = Written(tracker.log, ("Save",), STARTED_AT + 10, "ids")
    for item_id in ODD_IDS:
        second.event(0.5, item_id, "Save", "queued")
        second.event(1.5, item_id, "Save", "completed", 1, "Save-W0", duration=0.003)
    second.end(2.0)
    return tracker


def everything(log: EventLog) -> list[tuple[Any, ...]]:
    """Every event of a log with all that it names, whatever the numbers of items and errors are."""
    rows = log.page(range(log.first_row, log.next_row))
    return [
        (
            row.run,
            row.time,
            repr(row.item_id),
            row.stage,
            row.kind,
            row.attempt,
            row.worker,
            row.task,
            row.duration,
            None if row.error == NO_ERROR else log.error(row.error),
            log.notes.get(row.row),
        )
        for row in rows
    ]
