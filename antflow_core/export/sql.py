"""SQL over events, by DuckDB: each field of the records in a file of its own, read only as a query needs it.

A million events take 40 MB of disk for as long as somebody asks, and next to no memory.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from antflow_core.exceptions import QueryError
from antflow_core.export.event_tables import NAME_TABLES, RECORD_COLUMNS, name_rows, views
from antflow_core.export.source import EventSource
from antflow_core.history.records import record_dtype

if TYPE_CHECKING:
    import duckdb

_PAGE_ROWS: Final = 2_048
_DURATION: Final = "CASE WHEN isnan(record.duration) THEN NULL ELSE record.duration END"


@dataclass(frozen=True, slots=True)
class SqlResult:
    """What a query gives.

    Attributes:
        columns: Their names.
        rows: Can be gone through once; read from the database as that is done.
    """

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


class SqlEvents:
    """A source's events to ask SQL of; `antflow_core.export.event_tables` lists tables and columns.

    ::

        with SqlEvents(source) as events:
            result = events.query("SELECT stage, count(*) FROM events GROUP BY stage")

    Needs duckdb.

    Args:
        source: Its events are copied to a temporary folder when this is entered.
        advance: Told the number of events after each part.
    """

    def __init__(self, source: EventSource, advance: Callable[[int], None] = lambda _: None) -> None:
        self._source = source
        self._advance = advance
        self._ending = ExitStack()
        self._database: duckdb.DuckDBPyConnection

    def __enter__(self) -> Self:
        import duckdb  # late, because it is not installed everywhere

        with ExitStack() as ending:
            folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="antflow-")))
            columns = _written_columns(folder, self._source, self._advance)
            self._database = ending.enter_context(duckdb.connect(folder / "names.duckdb"))
            self._database.execute("SET errors_as_json = true")
            self._database.register("event_records", columns)
            self._write_names()
            for view in views(self._source, _moment, _DURATION):
                self._database.execute(view)
            self._ending = ending.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def query(self, sql: str) -> SqlResult:
        """Ask something; the last of several statements gives the result.

        Raises:
            QueryError: The database does not understand it, or cannot answer it.
        """
        with _Faults(sql):
            if self._database.execute(sql) is None:
                raise QueryError("there is no statement in it", 0)
            columns = tuple(column[0] for column in self._database.description or ())
        return SqlResult(columns, self._rows(sql))

    # Inside

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        while True:
            with _Faults(sql):
                page = self._database.fetchmany(_PAGE_ROWS)
            if not page:
                return
            yield from page

    def _write_names(self) -> None:
        for table, columns in NAME_TABLES.items():
            self._database.execute(f"CREATE TABLE {table} ({columns.format(key='')})")
        for table, rows in name_rows(self._source):
            if rows:
                part = {f"c{place}": _column(values) for place, values in enumerate(zip(*rows, strict=True))}
                self._database.register("part", part)
                self._database.execute(f"INSERT INTO {table} SELECT * FROM part")  # noqa: S608  our own name
                self._database.unregister("part")


class _Faults:
    """What DuckDB says about a query becomes a `QueryError`; Ctrl+C becomes itself again."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import duckdb

        if isinstance(error, duckdb.Error):
            raise _query_error(self._sql, str(error)) from error
        if isinstance(error, RuntimeError) and "interrupted" in str(error):
            raise KeyboardInterrupt from error  # this is how DuckDB tells of Ctrl+C


def _query_error(sql: str, text: str) -> QueryError:
    """What is wrong with a query, in a sentence with its place."""
    kind, _, told = text.partition(": ")
    try:
        fault = json.loads(told)
    except ValueError:  # what is not about the text of the query is told plainly
        return QueryError(_sentence(text), 0)
    told, _, _ = fault["exception_message"].partition("\n\tCandidate functions:")  # up to a hundred lines
    message = f"{kind}: {_sentence(told)}"
    if fault.get("exception_type") == "Conversion":
        message += " (ids and names are texts: item = '17')"
    if "position" not in fault:
        return QueryError(message, 0)
    # DuckDB counts bytes.
    position = len(sql.encode()[: int(fault["position"])].decode(errors="ignore"))
    name = fault.get("name", "")
    length = len(name) if name and sql.startswith(name, position) else 1
    return QueryError(message, position, None, position + length)


def _sentence(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _written_columns(
    folder: Path, source: EventSource, advance: Callable[[int], None]
) -> dict[str, NDArray[Any]]:
    """Each field of the records in a file of its own, mapped into memory: seen there only as it is read."""
    types = {"row": np.dtype(np.int64), **{name: record_dtype()[name] for name in RECORD_COLUMNS}}
    with ExitStack() as files:
        targets = {name: files.enter_context((folder / name).open("wb")) for name in types}
        for rows, records in source.blocks():
            rows.tofile(targets["row"])
            for name in RECORD_COLUMNS:
                targets[name].write(np.ascontiguousarray(records[name]).data)
            advance(len(rows))
    return {name: _mapped(folder / name, kind) for name, kind in types.items()}


def _mapped(path: Path, kind: np.dtype[Any]) -> NDArray[Any]:
    if not path.stat().st_size:
        return np.empty(0, kind)  # nothing cannot be mapped
    return np.asarray(np.memmap(path, kind, "r"))


def _column(values: Sequence[Any]) -> NDArray[Any]:
    """A column as DuckDB takes it."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return np.array(values, np.int64)
    if kinds <= {float, int, type(None)}:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return np.array(values, object)


def _moment(seconds: str) -> str:
    return f"make_timestamp(CAST(nullif({seconds}, 'nan'::DOUBLE) * 1e6 AS BIGINT))"
