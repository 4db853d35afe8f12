"""Completing a query: fields, then the values seen so far, at any place of a text that may be faulty."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antflow_core.history.event_log import EventLog
from antflow_core.search import tallies
from antflow_core.search.completion import Completer, complete
from antflow_core.search.query import FIELDS, parse
from antflow_core.search.tokens import tokens
from antflow_core.search.tree import terms_of
from antflow_core.tracker import StatusTracker
from tests.support.events import STAGES, play_item, played_tracker

TRACKER = StatusTracker()


@pytest.fixture(scope="module", autouse=True)
def _played() -> None:
    """A run with items of several kinds of ids, one of which failed."""
    record = TRACKER.begin_run(STAGES, name="orders")
    for number in range(12):
        play_item(record, f"order {number}")
    play_item(record, "order/late", fails_in=1)
    play_item(record, 7)
    record.end()


def texts(query: str, cursor: int | None = None) -> list[str]:
    return [candidate.text for candidate in complete(TRACKER.log, query, cursor).candidates]


def accepted(query: str, number: int = 0) -> tuple[str, int]:
    """A query with a ``|`` at the cursor after one candidate was taken."""
    cursor = query.index("|")
    text = query.replace("|", "")
    completions = complete(TRACKER.log, text, cursor)
    return completions.applied(text, completions.candidates[number])


def test_an_empty_query_and_every_new_term_may_begin_with_any_field() -> None:
    fields = [f"{name}:" for name in FIELDS]
    for query in ("", "status:failed ", "a OR ", "NOT ", "-", "(", "(a) ", "stage:a, "):
        assert texts(query) == fields
    assert complete(TRACKER.log, "").candidates[0].meaning == "events of this status"


def test_the_beginning_of_a_field_is_completed_with_its_colon() -> None:
    assert texts("sta")[:2] == ["status:", "stage:"]
    assert texts("x -ERROR_") == ["error_type:"]
    assert accepted("a er|") == ("a error:", 8)


def test_a_word_that_begins_like_a_value_is_offered_as_its_term() -> None:
    assert texts("fai") == ["status:failed", "event:fail"]
    assert texts("par") == ["stage:Parse", "task:parse", "worker:Parse-W1", "worker:Parse-W0"]
    assert accepted("-valuee|") == ("-error_type:ValueError", 22)


def test_values_are_those_seen_so_far_the_frequent_first_with_their_counts() -> None:
    stages = complete(TRACKER.log, "stage:").candidates
    counts = {candidate.text: candidate.count for candidate in stages}
    assert counts == {name: len(TRACKER.search(f"stage:{name}")) for name in STAGES}
    assert [*counts] == ["Parse", "Fetch", "Save"]
    assert texts("worker:w0") == ["Parse-W0", "Fetch-W0", "Save-W0"]
    assert texts("task:") == ["parse", "fetch", "save"]
    assert texts("error:val") == texts("error_type:val") == ["ValueError"]


def test_words_of_a_field_keep_their_order_and_count_events() -> None:
    assert texts("status:") == list(FIELDS["status"].values)
    (retry,) = complete(TRACKER.log, "event:retr").candidates
    assert (retry.text, retry.count) == ("retry", 1)


def test_ids_are_offered_newest_first_and_quoted_where_they_must_be() -> None:
    assert texts("item:")[:2] == ["7", "order/late"]
    assert texts("item:order")[:2] == ["order/late", '"order 11"']
    assert texts('item:"order 1') == ['"order 11"', '"order 10"', '"order 1"']
    assert accepted('item:"order 1|') == ('item:"order 11"', 15)


def test_numbers_and_moments_are_shown_by_example_with_the_logs_own() -> None:
    assert texts("run:") == ["1"]
    assert complete(TRACKER.log, "run:").candidates[0].meaning == "orders"
    for query in ("attempt:", "duration:", "last:", "after:", "before:"):
        for text in texts(query):
            parse(query + text)
    assert texts("duration:>") == [">1s", ">100ms"]
    assert texts("last:1") == ["10s", "1m", "1h"]
    log = EventLog()
    log.begin_run("", STAGES, 0.0)
    moments = Completer(log, UTC).complete("after:").candidates
    assert [each.text for each in moments] == ["10s", "00:00:00", '"1970-01-01 00:00"']


def test_the_part_at_the_cursor_is_replaced_and_the_rest_stays() -> None:
    assert accepted("status:fa|xx timeout") == ("status:failed timeout", 13)
    assert accepted("sta|tis:failed") == ("status:failed", 7)
    assert accepted("stage:Fetch,P| OR x") == ("stage:Fetch,Parse OR x", 17)
    assert accepted("stage:|Save x") == ("stage:Parse x", 11)
    assert accepted("stage:Fetch,|") == ("stage:Fetch,Parse", 17)
    assert accepted("(wor|)") == ("(worker:)", 8)


def test_an_open_quote_does_not_swallow_what_follows_the_cursor() -> None:
    assert accepted('item:"order/|  status:failed') == ("item:order/late  status:failed", 15)


@pytest.mark.parametrize(
    "query",
    [
        "status:failed",
        "OR",
        'a "text',
        'item:"order 1"',
        "nothing:",
        "nothing:x",
        "error:/t",
        "zzz",
        "item:zzz",
    ],
)
def test_nothing_is_offered_where_nothing_could_help(query: str) -> None:
    assert texts(query) == []


def test_counts_are_given_once_all_events_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "STEP_ROWS", 100)
    tracker = played_tracker(20)
    completer = Completer(tracker.log)
    counts: list[int | None] = []
    while not counts or counts[-1] is None:
        counts.append(completer.complete("stage:Fet").candidates[0].count)
    assert len(counts) == len(tracker.log) // 100 + 1
    assert counts[-1] == len(tracker.search("stage:Fetch"))
    play_item(tracker.begin_run(STAGES), "late")
    assert completer.complete("stage:Fet").candidates[0].count == len(tracker.search("stage:Fetch"))


def test_a_log_without_events_offers_fields_and_their_words() -> None:
    log = EventLog()
    assert complete(log, "status:que").candidates[0].text == "queued"
    assert complete(log, "stage:").candidates == ()
    assert complete(log, "item:").candidates == ()


_typed = st.text(max_size=12) | st.text('ab:"/\\ ()-,ORNTD*1sti', max_size=20)


@given(query=_typed, data=st.data())
def test_a_completed_query_holds_the_candidate_and_all_around_it(query: str, data: st.DataObject) -> None:
    cursor = data.draw(st.integers(0, len(query)))
    completions = complete(TRACKER.log, query, cursor)
    assert 0 <= completions.start <= cursor <= completions.stop <= len(query) or not completions.candidates
    for candidate in completions.candidates:
        text, place = completions.applied(query, candidate)
        assert text == query[: completions.start] + candidate.text + query[completions.stop :]
        assert text[:place].endswith(candidate.text)


@given(_typed)
def test_tokens_stand_in_order_and_leave_out_only_space(query: str) -> None:
    end = 0
    for token in tokens(query):
        assert token.text == query[token.start : token.stop] != ""
        assert query[end : token.start].strip() == ""
        end = token.stop
    assert query[end:].strip() == ""


_readable = st.sampled_from(
    ["a", "status:failed", 'stage:x,"y z"', "item:1,2", '"q"', "-b", "error:/a b/,c", "(d OR e)"]
)


@given(st.lists(_readable, max_size=4).map(" ".join))
def test_the_tokens_of_a_query_that_can_be_read_are_those_of_the_parser(query: str) -> None:
    spans = {(token.start, token.stop) for token in tokens(query)}
    values = {(value.start, value.stop) for term in terms_of(parse(query)) for value in term.values}
    assert values <= spans
