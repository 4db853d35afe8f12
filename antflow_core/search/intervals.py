"""Columns of numbers: which of a query's intervals a record's duration or moment lies in.

The bounds of all intervals cut the numbers into cells, within which all are of one class.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.event_log import EventLog
from antflow_core.history.narrow_columns import Narrow
from antflow_core.search.blocks import Block
from antflow_core.search.classes import Classes, Codes
from antflow_core.search.columns import Shares, as_codes
from antflow_core.search.tree import Interval

_FEW_STEPS: Final = 3
_FEW_BOUNDS: Final = 16
"""So many are compared with, one after the other; where there are more, cells are looked up."""
_CROWDED: Final = -1
_MANY: Final = 2
_HALF: Final = np.uint32(16)
_HALVES: Final = 1 << 16
_SIGN: Final = np.uint32(0x8000)
_UNLIKE_OTHERS: Final = [0x7F80, 0x8000, 0xFF80]
_NO_NUMBERS: Final = np.r_[0x7F81:0x8000, 0xFF81:0x10000]
_MOST_UNSURE: Final = 0.25
_DURATION_US, _TIME_US = 35.0, 5.0


class Cells:
    """The cells that intervals cut the numbers of a type into, in ascending order.

    The first one has the numbers that lie in no interval because they are too small, and what is no number.

    Args:
        kind: The type of the numbers; bounds are rounded to it.
        classes: Where the classes of the cells are numbered.
        conditions: In the order of the classes' conditions, the intervals that fulfil each.
    """

    def __init__(
        self, kind: type[np.float32 | np.float64], classes: Classes, conditions: Sequence[Sequence[Interval]]
    ) -> None:
        halfopen = [[_half_open(kind, interval) for interval in intervals] for intervals in conditions]
        found = {bound for spans in halfopen for span in spans for bound in span if span[0] < span[1]}
        bounds = sorted(found - {np.inf})
        patterns = [
            sum(1 << place for place, spans in enumerate(halfopen) if any(a <= low < b for a, b in spans))
            for low in bounds
        ]
        # Where nothing changes at a bound, as between two intervals that meet, there is none.
        kept = [at for at, pattern in enumerate(patterns) if pattern != (patterns[at - 1] if at else 0)]
        self.bounds: list[float] = [bounds[at] for at in kept]
        self.classes: list[int] = [0, *(classes.number(patterns[at]) for at in kept)]
        self._kind = kind

    def place(self, number: float) -> int:
        """Which cell a number lies in."""
        return bisect_right(self.bounds, number)

    def places(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Which cells numbers lie in."""
        places: NDArray[np.intp] = np.searchsorted(np.array(self.bounds, self._kind), values, "right")
        places[np.isnan(values)] = 0
        return places

    def compared(self, values: NDArray[Any], codes: Codes, first: int, last: int) -> Codes | int:
        """The codes of numbers that lie in cells from one to another, found by comparing with the bounds.

        Args:
            codes: By cell.
        """
        if first == last:
            return int(codes[first])
        bounds, before, behind = self.bounds[first:last], codes[first:last], codes[first + 1 : last + 1]
        if len(bounds) == 2 and before[0] == behind[1] == 0:  # in between or not, as with most queries
            low, high = map(self._kind, bounds)
            return as_codes((values >= low) ^ (values >= high), behind[0])
        values = np.ascontiguousarray(values)  # one after the other are compared in a fifth of the time
        if len(bounds) > _FEW_STEPS and codes.itemsize > 1:  # to count in bytes is quicker than to add up
            places = np.zeros(len(values), np.uint8)
            for bound in bounds:
                places += values >= self._kind(bound)
            return codes[first : last + 1].take(places)
        found: Codes | int = int(codes[first])
        # Differences of unsigned numbers wrap around, and so do their sums.
        for bound, change in zip(bounds, behind - before, strict=True):
            found = as_codes(values >= self._kind(bound), change) + found
        return found


class DurationColumn:
    """Sorts records by their durations, of which "not a number" is in no interval.

    Args:
        conditions: By the number of each condition the intervals that fulfil it.
    """

    def __init__(self, conditions: Mapping[int, Sequence[Interval]]) -> None:
        self.classes = Classes([*conditions])
        self._cells = Cells(np.float32, self.classes, [*conditions.values()])
        self._halves: _Halves | None = None
        self._codes: Codes = np.zeros(len(self._cells.classes), np.uint8)

    def follow(self) -> None:
        """A number says all by itself."""

    def encode(self, codes: Codes) -> None:
        self._codes = codes.take(self._cells.classes)
        if self._halves is not None:
            self._halves.encode(self._codes)

    def codes(self, block: Block) -> Codes | int:
        narrow = block.narrow("duration")
        if narrow is None:
            return self._exactly(block.field("duration"))
        halves = self._with_halves()
        codes, unsure = halves.told(narrow)
        if len(unsure) > len(codes) * _MOST_UNSURE:
            return self._exactly(block.field("duration"))
        if len(unsure):
            codes[unsure] = self._exactly(block.only(unsure).field("duration"))
        return codes

    def cost_us(self) -> float:
        return _DURATION_US

    def shares(self) -> Shares:
        return _even_shares(self._cells.classes, len(self.classes))

    def _exactly(self, values: NDArray[np.float32]) -> Codes | int:
        """The codes of numbers."""
        last = len(self._cells.bounds)
        if last <= _FEW_BOUNDS:
            return self._cells.compared(values, self._codes, 0, last)
        return self._codes.take(self._with_halves().places(values))

    def _with_halves(self) -> _Halves:
        if self._halves is None:
            self._halves = _Halves(self._cells)
            self._halves.encode(self._codes)
        return self._halves


