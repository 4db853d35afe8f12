"""What is exported: events a block at a time, and the dictionaries they name, wherever these are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.dictionaries import LEFT
from antflow_core.history.errors import ErrorParts
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import RECORD, RunRecord, StageRecord, record_dtype
from antflow_core.run_files.run_records import RunInfo
from antflow_core.run_files.stored_values import GONE, stored_ids, stored_note

_BLOCK_ENTRIES: Final = 1 << 14

Events = NDArray[np.void]
Rows = NDArray[np.int64]


class RunDetails(NamedTuple):
    """What a pipeline told of itself, in JSON; None where it told nothing.

    Attributes:
        run: Number of the run.
        stages: As `encode_stages` gives them; so `stats`, the newest counts, and `workers`.
    """

    run: int
    stages: Any
    stats: Any
    workers: Any


class Snapshot(NamedTuple):
    """A run's counts at one moment, in JSON as `encode_stats` gives them."""

    run: int
    time: float
    stats: Any


class NotedValue(NamedTuple):
    """What was noted of an item's value; `stage` is its place in the run, their number for a result."""

    item: int
    stage: int
    text: str


@dataclass(frozen=True, slots=True)
class ItemBlock:
    """Items that follow each other.

    Attributes:
        first: Index of the first.
        ids: As `stored_id` gives them, `GONE` for one that has left.
        runs: The number of the run of each.
    """

    first: int
    ids: Sequence[object]
    runs: NDArray[np.intc]


class EventSource(Protocol):
    """Events and what they name; a record's numbers are indexes of its dictionaries.

    Attributes:
        info: Where the events come from.
        runs: In the order of their numbers, from 1.
        stages: Of all runs.
        events: How many there are.
        errors: How many there are.
    """

    @property
    def info(self) -> RunInfo: ...

    @property
    def runs(self) -> Sequence[RunRecord]: ...

    @property
    def stages(self) -> Sequence[StageRecord]: ...

    @property
    def workers(self) -> Sequence[str]: ...

    @property
    def tasks(self) -> Sequence[str]: ...

    @property
    def events(self) -> int: ...

    @property
    def errors(self) -> int: ...

    def blocks(self) -> Iterator[tuple[Rows, Events]]:
        """All events with their rows, in order."""

    def item_blocks(self) -> Iterator[ItemBlock]:
        """All items, in order."""

    def error_blocks(self) -> Iterator[tuple[int, Sequence[ErrorParts]]]:
        """All errors with the index of the first of them, in order."""

    def item_ids(self, items: NDArray[Any]) -> list[object]:
        """The stored ids of some items."""

    def item_runs(self, items: NDArray[Any]) -> list[int]:
        """The numbers of their runs; needed only where there are more stages than records can tell apart."""

    def error_parts(self, errors: NDArray[Any]) -> list[ErrorParts]:
        """Some errors."""

    def notes(self, rows: Rows) -> dict[int, Any]:
        """Further metadata of some events, by row."""

    def run_details(self) -> list[RunDetails]:
        """What pipelines told of themselves, by number of the run."""

    def snapshots(self) -> Iterator[Snapshot]:
        """Counts at moments, in their order."""

    def values(self) -> Iterator[NotedValue]:
        """What was noted of items' values."""


class TellsOfPipelines(Protocol):
    """What is known of pipelines beside their events."""

    def run_details(self) -> list[tuple[int, Any, Any, Any]]: ...

    def snapshots(self) -> list[tuple[int, float, Any]]: ...

    def all_values(self) -> Iterator[tuple[int, int, str]]: ...


class LogSource:
    """A log in memory.

    Args:
        log: Its events as they are when they are asked for.
        info: Where they come from.
        pipelines: What is known beside them.
    """

    def __init__(self, log: EventLog, info: RunInfo, pipelines: TellsOfPipelines | None = None) -> None:
        self.info = info
        self._log = log
        self._pipelines = pipelines

    @property
    def runs(self) -> Sequence[RunRecord]:
        return self._log.runs

    @property
    def stages(self) -> Sequence[StageRecord]:
        return self._log.stages

    @property
    def workers(self) -> Sequence[str]:
        return self._log.workers

    @property
    def tasks(self) -> Sequence[str]:
        return self._log.tasks

    @property
    def events(self) -> int:
        return len(self._log)

    @property
    def errors(self) -> int:
        return self._log.error_count

    def blocks(self) -> Iterator[tuple[Rows, Events]]:
        log = self._log
        for first, block in log.blocks(log.first_row, log.next_row):
            yield np.arange(first, first + len(block)), block

    def chosen(self, rows: Rows) -> Iterator[tuple[Rows, Events]]:
        """Some events in the order of their rows, which ascend."""
        for numbers, block in self.blocks():
            first = int(numbers[0])
            begin, end = np.searchsorted(rows, (first, first + len(block))).tolist()
            if begin < end:
                # As plain bytes, because selecting records would not keep their padding.
                chosen = block.view(f"V{RECORD.size}")[rows[begin:end] - first]
                yield rows[begin:end], chosen.view(record_dtype())

    def of_item(self, item: int) -> Iterator[tuple[Rows, Events]]:
        """The events of one item, in order."""
        return self.chosen(np.array(self._log.rows_of_item(item), np.int64))

    def item_blocks(self) -> Iterator[ItemBlock]:
        table = self._log.items
        for place in range(0, len(table.ids), _BLOCK_ENTRIES):
            part = slice(place, place + _BLOCK_ENTRIES)
            ids = stored_ids(self._present(part))
            # A copy, for while numpy looks at the array itself no item could be added.
            yield ItemBlock(table.first + place, ids, np.frombuffer(table.runs[part], np.intc))

    def error_blocks(self) -> Iterator[tuple[int, Sequence[ErrorParts]]]:
        log = self._log
        for first in range(0, log.error_count, _BLOCK_ENTRIES):
            stop = min(first + _BLOCK_ENTRIES, log.error_count)
            yield first, [log.error_parts(error) for error in range(first, stop)]

    def item_ids(self, items: NDArray[Any]) -> list[object]:
        table = self._log.items
        places = (items - table.first).tolist()
        return [
            *stored_ids(
                [GONE if place < 0 else self._present(slice(place, place + 1))[0] for place in places]
            )
        ]

    def item_runs(self, items: NDArray[Any]) -> list[int]:
        return [*map(self._log.items.run_of, items.tolist())]

    def error_parts(self, errors: NDArray[Any]) -> list[ErrorParts]:
        return [*map(self._log.error_parts, errors.tolist())]

    def notes(self, rows: Rows) -> dict[int, Any]:
        notes = self._log.notes
        return {row: stored_note(notes[row]) for row in rows.tolist() if row in notes} if notes else {}

    def run_details(self) -> list[RunDetails]:
        return [] if self._pipelines is None else [*map(RunDetails._make, self._pipelines.run_details())]

    def snapshots(self) -> Iterator[Snapshot]:
        if self._pipelines is not None:
            yield from map(Snapshot._make, self._pipelines.snapshots())

    def values(self) -> Iterator[NotedValue]:
        if self._pipelines is not None:
            yield from map(NotedValue._make, self._pipelines.all_values())

    def _present(self, part: slice) -> list[object]:
        """The ids of items that are still there."""
        table = self._log.items
        ids, statuses = table.ids[part], table.statuses[part]
        if LEFT not in statuses:
            return ids
        return [GONE if status == LEFT else each for each, status in zip(ids, statuses, strict=True)]
