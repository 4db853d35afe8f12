"""The rows a search has found, a bit each: for every chunk of the log which of its rows are among them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.storage import CHUNK_BITS, CHUNK_ROWS

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What was found in the rows of one chunk.

    Attributes:
        start: The first row that was looked at.
        stop: The row after the last one.
        count: How many were found.
        bits: For eight rows a byte which were; None where it was all of them or none.
    """

    start: int
    stop: int
    count: int
    bits: NDArray[np.uint8] | None

    @classmethod
    def of(cls, start: int, stop: int, found: Mask | bool) -> Piece:
        """What was found, given row by row or for all at once."""
        if isinstance(found, bool):
            return cls(start, stop, stop - start if found else 0, None)
        count = int(np.count_nonzero(found))
        return cls(start, stop, count, np.packbits(found) if 0 < count < stop - start else None)

    def mask(self) -> Mask:
        """For each row whether it was found."""
        if self.bits is None:
            return np.full(self.stop - self.start, self.count > 0)
        return np.unpackbits(self.bits, count=self.stop - self.start).view(np.bool_)

    def rows(self, first: int, stop: int) -> Rows:
        """Some of the found rows, counted from 0."""
        if self.bits is None:
            return np.arange(self.start + first, self.start + stop)
        return self.mask().nonzero()[0][first:stop] + self.start

    def joined(self, later: Piece) -> Piece:
        """This piece with the one that follows it in the same chunk."""
        return Piece.of(self.start, later.stop, np.concatenate([self.mask(), later.mask()]))

    def cut(self, first_row: int) -> Piece:
        """The piece without the rows before one."""
        return Piece.of(first_row, self.stop, self.mask()[first_row - self.start :])

    def is_like(self, other: Piece) -> bool:
        """Whether the other one's rows are this one's."""
        return self.count == other.count and self.begins_like(other)

    def begins_like(self, other: Piece) -> bool:
        """Whether the other one's rows are the first of this one's."""
        first, count = self.rows(0, other.count), other.count
        return self.count >= count and np.array_equal(first, other.rows(0, count))

    def ends_like(self, other: Piece) -> bool:
        """Whether the other one's rows are the last of this one's."""
        skipped, count = self.count - other.count, other.count
        return skipped >= 0 and np.array_equal(self.rows(skipped, self.count), other.rows(0, count))


class RowSet:
    """Rows in ascending order, added at the end, dropped at the beginning, changed in between chunk by chunk.

    Attributes:
        dropped: How many rows have left it; those that had to be replaced are counted too.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._pieces: list[Piece] = []
        self._ends: list[int] = []
        self._count = 0
        self._buffer: Rows = np.empty(0, np.int64)
        self._first, self._filled = 0, 0

    def __len__(self) -> int:
        return self._count

    @property
    def pieces(self) -> list[Piece]:
        """What was found by chunk; pieces without rows are kept, because rows may come into them."""
        return self._pieces

    def append(self, piece: Piece) -> None:
        """Add what was found in rows that follow the others."""
        self._count += piece.count
        last = self._pieces[-1] if self._pieces else None
        if last is not None and last.start >> CHUNK_BITS == piece.start >> CHUNK_BITS:
            self._pieces[-1] = last.joined(piece)
            self._ends.pop()
        else:
            self._pieces.append(piece)
        self._ends.append(self._count)

    def drop_before(self, first_row: int) -> None:
        """Let go of the rows before one."""
        gone = bisect_right(self._pieces, first_row, key=lambda piece: piece.stop)
        kept = self._pieces[gone:]
        is_cut = bool(kept) and kept[0].start < first_row
        if is_cut:
            kept[0] = kept[0].cut(first_row)
        if gone or is_cut:
            before = self._count
            self._take_over(kept)
            self._forget(before - self._count)

    def replace(self, changed: dict[int, Piece]) -> None:
        """Put other pieces in the places of some.

        What cannot be told as rows dropped at the beginning or added at the end counts as all rows leaving,
        and all there are coming.
        """
        before, old = self._count, self._pieces
        changed = {number: piece for number, piece in changed.items() if not piece.is_like(old[number])}
        if not changed:
            return
        self._take_over([changed.get(number, piece) for number, piece in enumerate(old)])
        new = self._pieces
        first = next((number for number, piece in enumerate(new) if piece.count), len(new) - 1)
        if max(changed) <= first and old[first].ends_like(new[first]):
            self._forget(before - self._count)
            return
        last = next((number for number in range(len(old) - 1, -1, -1) if old[number].count), 0)
        if min(changed) >= last and new[last].begins_like(old[last]):
            return
        self._buffer, self._first, self._filled = np.empty(0, np.int64), 0, 0
        self.dropped += before

    def rows(self, first: int, stop: int) -> Rows:
        """Some of the rows, counted from 0; costs what is asked for."""
        first, stop = max(first, 0), min(stop, self._count)
        found = [np.empty(0, np.int64)]
        number = bisect_right(self._ends, first)
        while first < stop:
            piece = self._pieces[number]
            begin = self._ends[number] - piece.count
            until = min(stop, self._ends[number])
            found.append(piece.rows(first - begin, until - begin))
            first = until
            number += 1
        return np.concatenate(found)

    def all_rows(self) -> Rows:
        """Every row, read-only; an array once handed out never changes."""
        missing = self._count - (self._filled - self._first)
        if missing:
            if self._filled + missing > len(self._buffer):
                self._grow(missing)
            self._buffer[self._filled : self._filled + missing] = self.rows(
                self._count - missing, self._count
            )
            self._filled += missing
        rows = self._buffer[self._first : self._filled]
        rows.flags.writeable = False
        return rows

    def position(self, row: int) -> int | None:
        """Which of the rows one is, counted from 0; None where it was not found."""
        number = bisect_right(self._pieces, row, key=lambda piece: piece.start) - 1
        if number < 0 or row >= self._pieces[number].stop:
            return None
        piece = self._pieces[number]
        place, mask = row - piece.start, piece.mask()
        if row < piece.start or not mask[place]:
            return None
        return self._ends[number] - piece.count + int(np.count_nonzero(mask[:place]))

    def _take_over(self, pieces: list[Piece]) -> None:
        self._pieces = pieces
        self._ends = [*accumulate(piece.count for piece in pieces)]
        self._count = self._ends[-1] if pieces else 0

    def _forget(self, count: int) -> None:
        """Note that rows have left at the beginning."""
        self.dropped += count
        self._first = min(self._first + count, self._filled)
        if self._first == self._filled:
            self._buffer, self._first, self._filled = np.empty(0, np.int64), 0, 0

    def _grow(self, missing: int) -> None:
        """Make room by doubling: rows that are read tick by tick must not all be copied at each."""
        held = self._filled - self._first
        size = max(held + missing, 2 * held, CHUNK_ROWS) if held else missing
        buffer = np.empty(size, np.int64)
        buffer[:held] = self._buffer[self._first : self._filled]
        self._buffer, self._first, self._filled = buffer, 0, held
