"""Recordings for other programs: export and query."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from antflow_core.cli.arguments import Format, FormatOption, MinusCommand, RunArgument
from antflow_core.cli.ending import RefusalError, leaving_nothing, sentences
from antflow_core.cli.help import add_command
from antflow_core.standard_streams import put_out, tell, write_out

if TYPE_CHECKING:
    from antflow_core.export.source import EventSource

_TABLE_ROWS = 100
_WRITTEN_TOGETHER = 1_000

_EXPORT_HELP = """Write all events into a file that other programs read; its name says the format.

\b
    .csv      a line an event: row, time, item, run, stage, event, attempt,
              worker, task, duration, error_type, error
    .jsonl    the same as JSON, after a header; keeps everything, and can be
              opened like a run file, here, in the app and by open_run()
    .parquet  the same in columns, with tracebacks; needs pyarrow:
              pip install 'antflow-desk[parquet]'
    .sqlite   the views events, items and runs, the tables stages and errors;
              their columns are those of `antflow-core query --help`

Times are UTC, durations seconds. Memory stays small however long the recording is. A recording that is still
being written is exported as far as it is.

\b
Examples:
    antflow-core export day.antflow day.csv
    antflow-core export day.antflow day.parquet --overwrite
    python -c "import pandas; print(pandas.read_parquet('day.parquet'))"
    antflow-core export day.antflow day.sqlite
    sqlite3 day.sqlite "SELECT status, count(*) FROM items GROUP BY status"
"""

_QUERY_HELP = """Ask a recording in SQL, with DuckDB: pip install 'antflow-desk[sql]'.

\b
    events  row, run, time, seconds, item, stage, event, attempt, worker,
            task, duration, error_type, error, item_number, error_number
    items   number, run, id, type, status, stage, started, ended, seconds
    stages  number, run, position, name
    errors  number, type, message, traceback
    runs    number, name, started, ended

Times are UTC; `seconds` of an event counts from the start of the first run, that of an item from its first
event to its last; ids are texts. What changes data changes a copy. A table shows at most 100 rows, as
paragraphs where the terminal is too narrow for it; csv and jsonl give all.

\b
Examples:
    antflow-core query day.antflow "FROM items WHERE status = 'failed'"
    antflow-core query day.antflow "
        SELECT id, seconds FROM items ORDER BY seconds DESC LIMIT 10"
    antflow-core query day.antflow "
        SELECT stage, count(*), quantile_cont(duration, 0.99) AS p99
        FROM events WHERE event = 'completed' GROUP BY stage"
    antflow-core query day.antflow --format csv "
        SELECT * FROM events WHERE item = '17' ORDER BY row"
"""


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    add_command(app, export, "Write a CSV, JSON, Parquet or SQLite file.", _EXPORT_HELP)
    add_command(app, query, "Ask a recording in SQL.", _QUERY_HELP, MinusCommand)


def export(
    run: RunArgument,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="The file to write; it ends in .csv, .jsonl, .parquet or .sqlite."
        ),
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it is there.")] = False,
) -> None:
    """Write a recording into a file of another format."""
    with sentences(target=file), leaving_nothing():
        # Late, here as below, so that --help does not wait for numpy and rich.
        from antflow_core.cli.opening import progress_bar
        from antflow_core.export.targets import check_target
        from antflow_core.export.targets import export as write
        from antflow_core.units import format_bytes, plural

        target = Path(file)
        check_target(target, overwrite=overwrite)
        with _source(run) as source:
            if target.exists() and target.samefile(run):
                raise RefusalError(f"{file} is what is to be exported; choose another name")
            with progress_bar(f"Writing {target.name}", source.events) as advance:
                write(source, target, overwrite=overwrite, advance=advance)
            size = format_bytes(target.stat().st_size)
            put_out(f"{plural(source.events, 'event')} exported into {file}, {size}")


def query(
    run: RunArgument,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="The question, about the tables above.")],
    format_: FormatOption = Format.TABLE,
) -> None:
    """Ask a recording in SQL."""
    with sentences(sql), leaving_nothing():
        from antflow_core.cli.opening import progress_bar
        from antflow_core.export.optional import need
        from antflow_core.export.sql import SqlEvents
        from antflow_core.reports.answers import WRITERS, answer_report
        from antflow_core.reports.screen import room, show

        need("duckdb", "Queries in SQL", "sql", Path(run))
        with ExitStack() as ending:
            source = ending.enter_context(_source(run))
            with progress_bar("Preparing", source.events) as advance:
                events = ending.enter_context(SqlEvents(source, advance))
            result = events.query(sql)
            if format_ is not Format.TABLE:
                lines = WRITERS[format_](result.columns, result.rows)
                while part := "".join(islice(lines, _WRITTEN_TOGETHER)):
                    write_out(part)
                return
            rows = [*islice(result.rows, _TABLE_ROWS + 1)]
            show(answer_report(result.columns, rows[:_TABLE_ROWS], room()))
            if len(rows) > _TABLE_ROWS:
                tell(f"The first {_TABLE_ROWS} rows; --format csv or jsonl gives all")


@contextmanager
def _source(path: str) -> Iterator[EventSource]:
    """The events of a run file, a chunk at a time; of exported ones all at once.

    Raises:
        RunFileError: It cannot be opened.
    """
    from antflow_core.cli.opening import opened
    from antflow_core.export.file_source import FileSource
    from antflow_core.export.json_reader import is_json_lines

    if is_json_lines(Path(path)):
        with opened(path) as recording:
            yield recording.source()
    else:
        with FileSource(Path(path)) as source:
            yield source
