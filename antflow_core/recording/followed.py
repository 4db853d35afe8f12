"""A tracker that is being recorded: what is new in it is handed to the writer, seven times a second at most.

Handing over copies no events: the writer is given the log's own memory, in which written rows never change.
At most one batch is on its way, so that a slow disk makes nothing grow but the log itself; a limited log
keeps its rows until they are written.

Only the loop's own thread can hand over. While a task holds the loop nothing is, and what it is told
meanwhile waits in the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from antflow_core.history.dictionaries import LEFT
from antflow_core.recording.values import ValueCapture
from antflow_core.run_files.batch import Batch, Source
from antflow_core.run_files.run_records import RecordedStage, RunSnapshot
from antflow_core.run_files.stored_values import GONE, stored_ids, stored_note
from antflow_core.stage import Stage, task_name
from antflow_core.tracker import StatusTracker
from antflow_core.types import WorkerMetrics

if TYPE_CHECKING:
    from antflow_core.history.records import RunRecord
    from antflow_core.pipeline import Pipeline
    from antflow_core.run_files.writer import RunFileWriter

FLUSH_S: Final = 0.15
"""How long events wait at most before they are handed over."""
TURN_S: Final = 0.005
"""How often the writer gets a turn while it is at work, see `RunFileWriter.give_turn`."""
SNAPSHOT_S: Final = 0.5
"""Between two snapshots of a pipeline's numbers."""
MAX_WAITING_BYTES: Final = 1 << 24
"""Of values that wait to be handed over; what comes while there are so many is left out, and counted."""


