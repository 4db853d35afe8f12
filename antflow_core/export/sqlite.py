"""Events as an SQLite database: tables of numbers and names, and views that tell everything by name."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, Final

from antflow_core.export.event_tables import NAME_TABLES, RECORD_COLUMNS, name_rows, views
from antflow_core.export.plain_values import duration_texts
from antflow_core.export.source import EventSource

_DURATION: Final = RECORD_COLUMNS.index("duration")
_WIDTH: Final = 1 + len(RECORD_COLUMNS)
_MARKS: Final = f"({', '.join('?' * _WIDTH)})"
_TOGETHER: Final = 40
_RECORDS: Final = """
CREATE TABLE event_records (row INTEGER PRIMARY KEY, time REAL, item INTEGER, stage INTEGER, kind INTEGER,
                            attempt INTEGER, task INTEGER, worker INTEGER, duration REAL, error INTEGER)"""
_INDEX: Final = "CREATE INDEX events_of_item ON event_records (item)"


def write_sqlite(source: EventSource, path: Path, advance: Callable[[int], None]) -> None:
    """Write a file.

    Args:
        advance: Told the number of events after each part.

    Raises:
        OSError: The disk is full, or the folder is read-only.
    """
    try:
        # Unfinished files are thrown away, so that nothing must be safe before the end.
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN")
            _write_names(connection, source)
            _write_records(connection, source, advance)
            for view in views(source, _moment, "record.duration"):
                connection.execute(view)
            connection.execute("COMMIT")
    except sqlite3.OperationalError as fault:
        raise OSError(str(fault)) from fault


def _write_names(connection: sqlite3.Connection, source: EventSource) -> None:
    for table, columns in NAME_TABLES.items():
        connection.execute(f"CREATE TABLE {table} ({columns.format(key='PRIMARY KEY')})")
    for table, rows in name_rows(source):
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608  our own names


def _write_records(
    connection: sqlite3.Connection, source: EventSource, advance: Callable[[int], None]
) -> None:
    connection.execute(_RECORDS)
    for rows, records in source.blocks():
        columns = [records[name].tolist() for name in RECORD_COLUMNS]
        columns[_DURATION] = [float(text) if text else None for text in duration_texts(records["duration"])]
        _insert(connection, [*chain.from_iterable(zip(rows.tolist(), *columns, strict=True))])
        advance(len(rows))
    connection.execute(_INDEX)


def _insert(connection: sqlite3.Connection, values: list[Any]) -> None:
    """Add events whose values follow each other; many in a statement take two thirds of the time."""
    begin = 0
    for together in (_TOGETHER, 1):
        width = together * _WIDTH
        end = begin + (len(values) - begin) // width * width
        marks = ", ".join([_MARKS] * together)
        parts = (values[at : at + width] for at in range(begin, end, width))
        connection.executemany(f"INSERT INTO event_records VALUES {marks}", parts)  # noqa: S608  marks
        begin = end


def _moment(seconds: str) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', {seconds}, 'unixepoch')"
