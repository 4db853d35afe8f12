"""A query over columns: which records of a block it finds, every column read at most once.

Each column sorts records into classes, by the conditions they fulfil. The classes of all columns together
make a record's state, a number, and a table over all states says whether the query finds it. Columns are
read in the order in which they decide most; records whose fate is decided are not looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from antflow_core.search.blocks import Block
from antflow_core.search.classes import (
    MAX_STATES,
    Codes,
    Mask,
    TooManyStatesError,
    looked_up,
    smallest_type,
)
from antflow_core.search.columns import Column, Shares, between

_LOST, _FOUND, _OPEN = 0, 1, 2
_MOST_COMBINED: Final = 1 << 22
"""So many combinations of classes are looked at, for most make no difference and leave few states."""
_PARTING_US, _ASKING_US, _TAKING_US = 30.0, 8.0, 30.0
"""What it costs to tell the open records of a chunk from the others, and then for each column to ask it for
some records, however few, and to take these by their places, if it were all.
"""
_SMALLEST_SHARE: Final = 0.001
_TRY_EVERY: Final = 64
"""In one block of so many it is tried after which columns that would pay off."""
_MOST_LEFT: Final = 0.1
"""The same for records left to the tables that follow one."""


class Masking(Protocol):
    """What tells of every record of a block whether it is found."""

    def follow(self) -> None:
        """Take in what is new in the dictionaries.

        Raises:
            TooManyStatesError: There are more states now than a table has.
        """

    def mask(self, block: Block) -> Mask | bool:
        """Which records are found, or one answer for all."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A part of a query that is fulfilled or not, by its number."""

    number: int


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
        fates: By the state as far as it is known after it, whether a record is lost, found or still open.
        most_open: Up to which share of open records it pays off to go on with these alone.
        narrows: Whether there were so few when it was last tried.
    """

    column: Column
    fates: NDArray[np.uint8]
    most_open: float
    narrows: bool = False


class StateTable:
    """Finds records by the truth of an expression over their states.

    Args:
        expression: What must be true.
        columns: What sorts records into classes.
    """

    def __init__(self, expression: Expression, columns: Sequence[Column]) -> None:
        self._expression = expression
        self._columns = columns
        self._class_counts: list[int] | None = None
        self._truth: Mask = np.zeros(1, np.bool_)
        self._outcome: Callable[[Codes], Mask] = partial(looked_up, self._truth)
        self._steps: list[_Step] = []
        self._looks = 0

    def follow(self) -> None:
        for column in self._columns:
            column.follow()
        counts = [len(column.classes) for column in self._columns]
        if counts != self._class_counts:
            self._plan(counts)
            self._class_counts = counts

    def mask(self, block: Block) -> Mask | bool:
        self._looks += 1
        return self._mask(self._steps, 0, block)

    def _mask(self, steps: Sequence[_Step], state: Codes | int, block: Block) -> Mask | bool:
        tries = self._looks % _TRY_EVERY == 1
        for number, step in enumerate(steps):
            codes: Any = step.column.codes(block)
            state = codes + state
            if isinstance(state, int):
                if step.fates[state] != _OPEN:
                    return bool(step.fates[state])
            elif step.most_open and (step.narrows or tries):
                fates = looked_up(step.fates, state)
                still_open = (fates == _OPEN).nonzero()[0]
                step.narrows = len(still_open) <= len(block) * step.most_open
                if step.narrows:
                    found: Mask = fates == _FOUND
                    if len(still_open):
                        left = steps[number + 1 :]
                        found[still_open] = self._mask(left, state[still_open], block.only(still_open))
                    return found
        return bool(self._truth[state]) if isinstance(state, int) else self._outcome(state)

    def _plan(self, counts: Sequence[int]) -> None:
        """Read the columns in the order in which they decide most, as far as anything depends on them."""
        if prod(counts) > _MOST_COMBINED:
            raise TooManyStatesError
        truth = _truth(self._expression, self._columns)
        needed: list[tuple[Column, NDArray[np.intp], Shares]] = []
        for axis, column in reversed([*enumerate(self._columns)]):
            truth, merged = _merged(truth, axis)
            if truth.shape[axis] == 1:
                truth = truth.squeeze(axis)
                continue
            needed.insert(0, (column, merged, _united(column.shares(), merged)))
        if truth.size > MAX_STATES:
            raise TooManyStatesError
        open_shares = [float(shares @ _is_open(truth, axis)) for axis, (_, _, shares) in enumerate(needed)]
        order = sorted(range(len(needed)), key=lambda axis: _price(needed[axis][0], open_shares[axis]))
        truth = truth.transpose(order)
        self._truth = truth.ravel()
        self._outcome = _outcome(self._truth)
        self._steps = []
        width = smallest_type(truth.size)
        for place, (column, merged, _) in enumerate(needed[at] for at in order):
            left = tuple(range(place + 1, truth.ndim))
            stride = prod(truth.shape[place + 1 :])
            column.encode((merged * stride).astype(width))
            most_open = _most_open([needed[axis][0] for axis in order[place + 1 :]])
            self._steps.append(_Step(column, _fates(truth, left), most_open))


class Joined:
    """Several maskings together, for a query that is too much for one table.

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

    def mask(self, block: Block) -> Mask | bool:
        joined = self._joined(self._parts, block)
        if not self._negated:
            return joined
        return not joined if isinstance(joined, bool) else ~joined

    def _joined(self, parts: Sequence[Masking], block: Block) -> Mask | bool:
        joined: Any = self._needs_all
        for number, part in enumerate(parts):
            mask = part.mask(block)
            joined = joined & mask if self._needs_all else joined | mask
            if isinstance(joined, bool):
                if joined != self._needs_all:
                    break
                continue
            left = (joined if self._needs_all else ~joined).nonzero()[0]
            if len(left) <= len(block) * _MOST_LEFT:
                if len(left) and number + 1 < len(parts):
                    joined[left] = self._joined(parts[number + 1 :], block.only(left))
                break
        return joined  # type: ignore[no-any-return]  # a mask where any part gave one


