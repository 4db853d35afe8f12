"""Events one by one: as a table, and as the story of one item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from antflow_core.export.plain_values import item_text, item_type
from antflow_core.export.source import Events, EventSource, LogSource, Rows
from antflow_core.history.errors import ErrorParts, filled_traceback
from antflow_core.history.records import KINDS, NO_ERROR, NO_TASK, NO_WORKER, STATUS_COUNT
from antflow_core.reports.screen import STATUS_STYLES, cell, make_table, one_line, printable
from antflow_core.run_files.run_records import StageValue
from antflow_core.units import format_duration

_COLUMNS = ("Time", "Item", "Stage", "Event", "Worker", "Task", "Try", "Took", "Error")
_OPTIONAL = ("Item", "Worker", "Task")
_NUMBERS = ("Time", "Try", "Took")


def event_table(
    source: EventSource, parts: Iterable[tuple[Rows, Events]], *, is_narrow: bool = False
) -> Table:
    """A line an event; times are seconds from the start of the first run.

    Args:
        parts: Events of the source.
        is_narrow: Leave out worker and task.
    """
    columns = ("Item", *(() if is_narrow else ("Worker", "Task")))
    return _table((event for part in parts for event in _told(source, *part)), *columns)


def item_story(
    source: LogSource,
    item: int,
    values: Sequence[StageValue] = (),
    *,
    tells_run: bool = False,
    tells_type: bool = False,
    is_narrow: bool = False,
) -> RenderableType:
    """Everything that happened to one item, in order, with the whole text of each error.

    Args:
        item: Its index.
        values: What was noted of its values.
        tells_run: Name the run.
        tells_type: Name the type of the id.
        is_narrow: Leave out worker and task.
    """
    index = np.array([item])
    item_id = source.item_ids(index)[0]
    heading = Text(f"Item {one_line(item_text(item_id)) or repr(item_id)}", style="bold")
    if tells_type:
        heading.append(f" ({item_type(item_id)})", style="not bold")
    if tells_run:
        run = source.runs[source.item_runs(index)[0] - 1]
        heading.append(f"  run {run.number}, {one_line(run.label)}", style="not bold")
    events = [event for part in source.of_item(item) for event in _told(source, *part)]
    table = _table(events, *(() if is_narrow else ("Worker", "Task")))
    return Group(heading, table, *_errors(events), *_values(values))


class _Event(NamedTuple):
    """An event as it is told.

    Attributes:
        seconds: From the start of the first run.
        number: Of the error.
    """

    seconds: float
    item: str
    stage: str
    kind: int
    attempt: int
    worker: str
    task: str
    duration: float
    number: int
    error: ErrorParts | None


def _told(source: EventSource, _: Rows, records: Events) -> Iterator[_Event]:
    """Some events with what they name."""
    origin = source.runs[0].started_at if source.runs else 0.0
    items = [*map(item_text, source.item_ids(records["item"]))]
    different = np.unique(records["error"][records["error"] != NO_ERROR])
    errors = dict(zip(different.tolist(), source.error_parts(different), strict=True))
    for text, record in zip(items, records.tolist(), strict=True):
        time, _, stage, kind, attempt, task, worker, duration, error = record
        yield _Event(
            time - origin,
            text,
            source.stages[stage].name,
            kind,
            attempt,
            "" if worker == NO_WORKER else source.workers[worker],
            "" if task == NO_TASK else source.tasks[task],
            duration,
            error,
            errors.get(error),
        )


def _table(events: Iterable[_Event], *optional: str) -> Table:
    """A line an event, with some of the columns that can be left out."""
    table = make_table(
        *(name for name in _COLUMNS if name in optional or name not in _OPTIONAL),
        right=_NUMBERS,
        cut=("Item", "Error"),
    )
    names = [str(column.header) for column in table.columns]
    for event in events:
        cells = _cells(event)
        table.add_row(*(cells[name] for name in names))
    return table


def _cells(event: _Event) -> dict[str, str | Text]:
    """The cells of a line by their columns."""
    return {
        "Time": f"{event.seconds:.3f}",
        "Item": cell(event.item),
        "Stage": one_line(event.stage),
        "Event": _word(event.kind),
        "Worker": one_line(event.worker),
        "Task": one_line(event.task),
        "Try": str(event.attempt or ""),
        "Took": "" if np.isnan(event.duration) else format_duration(event.duration),
        "Error": cell(_error_text(event.error)),
    }


def _errors(events: Sequence[_Event]) -> Iterator[RenderableType]:
    """Each error with its traceback, at the last event that names it."""
    for event in {event.number: event for event in events if event.error is not None}.values():
        assert event.error is not None
        yield Text()
        place = f"{one_line(event.stage)}, attempt {event.attempt}"
        yield Text(f"{place}: {one_line(_error_text(event.error))}", style="red")
        yield traceback_text(filled_traceback(event.error))


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


def _word(kind: int) -> Text:
    """What happened; what a task did stands a little to the right."""
    word = KINDS[kind].replace("_", " ")
    return Text(word if kind < STATUS_COUNT else f"  {word}", style=STATUS_STYLES.get(KINDS[kind], ""))


def _error_text(error: ErrorParts | None) -> str:
    if error is None:
        return ""
    return f"{error.type_name}: {error.message}" if error.message else error.type_name
