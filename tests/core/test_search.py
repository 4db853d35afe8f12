"""Searching the log: masks that equal a plain loop over the events, whatever the query and as it grows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from datetime import time as clock_time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from antflow_core.exceptions import QueryError
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KIND_INDEX, NO_DURATION, EventRow, record_dtype
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.history.text_columns import TextColumns
from antflow_core.history.text_index import SEGMENT_TEXTS, TextIndex, join_texts
from antflow_core.history.text_pattern import TextPattern
from antflow_core.search import conditions
from antflow_core.search.query import FIELDS, parse, quote
from antflow_core.search.result import SearchResult, search
from antflow_core.search.tree import AllOf, AnyOf, Interval, Moment, Node, Not, Style, Term, Text
from antflow_core.tracker import StatusTracker
from tests.support.events import STAGES, play_item, played_tracker
from tests.support.queries import ODD_NAME, QUERIES, TERMS

ERROR_TYPES = ("Timeout", "ReadTimeout", "ReadTimeoutÄ", "readtimeout", ODD_NAME)
ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=12)
EAST = timezone(timedelta(hours=5))


def failing_tracker(items: int, seed: int = 1, tracker: StatusTracker | None = None) -> StatusTracker:
    """A played tracker after another run, in which items failed with errors of many types, or of none."""
    tracker = played_tracker(items, seed=seed, tracker=tracker)
    record = tracker.begin_run(STAGES)
    for number, name in enumerate([*ERROR_TYPES, *ERROR_TYPES]):
        error = type(name, (Exception,), {})(f"ValueError {number}")
        record.task(number, number % 3, "work", "W", "fail", 1, error=error)
        record.status(number, number % 3, "failed", "W", attempt=1, error=error)
    record.status("no error", 0, "failed", "W", attempt=1, metadata={"why": "timeout"})
    record.end()
    return tracker


TRACKER = failing_tracker(60)


def found(query: str, tracker: StatusTracker = TRACKER) -> list[EventRow]:
    return tracker.log.page(tracker.search(query).rows.tolist())


def kinds(query: str) -> set[str]:
    return {event.kind for event in found(query)}


# What it finds


def test_an_empty_query_finds_every_row() -> None:
    assert TRACKER.search("").rows.tolist() == list(range(len(TRACKER.log)))


def test_status_rows_only_leaves_task_events_out() -> None:
    result = TRACKER.search(status_rows_only=True)
    assert {event.is_status for event in TRACKER.log.page(result.rows.tolist())} == {True}
    assert 0 < len(result) < len(TRACKER.log)


def test_a_status_matches_status_events_and_an_event_task_events_only() -> None:
    assert kinds("status:failed,retrying") == {"failed", "retrying"}
    assert kinds("event:fail,retry") == {"fail", "retry"}
    assert kinds("status:failed event:fail") == set()
    assert kinds("status:failed OR event:fail") == {"failed", "fail"}
    assert kinds("-status:* -event:start") == {"complete", "retry", "fail"}


def test_an_item_is_found_by_its_whole_id() -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    for item in (1, "1", 11, "x1", 1.5):
        play_item(record, item)

    def items(query: str) -> set[object]:
        return {event.item_id for event in found(query, tracker)}

    assert items("item:1") == {1, "1"}
    assert items("item:*1") == {1, "1", 11, "x1"}
    assert items("item:x*,1.5") == {"x1", 1.5}
    assert items('item:"x*"') == set()
    assert items("item:/^1/") == {1, "1", 11, 1.5}
    assert items("item:X1") == set()
    assert items("item:/X1/") == set()


@pytest.mark.parametrize(
    "item_id", [7, "7", "07", -7, 0, True, None, 7.0, (7,), 10**30, "-0", "x", np.int64(7)]
)
def test_an_id_of_any_kind_is_found_by_its_text(item_id: object) -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    for other in ("7", 7, "07", -7, 0, "-0", 10**30, "y", item_id):
        record.status(other, 0, "queued")
    events = tracker.log.page(range(len(tracker.log)))
    expected = [event.row for event in events if str(event.item_id) == str(item_id)]
    assert [event.row for event in found(f"item:{quote(str(item_id))}", tracker)] == expected


class _Renamed(str):
    __slots__ = ()

    def __str__(self) -> str:
        return f"no {str.__str__(self)}"


@pytest.mark.parametrize(("item_id", "equal"), [(True, "1"), (7.0, "7"), (_Renamed("x"), "x")])
def test_an_id_is_not_found_by_the_text_of_another_one_that_equals_it(item_id: object, equal: str) -> None:
    tracker = StatusTracker()
    tracker.begin_run(STAGES).status(item_id, 0, "queued")
    assert len(found(f"item:{equal}", tracker)) == 0
    assert len(found(f"item:{quote(str(item_id))}", tracker)) == 1


@settings(deadline=None)
@given(st.text('ab"\\*, -:/()', min_size=1, max_size=6) | ANY_TEXT)
@example("http://host/a")
@example("//")
@example("/a/")
@example("")
def test_a_quoted_id_finds_exactly_that_item(text: str) -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    for item in {text, f"{text}x", f"x{text}", f'"{text}"', text.replace("*", "x"), text.replace("\\", "")}:
        record.status(item, 0, "queued")
    assert [event.item_id for event in found(f"item:{quote(text)}", tracker)] == [text]


def test_names_are_found_whole_in_any_case_with_wildcards_or_by_expression() -> None:
    def workers(query: str) -> set[str | None]:
        return {event.worker for event in found(query)}

    assert workers("worker:fetch-w0") == {"Fetch-W0"}
    assert workers("worker:Fetch") == set()
    assert workers("worker:*-w1,W") == {"Fetch-W1", "Parse-W1", "Save-W1", "W"}
    assert workers("worker:/^(fetch|save)-w1$/") == {"Fetch-W1", "Save-W1"}
    assert None in workers("-worker:*")
    assert {event.task for event in found("task:FETCH,work")} == {"fetch", "work"}
    assert {event.stage for event in found("stage:*e* -stage:fetch")} == {"Parse", "Save"}


def test_an_error_is_found_by_words_of_its_type_or_message() -> None:
    def types(query: str) -> set[str]:
        return {TRACKER.log.error(event.error).type_name for event in found(query)}

    assert types("error:timeout") == {"Timeout", "ReadTimeout", "ReadTimeoutÄ", "readtimeout"}
    assert types("error:READ*ÄE*: * 2") == set()
    assert types("error:valueerror -error_type:ValueError") == {*ERROR_TYPES}
    assert types('error:"no route"') == {"ValueError"}
    assert types("error:no*to*2") == {"ValueError"}
    assert types(r"error:/^read\w+: valueerror \d$/") == {"ReadTimeout", "ReadTimeoutÄ", "readtimeout"}
    assert {event.item_id for event in found("status:failed -error:*")} == {"no error"}


def test_an_error_is_found_by_the_whole_name_of_its_type() -> None:
    def types(query: str) -> set[str]:
        return {TRACKER.log.error(event.error).type_name for event in found(query)}

    assert types("error_type:timeout") == {"Timeout"}
    assert types("error_type:READTIMEOUT,Timeout") == {"Timeout", "ReadTimeout", "readtimeout"}
    assert types("error_type:*timeout") == {"Timeout", "ReadTimeout", "readtimeout"}
    assert types('error_type:"*timeout"') == set()
    assert types("error_type:/^Read.*[^ä]$/") == {"ReadTimeout", "readtimeout"}
    assert types(f"error_type:{quote(ODD_NAME)}") == {ODD_NAME}


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
    assert found("no*route", tracker) == []


def test_an_attempt_is_a_number_from_one_and_events_without_one_have_none() -> None:
    assert {event.attempt for event in found("attempt:>=2")} == {2}
    assert {event.attempt for event in found("attempt:<2")} == {1}
    assert {event.attempt for event in found("attempt:0..5,7")} == {1, 2}
    assert {event.attempt for event in found("-attempt:>0")} == {0}
    assert found("attempt:70000..80000") == []
    assert len(found("attempt:..70000")) == len(found("attempt:>0"))


def test_a_duration_is_compared_as_it_is_recorded() -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    for number, seconds in enumerate([0.1, 0.3, 1.5, None]):
        record.task(number, 0, "work", "W", "complete", 1, duration=seconds)

    def items(query: str) -> list[object]:
        return [event.item_id for event in found(query, tracker)]

    assert items("duration:100ms") == [0]
    assert items("duration:<=0.3") == [0, 1]
    assert items("duration:>300ms") == [2]
    assert items("duration:..1.5s") == [0, 1, 2]
    assert items("-duration:>=0s") == [3]


def test_runs_are_told_apart_by_their_numbers() -> None:
    assert {event.run for event in found("run:2")} == {2}
    assert {event.run for event in found("run:1,2")} == {1, 2}
    assert {event.run for event in found("run:>1")} == {2}
    assert found("run:3") == []


# Times


def timed_log(*times: float, began_at: float = 1_000.0) -> EventLog:
    """A log with one event of one item at each of these moments, in seconds since the run began."""
    log = EventLog()
    log.begin_run("timed", STAGES, began_at)
    add_times(log, *times)
    return log


def add_times(log: EventLog, *times: float) -> None:
    item = log.run_items(1)["x"]
    for seconds in times:
        at = log.started_at + seconds
        log.append(at, item, 0, KIND_INDEX["queued"], 0, 0xFFFF, -1, NO_DURATION, -1)


def test_after_and_before_meet_without_overlapping() -> None:
    log = timed_log(0, 5, 10, 15)
    assert search(log, "after:10s").rows.tolist() == [2, 3]
    assert search(log, "before:10s").rows.tolist() == [0, 1]
    assert search(log, "after:5s before:15s").rows.tolist() == [1, 2]


def test_a_time_of_day_is_the_first_after_the_run_began_in_the_viewers_zone() -> None:
    began = datetime(2026, 5, 1, 23, 0, tzinfo=EAST)
    log = timed_log(0, 1_800, 3_600, 7_200, began_at=began.timestamp())
    assert search(log, "after:23:30", zone=EAST).rows.tolist() == [1, 2, 3]
    assert search(log, "after:0:00", zone=EAST).rows.tolist() == [2, 3]
    assert search(log, 'before:"2026-05-02 00:30"', zone=EAST).rows.tolist() == [0, 1, 2]
    assert search(log, "after:18:30", zone=UTC).rows.tolist() == [1, 2, 3]


@pytest.fixture
def berlin() -> ZoneInfo:
    """A zone whose clocks are set forward and back."""
    try:
        return ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        pytest.skip("this machine has no data of time zones")


def test_a_time_of_day_that_a_clock_shows_twice_is_the_first_after_the_run_began(berlin: ZoneInfo) -> None:
    # At 3:00 summer time, which is 1:00 UTC, the clock is set back to 2:00.
    began = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)  # 2:45, the first time
    log = timed_log(0, 600, 2_700, 3_600, began_at=began.timestamp())
    assert search(log, "after:2:30", zone=berlin).rows.tolist() == [2, 3]
    assert search(log, "after:2:50", zone=berlin).rows.tolist() == [1, 2, 3]
    assert search(log, "after:2:40", zone=berlin).rows.tolist() == [3]


def test_a_time_of_day_that_a_clock_skips_counts_as_if_it_were_not_set_forward(berlin: ZoneInfo) -> None:
    # At 2:00, which is 1:00 UTC, the clock is set forward to 3:00.
    began = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)  # 0:30
    log = timed_log(0, 5_400, 7_200, 9_000, began_at=began.timestamp())
    assert search(log, "after:2:30", zone=berlin).rows.tolist() == [2, 3]  # 3:30, for it shows no 2:30
    assert search(log, "after:3:30", zone=berlin).rows.tolist() == [2, 3]
    assert search(log, "before:1:30", zone=berlin).rows.tolist() == [0]


def test_a_run_over_midnight_and_a_clock_that_is_set_meanwhile(berlin: ZoneInfo) -> None:
    began = datetime(2026, 10, 24, 21, 0, tzinfo=UTC)  # 23:00 on the evening before
    log = timed_log(0, 4 * 3_600, 5 * 3_600, 12 * 3_600, began_at=began.timestamp())
    assert search(log, "after:4:00", zone=berlin).rows.tolist() == [3]  # 3:00 UTC
    assert search(log, "after:22:59", zone=berlin).rows.tolist() == []  # the next evening
    assert search(log, 'after:"2026-10-25 03:00"', zone=berlin).rows.tolist() == [2, 3]


def test_last_counts_back_from_the_newest_event_and_drops_its_old_end() -> None:
    log = timed_log(0, 50, 100)
    result = search(log, "last:1m")
    assert result.rows.tolist() == [1, 2]
    add_times(log, 105, 140)
    assert (result.update(), result.dropped, result.rows.tolist()) == (2, 1, [2, 3, 4])
    add_times(log, 101)  # an event that comes late changes nothing about how old the others are
    assert (result.update(), result.dropped, result.rows.tolist()) == (1, 1, [2, 3, 4, 5])


def test_rows_that_come_or_go_in_between_count_as_all_being_replaced() -> None:
    log = timed_log(0, 50, 100)
    result = search(log, "-last:1m OR item:x before:60s")
    assert result.rows.tolist() == [0, 1]
    late = search(log, "-last:1m")
    add_times(log, 130)
    assert (result.update(), result.dropped, result.rows.tolist()) == (0, 0, [0, 1])
    assert (late.update(), late.dropped, late.rows.tolist()) == (1, 0, [0, 1])
    either = search(log, "before:20s OR last:1s")
    add_times(log, 140)
    assert (either.update(), either.dropped, either.rows.tolist()) == (2, 2, [0, 4])


def test_a_moment_is_known_once_a_run_has_begun() -> None:
    log = EventLog()
    result = search(log, "after:10s")
    log.begin_run("late", STAGES, 2_000.0)
    add_times(log, 5, 15)
    assert result.update() == 1


# Results that grow


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


@pytest.mark.parametrize("workers", [254, 255, 256, 257])
def test_workers_are_told_apart_however_many_there_are(workers: int) -> None:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    for number in range(workers):
        record.status(number, 0, "queued")
        record.status(number, 0, "in_progress", f"W{number}", attempt=1)
    for query in ("worker:W0,W2,W254", "-worker:W1,W255", "worker:W253 OR worker:W256 item:256"):
        assert tracker.search(query).rows.tolist() == plain_loop(tracker.log, query)


def test_rows_cannot_be_changed_by_who_got_them() -> None:
    rows = TRACKER.search("status:failed").rows
    assert rows.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 5


def test_a_page_and_a_position_are_told_without_making_all_rows() -> None:
    result = TRACKER.search("-status:failed")
    rows = result.rows.tolist()
    assert result.page(3, 9).tolist() == rows[3:9]
    assert result.page(len(rows) - 2, len(rows) + 5).tolist() == rows[-2:]
    positions = [result.position(row) for row in range(len(TRACKER.log) + 1)]
    assert [at for at in positions if at is not None] == [*range(len(rows))]
    assert [row for row, at in enumerate(positions) if at is not None] == rows


# Regular expressions


def test_an_expression_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "REGEX_LIMIT_S", 0.05)
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    query = "status:queued item:/(a|aa)+$/"
    result = tracker.search(query)
    record.status("a" * 60 + "b", 0, "queued")
    with pytest.raises(QueryError, match=r"given up after 0\.05 s; avoid repeats within repeats") as caught:
        tracker.search(query)
    assert query[caught.value.position : caught.value.end] == "/(a|aa)+$/"
    for _ in range(2):
        with pytest.raises(QueryError, match="given up"):
            result.update()
    assert len(result) == 0


def test_an_expression_may_say_itself_that_case_matters() -> None:
    assert {event.stage for event in found("stage:/^f/")} == {"Fetch"}
    assert found("stage:/(?-i:^f)/") == []


# Masks against a plain loop


def loop_matches(log: EventLog, event: EventRow, node: Node, newest: float) -> bool:
    """What a query means, said for one event in the plainest way."""
    if isinstance(node, Not):
        return not loop_matches(log, event, node.part, newest)
    if isinstance(node, (AllOf, AnyOf)):
        answers = (loop_matches(log, event, part, newest) for part in node.parts)
        return all(answers) if isinstance(node, AllOf) else any(answers)
    return any(value_matches(log, event, node, at, newest) for at in range(len(node.values)))


def value_matches(log: EventLog, event: EventRow, term: Term, at: int, newest: float) -> bool:
    value, field = term.values[at], term.field
    error = log.error(event.error) if event.error >= 0 else None
    error_text = f"{error.type_name}: {error.message}" if error else None
    if field is None:
        texts = [str(event.item_id), event.stage, event.worker, event.task, error_text]
        return any(value.text.casefold() in text.casefold() for text in texts if text is not None)
    if field in ("status", "event"):
        return event.is_status == (field == "status") and event.kind == value.text
    if field in ("attempt", "duration", "run"):
        number = {"attempt": event.attempt or None, "duration": event.duration, "run": event.run}[field]
        return number is not None and holds(term.meanings[at], number, single=field == "duration")
    if field in ("after", "before", "last"):
        return time_matches(log, event, field, term.meanings[at], newest)
    text = {
        "stage": event.stage,
        "item": str(event.item_id),
        "worker": event.worker,
        "task": event.task,
        "error": error_text,
        "error_type": error.type_name if error else None,
    }[field]
    return text is not None and text_matches(text, value, field)


def holds(meaning: object, number: float, *, single: bool) -> bool:
    assert isinstance(meaning, Interval)
    low, high = (
        float(np.float32(bound)) if single and math.isfinite(bound) else bound
        for bound in (meaning.low, meaning.high)
    )
    above = number > low if meaning.low_open else number >= low
    return above and (number < high if meaning.high_open else number <= high)


def time_matches(log: EventLog, event: EventRow, field: str, meaning: object, newest: float) -> bool:
    if isinstance(meaning, Interval):
        return event.time >= newest + meaning.low
    assert isinstance(meaning, Moment)
    limit = moment(log, meaning)
    return event.time >= limit if field == "after" else event.time < limit


def moment(log: EventLog, meaning: Moment) -> float:
    what = meaning.what
    if isinstance(what, float):
        return log.started_at + what
    if isinstance(what, datetime):
        return (what if what.tzinfo else what.replace(tzinfo=EAST)).timestamp()
    assert isinstance(what, clock_time)
    began = datetime.fromtimestamp(log.started_at, EAST)
    first = began.replace(
        hour=what.hour, minute=what.minute, second=what.second, microsecond=what.microsecond
    )
    return (first if first >= began else first + timedelta(days=1)).timestamp()


def text_matches(text: str, value: Text, field: str) -> bool:
    flags = re.DOTALL if field == "item" else re.DOTALL | re.IGNORECASE
    if value.style is Style.REGEX:
        return re.search(value.text, text, flags & ~re.DOTALL) is not None
    wanted = value.text
    if field != "item":
        text, wanted = text.casefold(), wanted.casefold()
    pattern = (
        re.escape(wanted) if value.style is Style.QUOTED else ".*".join(map(re.escape, wanted.split("*")))
    )
    find = re.search if field == "error" else re.fullmatch
    return find(pattern, text, re.DOTALL) is not None


def plain_loop(log: EventLog, query: str, *, status_rows_only: bool = False) -> list[int]:
    events = log.page(range(log.first_row, log.next_row))
    newest = max((event.time for event in events), default=-math.inf)
    node = parse(query)
    return [
        event.row
        for event in events
        if (event.is_status or not status_rows_only) and loop_matches(log, event, node, newest)
    ]


@settings(max_examples=200, deadline=None)
@given(query=QUERIES, status_rows_only=st.booleans())
def test_a_querys_mask_equals_a_plain_loop(query: str, status_rows_only: bool) -> None:
    log = TRACKER.log
    result = search(log, query, status_rows_only=status_rows_only, zone=EAST)
    assert result.rows.tolist() == plain_loop(log, query, status_rows_only=status_rows_only)


@settings(max_examples=25, deadline=None)
@given(queries=st.lists(TERMS, min_size=17, max_size=40), word=st.sampled_from([" OR ", " OR -", " ", " -"]))
def test_a_query_of_very_many_terms_equals_a_plain_loop(queries: list[str], word: str) -> None:
    query = f"-({word.join(queries)}) OR {word.join(queries[:20])}"
    assert search(TRACKER.log, query, zone=EAST).rows.tolist() == plain_loop(TRACKER.log, query)


@st.composite
def _growing_logs(draw: st.DrawFn) -> Iterator[EventLog]:
    """A log, yielded again and again as it grows: several runs, odd numbers, events out of order."""
    log = EventLog()
    records = st.lists(
        st.tuples(
            st.floats(-2, 200, width=32),
            st.integers(0, 6),
            st.integers(0, 2),
            st.integers(0, 9),
            st.sampled_from([0, 1, 1, 2, 3, 65_535]),
            st.sampled_from([0, 1, 0xFFFF, 0xFFFF]),
            st.integers(-1, 2),
            st.sampled_from([math.nan, math.nan, 0.0, 0.1, 0.125, 0.25, 0.5, 3.4e38]),
            st.sampled_from([-1, -1, -1, 0, 1, 2]),
        ),
        max_size=8,
    )
    batches = draw(st.lists(st.tuples(st.booleans(), records), min_size=1, max_size=4))
    for name in ("Fetch-W0", "Parse-W1", "W"):
        assert log.worker_indexes[name] >= 0
    for name in ("fetch", "work"):
        assert log.task_indexes[name] >= 0
    for number, name in enumerate(["ValueError", "Timeout", "ReadTimeoutÄ"]):
        log.errors.index(type(name, (Exception,), {})(f"no route to {number}"))

    def grow() -> Iterator[EventLog]:
        run = 0
        for begins, batch in batches:
            if begins or not run:
                run = log.begin_run("grown", STAGES, 1_000.0 + run)
            for at, item, stage, *rest in batch:
                ids = (item, f"Page-{item}", (item, "x"), f"ünï {item}", "7", 7.5, -1)
                index = log.run_items(run)[ids[item]]
                row = log.append(1_000 + at, index, log.stage_indexes(run)[stage], *rest)
                log.notes[row] = {"error": "route", "note": item}
            yield log

    return grow()


@settings(max_examples=200, deadline=None)
@given(logs=_growing_logs(), query=QUERIES, status_rows_only=st.booleans())
def test_a_result_updated_bit_by_bit_equals_a_plain_loop_and_one_made_at_the_end(
    logs: Iterator[EventLog], query: str, status_rows_only: bool
) -> None:
    result: SearchResult | None = None
    held: list[int] = []
    for log in logs:
        if result is None:
            result = search(log, query, status_rows_only=status_rows_only, zone=EAST)
            held = result.rows.tolist()
        else:
            dropped = result.dropped
            added = result.update()
            held = [*held, *result.page(len(result) - added, len(result)).tolist()][
                result.dropped - dropped :
            ]
        expected = plain_loop(log, query, status_rows_only=status_rows_only)
        assert result.rows.tolist() == expected
        assert held == expected
        assert search(log, query, status_rows_only=status_rows_only, zone=EAST).rows.tolist() == expected


# Logs of many chunks, whose oldest are dropped


def many_events(log: EventLog, count: int, first: int) -> None:
    """Events of ever new items, a millisecond apart, with everything a query can ask for in turn."""
    records = np.zeros(count, record_dtype())
    numbers = np.arange(first, first + count)
    items = log.run_items(1)
    records["item"] = [items[f"item-{number // 3}"] for number in numbers.tolist()]
    records["time"] = 1_000 + numbers / 1_000
    records["kind"] = numbers % 10
    records["stage"] = numbers // 5_000 % 3
    records["attempt"] = numbers % 3
    records["task"] = np.where(numbers % 10 < 6, 0xFFFF, numbers % 2)
    records["worker"] = numbers % 4 - 1
    records["duration"] = np.where(numbers % 5 == 0, np.nan, numbers % 100 / 100)
    records["error"] = np.where(numbers % 10 == 3, numbers // 20_000 % 2, -1)
    log.append_records(records)


def big_log(max_events: int | None = None) -> EventLog:
    log = EventLog(max_events)
    log.begin_run("big", STAGES, 1_000.0)
    for name in ("Fetch-W0", "Parse-W1", "W"):
        assert log.worker_indexes[name] >= 0
    for name in ("fetch", "work"):
        assert log.task_indexes[name] >= 0
    for name in ("ValueError", "Timeout"):
        log.errors.index(type(name, (Exception,), {})("no route"))
    return log


BIG_QUERIES = (
    "",
    "status:failed",
    "-status:failed error:timeout",
    "stage:Fetch attempt:2 duration:>0.5",
    "item:item-12345",
    "item:*99 worker:W",
    "timeout OR parse -task:work",
    "e 1 -2",
    "last:5s",
    "last:10s status:failed,queued",
    "-last:20s event:start",
    "after:17s before:40s w",
    "run:1 -item:item-1*",
    "error_type:ValueError OR item:/00$/ OR duration:=0.25",
)


@pytest.mark.parametrize("query", BIG_QUERIES)
def test_a_query_over_many_chunks_equals_a_plain_loop(query: str) -> None:
    log = big_log()
    result = search(log, query)
    for first, count in ((0, 20_000), (20_000, 16_384), (36_384, 1), (36_385, 15_000)):
        many_events(log, count, first)
        result.update()
    expected = plain_loop(log, query)
    assert result.rows.tolist() == expected
    assert search(log, query).rows.tolist() == expected


@pytest.mark.parametrize("query", BIG_QUERIES)
def test_rows_that_the_log_has_dropped_leave_a_result(query: str) -> None:
    log = big_log(3 * CHUNK_ROWS)
    result = search(log, query)
    held: list[int] = []
    for first in range(0, 120_000, 12_000):
        many_events(log, 12_000, first)
        dropped = result.dropped
        added = result.update()
        held = [*held, *result.page(len(result) - added, len(result)).tolist()][result.dropped - dropped :]
    assert log.first_row > 0
    expected = plain_loop(log, query)
    assert result.rows.tolist() == held == expected
    assert search(log, query).rows.tolist() == expected


def test_the_events_of_a_result_are_those_that_the_log_still_holds() -> None:
    log = big_log(2 * CHUNK_ROWS)
    many_events(log, 20_000, 0)
    result = search(log, "status:failed")
    before = [event.timestamp for event in result]
    many_events(log, 20_000, 20_000)
    assert log.first_row > 0
    assert [event.timestamp for event in result] == before[-len([*result]) :]
    assert 0 < len([*result]) < len(before)


def test_a_result_that_missed_what_was_dropped_goes_on_behind_it() -> None:
    log = big_log(2 * CHUNK_ROWS)
    result = search(log, "status:failed")
    for first in range(0, 100_000, 10_000):
        many_events(log, 10_000, first)
    result.update()
    assert result.rows.tolist() == plain_loop(log, "status:failed")
    assert (result.dropped, result.update()) == (0, 0)


def mixed_log() -> EventLog:
    """A limited log that has dropped chunks of three runs, whose items have the same ids of all kinds."""
    log = EventLog(3 * CHUNK_ROWS)
    for name in ("Fetch-W0", "Parse-W1", "W"):
        assert log.worker_indexes[name] >= 0
    for name in ("fetch", "work"):
        assert log.task_indexes[name] >= 0
    for number, name in enumerate(ERROR_TYPES):
        log.errors.index(type(name, (Exception,), {})(f"no route to {number}"))
    lot = np.random.default_rng(3)
    for start in (1_000.0, 1_020.0, 1_040.0):
        run = log.begin_run("mixed", STAGES, start)
        ids = [
            *range(20),
            *(f"Page-{n}" for n in range(2_000)),
            *([n, "x"] for n in range(9)),
            "ünï 3",
            7.5,
            (3, "x"),
        ]
        items = [log.run_items(run).index(item_id) for item_id in ids]
        count = 20_000
        records = np.zeros(count, record_dtype())
        records["item"] = np.array(items)[lot.integers(0, len(items), count)]
        records["time"] = start + np.arange(count) / 1_000 + lot.normal(0, 0.05, count)
        records["kind"] = lot.integers(0, 10, count)
        records["stage"] = lot.choice(log.stage_indexes(run), count)
        records["attempt"] = lot.choice([0, 1, 1, 2, 3, 65_535], count)
        records["task"] = lot.choice([0, 1, 0xFFFF], count)
        records["worker"] = lot.integers(-1, 3, count)
        records["duration"] = lot.choice([np.nan, 0.0, 0.1, 0.125, 0.25, 0.5, 3.4e38], count)
        records["error"] = np.where(lot.random(count) < 0.02, lot.integers(0, len(ERROR_TYPES), count), -1)
        log.append_records(records)
        log.end_run(run, start + 20)
    return log


MIXED = mixed_log()
MIXED_EVENTS = MIXED.page(range(MIXED.first_row, MIXED.next_row, 97))


@settings(max_examples=80, deadline=None)
@given(query=QUERIES)
def test_a_query_over_dropped_chunks_and_several_runs_equals_a_plain_loop(query: str) -> None:
    assert MIXED.first_row > 0
    found = {*search(MIXED, query, zone=EAST).rows.tolist()}
    node, newest = (
        parse(query),
        float(max(block["time"].max() for _, block in MIXED.blocks(0, MIXED.next_row))),
    )
    for event in MIXED_EVENTS:
        assert (event.row in found) == loop_matches(MIXED, event, node, newest)


@pytest.fixture(scope="module")
def tried() -> list[str]:
    """Some hundred of the queries that the properties are tried with."""
    seen: list[str] = []

    @settings(max_examples=500, phases=[Phase.generate], database=None, derandomize=True)
    @given(QUERIES)
    def collect(query: str) -> None:
        seen.append(query)

    collect()
    return seen


def test_the_queries_tried_name_every_field_and_have_every_operator(tried: list[str]) -> None:
    wanted = [f"{field}:" for field in FIELDS]
    wanted += [" OR ", " AND ", "-(", "NOT (", "(", ":/", "*", '"', ",", "..", ":>", ":<=", "="]
    assert [part for part in wanted if not any(part in query for query in tried)] == []


def test_ranges_that_lie_close_together_are_told_apart() -> None:
    log = timed_log()
    item = log.run_items(1)["x"]
    seconds = [*np.linspace(0, 0.3, 3_001).tolist(), -1.0, math.inf, math.nan, 1e-40]
    for each in seconds:
        log.append(1_000.0, item, 0, 2, 1, 0xFFFF, -1, each, -1)
    ranges = [f"{n}ms..{n + 1}ms" for n in range(0, 300, 2)] + ["100.1ms", "100.2ms", ">1h"]
    query = f"duration:{','.join(ranges)} -duration:51ms,<1ms,0.0004"
    assert 0 < len(search(log, query)) < len(seconds)
    assert search(log, query).rows.tolist() == plain_loop(log, query)


# Many texts at once

_TEXTS = [f"{'Page' if n % 7 else 'pägE'}-{n * n % 10_007}" for n in range(3 * SEGMENT_TEXTS + 100)]


def _texts(first: int, stop: int) -> list[str]:
    return _TEXTS[first:stop]


_INDEX = TextIndex(_texts)
_wildcards = st.text("agP*-01ä", max_size=4).map(TextPattern.wildcard)
_substrings = st.text("aeg-01ä\nß", min_size=1, max_size=3).map(lambda text: TextPattern((text,)))


@settings(max_examples=60, deadline=None)
@given(
    pattern=st.one_of(_wildcards, _substrings),
    first=st.integers(0, 2 * SEGMENT_TEXTS),
    missing=st.integers(0, 2_000),
    ignore_case=st.booleans(),
)
def test_the_text_index_finds_what_a_plain_loop_finds(
    pattern: TextPattern, first: int, missing: int, ignore_case: bool
) -> None:
    stop = len(_TEXTS) - missing
    if ignore_case:
        pattern = TextPattern(
            tuple(piece.casefold() for piece in pattern.pieces), pattern.at_start, pattern.at_end
        )
    texts = (text.casefold() if ignore_case else text for text in _TEXTS[first:stop])
    expected = [*map(pattern.matches, texts)]
    assert _INDEX.find(pattern, first, stop, ignore_case=ignore_case).tolist() == expected


_pieces = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3).map(tuple)


@settings(max_examples=100, deadline=None)
@given(
    texts=st.lists(
        st.text("abä", max_size=12) | st.text("ab", min_size=100, max_size=140), min_size=1, max_size=60
    ),
    pattern=st.builds(TextPattern, _pieces, st.booleans(), st.booleans()),
)
@example(texts=["a" * 100, "b" + "a" * 101, "aaaaa", "a" * 100], pattern=TextPattern(("a",), at_start=True))
def test_pieces_are_found_in_order_in_texts_of_any_length(texts: list[str], pattern: TextPattern) -> None:
    columns = TextColumns.of_joined(join_texts(texts))
    assert columns.find(pattern).tolist() == [pattern.matches(text) for text in texts]


def test_what_a_word_found_is_remembered_only_as_long_as_its_texts_are_there() -> None:
    texts = [str(n) for n in range(4 * SEGMENT_TEXTS)]
    index = TextIndex(lambda first, stop: texts[first:stop])
    for first, stop in (
        (0, 20_000),
        (9_000, 32_000),
        (SEGMENT_TEXTS, len(texts)),
        (0, 9_000),
        (30_000, 30_001),
    ):
        hits = index.find(TextPattern(("77",)), first, stop).tolist()
        assert hits == ["77" in text for text in texts[first:stop]]
    index.forget_before(2 * SEGMENT_TEXTS + 5)
    assert index.find(TextPattern(("77",)), 20_000, 30_000).tolist() == [
        "77" in text for text in texts[20_000:30_000]
    ]


def test_the_text_index_keeps_texts_apart_that_hold_line_ends() -> None:
    texts = [f"{n}\n{n}" if n % 3 else "ß" for n in range(SEGMENT_TEXTS)]
    index = TextIndex(lambda first, stop: texts[first:stop])
    for word, expected in (("4\n4", "4\n4"), ("ss", "ß"), ("\n1", "\n1")):
        hits = index.find(TextPattern((word,)), 0, len(texts), ignore_case=True).tolist()
        assert hits == [expected in text for text in texts]


def test_the_text_index_grows_a_segment_and_forgets_those_before_one() -> None:
    texts = [str(n) for n in range(3 * SEGMENT_TEXTS)]
    index = TextIndex(lambda first, stop: texts[first:stop])
    for stop in (600, 700, 2_000, SEGMENT_TEXTS - 1, SEGMENT_TEXTS, len(texts)):
        hits = index.find(TextPattern(("77",)), 0, stop).tolist()
        assert hits == ["77" in text for text in texts[:stop]]
    size = index.memory_bytes()
    index.forget_before(2 * SEGMENT_TEXTS + 5)
    assert 0 < index.memory_bytes() < size / 2


def test_the_text_index_is_prepared_some_segments_at_a_time() -> None:
    texts = [str(n) for n in range(3 * SEGMENT_TEXTS + 50)]
    asked: list[int] = []

    def some(first: int, stop: int) -> list[str]:
        asked.append(first // SEGMENT_TEXTS)
        return texts[first:stop]

    index = TextIndex(some)
    index.prepare(0, len(texts), segments=2)
    assert asked == [0, 1]
    index.prepare(0, len(texts), segments=2)
    index.prepare(0, len(texts), segments=2)
    assert asked == [0, 1, 2]


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_a_wildcard_stands_for_any_text(wildcard: str, text: str) -> None:
    pattern = ".*".join(map(re.escape, wildcard.split("*")))
    assert TextPattern.wildcard(wildcard).matches(text) == (re.fullmatch(pattern, text) is not None)
    assert TextPattern.containing(wildcard).matches(text) == (re.search(pattern, text) is not None)
