"""Events one by one: as a table, as JSON lines, as CSV; and the story of one item."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import NO_ERROR, EventRow
from antflow_core.reports.screen import STATUS_STYLES, make_table, one_line
from antflow_core.units import format_duration

COLUMNS: Final = (
    "row",
    "run",
    "time",
    "item",
    "stage",
    "event",
    "attempt",
    "worker",
    "task",
    "duration",
    "error_type",
    "error",
)
"""What a line of JSON or CSV holds: `time` in ISO 8601, UTC, and `duration` in seconds."""

_PLAIN = (str, int, float, bool, type(None))
_PAGE_ROWS = 1_000


def pages(log: EventLog, rows: Sequence[int]) -> Iterator[EventRow]:
    """The events of some rows, read a page at a time."""
    for first in range(0, len(rows), _PAGE_ROWS):
        yield from log.page(rows[first : first + _PAGE_ROWS])


def event_table(log: EventLog, rows: Sequence[int]) -> Table:
    """A line an event; times count from the start of the first run."""
    numbers = ("Time", "Try", "Took")
    table = make_table(
        "Time", "Item", "Stage", "Event", "Worker", "Task", "Try", "Took", "Error", right=numbers
    )
    for event in pages(log, rows):
        table.add_row(
            f"{event.time - log.started_at:.3f}",
            one_line(log.item_text(event.item)),
            event.stage,
            _word(event),
            event.worker or "",
            event.task or "",
            str(event.attempt) if event.attempt else "",
            format_duration(event.duration) if event.duration is not None else "",
            one_line(_error_text(log, event)),
        )
    return table


def item_story(log: EventLog, rows: Sequence[int]) -> RenderableType:
    """Everything that happened to one item, in order, with the whole text of each error."""
    parts: list[RenderableType] = [event_table(log, rows)]
    told = set()
    for event in pages(log, rows):
        if event.error != NO_ERROR and event.error not in told:
            told.add(event.error)
            record = log.error(event.error)
            heading = f"{event.stage}, attempt {event.attempt}: {_error_text(log, event)}"
            parts += [Text(), Text(heading, style="red")]
            if record.traceback:
                parts.append(Text(record.traceback.rstrip()))
    return Group(*parts)


def write_json_lines(log: EventLog, rows: Sequence[int], target: TextIO) -> None:
    """A JSON object a line; an item's id stays a number or text where it is one, else it is its repr."""
    lines = (json.dumps(values, ensure_ascii=False) for values in event_values(log, pages(log, rows)))
    target.writelines(f"{line}\n" for line in lines)


def write_csv(log: EventLog, rows: Sequence[int], target: TextIO) -> None:
    """A line of names, then a line an event."""
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(values.values() for values in event_values(log, pages(log, rows)))


def newest(rows: Sequence[int], limit: int | None) -> Sequence[int]:
    """The last of some rows; all where there is no limit."""
    return rows if limit is None or len(rows) <= limit else rows[len(rows) - limit :]


def event_values(log: EventLog, events: Iterable[EventRow]) -> Iterator[dict[str, Any]]:
    """Events as plain values by the names of `COLUMNS`."""
    return (_values(log, event) for event in events)


def _values(log: EventLog, event: EventRow) -> dict[str, Any]:
    error = log.error_parts(event.error) if event.error != NO_ERROR else None
    item = event.item_id
    values = (
        event.row,
        event.run,
        datetime.fromtimestamp(event.time, UTC).isoformat(timespec="microseconds"),
        item if isinstance(item, _PLAIN) else log.item_text(event.item),
        event.stage,
        event.kind,
        event.attempt or None,
        event.worker,
        event.task,
        event.duration,
        error.type_name if error is not None else None,
        error.message if error is not None else None,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _word(event: EventRow) -> Text:
    """What happened; what a task did stands a little to the right."""
    word = event.kind.replace("_", " ")
    return Text(word if event.is_status else f"  {word}", style=STATUS_STYLES.get(event.kind, ""))


def _error_text(log: EventLog, event: EventRow) -> str:
    if event.error == NO_ERROR:
        return ""
    parts = log.error_parts(event.error)
    return f"{parts.type_name}: {parts.message}" if parts.message else parts.type_name
