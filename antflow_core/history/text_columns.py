"""Many short texts laid out by columns, byte by byte, so that numpy looks at one place of all texts at once.

A pattern costs some passes over the bytes, whether it is found in no text or in all. Texts of about the same
length share a table, in which the shorter ones are filled up with separators.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.text_pattern import SEPARATOR, TextPattern

Mask = NDArray[np.bool_]

_SEPARATOR_BYTE: Final = SEPARATOR[0]
_WIDTHS: Final = np.array([2**power for power in range(3, 20)])
"""Texts up to each of these lengths share a table, so that less than half of it is filling."""
_SAMPLED_TEXTS: Final = 64
_POWERS_OF_TEN: Final = 10 ** np.arange(1, 19)
_DIGITS_OF_U4: Final = 10


class TextColumns:
    """Texts in which a pattern is looked for.

    Args:
        count: How many there are.
        tables: The texts, each in one of some tables as `_Table` has them, and which of all they are.
    """

    def __init__(
        self, count: int, tables: Iterable[tuple[NDArray[np.intp] | slice, NDArray[np.uint8]]]
    ) -> None:
        self._count = count
        self._tables = [(places, _Table(rows)) for places, rows in tables]

    @classmethod
    def of_joined(cls, joined: bytes) -> TextColumns:
        """The texts, in UTF-8, of a string that has a separator before, between and after them."""
        flat = np.frombuffer(joined, np.uint8)
        bounds = np.flatnonzero(flat == _SEPARATOR_BYTE)
        starts, ends = bounds[:-1] + 1, bounds[1:]
        widths = np.searchsorted(_WIDTHS, ends - starts)
        tables: list[tuple[NDArray[np.intp] | slice, NDArray[np.uint8]]] = []
        for width in np.unique(widths):
            places = np.flatnonzero(widths == width)
            rows = _laid_out(flat, starts[places], ends[places])
            tables.append((slice(None) if len(places) == len(starts) else places, rows))
        return cls(len(starts), tables)

    @classmethod
    def of_numbers(cls, numbers: NDArray[np.int64]) -> TextColumns:
        """Whole numbers from 0 on as they are spelt, of which there is at least one."""
        return cls(len(numbers), [(slice(None), _spelt(numbers))])

    def __len__(self) -> int:
        return self._count

    def find(self, pattern: TextPattern) -> Mask:
        """For each text whether it fits."""
        found = np.zeros(self._count, np.bool_)
        for places, table in self._tables:
            found[places] = table.find(pattern)
        return found

    def memory_bytes(self) -> int:
        """What the tables hold."""
        return sum(
            table.memory_bytes() + (0 if isinstance(places, slice) else places.nbytes)
            for places, table in self._tables
        )


class _Table:
    """Texts of about the same length: row n has byte n of every text, the last row separators only.

    Args:
        rows: The table.
    """

    def __init__(self, rows: NDArray[np.uint8]) -> None:
        self._bytes = rows.tobytes()
        self._rows = np.frombuffer(self._bytes, np.uint8).reshape(rows.shape)
        self._absent: set[int] = set()
        sample = self._rows[:, :: max(1, rows.shape[1] // _SAMPLED_TEXTS)]
        self._frequency: list[int] = np.bincount(sample.ravel(), minlength=256).tolist()

    def memory_bytes(self) -> int:
        return len(self._bytes)

    def find(self, pattern: TextPattern) -> Mask | bool:
        """For each text whether it fits, or one answer for all."""
        needles = pattern.needles()
        if any(map(self._lacks_byte_of, needles)):
            return False
        if not needles:
            return True
        rarest = min(range(len(needles)), key=lambda at: min(map(self._frequency.__getitem__, needles[at])))
        has_rarest = self._begins(self._rows, needles[rarest], only_first=pattern.at_start and not rarest)
        found: Mask = np.bitwise_or.reduce(has_rarest, axis=0)
        if len(needles) > 1 and found.any():
            places = np.flatnonzero(found)
            few = 4 * len(places) < len(found)
            rows = self._rows.take(places, axis=1) if few else self._rows
            found[places if few else slice(None)] = self._in_order(rows, needles, only_first=pattern.at_start)
        return found

    def _in_order(self, rows: NDArray[np.uint8], needles: list[bytes], *, only_first: bool) -> Mask:
        """Which of some texts have all needles, one behind the other."""
        begins = self._begins(rows, needles[0], only_first=only_first)
        for before, needle in pairwise(needles):
            begins = _behind(begins, len(before), self._begins(rows, needle))
        found: Mask = np.bitwise_or.reduce(begins, axis=0)
        return found

    def _begins(self, rows: NDArray[np.uint8], needle: bytes, *, only_first: bool = False) -> Mask:
        """By place and text whether a needle begins there; the rarest of its bytes is looked for first."""
        places = len(rows) - len(needle) + 1
        places = min(places, 1) if only_first else places
        if places <= 0:
            return np.zeros((0, rows.shape[1]), np.bool_)
        first, *others = sorted(range(len(needle)), key=lambda at: self._frequency[needle[at]])
        found = np.asarray(rows[first : first + places] == needle[first])
        for number, at in enumerate(others):
            found &= rows[at : at + places] == needle[at]
            # Most needles are nowhere, which a few bytes tell.
            if number < 3 and not found.any():
                break
        return found

    def _lacks_byte_of(self, needle: bytes) -> bool:
        """Whether a byte of a needle occurs in no text; looking for one byte takes no time to speak of."""
        for byte in needle:
            if byte in self._absent:
                return True
            if byte not in self._bytes:
                self._absent.add(byte)
                return True
        return False


def _laid_out(flat: NDArray[np.uint8], starts: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.uint8]:
    """The table of texts that lie between these places in joined ones."""
    lengths = ends - starts
    width, count = int(lengths.max()) + 1, len(starts)
    follow_another = int(ends[-1] - starts[0]) + 1 == count * width
    if follow_another and int(lengths.min()) + 1 == width:
        return flat[starts[0] : int(ends[-1]) + 1].reshape(count, width).T
    rows = np.empty((width, count), np.uint8)
    places = starts.copy()
    for row in rows:
        flat.take(places, out=row, mode="wrap")  # any mode but the default one writes without a detour
        places += 1
        # Behind its last byte every text has a separator, which stands for all places that follow.
        np.minimum(places, ends, out=places)
    return rows


def _spelt(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The table of numbers from 0 on, digit by digit."""
    lengths = np.searchsorted(_POWERS_OF_TEN, numbers, "right") + 1
    width = int(lengths.max())
    left: NDArray[Any] = numbers.astype(np.uint32 if width < _DIGITS_OF_U4 else np.uint64)
    ten = left.dtype.type(10)
    shorter = np.flatnonzero(lengths < width)
    # Each gets as many digits as the longest, and those that are not its own become separators.
    left[shorter] *= _POWERS_OF_TEN.take(width - 1 - lengths[shorter]).astype(left.dtype)
    rows = np.full((width + 1, len(numbers)), _SEPARATOR_BYTE, np.uint8)
    for row in reversed(rows[:width]):
        shorn = left // ten
        row[:] = left - shorn * ten
        left = shorn
    rows[:width] += ord("0")
    for row, own in zip(rows, range(width), strict=False):
        row[shorter[lengths[shorter] <= own]] = _SEPARATOR_BYTE
    return rows


def _behind(begins: Mask, length: int, here: Mask) -> Mask:
    """Where a needle begins behind another one of some length, which begins where `begins` says."""
    has_begun = np.zeros(here.shape[1], np.bool_)
    here[:length] = False
    # Row by row takes a tenth of the time of numpy's accumulate.
    for at in range(length, len(here)):
        if at - length < len(begins):
            has_begun |= begins[at - length]
        here[at] &= has_begun
    return here
