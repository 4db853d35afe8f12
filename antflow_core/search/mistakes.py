"""What is said about a faulty query: each mistake in one sentence, with its place and what would be right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from antflow_core.exceptions import QueryError
from antflow_core.search.fields import FIELDS, Takes, is_closed, quote
from antflow_core.search.tree import Text

_QUOTE_TEXT = "put quotes around text with parentheses"


_FIELDS_MEANT = {
    "id": "item",
    "state": "status",
    "kind": "event",
    "type": "error_type",
    "exception": "error_type",
    "message": "error",
    "try": "attempt",
    "took": "duration",
    "time": "after",
    "since": "after",
    "until": "before",
}
"""What else the fields might be called, the column titles of the app's table among them."""

_WORDS_MEANT = {
    "done": ("completed", "complete"),
    "finished": ("completed", "complete"),
    "succeeded": ("completed", "complete"),
    "success": ("completed", "complete"),
    "ok": ("completed", "complete"),
    "error": ("failed", "fail"),
    "running": ("in_progress", "start"),
    "active": ("in_progress", "start"),
    "started": ("in_progress", "start"),
    "waiting": ("queued", None),
    "pending": ("queued", None),
}
"""What else a status might be called, and a kind of task event."""


def unknown_field(name: str, start: int) -> QueryError:
    """A word before a colon that is no field."""
    close = _FIELDS_MEANT.get(name.lower()) or _closest(name, tuple(FIELDS))
    if close:
        message = f"unknown field `{name}`; did you mean `{close}`?"
    else:
        known = ", ".join(FIELDS)
        message = f"unknown field `{name}`; put quotes around it to search for the text; there are {known}"
    return QueryError(message, start, close, start + len(name))


def nearly_a_field(raw: str, start: int) -> QueryError | None:
    """A word that would be a field with another sign before it or in it; None where it is just a word."""
    found = re.match(r"(!?)([A-Za-z][\w-]*):", raw)
    if found is None or "://" in raw:
        return None
    name = found[2].replace("-", "_").lower()
    if name not in FIELDS:
        return None
    meant = f"{'-' if found[1] else ''}{name}:"
    message = f"unknown field `{found[0][:-1]}`; did you mean `{meant[:-1]}`?"
    if found[1]:
        message += " A minus leaves out what follows"
    return QueryError(message, start, meant, start + found.end())


def unknown_choice(field: str, value: Text) -> QueryError:
    """A value that a field with fixed ones does not have."""
    known, got = FIELDS[field].values, value.text
    parts = re.split(r"[|;/+]", got.lower())
    if len(parts) > 1 and {*parts} <= {*known}:
        listed = ",".join(parts)
        message = f"{field}: takes several values with commas between; did you mean `{listed}`?"
        return QueryError(message, value.start, listed, value.stop)
    if got.startswith("!"):
        example = got[1:].lower() if got[1:].lower() in known else known[0]
        message = f"unknown {field} `{got}`; a minus before the field leaves out, as in -{field}:{example}"
        return QueryError(message, value.start, None, value.stop)
    other = "event" if field == "status" else "status"
    meant = _WORDS_MEANT.get(got.lower(), (None, None))[field == "event"]
    close = meant or _closest(got, known)
    message = f"unknown {field} `{got}`; there are {', '.join(known)}"
    if close:
        message = f"unknown {field} `{got}`; did you mean `{close}`?"
    if got.lower() in FIELDS[other].values:
        message += f"{'' if close else ';'} `{other}:{got.lower()}` finds "
        message += f"{'task' if other == 'event' else 'status'} events"
    return QueryError(message, value.start, close, value.stop)


def single_quotes(value: Text) -> QueryError:
    """A value that begins with a single quote."""
    closed = len(value.text) > 2 and value.text.endswith("'")
    meant = f'"{value.text[1:-1]}"' if closed and '"' not in value.text else None
    message = "text with spaces is put in double quotes, and so is text that begins with a single one"
    return QueryError(message, value.start, meant, value.stop)


def no_value(field: str, start: int, stop: int) -> QueryError:
    """A field, or the last comma of one, with nothing behind it, or a space before what is meant to be."""
    if field.lower() not in FIELDS:
        return unknown_field(field, start)
    message = f"{field}: needs a value, {_as_in(field)}; there is no space before a value"
    return QueryError(message, stop, None, stop)


def group_as_value(field: str, start: int, stop: int) -> QueryError:
    """A field followed by an opening parenthesis."""
    if field.lower() not in FIELDS:
        return unknown_field(field, start)
    message = f"{field}: takes values with commas between, as in {field}:a,b; {_QUOTE_TEXT}"
    return QueryError(message, stop, None, stop + 1)


def open_quote(raw: str, start: int) -> QueryError:
    """A quote without its end."""
    # A backslash at the very end would escape the quote that is to be added.
    closed = raw + '"' if is_closed(raw + '"') else raw + '\\"'
    return QueryError('this quote has no end; add a "', start, closed, start + len(raw))


