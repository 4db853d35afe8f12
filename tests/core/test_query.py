"""The query language as text: what a query is read as, and what is said about a faulty one."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta, timezone
from datetime import time as clock_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from antflow_core.exceptions import QueryError
from antflow_core.search.query import FIELDS, parse, quote, unquote
from antflow_core.search.tree import AllOf, AnyOf, Interval, Moment, Node, Not, Style, Term
from tests.support.processes import run_python

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=12)


def shape(node: Node) -> object:
    """A query's tree in few words: terms as (field, values), the rest as lists with what combines them."""
    if isinstance(node, Term):
        return (node.field, *(value.text for value in node.values))
    if isinstance(node, Not):
        return ["not", shape(node.part)]
    return ["all" if isinstance(node, AllOf) else "any", *map(shape, node.parts)]


def read(query: str) -> object:
    return shape(parse(query))


def text(word: str) -> tuple[None, str]:
    return (None, word)


def meaning(query: str) -> object:
    """What the only value of a query with one term says."""
    node = parse(query)
    assert isinstance(node, Term)
    (only,) = node.meanings
    return only


def caught(query: str) -> QueryError:
    with pytest.raises(QueryError) as fault:
        parse(query)
    return fault.value


# Words, quotes and fields


@pytest.mark.parametrize("query", ["", "  ", "\t\n"])
def test_a_blank_query_is_every_event(query: str) -> None:
    assert read(query) == ["all"]


def test_terms_follow_one_another_and_all_are_meant() -> None:
    assert read('timeout "two words" stage:Fetch') == [
        "all",
        text("timeout"),
        text("two words"),
        ("stage", "Fetch"),
    ]


def test_a_field_takes_several_values() -> None:
    assert read('stage:Fetch,"Save all",x') == ("stage", "Fetch", "Save all", "x")


def test_a_minus_and_not_negate_what_follows() -> None:
    assert read('-status:failed NOT "a b" -x NOT NOT y -(a b)') == [
        "all",
        ["not", ("status", "failed")],
        ["not", text("a b")],
        ["not", text("x")],
        ["not", ["not", text("y")]],
        ["not", ["all", text("a"), text("b")]],
    ]


def test_or_binds_less_than_and_and_parentheses_come_first() -> None:
    assert read("a b OR c AND d") == ["any", ["all", text("a"), text("b")], ["all", text("c"), text("d")]]
    assert read("a (b OR c) d") == ["all", text("a"), ["any", text("b"), text("c")], text("d")]


def test_operators_are_words_in_capitals_and_text_in_quotes() -> None:
    assert read('or and not ORDER NOTE "OR"') == [
        "all",
        *map(text, ["or", "and", "not", "ORDER", "NOTE", "OR"]),
    ]


@pytest.mark.parametrize(
    "word", ["-", "--verbose", "a-b", "a,b", ",b", 'it"s', "get(a)", "f(g(x),y)", "x()", "*", ">5"]
)
def test_what_only_looks_like_syntax_is_text(word: str) -> None:
    assert read(word) == text(word)


@pytest.mark.parametrize(
    "word",
    ["http://host/a", "see:http://host", "item:http://host", "12:30", "::", ":x", "5:a", '://"x', "item://"],
)
def test_what_is_no_field_is_text(word: str) -> None:
    assert read(word) == text(word)


def test_an_address_in_quotes_is_a_fields_value() -> None:
    assert read('item:"http://host/a b"') == ("item", "http://host/a b")


def test_inside_quotes_a_backslash_escapes_a_quote_and_itself_only() -> None:
    assert read(r'"a \" b" item:"\\","C:\temp",x\\y') == [
        "all",
        text('a " b'),
        ("item", "\\", r"C:\temp", r"x\\y"),
    ]


def test_values_may_hold_pairs_of_parentheses_and_quotes_behind_their_beginning() -> None:
    assert read('item:f(1,2),a"b') == ("item", "f(1,2)", 'a"b')


