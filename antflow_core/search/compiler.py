"""From the tree of a query to what finds its events in the blocks of a log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KINDS, STATUS_COUNT
from antflow_core.search.columns import (
    BitsType,
    Column,
    ErrorColumn,
    ItemColumn,
    LookupColumn,
    Matches,
    NumberColumn,
    TimeColumn,
    dictionary,
)
from antflow_core.search.conditions import Leaf, Viewpoint, leaf_of
from antflow_core.search.masks import (
    MAX_CONDITIONS,
    Combination,
    Condition,
    Expression,
    Joined,
    Masking,
    Negation,
    TruthTable,
)
from antflow_core.search.tree import AllOf, AnyOf, Node, Not, Style, Term, Text, terms_of

_COLUMNS = ("kind", "stage", "worker", "task", "error", "item")


def masking_of(log: EventLog, node: Node, viewpoint: Viewpoint) -> Masking:
    """What finds the events of a query in the blocks of a log."""
    leaves: list[Leaf] = []
    expression = _expression(log, node, viewpoint, leaves)
    if len(leaves) <= MAX_CONDITIONS:
        return TruthTable(expression, len(leaves), _columns(log, leaves))
    if isinstance(node, Not):
        return Joined([masking_of(log, node.part, viewpoint)], needs_all=True, negated=True)
    assert not isinstance(node, Term)
    parts = [masking_of(log, part, viewpoint) for part in _groups(node)]
    return Joined(parts, needs_all=isinstance(node, AllOf))


def status_rows(node: Node) -> Node:
    """The query of those events of a query that are status events."""
    parts = node.parts if isinstance(node, AllOf) else (node,)
    return AllOf((_kinds_term(KINDS[:STATUS_COUNT]), *parts), node.start, node.stop)


def _expression(log: EventLog, node: Node, viewpoint: Viewpoint, leaves: list[Leaf]) -> Expression:
    """The expression of a node; its conditions are added to `leaves`, their places there are their bits."""
    if isinstance(node, Term):
        leaves.append(leaf_of(log, node, viewpoint))
        return Condition(len(leaves) - 1)
    if isinstance(node, Not):
        return Negation(_expression(log, node.part, viewpoint, leaves))
    if isinstance(node, AllOf):
        parts = tuple(_expression(log, part, viewpoint, leaves) for part in _simplified(node.parts))
        return Combination(parts, needs_all=True)
    return Combination(_alternatives(log, node, viewpoint, leaves), needs_all=False)


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


def _alternatives(
    log: EventLog, node: AnyOf, viewpoint: Viewpoint, leaves: list[Leaf]
) -> tuple[Expression, ...]:
    """The parts of an OR; the terms among them that look entries up become one condition."""
    joined: Leaf | None = None
    parts: list[Expression] = []
    for part in node.parts:
        leaf = leaf_of(log, part, viewpoint) if isinstance(part, Term) else None
        if leaf is None:
            parts.append(_expression(log, part, viewpoint, leaves))
        elif joined is not None and leaf.can_be_joined:
            joined.join(leaf)
        else:
            leaves.append(leaf)
            parts.append(Condition(len(leaves) - 1))
            joined = leaf if leaf.can_be_joined else joined
    return tuple(parts)


def _groups(node: AllOf | AnyOf) -> list[Node]:
    """The parts of a node in two halves, or its only part."""
    parts, middle = node.parts, len(node.parts) // 2
    if not middle:
        return [*parts]
    kind = type(node)
    return [kind(half, half[0].start, half[-1].stop) for half in (parts[:middle], parts[middle:])]


def _columns(log: EventLog, leaves: Sequence[Leaf]) -> list[Column]:
    """What gives records the bits of all conditions, each column of records once."""
    bits_type: BitsType = np.uint8 if len(leaves) <= 8 else np.uint16
    numbered = [*enumerate(leaves)]
    columns: list[Column] = []
    times = [(bit, leaf.time) for bit, leaf in numbered if leaf.time is not None]
    if times:
        columns.append(TimeColumn(log, times, bits_type))
    for name in ("attempt", "duration"):
        numbers = [
            (bit, leaf.numbers[1]) for bit, leaf in numbered if leaf.numbers and leaf.numbers[0] == name
        ]
        if numbers:
            columns.append(NumberColumn(name, numbers, bits_type))
    for name in _COLUMNS:
        entries = [(bit, matches) for bit, leaf in numbered for matches in leaf.entries.get(name, ())]
        if entries:
            columns.append(_lookup_column(log, name, entries, bits_type))
    return columns


def _lookup_column(
    log: EventLog, name: str, conditions: Sequence[tuple[int, Matches]], bits_type: BitsType
) -> LookupColumn:
    if name == "item":
        return ItemColumn(log, conditions, bits_type)
    if name == "error":
        return ErrorColumn(log, conditions, bits_type)
    return LookupColumn(dictionary(log, name), conditions, bits_type)
