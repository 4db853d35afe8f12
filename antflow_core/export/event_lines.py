"""Events as lines of JSON or CSV, quickly: what many of them have in common is put into words once."""

from __future__ import annotations

import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from antflow_core.export.plain_values import (
    UtcTexts,
    clean,
    duration_texts,
    item_json,
    item_text,
    json_text,
    per_item,
)
from antflow_core.export.source import Events, EventSource, Rows
from antflow_core.history.errors import ErrorParts, marked_traceback
from antflow_core.history.records import (
    KINDS,
    LARGEST_U2,
    NO_ERROR,
    NO_TASK,
    NO_WORKER,
    RECORD,
    as_records,
)

COLUMNS: Final = (
    "row",
    "time",
    "item",
    "run",
    "stage",
    "event",
    "attempt",
    "worker",
    "task",
    "duration",
    "error_type",
    "error",
)
"""What a line holds: `time` in ISO 8601, UTC; `duration` in seconds; `error` is the message."""

_FIXED: Final = struct.Struct("<HBxHHi")
"""What few lines differ in, as it lies in a record: stage, kind, attempt, task and worker."""
_FIXED_AT: Final = 12

_NEEDS_QUOTES: Final = re.compile('[",\r\n]')


class EventLines(ABC):
    """Turns events of a source into lines; those of one source at a time, in the order of their rows."""

    head: ClassVar[str] = ""
    """Stands before the first."""
    template: ClassVar[str]
    """Takes row, time, item, fixed part, duration, error, metadata."""
    timed: ClassVar[str]
    """Takes what something took."""
    not_timed: ClassVar[str]
    """Stands where nothing was timed."""

    def __init__(self, source: EventSource) -> None:
        self.source = source
        self._times = UtcTexts()
        self._fixed: dict[bytes, str] = {}

    def lines(self, rows: Rows, records: Events) -> Iterator[str]:
        """A line an event, each with its line feed."""
        values = zip(
            rows.tolist(),
            self._times.of(records["time"]),
            self._items(records),
            self._fixed_parts(records),
            duration_texts(records["duration"], self.timed, self.not_timed),
            self._errors(records),
            self._notes(rows),
            strict=True,
        )
        return map(self.template.__mod__, values)

    @abstractmethod
    def item(self, number: int, item_id: object) -> str:
        """An item, given by its stored id."""

    @abstractmethod
    def fixed(
        self, run: int, stage: str, kind: str, attempt: int, task: str | None, worker: str | None
    ) -> str:
        """Run, stage, kind and so on."""

    @abstractmethod
    def error(self, number: int, error: ErrorParts | None) -> str:
        """An error, None for an event without."""

    @abstractmethod
    def note(self, metadata: Any) -> str:
        """Further metadata, None for an event without."""

    # Inside

    def _items(self, records: Events) -> list[str]:
        def made(items: NDArray[np.int32]) -> list[str]:
            return [*map(self.item, items.tolist(), self.source.item_ids(items))]

        return per_item(records["item"], made)

    def _fixed_parts(self, records: Events) -> list[str]:
        data = as_records(records).tobytes()
        places = range(_FIXED_AT, len(data), RECORD.size)
        keys = [data[place : place + _FIXED.size] for place in places]
        if (records["stage"] == LARGEST_U2).any():  # a stage that many runs share
            runs = self.source.item_runs(records["item"])
            return [self._fixed_part(key, run) for key, run in zip(keys, runs, strict=True)]
        known = self._fixed
        for key in set(keys) - known.keys():
            known[key] = self._fixed_part(key)
        return [known[key] for key in keys]

    def _fixed_part(self, key: bytes, run: int | None = None) -> str:
        index, kind, attempt, task, worker = _FIXED.unpack(key)
        stage = self.source.stages[index]
        return self.fixed(
            stage.run if run is None else run,
            stage.name,
            KINDS[kind],
            attempt,
            None if task == NO_TASK else self.source.tasks[task],
            None if worker == NO_WORKER else self.source.workers[worker],
        )

    def _errors(self, records: Events) -> list[str]:
        texts = [self.error(NO_ERROR, None)] * len(records)
        places = np.flatnonzero(records["error"] != NO_ERROR)
        numbers = records["error"][places]
        different, found = np.unique(numbers, return_inverse=True)
        parts = self.source.error_parts(different)
        for place, number, at in zip(places.tolist(), numbers.tolist(), found.tolist(), strict=True):
            texts[place] = self.error(number, parts[at])
        return texts

    def _notes(self, rows: Rows) -> list[str]:
        texts = [self.note(None)] * len(rows)
        notes = self.source.notes(rows)
        if notes:
            for place, row in enumerate(rows.tolist()):
                if row in notes:
                    texts[place] = self.note(notes[row])
        return texts


class CsvLines(EventLines):
    """Lines of CSV, whose head names `COLUMNS`."""

    template = "%d,%s,%s%s%s%s%s\n"
    timed, not_timed = ",%s", ","
    head = f"{','.join(COLUMNS)}\n"

    def item(self, number: int, item_id: object) -> str:
        return csv_field(item_text(item_id))

    def fixed(
        self, run: int, stage: str, kind: str, attempt: int, task: str | None, worker: str | None
    ) -> str:
        names = (stage, kind, str(attempt or ""), worker or "", task or "")
        return f",{run},{','.join(map(csv_field, names))}"

    def error(self, number: int, error: ErrorParts | None) -> str:
        return ",," if error is None else f",{csv_field(error.type_name)},{csv_field(error.message)}"

    def note(self, metadata: Any) -> str:
        return ""


class JsonLines(EventLines):
    """JSON objects with the names of `COLUMNS`; what an event does not have is left out.

    Args:
        source: As ever.
        numbered: Tell also the numbers of items and errors, and with the first event of each error its
            traceback: what is needed to read the events back.
    """

    template = '{"row":%d,"time":"%s","item":%s%s%s%s%s}\n'
    timed, not_timed = ',"duration":%s', ""

    def __init__(self, source: EventSource, *, numbered: bool = False) -> None:
        super().__init__(source)
        self._numbered = numbered
        self._told = np.zeros(source.errors, np.bool_)

    def item(self, number: int, item_id: object) -> str:
        text = item_json(item_id)
        return f'{text},"item_number":{number}' if self._numbered else text

    def fixed(
        self, run: int, stage: str, kind: str, attempt: int, task: str | None, worker: str | None
    ) -> str:
        parts = [f',"run":{run},"stage":{json_text(stage)},"event":"{kind}"']
        if attempt:
            parts.append(f',"attempt":{attempt}')
        if worker is not None:
            parts.append(f',"worker":{json_text(worker)}')
        if task is not None:
            parts.append(f',"task":{json_text(task)}')
        return "".join(parts)

    def error(self, number: int, error: ErrorParts | None) -> str:
        if error is None:
            return ""
        text = f',"error_type":{json_text(error.type_name)},"error":{json_text(error.message)}'
        return text + self._told_once(number, error) if self._numbered else text

    def note(self, metadata: Any) -> str:
        return "" if metadata is None else f',"metadata":{json_text(metadata)}'

    def _told_once(self, number: int, error: ErrorParts) -> str:
        if self._told[number]:
            return f',"error_number":{number}'
        self._told[number] = True
        traceback, places = marked_traceback(error)
        return (
            f',"error_number":{number},"traceback":{json_text(traceback)},"messages_at":{json_text(places)}'
        )


def csv_field(text: str) -> str:
    """A text as a field of CSV, in quotes where it needs them."""
    text = clean(text)
    if _NEEDS_QUOTES.search(text) is None:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
