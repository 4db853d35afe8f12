"""Columns of records as bits: for each record of a block which of a query's conditions it fulfils.

A condition is a bit. Names, ids and errors are looked up: of each entry of a dictionary it is known which
conditions it fulfils, and a record gets the bits of the entry it names. Numbers and times are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isinf
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KINDS, LARGEST_F4, LARGEST_U2
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.search.tree import Interval

Mask = NDArray[np.bool_]
Block = NDArray[np.void]
Bits = NDArray[Any]
"""Unsigned integers of 8 or 16 bits, one a record."""

BitsType = type[np.uint8] | type[np.uint16]
Shares = NDArray[np.float64]

Matches = Callable[[int, int], Mask]
"""For a range of a dictionary's entries whether they match."""


class Column(Protocol):
    """What gives the records of a block their bits.

    Attributes:
        can_set: All bits that it can give to any record.
    """

    can_set: int

    def follow(self) -> None:
        """Look at what is new in the dictionary; what a condition raises goes through."""

    def bits(self, start: int, block: Block) -> Bits | int:
        """The bits of each record, or one number for all; `start` is a row of the chunk they are from."""

    def shares(self, size: int) -> Shares:
        """For each of the first `size` numbers the share of records, at a guess, that has just these bits."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Where the entries of a column are counted.

    Attributes:
        column: The record's field that names an entry.
        first: The oldest entry that is still held.
        count: How many there have been.
        none_share: Which share of records, at a guess, names no entry.
    """

    column: str
    first: Callable[[], int]
    count: Callable[[], int]
    none_share: float = 0.0


def dictionary(log: EventLog, column: str) -> Dictionary:
    """The dictionary behind a column of a log."""

    def oldest() -> int:
        return log.items.first if column == "item" else 0

    counts: dict[str, tuple[Callable[[], int], float]] = {
        "kind": (lambda: len(KINDS), 0.0),
        "stage": (lambda: len(log.stages), 0.0),
        "task": (lambda: len(log.tasks), 0.6),
        "worker": (lambda: len(log.workers), 0.2),
        "error": (lambda: log.error_count, 0.95),
        "item": (lambda: log.item_count, 0.0),
    }
    count, none_share = counts[column]
    return Dictionary(column, oldest, count, none_share)


_ROOM: Final = {"stage": LARGEST_U2 + 1, "task": LARGEST_U2 + 1}
"""Columns whose "none" or "other" is the largest value; elsewhere none is -1, the last place of the table."""


class LookupColumn:
    """Gives records the bits of the dictionary entry they name.

    Args:
        source: The dictionary.
        conditions: By the number of its bit, which entries fulfil a condition.
        bits_type: The type of the bits.
    """

    def __init__(
        self, source: Dictionary, conditions: Sequence[tuple[int, Matches]], bits_type: BitsType
    ) -> None:
        self.can_set = 0
        self._source = source
        self._conditions = conditions
        self._type = bits_type
        self._first = self._known = source.first()
        self._table: Bits = np.zeros(_ROOM.get(source.column, 1), bits_type)
        self._lowest = self._highest = -1
        self._matching = 0
        self._are_alike = True

    def follow(self) -> None:
        first, count = self._source.first(), self._source.count()
        if count == self._known:
            return
        start = max(self._known, first)
        new = np.zeros(count - start, self._type)
        for bit, matches in self._conditions:
            new |= _as_bits(matches(start, count), 1 << bit, self._type)
        self._make_room(first, count)
        self._table[start - self._first : count - self._first] = new
        self._note(start, new)
        self._known = count

    def bits(self, start: int, block: Block) -> Bits | int:
        if not self._matching:
            return 0
        indexes = block[self._source.column]
        if self._are_alike and self._highest - self._lowest + 1 == self._matching:
            # A comparison takes half the time of a lookup.
            return _as_bits(_between(indexes, self._lowest, self._highest), self.can_set, self._type)
        if self._first:
            indexes = np.maximum(indexes - self._first, -1)
        return self._table.take(indexes)

    def shares(self, size: int) -> Shares:
        entries = self._table[: self._known - self._first]
        counts = np.bincount(entries, minlength=size).astype(np.float64)
        shares: Shares = counts / max(len(entries), 1) * (1 - self._source.none_share)
        shares[0] += self._source.none_share
        return shares

    def _make_room(self, first: int, count: int) -> None:
        """Have places for all entries up to `count`, and the last place free for none.

        Entries before `first` are let go, as no record names them any more. Twice the places that are needed
        are made, so that following costs what is new.
        """
        if len(self._table) > count - self._first:
            return
        kept = self._table[first - self._first : self._known - self._first]
        self._table = np.zeros(2 * (count - first) + 1, self._type)
        self._table[: len(kept)] = kept
        self._first = first

    def _note(self, start: int, new: Bits) -> None:
        """Keep up what is known of all matching entries together."""
        matching = np.flatnonzero(new)
        if len(matching):
            self._lowest = start + int(matching[0]) if not self._matching else self._lowest
            self._highest = start + int(matching[-1])
            self._matching += len(matching)
            self.can_set |= int(np.bitwise_or.reduce(new))
            self._are_alike = self._are_alike and bool((new[matching] == self.can_set).all())


class ItemColumn(LookupColumn):
    """Looks items up, except in chunks that none of the matching ones can be in."""

    def __init__(self, log: EventLog, conditions: Sequence[tuple[int, Matches]], bits_type: BitsType) -> None:
        super().__init__(dictionary(log, "item"), conditions, bits_type)
        self._log = log

    def bits(self, start: int, block: Block) -> Bits | int:
        if self._matching and not self._log.may_hold_items(start, self._lowest, self._highest):
            return 0
        return super().bits(start, block)


