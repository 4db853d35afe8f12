"""What one event is: the packed record of 32 bytes, its numpy type, and the plain values readers get.

A record holds only numbers; names, ids and error texts live in dictionaries beside it. A value past the end
of its field is stored as the largest that fits.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

KINDS: Final = (
    "queued",
    "in_progress",
    "completed",
    "failed",
    "retrying",
    "skipped",
    "start",
    "complete",
    "retry",
    "fail",
)
"""The word for each kind of event; the index is what the record stores."""

STATUS_COUNT: Final = 6
"""Kinds below this are status events, the others task events."""

KIND_INDEX: Final[dict[str, int]] = {kind: index for index, kind in enumerate(KINDS)}
FAILED: Final = KIND_INDEX["failed"]
RETRYING: Final = KIND_INDEX["retrying"]

RECORD: Final = struct.Struct("<diHBxHHifi")
"""time, item, stage, kind, (pad), attempt, task, worker, duration, error."""

LARGEST_U2: Final = 0xFFFF
LARGEST_F4: Final = 3.4028234e38
NO_TASK: Final = LARGEST_U2
NO_WORKER: Final = -1
NO_ERROR: Final = -1
NO_DURATION: Final = float("nan")


@functools.cache
def record_dtype() -> numpy.dtype[Any]:
    """The numpy type of one record, field for field what `RECORD` packs."""
    import numpy  # imported here because a headless run without questions never needs it

    return numpy.dtype(
        {
            "names": ["time", "item", "stage", "kind", "attempt", "task", "worker", "duration", "error"],
            "formats": ["<f8", "<i4", "<u2", "u1", "<u2", "<u2", "<i4", "<f4", "<i4"],
            "offsets": [0, 8, 12, 14, 16, 18, 20, 24, 28],
            "itemsize": RECORD.size,
        }
    )


def as_records(array: NDArray[numpy.void]) -> NDArray[numpy.void]:
    """The array itself if it has the type of records, else a copy that has it.

    Raises:
        TypeError: It lacks a field, has one too many, or one whose values may not fit.
    """
    import numpy  # imported here because a headless run without questions never needs it

    wanted, got = record_dtype(), array.dtype
    if array.ndim == 1 and got == wanted and got.itemsize == wanted.itemsize:
        return array
    names = wanted.names or ()
    same_fields = array.ndim == 1 and {*(got.names or ())} == {*names}
    if not same_fields or not all(numpy.can_cast(got[name], wanted[name]) for name in names):
        fields = ", ".join(f"{name} {wanted[name].str}" for name in names)
        raise TypeError(
            f"records must be one-dimensional with the fields {fields}; got shape {array.shape} of {got}"
        )
    records = numpy.zeros(len(array), wanted)
    for name in names:
        records[name] = array[name]
    return records


def check_records(
    records: NDArray[numpy.void], *, items: int, stages: int, workers: int, tasks: int, errors: int
) -> None:
    """Make sure that records name nothing that is not there, given how many there are of each.

    Raises:
        ValueError: One does.
    """
    ranges = {
        "item": (0, items),
        "stage": (0, stages),
        "kind": (0, len(KINDS)),
        "worker": (NO_WORKER, workers),
        "error": (NO_ERROR, errors),
    }
    is_sound = all(
        records[name].min() >= least and records[name].max() < count
        for name, (least, count) in ranges.items()
    )
    named = records["task"]
    if not is_sound or ((named != NO_TASK) & (named >= tasks)).any():
        raise ValueError("an event names what is not there")


class EventRow(NamedTuple):
    """One event as plain values.

    Attributes:
        row: Absolute row number in the log.
        run: Number of the run, from 1.
        time: Unix seconds.
        item: Index of the item in the log; `item_id` is the caller's own id.
        stage: Name of the stage; `stage_index` is its index in the log's `stages`.
        kind: One of `KINDS`.
        is_status: True for a status event, False for a task event.
        attempt: From 1; 0 where no attempt has begun.
        duration: Seconds in single precision, None where nothing was timed.
        error: Index for `EventLog.error`, -1 without one.
    """

    row: int
    run: int
    time: float
    item: int
    item_id: object
    stage: str
    stage_index: int
    kind: str
    is_status: bool
    attempt: int
    worker: str | None
    task: str | None
    duration: float | None
    error: int


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One start-to-end of one pipeline; times are Unix seconds, `stage_base` indexes the log's `stages`."""

    number: int
    name: str
    stages: tuple[str, ...]
    stage_base: int
    started_at: float
    ended_at: float | None = None

    @property
    def label(self) -> str:
        """Its name; of one that has none the names of its stages."""
        return self.name or " → ".join(self.stages)


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A stage of one run."""

    run: int
    name: str


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """What is kept of an exception; `traceback` is as Python prints it, but begins at the user's frames."""

    type_name: str
    message: str
    traceback: str
