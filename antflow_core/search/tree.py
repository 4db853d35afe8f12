"""What a query is made of once it is read: terms with their values, and the tree that combines them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, tzinfo
from enum import Enum
from math import inf


class Style(Enum):
    """How a value is spelt, which decides what its characters mean."""

    PLAIN = "plain"
    QUOTED = "quoted"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class Text:
    """A value as it stands in a query, without its quotes or slashes; `start` and `stop` include them."""

    text: str
    style: Style
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers between two bounds, which belong to it unless they are open."""

    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, number: float) -> bool:
        above = number > self.low if self.low_open else number >= self.low
        return above and (number < self.high if self.high_open else number <= self.high)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: a time of day, a date and time, or seconds since the first run began.

    Without a zone of its own, a date and time is meant in the viewer's.
    """

    what: time | datetime | float

    def unix(self, began_at: float, zone: tzinfo | None) -> float:
        """The moment in Unix seconds.

        Args:
            began_at: When the first run began; a time of day is the first such moment from then on.
            zone: The viewer's zone, None for that of the machine.
        """
        if isinstance(self.what, datetime):
            return _unix(self.what if self.what.tzinfo else self.what.replace(tzinfo=zone))
        if isinstance(self.what, time):
            return _first(self.what, began_at, zone)
        return began_at + self.what


Meaning = Interval | Moment
"""What a value of a field means that compares numbers or times."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: a field and its values, any of which may be true, or a text (`field` is None).

    Attributes:
        meanings: For fields of numbers and times what each of the values says.
    """

    field: str | None
    values: tuple[Text, ...]
    start: int
    stop: int
    meanings: tuple[Meaning, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """What its part is not true of."""

    part: Node
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class AllOf:
    """What all parts are true of; without parts: everything."""

    parts: tuple[Node, ...]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What at least one part is true of."""

    parts: tuple[Node, ...]
    start: int
    stop: int


Node = Term | Not | AllOf | AnyOf


def spanned(node: Node, start: int, stop: int) -> Node:
    """A node with the parentheses around it counted in."""
    return replace(node, start=start, stop=stop)


def parts_of(node: Node) -> tuple[Node, ...]:
    """What a node combines, from left to right; nothing for a term."""
    if isinstance(node, Term):
        return ()
    return (node.part,) if isinstance(node, Not) else node.parts


def terms_of(node: Node) -> Iterator[Term]:
    """Every term of a tree, from left to right."""
    if isinstance(node, Term):
        yield node
    for part in parts_of(node):
        yield from terms_of(part)


def depth_of(node: Node) -> int:
    """How many nodes lie within one another, told without going as deep."""
    depth, level = 0, [node]
    while level:
        depth, level = depth + 1, [part for each in level for part in parts_of(each)]
    return depth


def _unix(moment: datetime) -> float:
    try:
        return moment.timestamp()
    except (OverflowError, ValueError, OSError):  # a year the platform's clock cannot tell
        return inf if moment.year > 1970 else -inf


def _first(clock: time, began_at: float, zone: tzinfo | None) -> float:
    """When a clock shows a time of day for the first time from a moment on.

    Where it is set back it shows an hour twice; an hour that is skipped as it is set forward counts as shown
    by a clock that was not set.
    """
    today = datetime.fromtimestamp(began_at, zone).date()
    for day in (today, today + timedelta(days=1)):
        for fold in (0, 1):
            moment = _unix(datetime.combine(day, clock.replace(fold=fold), zone))
            is_shown = not fold or datetime.fromtimestamp(moment, zone).time() == clock
            if moment >= began_at and is_shown:
                return moment
    return inf
