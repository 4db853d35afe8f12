"""Columns that name entries of a dictionary: stages, workers, items and the like.

Of each entry it is known which of a query's conditions it fulfils, and a record gets the code of the class
of the entry it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.event_log import EventLog
from antflow_core.history.narrow_columns import Narrow
from antflow_core.history.records import KINDS, LARGEST_U2
from antflow_core.search.blocks import Block
from antflow_core.search.classes import Classes, Codes, Mask, looked_up

Shares = NDArray[np.float64]

Matches = Callable[[int, int], Mask]
"""For a range of a dictionary's entries whether they match."""


class Column(Protocol):
    """What sorts the records of a block into classes.

    Attributes:
        classes: Those there are so far.
    """

    classes: Classes

    def follow(self) -> None:
        """Look at what is new in the dictionary; what a condition raises goes through."""

    def encode(self, codes: Codes) -> None:
        """From now on give the records of each class its code; those of class 0 have code 0."""

    def codes(self, block: Block) -> Codes | int:
        """The code of each record, or one for all."""

    def cost_us(self) -> float:
        """About how long the codes of a chunk take."""

    def shares(self) -> Shares:
        """For each class the share of records, at a guess, that are of it."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Where the entries of a column are counted.

    Attributes:
        column: The record's field that names an entry.
        first: The oldest entry that is still held.
        count: How many there have been.
        none_share: Which share of records, at a guess, names no entry.
        is_even: Whether nothing is known of how many records name an entry, so that any guess is as good.
    """

    column: str
    first: Callable[[], int]
    count: Callable[[], int]
    none_share: float = 0.0
    is_even: bool = False

    @property
    def is_narrow(self) -> bool:
        """Whether full chunks have a narrow column whose values are the indexes of its entries."""
        return self.column not in ("item", "error")


def dictionary(log: EventLog, column: str) -> Dictionary:
    """The dictionary behind a column of a log; an attempt is an entry of its own."""

    def oldest() -> int:
        return log.items.first if column == "item" else 0

    counts: dict[str, tuple[Callable[[], int], float]] = {
        "kind": (lambda: len(KINDS), 0.0),
        "stage": (lambda: len(log.stages), 0.0),
        "task": (lambda: len(log.tasks), 0.6),
        "worker": (lambda: len(log.workers), 0.2),
        "error": (lambda: log.error_count, 0.95),
        "item": (lambda: log.item_count, 0.0),
        "attempt": (lambda: LARGEST_U2 + 1, 0.0),
    }
    count, none_share = counts[column]
    return Dictionary(column, oldest, count, none_share, is_even=column == "attempt")


_ROOM: Final = {"stage": LARGEST_U2 + 1, "task": LARGEST_U2 + 1}
"""Columns whose "none" or "other" is the largest value; elsewhere none is -1, the last place of the table."""
_BYTE_VALUES: Final = 1 << 8
_SAMPLED: Final = 1 << 16
_NARROW_US: Final = 20.0


