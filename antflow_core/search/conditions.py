"""The terms of a query as conditions over a log: which entries of its dictionaries match, and which numbers.

Texts are matched against the dictionaries, never against events: a million failures with one message cost
one look at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from math import inf, isinf
from typing import Final

import numpy as np

from antflow_core.exceptions import QueryError
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KIND_INDEX, LARGEST_F4
from antflow_core.history.text_pattern import Pattern, RegexPattern, SlowRegexError, TextPattern
from antflow_core.search import mistakes
from antflow_core.search.classes import Mask
from antflow_core.search.columns import Matches
from antflow_core.search.tree import Interval, Moment, Style, Term, Text

REGEX_LIMIT_S: Final = 2.0
"""Seconds a regular expression may take for all texts that are new at one look."""


@dataclass(slots=True)
class Leaf:
    """One condition: fulfilled by whichever of these is.

    Attributes:
        entries: By column, which entries of its dictionary fulfil it.
        durations: The intervals of durations that do.
        times: Each gives an interval of moments that does; asked again at every look.
    """

    entries: dict[str, list[Matches]] = field(default_factory=dict)
    durations: list[Interval] = field(default_factory=list)
    times: list[Callable[[], Interval]] = field(default_factory=list)

    def join(self, other: Leaf) -> None:
        """Be fulfilled also by what fulfils another one."""
        for column, matches in other.entries.items():
            self.entries.setdefault(column, []).extend(matches)
        self.durations += other.durations
        self.times += other.times


class Viewpoint:
    """What the moments of a query are counted from.

    Args:
        log: Where the events are.
        zone: The viewer's zone, None for the machine's.

    Attributes:
        newest: When the newest event was.
    """

    def __init__(self, log: EventLog, zone: tzinfo | None) -> None:
        self.newest = -inf
        self._log = log
        self._zone = zone

    def unix(self, moment: Moment) -> float:
        """A moment in Unix seconds."""
        return moment.unix(self._log.started_at, self._zone)


def leaf_of(log: EventLog, term: Term, viewpoint: Viewpoint) -> Leaf:
    """What fulfils a term of a query."""
    if term.field is None:
        return Leaf(_anywhere(log, term.values[0]))
    if term.field in ("status", "event"):
        return Leaf({"kind": [_kinds(term.values)]})
    if term.field in ("stage", "worker", "task"):
        return Leaf({term.field: [_names(log, term.field, value) for value in term.values]})
    if term.field == "item":
        return Leaf({"item": [_items(log, value) for value in term.values]})
    if term.field == "error":
        return Leaf({"error": [_error_texts(log, value) for value in term.values]})
    if term.field == "error_type":
        return Leaf({"error": [_error_types(log, value) for value in term.values]})
    return _number_leaf(log, term, viewpoint)


def _number_leaf(log: EventLog, term: Term, viewpoint: Viewpoint) -> Leaf:
    meaning = term.meanings[0]
    if isinstance(meaning, Moment):
        if term.field == "after":
            return Leaf(times=[lambda: Interval(low=viewpoint.unix(meaning))])
        return Leaf(times=[lambda: Interval(high=viewpoint.unix(meaning), high_open=True)])
    if term.field == "last":
        return Leaf(times=[lambda: Interval(low=viewpoint.newest + meaning.low)])
    intervals = [meaning for meaning in term.meanings if isinstance(meaning, Interval)]
    if term.field == "run":
        return Leaf({"item": [_runs(log, intervals)]})
    if term.field == "attempt":
        return Leaf({"attempt": [_attempts(intervals)]})
    return Leaf(durations=[*map(_single_precision, intervals)])


def _kinds(values: Sequence[Text]) -> Matches:
    wanted = {KIND_INDEX[value.text] for value in values}
    return lambda first, stop: _each(kind in wanted for kind in range(first, stop))


def _names(log: EventLog, column: str, value: Text) -> Matches:
    pattern = _pattern(value, ignore_case=True)
    return _limited(pattern, value, _with_name(log, column, pattern))


def _with_name(log: EventLog, column: str, pattern: Pattern) -> Matches:
    """Which stages, workers or tasks have a name that fits."""
    folds = isinstance(pattern, TextPattern)

    def matches(first: int, stop: int) -> Mask:
        names: Iterable[str]
        if column == "stage":
            names = [stage.name for stage in log.stages[first:stop]]
        else:
            names = (log.workers if column == "worker" else log.tasks)[first:stop]
        return _each(map(pattern.matches, map(str.casefold, names) if folds else names))

    return matches


def _items(log: EventLog, value: Text) -> Matches:
    pattern = _pattern(value, ignore_case=False)
    index = log.text_index("item")
    return _limited(pattern, value, lambda first, stop: index.find(pattern, first, stop))


def _runs(log: EventLog, intervals: Sequence[Interval]) -> Matches:
    def matches(first: int, stop: int) -> Mask:
        held = log.items.first
        # A copy, for while numpy looks at the array itself no item could be added.
        runs = np.frombuffer(log.items.runs[first - held : stop - held], np.intc)
        wanted = _each(any(run in each for each in intervals) for run in range(len(log.runs) + 1))
        return wanted[runs]

    return matches


def _attempts(intervals: Sequence[Interval]) -> Matches:
    """Attempts as records hold them, where 0 stands for no attempt."""

    def matches(first: int, stop: int) -> Mask:
        numbers = np.arange(first, stop)
        found = np.zeros(stop - first, np.bool_)
        for interval in intervals:
            low = max(interval.low + interval.low_open, 1)
            found |= (numbers >= low) & (numbers <= interval.high - interval.high_open)
        return found

    return matches


def _single_precision(interval: Interval) -> Interval:
    """An interval whose bounds are rounded like the durations that records hold."""
    low, high = (_rounded(bound) for bound in (interval.low, interval.high))
    return Interval(low, high, interval.low_open, interval.high_open)


def _rounded(bound: float) -> float:
    return bound if isinf(bound) else float(np.float32(min(max(bound, -LARGEST_F4), LARGEST_F4)))


def _error_texts(log: EventLog, value: Text) -> Matches:
    pattern = _pattern(value, ignore_case=True, anywhere=True)
    index = log.text_index("error")
    return _limited(pattern, value, lambda first, stop: index.find(pattern, first, stop, ignore_case=True))


def _error_types(log: EventLog, value: Text) -> Matches:
    pattern = _pattern(value, ignore_case=True)
    names, folds = log.errors.type_names, isinstance(pattern, TextPattern)

    def matches(first: int, stop: int) -> Mask:
        # A million errors have a handful of types, so each name is looked at once.
        fits = _each(pattern.matches(name.casefold() if folds else name) for name in names)
        return fits.take(log.errors.type_indexes(first, stop))

    return _limited(pattern, value, matches)


def _anywhere(log: EventLog, value: Text) -> dict[str, list[Matches]]:
    """By column, which entries have a text somewhere in them."""
    pattern = TextPattern((value.text.casefold(),))
    items, errors = log.text_index("item"), log.text_index("error")
    return {
        "stage": [_with_name(log, "stage", pattern)],
        "worker": [_with_name(log, "worker", pattern)],
        "task": [_with_name(log, "task", pattern)],
        "error": [lambda first, stop: errors.find(pattern, first, stop, ignore_case=True)],
        "item": [lambda first, stop: items.find(pattern, first, stop, ignore_case=True)],
    }


def _pattern(value: Text, *, ignore_case: bool, anywhere: bool = False) -> Pattern:
    if value.style is Style.REGEX:
        return RegexPattern(value.text, ignore_case=ignore_case, limit_s=REGEX_LIMIT_S)
    text = value.text.casefold() if ignore_case else value.text
    if value.style is Style.QUOTED:
        return TextPattern((text,)) if anywhere else TextPattern.exact(text)
    return TextPattern.containing(text) if anywhere else TextPattern.wildcard(text)


def _limited(pattern: Pattern, value: Text, matches: Matches) -> Matches:
    """Matches of a pattern that gives up when a regular expression takes too long, for good."""
    if not isinstance(pattern, RegexPattern):
        return matches
    given_up: list[QueryError] = []

    def limited(first: int, stop: int) -> Mask:
        if given_up:
            raise given_up[0].with_traceback(None)
        pattern.restart()
        try:
            return matches(first, stop)
        except SlowRegexError:
            given_up.append(mistakes.regex_too_slow(pattern.limit_s, value))
            raise given_up[0] from None

    return limited


def _each(answers: Iterable[bool]) -> Mask:
    return np.fromiter(answers, np.bool_)
