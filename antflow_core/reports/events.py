"""Events one by one: as a table, and as the story of one item."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import NO_ERROR, EventRow
from antflow_core.reports.screen import STATUS_STYLES, cell, make_table, one_line, printable
from antflow_core.run_files.run_records import StageValue
from antflow_core.units import format_duration

_PAGE_ROWS = 1_000
_COLUMNS = ("Time", "Item", "Stage", "Event", "Worker", "Task", "Try", "Took", "Error")
_OPTIONAL = ("Item", "Worker", "Task")
_NUMBERS = ("Time", "Try", "Took")


def event_table(log: EventLog, rows: Sequence[int], *, is_narrow: bool = False) -> Table:
    """A line an event; times are seconds from the start of the first run.

    Args:
        is_narrow: Leave out worker and task.
    """
    return _table(log, rows, "Item", *(() if is_narrow else ("Worker", "Task")))


def item_story(
    log: EventLog,
    item: int,
    values: Sequence[StageValue] = (),
    *,
    tells_run: bool = False,
    is_narrow: bool = False,
) -> RenderableType:
    """Everything that happened to one item, in order, with the whole text of each error.

    Args:
        item: Its index in the log.
        values: What was noted of its values.
        tells_run: Name the run.
        is_narrow: Leave out worker and task.
    """
    run = log.items.run_of(item)
    heading = Text(f"Item {one_line(log.item_text(item))}", style="bold")
    if tells_run:
        heading.append(f"  run {run}, {one_line(_run_name(log, run))}", style="not bold")
    rows = log.rows_of_item(item).tolist()
    table = _table(log, rows, *(() if is_narrow else ("Worker", "Task")))
    return Group(heading, table, *_errors(log, rows), *_values(values))


def _pages(log: EventLog, rows: Sequence[int]) -> Iterator[EventRow]:
    """The events of some rows, read a page at a time."""
    for first in range(0, len(rows), _PAGE_ROWS):
        yield from log.page(rows[first : first + _PAGE_ROWS])


def _table(log: EventLog, rows: Sequence[int], *optional: str) -> Table:
    """A line an event, with some of the columns that can be left out."""
    table = make_table(
        *(name for name in _COLUMNS if name in optional or name not in _OPTIONAL),
        right=_NUMBERS,
        cut=("Item", "Error"),
    )
    names = [str(column.header) for column in table.columns]
    for event in _pages(log, rows):
        told = _told(log, event)
        table.add_row(*(told[name] for name in names))
    return table


def _told(log: EventLog, event: EventRow) -> dict[str, str | Text]:
    """The cells of a line by their columns."""
    return {
        "Time": f"{event.time - log.started_at:.3f}",
        "Item": cell(log.item_text(event.item)),
        "Stage": one_line(event.stage),
        "Event": _word(event),
        "Worker": one_line(event.worker or ""),
        "Task": one_line(event.task or ""),
        "Try": str(event.attempt) if event.attempt else "",
        "Took": format_duration(event.duration) if event.duration is not None else "",
        "Error": cell(_error_text(log, event)),
    }


def _errors(log: EventLog, rows: Sequence[int]) -> Iterator[RenderableType]:
    """Each error with its traceback, at the last event that names it."""
    named = {event.error: event for event in _pages(log, rows) if event.error != NO_ERROR}
    for error, event in named.items():
        yield Text()
        yield Text(
            f"{event.stage}, attempt {event.attempt}: {one_line(_error_text(log, event))}", style="red"
        )
        yield traceback_text(log.error(error).traceback)


def traceback_text(traceback: str) -> Text:
    """A traceback as it is, with long lines left to the terminal."""
    return Text(printable(traceback.rstrip()), no_wrap=True, overflow="ignore")


def _values(values: Sequence[StageValue]) -> Iterator[RenderableType]:
    if values:
        yield Text()
        yield Text("Values", style="bold")
    for value in values:
        place = "result" if value.stage is None else f"to {one_line(value.stage)}"
        yield Text(f"{place}: {one_line(value.text)}")


def _run_name(log: EventLog, run: int) -> str:
    record = log.run_record(run)
    return record.name or " → ".join(record.stages)


def _word(event: EventRow) -> Text:
    """What happened; what a task did stands a little to the right."""
    word = event.kind.replace("_", " ")
    return Text(word if event.is_status else f"  {word}", style=STATUS_STYLES.get(event.kind, ""))


def _error_text(log: EventLog, event: EventRow) -> str:
    if event.error == NO_ERROR:
        return ""
    parts = log.error_parts(event.error)
    return f"{parts.type_name}: {parts.message}" if parts.message else parts.type_name
