"""What a query that finds nothing may have been meant to say: words that look like operators or conditions.

They are no mistakes: a message may well have ``and`` or ``status=500`` in it, and is found by that.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from antflow_core.search.fields import FIELDS, Takes
from antflow_core.search.query import parse
from antflow_core.search.tree import Style, terms_of

_OPERATORS: Final = {
    "and": "AND",
    "&": "AND",
    "&&": "AND",
    "or": "OR",
    "|": "OR",
    "||": "OR",
    "not": "NOT",
}
_CONDITION: Final = re.compile(r"(?P<field>[A-Za-z_]+)(?P<sign>==|!=|>=|<=|=|>|<)(?P<value>[^=<>].*)")
_COMPARED: Final = (Takes.COUNTS, Takes.DURATIONS)


@functools.lru_cache(maxsize=8)  # a view asks at each tick
def doubt(query: str) -> str:
    """A sentence about the first such word; empty where there is none.

    Raises:
        QueryError: The query is faulty.
    """
    for term in terms_of(parse(query)):
        [text, *_] = term.values
        if term.field is None and text.style is Style.PLAIN:
            meant = _OPERATORS.get(text.text.lower()) or _condition(text.text)
            if meant:
                return f"`{text.text}` is searched for as a word; did you mean `{meant}`?"
    return ""


def _condition(word: str) -> str:
    """A word such as ``stage=Fetch`` as a condition; empty where it is like none."""
    found = _CONDITION.fullmatch(word)
    field = FIELDS.get(found["field"].lower()) if found is not None else None
    if found is None or field is None:
        return ""
    sign, value = found["sign"], found["value"]
    if sign in ("=", "==", "!="):
        return f"{'-' if sign == '!=' else ''}{field.name}:{value}"
    return f"{field.name}:{sign}{value}" if field.takes in _COMPARED else ""
