"""Reading a run file: what is new in it goes into a log, while the file is written or afterwards."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from antflow_core.history.errors import ErrorParts
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import RECORD, check_records, record_dtype
from antflow_core.history.storage import CHUNK_MASK, CHUNK_ROWS
from antflow_core.run_files.database import NAME_KINDS, connect_for_reading, prepare_opening, reading_faults
from antflow_core.run_files.file_lock import is_locked
from antflow_core.run_files.items import add_items
from antflow_core.run_files.run_records import Outcome, RunInfo, told_of_run
from antflow_core.run_files.stored_values import decode_ids, text_of

_WORKER, _TASK, _ERROR_TYPE, _TRACEBACK = range(len(NAME_KINDS))
_CHUNKS: Final = "SELECT first_row, count, records FROM chunks WHERE first_row >= ? ORDER BY first_row"
_ITEMS: Final = """
    SELECT first, first_row, runs, ids FROM items
    WHERE first >= (SELECT coalesce(max(first), 0) FROM items WHERE first <= ?) ORDER BY first"""
_ERRORS: Final = """
    SELECT first, first_row, texts FROM errors
    WHERE first >= (SELECT coalesce(max(first), 0) FROM errors WHERE first <= ?) ORDER BY first"""


class RunFileReader:
    """One run file being read; it is open only while something is read from it.

    Args:
        path: An absolute path.

    Attributes:
        log: What has been read; rows, items and errors have the indexes they have in the file.
        names: Workers, tasks, types of errors and traceback templates, as of the last `read`.
        info: What is told of the recording, as of the last `read`.
        rows: How many the file has, as of the last `read`.
        without_newest: The newest events are missing, because a file beside this one is.

    Raises:
        RunFileError: It cannot be opened; the sentence says why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = EventLog()
        self.rows = 0
        self._opening = prepare_opening(path)
        self.names: tuple[list[str], ...] = tuple([] for _ in NAME_KINDS)
        self.info: RunInfo
        with self.connected() as connection:
            self.read_state(connection)
        self.without_newest = self._opening.without_newest and self.info.ended_at is None

    @property
    def is_whole(self) -> bool:
        """Whether all that the file had at the last `read` is in the log."""
        return self.log.next_row >= self.rows

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """The file at one moment; faults become sentences about it.

        Raises:
            RunFileError: It cannot be read, or is damaged.
        """
        with reading_faults(self.path), closing(connect_for_reading(self.path, self._opening)) as connection:
            connection.execute("BEGIN")
            yield connection

    def read(self, limit_s: float | None = None) -> int:
        """Take in what is new: at least one chunk, and no further one when the time is over.

        Returns:
            How many rows have come.

        Raises:
            RunFileError: It cannot be read, or is damaged.
        """
        log = self.log
        if self.is_whole and self.info.outcome.is_over:
            return 0
        ends_at = float("inf") if limit_s is None else time.monotonic() + limit_s
        first = log.next_row
        with self.connected() as connection:
            self.read_state(connection)
            items = _Blocks(connection, _ITEMS, log.item_count)
            errors = _Blocks(connection, _ERRORS, log.error_count)
            for row, count, records in connection.execute(_CHUNKS, (first & ~CHUNK_MASK,)):
                for block in items.before(row + count):
                    self._add_items(*block)
                for block in errors.before(row + count):
                    self._add_errors(*block)
                self._add_records(row, count, records)
                if time.monotonic() >= ends_at:
                    break
            notes = connection.execute(
                "SELECT row, metadata FROM notes WHERE row BETWEEN ? AND ?", (first, log.next_row - 1)
            )
            log.notes.update((row, json.loads(metadata)) for row, metadata in notes)
        return log.next_row - first

    def run_details(self) -> list[tuple[int, Any, Any, Any]]:
        """Of each run its number, and what its pipeline told, in JSON: stages, newest counts, workers."""
        with self.connected() as connection:
            rows = connection.execute("SELECT number, details, stats, workers FROM runs ORDER BY number")
            return [told_of_run(*row) for row in rows if row[0] <= len(self.log.runs)]

    def snapshots(self, run: int | None = None, after: float = -math.inf) -> list[tuple[int, float, Any]]:
        """The run, the moment, and the counts in JSON, in order of the moments."""
        with self.connected() as connection:
            rows = connection.execute(
                "SELECT run, time, stats FROM snapshots WHERE time > ? AND run = coalesce(?, run) "
                "ORDER BY time, run",
                (after, run),
            )
            return [
                (number, moment, json.loads(stats))
                for number, moment, stats in rows
                if number <= len(self.log.runs)
            ]

    def values(self, item: int) -> list[tuple[int, str]]:
        """What was noted of an item: the place of the stage, and a text."""
        with self.connected() as connection:
            rows = connection.execute(
                "SELECT stage, value FROM captured WHERE item = ? ORDER BY stage", (item,)
            )
            return [(stage, text_of(value)) for stage, value in rows]

    def all_values(self) -> Iterator[tuple[int, int, str]]:
        """The same of all items: item, stage, text."""
        with self.connected() as connection:
            rows = connection.execute("SELECT item, stage, value FROM captured ORDER BY item, stage")
            found = [(item, stage, text_of(value)) for item, stage, value in rows]
        yield from found

    # Inside

    def read_state(self, connection: sqlite3.Connection) -> None:
        """Take in what is told of the recording and its runs, and the names."""
        is_live = is_locked(self.path)  # first, for what is written at its end is written before it lets go
        self.info = RunInfo.from_columns(dict(connection.execute("SELECT name, value FROM info")))
        if not is_live and not self.info.outcome.is_over:
            self.info = replace(self.info, outcome=Outcome.UNEXPECTED)
        newest = connection.execute("SELECT max(first_row), count FROM chunks").fetchone()
        self.rows = 0 if newest[0] is None else sum(newest)
        self._read_runs(connection)
        for kind, names in enumerate(self.names):
            rows = connection.execute(
                "SELECT name FROM names WHERE kind = ? AND number >= ? ORDER BY number", (kind, len(names))
            )
            new = [text_of(name) for (name,) in rows]
            names.extend(new)
            if kind in (_WORKER, _TASK):
                indexes = (self.log.worker_indexes, self.log.task_indexes)[kind]
                for name in new:
                    _ = indexes[name]  # looking a new name up gives it the next index

    def _read_runs(self, connection: sqlite3.Connection) -> None:
        log = self.log
        rows = connection.execute(
            "SELECT number, name, stages, started_at, ended_at FROM runs ORDER BY number"
        )
        for number, name, stages, started_at, ended_at in rows:
            if number > len(log.runs):
                log.begin_run(text_of(name), json.loads(stages), started_at)
            if log.run_record(number).ended_at != ended_at:
                log.end_run(number, ended_at)

    def _add_items(self, first: int, first_row: int, runs: str, ids: str) -> None:
        known, place = self.log.item_count, 0
        new = decode_ids(ids)
        for run, count in json.loads(runs):
            start = max(known - first - place, 0)
            of_run = new[place + start : place + count]
            place += count
            if of_run:
                add_items(self.log, run, of_run, first_row)

    def _add_errors(self, first: int, _: int, texts: str) -> None:
        log, types, templates = self.log, self.names[_ERROR_TYPE], self.names[_TRACEBACK]
        for type_number, message, template, details in json.loads(texts)[log.error_count - first :]:
            log.errors.append(ErrorParts(types[type_number], message, templates[template], details))

    def _add_records(self, row: int, count: int, data: bytes) -> None:
        log = self.log
        if len(data) != count * RECORD.size or row > log.next_row:
            raise ValueError(f"rows are missing behind {log.next_row:,}")
        records = np.frombuffer(data, record_dtype())
        check_records(
            records,
            items=log.item_count,
            stages=len(log.stages),
            workers=len(log.workers),
            tasks=len(log.tasks),
            errors=log.error_count,
        )
        if row == log.next_row and count == CHUNK_ROWS:
            log.append_chunk(data)
        else:
            log.append_records(records[log.next_row - row :])


class _Blocks:
    """The blocks of a dictionary that are new, in order.

    Args:
        query: Gives first entry, first row that may name one, and the columns of each block.
        known: How many entries are known already.
    """

    def __init__(self, connection: sqlite3.Connection, query: str, known: int) -> None:
        self._rows = connection.execute(query, (known,))
        self._next: tuple[Any, ...] | None = self._rows.fetchone()

    def before(self, row: int) -> Iterator[tuple[Any, ...]]:
        """Those that rows before this one may name."""
        while self._next is not None and self._next[1] < row:
            yield self._next
            self._next = self._rows.fetchone()
