"""Where packed records lie: chunks of memory, filled once, never moved, seen by numpy without a copy."""

from __future__ import annotations

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
        self._chunks: list[bytearray] = []
        self.tail = bytearray()
        self._arrays: list[NDArray[numpy.void]] = []
        self._item_spans: list[tuple[int, int]] = []

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
        self._note_item_spans()
        del self._chunks[0], self._arrays[0], self._item_spans[0]
        self.first_row += CHUNK_ROWS

    def _add_chunk(self) -> None:
        self.tail = bytearray(CHUNK_ROWS * RECORD.size)
        self._chunks.append(self.tail)

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

    def _rows_of_item(self, item: int, first: int) -> NDArray[numpy.int64]:
        """Every row of an item from a row on."""
        import numpy  # imported here because a headless run without questions never needs it

        self._note_item_spans()
        found = [numpy.empty(0, numpy.int64)]
        for start, block in self.blocks(first, self.next_row):
            chunk = self._place(start)
            if chunk < len(self._item_spans):
                low, high = self._item_spans[chunk]
                if not low <= item <= high:
                    continue
            found.append(numpy.flatnonzero(block["item"] == item) + start)
        return numpy.concatenate(found)

    def _note_item_spans(self) -> None:
        """Note the lowest and highest item of every full chunk, so that most chunks need no look."""
        for chunk in range(len(self._item_spans), self._place(self.next_row)):
            items = self._array(chunk)["item"]
            self._item_spans.append((int(items.min()), int(items.max())))

    def _array(self, chunk: int) -> NDArray[numpy.void]:
        import numpy  # imported here because a headless run without questions never needs it

        while len(self._arrays) <= chunk:
            array = numpy.frombuffer(self._chunks[len(self._arrays)], record_dtype())
            array.flags.writeable = False
            self._arrays.append(array)
        return self._arrays[chunk]
