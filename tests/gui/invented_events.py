"""Fills an event log with invented items, the way a run would, at times that are known."""

from __future__ import annotations

from collections.abc import Sequence

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KIND_INDEX, NO_DURATION, record_dtype

STARTED_AT = 1_000.0


class InventedRun:
    """Writes events of one run into a log; each event is 10 ms after the one before."""

    def __init__(self, stages: Sequence[str] = ("Fetch", "Parse"), log: EventLog | None = None) -> None:
        self.log = log if log is not None else EventLog()
        self.run = self.log.begin_run("invented", stages, STARTED_AT)
        self._stage_indexes = self.log.stage_indexes(self.run)
        self._stages = list(stages)
        self._ids = self.log.run_items(self.run)
        self._time = STARTED_AT

    def put(
        self,
        item: object,
        stage: str,
        kind: str,
        *,
        attempt: int = 0,
        worker: str | None = None,
        task: str | None = None,
        duration: float = NO_DURATION,
        error: BaseException | None = None,
    ) -> int:
        """Add one event and return the item's index."""
        self._time += 0.01
        index = self._ids[item]
        self.log.append(
            self._time,
            index,
            self._stage_indexes[self._stages.index(stage)],
            KIND_INDEX[kind],
            attempt,
            self.log.task_indexes[task],
            self.log.worker_indexes[worker],
            duration,
            -1 if error is None else self.log.errors.index(error),
        )
        return index

    def wait(self, seconds: float) -> None:
        """Let time go by without an event."""
        self._time += seconds

    def complete(self, item: object, stage: str = "Fetch") -> int:
        """Three status events: queued, taken, completed."""
        self.put(item, stage, "queued")
        self.put(item, stage, "in_progress", attempt=1, worker=f"{stage}-W0")
        return self.put(item, stage, "completed", attempt=1, worker=f"{stage}-W0", duration=0.087)

    def fail(self, item: object, error: BaseException, stage: str = "Fetch") -> int:
        """Three status events, the last one a failure, and what its task did in between."""
        worker = f"{stage}-W0"
        self.put(item, stage, "queued")
        self.put(item, stage, "in_progress", attempt=1, worker=worker)
        self.put(item, stage, "start", attempt=1, worker=worker, task="work")
        self.put(item, stage, "fail", attempt=1, worker=worker, task="work", duration=0.02, error=error)
        return self.put(item, stage, "failed", attempt=1, worker=worker, duration=0.02, error=error)

    def repeat(self, times: int) -> None:
        """Add everything that is in the log again, several times over."""
        records = self.log.columns(0, self.log.next_row).astype(record_dtype())
        for _ in range(times):
            self.log.append_records(records)


def raised(error: BaseException) -> BaseException:
    """The error with a traceback, as a task would raise it."""
    try:
        raise error
    except BaseException as caught:
        return caught
