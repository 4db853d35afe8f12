"""An item's whole history: its events in order, its way through the stages as spans, its last error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import ErrorRecord, EventRow, RunRecord

_FINAL = frozenset({"completed", "failed", "skipped"})
_ENDS = _FINAL | {"retrying"}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of an item's way: it waited at a stage, or was worked on there.

    Attributes:
        stage: Place of the stage in its run, from 0.
        start_s: Seconds since the run began.
        end_s: The same; None while it goes on.
        status: How work ended: completed, failed, retrying or skipped; in_progress where it goes on; queued
            where the item waited.
    """

    stage: int
    start_s: float
    end_s: float | None
    status: str


class ItemHistory:
    """Collects the events of one item and keeps up with the log.

    Args:
        log: Where the events are.
        item: The item's index in the log.

    Attributes:
        name: The item's id as text; it stays when a limited log lets go of the item.
        events: Every event of the item, status and task events, in order.
    """

    def __init__(self, log: EventLog, item: int) -> None:
        self.log = log
        self.item = item
        self.name = log.item_text(item)
        self.events: list[EventRow] = []
        self._errors: dict[int, ErrorRecord] = {}
        self._seen_to = log.next_row
        self._take(log.rows_of_item(item).tolist())

    def refresh(self) -> bool:
        """Take in what the log has gained; returns whether any of it concerns the item. Costs O(new rows)."""
        first, stop = self._seen_to, self.log.next_row
        if first == stop:
            return False
        self._seen_to = stop
        found: list[int] = []
        for start, events in self.log.blocks(first, stop):
            found += (np.flatnonzero(events["item"] == self.item) + start).tolist()
        self._take(found)
        return bool(found)

    @property
    def last(self) -> EventRow | None:
        """The newest status event."""
        return next((event for event in reversed(self.events) if event.is_status), None)

    @property
    def is_under_way(self) -> bool:
        """Whether something will still happen to the item, as far as its events tell."""
        last, run = self.last, self.run
        if last is None or run is None or run.ended_at is not None:
            return False
        is_through = last.kind in ("completed", "skipped") and last.stage_index == _last_stage(run)
        return last.kind != "failed" and not is_through

    @property
    def has_failed(self) -> bool:
        """Whether the item failed, and so may be tried again; one that was given up did not."""
        last = self.last
        return last is not None and last.kind == "failed" and last.error not in self.log.errors.endings

    @property
    def error(self) -> ErrorRecord | None:
        """What went wrong last, None where nothing did or the item came through after all."""
        last = self.last
        if last is None or last.kind not in ("failed", "retrying"):
            return None
        failed = next((event for event in reversed(self.events) if event.error >= 0), None)
        return self._errors[failed.error] if failed is not None else None

    @property
    def run(self) -> RunRecord | None:
        """The run the newest event belongs to."""
        if not self.events:
            return None
        return self.log.run_record(self.events[-1].run)

    @property
    def took_s(self) -> float:
        """Seconds from the first to the newest event."""
        return self.events[-1].time - self.events[0].time if self.events else 0.0

    def spans(self) -> list[Span]:
        """The item's way in its newest run, stage by stage, attempts apart."""
        run = self.run
        if run is None:
            return []
        return list(_spans((event for event in self.events if event.run == run.number), run))

    def seconds(self, event: EventRow) -> float:
        """When an event was, in seconds since the first pipeline began."""
        return event.time - self.log.started_at

    def report(self) -> str:
        """The item, what happened to it and its traceback, as text for a message or an issue."""
        last, error = self.last, self.error
        lines = [f"Item: {self.name}"]
        if last is not None:
            attempt = f", attempt {last.attempt}" if last.attempt else ""
            lines.append(f"State: {last.kind.replace('_', ' ')} in {last.stage}{attempt}")
        if error is not None:
            lines.append(f"Error: {error.type_name}: {error.message}")
            if error.traceback:
                lines += ["", error.traceback.rstrip()]
        return "\n".join(lines) + "\n"

    def _take(self, rows: list[int]) -> None:
        new = self.log.page(rows)
        self.events += new
        for error in {event.error for event in new if event.error >= 0} - self._errors.keys():
            self._errors[error] = self.log.error(error)


def _last_stage(run: RunRecord) -> int:
    """The index in the log of a run's last stage."""
    return run.stage_base + len(run.stages) - 1


def _spans(events: Iterable[EventRow], run: RunRecord) -> Iterable[Span]:
    """Cut the item's time wherever it began to wait, was taken by a worker, or an attempt ended."""
    stage, since, doing = 0, 0.0, ""
    for event in events:
        time_s = event.time - run.started_at
        begins = event.kind in ("queued", "in_progress", "start") and not (
            event.kind == "start" and doing == "in_progress"
        )
        if not begins and event.kind not in _ENDS:
            continue
        if doing:
            outcome = event.kind if doing == "in_progress" and event.kind in _ENDS else doing
            yield Span(stage, since, time_s, outcome)
        if event.kind == "skipped" and doing != "in_progress":
            yield Span(event.stage_index - run.stage_base, time_s, time_s, "skipped")
        stage, since = event.stage_index - run.stage_base, time_s
        doing = _next_activity(event.kind)
    if doing:
        yield Span(stage, since, None if run.ended_at is None else run.ended_at - run.started_at, doing)


def _next_activity(kind: str) -> str:
    """What an item does after an event: it waits, is worked on, or is done here."""
    if kind in ("queued", "retrying"):
        return "queued"
    return "" if kind in _FINAL else "in_progress"