def test_a_regular_expression_stands_between_slashes() -> None:
    node = parse(r"error:/HTTP 5\d\d/,/a\/b, c/,plain")
    assert isinstance(node, Term)
    assert [(value.text, value.style) for value in node.values] == [
        (r"HTTP 5\d\d", Style.REGEX),
        (r"a\/b, c", Style.REGEX),
        ("plain", Style.PLAIN),
    ]


def test_a_slash_elsewhere_is_a_character() -> None:
    assert read('/tmp/a item:orders/17 item:"/a/b"') == [
        "all",
        text("/tmp/a"),
        ("item", "orders/17"),
        ("item", "/a/b"),
    ]


def test_field_names_and_words_are_read_in_any_case() -> None:
    assert read('STATUS:Failed,"in progress",in-progress') == (
        "status",
        "failed",
        "in_progress",
        "in_progress",
    )
    assert read("Event:START") == ("event", "start")


def test_a_wildcard_stands_for_several_words_of_a_field() -> None:
    assert read("status:*ed") == ("status", "queued", "completed", "failed", "skipped")
    assert read("event:*") == ("event", "start", "complete", "retry", "fail")


def test_every_part_knows_where_it_stands() -> None:
    query = 'a -status:failed OR (b "c d") NOT item:1,2'
    whole = parse(query)
    assert isinstance(whole, AnyOf)
    first, second = whole.parts
    assert isinstance(first, AllOf)
    assert isinstance(second, AllOf)
    spans = [query[part.start : part.stop] for part in (*first.parts, *second.parts)]
    assert spans == ["a", "-status:failed", '(b "c d")', "NOT item:1,2"]


# Numbers, durations, moments


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        (">=2", Interval(low=2)),
        (">2", Interval(low=2, low_open=True)),
        ("<=2", Interval(high=2)),
        ("<2", Interval(high=2, high_open=True)),
        ("=2", Interval(2, 2)),
        ("2", Interval(2, 2)),
        ("2..4", Interval(2, 4)),
        ("2..", Interval(low=2)),
        ("..4", Interval(high=4)),
        ('"> 2"', Interval(low=2, low_open=True)),
    ],
)
def test_numbers_are_compared_or_lie_in_a_range(value: str, numbers: Interval) -> None:
    assert meaning(f"attempt:{value}") == numbers
    assert meaning(f"run:{value}") == numbers


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("250us", 250e-6),
        ("250µs", 250e-6),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("3m", 180),
        ("3min", 180),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ('"3 min 12 s"', 192),
        ("1.5", 1.5),
        ("90S", 90),
    ],
)
def test_durations_have_units_and_plain_numbers_are_seconds(value: str, seconds: float) -> None:
    found = meaning(f"duration:{value}")
    assert isinstance(found, Interval)
    assert math.isclose(found.low, seconds)


def test_durations_are_compared_too() -> None:
    assert meaning("duration:>1.5s") == Interval(low=1.5, low_open=True)
    assert meaning("duration:250ms..2s") == Interval(0.25, 2)
    assert meaning("last:5m") == Interval(low=-300)


@given(st.floats(0, 10), st.floats(0, 10), st.booleans(), st.booleans(), st.floats(0, 10))
def test_an_interval_holds_what_lies_between_its_bounds(
    low: float, high: float, low_open: bool, high_open: bool, number: float
) -> None:
    above = low < number if low_open else low <= number
    below = number < high if high_open else number <= high
    assert (number in Interval(low, high, low_open, high_open)) == (above and below)