class ErrorColumn(LookupColumn):
    """Looks errors up, of few records only: in most chunks it is known which have one."""

    def __init__(self, log: EventLog, conditions: Sequence[tuple[int, Matches]], bits_type: BitsType) -> None:
        super().__init__(dictionary(log, "error"), conditions, bits_type)
        self._log = log

    def bits(self, start: int, block: Block) -> Bits | int:
        whole = self._matching and len(block) == CHUNK_ROWS
        places = self._log.rows_with_errors(start) if whole else None
        if places is None:
            return super().bits(start, block)
        if not len(places):
            return 0
        bits = np.zeros(len(block), self._type)
        bits[places] = self._table.take(block["error"][places])
        return bits


class NumberColumn:
    """Compares a column of numbers: a condition is fulfilled in any of its intervals; "not a number" in none.

    Args:
        column: The record's field.
        conditions: By the number of its bit, the intervals of a condition.
        bits_type: The type of the bits.
    """

    def __init__(
        self, column: str, conditions: Sequence[tuple[int, Sequence[Interval]]], bits_type: BitsType
    ) -> None:
        self.can_set = sum(1 << bit for bit, intervals in conditions if intervals)
        self._column = column
        self._conditions = conditions
        self._type = bits_type

    def follow(self) -> None:
        """A number says all by itself."""

    def bits(self, start: int, block: Block) -> Bits | int:
        values = block[self._column]
        found: Bits | None = None
        for bit, intervals in self._conditions:
            for interval in intervals:
                inside = _as_bits(_inside(values, interval), 1 << bit, self._type)
                found = inside if found is None else found | inside
        return 0 if found is None else found

    def shares(self, size: int) -> Shares:
        return _even_shares(self.can_set, size)


class TimeColumn:
    """Compares times, and in most chunks none, for all their events are on one side.

    Args:
        log: Where the chunks are.
        conditions: By the number of its bit, what gives the interval of a condition; it may move.
        bits_type: The type of the bits.
    """

    def __init__(
        self, log: EventLog, conditions: Sequence[tuple[int, Callable[[], Interval]]], bits_type: BitsType
    ) -> None:
        self.can_set = sum(1 << bit for bit, _ in conditions)
        self._log = log
        self._conditions = conditions
        self._type = bits_type
        self._intervals: list[tuple[int, Interval]] = []

    def follow(self) -> None:
        self._intervals = [(bit, interval()) for bit, interval in self._conditions]

    def bits(self, start: int, block: Block) -> Bits | int:
        span = self._log.time_span(start)
        for_all, found = 0, None
        for bit, interval in self._intervals:
            if span is not None and span[0] in interval and span[1] in interval:
                for_all |= 1 << bit
            elif span is None or not _apart(span, interval):
                inside = _as_bits(_inside(block["time"], interval), 1 << bit, self._type)
                found = inside if found is None else found | inside
        return for_all if found is None else found | self._type(for_all)

    def shares(self, size: int) -> Shares:
        return _even_shares(self.can_set, size)


def attempts(interval: Interval) -> Interval | None:
    """An interval over attempts as records hold them, None where none is in it; 0 stands for no attempt."""
    low = max(interval.low + interval.low_open, 1)
    high = interval.high - interval.high_open
    if low > min(high, LARGEST_U2):
        return None
    # Comparing with numbers past the field's end would widen the whole column.
    return Interval(low, high if high < LARGEST_U2 else inf)


def single_precision(interval: Interval) -> Interval:
    """An interval whose bounds are rounded like the durations that records hold."""
    low, high = (_rounded(bound) for bound in (interval.low, interval.high))
    return Interval(low, high, interval.low_open, interval.high_open)


def _rounded(bound: float) -> float:
    return bound if isinf(bound) else float(np.float32(min(max(bound, -LARGEST_F4), LARGEST_F4)))


def _as_bits(mask: Mask, bits: int, bits_type: BitsType) -> Bits:
    """Some bits where a mask is true."""
    one = mask.view(np.uint8)
    return one if bits == 1 and bits_type is np.uint8 else np.asarray(one * bits_type(bits))


def _between(indexes: NDArray[Any], lowest: int, highest: int) -> Mask:
    """Which indexes lie between two, both included; of unsigned numbers those below come out above."""
    if lowest == highest:
        return np.asarray(indexes == lowest)
    unsigned = np.dtype(f"u{indexes.itemsize}").type
    from_lowest = indexes.view(unsigned)
    if lowest:
        from_lowest = from_lowest - unsigned(lowest)
    return np.asarray(from_lowest <= unsigned(highest - lowest))


def _inside(values: NDArray[Any], interval: Interval) -> Mask:
    """Which values lie in an interval; bounds are compared in the type of the values."""
    low, high = interval.low, interval.high
    if low == high:
        return np.asarray(values == values.dtype.type(low))
    above: Mask | None = None
    if low > -inf:
        bound = values.dtype.type(low)
        above = np.asarray(values > bound if interval.low_open else values >= bound)
    if high == inf:
        return np.ones(len(values), np.bool_) if above is None else above
    bound = values.dtype.type(high)
    below = np.asarray(values < bound if interval.high_open else values <= bound)
    return below if above is None else above & below


def _apart(span: tuple[float, float], interval: Interval) -> bool:
    """Whether nothing between two times lies in an interval."""
    if span[0] > interval.high or span[1] < interval.low:
        return True
    return (interval.high_open and span[0] == interval.high) or (
        interval.low_open and span[1] == interval.low
    )


def _even_shares(can_set: int, size: int) -> Shares:
    """The same share for every combination of some bits."""
    possible = ((np.arange(size) & ~can_set) == 0).astype(np.float64)
    shares: Shares = possible / possible.sum()
    return shares
