"""Searching the log: the language, its faults, and masks that equal a plain loop over the events."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from antflow_core.exceptions import QueryError
from antflow_core.history.event_log import EventLog
from antflow_core.history.query import FIELDS, Term, parse, quote, unquote
from antflow_core.history.records import EventRow
from antflow_core.history.search import search
from antflow_core.history.text_index import SEGMENT_TEXTS, TextIndex, TextPattern
from antflow_core.tracker import StatusTracker
from tests.support.events import STAGES, play_item, played_tracker

ODD_NAME = 'Odd*, "quoted" \\ name'
ERROR_TYPES = ("Timeout", "ReadTimeout", "ReadTimeoutÄ", "readtimeout", ODD_NAME)
ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=12)


def failing_tracker(items: int, seed: int = 1, tracker: StatusTracker | None = None) -> StatusTracker:
    """A played tracker after another run, in which items failed with errors of many types, or of none."""
    tracker = played_tracker(items, seed=seed, tracker=tracker)
    record = tracker.begin_run(STAGES)
    for number, name in enumerate([*ERROR_TYPES, *ERROR_TYPES]):
        error = type(name, (Exception,), {})(f"ValueError {number}")
        record.task(number, number % 3, "work", "W", "fail", 1, error=error)
        record.status(number, number % 3, "failed", "W", attempt=1, error=error)
    record.status("no error", 0, "failed", "W", attempt=1)
    record.end()
    return tracker


TRACKER = failing_tracker(60)


def words(query: str) -> list[tuple[str | None, list[str], bool]]:
    return [(term.field, [value.text for value in term.values], term.negated) for term in parse(query)]


# The language


def test_an_empty_query_has_no_terms() -> None:
    assert words("  ") == []


def test_bare_words_and_quotes_are_texts() -> None:
    assert words('timeout "two words"') == [(None, ["timeout"], False), (None, ["two words"], False)]


def test_a_field_takes_several_values() -> None:
    assert words('stage:Fetch,"Save all",x') == [("stage", ["Fetch", "Save all", "x"], False)]


def test_a_minus_negates_a_term() -> None:
    assert words('-status:failed -"a b" -x') == [
        ("status", ["failed"], True),
        (None, ["a b"], True),
        (None, ["x"], True),
    ]


def test_a_lone_minus_is_text() -> None:
    assert words("- a") == [(None, ["-"], False), (None, ["a"], False)]


def test_inside_quotes_a_backslash_escapes_a_quote_and_itself_only() -> None:
    assert words(r'"a \" b" item:"\\","C:\temp",x\\y') == [
        (None, ['a " b'], False),
        ("item", ["\\", r"C:\temp", r"x\\y"], False),
    ]


def test_an_address_in_quotes_is_a_fields_value() -> None:
    assert words('item:"http://host/a b"') == [("item", ["http://host/a b"], False)]


@pytest.mark.parametrize(
    "text", ["http://host/a", "see:http://host", "item:http://host", "12:30", "::", ":x"]
)
def test_what_is_no_field_is_text(text: str) -> None:
    assert words(text) == [(None, [text], False)]


def test_field_names_and_statuses_are_read_in_any_case() -> None:
    assert words('STATUS:Failed,"in progress",in-progress') == [
        ("status", ["failed", "in_progress", "in_progress"], False)
    ]


@pytest.mark.parametrize(
    ("query", "message", "position", "suggestion"),
    [
        ("stauts:failed", "unknown field 'stauts'; did you mean 'status'?", 0, "status"),
        ("a -stauts:failed", "unknown field 'stauts'; did you mean 'status'?", 3, "status"),
        ("status:faild", "unknown status 'faild'; did you mean 'failed'?", 7, "failed"),
        ("status:failed,xyz", "unknown status 'xyz'; there are queued, in_progress", 14, None),
        ("zzz:1", "put quotes around it to search for the text", 0, None),
        ('a "b', 'this quote has no end; add a "', 2, 'a "b"'),
        ('item:"b', 'this quote has no end; add a "', 5, 'item:"b"'),
        ("status:", "status: needs a value, as in status:failed", 7, None),
        (r'item:"b\"', 'this quote has no end; add a "', 5, r'item:"b\""'),
        ('item:"b\\', 'this quote has no end; add a "', 5, r'item:"b\\"'),
        ("item:a,", "item: needs a value", 7, None),
        ("error:", "error: needs a value", 6, None),
        ("eror:ValueError", "unknown field 'eror'; did you mean 'error'?", 0, "error"),
    ],
)
def test_a_fault_is_explained(query: str, message: str, position: int, suggestion: str | None) -> None:
    with pytest.raises(QueryError, match=re.escape(message)) as caught:
        TRACKER.search(query)
    assert (caught.value.position, caught.value.suggestion) == (position, suggestion)


@given(st.text(max_size=20))
def test_any_text_is_parsed_or_refused_with_a_position_inside(query: str) -> None:
    fault: QueryError | None = None
    try:
        parse(query)
    except QueryError as error:
        fault = error
    assert fault is None or 0 <= fault.position <= len(query)


@given(st.text('ab"\\ ', max_size=8))
def test_a_quote_without_its_end_is_mended_by_what_is_suggested(text: str) -> None:
    query = f'item:"{text}'
    suggestion: str | None = query
    try:
        parse(query)
    except QueryError as error:
        suggestion = error.suggestion
    assert suggestion is not None
    assert parse(suggestion)[0].field == "item"


@given(ANY_TEXT)
@example("http://host/a")
@example('say "\\"')
def test_a_quoted_value_means_exactly_that_text(text: str) -> None:
    assert words(f"item:{quote(text)}") == [("item", [text], False)]
    assert words(f"-stage:x,{quote(text)}") == [("stage", ["x", text], True)]
    assert unquote(quote(text)) == text


@given(st.text('ab"\\*, -:/', min_size=1, max_size=6) | ANY_TEXT)
@example("http://host/a")
@example("//")
@example("")
def test_a_quoted_id_finds_exactly_that_item(text: str) -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    for item in {text, f"{text}x", f"x{text}", f'"{text}"', text.replace("*", "x"), text.replace("\\", "")}:
        record.status(item, 0, "queued")
    assert [event.item_id for event in found(f"item:{quote(text)}", tracker)] == [text]


def test_the_fields_are_listed_for_completion() -> None:
    assert list(FIELDS) == ["status", "stage", "item", "error"]
    assert "retrying" in FIELDS["status"].values


# What it finds


def found(query: str, tracker: StatusTracker = TRACKER) -> list[EventRow]:
    return tracker.log.page(tracker.search(query).rows.tolist())


def test_an_empty_query_finds_every_row() -> None:
    assert TRACKER.search("").rows.tolist() == list(range(len(TRACKER.log)))


def test_status_rows_only_leaves_task_events_out() -> None:
    result = TRACKER.search(status_rows_only=True)
    assert {event.is_status for event in TRACKER.log.page(result.rows.tolist())} == {True}
    assert 0 < len(result) < len(TRACKER.log)


def test_a_status_matches_status_events_only() -> None:
    events = found("status:failed,retrying")
    assert {event.kind for event in events} == {"failed", "retrying"}


def test_an_item_is_found_by_its_whole_id() -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    for item in (1, "1", 11, "x1"):
        play_item(record, item)
    assert {event.item_id for event in found("item:1", tracker)} == {1, "1"}
    assert {event.item_id for event in found("item:*1", tracker)} == {1, "1", 11, "x1"}
    assert {event.item_id for event in found("item:x*", tracker)} == {"x1"}
    assert found('item:"x*"', tracker) == []


def test_an_error_is_found_by_the_whole_name_of_its_type() -> None:
    def types(query: str) -> set[str]:
        return {TRACKER.log.error(event.error).type_name for event in found(query)}

    assert types("error:timeout") == {"Timeout"}
    assert types("error:READTIMEOUT,Timeout") == {"Timeout", "ReadTimeout", "readtimeout"}
    assert types("error:*timeout") == {"Timeout", "ReadTimeout", "readtimeout"}
    assert types('error:"*timeout"') == set()
    assert types(f"error:{quote(ODD_NAME)}") == {ODD_NAME}
    assert types("error:*") == {"ValueError", *ERROR_TYPES}
    assert {event.item_id for event in found("status:failed -error:*")} == {"no error"}


def test_a_word_is_looked_for_in_item_stage_worker_task_and_error() -> None:
    tracker = StatusTracker()
    play_item(tracker.begin_run(STAGES), "ITEM-ä", fails_in=1, message="No Route")
    assert len(found("item-Ä", tracker)) == len(tracker.log)
    assert {event.stage for event in found("parse", tracker)} == {"Parse"}
    assert {event.worker for event in found("fetch-w", tracker)} == {
        event.worker for event in found("stage:fetch -status:queued", tracker)
    }
    assert {event.kind for event in found('"no route"', tracker)} == {"retry", "retrying", "fail", "failed"}
    assert len(found("valueerror", tracker)) == len(found('"no route"', tracker))


def test_a_result_is_updated_with_new_rows_only() -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    play_item(record, "a", fails_in=0)
    result = tracker.search("status:failed boom")
    before = result.rows
    assert len(result) == 1
    assert result.update() == 0
    play_item(record, "b", fails_in=1)
    play_item(record, "c")
    assert result.update() == 1
    assert len(result) == 2
    assert len(before) == 1
    assert [event.item_id for event in result] == ["a", "b"]


def test_names_that_come_later_are_found_by_an_update() -> None:
    tracker = StatusTracker()
    result = tracker.search("late")
    tracker.begin_run(["Late"]).status(1, 0, "queued", "Late-W0")
    tracker.begin_run(["Other"]).status("too late", 0, "queued")
    assert result.update() == 2


def test_rows_cannot_be_changed_by_who_got_them() -> None:
    rows = TRACKER.search("status:failed").rows
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 5


# Masks against a plain loop


def loop_matches(log: EventLog, event: EventRow, term: Term) -> bool:
    """What a term means, said for one event in the plainest way."""
    hits = [value_matches(log, event, term.field, value.text, quoted=value.quoted) for value in term.values]
    return any(hits) != term.negated


def value_matches(log: EventLog, event: EventRow, field: str | None, text: str, *, quoted: bool) -> bool:
    if field == "status":
        return event.is_status and event.kind == text
    if field == "stage":
        return event.stage.casefold() == text.casefold()
    if field == "item":
        pattern = re.escape(text) if quoted else ".*".join(map(re.escape, text.split("*")))
        return re.fullmatch(pattern, str(event.item_id), re.DOTALL) is not None
    if field == "error":
        if event.error < 0:
            return False
        name, text = log.error(event.error).type_name.casefold(), text.casefold()
        pattern = re.escape(text) if quoted else ".*".join(map(re.escape, text.split("*")))
        return re.fullmatch(pattern, name, re.DOTALL) is not None
    texts = [str(event.item_id), event.stage, event.worker, event.task]
    if event.error >= 0:
        error = log.error(event.error)
        texts.append(f"{error.type_name}: {error.message}")
    return any(text.casefold() in each.casefold() for each in texts if each is not None)


_terms = st.one_of(
    st.sampled_from(
        [
            "status:failed",
            "status:queued,completed",
            "stage:Fetch",
            "stage:parse,SAVE",
            "stage:none",
            "item:1*",
            "item:Page-*",
            "item:*1*",
            "item:*",
            "item:\"(3, 'x')\"",
            "item:P*g*-1*",
            "error:ValueError",
            "error:timeout,VALUEERROR",
            "error:Read*",
            "error:*",
            "error:*TIMEOUTä",
            'error:"Read*"',
            "error:none",
            f"error:{quote(ODD_NAME)}",
            "fetch",
            "W1",
            "route",
            '"to 2"',
            "ÜNÏ",
            "valueerror",
            "e",
            "nothing-has-this",
        ]
    ),
    st.text("aegP1-3:", min_size=1, max_size=3).map('"{}"'.format),
    st.text("eT*rR", min_size=1, max_size=4).map("error:{}".format),
    st.sampled_from(ERROR_TYPES).map(lambda name: f"error:x,{quote(name)}"),
    st.integers(0, 40).map("item:{}".format),
)
_queries = st.lists(st.tuples(st.sampled_from(["", "-"]), _terms).map("".join), max_size=3).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(query=_queries, status_rows_only=st.booleans())
def test_a_querys_mask_equals_a_plain_loop(query: str, status_rows_only: bool) -> None:
    log = TRACKER.log
    terms = parse(query)
    expected = [
        event.row
        for event in log.page(range(len(log)))
        if (event.is_status or not status_rows_only) and all(loop_matches(log, event, term) for term in terms)
    ]
    assert search(log, query, status_rows_only=status_rows_only).rows.tolist() == expected


@settings(max_examples=30, deadline=None)
@given(query=_queries, cuts=st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_a_result_updated_bit_by_bit_equals_one_made_at_the_end(query: str, cuts: list[int]) -> None:
    tracker = StatusTracker()
    result = tracker.search(query)
    for number, items in enumerate(cuts):
        failing_tracker(items, seed=number, tracker=tracker)
        result.update()
    assert result.rows.tolist() == tracker.search(query).rows.tolist()


# Many texts at once

_TEXTS = [f"{'Page' if n % 7 else 'pägE'}-{n * n % 10_007}" for n in range(3 * SEGMENT_TEXTS + 100)]
_INDEX = TextIndex(_TEXTS.__getitem__)
_wildcards = st.text("agP*-01ä", max_size=4).map(TextPattern.wildcard)
_substrings = st.text("aeg-01ä", min_size=1, max_size=3).map(lambda text: TextPattern((text,)))


@settings(max_examples=60, deadline=None)
@given(pattern=st.one_of(_wildcards, _substrings), first=st.integers(0, 2 * SEGMENT_TEXTS))
def test_the_text_index_finds_what_a_plain_loop_finds(pattern: TextPattern, first: int) -> None:
    stop = len(_TEXTS)
    expected = [pattern.matches(text) for text in _TEXTS[first:stop]]
    assert _INDEX.find(pattern, first, stop).tolist() == expected


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_a_wildcard_stands_for_any_text(wildcard: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, wildcard.split("*"))), text) is not None
    assert TextPattern.wildcard(wildcard).matches(text) == expected
