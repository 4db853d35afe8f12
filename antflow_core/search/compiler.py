"""From the tree of a query to what finds its events in the blocks of a log."""

from __future__ import annotations

from collections.abc import Sequence

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KINDS, STATUS_COUNT
from antflow_core.search.blocks import Block
from antflow_core.search.classes import Mask, TooManyStatesError
from antflow_core.search.columns import Column
from antflow_core.search.conditions import Leaf, Viewpoint, leaf_of
from antflow_core.search.intervals import DurationColumn, TimeColumn
from antflow_core.search.masks import (
    Combination,
    Condition,
    Expression,
    Joined,
    Masking,
    Negation,
    StateTable,
)
from antflow_core.search.sparse_columns import lookup_column
from antflow_core.search.tree import AllOf, AnyOf, Node, Not, Style, Term, Text, terms_of

_DICTIONARIES = ("kind", "attempt", "stage", "worker", "task", "error", "item")


class Query:
    """Finds the events of a query in the blocks of a log: by one table, or by several if it must be.

    Args:
        log: Where the events are.
        node: The query.
        viewpoint: What its moments are counted from.
    """

    def __init__(self, log: EventLog, node: Node, viewpoint: Viewpoint) -> None:
        self._log = log
        self._node = node
        self._viewpoint = viewpoint
        leaves: list[Leaf] = []
        expression = _expression(log, node, viewpoint, leaves)
        self._masking: Masking = StateTable(expression, _columns(log, leaves))

    def follow(self) -> None:
        """Take in what is new in the dictionaries."""
        try:
            self._masking.follow()
        except TooManyStatesError:
            self._masking = self._divided()
            self._masking.follow()

    def mask(self, block: Block) -> Mask | bool:
        """Which records are found, or one answer for all."""
        return self._masking.mask(block)

    def _divided(self) -> Joined:
        """Two halves of the query, each of which is divided again where it is still too much."""
        log, node, viewpoint = self._log, self._node, self._viewpoint
        assert not isinstance(node, Term)  # one condition makes few states
        if isinstance(node, Not):
            return Joined([Query(log, node.part, viewpoint)], needs_all=True, negated=True)
        parts = [Query(log, part, viewpoint) for part in _halves(node)]
        return Joined(parts, needs_all=isinstance(node, AllOf))


def status_rows(node: Node) -> Node:
    """The query of those events of a query that are status events."""
    parts = node.parts if isinstance(node, AllOf) else (node,)
    return AllOf((_kinds_term(KINDS[:STATUS_COUNT]), *parts), node.start, node.stop)


def _expression(log: EventLog, node: Node, viewpoint: Viewpoint, leaves: list[Leaf]) -> Expression:
    """The expression of a node; its conditions are added to `leaves`, numbered by their places there."""
    if isinstance(node, Term):
        leaves.append(leaf_of(log, node, viewpoint))
        return Condition(len(leaves) - 1)
    if isinstance(node, Not):
        return Negation(_expression(log, node.part, viewpoint, leaves))
    if isinstance(node, AllOf):
        parts = _simplified(_flat(node))
        # None of several terms may be true of an event; that is, not any of them.
        refused = [part.part for part in parts if isinstance(part, Not) and isinstance(part.part, Term)]
        others = [part for part in parts if not (isinstance(part, Not) and isinstance(part.part, Term))]
        expressions = [_expression(log, part, viewpoint, leaves) for part in others]
        expressions += [Negation(part) for part in _either(log, refused, viewpoint, leaves)]
        return Combination(tuple(expressions), needs_all=True)
    parts = _flat(node)
    terms = [part for part in parts if isinstance(part, Term)]
    expressions = [*_either(log, terms, viewpoint, leaves)]
    expressions += [_expression(log, part, viewpoint, leaves) for part in parts if not isinstance(part, Term)]
    return Combination(tuple(expressions), needs_all=False)


def _either(
    log: EventLog, terms: Sequence[Term], viewpoint: Viewpoint, leaves: list[Leaf]
) -> Sequence[Condition]:
    """At least one of some terms, which is one condition; nothing where there are none."""
    if not terms:
        return ()
    joined = leaf_of(log, terms[0], viewpoint)
    for term in terms[1:]:
        joined.join(leaf_of(log, term, viewpoint))
    leaves.append(joined)
    return (Condition(len(leaves) - 1),)


def _flat(node: AllOf | AnyOf) -> Sequence[Node]:
    """The parts of a node, those of parts of its own kind among them."""
    parts: list[Node] = []
    for part in node.parts:
        parts += _flat(part) if isinstance(part, type(node)) else [part]
    return parts


def _simplified(parts: Sequence[Node]) -> Sequence[Node]:
    """Parts that must all be true, those about nothing but the kind of event made into one term."""
    about_kinds = [
        part for part in parts if all(term.field in ("status", "event") for term in terms_of(part))
    ]
    about_kinds = [part for part in about_kinds if not isinstance(part, AllOf | AnyOf) or part.parts]
    if len(about_kinds) < 2:
        return parts
    words = [kind for kind in KINDS if all(_holds(part, kind) for part in about_kinds)]
    return [_kinds_term(words), *(part for part in parts if part not in about_kinds)]


def _holds(node: Node, kind: str) -> bool:
    """Whether a part that is about kinds of events only is true of one."""
    if isinstance(node, Term):
        return any(value.text == kind for value in node.values)
    if isinstance(node, Not):
        return not _holds(node.part, kind)
    answers = (_holds(part, kind) for part in node.parts)
    return all(answers) if isinstance(node, AllOf) else any(answers)


def _kinds_term(words: Sequence[str]) -> Term:
    return Term("status", tuple(Text(word, Style.PLAIN, 0, 0) for word in words), 0, 0)


def _halves(node: AllOf | AnyOf) -> Sequence[Node]:
    """The parts of a node in two halves, or its only part."""
    parts, middle = node.parts, len(node.parts) // 2
    if not middle:
        return parts
    kind = type(node)
    return [kind(half, half[0].start, half[-1].stop) for half in (parts[:middle], parts[middle:])]


def _columns(log: EventLog, leaves: Sequence[Leaf]) -> list[Column]:
    """What sorts records by all conditions, each column of records once."""
    columns: list[Column] = []
    times = {number: leaf.times for number, leaf in enumerate(leaves) if leaf.times}
    if times:
        columns.append(TimeColumn(log, times))
    durations = {number: leaf.durations for number, leaf in enumerate(leaves) if leaf.durations}
    if durations:
        columns.append(DurationColumn(durations))
    for name in _DICTIONARIES:
        entries = {number: leaf.entries[name] for number, leaf in enumerate(leaves) if name in leaf.entries}
        if entries:
            columns.append(lookup_column(log, name, entries))
    return columns
