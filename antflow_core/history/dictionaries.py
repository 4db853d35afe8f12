"""The dictionaries beside the packed records: names and items, each given an index when first seen."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from typing import Final, Protocol

OVERFLOW_NAME: Final = "…"
"""Stands for all names that came after a dictionary was full."""

NEVER_SEEN: Final = 6
"""Where an item's current status would be, before it has had one."""


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


class _ItemHolder(Protocol):
    next_row: int
    items: ItemTable


class ItemTable:
    """What is known of every item, by item index.

    Attributes:
        ids: The caller's ids.
        runs: Number of the run the item belongs to.
        first_rows: No row of the item comes before this one.
        latest_rows: Row of the latest status event, -1 without one.
        statuses: Kind of that event, `NEVER_SEEN` without one.
    """

    def __init__(self) -> None:
        self.ids: list[object] = []
        self.runs = array("i")
        self.first_rows = array("q")
        self.latest_rows = array("q")
        self.statuses = bytearray()

    def add(self, run: int, item_id: object, next_row: int) -> int:
        """Take up an item that is about to get its first row, and return its index."""
        index = len(self.ids)
        self.ids.append(item_id)
        self.runs.append(run)
        self.first_rows.append(next_row)
        self.latest_rows.append(-1)
        self.statuses.append(NEVER_SEEN)
        return index

    def memory_bytes(self) -> int:
        """Columns and list exactly, the ids estimated from a sample of at most 100."""
        columns = (self.ids, self.runs, self.first_rows, self.latest_rows, self.statuses)
        sample = self.ids[:: max(1, len(self.ids) // 100)]
        each = sum(map(sys.getsizeof, sample)) / max(1, len(sample))
        return sum(map(sys.getsizeof, columns)) + round(each * len(self.ids))


class RunItems(dict[object, int]):
    """Index of each item of one run by its id; a new id becomes a new item."""

    def __init__(self, log: _ItemHolder, run: int) -> None:
        super().__init__()
        self._log = log
        self._run = run

    def __missing__(self, item_id: object) -> int:
        log = self._log
        index = self[item_id] = log.items.add(self._run, item_id, log.next_row)
        return index

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
