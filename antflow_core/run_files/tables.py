"""The tables of a run file being written: batches become rows, under the file's own indexes."""

from __future__ import annotations

import itertools
import json
import sqlite3
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.errors import ErrorParts
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import RECORD, RunRecord
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.run_files.batch import Batch, Blocks, Source
from antflow_core.run_files.database import NAME_KINDS
from antflow_core.run_files.run_records import (
    RunInfo,
    RunSnapshot,
    encode_stages,
    encode_stats,
    encode_workers,
)
from antflow_core.run_files.stored_values import encode_ids, stored_text

MAX_SNAPSHOTS: Final = 4_096
"""Of one run; when there would be more, every second one goes, and only every second is kept from then on."""

_BLOCK_ITEMS: Final = 8_192
"""So many entries of a dictionary are in one row: who reads the first events need not read all ids."""
_CHUNK_BYTES: Final = CHUNK_ROWS * RECORD.size
_RunColumn = Literal["ended_at", "details", "stats", "workers"]
_UPDATE_RUN: Final = {
    column: f"UPDATE runs SET {column} = ? WHERE number = ?"  # noqa: S608  names of ours
    for column in get_args(_RunColumn)
}
_MANY_VALUES: Final = 3 * 32
_WORKER, _TASK, _ERROR_TYPE, _TRACEBACK = range(len(NAME_KINDS))