EAST = timezone(timedelta(hours=5))
BEGAN = datetime(2026, 5, 1, 12, 30, 15, tzinfo=EAST).timestamp()


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("12:31", datetime(2026, 5, 1, 12, 31, tzinfo=EAST)),
        ("12:30:15", datetime(2026, 5, 1, 12, 30, 15, tzinfo=EAST)),
        ("12:30", datetime(2026, 5, 2, 12, 30, tzinfo=EAST)),
        ("9:05:01.5", datetime(2026, 5, 2, 9, 5, 1, 500_000, tzinfo=EAST)),
        ('"2026-05-01 14:00"', datetime(2026, 5, 1, 14, tzinfo=EAST)),
        ("2026-05-01T14:00:02.25", datetime(2026, 5, 1, 14, 0, 2, 250_000, tzinfo=EAST)),
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=EAST)),
        ("2026-05-01T14:00Z", datetime(2026, 5, 1, 14, tzinfo=UTC)),
        ("2026-05-01T14:00+02:00", datetime(2026, 5, 1, 12, tzinfo=UTC)),
        ("90s", datetime(2026, 5, 1, 12, 31, 45, tzinfo=EAST)),
    ],
)
def test_a_moment_is_a_time_of_day_a_date_or_a_time_since_the_start(value: str, moment: datetime) -> None:
    found = meaning(f"after:{value}")
    assert isinstance(found, Moment)
    assert found.unix(BEGAN, EAST) == moment.timestamp()
    assert meaning(f"before:{value}") == found


@pytest.mark.parametrize("zone", [None, UTC, EAST])
def test_a_time_of_day_is_the_next_one_on_the_viewers_clock(zone: timezone | None) -> None:
    found = Moment(clock_time(13, 0)).unix(BEGAN, zone)
    assert datetime.fromtimestamp(found, zone).time() == clock_time(13, 0)
    assert BEGAN <= found < BEGAN + 25 * 3600


def test_a_year_that_clocks_cannot_tell_is_endlessly_far() -> None:
    far = meaning("after:0001-01-01")
    assert isinstance(far, Moment)
    assert far.unix(BEGAN, timezone(timedelta(hours=14))) < 0


# Mistakes

_NO_REGEX = "a regular expression stands between two slashes and ends at its next /; for the text put quotes"
_MOMENT = 'needs a time of day (after:12:30), a date (after:"2026-05-01 14:00") or a time since the start'


