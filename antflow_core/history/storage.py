"""Where packed records lie: chunks of memory, filled once, never moved, seen by numpy without a copy."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from antflow_core.history.records import RECORD, record_dtype

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

CHUNK_BITS: Final = 14
"""A chunk holds 16,384 records, 512 KiB: it fits a second-level cache, and a short log stays small."""

CHUNK_ROWS: Final = 1 << CHUNK_BITS
CHUNK_MASK: Final = CHUNK_ROWS - 1
ROW_SHIFT: Final = RECORD.size.bit_length() - 1

_ITEM: Final = struct.Struct("<i")
_ITEM_AT: Final = 8
"""Offset of the item in a record."""
_MANY: Final = 1_000


class RecordStore:
    """Records by absolute row number.

    Attributes:
        first_row: The oldest row still held.
        next_row: The number the next record will get.
        tail: The chunk that is being filled.
    """

    def __init__(self) -> None:
        self.first_row = 0
        self.next_row = 0
        self._chunks: list[bytearray | bytes] = []
        self.tail = bytearray()
        self._arrays: list[NDArray[numpy.void]] = []
        self._lowest_items: list[int] = []
        self._time_spans: dict[int, tuple[float, float]] = {}
        self._error_places: dict[int, NDArray[numpy.uint16] | None] = {}

    def __len__(self) -> int:
        return self.next_row - self.first_row

    def columns(self, first: int, stop: int) -> NDArray[numpy.void]:
        """The records of a range of rows as a read-only structured array; no copy inside one chunk."""
        blocks = [block for _, block in self.blocks(first, stop)]
        if len(blocks) == 1:
            return blocks[0]
        import numpy  # imported here because a headless run without questions never needs it

        # Joined as bytes, for numpy.concatenate drops the padding and with it the record's size.
        return numpy.frombuffer(b"".join(block.tobytes() for block in blocks), record_dtype())

    def blocks(self, first: int, stop: int) -> Iterator[tuple[int, NDArray[numpy.void]]]:
        """The records of a range of rows by chunk, each with the row it begins at; nothing is copied."""
        first, stop = max(first, self.first_row), min(stop, self.next_row)
        while first < stop:
            start = first & CHUNK_MASK
            count = min(CHUNK_ROWS - start, stop - first)
            yield first, self._array(self._place(first))[start : start + count]
            first += count

    def _place(self, row: int) -> int:
        """Which of the chunks held a row lies in."""
        return (row - self.first_row) >> CHUNK_BITS

    def _drop_chunk(self) -> None:
        """Forget the oldest rows, a whole chunk that is full."""
        self._time_spans.pop(self.first_row, None)
        self._error_places.pop(self.first_row, None)
        del self._chunks[0], self._arrays[:1], self._lowest_items[:1]
        self.first_row += CHUNK_ROWS

    def time_span(self, row: int) -> tuple[float, float] | None:
        """The first and the last moment in the chunk of a row; None while the chunk is being filled."""
        start = row & ~CHUNK_MASK
        if start + CHUNK_ROWS > self.next_row:
            return None
        span = self._time_spans.get(start)
        if span is None:
            times = self._array(self._place(row))["time"].copy()  # side by side they are compared faster
            span = self._time_spans[start] = (float(times.min()), float(times.max()))
        return span

    def rows_with_errors(self, row: int) -> NDArray[numpy.uint16] | None:
        """Where in the chunk of a row there are errors; None while it is filled, and where they are many."""
        import numpy  # imported here because a headless run without questions never needs it

        start = row & ~CHUNK_MASK
        if start + CHUNK_ROWS > self.next_row:
            return None
        if start not in self._error_places:
            places = numpy.flatnonzero(self._array(self._place(row))["error"] >= 0).astype(numpy.uint16)
            self._error_places[start] = places if len(places) <= CHUNK_ROWS >> 3 else None
        return self._error_places[start]

    def lowest_item(self, row: int) -> int:
        """No item in the chunk of a row has a lower index."""
        place = self._place(row)
        return self._lowest_items[place] if place < len(self._lowest_items) else 0

    def _add_chunk(self) -> None:
        if self._chunks:
            self._lowest_items.append(_lowest_item(self._chunks[-1]))
        self.tail = bytearray(CHUNK_ROWS * RECORD.size)
        self._chunks.append(self.tail)

    def _adopt(self, chunk: bytes) -> int:
        """Add a whole chunk as it is, where the last one is full; returns the row of the first record."""
        if self._chunks:
            self._lowest_items.append(_lowest_item(self._chunks[-1]))
        self._chunks.append(chunk)
        first, self.next_row = self.next_row, self.next_row + CHUNK_ROWS
        return first

    def _store(self, records: NDArray[numpy.void]) -> int:
        """Add records as they are; returns the row of the first."""
        first = self.next_row
        position = 0
        while position < len(records):
            if self._place(self.next_row) == len(self._chunks):
                self._add_chunk()
            start = self.next_row & CHUNK_MASK
            count = min(CHUNK_ROWS - start, len(records) - position)
            piece = records[position : position + count].tobytes()
            self.tail[start << ROW_SHIFT : (start + count) << ROW_SHIFT] = piece
            self.next_row += count
            position += count
        return first

    def _rows_of_item(self, item: int, first: int) -> array[int]:
        """Every row of an item from a row on."""
        found = array("q")
        for chunk in range(self._place(max(first, self.first_row)), len(self._chunks)):
            start = self.first_row + (chunk << CHUNK_BITS)
            if item >= self.lowest_item(start):
                found.extend(start + place for place in self._places_of_item(item, chunk))
        return found

    def _places_of_item(self, item: int, chunk: int) -> list[int]:
        """Where in a chunk the records of an item are."""
        count = min(self.next_row - self.first_row - (chunk << CHUNK_BITS), CHUNK_ROWS)
        records, wanted = self._chunks[chunk], _ITEM.pack(item)
        low_bytes = records[_ITEM_AT : count << ROW_SHIFT : RECORD.size]
        if low_bytes.count(wanted[0]) > _MANY:
            import numpy  # late: for the few records of a usual item it is not worth loading

            return numpy.flatnonzero(self._array(chunk)["item"][:count] == item).tolist()
        found, at = [], low_bytes.find(wanted[0])
        while at >= 0:
            offset = (at << ROW_SHIFT) + _ITEM_AT
            if records[offset : offset + _ITEM.size] == wanted:
                found.append(at)
            at = low_bytes.find(wanted[0], at + 1)
        return found

    def _array(self, chunk: int) -> NDArray[numpy.void]:
        import numpy  # imported here because a headless run without questions never needs it

        while len(self._arrays) <= chunk:
            array = numpy.frombuffer(self._chunks[len(self._arrays)], record_dtype())
            array.flags.writeable = False
            self._arrays.append(array)
        return self._arrays[chunk]


def _lowest_item(chunk: bytearray | bytes) -> int:
    """A number that no item in a full chunk is below, and rarely more than 255 below the lowest.

    Looks at one byte of the items after the other, the highest first, which takes 50 µs and, unlike numpy,
    nothing that a headless run has to load.
    """
    lowest = 0
    for byte in (3, 2, 1):
        column = chunk[_ITEM_AT + byte :: RECORD.size]
        value = next(value for value in range(256) if value in column)
        lowest |= value << 8 * byte
        if column.count(value) != len(column):
            break
    return lowest
