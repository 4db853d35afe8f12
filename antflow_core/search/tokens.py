r"""The smallest parts of a query: their patterns, and a reading of them that any mistake survives.

The grammar is made of the same patterns. Completion reads with these alone, for a query that is being typed
is faulty most of the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

_INNER = r"\((?:[^\s()]|\([^\s()]*\))*\)"
"""A pair of parentheses inside a word, as in "get(a)"."""

AND: Final = r"AND(?=[\s()]|\Z)"
OR: Final = r"OR(?=[\s()]|\Z)"
NOT: Final = r"NOT(?=[\s()]|\Z)"
"""Operators are whole words in capitals."""

MINUS: Final = r"-(?=[^\s)-])"
"""A minus that negates stands directly before what it negates."""

ANY_FIELD: Final = r'(?![^\s"]*:\/\/)[A-Za-z_]\w*:'
"""A field is a name with a colon; but a word with "://" before any quote is text."""

FIELD: Final = rf"{ANY_FIELD}(?=[^\s,()])"
FIELD_OF_GROUP: Final = rf"{ANY_FIELD}(?=\()"
COMMA: Final = r"(?<!\s),(?=[^\s,()])"
LAST_COMMA: Final = r"(?<!\s),"
"""Values follow one another without a gap, so that a comma in running text stays text."""

QUOTED: Final = r'"(?:[^"\\]|\\.|\\\Z)*"?'
REGEX: Final = r"\/(?:[^\/\\]|\\.)+\/(?=[\s,)]|\Z)"
OPEN_REGEX: Final = r"\/\S*"
"""What is not finished is read to its end, for the message about it to be exact."""

WORD: Final = rf'(?!(?:OR|AND|NOT)(?=[\s()]|\Z))(?=[^"(])(?:[^\s()]|{_INNER})+'
VALUE: Final = rf'(?=[^"\/])(?:[^\s(),]|{_INNER})+'


class Kind(Enum):
    """What a token is."""

    OPERATOR = f"{AND}|{OR}|{NOT}|{MINUS}"
    PARENTHESIS = r"[()]"
    FIELD = ANY_FIELD
    QUOTED = QUOTED
    REGEX = f"{REGEX}|{OPEN_REGEX}"
    COMMA = LAST_COMMA
    WORD = WORD
    VALUE = VALUE


class Token(NamedTuple):
    """A part of a query, from one place to another; `field` is the name of the field it is of, if of any."""

    kind: Kind
    text: str
    start: int
    stop: int
    field: str | None


_PATTERNS: Final = {kind: re.compile(kind.value, re.DOTALL) for kind in Kind}
_SPACES: Final = re.compile(r"\S|\Z")
_TERMS: Final = (Kind.OPERATOR, Kind.PARENTHESIS, Kind.FIELD, Kind.QUOTED, Kind.WORD)
_VALUES: Final = (Kind.QUOTED, Kind.REGEX, Kind.VALUE)


def tokens(query: str) -> Iterator[Token]:
    """The parts of a query, faulty or not, in order."""
    token = _read(query, 0, _TERMS)
    while token is not None:
        yield token
        token = _next(query, token)


def _next(query: str, token: Token) -> Token | None:
    """What follows a token: in a field a value, behind that a comma, and everywhere else a term."""
    found = None
    if token.kind in (Kind.FIELD, Kind.COMMA):
        found = _read(query, token.stop, _VALUES, token.field)
    elif token.field is not None:
        found = _read(query, token.stop, (Kind.COMMA,), token.field)
    return found or _read(query, token.stop, _TERMS)


def _read(query: str, at: int, kinds: tuple[Kind, ...], field: str | None = None) -> Token | None:
    if kinds is _TERMS:
        space = _SPACES.search(query, at)
        at = space.start() if space else len(query)
    for kind in kinds:
        found = _PATTERNS[kind].match(query, at)
        if found is not None and found.end() > at:
            name = found[0][:-1].lower() if kind is Kind.FIELD else field
            return Token(kind, found[0], at, found.end(), name)
    return None