@pytest.mark.parametrize(
    ("query", "message", "marked", "mended"),
    [
        ("stauts:failed", "unknown field `stauts`; did you mean `status`?", "stauts", "status:failed"),
        ("a -stauts:failed", "unknown field `stauts`; did you mean `status`?", "stauts", "a -status:failed"),
        ("eror:ValueError", "unknown field `eror`; did you mean `error`?", "eror", "error:ValueError"),
        ("zzz:1", "there are status, stage, item", "zzz", None),
        ("zzz:1", "unknown field `zzz`; put quotes around it to search for the text", "zzz", None),
        ("zzz:", "unknown field `zzz`", "zzz", None),
        ("zzz:(a)", "unknown field `zzz`", "zzz", None),
        ("status:faild", "unknown status `faild`; did you mean `failed`?", "faild", "status:failed"),
        ("status:failed,xyz", "unknown status `xyz`; there are queued, in_progress", "xyz", None),
        ("status:start", "`event:start` finds task events", "start", None),
        ("event:skipped", "`status:skipped` finds status events", "skipped", None),
        ("event:retri", "unknown event `retri`; did you mean `retry`?", "retri", "event:retry"),
        ("state:failed", "unknown field `state`; did you mean `status`?", "state", "status:failed"),
        ("took:>1s", "unknown field `took`; did you mean `duration`?", "took", "duration:>1s"),
        (
            "error-type:x",
            "unknown field `error-type`; did you mean `error_type`?",
            "error-type:",
            "error_type:x",
        ),
        ("a !status:failed", "did you mean `-status`? A minus leaves out", "!status:", "a -status:failed"),
        ("status:done", "unknown status `done`; did you mean `completed`?", "done", "status:completed"),
        ("event:done", "unknown event `done`; did you mean `complete`?", "done", "event:complete"),
        ("status:fail", "did you mean `failed`? `event:fail` finds task events", "fail", "status:failed"),
        ("event:failed", "did you mean `fail`? `status:failed` finds status events", "failed", "event:fail"),
        ("status:!failed", "a minus before the field leaves out, as in -status:failed", "!failed", None),
        ("status:failed|queued", "commas between", "failed|queued", "status:failed,queued"),
        ("item:'a b'", "text with spaces is put in double quotes", "'a", None),
        ("item:'a'", "begins with a single one", "'a'", 'item:"a"'),
        ("status:", "status: needs a value, as in status:failed", "", None),
        ("status: failed", "as in status:failed; there is no space before a value", "", None),
        ("(item:)", "item: needs a value, as in item:7", "", None),
        ("item:a,", "item: needs a value, as in item:7", "", None),
        ("item:a, b", "item: needs a value, as in item:7; there is no space before a value", "", None),
        ("stage:(a OR b)", "stage: takes values with commas between, as in stage:a,b", "(", None),
        ('a "b', 'this quote has no end; add a "', '"b', 'a "b"'),
        ('item:"b', 'this quote has no end; add a "', '"b', 'item:"b"'),
        (r'item:"b\"', 'this quote has no end; add a "', r'"b\"', r'item:"b\""'),
        ('item:"b\\', 'this quote has no end; add a "', '"b\\', r'item:"b\\"'),
        ("item:/home/a b", f'{_NO_REGEX} around it: item:"/home/a"', "/home/a", 'item:"/home/a" b'),
        ("error:/abc", _NO_REGEX, "/abc", 'error:"/abc"'),
        ("error:/a(/", "this regular expression is faulty: missing )", "/", None),
        ("error:/[z-a]/", "this regular expression is faulty: bad character range", None, None),
        ("attempt:/2/", "attempt: takes whole numbers, not a regular expression", "/2/", None),
        ("status:/f/", "status: takes one of its words, not a regular expression", "/f/", None),
        ("attempt:x", "attempt: needs a whole number, as in attempt:>=2 or attempt:2..4; got `x`", "x", None),
        ("attempt:1.5", "attempt: needs a whole number", "1.5", None),
        ("attempt:-1", "attempt: needs a whole number", "-1", None),
        ("run:..", "run: needs a whole number", "..", None),
        ("run:1..x", "run: needs a whole number", "1..x", None),
        ("attempt:4..2", "from the larger to the smaller; did you mean `2..4`?", "4..2", "attempt:2..4"),
        ("duration:>5x", "duration: needs a duration, as in duration:>1.5s or", ">5x", None),
        ("duration:5seconds", "got `5seconds`; units are us, ms, s, m, h and d", "5seconds", None),
        ("duration:2s..1s", "did you mean `1s..2s`?", "2s..1s", "duration:1s..2s"),
        ("last:100", "last: needs a duration with its unit, as in last:90s", "100", "last:100s"),
        ("last:soon", "last: needs a duration with its unit", "soon", None),
        ("last:0s", "last: needs a duration with its unit", "0s", None),
        ("last:5m,6m", "last: takes one value, as in last:5m", ",6m", "last:5m"),
        ("after:12", f"after: {_MOMENT}", "12", None),
        ("after:25:00", "got `25:00`", "25:00", None),
        ("after:2026-13-01", "got `2026-13-01`", "2026-13-01", None),
        ("before:9:00,10:00", "before: takes one value, as in before:12:30", ",10:00", "before:9:00"),
        ("(a OR b", "this ( is not closed; add a )", "(a OR b", "(a OR b)"),
        ('(a "(" (b) c', "this ( is not closed", '(a "(" (b) c', '(a "(" (b) c)'),
        ("x(", "or put quotes around text with parentheses", "(", "x()"),
        ("a )", "this ) closes nothing; put quotes around text with parentheses", ")", None),
        ("a ( ) b", "there is nothing between these parentheses", "( )", None),
        ("a OR", "OR needs a term behind it; to search for the word, put quotes", "OR", 'a "OR"'),
        ("a OR OR b", "OR needs a term behind it", "OR", 'a "OR" OR b'),
        ("(a OR )", "OR needs a term behind it", "OR", '(a "OR" )'),
        ("a AND", "AND needs a term behind it", "AND", 'a "AND"'),
        ("a NOT", "NOT needs a term behind it", "NOT", 'a "NOT"'),
        ("OR a", "OR needs a term before it; to search for the word, put quotes", "OR", '"OR" a'),
        ("(AND a)", "AND needs a term before it", "AND", '("AND" a)'),
    ],
)
def test_a_mistake_is_explained_with_its_place_and_a_remedy(
    query: str, message: str, marked: str | None, mended: str | None
) -> None:
    fault = caught(query)
    assert message in str(fault)
    assert fault.mended(query) == mended
    if marked is not None:
        assert query[fault.position : fault.end] == marked