class FollowedTracker:
    """One tracker, or one run of it, on its way into a run file; a `RunWatcher`.

    Used on the thread of the tracker's loop. Where no loop runs, what is new is handed over by `close`.

    Args:
        writer: Who writes.
        only_run: Number of the one run that is wanted; None for all that the tracker holds and will hold.
        copies: Take in runs too that its log copies from others.
        values: What to keep of values; None for nothing.

    Attributes:
        tracker: Who is followed.
        left_out: Values that were not kept, because too many were waiting.
        missed: Events that had been dropped before.
    """

    def __init__(
        self,
        tracker: StatusTracker,
        writer: RunFileWriter,
        *,
        only_run: int | None = None,
        copies: bool = True,
        values: ValueCapture | None = None,
    ) -> None:
        self.tracker = tracker
        self.only_run = only_run
        self.left_out = 0
        self._log = log = tracker.log
        self._writer = writer
        self._values = values
        begins = only_run is not None and not log.run_items(only_run)
        self.missed = log.first_row if only_run is None else 0
        self._first_row = self._next_row = log.next_row if begins else log.first_row
        self._next_item = log.item_count if begins else log.items.first
        self._workers = self._tasks = self._errors = 0
        self._ends: dict[int, float | None] = {}
        self._copies = copies
        self._source = Source(self._takes, self._next_row)
        self._pipelines: dict[int, Pipeline] = {}
        self._stages: dict[int, tuple[RecordedStage, ...]] = {}
        self._snapshots: list[RunSnapshot] = []
        self._metrics: dict[int, tuple[WorkerMetrics, ...]] = {}
        self._snapshot_at = 0.0
        self._noted: list[tuple[int, int, str]] = []
        self._noted_bytes = 0
        self._due_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unsubscribe: Callable[[], None] = _nothing
        self._release = log.hold_rows(lambda: self._source.written_row)
        tracker.watchers.append(self)
        if values is not None:
            tracker.value_listeners.append(self._note_value)
        for run, pipeline in tracker.running.items():
            self.run_started(run, pipeline)
        self._hand_over()
        self._listen()

    def close(self) -> None:
        """Hand over what is left and follow no longer; may be called again."""
        if self in self.tracker.watchers:
            for run, pipeline in self._pipelines.items():
                self._take_snapshot(run, pipeline)
            self._stop()
            self._hand_over()

    def __del__(self) -> None:
        """Nobody needs the tracker any more; what it was told after its last pipeline is not lost."""
        with suppress(Exception):
            if self in self.tracker.watchers:
                self._hand_over()

    def is_busy(self) -> bool:
        """Whether the writer has still rows of ours to write."""
        return self._source.written_row < self._next_row and self._writer.fault is None

    # What the tracker calls

    def run_started(self, run: int, pipeline: Pipeline) -> None:
        """Take note of what the pipeline is made of, and of its numbers from now on."""
        if self._takes(run):
            self._pipelines[run] = pipeline
            self._stages[run] = tuple(map(_recorded_stage, pipeline.stages))
            if self._loop is not None and self._loop.is_closed():
                self._listen()  # what was to happen in that loop will not

    def run_ended(self, run: int) -> None:
        """Hand over what there is, for the loop may end next."""
        pipeline = self._pipelines.pop(run, None)
        if pipeline is not None:
            self._take_snapshot(run, pipeline)
            self._hand_over()
            self._listen()

    # Inside

    def _rows_came(self, _: range) -> None:
        """Begin to wait: what comes meanwhile goes along, and costs nothing."""
        self._unsubscribe()
        if time.monotonic() - self._snapshot_at > 2 * SNAPSHOT_S:
            self._take_snapshots()  # so that a plot shows that nothing went on until now
        try:
            loop = self._loop = asyncio.get_running_loop()
        except RuntimeError:  # somebody flushes a log without a loop
            self._hand_over()
            self._listen()
        else:
            self._due_at = loop.time() + FLUSH_S
            self._wait(loop)

    def _time_has_come(self) -> None:
        """Hand over what is new when nothing is on its way; while something is, the writer gets its turns."""
        loop = self._loop
        assert loop is not None
        if self._writer.fault is not None:
            self._stop()
            return
        if self._has_news() and not self.is_busy() and loop.time() >= self._due_at:
            if time.monotonic() - self._snapshot_at >= SNAPSHOT_S:
                self._take_snapshots()
            self._hand_over()
            self._due_at = loop.time() + FLUSH_S
        if self.is_busy():
            self._writer.give_turn()
        if self._has_news() or self.is_busy():
            self._wait(loop)
        else:
            self._listen()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        at = loop.time() + TURN_S if self.is_busy() else self._due_at
        self._timer = loop.call_at(at, self._time_has_come)

    def _listen(self) -> None:
        """Wait for the next rows; until they come no timer is needed."""
        self._cancel_timer()
        self._unsubscribe()
        self._unsubscribe = self._log.subscribe(self._rows_came)

    def _stop(self) -> None:
        self._cancel_timer()
        self._unsubscribe()
        self._release()
        self.tracker.watchers.remove(self)
        if self._values is not None:
            self.tracker.value_listeners.remove(self._note_value)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop = None

    # What is handed over

    def _has_news(self) -> bool:
        return self._log.next_row > self._next_row

    def _takes(self, run: int) -> bool:
        """Whether a run of the tracker is recorded."""
        return self.only_run in (None, run) and (self._copies or run not in self._log.copied_runs)

    def _hand_over(self) -> None:
        if self._writer.fault is not None:
            return
        batch = self._new_batch()
        if batch is not None:
            self._writer.put(batch)

    def _new_batch(self) -> Batch | None:
        """What has come since the last one."""
        log = self._log
        first_row, self._next_row = self._next_row, log.next_row
        runs = self._changed_runs()
        if not (runs or self._next_row > first_row or self._stages or self._snapshots or self._noted):
            return None
        items, first_item = log.items, self._next_item
        place, returned = first_item - items.first, self._returned(first_item)
        self._next_item = len(items)
        workers, self._workers = log.workers[self._workers :], len(log.workers)
        tasks, self._tasks = log.tasks[self._tasks :], len(log.tasks)
        known, self._errors = self._errors, log.error_count
        batch = Batch(
            source=self._source,
            is_all=all(map(self._takes, range(1, len(log.runs) + 1))),
            first_row=first_row,
            blocks=[block.view(np.uint8).data for _, block in log.blocks(first_row, self._next_row)],
            first_item=first_item,
            held_from=0 if log.has_lost_failures() else items.first,
            ids=stored_ids(self._ids(place, returned)),
            returned=returned,
            item_runs=items.runs[place:],
            item_rows=items.first_rows[place:],
            runs=runs,
            workers=workers,
            tasks=tasks,
            errors=[log.error_parts(index) for index in range(known, self._errors)],
            notes=self._notes(first_row),
            stages=self._stages,
            snapshots=self._snapshots,
            metrics=self._metrics,
            values=self._noted,
        )
        self._stages, self._snapshots, self._metrics, self._noted = {}, [], {}, []
        self._noted_bytes = 0
        return batch

    def _returned(self, first_item: int) -> dict[int, int]:
        """Items from an index on that had failed in rows that are recorded, each with its index then."""
        items, found = self._log.items, {}
        for item in reversed(items.returned):
            if item < first_item:
                break
            lost = items.returned[item]
            if lost.row >= self._first_row and self._takes(items.run_of(item)):
                found[item] = lost.item
        return found

    def _ids(self, place: int, returned: Iterable[int]) -> list[object]:
        """The ids of items from a place on; some have left, or are in the file already."""
        items = self._log.items
        ids = items.ids[place:]
        for item in returned:
            ids[item - items.first - place] = GONE
        if items.statuses.find(LEFT, place) >= 0:
            ids = [
                GONE if status == LEFT else each
                for each, status in zip(ids, items.statuses[place:], strict=True)
            ]
        return ids

    def _changed_runs(self) -> list[RunRecord]:
        """Those that are new, have ended, or go on after their end."""
        changed = [
            run
            for run in self._log.runs
            if self._takes(run.number) and self._ends.get(run.number, 0.0) != run.ended_at
        ]
        self._ends.update((run.number, run.ended_at) for run in changed)
        return changed

    def _notes(self, first_row: int) -> dict[int, Any]:
        """Further metadata of the new rows, which come last."""
        notes = self._log.notes
        found = {}
        for row in reversed(notes):
            if row < first_row:
                break
            found[row] = stored_note(notes[row])
        return found

    def _take_snapshots(self) -> None:
        for run, pipeline in self._pipelines.items():
            self._take_snapshot(run, pipeline)

    def _take_snapshot(self, run: int, pipeline: Pipeline) -> None:
        self._snapshot_at = time.monotonic()
        self._snapshots.append(RunSnapshot(run, time.time(), pipeline.get_stats()))
        self._metrics[run] = tuple(pipeline.get_worker_metrics().values())

    def _note_value(self, run: int, item: int, stage: int, value: Any) -> None:
        """A value came to a stage; after the last one, a result."""
        if self._values is None or not self._takes(run):
            return
        if self._noted_bytes > MAX_WAITING_BYTES:
            self.left_out += 1
            return
        names = self._log.run_record(run).stages
        text = self._values.text(names[stage] if stage < len(names) else None, value)
        self._noted_bytes += len(text)
        self._noted.append((item, stage, text))


def _recorded_stage(stage: Stage) -> RecordedStage:
    return RecordedStage(
        name=stage.name,
        workers=stage.workers,
        capacity=stage.capacity(),
        tasks=tuple(map(task_name, stage.tasks)),
        retry=stage.retry,
        attempts=stage.task_attempts if stage.retry == "per_task" else stage.stage_attempts,
        timeout_s=stage.timeout,
    )


def _nothing() -> None:
    """There is no subscription yet."""
