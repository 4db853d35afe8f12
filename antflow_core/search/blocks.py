"""Blocks: the records of a log that a search looks at together, of one chunk, all of it or some."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.event_log import EventLog
from antflow_core.history.narrow_columns import Narrow
from antflow_core.history.storage import CHUNK_ROWS

Records = NDArray[np.void]
Places = NDArray[np.intp]


class Block:
    """Records of one chunk.

    Args:
        log: Where the chunk is.
        start: The row of the first record.
        records: Records that follow one another.
        places: Those of them that are meant; None for all.

    Attributes:
        start: A row of the chunk.
    """

    __slots__ = ("_log", "_places", "_records", "_taken", "start")

    def __init__(self, log: EventLog, start: int, records: Records, places: Places | None = None) -> None:
        self.start = start
        self._log = log
        self._records = records
        self._places = places
        self._taken: Records | None = None

    def __len__(self) -> int:
        return len(self._records) if self._places is None else len(self._places)

    @property
    def is_whole(self) -> bool:
        """Whether it is a full chunk."""
        return self._places is None and len(self._records) == CHUNK_ROWS

    def records(self) -> Records:
        """The records themselves."""
        if self._places is None:
            return self._records
        if self._taken is None:
            # As plain bytes they are taken ten times as fast as by their fields.
            plain = self._records.view(f"V{self._records.itemsize}")
            self._taken = plain.take(self._places).view(self._records.dtype)
        return self._taken

    def field(self, name: str) -> NDArray[Any]:
        """A field of the records."""
        return self.records()[name]

    def item_span(self) -> tuple[int, int] | None:
        """The lowest and the highest item of the chunk; None where it is looked at in part."""
        if len(self._records) < CHUNK_ROWS:
            return None
        return self._log.narrow_columns.item_span(self.start)

    def narrow(self, name: str) -> Narrow | None:
        """A field as `NarrowColumns` has it; None where there is no such column."""
        if len(self._records) < CHUNK_ROWS:
            return None
        column = self._log.narrow_columns.column(self.start, name)
        return column if column is None or self._places is None else column.take(self._places)

    def only(self, places: Places) -> Block:
        """Some of the records, by their places in this block."""
        places = places if self._places is None else self._places.take(places)
        return Block(self._log, self.start, self._records, places)