class _Halves:
    """Finds the cells of single-precision numbers by the upper halves of their bits, however many there are.

    Args:
        cells: The cells.
    """

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        order = _ascending(np.arange(_HALVES, dtype=np.uint32))
        bounds = np.array(cells.bounds, np.float32)
        # By upper half how many bounds have it, and how many are lower.
        within = np.bincount(_ascending(bounds.view(np.uint32) >> _HALF), minlength=_HALVES)
        below = (within.cumsum() - within).take(order)
        within = within.take(order)
        below[_NO_NUMBERS] = within[_NO_NUMBERS] = 0
        # Infinity shares its half with what is no number, and minus nothing equals 0 of another half.
        within[_UNLIKE_OTHERS] = _MANY
        self._below = below
        self._is_unsure = within > 0
        # Both in one table, for looking up takes most of the time.
        self._table = np.zeros(_HALVES, [("place", np.int32), ("bound", np.float32)])
        self._table["place"] = np.where(within > 1, _CROWDED, below)
        self._table["bound"] = np.where(within == 1, np.append(bounds, np.nan).take(below), np.nan)
        self._codes: Codes = np.zeros(_HALVES, np.uint8)
        self._unsure = 0

    def encode(self, codes: Codes) -> None:
        """From now on tell these codes, by cell."""
        self._unsure = int(codes.max()) + 1
        # At least as wide as the codes of other columns, which they are added to.
        width = np.promote_types(codes.dtype, np.min_scalar_type(self._unsure))
        self._codes = codes.take(self._below).astype(width)
        self._codes[self._is_unsure] = self._unsure

    def told(self, halves: Narrow) -> tuple[Codes, NDArray[np.intp]]:
        """The codes of numbers by their upper halves, and the places of those that these do not tell."""
        codes = self._codes.take(halves)
        return codes, (codes == self._unsure).nonzero()[0]

    def places(self, values: NDArray[np.float32]) -> NDArray[np.int32]:
        """Which cells numbers lie in."""
        found = self._table.take(values.view(np.uint32) >> _HALF)
        places: NDArray[np.int32] = found["place"] + (values >= found["bound"])
        crowded = np.flatnonzero(places == _CROWDED)
        places[crowded] = self._cells.places(values[crowded])
        return places


def _ascending(halves: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Upper halves as ascending as the numbers they are of: negative ones are the lower the more bits."""
    return np.where(halves & _SIGN, halves ^ np.uint32(_HALVES - 1), halves | _SIGN)


class TimeColumn:
    """Sorts records by their moments; most chunks lie in one cell as a whole.

    Args:
        log: Where the chunks are.
        conditions: By the number of each condition what gives the intervals that fulfil it; they may move.
    """

    def __init__(self, log: EventLog, conditions: Mapping[int, Sequence[Callable[[], Interval]]]) -> None:
        self.classes = Classes([*conditions])
        self._log = log
        self._conditions = [*conditions.values()]
        self._cells = Cells(np.float64, self.classes, [])
        self._class_codes: Codes = np.zeros(1, np.uint8)
        self._codes: Codes = np.zeros(1, np.uint8)

    def follow(self) -> None:
        intervals = [[interval() for interval in condition] for condition in self._conditions]
        self._cells = Cells(np.float64, self.classes, intervals)
        if len(self.classes) == len(self._class_codes):  # else new codes come
            self.encode(self._class_codes)

    def encode(self, codes: Codes) -> None:
        self._class_codes = codes
        self._codes = codes.take(self._cells.classes)

    def codes(self, block: Block) -> Codes | int:
        span = self._log.time_span(block.start)
        times = block.field("time")
        earliest, latest = span if span is not None else (float(times.min()), float(times.max()))
        first, last = self._cells.place(earliest), self._cells.place(latest)
        if last - first <= _FEW_BOUNDS:
            return self._cells.compared(times, self._codes, first, last)
        return self._codes.take(self._cells.places(times))

    def cost_us(self) -> float:
        return _TIME_US

    def shares(self) -> Shares:
        return _even_shares(self._cells.classes, len(self.classes))


def _half_open(kind: type[np.float32 | np.float64], interval: Interval) -> tuple[float, float]:
    """From where on a number lies in an interval, and from where on no longer."""
    low, high = kind(interval.low), kind(interval.high)
    infinite = kind(np.inf)
    if interval.low_open and low > -infinite:
        low = np.nextafter(low, infinite)
    if not interval.high_open:
        high = np.nextafter(high, infinite)
    return float(low), float(high)


def _even_shares(cells: Sequence[int], classes: int) -> Shares:
    """Shares of classes where every cell has as many records."""
    shares: Shares = np.bincount(cells, minlength=classes) / len(cells)
    return shares