class RunTables:
    """Writes rows; what belongs together is put into one transaction by who calls.

    Runs, stages, workers and tasks are numbered here as an `EventLog` numbers them, so that one that reads
    the file comes to the same numbers.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows = 0
        self._chunk = bytearray()
        self._waiting: list[int | memoryview] = []
        self._numbering = EventLog()
        self._names: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._items = _Blocks(connection, "items", ("runs", "ids"))
        self._errors = _Blocks(connection, "errors", ("texts",))
        self._new_errors: list[tuple[int, str, int, str]] = []
        self._thinnings: dict[int, Thinning] = {}

    def write_info(self, info: RunInfo) -> None:
        """What there is to tell of the recording now."""
        rows = [(value, name) for name, value in info.columns().items()]
        self._connection.executemany("UPDATE info SET value = ? WHERE name = ?", rows)

    def write_dictionaries(self, batch: Batch) -> None:
        """Runs, items, names and errors, which records refer to."""
        source = batch.source
        source.workers.register = self._new_worker
        source.tasks.register = self._new_task
        source.errors.register = self._new_error
        for record in batch.runs:
            if source.takes(record.number):
                self._write_run(source, record)
        for run, stages in batch.stages.items():
            self._update_run(source.runs.get(run), "details", encode_stages(stages))
        if batch.ids:
            self._write_items(batch)
        if batch.returned:
            source.items.take_back(batch.returned)
        source.items.forget_before(batch.held_from)
        source.workers.learn(batch.workers, at_once=batch.is_all)
        source.tasks.learn(batch.tasks, at_once=batch.is_all)
        source.errors.learn(batch.errors, at_once=batch.is_all)
        self._write_errors()

    def write_records(self, source: Source, blocks: Blocks, *, is_all: bool) -> NDArray[np.bool_] | None:
        """Packed records; says which of them belong to what is recorded, None for all."""
        if not blocks:
            return None
        translated, kept = source.translate(blocks, is_all=is_all)
        self._write_errors()
        self._append(translated)
        return kept

    def write_notes(self, notes: dict[int, Any]) -> None:
        """Metadata, by the file's rows counted back from the newest one."""
        rows = [(self._rows + row, json.dumps(metadata)) for row, metadata in notes.items()]
        self._connection.executemany("INSERT INTO notes VALUES (?, ?)", rows)

    def write_numbers(self, batch: Batch) -> None:
        """What pipelines told of themselves at moments, and values."""
        source = batch.source
        for snapshot in batch.snapshots:
            if snapshot.run in source.runs:
                self._write_snapshot(source.runs[snapshot.run], snapshot)
        for run, workers in batch.metrics.items():
            self._update_run(source.runs.get(run), "workers", encode_workers(workers))
        values = [(source.items.of(item), stage, stored_text(text)) for item, stage, text in batch.values]
        self._connection.executemany("INSERT OR REPLACE INTO captured VALUES (?, ?, ?)", values)

    # Dictionaries

    def _write_errors(self) -> None:
        if self._new_errors:
            self._errors.add(len(self._new_errors), self._rows, json.dumps(self._new_errors))
            self._new_errors.clear()

    def _write_run(self, source: Source, record: RunRecord) -> None:
        if record.number not in source.runs:
            number = self._numbering.begin_run(record.name, record.stages, record.started_at)
            source.runs[record.number] = number
            source.map_stages(record, self._numbering.stage_indexes(number))
            self._connection.execute(
                "INSERT INTO runs (number, name, stages, started_at) VALUES (?, ?, ?, ?)",
                (number, stored_text(record.name), json.dumps(record.stages), record.started_at),
            )
        self._update_run(source.runs[record.number], "ended_at", record.ended_at)

    def _update_run(self, number: int | None, column: _RunColumn, value: object) -> None:
        if number is not None:
            self._connection.execute(_UPDATE_RUN[column], (value, number))

    def _write_items(self, batch: Batch) -> None:
        runs = np.frombuffer(batch.item_runs, np.intc)
        for begin in range(0, len(runs), _BLOCK_ITEMS):
            self._write_block(batch, begin, runs[begin : begin + _BLOCK_ITEMS])

    def _write_block(self, batch: Batch, begin: int, runs: NDArray[np.intc]) -> None:
        """Some of a batch's items, from place `begin` on; how many in a row belong to which run is told."""
        source = batch.source
        kept: list[object] = []
        spans: list[tuple[int, int]] = []
        breaks = [0, *(np.flatnonzero(np.diff(runs)) + 1).tolist(), len(runs)]
        for start, stop in itertools.pairwise(breaks):
            run = int(runs[start])
            if source.takes(run):
                source.items.add(batch.first_item + begin + start, self._items.count + len(kept))
                kept += batch.ids[begin + start : begin + stop]
                spans.append((source.runs[run], stop - start))
        if kept:
            # Where rows are left out, those of the items begin earlier than the log's numbers say.
            passed = max(batch.item_rows[begin] - batch.first_row, 0) if batch.is_all else 0
            self._items.add(len(kept), self._rows + passed, json.dumps(spans), encode_ids(kept))

    def _new_name(self, kind: int, name: str) -> int:
        indexes = (self._numbering.worker_indexes, self._numbering.task_indexes)[kind]
        known = len(indexes.names)
        index = indexes[name]
        if len(indexes.names) > known:
            self._write_name(kind, index, indexes.names[index])
        return index

    def _new_worker(self, name: str) -> int:
        return self._new_name(_WORKER, name)

    def _new_task(self, name: str) -> int:
        return self._new_name(_TASK, name)

    def _new_error(self, parts: ErrorParts) -> int:
        type_number = self._shared_text(_ERROR_TYPE, parts.type_name)
        template = self._shared_text(_TRACEBACK, parts.template)
        self._new_errors.append((type_number, parts.message, template, parts.details))
        return self._errors.count + len(self._new_errors) - 1

    def _shared_text(self, kind: int, text: str) -> int:
        """The number of a text that many errors have."""
        numbers = self._names[kind - _ERROR_TYPE]
        if text not in numbers:
            numbers[text] = len(numbers)
            self._write_name(kind, numbers[text], text)
        return numbers[text]

    def _write_name(self, kind: int, number: int, name: str) -> None:
        self._connection.execute("INSERT INTO names VALUES (?, ?, ?)", (kind, number, stored_text(name)))

    # Records

    def _append(self, blocks: Blocks) -> None:
        """Add records: whole chunks as they are, the rest as a piece that the whole chunk will replace."""
        for block in blocks:
            rest = block
            while rest:
                room = _CHUNK_BYTES - len(self._chunk)
                part, rest = rest[:room], rest[room:]
                if len(part) < room:
                    self._put_chunk(part)
                    self._chunk += part
                else:
                    self._put_whole_chunk(part)
        self._insert_chunks()

    def _put_whole_chunk(self, part: memoryview) -> None:
        """Add the records that fill the chunk, in place of the pieces there are of it."""
        if self._chunk:
            self._insert_chunks()
            self._rows -= len(self._chunk) // RECORD.size
            self._connection.execute("DELETE FROM chunks WHERE first_row >= ?", (self._rows,))
            part, self._chunk = memoryview(self._chunk + part), bytearray()
        self._put_chunk(part)
        self._items.join()
        self._errors.join()

    def _put_chunk(self, records: memoryview) -> None:
        count = len(records) // RECORD.size
        self._waiting += (self._rows, count, records)
        self._rows += count
        if len(self._waiting) >= _MANY_VALUES:
            self._insert_chunks()

    def _insert_chunks(self) -> None:
        # Many at once, because for each statement the thread has to get hold of Python anew.
        marks = ", ".join(["(?, ?, ?)"] * (len(self._waiting) // 3))
        if marks:
            self._connection.execute(f"INSERT INTO chunks VALUES {marks}", self._waiting)  # noqa: S608  marks
            self._waiting.clear()

    # Numbers

    def _write_snapshot(self, run: int, snapshot: RunSnapshot) -> None:
        stats = encode_stats(snapshot.stats)
        self._update_run(run, "stats", stats)
        thinning = self._thinnings.setdefault(run, Thinning())
        if thinning.is_full():
            thinning.thin_out()
            self._connection.execute(
                "DELETE FROM snapshots WHERE run = ? AND number % ? != 0", (run, thinning.step)
            )
        number = thinning.next_number()
        if number is not None:
            self._connection.execute(
                "INSERT INTO snapshots VALUES (?, ?, ?, ?)", (run, number, snapshot.time, stats)
            )


class _Piece(NamedTuple):
    """A block of a dictionary: its first entry, the one after its last, and its columns as JSON lists."""

    first: int
    stop: int
    first_row: int
    lists: tuple[str, ...]


class _Blocks:
    """A dictionary that is written block by block; small blocks are joined once a chunk is full.

    Attributes:
        count: How many entries there are.
    """

    def __init__(self, connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> None:
        self.count = 0
        self._connection = connection
        names = ", ".join(("first", "count", "first_row", *columns))
        marks = ", ".join("?" * (3 + len(columns)))
        self._insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  names of ours
        self._delete = f"DELETE FROM {table} WHERE first >= ? AND first < ?"  # noqa: S608  a name of ours
        self._pieces: list[_Piece] = []

    def add(self, count: int, first_row: int, *lists: str) -> None:
        """Add entries, each column a JSON list, that no record before a row refers to."""
        self._connection.execute(self._insert, (self.count, count, first_row, *lists))
        self._pieces.append(_Piece(self.count, self.count + count, first_row, lists))
        self.count += count

    def join(self) -> None:
        """Make larger blocks of those written since this was last called."""
        group: list[_Piece] = []
        for piece in self._pieces:
            if group and piece.stop - group[0].first > _BLOCK_ITEMS:
                self._join(group)
                group = []
            group.append(piece)
        self._join(group)
        self._pieces.clear()

    def _join(self, pieces: list[_Piece]) -> None:
        if len(pieces) > 1:
            first, stop = pieces[0].first, pieces[-1].stop
            columns = zip(*(piece.lists for piece in pieces), strict=True)
            joined = [f"[{','.join(text[1:-1] for text in column)}]" for column in columns]
            self._connection.execute(self._delete, (first, stop))
            self._connection.execute(self._insert, (first, stop - first, pieces[0].first_row, *joined))


class Thinning:
    """Which of a run's snapshots are kept, so that they stay few however long it runs."""

    def __init__(self) -> None:
        self.step = 1
        self._offered = 0
        self._kept = 0

    def is_full(self) -> bool:
        return self._kept >= MAX_SNAPSHOTS

    def thin_out(self) -> None:
        self.step *= 2
        self._kept = -(-self._kept // 2)

    def next_number(self) -> int | None:
        """The number of the next snapshot, None where it is not kept."""
        number = self._offered
        self._offered += 1
        if number % self.step:
            return None
        self._kept += 1
        return number
