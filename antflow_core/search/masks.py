"""A query over columns: which records of a block it finds, every column read at most once.

A condition is one bit, so that a record's bits say which conditions it fulfils, and a table over all
combinations of bits says whether the query finds it: its length is 2 to the number of conditions. Columns are
read in the order in which they decide most; records whose fate is decided are not looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from antflow_core.search.columns import Bits, Block, Column, Mask, Shares

MAX_CONDITIONS: Final = 16
"""A table of 65,536 truths; a query with more conditions is put together from several tables."""

_LOST, _FOUND, _OPEN = 0, 1, 2
_MOST_OPEN: Final = (0.0, 0.01, 0.08, 0.15, 0.22)
"""Up to which share of records it pays off to go on with these alone, by the columns left to read."""
_TRY_EVERY: Final = 16
"""In one block of so many it is tried after which columns that would pay off."""


class Masking(Protocol):
    """What tells of every record of a block whether it is found."""

    def follow(self) -> None:
        """Take in what is new in the dictionaries."""

    def mask(self, start: int, block: Block) -> Mask | bool:
        """Which records are found, or one answer for all; `start` is the row of the first."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A part of a query that is one bit, by its number."""

    bit: int


@dataclass(frozen=True, slots=True)
class Negation:
    """What its part is not true of."""

    part: Expression


@dataclass(frozen=True, slots=True)
class Combination:
    """What all parts are true of, or at least one of them."""

    parts: tuple[Expression, ...]
    needs_all: bool


Expression = Condition | Negation | Combination


@dataclass(slots=True)
class _Step:
    """One column to read.

    Attributes:
        states: By the bits known after it, whether a record is lost, found or still open.
        most_open: Up to which share of open records the others are left out from here on, see `_MOST_OPEN`.
        narrows: Whether there were so few when it was last tried.
    """

    column: Column
    states: NDArray[np.uint8]
    most_open: float
    narrows: bool = False


