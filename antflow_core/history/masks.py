"""Terms of a query as masks over columns: dictionaries are matched, events only looked up in the outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.event_log import EventLog
from antflow_core.history.query import Term, Value
from antflow_core.history.records import KIND_INDEX, KINDS, STATUS_COUNT
from antflow_core.history.text_index import TextPattern

Mask = NDArray[np.bool_]
Block = NDArray[np.void]
Matches = Callable[[int, int], Mask]

_EMPTY_SLOTS: Final = {"stage": 1 << 16, "task": 1 << 16}
"""Columns whose "none" or "other" is the largest value; elsewhere none is -1, an index from the end."""


class Lookup:
    """Which indexes of one dictionary match; it follows the dictionary as it grows.

    Args:
        column: The record's field that holds the index.
        count: How many entries the dictionary has now.
        matches: For a range of entries whether they match.
    """

    def __init__(self, column: str, count: Callable[[], int], matches: Matches) -> None:
        self._column = column
        self._count = count
        self._matches = matches
        self._known = 0
        self._table: Mask = np.zeros(_EMPTY_SLOTS.get(column, 1), np.bool_)
        self._matching = 0
        self._only = -1

    def follow(self) -> None:
        """Look at the entries that are new."""
        count = self._count()
        if count == self._known:
            return
        new = self._matches(self._known, count)
        if len(self._table) <= count:
            # Twice what is needed, so that following costs what is new; the last slot stays free for -1.
            self._table = np.concatenate([self._table, np.zeros(2 * count, np.bool_)])
        self._table[self._known : count] = new
        hits = np.flatnonzero(new)
        if len(hits):
            self._matching += len(hits)
            self._only = self._known + int(hits[-1])
        self._known = count

    def mask(self, block: Block) -> Mask | None:
        """Which records match, None for none at all."""
        if not self._matching:
            return None
        indexes = block[self._column]
        if self._matching == 1:
            return np.asarray(indexes == self._only)
        return self._table.take(indexes)


class Condition:
    """One term: a record fulfils it when any of its lookups matches, or, negated, none."""

    def __init__(self, lookups: Sequence[Lookup], *, negated: bool = False) -> None:
        self._lookups = lookups
        self._negated = negated

    def follow(self) -> None:
        """Take in what is new in the dictionaries."""
        for lookup in self._lookups:
            lookup.follow()

    def mask(self, block: Block) -> Mask:
        """Which records fulfil the condition."""
        found: Mask | None = None
        for lookup in self._lookups:
            mask = lookup.mask(block)
            if mask is not None:
                found = mask if found is None else found | mask
        if found is None:
            return np.full(len(block), self._negated)
        return ~found if self._negated else found


def compile_terms(log: EventLog, terms: Sequence[Term], *, status_rows_only: bool) -> list[Condition]:
    """The conditions all of which a record must fulfil, the cheapest first."""
    conditions = [Condition([_kinds(range(STATUS_COUNT))])] if status_rows_only else []
    order = ("status", "stage", "error", "item", None)
    cheapest_first = sorted(terms, key=lambda term: order.index(term.field))
    return conditions + [Condition(_lookups(log, term), negated=term.negated) for term in cheapest_first]


def _lookups(log: EventLog, term: Term) -> list[Lookup]:
    if term.field == "status":
        return [_kinds([KIND_INDEX[value.text] for value in term.values])]
    if term.field == "stage":
        return [_stages(log, term.values)]
    if term.field == "item":
        return [_items(log, term.values)]
    if term.field == "error":
        return [_error_types(log, term.values)]
    return _anywhere(log, TextPattern((term.values[0].text.casefold(),)))


def _kinds(kinds: Sequence[int]) -> Lookup:
    wanted = np.isin(np.arange(len(KINDS)), list(kinds))
    return Lookup("kind", lambda: len(KINDS), lambda first, stop: wanted[first:stop])


def _stages(log: EventLog, values: Sequence[Value]) -> Lookup:
    wanted = {value.text.casefold() for value in values}
    return Lookup(
        "stage",
        lambda: len(log.stages),
        lambda first, stop: _each(first, stop, lambda at: log.stages[at].name.casefold() in wanted),
    )


def _items(log: EventLog, values: Sequence[Value]) -> Lookup:
    patterns = [_pattern(value.text, quoted=value.quoted) for value in values]
    index = log.text_index("item")

    def matches(first: int, stop: int) -> Mask:
        found = np.zeros(stop - first, np.bool_)
        for pattern in patterns:
            found |= index.find(pattern, first, stop)
        return found

    return Lookup("item", lambda: log.item_count, matches)


def _error_types(log: EventLog, values: Sequence[Value]) -> Lookup:
    patterns = [_pattern(value.text.casefold(), quoted=value.quoted) for value in values]
    names = log.errors.type_names

    def fits(at: int) -> bool:
        name = names[at].casefold()
        return any(pattern.matches(name) for pattern in patterns)

    def matches(first: int, stop: int) -> Mask:
        # A million errors have a handful of types, so each name is looked at once.
        return _each(0, len(names), fits).take(log.errors.type_indexes(first, stop))

    return Lookup("error", lambda: log.error_count, matches)


def _pattern(text: str, *, quoted: bool) -> TextPattern:
    return TextPattern.exact(text) if quoted else TextPattern.wildcard(text)


def _anywhere(log: EventLog, pattern: TextPattern) -> list[Lookup]:
    items, errors = log.text_index("item folded"), log.text_index("error folded")

    def names(column: str, texts: Sequence[str]) -> Lookup:
        return Lookup(
            column,
            lambda: len(texts),
            lambda first, stop: _each(first, stop, lambda at: pattern.matches(texts[at].casefold())),
        )

    stages = Lookup(
        "stage",
        lambda: len(log.stages),
        lambda first, stop: _each(first, stop, lambda at: pattern.matches(log.stages[at].name.casefold())),
    )
    return [
        Lookup("item", lambda: log.item_count, lambda first, stop: items.find(pattern, first, stop)),
        stages,
        names("worker", log.workers),
        names("task", log.tasks),
        Lookup("error", lambda: log.error_count, lambda first, stop: errors.find(pattern, first, stop)),
    ]


def _each(first: int, stop: int, fits: Callable[[int], bool]) -> Mask:
    return np.fromiter(map(fits, range(first, stop)), np.bool_, stop - first)
