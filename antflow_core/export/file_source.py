"""A run file as a source of events: a chunk at a time, and of its dictionaries only what is asked for.

What is in memory does not grow with the file: a chunk of events, some blocks of ids and errors, and the names
of stages, workers and tasks.
"""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from antflow_core.export.source import Events, ItemBlock, NotedValue, Rows, RunDetails, Snapshot
from antflow_core.history.errors import ErrorParts
from antflow_core.history.records import RunRecord, StageRecord, check_records, record_dtype
from antflow_core.history.storage import CHUNK_MASK
from antflow_core.run_files.database import NAME_KINDS, reading_faults, real_file
from antflow_core.run_files.reader import RunFileReader
from antflow_core.run_files.run_records import RunInfo, told_of_run
from antflow_core.run_files.stored_values import decode_ids, text_of

_ERROR_TYPES: Final = NAME_KINDS.index("error type")
_TRACEBACKS: Final = NAME_KINDS.index("traceback")
_KEPT_ITEMS: Final = 1 << 17
_KEPT_ERRORS: Final = 1 << 13

Entry = TypeVar("Entry")


class FileSource:
    """A run file as it is at the moment it is entered, also while it is written; an `EventSource`.

    ::

        with FileSource(path) as source:
            for rows, records in source.blocks():
                ...

    Args:
        path: The file.

    Raises:
        RunFileError: It cannot be opened, or read; the sentence says why.
    """

    def __init__(self, path: Path) -> None:
        self.path = real_file(path)
        self._reader = RunFileReader(self.path)
        self._ending = ExitStack()
        self._connection: sqlite3.Connection

    def __enter__(self) -> Self:
        self._connection = self._ending.enter_context(self._reader.connected())
        with reading_faults(self.path):
            self._reader.read_state(self._connection)
            self._items = _StoredBlocks(self._spans("items"), self._ids_of_block, _KEPT_ITEMS)
            self._errors = _StoredBlocks(self._spans("errors"), self._errors_of_block, _KEPT_ERRORS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What went wrong in the body is told to nobody: it is no fault of the file's.
        self._ending.close()

    @property
    def info(self) -> RunInfo:
        return self._reader.info

    @property
    def runs(self) -> Sequence[RunRecord]:
        return self._reader.log.runs

    @property
    def stages(self) -> Sequence[StageRecord]:
        return self._reader.log.stages

    @property
    def workers(self) -> Sequence[str]:
        return self._reader.log.workers

    @property
    def tasks(self) -> Sequence[str]:
        return self._reader.log.tasks

    @property
    def events(self) -> int:
        return self._reader.rows

    @property
    def errors(self) -> int:
        return self._errors.count

    def blocks(self, begin: int = 0) -> Iterator[tuple[Rows, Events]]:
        """All events from a row on."""
        query = "SELECT first_row, count, records FROM chunks WHERE first_row >= ? ORDER BY first_row"
        for first, count, data in self._rows(query, (begin & ~CHUNK_MASK,)):
            if first + count <= begin:
                continue
            with reading_faults(self.path):
                if first > begin:
                    raise ValueError(f"rows are missing behind {begin:,}")
                records = self._checked(data, count)[begin - first :]
            yield np.arange(begin, first + count), records
            begin = first + count

    def item_blocks(self) -> Iterator[ItemBlock]:
        for first, runs, ids in self._rows("SELECT first, runs, ids FROM items ORDER BY first"):
            with reading_faults(self.path):
                block = ItemBlock(first, decode_ids(ids), _each_run(runs))
            yield block

    def error_blocks(self) -> Iterator[tuple[int, Sequence[ErrorParts]]]:
        for first, texts in self._rows("SELECT first, texts FROM errors ORDER BY first"):
            with reading_faults(self.path):
                block = self._decoded_errors(texts)
            yield first, block

    def item_ids(self, items: NDArray[Any]) -> list[object]:
        with reading_faults(self.path):
            return self._items.take(items)

    def item_runs(self, items: NDArray[Any]) -> list[int]:
        with reading_faults(self.path):
            return [self._run_of(item) for item in items.tolist()]

    def error_parts(self, errors: NDArray[Any]) -> list[ErrorParts]:
        with reading_faults(self.path):
            return self._errors.take(errors)

    def notes(self, rows: Rows) -> dict[int, Any]:
        if not len(rows):
            return {}
        between = (int(rows[0]), int(rows[-1]))
        found = self._rows("SELECT row, metadata FROM notes WHERE row BETWEEN ? AND ?", between)
        with reading_faults(self.path):
            return {row: json.loads(metadata) for row, metadata in found}

    def run_details(self) -> list[RunDetails]:
        query = "SELECT number, details, stats, workers FROM runs ORDER BY number"
        rows = [*self._rows(query)]
        with reading_faults(self.path):
            return [RunDetails._make(told_of_run(*row)) for row in rows]

    def snapshots(self) -> Iterator[Snapshot]:
        for run, moment, stats in self._rows("SELECT run, time, stats FROM snapshots ORDER BY time, run"):
            with reading_faults(self.path):
                snapshot = Snapshot(run, moment, json.loads(stats))
            yield snapshot

    def values(self) -> Iterator[NotedValue]:
        for item, stage, value in self._rows("SELECT item, stage, value FROM captured ORDER BY item, stage"):
            yield NotedValue(item, stage, text_of(value))

    # Inside

    def _rows(self, query: str, values: tuple[int, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """What a query gives, a row at a time; what is done with a row outside is no fault of the file's."""
        with reading_faults(self.path):
            cursor = self._connection.execute(query, values)
        while True:
            with reading_faults(self.path):
                row = cursor.fetchone()
            if row is None:
                return
            yield row

    def _spans(self, table: str) -> list[tuple[int, int]]:
        rows = self._connection.execute(f"SELECT first, count FROM {table} ORDER BY first")  # noqa: S608
        return rows.fetchall()

    def _checked(self, data: bytes, count: int) -> Events:
        records = np.frombuffer(data, record_dtype())
        if len(records) != count:
            raise ValueError(f"{len(records):,} events are where {count:,} should be")
        check_records(
            records,
            items=self._items.count,
            stages=len(self.stages),
            workers=len(self.workers),
            tasks=len(self.tasks),
            errors=self._errors.count,
        )
        return records

    def _ids_of_block(self, first: int) -> list[object]:
        ids, *_ = self._connection.execute("SELECT ids FROM items WHERE first = ?", (first,)).fetchone()
        return decode_ids(ids)

    def _errors_of_block(self, first: int) -> list[ErrorParts]:
        texts, *_ = self._connection.execute("SELECT texts FROM errors WHERE first = ?", (first,)).fetchone()
        return self._decoded_errors(texts)

    def _decoded_errors(self, texts: str) -> list[ErrorParts]:
        types, templates = self._reader.names[_ERROR_TYPES], self._reader.names[_TRACEBACKS]
        return [
            ErrorParts(types[type_number], message, templates[template], details)
            for type_number, message, template, details in json.loads(texts)
        ]

    def _run_of(self, item: int) -> int:
        query = "SELECT first, runs FROM items WHERE first <= ? ORDER BY first DESC LIMIT 1"
        first, runs = self._connection.execute(query, (item,)).fetchone()
        return int(_each_run(runs)[item - first])


class _StoredBlocks(Generic[Entry]):
    """A dictionary that a file holds in blocks, of which the most recently used are in memory.

    Args:
        spans: First index and number of entries of each block, in order.
        load: Gives the entries of the block that begins with an index.
        kept: How many entries may stay in memory; the block in use is there in any case.

    Attributes:
        count: How many entries there are.
    """

    def __init__(self, spans: list[tuple[int, int]], load: Callable[[int], list[Entry]], kept: int) -> None:
        if [first for first, _ in spans] != [0, *np.cumsum([count for _, count in spans]).tolist()][:-1]:
            raise ValueError("entries of a dictionary are missing")
        self.count = sum(spans[-1]) if spans else 0
        self._firsts = np.array([first for first, _ in spans], np.int64)
        self._counts = [count for _, count in spans]
        self._load = load
        self._kept = kept
        self._blocks: OrderedDict[int, list[Entry]] = OrderedDict()

    def take(self, indexes: NDArray[Any]) -> list[Entry]:
        """The entries of some indexes."""
        blocks = np.searchsorted(self._firsts, indexes, "right") - 1
        found: dict[int, Entry] = {}
        for block in np.unique(blocks).tolist():
            entries, first = self._entries(block), int(self._firsts[block])
            places = np.flatnonzero(blocks == block)
            found.update(
                (place, entries[index - first])
                for place, index in zip(places.tolist(), indexes[places].tolist(), strict=True)
            )
        return [found[place] for place in range(len(indexes))]

    def _entries(self, block: int) -> list[Entry]:
        entries = self._blocks.get(block)
        if entries is None:
            entries = self._load(int(self._firsts[block]))
            if len(entries) != self._counts[block]:
                raise ValueError("entries of a dictionary are missing")
            self._blocks[block] = entries
        self._blocks.move_to_end(block)
        while len(self._blocks) > 1 and sum(map(len, self._blocks.values())) > self._kept:
            self._blocks.popitem(last=False)
        return entries


def _each_run(spans: str) -> NDArray[np.intc]:
    """The number of the run of each item of a block."""
    runs = chain.from_iterable([run] * count for run, count in json.loads(spans))
    return np.fromiter(runs, np.intc)
