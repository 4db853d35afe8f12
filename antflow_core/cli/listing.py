"""Recordings event by event: events and item."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from antflow_core.cli.arguments import (
    Format,
    FormatOption,
    MinusCommand,
    RunArgument,
    RunNumber,
    whole_number,
)
from antflow_core.cli.ending import RefusalError, sentences
from antflow_core.cli.help import add_command
from antflow_core.standard_streams import tell, write_out

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from antflow_core.export.source import Events, EventSource, Rows
    from antflow_core.recorded_run import RecordedRun

_TABLE_ROWS = 100
_LIKE = 3

_EVENTS_HELP = """List events: the newest 100 as a table, or all as lines for other programs.

QUERY is the language of the app's search box; without one every event matches. Fields: status, event, stage,
worker, task, item, error, error_type, attempt, duration, run, after, before, last. AND and OR join,
NOT or - negates, parentheses group; * stands for any text, and /HTTP 5../ is a regular expression.
Several words are one query; quotes keep the shell from taking <, >, *, ( and ) for itself.

Times in the table are seconds from the start of the first run. In jsonl and csv times are UTC and durations
seconds, everything is UTF-8, and all events are given unless --limit says otherwise; in jsonl, what an event
does not have is left out.

\b
Examples:
    antflow-core events day.antflow
    antflow-core events day.antflow "status:failed stage:Fetch" --limit 20
    antflow-core events day.antflow "error:timeout attempt:>=2 -item:test*"
    antflow-core events day.antflow -status:queued --run 2
    antflow-core events day.antflow "event:complete duration:>1.5s last:5m"
    antflow-core events day.antflow status:failed --format jsonl | jq .item
    antflow-core events day.antflow --format csv > events.csv
"""

_ITEM_HELP = """Tell all that happened to one item, with its errors and their tracebacks.

ID is compared as text: 7 finds the number and the text. An id that several pipelines of the recording used,
or that a number and a text share, is told once for each. An id that reads like an option stands behind `--`.

\b
Examples:
    antflow-core item day.antflow 17
    antflow-core item day.antflow "order 17" --run 2
"""


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    add_command(app, events, "List events, all or those that match a query.", _EVENTS_HELP, MinusCommand)
    add_command(app, item, "Tell all that happened to one item.", _ITEM_HELP, MinusCommand)


def events(
    run: RunArgument,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUERY", help="Which events (default: all)."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            parser=whole_number,
            help="Only the newest N of them (default: 100 in a table, else all).",
        ),
    ] = None,
    format_: FormatOption = Format.TABLE,
    number: RunNumber = None,
) -> None:
    """List events."""
    query = " ".join(words or ())
    with sentences(query):
        from antflow_core.export.json_reader import is_json_lines

        if limit is None and format_ is Format.TABLE:
            limit = _TABLE_ROWS
        if query.strip() or number is not None or is_json_lines(Path(run)):
            _put_found(run, query, number, limit, format_)
        else:
            _put_newest(run, limit, format_)


def item(
    run: RunArgument,
    item_id: Annotated[str, typer.Argument(metavar="ID", help="The item's id.")],
    number: RunNumber = None,
) -> None:
    """Tell the story of an item."""
    with sentences():
        from rich.text import Text

        from antflow_core.cli.opening import check_number, opened
        from antflow_core.reports.events import item_story
        from antflow_core.reports.screen import is_narrow, show

        recording = opened(run)
        if number is not None:
            check_number(recording, number)
        log, source = recording.log, recording.source()
        found = _items(recording, item_id, number)
        types = {type(log.item_id(each)) for each in found}
        for place, each in enumerate(found):
            noted = recording.values_of(log.item_id(each))
            story = item_story(
                source,
                each,
                [value for value in noted if value.run == log.items.run_of(each)],
                tells_run=len(log.runs) > 1,
                tells_type=len(types) > 1,
                is_narrow=is_narrow(),
            )
            show(*([Text()] if place else []), story)


# Inside


def _found(recording: RecordedRun, query: str, number: int | None) -> NDArray[np.int64]:
    """The rows that match, those of one pipeline if there is a number."""
    import numpy as np

    rows = recording.search(query).rows
    if number is not None:
        rows = np.intersect1d(rows, recording.search(f"run:{number}").rows, assume_unique=True)
    return rows


def _put_found(path: str, query: str, number: int | None, limit: int | None, format_: Format) -> None:
    """Put out the events that match."""
    from antflow_core.cli.opening import check_number, opened

    recording = opened(path)
    if number is not None:
        check_number(recording, number)
    rows = _found(recording, query, number)
    shown = rows if limit is None else rows[-limit:]
    source = recording.source()
    if format_ is Format.TABLE:
        _put_table(source, source.chosen(shown), len(shown), len(rows), query)
    else:
        _put_lines(source, source.chosen(shown), format_)


def _put_newest(path: str, limit: int | None, format_: Format) -> None:
    """Put out the newest events of a run file, or all of them, and read no others."""
    from antflow_core.export.file_source import FileSource

    with FileSource(Path(path)) as source:
        shown = source.events if limit is None else min(limit, source.events)
        parts = source.blocks(source.events - shown)
        if format_ is Format.TABLE:
            _put_table(source, parts, shown, source.events)
        else:
            _put_lines(source, parts, format_)


def _put_table(
    source: EventSource, parts: Iterable[tuple[Rows, Events]], shown: int, found: int, query: str = ""
) -> None:
    from antflow_core.reports.events import event_table
    from antflow_core.reports.screen import is_narrow, show
    from antflow_core.search.doubts import doubt

    if not found:
        tell(f"No event matches. {doubt(query)}".strip() if source.events else "There are no events in it.")
        return
    show(event_table(source, parts, is_narrow=is_narrow()))
    if found > shown:
        tell(f"The newest {shown:,} of {found:,} events; --limit shows more, --format jsonl or csv all")


def _put_lines(source: EventSource, parts: Iterable[tuple[Rows, Events]], format_: Format) -> None:
    from antflow_core.export.event_lines import CsvLines, JsonLines

    lines = JsonLines(source) if format_ is Format.JSONL else CsvLines(source)
    write_out(lines.head)
    for rows, records in parts:
        write_out("".join(lines.lines(rows, records)))


def _items(recording: RecordedRun, item_id: str, number: int | None) -> list[int]:
    """The items whose id reads like this, in the order they were first seen.

    Raises:
        RefusalError: There are none.
    """
    items = recording.log.items
    texts = items.texts(0, len(items))
    named = [at for at, text in enumerate(texts) if text == item_id]
    found = [at for at in named if number in (None, items.run_of(at))]
    if found:
        return found
    if named:
        hint = f"; pipeline {items.run_of(named[0])} has one"
    else:
        like = [*dict.fromkeys(islice((text for text in texts if item_id in text), _LIKE + 1))]
        hint = f"; similar: {', '.join(like[:_LIKE])}{', …' if len(like) > _LIKE else ''}" if like else ""
    where = recording.path.name if number is None else f"pipeline {number} of {recording.path.name}"
    raise RefusalError(f"There is no item {item_id} in {where}{hint}")
