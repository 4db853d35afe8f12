"""Columns of which most chunks are passed over: those of items and of errors."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from antflow_core.history.event_log import EventLog
from antflow_core.search.blocks import Block
from antflow_core.search.classes import Codes
from antflow_core.search.columns import LookupColumn, Matches, dictionary

_ITEM_US, _SPARSE_US = 28.0, 10.0
_FEW: Final = 1 << 12
"""So many items may be in a few chunks only, and it pays off to know which."""


class ItemColumn(LookupColumn):
    """Looks items up, except in chunks that none of the matching ones can be in."""

    def __init__(self, log: EventLog, conditions: Mapping[int, Sequence[Matches]]) -> None:
        super().__init__(dictionary(log, "item"), conditions)
        self._log = log
        self._few: array[int] | None = array("q")

    def codes(self, block: Block) -> Codes | int:
        if not self._matching or not self._log.may_hold_items(block.start, self._lowest, self._highest):
            return 0
        span = block.item_span()
        if span is None:
            return super().codes(block)
        if not self._may_match(*span):
            return 0
        if self._lowest <= span[0] and span[1] <= self._highest and self._follow_one_another():
            return int(self._codes[1])
        narrow = block.narrow("item")
        if narrow is None or span[0] < self._first:
            return super().codes(block)
        return self._table[span[0] - self._first :].take(narrow)

    def cost_us(self) -> float:
        return _ITEM_US if self._few is None else _SPARSE_US

    def _may_match(self, lowest: int, highest: int) -> bool:
        """Whether one of the matching items, if they are few, is between two."""
        if self._few is None:
            return True
        place = bisect_left(self._few, lowest)
        return place < len(self._few) and self._few[place] <= highest

    def _note(self, start: int, new: Codes) -> None:
        super()._note(start, new)
        if self._few is not None and self._matching <= _FEW:
            self._few.extend((np.flatnonzero(new) + start).tolist())
        else:
            self._few = None


class ErrorColumn(LookupColumn):
    """Looks errors up, of few records only: in most chunks it is known which have one."""

    def __init__(self, log: EventLog, conditions: Mapping[int, Sequence[Matches]]) -> None:
        super().__init__(dictionary(log, "error"), conditions)
        self._log = log

    def codes(self, block: Block) -> Codes | int:
        is_whole = self._matching and block.is_whole
        places = self._log.rows_with_errors(block.start) if is_whole else None
        if places is None:
            return super().codes(block)
        if not len(places):
            return 0
        codes = np.zeros(len(block), self._table.dtype)
        codes[places] = self._table.take(block.field("error")[places])
        return codes

    def cost_us(self) -> float:
        return _SPARSE_US


def lookup_column(log: EventLog, name: str, conditions: Mapping[int, Sequence[Matches]]) -> LookupColumn:
    """The column of records that names entries of a dictionary."""
    if name == "item":
        return ItemColumn(log, conditions)
    if name == "error":
        return ErrorColumn(log, conditions)
    return LookupColumn(dictionary(log, name), conditions)
