"""Reading exported JSON lines back: the same as from a run file, item by item of another numbering."""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from antflow_core.exceptions import RunFileError
from antflow_core.export.json_lines import FORMAT, MAJOR
from antflow_core.export.plain_values import item_of_json
from antflow_core.history.dictionaries import OVERFLOW_NAME
from antflow_core.history.errors import parts_of_traceback
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KIND_INDEX, LARGEST_U2, NO_DURATION, NO_ERROR, RECORD, record_dtype
from antflow_core.run_files.file_lock import is_recorded_here
from antflow_core.run_files.items import add_items
from antflow_core.run_files.run_records import Outcome, RunInfo

_PART_ROWS: Final = 2_048
"""Events read between two looks at the clock, about 10 ms."""
_FAULTS: Final = (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, struct.error)
_HOW: Final = "`antflow-core export RUN FILE.jsonl` writes files that can be opened"
_SECOND_CHARS: Final = len("2026-05-01T14:00:00")


def is_json_lines(path: Path) -> bool:
    """Whether a file looks like one of ours; one that cannot be read does not."""
    if is_recorded_here(path):
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(1) == b"{"
    except OSError:
        return False


class JsonLinesReader:
    """A file of exported events being read; it is open only while something is read from it.

    Args:
        path: An absolute path.

    Attributes:
        log: What has been read. Rows count from 0, items and errors in the order they are named in.
        info: What is told of the recording the events come from.
        rows: How many the file has.
        without_newest: Never so.

    Raises:
        RunFileError: It cannot be opened; the sentence says why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = EventLog()
        self.rows = 0
        self.info: RunInfo
        self.without_newest = False
        self._at = 0
        self._lines = 0
        self._is_whole = False
        self._item_indexes: dict[int, int] = {}
        self._new_items: list[tuple[int, object]] = []
        self._error_indexes: dict[int, int] = {}
        self._stages: dict[tuple[int, str], int] = {}
        self._seconds: dict[str, int] = {}
        self._details: list[tuple[int, Any, Any, Any]] = []
        self._snapshots: list[tuple[int, float, Any]] = []
        self._values: dict[int, list[tuple[int, str]]] = {}
        with self._opened() as file:
            self._read_header(self._next_line(file))

    @property
    def is_whole(self) -> bool:
        """Whether all that the file has is in the log."""
        return self._is_whole

    def read(self, limit_s: float | None = None) -> int:
        """Take in what has not been read yet: at least a part, and no further one when the time is over.

        Returns:
            How many rows have come.

        Raises:
            RunFileError: It cannot be read, or is damaged.
        """
        ends_at = math.inf if limit_s is None else time.monotonic() + limit_s
        first = self.log.next_row
        if self._is_whole:
            return 0
        with self._opened() as file:
            while self.log.next_row < self.rows:
                self._read_part(file, min(_PART_ROWS, self.rows - self.log.next_row))
                if time.monotonic() >= ends_at:
                    return self.log.next_row - first
            while line := self._next_line(file):
                self._take_noting(json.loads(line))
        self._is_whole = True
        return self.log.next_row - first

    def run_details(self) -> list[tuple[int, Any, Any, Any]]:
        """Of each run its number, and what its pipeline told, in JSON: stages, newest counts, workers."""
        return self._details

    def snapshots(self, run: int | None = None, after: float = -math.inf) -> list[tuple[int, float, Any]]:
        """The run, the moment, and the counts in JSON, in order of the moments; known when all is read."""
        return [each for each in self._snapshots if each[1] > after and run in (None, each[0])]

    def values(self, item: int) -> list[tuple[int, str]]:
        """What was noted of an item: the place of the stage, and a text."""
        return self._values.get(item, [])

    def all_values(self) -> Iterator[tuple[int, int, str]]:
        """The same of all items: item, stage, text."""
        return ((item, *value) for item in sorted(self._values) for value in self._values[item])

    # Inside

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The file at the place that comes next; faults become sentences about it."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._at)
                yield file
        except OSError as fault:
            raise RunFileError(f"{self.path} cannot be read: {fault.strerror}", self.path) from fault
        except _FAULTS as fault:
            sentence = f"{self.path}, line {self._lines}: this line is damaged ({_reason(fault)}); {_HOW}"
            raise RunFileError(sentence, self.path) from fault

    def _next_line(self, file: BinaryIO) -> str:
        line = file.readline()
        self._lines += 1
        self._at += len(line)
        return line.decode()

    def _read_header(self, line: str) -> None:
        try:
            header = json.loads(line)
        except ValueError:
            header = {}
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise self._no_header(header)
        major, minor = header["version"]
        if major > MAJOR:
            raise RunFileError(
                f"{self.path} was exported by a newer version (format {major}.{minor}, this one reads "
                f"{MAJOR}.x); update antflow-desk to open it",
                self.path,
            )
        self.rows = int(header["events"])
        info = RunInfo.from_columns({name: json.dumps(value) for name, value in header["info"].items()})
        self.info = info if info.outcome.is_over else _cut_off(info)
        for run in header["runs"]:
            self._take_run(run)

    def _no_header(self, header: Any) -> RunFileError:
        if isinstance(header, dict) and {"row", "event"} <= header.keys():
            return RunFileError(
                f"{self.path} has events, but no header in its first line, so it cannot be opened; {_HOW}",
                self.path,
            )
        return RunFileError(f"{self.path} is no run file and no export of one; {_HOW}", self.path)

    def _take_run(self, run: dict[str, Any]) -> None:
        log, stages = self.log, run["stages"]
        number = log.begin_run(run["name"], stages, run["started_at"])
        if run["ended_at"] is not None:
            log.end_run(number, run["ended_at"])
        for name, index in zip(stages, log.stage_indexes(number), strict=True):
            self._stages.setdefault((number, name), index)
        self._details.append((number, run.get("details"), run.get("stats"), run.get("workers")))

    def _read_part(self, file: BinaryIO, count: int) -> None:
        """Take in so many events."""
        log, records = self.log, bytearray(count * RECORD.size)
        lines = [*islice(file, count)]
        if len(lines) < count:
            raise RunFileError(
                f"{self.path} is cut short: {log.next_row + len(lines):,} of {self.rows:,} events are there; "
                "copy or export it again",
                self.path,
            )
        for place, event in enumerate(self._events(lines)):
            RECORD.pack_into(records, place * RECORD.size, *self._record(event))
            if "metadata" in event:
                log.notes[log.next_row + place] = event["metadata"]
        self._at += sum(map(len, lines))
        self._add_new_items()
        log.append_records(np.frombuffer(records, record_dtype()))

    def _events(self, lines: list[bytes]) -> Iterator[dict[str, Any]]:
        """What stands in some lines; read at once, which takes half the time, unless one is faulty."""
        try:
            events = json.loads(b"[%s]" % b",".join(lines))
        except ValueError:
            events = []
        for place, line in enumerate(lines):
            self._lines += 1
            yield events[place] if len(events) == len(lines) else json.loads(line)

    def _record(self, event: dict[str, Any]) -> tuple[float | int, ...]:
        log, get, run = self.log, event.get, event["run"]
        number = event["item_number"]
        item = self._item_indexes.get(number)
        return (
            self._moment(event["time"]),
            self._new_item(number, run, event["item"]) if item is None else item,
            self._stage(run, event["stage"]),
            KIND_INDEX[event["event"]],
            get("attempt", 0),
            log.task_indexes[get("task")],
            log.worker_indexes[get("worker")],
            get("duration", NO_DURATION),
            self._error(event) if "error_number" in event else NO_ERROR,
        )

    def _moment(self, text: str) -> float:
        """What `unix_time` gives, quicker for moments that share a second."""
        second = text[:_SECOND_CHARS]
        whole = self._seconds.get(second)
        if whole is None:
            if "T" not in second:
                return float(text)
            whole = int(datetime.fromisoformat(second).replace(tzinfo=UTC).timestamp())
            self._seconds[second] = whole
        return float(f"{whole}{text[_SECOND_CHARS:-1]}")

    def _stage(self, run: int, name: str) -> int:
        index = self._stages.get((run, name))
        if index is None:
            if name != OVERFLOW_NAME:
                raise ValueError(f"run {run} has no stage {name}")
            index = LARGEST_U2
        return index

    def _new_item(self, number: int, run: int, value: Any) -> int:
        index = self._item_indexes[number] = self.log.item_count + len(self._new_items)
        self.log.run_record(run)
        self._new_items.append((run, item_of_json(value)))
        return index

    def _add_new_items(self) -> None:
        """Give the log the items that the coming events name."""
        runs = np.array([run for run, _ in self._new_items], np.int64)
        breaks = (np.flatnonzero(np.diff(runs)) + 1).tolist()
        for begin, end in zip([0, *breaks], [*breaks, len(runs)], strict=True):
            if begin < end:
                ids = [item_id for _, item_id in self._new_items[begin:end]]
                add_items(self.log, int(runs[begin]), ids, self.log.next_row)
        self._new_items.clear()

    def _error(self, event: dict[str, Any]) -> int:
        number = event["error_number"]
        index = self._error_indexes.get(number)
        if index is None:
            index = self._error_indexes[number] = self.log.error_count
            texts = (event["error_type"], event["error"], event["traceback"])
            self.log.errors.append(parts_of_traceback(*texts, event["messages_at"]))
        return index

    def _take_noting(self, noting: dict[str, Any]) -> None:
        """Take in what stands behind the events; what a newer minor version wrote there is left out."""
        match noting:
            case {"snapshot": {"run": int(run), "time": float(at), "stats": stats}}:
                self._snapshots.append((run, at, stats))
            case {"value": {"item_number": int(number), "stage": int(stage), "text": str(text)}}:
                if number in self._item_indexes:
                    self._values.setdefault(self._item_indexes[number], []).append((stage, text))


def _cut_off(info: RunInfo) -> RunInfo:
    """What is told of events that were exported while they were recorded; no more of them will come."""
    return replace(
        info, outcome=Outcome.CUT_SHORT, message="it was exported while it was still being recorded"
    )


def _reason(fault: Exception) -> str:
    return f"there is no {fault}" if isinstance(fault, KeyError) else str(fault)
