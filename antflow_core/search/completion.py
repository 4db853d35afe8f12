"""What may follow in a query that is being typed: its fields, then the values seen in a log so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import islice
from typing import Final

from antflow_core.history.event_log import EventLog
from antflow_core.history.text_index import SEGMENT_TEXTS
from antflow_core.history.text_pattern import TextPattern
from antflow_core.search.fields import FIELDS, Field, Takes, is_closed, quote, unquote
from antflow_core.search.tallies import Tally
from antflow_core.search.tokens import Kind, Token, tokens

LIMIT: Final = 16
_LONGEST_VALUE: Final = 120
_ITEM_SEGMENTS: Final = 8
"""Ids are looked for among the newest 65,536 items, which takes some milliseconds."""

_SEEN: Final = ("stage", "worker", "task", "error", "error_type")
_LOOKED_THROUGH: Final = ("status", "event", "stage", "task", "worker", "error_type")
"""Fields whose values are offered for a bare word too."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may stand in a query.

    Attributes:
        text: As the query must spell it.
        meaning: What it finds, in a few words; empty where its text says it.
        count: How many events have it, None where that is not known.
    """

    text: str
    meaning: str = ""
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Completions:
    """What may stand in place of a part of a query.

    Attributes:
        start: Where that part begins.
        stop: Where it ends; an empty part is the place of the cursor.
        candidates: The likeliest first.
    """

    start: int
    stop: int
    candidates: tuple[Candidate, ...]

    def applied(self, query: str, candidate: Candidate) -> tuple[str, int]:
        """The query with a candidate in it, and where the cursor is to stand then."""
        text = query[: self.start] + candidate.text
        return text + query[self.stop :], len(text)


class Completer:
    """Completes queries over one log; it counts events step by step, so that no question takes long.

    Args:
        log: Where values are seen.
        zone: The viewer's zone, None for that of the machine.
    """

    def __init__(self, log: EventLog, zone: tzinfo | None = None) -> None:
        self._log = log
        self._zone = zone
        self._tally = Tally(log)

    def complete(self, query: str, cursor: int | None = None, *, limit: int = LIMIT) -> Completions:
        """What may stand at a place of a query, its end by default.

        Nothing is offered where the query holds just that already, and inside a bare text in quotes.
        """
        cursor = len(query) if cursor is None else cursor
        place = _place(query, cursor)
        if place is None:
            return Completions(cursor, cursor, ())
        is_counted = self._tally.follow()
        found = self._terms(place) if place.field is None else self._values(place.field, place)
        candidates = [*islice(_distinct(found), limit)]
        if not is_counted:
            candidates = [Candidate(each.text, each.meaning) for each in candidates]
        if [each.text for each in candidates] == [query[place.start : place.stop]]:
            candidates = []
        return Completions(place.start, place.stop, tuple(candidates))

    def _terms(self, place: _Place) -> Iterator[Candidate]:
        """Fields that begin so, then terms whose value begins so."""
        typed = place.typed.casefold()
        for field in FIELDS.values():
            if field.name.startswith(typed):
                yield Candidate(f"{field.name}:", f"events {field.meaning}")
        if typed and not place.is_name:
            for name in _LOOKED_THROUGH:
                for value in self._ranked(FIELDS[name], typed, only_beginning=True):
                    yield Candidate(f"{name}:{value.text}", value.meaning, value.count)

    def _values(self, field: Field, place: _Place) -> Iterator[Candidate]:
        if field.takes is Takes.CHOICES or field.name in _SEEN:
            yield from self._ranked(field, place.typed.casefold())
        elif field.name == "item":
            yield from self._items(place.typed)
        else:
            typed = place.typed.casefold().removeprefix('"')
            for candidate in self._examples(field):
                if unquote(candidate.text).startswith(typed):
                    yield candidate

    def _ranked(self, field: Field, typed: str, *, only_beginning: bool = False) -> list[Candidate]:
        """Known values of a field: those that begin so, then those that have it in them, by frequency."""
        ranked = []
        for order, (name, count) in enumerate(self._tally.by_name(field.name).items()):
            begins, fits = name.casefold().startswith(typed), typed in name.casefold()
            if (begins or (fits and not only_beginning)) and len(name) <= _LONGEST_VALUE:
                # Words that a field has of its own keep their order, which is that of an item's life.
                ranked.append((not begins, 0 if field.values else -count, order, name, count))
        return [Candidate(quote(name), "", count) for *_, name, count in sorted(ranked)]

    def _items(self, typed: str) -> Iterator[Candidate]:
        """Ids that begin so, the newest first."""
        log = self._log
        index, pattern = log.text_index("item"), TextPattern((typed,), at_start=True)
        stop = log.item_count
        for _ in range(_ITEM_SEGMENTS):
            first = max((stop - 1) // SEGMENT_TEXTS * SEGMENT_TEXTS, log.items.first)
            if first >= stop:
                return
            for place in reversed(index.find(pattern, first, stop).nonzero()[0].tolist()):
                text = log.item_text(first + place)
                if len(text) <= _LONGEST_VALUE:
                    yield Candidate(quote(text))
            stop = first

    def _examples(self, field: Field) -> list[Candidate]:
        """For fields of numbers and moments how they are written, with this log's own numbers."""
        began = datetime.fromtimestamp(self._log.started_at, self._zone)
        return {
            "attempt": [Candidate(">=2", "any retry"), Candidate("1"), Candidate("2..3", "from 2 to 3")],
            "duration": [
                Candidate(">1s", "longer than"),
                Candidate(">100ms"),
                Candidate("<10ms", "shorter than"),
                Candidate("100ms..1s", "from 100 ms to 1 s"),
            ],
            "run": [Candidate(str(run.number), run.name) for run in reversed(self._log.runs)],
            "last": [Candidate("10s"), Candidate("1m"), Candidate("5m"), Candidate("1h")],
        }.get(
            field.name,
            [
                Candidate("10s", "since the start"),
                Candidate(f"{began:%H:%M:%S}", "time of day"),
                Candidate(f'"{began:%Y-%m-%d %H:%M}"', "date and time"),
            ],
        )


