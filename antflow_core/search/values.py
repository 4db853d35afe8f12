"""Reads the values of a query's fields: known words, numbers, durations and moments."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time
from math import inf
from typing import Final

from antflow_core.history.text_pattern import BadRegexError, RegexPattern, TextPattern
from antflow_core.search import mistakes
from antflow_core.search.fields import FIELDS, Takes, quote
from antflow_core.search.tree import Interval, Meaning, Moment, Style, Term, Text

_UNITS_S: Final = {
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)"
_DURATION = re.compile(rf"(?:{_NUMBER}\s*[a-zµ]+\s*)+")
_PART = re.compile(rf"({_NUMBER})\s*([a-zµ]+)")
_PLAIN_NUMBER = re.compile(_NUMBER)
_COMPARISON = re.compile(r"(>=|<=|>|<|=)?\s*(.*)", re.DOTALL)
_RANGE = re.compile(r"(.*?)\s*\.\.\s*(.*)", re.DOTALL)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d{1,6})?))?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?")


def checked_term(name: str, values: tuple[Text, ...], start: int, stop: int) -> Term:
    """A term whose field is known and whose values are such as the field takes.

    Raises:
        QueryError: They are not.
    """
    field = FIELDS.get(name.lower())
    if field is None:
        raise mistakes.unknown_field(name, start)
    takes_text = field.takes in (Takes.NAMES, Takes.WORDS)
    for value in values:
        if value.style is Style.REGEX:
            if not takes_text:
                raise mistakes.regex_refused(field.name, value)
            _check_regex(value)
        elif value.style is Style.PLAIN and value.text.startswith("'"):
            raise mistakes.single_quotes(value)
    if takes_text:
        return Term(field.name, values, start, stop)
    if field.takes is Takes.CHOICES:
        words = tuple(word for value in values for word in _choices(field.name, value))
        return Term(field.name, words, start, stop)
    if field.takes in (Takes.MOMENT, Takes.AGE) and len(values) > 1:
        raise mistakes.several_values(field.name, values[1])
    meanings = tuple(_READERS[field.takes](field.name, value) for value in values)
    return Term(field.name, values, start, stop, meanings)


def duration_s(text: str) -> float | None:
    """Seconds of a duration with its units, such as ``250ms`` or ``1h 30m``; None where it is none."""
    text = text.strip().lower()
    if not _DURATION.fullmatch(text):
        return None
    seconds = 0.0
    for number, unit in _PART.findall(text):
        if unit not in _UNITS_S:
            return None
        seconds += float(number) * _UNITS_S[unit]
    return seconds


def _check_regex(value: Text) -> None:
    try:
        RegexPattern(value.text, ignore_case=True, limit_s=inf)
    except BadRegexError as fault:
        raise mistakes.faulty_regex(value, str(fault), fault.place) from None


def _choices(field: str, value: Text) -> list[Text]:
    """The words of a field that a value means: one, or with a wildcard those that fit."""
    spelt = re.sub(r"[\s-]", "_", value.text.strip().lower())
    pattern = TextPattern.wildcard(spelt) if value.style is Style.PLAIN else TextPattern.exact(spelt)
    words = [word for word in FIELDS[field].values if pattern.matches(word)]
    if not words:
        raise mistakes.unknown_choice(field, value)
    return [replace(value, text=word) for word in words]


def _count(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdecimal() else None


def _length_s(text: str) -> float | None:
    """Seconds of a duration that may lack its unit."""
    return float(text) if _PLAIN_NUMBER.fullmatch(text) else duration_s(text)


def _interval(field: str, value: Text, read: Callable[[str], float | None]) -> Interval:
    """What a comparison (``>=2``), a range (``2..4``) or a lone number says."""
    text = value.text.strip()
    ends = _RANGE.fullmatch(text)
    if ends is not None and (ends[1] or ends[2]):
        low = read(ends[1]) if ends[1] else -inf
        high = read(ends[2]) if ends[2] else inf
        if low is None or high is None:
            raise mistakes.not_a_number(field, value)
        if low > high:
            raise mistakes.turned_range(field, value, ends[1], ends[2])
        return Interval(low, high)
    found = _COMPARISON.fullmatch(text)
    number = read(found[2]) if found else None
    if found is None or number is None:
        raise mistakes.not_a_number(field, value)
    return _compared(found[1] or "=", number)


def _compared(operator: str, number: float) -> Interval:
    if operator.startswith(">"):
        return Interval(low=number, low_open=operator == ">")
    if operator.startswith("<"):
        return Interval(high=number, high_open=operator == "<")
    return Interval(number, number)


def _moment(field: str, value: Text) -> Moment:
    text = value.text.strip()
    since = duration_s(text)
    if since is not None:
        return Moment(since)
    try:
        clock = _CLOCK.fullmatch(text)
        if clock is not None:
            seconds = float(clock[3] or 0)
            return Moment(time(int(clock[1]), int(clock[2]), int(seconds), round(seconds % 1 * 1e6)))
        if _DATE.fullmatch(text):
            return Moment(datetime.fromisoformat(text))
    except ValueError:  # no such hour, day or month
        pass
    raise mistakes.not_a_moment(field, value)


def _age(field: str, value: Text) -> Interval:
    seconds = duration_s(value.text)
    if seconds is None or seconds <= 0:
        bare = value.text.strip()
        suggestion = quote(f"{bare}s") if _PLAIN_NUMBER.fullmatch(bare) and float(bare) > 0 else None
        raise mistakes.not_an_age(field, value, suggestion)
    return Interval(low=-seconds)


_READERS: Final[dict[Takes, Callable[[str, Text], Meaning]]] = {
    Takes.COUNTS: lambda field, value: _interval(field, value, _count),
    Takes.DURATIONS: lambda field, value: _interval(field, value, _length_s),
    Takes.MOMENT: _moment,
    Takes.AGE: _age,
}
