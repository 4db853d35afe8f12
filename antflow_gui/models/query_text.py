"""Reads and rewrites the terms of a search query's text, so that a click and typing are the same filter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from antflow_core.search.query import parse, quote
from antflow_core.search.tree import AllOf, AnyOf, Node, Not, Style, Term

_TASK_FIELDS = frozenset({"event", "task"})


def field_values(query: str, field: str) -> tuple[str, ...]:
    """The values a query asks of a field, as in ``status:failed,retrying``.

    Not those that it excludes, asks for only as an alternative, or describes by a regular expression.

    Raises:
        QueryError: The query is faulty; so do the others here.
    """
    return tuple(
        value.text
        for term in _terms_for(parse(query), field)
        for value in term.values
        if value.style is not Style.REGEX
    )


def with_field(query: str, field: str, values: Iterable[str]) -> str:
    """The query asking these values of a field instead of the ones it asked before; no values: not at all."""
    whole = parse(query)
    replaced = _terms_for(whole, field)
    kept = [part for part in _parts(whole) if part not in replaced]
    joined = ",".join(quote(value) for value in values)
    asked = [f"{field}:{joined}"] if joined else []
    if len(kept) == 1 and not asked:
        return _without_parentheses(query, kept[0])
    return " ".join([*(_spelt(query, part) for part in kept), *asked])


def asked_statuses(query: str) -> tuple[str, ...]:
    """The statuses a query asks for, by their proper names however they were spelt."""
    return field_values(query, "status")


def toggled_status(query: str, status: str) -> str:
    """The query asking for one status more, or without it where it was asked for already."""
    asked = asked_statuses(query)
    without = [other for other in asked if other != status]
    return with_field(query, "status", without if status in asked else [*asked, status])


def asks_for_task_events(query: str) -> bool:
    """Whether a query names task events: by ``event:`` or ``task:``, and not only to leave some out."""
    return _names_tasks(parse(query), excluded=False)


def _names_tasks(node: Node, *, excluded: bool) -> bool:
    if isinstance(node, Term):
        return node.field in _TASK_FIELDS and not excluded
    if isinstance(node, Not):
        return _names_tasks(node.part, excluded=not excluded)
    return any(_names_tasks(part, excluded=excluded) for part in node.parts)


def _parts(whole: Node) -> Sequence[Node]:
    """What must all be true: the terms of a query, and its groups."""
    return whole.parts if isinstance(whole, AllOf) else (whole,)


def _terms_for(whole: Node, field: str) -> list[Term]:
    return [part for part in _parts(whole) if isinstance(part, Term) and part.field == field]


def _spelt(query: str, part: Node) -> str:
    """A part as the query spells it; alternatives get the parentheses that they need beside others."""
    text = query[part.start : part.stop]
    return f"({text})" if isinstance(part, AnyOf) and not _is_group(part) else text


def _without_parentheses(query: str, part: Node) -> str:
    """A part that stands alone, where its parentheses are of no use."""
    if isinstance(part, AllOf | AnyOf) and _is_group(part):
        return query[part.parts[0].start : part.parts[-1].stop]
    return query[part.start : part.stop]


def _is_group(part: AllOf | AnyOf) -> bool:
    """Whether the parts have parentheses around them together."""
    return part.start < part.parts[0].start
