"""The dictionaries beside the packed records: names and items, each given an index when first seen."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, NamedTuple, Protocol

from antflow_core.history.records import FAILED

OVERFLOW_NAME: Final = "…"
"""Stands for all names that came after a dictionary was full."""

NEVER_SEEN: Final = 6
"""Where an item's current status would be, before it has had one."""

_LOST_BYTES: Final = 270
"""Of a lost failure: the tuple, its numbers, and its entry in a dictionary."""

LEFT: Final = 7
"""The same for an item that ended and whose events have been dropped."""


class NameIndexes(dict[str | None, int]):
    """Index of each name in order of first sight: ``indexes[name]`` gives a new name the next one.

    Args:
        none: The index that stands for None.
        largest: The last index that may be given; further names share it.
    """

    def __init__(self, none: int, largest: int) -> None:
        super().__init__({None: none})
        self.names: list[str] = []
        self._largest = largest

    def __missing__(self, name: str | None) -> int:
        assert name is not None
        index = len(self.names)
        if index >= self._largest:
            if index == self._largest:
                self.names.append(OVERFLOW_NAME)
            return self._largest
        self.names.append(name)
        self[name] = index
        return index


class LostFailure(NamedTuple):
    """What is kept of an item that failed, after its events have been dropped.

    Attributes:
        row: Of the event that it failed with.
        item: The index it had.
    """

    row: int
    item: int
    item_id: object
    stage: str
    attempts: int
    time: float
    error_type: str
    message: str


class _ItemHolder(Protocol):
    next_row: int
    items: ItemTable


class ItemTable:
    """What is known of every item.

    The columns begin with the item of index `first`; those before have left. They are changed in place, so
    that who writes events may hold on to them.

    Attributes:
        first: Index of the first item held.
        ids: The caller's ids.
        runs: Number of the run the item belongs to.
        first_rows: No row of the item comes before this one.
        latest_rows: Row of the latest status event, -1 without one.
        statuses: Kind of that event, `NEVER_SEEN` without one, `LEFT` for an item that is gone.
        returned: Of the items that had left as failed ones and are tried again, under a new index, what had
            been kept; in the order of the new indexes.
    """

    def __init__(self) -> None:
        self.first = 0
        self.ids: list[object] = []
        self.runs = array("i")
        self.first_rows = array("q")
        self.latest_rows = array("q")
        self.statuses = bytearray()
        self.returned: dict[int, LostFailure] = {}

    def add(self, run: int, item_id: object, next_row: int) -> int:
        """Take up an item that is about to get its first row, and return its index."""
        index = self.first + len(self.ids)
        self.ids.append(item_id)
        self.runs.append(run)
        self.first_rows.append(next_row)
        self.latest_rows.append(-1)
        self.statuses.append(NEVER_SEEN)
        return index

    def take_back(self, item: int, lost: LostFailure) -> None:
        """Take up under a new index an item that had failed and left."""
        self.returned[item] = lost
        self.statuses[item - self.first] = FAILED  # its next event takes it out of the failed ones

    def extend(self, run: int, ids: Sequence[object], first_row: int) -> None:
        """Take up many items that have no rows yet, and will have none before a row."""
        self.ids += ids
        self.runs.extend(array("i", [run]) * len(ids))
        self.first_rows.extend(array("q", [first_row]) * len(ids))
        self.latest_rows.extend(array("q", [-1]) * len(ids))
        self.statuses += bytes((NEVER_SEEN,)) * len(ids)

    def __len__(self) -> int:
        """How many there have been, those that have left included."""
        return self.first + len(self.ids)

    def id_of(self, item: int) -> object:
        """The caller's id of an item; `OVERFLOW_NAME` for one that has left."""
        return self.ids[item - self.first] if item >= self.first else OVERFLOW_NAME

    def texts(self, first: int, stop: int) -> list[str]:
        """The ids of a range of items as text."""
        ids = self.ids[max(first - self.first, 0) : max(stop - self.first, 0)]
        try:
            texts = [*map(str, ids)]
        except Exception:  # noqa: BLE001  the caller's __str__ may raise anything
            texts = [*map(safe_text, ids)]
        return [OVERFLOW_NAME] * (stop - first - len(texts)) + texts

    def run_of(self, item: int) -> int:
        """The number of an item's run, 0 for one that has left."""
        return self.runs[item - self.first] if item >= self.first else 0

    def leave(self, item: int) -> None:
        """Forget who an item was."""
        place = item - self.first
        self.ids[place] = OVERFLOW_NAME
        self.statuses[place] = LEFT

    def shrink(self) -> None:
        """Give back the places before the first item that has not left."""
        gone = len(self.statuses) - len(self.statuses.lstrip(bytes((LEFT,))))
        for column in (self.ids, self.runs, self.first_rows, self.latest_rows, self.statuses):
            del column[:gone]
        self.first += gone
        for item in [item for item in self.returned if item < self.first]:
            del self.returned[item]

    def memory_bytes(self) -> int:
        """Columns and list exactly, the ids estimated from a sample of at most 100."""
        columns = (self.ids, self.runs, self.first_rows, self.latest_rows, self.statuses)
        sample = self.ids[:: max(1, len(self.ids) // 100)]
        each = sum(map(sys.getsizeof, sample)) / max(1, len(sample))
        returned = _LOST_BYTES * len(self.returned)
        return sum(map(sys.getsizeof, columns)) + round(each * len(self.ids)) + returned


class RunItems(dict[object, int]):
    """Index of each item of one run by its id; a new id becomes a new item.

    Attributes:
        lost_failures: The failed items whose events have been dropped, by id.
        twins: In a log that was read from a file, further items with an id; different ids may be kept as one.
    """

    def __init__(self, log: _ItemHolder, run: int) -> None:
        super().__init__()
        self.lost_failures: dict[object, LostFailure] = {}
        self.twins: dict[object, list[int]] = {}
        self._log = log
        self._run = run

    def __missing__(self, item_id: object) -> int:
        log = self._log
        index = self[item_id] = log.items.add(self._run, item_id, log.next_row)
        if self.lost_failures and (lost := self.lost_failures.pop(item_id, None)) is not None:
            log.items.take_back(index, lost)
        return index

    def lost_bytes(self) -> int:
        """About what the lost failures hold, the messages estimated from a sample of at most 100."""
        count = len(self.lost_failures)
        sample = [*islice(self.lost_failures.values(), 100)]
        message = sum(len(failure.message) for failure in sample) / max(1, len(sample))
        return round(count * (_LOST_BYTES + message))

    def index(self, item_id: object) -> int:
        """The index of an item whose id may be unhashable."""
        return self[hashable_id(item_id)]


def hashable_id(item_id: object) -> object:
    """The id itself, or its repr where it cannot be hashed."""
    try:
        hash(item_id)
    except Exception:  # noqa: BLE001  the caller's __hash__ may raise anything
        return safe_text(item_id, repr)
    return item_id


def safe_text(value: object, convert: Callable[[object], str] = str) -> str:
    """`str` or `repr` of a value whose own conversion may raise."""
    try:
        return convert(value)
    except Exception:  # noqa: BLE001  the caller's __str__ may raise anything
        return f"<unprintable {type(value).__name__}>"
