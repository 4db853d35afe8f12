"""What goes from a log to its run file at once, and how the log's indexes become the file's."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.errors import ErrorParts
from antflow_core.history.records import (
    LARGEST_U2,
    NO_ERROR,
    NO_TASK,
    NO_WORKER,
    RECORD,
    RunRecord,
    record_dtype,
)
from antflow_core.run_files.run_records import RecordedStage, RunSnapshot
from antflow_core.types import WorkerMetrics

_UNKNOWN: Final = -2
_ELSEWHERE: Final = -3
"""A stage of a run that is not recorded."""
_FIRST_SIZE: Final = 64

Entry = TypeVar("Entry")

Blocks = Sequence[memoryview]
"""Packed records as bytes, in the order of their rows."""


@dataclass(slots=True)
class Batch:
    """What is new in one log, by the log's own indexes.

    Attributes:
        source: Whose it is.
        is_all: All that is in the log so far is recorded, so that each of its indexes will be needed.
        first_row: The row that the first block begins with; `blocks` are the log's own memory, not copied.
        held_from: Index of the first item that the log still holds, or may get back.
        first_item: Index of the first of `ids`.
        ids: As `stored_ids` gives them, `GONE` for those of `returned`.
        returned: Items that the log had let go and got back under a new index, with the one before.
        item_runs: The number of the run of each.
        item_rows: No row before this one names it.
        runs: New ones, and those that have ended or go on.
        workers: Further names; so `tasks`, and `errors`.
        notes: Metadata by row, as `stored_note` gives it.
        stages: What pipelines told of themselves, by run.
        metrics: What workers have done, by run.
        values: Item, index of the stage in its pipeline (their number for a result), and text.
    """

    source: Source
    is_all: bool
    first_row: int
    blocks: list[memoryview]
    held_from: int
    first_item: int
    ids: Sequence[object]
    returned: dict[int, int]
    item_runs: array[int]
    item_rows: array[int]
    runs: list[RunRecord]
    workers: list[str]
    tasks: list[str]
    errors: list[ErrorParts]
    notes: dict[int, Any]
    stages: dict[int, tuple[RecordedStage, ...]] = field(default_factory=dict)
    snapshots: list[RunSnapshot] = field(default_factory=list)
    metrics: dict[int, tuple[WorkerMetrics, ...]] = field(default_factory=dict)
    values: list[tuple[int, int, str]] = field(default_factory=list)


class Source:
    """A log as the writer sees it: which index of the file each of its indexes has.

    Args:
        takes: Whether a run of the log, by its number, is recorded.
        first_row: No row of the log before this one is recorded.

    Attributes:
        takes: As given; it is called on the writer's thread.
        written_row: All rows before this one are in the file.
        runs: The file's number of each run.
        items: The file's index of items.
        workers: So the file's indexes of workers, `tasks` and `errors`; made by the writer.
    """

    def __init__(self, takes: Callable[[int], bool], first_row: int) -> None:
        self.takes = takes
        self.written_row = first_row
        self.runs: dict[int, int] = {}
        self.items = ItemIndexes()
        self.workers = EntryIndexes[str](NO_WORKER)
        self.tasks = EntryIndexes[str](NO_TASK)
        self.errors = EntryIndexes[ErrorParts](NO_ERROR)
        self._stages = np.full(LARGEST_U2 + 1, _ELSEWHERE, np.int32)
        self._same_stages = True

    def map_stages(self, run: RunRecord, file_indexes: Iterable[int]) -> None:
        """Note where the file has the stages of a run."""
        for offset, file_index in enumerate(file_indexes):
            index = min(run.stage_base + offset, LARGEST_U2)
            self._stages[index] = file_index
            self._same_stages = self._same_stages and index == file_index

    def translate(self, blocks: Blocks, *, is_all: bool) -> tuple[Blocks, NDArray[np.bool_] | None]:
        """Records with the file's indexes; where these are the log's own, as they are.

        Returns:
            The records to write, and which of the given ones they are, None for all.
        """
        dictionaries = (self.items, self.workers, self.tasks, self.errors)
        if is_all and self._same_stages and all(each.is_same for each in dictionaries):
            return blocks, None
        data = bytearray().join(blocks)
        records = np.frombuffer(data, record_dtype())
        stages = self._stages.take(records["stage"])
        kept = None if is_all else stages != _ELSEWHERE
        if kept is not None:
            # As plain bytes, because selecting records would not keep their padding.
            records = np.frombuffer(data, f"V{RECORD.size}")[kept].view(record_dtype())
            stages = stages[kept]
        records["stage"] = stages
        records["item"] = self.items.translate(records["item"])
        records["worker"] = self.workers.translate(records["worker"])
        records["task"] = self.tasks.translate(records["task"])
        records["error"] = self.errors.translate(records["error"])
        return [records.view(np.uint8).data], kept


class EntryIndexes(Generic[Entry]):
    """The file's index of each entry of a log's dictionary; what stands for none stays so.

    Args:
        none: The index that stands for none.

    Attributes:
        register: Gives an entry its index in the file; set before anything is learned.
        is_same: Every index that was given is the log's own.
    """

    def __init__(self, none: int) -> None:
        self.register: Callable[[Entry], int]
        self.is_same = True
        self._none = none
        self._known = 0
        self._held: dict[int, Entry] = {}
        self._table = np.full(none + 1 if none > 0 else _FIRST_SIZE, _UNKNOWN, np.int32)
        self._table[none] = none

    def learn(self, entries: Sequence[Entry], *, at_once: bool) -> None:
        """Take in further entries.

        Args:
            at_once: They, and those before, get their indexes now; else each when a record names it.
        """
        self._held.update(enumerate(entries, self._known))
        self._known += len(entries)
        self._grow(self._known)
        if at_once and self._held:
            for index in list(self._held):
                self._give(index)

    def translate(self, column: NDArray[Any]) -> NDArray[np.int32]:
        """The file's indexes for a column of records."""
        found = self._table.take(column)
        unknown = found == _UNKNOWN
        if unknown.any():
            for index in np.unique(column[unknown]).tolist():
                self._give(index)
            found = self._table.take(column)
        return found

    def _give(self, index: int) -> None:
        file_index = self._table[index] = self.register(self._held.pop(index))
        self.is_same = self.is_same and file_index == index

    def _grow(self, count: int) -> None:
        """Make room; where none is -1 its place is the last one, where that index finds it."""
        if self._none > 0 or count < len(self._table):
            return
        grown = np.full(2 * count + _FIRST_SIZE, _UNKNOWN, np.int32)
        grown[: len(self._table) - 1] = self._table[:-1]
        grown[-1] = self._none
        self._table = grown