def _truth(expression: Expression, columns: Sequence[Column]) -> Mask:
    """For each state whether an expression is true of it; each column's classes are an axis."""
    shape = [len(column.classes) for column in columns]
    return np.broadcast_to(_truth_of(expression, columns), shape)


def _truth_of(expression: Expression, columns: Sequence[Column]) -> Mask:
    """The same, of length 1 along the axes of columns that the expression does not ask."""
    if isinstance(expression, Negation):
        return ~_truth_of(expression.part, columns)
    if isinstance(expression, Condition):
        truth: Mask = np.zeros([1] * len(columns), np.bool_)
        for axis, column in enumerate(columns):
            if expression.number in column.classes.conditions:
                fulfilled = column.classes.truth(column.classes.conditions.index(expression.number))
                truth = truth | np.expand_dims(fulfilled, [*range(axis), *range(axis + 1, len(columns))])
        return truth
    truth = np.full([1] * len(columns), expression.needs_all)
    for part in expression.parts:
        here = _truth_of(part, columns)
        truth = truth & here if expression.needs_all else truth | here
    return truth


def _merged(truth: Mask, axis: int) -> tuple[Mask, NDArray[np.intp]]:
    """The truth with classes of a column made one that make no difference, and what each has become."""
    numbers: dict[bytes, int] = {}
    slices = np.moveaxis(truth, axis, 0)
    merged = [numbers.setdefault(each.tobytes(), len(numbers)) for each in slices]
    firsts = [merged.index(number) for number in range(len(numbers))]
    return truth.take(firsts, axis=axis), np.array(merged, np.intp)


def _united(shares: Shares, merged: NDArray[np.intp]) -> Shares:
    """The shares of classes that were merged, given those of the classes before."""
    united = np.zeros(int(merged.max()) + 1)
    np.add.at(united, merged, shares)
    return united


def _is_open(truth: Mask, axis: int) -> NDArray[np.float64]:
    """By the class of one column alone whether a record's fate is open."""
    others = tuple(other for other in range(truth.ndim) if other != axis)
    is_open = np.asarray(truth.any(axis=others)) & ~np.asarray(truth.all(axis=others))
    return is_open.astype(np.float64)


def _price(column: Column, open_share: float) -> float:
    """What a column costs for each share of records that it decides; the lowest is read first."""
    return column.cost_us() / max(1 - open_share, _SMALLEST_SHARE)


def _most_open(left: Sequence[Column]) -> float:
    """Up to which share of open records it pays off to read the columns that are left for these alone."""
    cost_us = sum(column.cost_us() for column in left)
    saved_us = cost_us - _PARTING_US - _ASKING_US * len(left)
    return max(saved_us, 0) / (cost_us + _TAKING_US * len(left) + _PARTING_US)


def _fates(truth: Mask, left: tuple[int, ...]) -> NDArray[np.uint8]:
    """By the state as far as it is known, what the columns that are left to read can make of a record."""
    possible, certain = truth.any(axis=left, keepdims=True), truth.all(axis=left, keepdims=True)
    fates = np.where(certain, _FOUND, np.where(possible, _OPEN, _LOST)).astype(np.uint8)
    return np.broadcast_to(fates, truth.shape).ravel()


def _outcome(truth: Mask) -> Callable[[Codes], Mask]:
    """The quickest way from states to truth: where it is true of neighbours only, comparing with the ends."""
    true = np.flatnonzero(truth)
    if true.tolist() == [1] and len(truth) == 2:
        return lambda states: states.view(np.bool_)
    if len(true) and true[-1] - true[0] + 1 == len(true):
        lowest, highest = int(true[0]), int(true[-1])
        if highest == len(truth) - 1:
            return lambda states: np.asarray(states >= lowest)
        return lambda states: between(states, lowest, highest)
    return partial(looked_up, truth)
