"""Classes of records: a column sorts records by which of a query's conditions it fulfils for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Codes = NDArray[Any]
"""Unsigned integers of 8 or 16 bits: what a class adds to the number of a record's state."""

MAX_STATES: Final = 1 << 16
"""Classes of all columns combined that one table has; a query with more of them gets several tables."""

_GROUP: Final = 8
_SLICE: Final = 1 << 15
"""So many are counted at once, for numpy makes numbers of 8 bytes of them first."""
_NOTHING: Final = 0


class TooManyStatesError(Exception):
    """A query tells more states apart than one table has."""


class Classes:
    """The classes of one column; class 0 fulfils nothing.

    Args:
        conditions: The numbers of the conditions that the column has a say in.
    """

    def __init__(self, conditions: Sequence[int]) -> None:
        self.conditions = tuple(conditions)
        self._numbers: dict[int, int] = {_NOTHING: 0}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, pattern: int) -> int:
        """The class that fulfils the conditions whose bits are set, by their places in `conditions`."""
        number = self._numbers.setdefault(pattern, len(self._numbers))
        if number >= MAX_STATES:
            raise TooManyStatesError
        return number

    def truth(self, place: int) -> Mask:
        """For each class whether it fulfils the condition at a place."""
        return np.fromiter((pattern >> place & 1 for pattern in self._numbers), np.bool_, len(self))

    def sorted(self, fulfilled: Sequence[Mask]) -> Codes:
        """The classes of entries of which is known, condition by condition, whether they fulfil it.

        Returns:
            A byte for each where that is enough, else two.
        """
        if len(fulfilled) == 1:
            if fulfilled[0].any():
                self.number(1)
            return fulfilled[0].view(np.uint8)
        if len(fulfilled) <= _GROUP:
            return self._sorted_at_once(_keys(fulfilled))
        sorted_so_far, patterns = np.zeros(len(fulfilled[0]), np.int32), [_NOTHING]
        for first in range(0, len(fulfilled), _GROUP):
            keys = sorted_so_far * (1 << _GROUP) + _keys(fulfilled[first : first + _GROUP])
            there = np.flatnonzero(np.bincount(keys, minlength=1))
            patterns = [patterns[key >> _GROUP] | (key & 0xFF) << first for key in there.tolist()]
            if len(patterns) > MAX_STATES:
                raise TooManyStatesError
            places = np.zeros(1 << _GROUP if len(there) == 0 else int(there[-1]) + 1, np.int32)
            places[there] = np.arange(len(there))
            sorted_so_far = places.take(keys)
        numbers = np.fromiter(map(self.number, patterns), np.int32)
        return numbers.astype(smallest_type(len(self))).take(sorted_so_far)

    def _sorted_at_once(self, keys: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The classes of entries by their patterns, for no more conditions than a byte has bits."""
        counts = np.zeros(1 << _GROUP, np.int64)
        for first in range(0, len(keys), _SLICE):
            counts += np.bincount(keys[first : first + _SLICE], minlength=1 << _GROUP)
        numbers = np.zeros(1 << _GROUP, np.uint8)
        for pattern in np.flatnonzero(counts).tolist():
            numbers[pattern] = self.number(pattern)
        return looked_up(numbers, keys)


def smallest_type(count: int) -> type[np.uint8 | np.uint16]:
    """The type for so many different codes."""
    return np.uint8 if count <= 1 << 8 else np.uint16


def looked_up(table: NDArray[Any], numbers: NDArray[np.unsignedinteger]) -> NDArray[Any]:
    """The entries of a table by their numbers; for bytes Python itself needs a third of numpy's time."""
    if numbers.itemsize == table.itemsize == 1:
        entries = table[: 1 << 8].tobytes().ljust(1 << 8, b"\0")
        return np.frombuffer(numbers.tobytes().translate(entries), table.dtype)
    return table.take(numbers)


def _keys(fulfilled: Sequence[Mask]) -> NDArray[np.uint8]:
    """Up to eight answers as the bits of a number."""
    keys = fulfilled[0].view(np.uint8)
    for bit, mask in enumerate(fulfilled[1:], 1):
        keys = keys | mask.view(np.uint8) << np.uint8(bit)
    return keys