class LookupColumn:
    """Gives records the codes of the dictionary entries they name.

    Args:
        source: The dictionary.
        conditions: By the number of each condition what tells which entries fulfil it; one of them is enough.
    """

    def __init__(self, source: Dictionary, conditions: Mapping[int, Sequence[Matches]]) -> None:
        self.classes = Classes([*conditions])
        self._source = source
        self._conditions = [*conditions.values()]
        self._first = self._known = source.first()
        self._sorted: Codes = np.zeros(_ROOM.get(source.column, 1), np.uint8)
        self._codes: Codes = np.zeros(1, np.uint8)
        self._table = self._sorted
        self._lowest = self._highest = -1
        self._matching = 0

    def follow(self) -> None:
        first, count = self._source.first(), self._source.count()
        if count == self._known:
            return
        start = max(self._known, first)
        new = self.classes.sorted(
            [_any_of(conditions, start, count) for conditions in self._conditions],
        )
        self._make_room(first, count)
        if new.itemsize > self._sorted.itemsize:
            self._sorted = self._sorted.astype(new.dtype)
        self._sorted[start - self._first : count - self._first] = new
        # Where there are new classes, new codes come, and with them a new table.
        if self._table is not self._sorted and len(self.classes) == len(self._codes):
            self._table[start - self._first : count - self._first] = self._codes.take(new)
        self._note(start, new)
        self._known = count

    def encode(self, codes: Codes) -> None:
        self._codes = codes
        if codes.dtype == self._sorted.dtype and np.array_equal(codes, np.arange(len(codes))):
            self._table = self._sorted
        elif len(codes) == 2:
            self._table = as_codes(self._sorted.view(np.bool_), codes[1])
        else:
            self._table = codes.take(self._sorted)

    def codes(self, block: Block) -> Codes | int:
        if not self._matching:
            return 0
        narrow = block.narrow(self._source.column) if self._source.is_narrow else None
        indexes = block.field(self._source.column) if narrow is None else narrow
        if self._follow_one_another() and (narrow is None or self._highest < _none_of(narrow)):
            # A comparison takes a fraction of the time of a lookup.
            return as_codes(between(indexes, self._lowest, self._highest), self._codes[1])
        if narrow is not None:
            return self._codes_of_narrow(narrow)
        if self._first:
            indexes = np.maximum(indexes - self._first, -1)
        return self._table.take(indexes)

    def cost_us(self) -> float:
        return _NARROW_US

    def shares(self) -> Shares:
        if self._source.is_even:
            return np.full(len(self.classes), 1 / len(self.classes))
        entries = self._sorted[: self._known - self._first]
        sample = entries[:: len(entries) // _SAMPLED + 1]
        counts = np.bincount(sample, minlength=len(self.classes)).astype(np.float64)
        shares: Shares = counts / max(len(sample), 1) * (1 - self._source.none_share)
        shares[0] += self._source.none_share
        return shares

    def _follow_one_another(self) -> bool:
        """Whether the matching entries do, all of one class."""
        return len(self._codes) == 2 and self._highest - self._lowest + 1 == self._matching

    def _codes_of_narrow(self, narrow: Narrow) -> Codes:
        """The codes of entries in a narrow column, in which the largest value stands for none."""
        none = _none_of(narrow)
        table = self._table[: none + 1]
        if len(table) > none and table[none]:  # there is an entry of this number by now
            table = table.copy()
            table[none] = 0
        return looked_up(table, narrow) if narrow.itemsize == 1 else table.take(narrow, mode="clip")

    def _make_room(self, first: int, count: int) -> None:
        """Have places for all entries up to `count`, and the last place free for none.

        Entries before `first` are let go, as no record names them any more. Twice the places that are needed
        are made, so that following costs what is new.
        """
        if len(self._sorted) > count - self._first:
            return
        kept = slice(first - self._first, self._known - self._first)
        size, held = max(2 * (count - first) + 1, _BYTE_VALUES), max(self._known - first, 0)
        is_shared = self._table is self._sorted
        self._sorted = _moved(self._sorted[kept], held, size)
        self._table = self._sorted if is_shared else _moved(self._table[kept], held, size)
        self._first = first

    def _note(self, start: int, new: Codes) -> None:
        """Keep up what is known of all matching entries together."""
        matches = new != 0
        count = int(np.count_nonzero(matches))
        if count:
            self._lowest = start + int(matches.argmax()) if not self._matching else self._lowest
            self._highest = start + len(new) - 1 - int(matches[::-1].argmax())
            self._matching += count


def _none_of(narrow: Narrow) -> int:
    """The value that stands for nothing."""
    return (1 << 8 * narrow.itemsize) - 1


def as_codes(mask: Mask, code: Any) -> Codes:
    """A code where a mask is true, 0 elsewhere."""
    ones = mask.view(np.uint8)
    return ones if code == 1 and code.dtype == np.uint8 else np.asarray(ones * code)


def _any_of(conditions: Sequence[Matches], start: int, stop: int) -> Mask:
    """Which entries of a range match one of some conditions."""
    found = conditions[0](start, stop)
    for matches in conditions[1:]:
        found = found | matches(start, stop)
    return found


def _moved(kept: Codes, held: int, size: int) -> Codes:
    """The first entries of a table in a larger one."""
    table = np.zeros(size, kept.dtype)
    table[:held] = kept
    return table


def between(indexes: NDArray[Any], lowest: int, highest: int) -> Mask:
    """Which numbers lie between two, both included; as unsigned ones, those below come out above."""
    if lowest == highest:
        return np.asarray(indexes == lowest)
    unsigned = np.dtype(f"u{indexes.itemsize}").type
    from_lowest = indexes.view(unsigned)
    if lowest:
        from_lowest = from_lowest - unsigned(lowest)
    return np.asarray(from_lowest <= unsigned(highest - lowest))
