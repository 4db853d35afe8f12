"""RecordedRun: a run file, finished or still being written, with the questions and search of a tracker."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from antflow_core.arguments import check_number, check_seconds, run_file_path, whole_number
from antflow_core.exceptions import RunFileError
from antflow_core.export.json_reader import JsonLinesReader, is_json_lines
from antflow_core.export.source import LogSource
from antflow_core.run_files.database import reading_faults, real_file
from antflow_core.run_files.reader import RunFileReader
from antflow_core.run_files.run_records import (
    Outcome,
    RecordedPipeline,
    RunInfo,
    RunSnapshot,
    StageValue,
    decode_stages,
    decode_stats,
    decode_workers,
)
from antflow_core.run_files.stored_values import stored_id
from antflow_core.search.questions import Questions
from antflow_core.units import plural

logger = logging.getLogger("antflow.recording")

FOLLOW_S: Final = 0.25
"""How often a file that is being written is looked at."""
_SLICE_S: Final = 0.03
"""What following may take at once of the time of the loop it shares."""


def open_run(path: str | os.PathLike[str], *, whole: bool = True) -> RecordedRun:
    """Open a run file, finished or still being written, or JSON lines exported from one.

    Args:
        path: The file.
        whole: Read all of it now; else only its first events, and the others by `RecordedRun.update` or
            `RecordedRun.follow`.

    Raises:
        RunFileError: It cannot be opened; the sentence says why.
        TypeError: `path` is no path.
    """
    run = RecordedRun(path)
    run.update(None if whole else 0.0)
    return run


class RecordedRun(Questions):
    """A run file: the questions and the search of a `StatusTracker`, and what else the file tells.

    The events are in memory once they have been read; the file is open only while something is read from it.
    To be used on one thread. Made by `open_run`.

    Attributes:
        path: The file, absolute; where a link was given, what that leads to.
        log: The events read so far.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = real_file(run_file_path("path", path))
        self._reader = JsonLinesReader(self.path) if is_json_lines(self.path) else RunFileReader(self.path)
        super().__init__(self._reader.log)
        self._timer: asyncio.TimerHandle | None = None
        self._following = self._closed = False

    def __repr__(self) -> str:
        runs, events = plural(len(self.log.runs), "run"), plural(self.total_events, "event")
        read = "" if self.is_whole else f"{len(self.log):,} of "
        return f"<RecordedRun: {self.path.name}, {runs}, {read}{events}, {self.info.outcome}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def info(self) -> RunInfo:
        """Where the recording came from and how it ended, as of the last `update`."""
        return self._reader.info

    @property
    def is_whole(self) -> bool:
        """Whether all events that the file had at the last `update` have been read."""
        return self._reader.is_whole

    @property
    def total_events(self) -> int:
        """How many events the file had at the last `update`."""
        return self._reader.rows

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know before trusting the numbers, a sentence each."""
        found = []
        if self.info.outcome is Outcome.UNEXPECTED:
            found.append("The recording ended unexpectedly: up to its last half second may be missing.")
        if self.info.outcome is Outcome.CUT_SHORT:
            found.append(f"Only the beginning is here: {self.info.message}.")
        if self._reader.without_newest:
            found.append(
                f"The newest events are missing: they are in {self.path.name}-wal, which was not copied "
                "along or cannot be read here."
            )
        if self.info.missed_events:
            missed = plural(self.info.missed_events, "event")
            found.append(f"Not from the beginning: {missed} had been dropped before the recording began.")
        if self.info.left_out_values:
            left_out = plural(self.info.left_out_values, "value of an item", "values of items")
            found.append(f"{left_out} came too fast to be kept.")
        return tuple(found)

    def update(self, limit_s: float | None = None) -> int:
        """Take in what has been written since, and announce it to subscribers.

        Args:
            limit_s: Read no further chunk of 16,384 events when so much time has passed; None for no limit.

        Returns:
            How many events have come.

        Raises:
            RunFileError: It is closed, or cannot be read any more.
        """
        self._check_open()
        if limit_s is not None:
            check_seconds("limit_s", limit_s)
        count = self._reader.read(limit_s)
        if count:
            self.log.flush()
        return count

    def follow(self, interval_s: float = FOLLOW_S) -> Callable[[], None]:
        """Update again and again on the running loop until the recording has ended and all is read.

        Between two looks at a file that is being written there are so many seconds; what is already there is
        read in slices of 30 ms. A fault of the file is logged and ends it.

        Returns:
            What ends the following; it may be called again.
        """
        self._check_open()
        check_seconds("interval_s", interval_s)
        self._stop_following()
        self._following = True
        self._timer = asyncio.get_running_loop().call_later(0, self._follow, interval_s)
        return self._stop_following

    def structure(self) -> tuple[RecordedPipeline, ...]:
        """The pipelines, in order of start, with their newest numbers.

        Raises:
            RunFileError: It is closed, or cannot be read any more.
        """
        self._check_open()
        with reading_faults(self.path):
            return tuple(self._pipeline(*row) for row in self._reader.run_details())

    def snapshots(self, run: int | None = None, *, after: float = float("-inf")) -> list[RunSnapshot]:
        """The numbers at moments, in order; at most 4,096 a run, so those of long runs lie further apart.

        Args:
            run: Of this run only.
            after: Only those later than this, in Unix seconds.

        Raises:
            RunFileError: It is closed, or cannot be read any more.
        """
        self._check_open()
        if run is not None:
            whole_number("run", run, least=1)
        check_number("after", after)
        names = {record.number: record.stages for record in self.log.runs}
        if run is not None and run not in names:
            return []
        with reading_faults(self.path):
            return [
                RunSnapshot(number, moment, decode_stats(stats, names[number]))
                for number, moment, stats in self._reader.snapshots(run, float(after))
            ]

    def values_of(self, item_id: Any) -> list[StageValue]:
        """What was noted of an item's values, in the order of the stages; empty unless that was asked for.

        Raises:
            RunFileError: It is closed, or cannot be read any more.
        """
        self._check_open()
        found = []
        for item in self._items(item_id):
            run = self.log.items.run_of(item)
            stages = self.log.run_record(run).stages
            found += [
                StageValue(run, stages[stage] if stage < len(stages) else None, value)
                for stage, value in self._reader.values(item)
            ]
        return found

    def source(self) -> LogSource:
        """What has been read, to be exported; `FileSource` does it without all events being read first."""
        return LogSource(self.log, self.info, self._reader)

    def close(self) -> None:
        """Follow no longer; what has been read stays, further reading raises. May be called again."""
        self._closed = True
        self._stop_following()

    # Inside

    def _items(self, item_id: Any) -> list[int]:
        return self.log.items_with_id(stored_id(item_id))

    def _pipeline(self, number: int, details: Any, stats: Any, workers: Any) -> RecordedPipeline:
        record = self.log.run_record(number)
        return RecordedPipeline(
            run=number,
            name=record.label,
            stages=decode_stages(details),
            stats=None if stats is None else decode_stats(stats, record.stages),
            workers=decode_workers(workers),
            started_at=record.started_at,
            ended_at=record.ended_at,
        )

    def _follow(self, interval_s: float) -> None:
        self._timer = None
        try:
            self.update(_SLICE_S)
        except RunFileError as fault:
            logger.warning("%s is followed no longer: %s", self.path.name, fault)
            self._stop_following()
        if self.is_whole and self.info.outcome.is_over:
            self._stop_following()
        if self._following:
            pause_s = interval_s if self.is_whole else 0
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._follow, interval_s)

    def _stop_following(self) -> None:
        self._following = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_open(self) -> None:
        if self._closed:
            raise RunFileError(f"{self.path.name} is closed; open_run() opens it again", self.path)