def complete(log: EventLog, query: str, cursor: int | None = None, *, limit: int = LIMIT) -> Completions:
    """What may stand at a place of a query over a log; who asks at every key keeps a `Completer`."""
    return Completer(log).complete(query, cursor, limit=limit)


@dataclass(frozen=True, slots=True)
class _Place:
    """The part of a query that is being typed.

    Attributes:
        start: Where what is replaced begins.
        stop: Where it ends.
        typed: What is meant by it up to the cursor.
        field: The field it is a value of, None for a term.
        is_name: Whether it is the name of a field that has its colon already.
    """

    start: int
    stop: int
    typed: str
    field: Field | None
    is_name: bool = False


def _place(query: str, cursor: int) -> _Place | None:
    """The part of a query at the cursor, None where there is nothing to offer."""
    before, after = None, None
    for token in tokens(query):
        if token.start >= cursor:
            after = token
            break
        before = token
    at_term = _Place(cursor, cursor, "", None)
    if before is None or before.stop < cursor:
        return at_term
    inside = before.text[: cursor - before.start]
    if before.kind in (Kind.OPERATOR, Kind.PARENTHESIS):
        return at_term if inside in ("-", "(", ")") else None
    if before.kind is Kind.WORD:
        return at_term if inside == "-" else _Place(before.start, before.stop, inside, None)
    if before.kind is Kind.FIELD and cursor < before.stop:
        return _Place(before.start, before.stop, inside, None, is_name=True)
    field = FIELDS.get(before.field or "")
    if field is None or before.kind is Kind.REGEX:
        return None
    if before.kind in (Kind.FIELD, Kind.COMMA):
        stop = after.stop if after is not None and after.start == cursor and after.field else cursor
        return _Place(cursor, stop, "", field)
    return _value_place(before, inside, field)


def _value_place(token: Token, inside: str, field: Field) -> _Place | None:
    """The place of a value that has begun; an open quote would reach to the end of the query."""
    if token.kind is not Kind.QUOTED:
        return _Place(token.start, token.stop, inside, field)
    if inside == token.text and is_closed(inside):
        return None
    stop = token.stop if is_closed(token.text) else token.start + len(inside)
    return _Place(token.start, stop, unquote(inside), field)


def _distinct(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """Each text once."""
    seen: set[str] = set()
    for candidate in candidates:
        if candidate.text not in seen:
            seen.add(candidate.text)
            yield candidate
