"""Reads and rewrites the terms of a search query's text, so that a click and typing are the same filter."""

from __future__ import annotations

import re
from collections.abc import Iterable

from antflow_core.history.search import quote, unquote

# One term: an optional minus, an optional field, then words and "quoted parts" without a gap.
_QUOTED = r'"(?:[^"\\]|\\.)*"?'
_TERM = re.compile(rf'(?:{_QUOTED}|[^\s"])+', re.DOTALL)
_PART = re.compile(rf'{_QUOTED}|[^,"]+', re.DOTALL)


def field_values(query: str, field: str) -> tuple[str, ...]:
    """The values a query asks of a field, as in ``status:failed,retrying``; not those it excludes."""
    prefix = f"{field}:"
    return tuple(
        unquote(part)
        for term in _TERM.findall(query)
        if term.lower().startswith(prefix)
        for part in _PART.findall(term[len(prefix) :])
    )


def with_field(query: str, field: str, values: Iterable[str]) -> str:
    """The query asking these values of a field instead of the ones it asked before; no values: not at all."""
    prefix = f"{field}:"
    kept = [term for term in _TERM.findall(query) if not term.lower().startswith(prefix)]
    joined = ",".join(quote(value) for value in values)
    return " ".join([*kept, prefix + joined] if joined else kept)


def asked_statuses(query: str) -> tuple[str, ...]:
    """The statuses a query asks for, by their proper names however they were spelt."""
    return tuple(re.sub(r"[\s-]", "_", value.lower()) for value in field_values(query, "status"))


def toggled_status(query: str, status: str) -> str:
    """The query asking for one status more, or without it where it was asked for already."""
    asked = asked_statuses(query)
    without = [other for other in asked if other != status]
    return with_field(query, "status", without if status in asked else [*asked, status])
