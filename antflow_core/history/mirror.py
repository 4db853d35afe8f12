"""A log followed by another: its events copied in with every index changed to the copying log's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.records import LARGEST_U2

if TYPE_CHECKING:
    from antflow_core.history.event_log import EventLog


class Mirror:
    """Copies the events of one log into another, at once and then whenever the source announces new ones.

    Args:
        source: The log that is copied; events that come where no loop runs are copied by `close`.
        target: The log that takes them in beside its own.
    """

    def __init__(self, source: EventLog, target: EventLog) -> None:
        self._source = source
        self._target = target
        self._next_row = source.first_row
        self._runs: list[int] = []
        self._items = _IndexMap()
        self._workers = _IndexMap(none=-1)
        self._errors = _IndexMap(none=-1)
        self._stages = np.full(LARGEST_U2 + 1, LARGEST_U2, np.uint16)
        self._tasks = np.full(LARGEST_U2 + 1, LARGEST_U2, np.uint16)
        self._tasks_known = 0
        self._closed = False
        self._copy()
        self._unsubscribe = source.subscribe(lambda rows: self._copy())
        self._release = source.hold_rows(lambda: self._next_row)

    def close(self) -> None:
        """Copy what has not been copied yet and follow no longer."""
        if self._closed:
            return
        self._closed = True
        self._unsubscribe()
        self._copy()
        self._release()

    def _copy(self) -> None:
        source, stop = self._source, self._source.next_row
        self._copy_runs()
        self._copy_dictionaries()
        for first, block in source.blocks(self._next_row, stop):
            start = self._target.append_records(self._changed(block))
            self._copy_notes(first, first + len(block), start - first)
        self._next_row = stop

    def _changed(self, block: NDArray[np.void]) -> NDArray[np.void]:
        """A block of the source with the target's indexes."""
        records = block.copy()
        records["item"] = self._items.take(block["item"])
        records["worker"] = self._workers.take(block["worker"])
        records["error"] = self._errors.take(block["error"])
        records["stage"] = self._stages[block["stage"]]
        records["task"] = self._tasks[block["task"]]
        return records

    def _copy_runs(self) -> None:
        source, target = self._source, self._target
        for run in source.runs[len(self._runs) :]:
            number = target.begin_run(run.name, run.stages, run.started_at)
            target.copied_runs.add(number)
            self._stages[source.stage_indexes(run.number)] = target.stage_indexes(number)
            self._runs.append(number)
        for run, number in zip(source.runs, self._runs, strict=True):
            if run.ended_at != target.run_record(number).ended_at:  # one that goes on after its end has none
                target.end_run(number, run.ended_at)

    def _copy_dictionaries(self) -> None:
        source, target = self._source, self._target
        items = source.items
        self._items.extend(
            target.run_items(self._runs[items.run_of(at) - 1])[items.id_of(at)] if at >= items.first else 0
            for at in range(len(self._items), source.item_count)
        )
        self._workers.extend(target.worker_indexes[name] for name in source.workers[len(self._workers) :])
        self._errors.extend(
            target.errors.add(source.error_parts(at)) for at in range(len(self._errors), source.error_count)
        )
        for name in source.tasks[self._tasks_known :]:
            self._tasks[self._tasks_known] = target.task_indexes[name]
            self._tasks_known += 1

    def _copy_notes(self, first: int, stop: int, shift: int) -> None:
        notes = self._source.notes
        if notes:
            self._target.notes.update({row + shift: notes[row] for row in range(first, stop) if row in notes})


class _IndexMap:
    """For each index of the source's dictionary that of the target's; -1 where there is none stays so."""

    def __init__(self, none: int = 0) -> None:
        self._indexes = np.full(1, none, np.int32)

    def __len__(self) -> int:
        return len(self._indexes) - 1

    def extend(self, indexes: Iterable[int]) -> None:
        new = np.fromiter(indexes, np.int32)
        if len(new):
            # What stands for none is the last element, where the index -1 finds it.
            self._indexes = np.concatenate([self._indexes[:-1], new, self._indexes[-1:]])

    def take(self, indexes: NDArray[np.int32]) -> NDArray[np.int32]:
        return self._indexes.take(indexes)