def test_a_text_that_was_pasted_is_no_query() -> None:
    assert "a query has at most 100 terms, this one has 101" in str(caught("word " * 101))
    assert read('"' + "word " * 101 + '"')
    parse("word " * 100)


def test_what_goes_too_deep_is_refused_however_deep_it_goes() -> None:
    for depth in (60, 5_000):
        assert "deeper than 50 parentheses or negations" in str(caught("NOT " * depth + "a"))
    assert "deeper than 50" in str(caught("-(a " * 60 + ")" * 60))
    assert read("(" * 5_000 + "a" + ")" * 5_000) == text("a")


@given(st.text(max_size=20) | st.text('ab:"/\\ ()-,ORNTD*.<>=1s', max_size=20))
def test_any_text_is_read_or_refused_with_a_place_inside(query: str) -> None:
    fault: QueryError | None = None
    try:
        parse(query)
    except QueryError as error:
        fault = error
    assert fault is None or 0 <= fault.position <= fault.end <= len(query)


@given(st.text('ab"\\ ', max_size=8))
def test_a_quote_without_its_end_is_mended_by_what_is_suggested(word: str) -> None:
    query: str | None = f'item:"{word}'
    assert query is not None
    try:
        parse(query)
    except QueryError as error:
        query = error.mended(query)
    assert query is not None
    parse(query)


@given(ANY_TEXT)
@example("http://host/a")
@example("//")
@example("/a/")
@example("OR")
@example("a(b)")
@example(">=2")
@example('say "\\"')
def test_a_quoted_value_means_exactly_that_text(value: str) -> None:
    assert read(f"item:{quote(value)}") == ("item", value)
    assert read(f"-stage:x,{quote(value)}") == ["not", ("stage", "x", value)]
    assert read(f"({quote(value)})") == text(value)
    assert unquote(quote(value)) == value


# The fields as a list


def test_the_fields_are_listed_for_completion_with_examples_that_can_be_read() -> None:
    names = "status stage item worker task event attempt duration error error_type run after before last"
    assert list(FIELDS) == names.split()
    assert "retrying" in FIELDS["status"].values
    for field in FIELDS.values():
        node = parse(f"{field.name}:{field.example}")
        assert isinstance(node, Term)
        assert node.field == field.name


# Cost


def test_a_blank_query_loads_no_parser(tmp_path: object) -> None:
    code = (
        "import sys; from antflow_core.tracker import StatusTracker; StatusTracker().search(); "
        "print({'lark', 'regex'} & sys.modules.keys())"
    )
    done = run_python("-c", code, cwd=tmp_path)  # type: ignore[arg-type]  # the fixture is a Path
    assert (done.out.strip(), done.err) == ("set()", "")


def test_reading_a_query_takes_no_time_worth_speaking_of() -> None:
    query = r'status:failed stage:A,"B c" (a OR -b) duration:>1.5s error:/HTTP 5\d\d/ after:12:30 last:5m -x'
    parse(query)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        parse(query)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.01
