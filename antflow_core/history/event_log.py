"""The packed event log: every event of every run as 32 bytes, in order, with the dictionaries beside them."""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from antflow_core.arguments import whole_number
from antflow_core.history.announcer import Announcer
from antflow_core.history.dictionaries import (
    LEFT,
    OVERFLOW_NAME,
    ItemTable,
    LostFailure,
    NameIndexes,
    RunItems,
    hashable_id,
    safe_text,
)
from antflow_core.history.errors import ErrorParts, ErrorTable
from antflow_core.history.records import (
    KINDS,
    LARGEST_F4,
    LARGEST_U2,
    NO_TASK,
    NO_WORKER,
    RECORD,
    STATUS_COUNT,
    ErrorRecord,
    EventRow,
    RunRecord,
    StageRecord,
    as_records,
)
from antflow_core.history.storage import CHUNK_MASK, CHUNK_ROWS, ROW_SHIFT, RecordStore

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from antflow_core.history.narrow_columns import NarrowColumns
    from antflow_core.history.text_index import TextIndex

_pack_into = RECORD.pack_into


class EventLog(RecordStore):
    """All events of one tracker, and the questions that need no more than them.

    One thread writes and reads: that of the loop the pipelines run in, or any single one where no loop runs.

    Args:
        max_events: When there would be more, the oldest leave, a whole chunk of 16,384 at a time.

    Attributes:
        runs: The runs in order of their numbers, from 1.
        stages: Every stage of every run; a record's stage is an index in it.
        workers: Names of workers.
        tasks: Names of tasks.
        notes: Extra metadata of the few status events that were given some, by row.
        copied_runs: Numbers of the runs that `mirror` copies from other logs.
    """

    def __init__(self, max_events: int | None = None) -> None:
        super().__init__()
        self.max_events = max_events
        self.runs: list[RunRecord] = []
        self.stages: list[StageRecord] = []
        self.worker_indexes = NameIndexes(NO_WORKER, 0x7FFFFFFE)
        self.task_indexes = NameIndexes(NO_TASK, NO_TASK - 1)
        self.workers = self.worker_indexes.names
        self.tasks = self.task_indexes.names
        self.items = ItemTable()
        self.errors = ErrorTable()
        self.notes: dict[int, dict[str, Any]] = {}
        self.copied_runs: set[int] = set()
        self._run_items: list[RunItems] = []
        self._counts: list[list[int]] = [[]]
        self._text_indexes: dict[str, TextIndex] = {}
        self._narrow_columns: NarrowColumns | None = None
        self._error_rows = array("q")  # the latest row that names an error
        self._item_runs = self.items.runs
        self._latest_rows = self.items.latest_rows
        self._statuses = self.items.statuses
        self._announcer = Announcer(self)
        self._needed: list[Callable[[], int]] = []

    @property
    def max_events(self) -> int | None:
        """How many events are held at most; a change counts from the next chunk on.

        Raises:
            TypeError: It is no whole number.
            ValueError: Fewer than two chunks.
        """
        return self._max_events

    @max_events.setter
    def max_events(self, limit: int | None) -> None:
        if limit is not None and whole_number("max_events", limit) < 2 * CHUNK_ROWS:
            raise ValueError(
                f"max_events must be None (no limit) or at least {2 * CHUNK_ROWS:,}, got {limit!r}: "
                f"events are dropped {CHUNK_ROWS:,} at a time"
            )
        self._max_events = limit

    @property
    def dropped_events(self) -> int:
        """How many events have been dropped because of `max_events`."""
        return self.first_row

    def hold_rows(self, first_needed: Callable[[], int]) -> Callable[[], None]:
        """Keep rows from being dropped that somebody has still to copy.

        Args:
            first_needed: Gives the first row that must stay.

        Returns:
            What ends the holding; it may be called again.
        """
        self._needed.append(first_needed)

        def release() -> None:
            if first_needed in self._needed:
                self._needed.remove(first_needed)

        return release

    # Writing

    def begin_run(self, name: str, stages: Sequence[str], started_at: float) -> int:
        """Open a run and return its number."""
        number = len(self.runs) + 1
        base = min(len(self.stages), LARGEST_U2)
        room = LARGEST_U2 - base
        self.stages.extend(StageRecord(number, stage) for stage in stages[:room])
        if len(stages) > room and len(self.stages) == LARGEST_U2:
            self.stages.append(StageRecord(number, OVERFLOW_NAME))
        self.runs.append(RunRecord(number, name, tuple(stages), base, started_at))
        self._run_items.append(RunItems(self, number))
        self._counts.append([0] * (LEFT + 1))
        self._announcer.rearm()
        return number

    def end_run(self, run: int, ended_at: float | None) -> None:
        """Note when a run ended, or that it goes on after all; events that still come for it are taken."""
        self.runs[run - 1] = replace(self.run_record(run), ended_at=ended_at)

    def stage_indexes(self, run: int) -> list[int]:
        """For each stage of a run its index in `stages`, as records hold it."""
        record = self.run_record(run)
        return [min(record.stage_base + offset, LARGEST_U2) for offset in range(len(record.stages))]

    def run_items(self, run: int) -> RunItems:
        """Index of each item of a run by its id; an id looked up for the first time gets one."""
        return self._run_items[self.run_record(run).number - 1]

    def status_columns(self, run: int) -> tuple[ItemTable, list[int], Announcer]:
        """Items, counts and announcer: what who writes status events himself must keep up."""
        return self.items, self._counts[run], self._announcer

    def append(
        self,
        at: float,
        item: int,
        stage: int,
        kind: int,
        attempt: int,
        task: int,
        worker: int,
        duration: float,
        error: int,
    ) -> int:
        """Add an event given by its indexes and return its row; the hot path, about half a microsecond."""
        row = self.next_row
        offset = (row & CHUNK_MASK) << ROW_SHIFT
        if not offset and self._place(row) == len(self._chunks):
            self._add_chunk()
        try:
            _pack_into(self.tail, offset, at, item, stage, kind, attempt, task, worker, duration, error)
        except (struct.error, OverflowError):
            attempt = min(max(attempt, 0), LARGEST_U2)
            duration = min(duration, LARGEST_F4)
            _pack_into(self.tail, offset, at, item, stage, kind, attempt, task, worker, duration, error)
        self.next_row = row + 1
        place = item - self.items.first
        if kind < STATUS_COUNT and place >= 0:
            self._latest_rows[place] = row
            counts = self._counts[self._item_runs[place]]
            statuses = self._statuses
            counts[statuses[place]] -= 1
            counts[kind] += 1
            statuses[place] = kind
        if error >= 0:
            self._name_error(error, row)
        if self._announcer.armed:
            self._announcer.schedule()
        return row

    def append_records(self, records: NDArray[numpy.void]) -> int:
        """Add many events at once, their indexes already those of this log; returns the first row.

        Raises:
            TypeError: The records are not of `record_dtype`, nor of a type whose fields fit into it.
        """
        records = as_records(records)
        first = self.next_row
        self._follow(records, first)  # before they are stored, which may drop what they still name
        self._store(records)
        return first

    def append_chunk(self, chunk: bytes) -> int:
        """Add 16,384 packed records without copying them, after a full chunk; returns the first row."""
        first = self._adopt(chunk)
        self._follow(self._array(self._place(first)), first)
        return first

    # Reading

    def event(self, row: int) -> EventRow:
        """One event as plain values."""
        row = int(row)
        if not self.first_row <= row < self.next_row:
            raise IndexError(f"no row {row}; the log holds {self.first_row} to {self.next_row - 1}")
        chunk = self._chunks[self._place(row)]
        at, item, stage, kind, attempt, task, worker, duration, error = RECORD.unpack_from(
            chunk, (row & CHUNK_MASK) << ROW_SHIFT
        )
        return EventRow(
            row,
            self.items.run_of(item) or self.stages[stage].run,
            at,
            item,
            self.items.id_of(item),
            self.stages[stage].name,
            stage,
            KINDS[kind],
            kind < STATUS_COUNT,
            attempt,
            None if worker < 0 else self.workers[worker],
            None if task == NO_TASK else self.tasks[task],
            None if math.isnan(duration) else duration,
            error,
        )

    def page(self, rows: Sequence[int]) -> list[EventRow]:
        """The events of some rows, in the order asked; about 2 µs each."""
        return [self.event(row) for row in rows]

    def rows_of_item(self, item: int) -> array[int]:
        """Every row of an item, in order."""
        place = item - self.items.first
        return self._rows_of_item(item, self.items.first_rows[place] if place >= 0 else self.next_row)

    def may_hold_items(self, row: int, lowest: int, highest: int) -> bool:
        """Whether the chunk of a row may have events of items from one to another; when in doubt, True."""
        place = lowest - self.items.first
        begins_later = place >= 0 and self.items.first_rows[place] > row | CHUNK_MASK
        return highest >= self.lowest_item(row) and not begins_later

    @property
    def started_at(self) -> float:
        """When the first run began, in Unix seconds: the origin of shown times; 0 before there is one."""
        return self.runs[0].started_at if self.runs else 0.0

    def run_record(self, run: int) -> RunRecord:
        """A run by its number."""
        if not 1 <= run <= len(self.runs):
            raise IndexError(f"no run {run}; there are {len(self.runs)}")
        return self.runs[run - 1]

    @property
    def item_count(self) -> int:
        """How many items there have been over all runs."""
        return len(self.items)

    def item_ids(self) -> list[object]:
        """The caller's ids of the items that have not left, in the order they were first seen."""
        items = self.items
        return [item_id for item_id, status in zip(items.ids, items.statuses, strict=True) if status != LEFT]

    def item_id(self, item: int) -> object:
        """The caller's id of an item."""
        return self.items.id_of(item)

    def item_text(self, item: int) -> str:
        """An item's id as text."""
        return safe_text(self.items.id_of(item))

    def items_with_id(self, item_id: object) -> list[int]:
        """The items that have an id, in the order of the runs; one read from a file may have several."""
        key, found = hashable_id(item_id), list[int]()
        for items in self._run_items:
            if key in items:
                found += (items[key], *items.twins.get(key, ()))
        return found

    def items_with_status(self, status: str) -> list[int]:
        """The items whose current status it is, in the order they were first seen."""
        wanted, found, at = KINDS.index(status), [], -1
        while (at := self._statuses.find(wanted, at + 1)) >= 0:
            found.append(at + self.items.first)
        return found

    def lost_failures(self) -> list[LostFailure]:
        """The failed items whose events have been dropped, in the order they failed."""
        lost = [failure for items in self._run_items for failure in items.lost_failures.values()]
        return sorted(lost)

    def has_lost_failures(self) -> bool:
        """Whether there are failed items whose events have been dropped."""
        return any(items.lost_failures for items in self._run_items)

    def latest_row(self, item: int) -> int:
        """Row of an item's latest status event, -1 before the first and when it has been dropped."""
        place = item - self.items.first
        row = self._latest_rows[place] if place >= 0 else -1
        return row if row >= self.first_row else -1

    def status_counts(self, run: int | None = None) -> dict[str, int]:
        """Items by current status, of one run or of all; every status is there."""
        chosen = self._counts[1:] if run is None else [self._counts[self.run_record(run).number]]
        return {KINDS[kind]: sum(counts[kind] for counts in chosen) for kind in range(STATUS_COUNT)}

    @property
    def error_count(self) -> int:
        """How many distinct errors there are."""
        return len(self.errors)

    def error(self, index: int) -> ErrorRecord:
        """A recorded error."""
        return self.errors.record(index)

    def error_parts(self, index: int) -> ErrorParts:
        """A recorded error as it is stored; equal `template` means raised along the same lines of code."""
        return self.errors.parts(index)

    def text_index(self, name: Literal["item", "error"]) -> TextIndex:
        """The index for searching texts of items or errors, made when first asked for."""
        index = self._text_indexes.get(name)
        if index is None:
            # Late, because they load numpy.
            from antflow_core.history.item_texts import ItemTexts
            from antflow_core.history.text_index import TextIndex

            index = ItemTexts(self) if name == "item" else TextIndex(self.errors.search_texts)
            self._text_indexes[name] = index
        return index

    @property
    def narrow_columns(self) -> NarrowColumns:
        """What a search reads instead of records where it can, made when first asked for."""
        if self._narrow_columns is None:
            from antflow_core.history.narrow_columns import NarrowColumns  # late, because it loads numpy

            self._narrow_columns = NarrowColumns(self)
        return self._narrow_columns

    def subscribe(self, listener: Callable[[range], None]) -> Callable[[], None]:
        """Have new rows announced, on the loop's thread and at most once per loop tick.

        Rows written where no loop runs are announced with the next ones written inside a loop, or by `flush`.
        An exception in a listener is logged. Returns what ends the subscription; it may be called again.
        """
        return self._announcer.subscribe(listener)

    def flush(self) -> None:
        """Announce now what subscribers have not been told yet."""
        self._announcer.flush()

    def mirror(self, other: EventLog) -> Callable[[], None]:
        """Copy the events of another log into this one, those there are and those to come.

        Returns what ends the copying, after a last look for new events; it may be called again.
        """
        from antflow_core.history.mirror import Mirror  # late: it needs numpy, and only viewers mirror

        return Mirror(other, self).close

    @property
    def memory_bytes(self) -> int:
        """Size of records and what searches keep, exact, and of dictionaries and lost failures, estimated."""
        chunks = sum(map(sys.getsizeof, self._chunks))
        names = sum(
            sys.getsizeof(indexes) + 60 * len(indexes) for indexes in (self.worker_indexes, self.task_indexes)
        )
        keys = sum(map(sys.getsizeof, self._run_items))
        lost = sum(items.lost_bytes() for items in self._run_items)
        copies = sum(index.memory_bytes() for index in self._text_indexes.values())
        if self._narrow_columns is not None:
            copies += self._narrow_columns.memory_bytes()
        return chunks + names + keys + lost + copies + self.items.memory_bytes() + self.errors.memory_bytes()

    # Inside

    def _add_chunk(self) -> None:
        if self._max_events is not None:
            self._drop_oldest(self._max_events)
        super()._add_chunk()

    def _drop_oldest(self, limit: int) -> None:
        """Make room for another chunk, as far as nobody still needs what would leave."""
        from antflow_core.history.dropping import take_leave  # late, because it loads numpy

        needed = min((first() for first in self._needed), default=self.next_row)
        while len(self) > limit - CHUNK_ROWS and self.first_row + CHUNK_ROWS <= needed:
            take_leave(self)
            self._drop_chunk()
        if self._narrow_columns is not None:
            self._narrow_columns.forget_before(self.first_row)

    def forget_errors(self, errors: Iterable[int], *, before: int) -> None:
        """Let go of the texts of errors that no row from `before` on names."""
        for error in errors:
            if self._error_rows[error] < before:
                self.errors.forget(error)

    def _name_error(self, error: int, row: int) -> None:
        while len(self._error_rows) <= error:
            self._error_rows.append(-1)
        self._error_rows[error] = row

    def _follow(self, records: NDArray[numpy.void], first: int) -> None:
        """Take note of records just added."""
        self._follow_statuses(records, first)
        self._follow_errors(records, first)
        if len(records) and self._announcer.armed:
            self._announcer.schedule()

    def _follow_errors(self, records: NDArray[numpy.void], first: int) -> None:
        """Note which rows name errors last."""
        for at in (records["error"] >= 0).nonzero()[0].tolist():
            self._name_error(int(records["error"][at]), first + at)

    def _follow_statuses(self, records: NDArray[numpy.void], first: int) -> None:
        """Bring latest rows, statuses and counts up to records just added."""
        import numpy  # imported here because a headless run without questions never needs it

        at = numpy.flatnonzero(records["kind"] < STATUS_COUNT)
        if not len(at):
            return
        # Views of growing arrays must be gone before the next item is added, so they live here only.
        latest = numpy.frombuffer(self._latest_rows, numpy.int64)
        statuses = numpy.frombuffer(self._statuses, numpy.uint8)
        runs = numpy.frombuffer(self._item_runs, numpy.intc)
        places = records["item"][at] - self.items.first
        at, places = at[places >= 0], places[places >= 0]
        rows = at + first
        latest[places] = rows  # of an item named twice the later row stays
        stays = latest[places] == rows
        touched, kinds = places[stays], records["kind"][at[stays]]
        width = LEFT + 1
        size = len(self._counts) * width
        change = numpy.bincount(runs[touched] * width + kinds, minlength=size)
        change -= numpy.bincount(runs[touched] * width + statuses[touched], minlength=size)
        statuses[touched] = kinds
        for place in numpy.flatnonzero(change).tolist():
            self._counts[place // width][place % width] += int(change[place])
