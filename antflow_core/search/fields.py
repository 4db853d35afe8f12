"""The fields that a query may name, and how a value is spelt in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from antflow_core.history.records import KINDS, STATUS_COUNT


class Takes(Enum):
    """What the values of a field are."""

    CHOICES = "one of its words"
    NAMES = "names"
    WORDS = "text"
    COUNTS = "whole numbers"
    DURATIONS = "durations"
    MOMENT = "a moment"
    AGE = "a duration back from the newest event"


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a query may name.

    Attributes:
        meaning: Which events it finds, to follow "events …".
        example: A value it takes.
        takes: What its values are.
        values: All it takes, empty where the run decides.
    """

    name: str
    meaning: str
    example: str
    takes: Takes
    values: tuple[str, ...] = ()


FIELDS: Final = MappingProxyType(
    {
        field.name: field
        for field in (
            Field("status", "of this status", "failed", Takes.CHOICES, KINDS[:STATUS_COUNT]),
            Field("stage", "in the stage of this name", "Fetch", Takes.NAMES),
            Field("item", "of the item with this id", "7", Takes.NAMES),
            Field("worker", "of the worker of this name", "Fetch-W3", Takes.NAMES),
            Field("task", "of the task of this name", "upload", Takes.NAMES),
            Field("event", "of a task, of this kind", "retry", Takes.CHOICES, KINDS[STATUS_COUNT:]),
            Field("attempt", "of this attempt", ">=2", Takes.COUNTS),
            Field("duration", "that took so long", ">1.5s", Takes.DURATIONS),
            Field("error", "with this in their error's type or message", "timeout", Takes.WORDS),
            Field("error_type", "with an error of this type", "TimeoutError", Takes.NAMES),
            Field("run", "of the run with this number", "2", Takes.COUNTS),
            Field("after", "from this moment on", "12:30", Takes.MOMENT),
            Field("before", "before this moment", "12:30", Takes.MOMENT),
            Field("last", "no older than this, counted back from the newest", "5m", Takes.AGE),
        )
    }
)
"""What may stand before a colon, for the parser, for completion and for filter menus."""

_PLAIN = re.compile(r'[^\s"\'(),*/<>=!-][^\s"(),*]*')
_OPERATOR = re.compile("OR|AND|NOT")
_FIELD_LIKE = re.compile(r"[A-Za-z_]\w*:")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')


def quote(value: str) -> str:
    """A value as a query must spell it to mean exactly this text."""
    plain = _PLAIN.fullmatch(value) and not _OPERATOR.fullmatch(value) and not _FIELD_LIKE.match(value)
    if plain and "://" not in value:
        return value
    escaped = re.sub(r'["\\]', r"\\\g<0>", value)
    return f'"{escaped}"'


def unquote(value: str) -> str:
    """The text that a value of a query means: the reverse of `quote`; a quote may lack its end."""
    if not value.startswith('"'):
        return value
    whole = _QUOTED.fullmatch(value)
    return _ESCAPED.sub(r"\1", whole[1] if whole else value[1:])


def is_closed(value: str) -> bool:
    """Whether a value that begins with a quote also ends with one."""
    return _QUOTED.fullmatch(value) is not None