class ItemIndexes:
    """The file's index of each item of a log, as spans in which it is a constant number off.

    Attributes:
        is_same: Every index is the log's own.
    """

    def __init__(self) -> None:
        self.is_same = True
        self._starts = np.empty(0, np.int64)
        self._shifts = np.empty(0, np.int64)
        self._returned = np.empty(0, np.int64)
        self._returned_to = np.empty(0, np.int64)

    def add(self, first: int, file_first: int) -> None:
        """From item `first` on, which is behind all others, the file counts from `file_first`."""
        shift = file_first - first
        self.is_same = self.is_same and shift == 0
        if not len(self._shifts) or self._shifts[-1] != shift:
            self._starts = np.append(self._starts, first)
            self._shifts = np.append(self._shifts, shift)

    def take_back(self, returned: dict[int, int]) -> None:
        """Have items, behind all that came back before, go on under the file's indexes of others."""
        items = sorted(returned)
        before = self.translate(np.array([returned[item] for item in items], np.int64))
        self._returned = np.append(self._returned, items)
        self._returned_to = np.append(self._returned_to, before)
        self.is_same = False

    def forget_before(self, item: int) -> None:
        """Items before this one are not mentioned any more."""
        come_back = int(np.searchsorted(self._returned, item))
        self._returned, self._returned_to = self._returned[come_back:], self._returned_to[come_back:]
        gone = int(np.searchsorted(self._starts, item, "right")) - 1
        if gone > 0:
            self._starts, self._shifts = self._starts[gone:], self._shifts[gone:]

    def translate(self, items: NDArray[np.integer]) -> NDArray[np.int64]:
        """The file's indexes for a column of records."""
        shifts = self._shifts[np.searchsorted(self._starts, items, "right") - 1]
        translated: NDArray[np.int64] = np.add(items, shifts, dtype=np.int64)
        if len(self._returned):
            places = np.minimum(np.searchsorted(self._returned, items), len(self._returned) - 1)
            came_back = self._returned[places] == items
            translated[came_back] = self._returned_to[places[came_back]]
        return translated

    def of(self, item: int) -> int:
        """The file's index of one item."""
        return int(self.translate(np.asarray([item], np.int32))[0])