def open_regex(field: str, raw: str, start: int) -> QueryError:
    """A value that begins like a regular expression and does not end like one."""
    quoted = quote(raw)
    message = (
        "a regular expression stands between two slashes and ends at its next /; "
        f"for the text put quotes around it: {field}:{quoted}"
    )
    return QueryError(message, start, quoted, start + len(raw))


def faulty_regex(value: Text, fault: str, place: int | None) -> QueryError:
    """A regular expression that cannot be understood; `place` is counted in the expression."""
    at = min(value.start + 1 + (place or 0), value.stop - 1)
    return QueryError(f"this regular expression is faulty: {fault}", at, None, value.stop)


def regex_refused(field: str, value: Text) -> QueryError:
    """A regular expression for a field that has none."""
    message = f"{field}: takes {FIELDS[field].takes.value}, not a regular expression, {_as_in(field)}"
    return QueryError(message, value.start, None, value.stop)


def regex_too_slow(limit_s: float, value: Text) -> QueryError:
    """A regular expression that was given up."""
    message = (
        f"this regular expression was given up after {limit_s:g} s; "
        "avoid repeats within repeats, as in (a+)+, or search for a word of it"
    )
    return QueryError(message, value.start, None, value.stop)


def not_a_number(field: str, value: Text) -> QueryError:
    """A value of a field of counts or durations that is none."""
    what = "a whole number" if FIELDS[field].takes is Takes.COUNTS else "a duration"
    examples = (
        f"{field}:>=2 or {field}:2..4" if what == "a whole number" else f"{field}:>1.5s or {field}:250ms..2s"
    )
    message = f"{field}: needs {what}, as in {examples}; got `{value.text}`"
    if what == "a duration":
        message += "; units are us, ms, s, m, h and d"
    return QueryError(message, value.start, None, value.stop)


def turned_range(field: str, value: Text, low: str, high: str) -> QueryError:
    """A range from a larger to a smaller number."""
    turned = f"{high}..{low}"
    message = f"{field}: this range goes from the larger to the smaller; did you mean `{turned}`?"
    return QueryError(message, value.start, turned, value.stop)


def not_an_age(field: str, value: Text, suggestion: str | None) -> QueryError:
    """A value of `last:` that is no duration with a unit."""
    message = f"{field}: needs a duration with its unit, as in {field}:90s, {field}:5m or {field}:1h30m"
    return QueryError(f"{message}; got `{value.text}`", value.start, suggestion, value.stop)


def not_a_moment(field: str, value: Text) -> QueryError:
    """A value of a field of moments that is none."""
    message = (
        f'{field}: needs a time of day ({field}:12:30), a date ({field}:"2026-05-01 14:00") '
        f"or a time since the start ({field}:90s); got `{value.text}`"
    )
    return QueryError(message, value.start, None, value.stop)


def several_values(field: str, second: Text) -> QueryError:
    """More than one value for a field that takes one."""
    message = f"{field}: takes one value, {_as_in(field)}"
    return QueryError(message, second.start - 1, "", second.stop)


def no_term_after(word: str, start: int, stop: int) -> QueryError:
    """An operator at the end, or before a closing parenthesis or another operator."""
    message = f"{word} needs a term behind it; to search for the word, put quotes around it"
    return QueryError(message, start, f'"{word}"', stop)


def no_term_before(word: str, start: int, stop: int) -> QueryError:
    """An operator at the beginning, or behind an opening parenthesis."""
    message = f"{word} needs a term before it; to search for the word, put quotes around it"
    return QueryError(message, start, f'"{word}"', stop)


def empty_group(start: int, stop: int) -> QueryError:
    """Two parentheses with nothing between them."""
    return QueryError(f"there is nothing between these parentheses; {_QUOTE_TEXT}", start, None, stop)


def open_group(query: str, start: int) -> QueryError:
    """A parenthesis that opens a group and is not closed."""
    closed = f"{query[start:].rstrip()})"
    return QueryError(f"this ( is not closed; add a ), or {_QUOTE_TEXT}", start, closed, len(query))


def too_deep(query: str, most: int) -> QueryError:
    """More parentheses and negations within one another than anybody means."""
    return QueryError(f"this query goes deeper than {most} parentheses or negations", 0, None, len(query))


def too_many(query: str, count: int, most: int) -> QueryError:
    """So many terms that they are a text that was not meant as a query."""
    message = (
        f"a query has at most {most} terms, this one has {count:,}; put quotes around a text with spaces"
    )
    return QueryError(message, 0, None, len(query))


def no_group(start: int) -> QueryError:
    """A parenthesis that closes no group."""
    return QueryError(f"this ) closes nothing; {_QUOTE_TEXT}", start, None, start + 1)


def _as_in(field: str) -> str:
    return f"as in {field}:{FIELDS[field.lower()].example}"


def _closest(got: str, known: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(got.lower(), known, n=1)), None)