class TruthTable:
    """Finds records by the truth of an expression over their bits.

    Args:
        expression: What must be true.
        conditions: How many bits there are, at most `MAX_CONDITIONS`.
        columns: What gives records their bits.
    """

    def __init__(self, expression: Expression, conditions: int, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._truth = _truth(expression, np.arange(1 << conditions))
        self._outcome = _outcome(self._truth)
        self._can_set: list[int] = []
        self._steps: list[_Step] = []
        self._looks = 0

    def follow(self) -> None:
        for column in self._columns:
            column.follow()
        can_set = [column.can_set for column in self._columns]
        if can_set != self._can_set:
            self._can_set = can_set
            self._steps = self._plan()

    def mask(self, start: int, block: Block) -> Mask | bool:
        self._looks += 1
        return self._mask(self._steps, 0, start, block)

    def _mask(self, steps: Sequence[_Step], bits: Bits | int, start: int, block: Block) -> Mask | bool:
        tries = self._looks % _TRY_EVERY == 1
        for number, step in enumerate(steps):
            bits = bits | step.column.bits(start, block)
            if isinstance(bits, int):
                if step.states[bits] != _OPEN:
                    return bool(step.states[bits])
            elif step.most_open and (step.narrows or tries):
                states = step.states.take(bits)
                still_open = (states == _OPEN).nonzero()[0]
                step.narrows = len(still_open) <= len(block) * step.most_open
                if step.narrows:
                    found: Mask = states == _FOUND
                    if len(still_open):
                        part, left = _part(block, still_open), steps[number + 1 :]
                        found[still_open] = self._mask(left, bits[still_open], start, part)
                    return found
        return bool(self._truth[bits]) if isinstance(bits, int) else self._outcome(bits)

    def _plan(self) -> list[_Step]:
        """The columns in the order in which they decide most, as far as anything depends on them."""
        size = len(self._truth)
        able = [(column, column.shares(size)) for column in self._columns if column.can_set]
        needed = [each for each in able if self._depends_on(each[0].can_set, _united_bits(able))]
        shares = [self._open_share(each[1], _united_bits(needed, but=each[0])) for each in needed]
        ordered = [needed[at] for at in sorted(range(len(needed)), key=shares.__getitem__)]
        return [
            _Step(column, self._states(_united_bits(later)), _MOST_OPEN[min(len(later), 4)])
            for number, (column, _) in enumerate(ordered)
            for later in [ordered[number + 1 :]]
        ]

    def _depends_on(self, bits: int, possible: int) -> bool:
        """Whether any of some bits makes a difference, where only possible bits are ever set."""
        combinations = np.arange(len(self._truth))
        combinations = combinations[combinations & ~possible == 0]
        flipped = (combinations ^ 1 << bit for bit in range(bits.bit_length()) if bits >> bit & 1)
        return any((self._truth[combinations] != self._truth[others]).any() for others in flipped)

    def _open_share(self, shares: Shares, later: int) -> float:
        """Which share of records is left open by a column, at a guess."""
        return float(shares[self._states(later) == _OPEN].sum())

    def _states(self, later: int) -> NDArray[np.uint8]:
        """By the bits known so far, what the bits that may still come can make of a record."""
        possible, certain = self._truth.copy(), self._truth.copy()
        for bit in range(later.bit_length()):
            if later >> bit & 1:
                with_bit = possible.reshape(-1, 2, 1 << bit)
                with_bit[:, 0] |= with_bit[:, 1]
                with_bit = certain.reshape(-1, 2, 1 << bit)
                with_bit[:, 0] &= with_bit[:, 1]
        return np.where(certain, _FOUND, np.where(possible, _OPEN, _LOST)).astype(np.uint8)


class Joined:
    """Several maskings together, for a query with more conditions than one table has.

    Args:
        parts: What is put together.
        needs_all: Whether a record must be found by all of them, or by one.
        negated: Whether the outcome is turned around.
    """

    def __init__(self, parts: Sequence[Masking], *, needs_all: bool, negated: bool = False) -> None:
        self._parts = parts
        self._needs_all = needs_all
        self._negated = negated

    def follow(self) -> None:
        for part in self._parts:
            part.follow()

    def mask(self, start: int, block: Block) -> Mask | bool:
        joined: Any = self._needs_all
        for part in self._parts:
            mask = part.mask(start, block)
            joined = joined & mask if self._needs_all else joined | mask
            if not np.any(joined) if self._needs_all else np.all(joined):
                break
        if self._negated:
            joined = not joined if isinstance(joined, bool) else ~joined
        return joined  # type: ignore[no-any-return]  # a mask where any part gave one


def _truth(expression: Expression, bits: NDArray[np.int64]) -> Mask:
    """For each combination of bits whether an expression is true of it."""
    if isinstance(expression, Condition):
        return np.asarray(bits >> expression.bit & 1 != 0)
    if isinstance(expression, Negation):
        return ~_truth(expression.part, bits)
    truth = np.full(len(bits), expression.needs_all)
    for part in expression.parts:
        truth = truth & _truth(part, bits) if expression.needs_all else truth | _truth(part, bits)
    return truth


def _outcome(truth: Mask) -> Callable[[Bits], Mask]:
    """The quickest way from bits to truth."""
    true, false = np.flatnonzero(truth).tolist(), np.flatnonzero(~truth).tolist()
    if true == [1] and false == [0]:
        return lambda bits: bits.view(np.bool_) if bits.itemsize == 1 else bits != 0
    if len(true) == 1:
        return lambda bits: np.asarray(bits == true[0])
    if len(false) == 1:
        return lambda bits: np.asarray(bits != false[0])
    return truth.take


def _part(block: Block, places: NDArray[np.intp]) -> Block:
    """Some records of a block; as plain bytes they are taken ten times as fast as by their fields."""
    return block.view(f"V{block.itemsize}").take(places).view(block.dtype)


def _united_bits(columns: Sequence[tuple[Column, Shares]], but: Column | None = None) -> int:
    bits = 0
    for column, _ in columns:
        bits |= column.can_set if column is not but else 0
    return bits
