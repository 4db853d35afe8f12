r"""The query language, from text to terms: bare words, quotes, fields, commas for "or", a minus for "not".

::

    timeout "two words"        text anywhere in item, stage, worker, task or error, ignoring case
    status:failed,retrying     status events of one of these statuses
    stage:Fetch                events of a stage by its name, ignoring case
    item:user-4*               events of items by id; * stands for any text, unless in quotes
    error:Timeout*             events with an error by the name of its type, ignoring case; * as for items
    -stage:Parse               all but these

All terms must match. A word that contains ``://`` is text, unless that stands in a field's quotes. Inside
quotes ``\"`` is a quote and ``\\`` a backslash; a backslash before anything else is itself.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from antflow_core.exceptions import QueryError
from antflow_core.history.records import KINDS, STATUS_COUNT


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a query may name; `values` are all it takes, empty where the run decides."""

    name: str
    meaning: str
    values: tuple[str, ...] = ()


FIELDS: Final = MappingProxyType(
    {
        field.name: field
        for field in (
            Field("status", "status events of this status", KINDS[:STATUS_COUNT]),
            Field("stage", "events of the stage of this name"),
            Field("item", "events of the item with this id; * stands for any text"),
            Field("error", "events with an error of this type; * stands for any text"),
        )
    }
)
"""What may stand before a colon, for completion and filter menus."""


@dataclass(frozen=True, slots=True)
class Value:
    """One of a term's alternatives; `position` is where it begins in the query."""

    text: str
    quoted: bool
    position: int


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: a field and its values, or a text (`field` is None)."""

    field: str | None
    values: tuple[Value, ...]
    negated: bool


_FIELD = re.compile(r"([A-Za-z_]\w*):(?!//)")
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"\S+")
_PART = re.compile(r"[^\s,]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')
_ADDRESS = re.compile(r'[^\s"]*://')


def parse(query: str) -> tuple[Term, ...]:
    """The terms of a query.

    Raises:
        QueryError: An unknown field or status, a field without a value, or a quote that does not end.
    """
    terms: list[Term] = []
    at = _skip_space(query, 0)
    while at < len(query):
        term, at = _term(query, at)
        terms.append(term)
        at = _skip_space(query, at)
    return tuple(terms)


def quote(value: str) -> str:
    """A value as a query must spell it to mean exactly this text."""
    plain = re.fullmatch(r'[^\s",*-][^\s",*]*', value)
    # After a field's colon even leading slashes would read as an address.
    if plain and "://" not in value and not value.startswith("//") and not _FIELD.match(value):
        return value
    escaped = re.sub(r'["\\]', r"\\\g<0>", value)
    return f'"{escaped}"'


def unquote(value: str) -> str:
    """The text that a value of a query means: the reverse of `quote`; a quote may lack its end."""
    if not value.startswith('"'):
        return value
    whole = _QUOTED.fullmatch(value)
    return _ESCAPED.sub(r"\1", whole[1] if whole else value[1:])


def _term(query: str, at: int) -> tuple[Term, int]:
    negated = query[at] == "-" and at + 1 < len(query) and not query[at + 1].isspace()
    at += negated
    if query[at] == '"':
        value, at = _quoted(query, at)
        return Term(None, (value,), negated), at
    field = _FIELD.match(query, at)
    if field is None or _ADDRESS.match(query, at):
        text = _match(_WORD, query, at)
        return Term(None, (Value(text, quoted=False, position=at),), negated), at + len(text)
    name = field[1].lower()
    if name not in FIELDS:
        _refuse("field", field[1], tuple(FIELDS), at)
    values, end = _values(query, field.end(), name)
    return Term(name, values, negated), end


def _values(query: str, at: int, field: str) -> tuple[tuple[Value, ...], int]:
    values: list[Value] = []
    while True:
        value, at = _value(query, at)
        if not value.text and not value.quoted:
            example = FIELDS[field].values[-3:-2] or ("name",)
            raise QueryError(f"{field}: needs a value, as in {field}:{example[0]}", value.position)
        values.append(_known_status(value) if field == "status" else value)
        if at >= len(query) or query[at] != ",":
            return tuple(values), at
        at += 1


def _value(query: str, at: int) -> tuple[Value, int]:
    if at < len(query) and query[at] == '"':
        return _quoted(query, at)
    text = _match(_PART, query, at)
    return Value(text, quoted=False, position=at), at + len(text)


def _quoted(query: str, at: int) -> tuple[Value, int]:
    found = _QUOTED.match(query, at)
    if found is None:
        # A backslash at the very end would escape the quote that is to be added.
        closed = query + '"' if _QUOTED.match(query + '"', at) else query + '\\"'
        raise QueryError('this quote has no end; add a "', at, closed)
    return Value(unquote(found[0]), quoted=True, position=at), found.end()


def _known_status(value: Value) -> Value:
    name = re.sub(r"[\s-]", "_", value.text.lower())
    if name not in FIELDS["status"].values:
        _refuse("status", value.text, FIELDS["status"].values, value.position)
    return Value(name, quoted=value.quoted, position=value.position)


def _refuse(what: str, got: str, known: tuple[str, ...], position: int) -> None:
    close = difflib.get_close_matches(got.lower(), known, n=1)
    if close:
        raise QueryError(f"unknown {what} {got!r}; did you mean {close[0]!r}?", position, close[0])
    advice = "; put quotes around it to search for the text" if what == "field" else ""
    raise QueryError(f"unknown {what} {got!r}; there are {', '.join(known)}{advice}", position)


def _match(pattern: re.Pattern[str], query: str, at: int) -> str:
    found = pattern.match(query, at)
    return found[0] if found else ""


def _skip_space(query: str, at: int) -> int:
    return at + len(_match(_SPACE, query, at))
