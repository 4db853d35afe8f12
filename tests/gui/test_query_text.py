"""The text of a query, read and rewritten."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antflow_core.exceptions import QueryError
from antflow_core.search.result import search
from antflow_gui.models.query_text import (
    asked_statuses,
    asks_for_task_events,
    field_values,
    toggled_status,
    with_field,
)
from tests.support.events import played_tracker
from tests.support.queries import QUERIES

LOG = played_tracker(40).log


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", ()),
        ("stage:Parse", ("Parse",)),
        ('timeout stage:Parse,"two words" x', ("Parse", "two words")),
        ("stage:Parse STAGE:Fetch", ("Parse", "Fetch")),
        ("-stage:Parse", ()),
        ("NOT stage:Parse", ()),
        ('"stage:Parse"', ()),
        ("stage:Parse OR timeout", ()),
        ("(stage:Parse OR x) stage:Save", ("Save",)),
        ("(stage:Parse)", ("Parse",)),
        ("stage:/P.*/,Save", ("Save",)),
        (r'stage:"a \" b","c\\" x', ('a " b', "c\\")),
    ],
)
def test_values_of_a_field_are_those_that_are_asked_for(query: str, values: tuple[str, ...]) -> None:
    assert field_values(query, "stage") == values


def test_a_field_is_replaced_and_the_rest_of_the_query_stays() -> None:
    assert (
        with_field('timeout item:a "two words" -stage:X', "item", ["b c"])
        == 'timeout "two words" -stage:X item:"b c"'
    )
    assert with_field("error:/a (b)/ status:failed (x OR y)", "status", []) == "error:/a (b)/ (x OR y)"
    assert with_field("-(a b) stage:X AND NOT c", "stage", ["Y"]) == "-(a b) NOT c stage:Y"


def test_alternatives_are_held_together_beside_a_field() -> None:
    assert with_field("a OR b c", "status", ["failed"]) == "(a OR b c) status:failed"
    assert with_field("(a OR b) status:failed", "status", ["skipped"]) == "(a OR b) status:skipped"
    assert with_field("status:failed OR x", "status", ["skipped"]) == "(status:failed OR x) status:skipped"


def test_parentheses_go_when_what_they_held_is_alone() -> None:
    assert with_field("(a OR b) status:failed", "status", []) == "a OR b"
    assert with_field("(a b) status:failed", "status", []) == "a b"
    assert with_field("-(a b) status:failed", "status", []) == "-(a b)"


@given(st.lists(st.text(max_size=8), min_size=1, max_size=3))
def test_values_put_into_a_query_are_read_back(values: list[str]) -> None:
    query = with_field("timeout -stage:X", "stage", values)
    assert field_values(query, "stage") == tuple(values)
    assert with_field(query, "stage", []) == "timeout -stage:X"


def test_no_values_remove_the_field() -> None:
    assert with_field("status:failed timeout", "status", []) == "timeout"
    assert with_field("status:failed", "status", []) == ""


def test_a_query_that_cannot_be_read_cannot_be_rewritten() -> None:
    with pytest.raises(QueryError):
        with_field('stage:"open', "status", ["failed"])


def test_statuses_are_known_however_they_are_spelt() -> None:
    assert asked_statuses('status:In-Progress,"in progress" status:FAILED') == (
        "in_progress",
        "in_progress",
        "failed",
    )
    assert asked_statuses("status:*ing") == ("retrying",)


def test_a_status_toggled_twice_leaves_the_query_as_it_was() -> None:
    once = toggled_status("timeout", "failed")
    both = toggled_status(once, "retrying")
    assert (once, both) == ("timeout status:failed", "timeout status:failed,retrying")
    assert toggled_status(toggled_status(both, "failed"), "retrying") == "timeout"
    assert toggled_status(toggled_status("a OR -(b c)", "failed"), "failed") == "a OR -(b c)"


def test_a_status_spelt_otherwise_is_toggled_off() -> None:
    assert toggled_status("status:FAILED", "failed") == ""


@settings(max_examples=100, deadline=None)
@given(QUERIES)
def test_a_toggled_status_leaves_only_its_own_events_of_what_was_found(query: str) -> None:
    if asked_statuses(query):
        query = f"({query}) OR ({query})"
    wanted = set(search(LOG, "status:failed").rows.tolist()) & set(search(LOG, query).rows.tolist())
    toggled = toggled_status(query, "failed")
    assert set(search(LOG, toggled).rows.tolist()) == wanted
    assert search(LOG, toggled_status(toggled, "failed")).rows.tolist() == search(LOG, query).rows.tolist()


@pytest.mark.parametrize(
    ("query", "asks"),
    [
        ("", False),
        ("task:upload", True),
        ("status:failed OR event:fail", True),
        ("x -(a -task:upload)", True),
        ("-event:start", False),
        ('NOT (a task:b) "task:c"', False),
        ("upload attempt:2", False),
    ],
)
def test_a_query_asks_for_task_events_by_naming_them(query: str, asks: bool) -> None:
    assert asks_for_task_events(query) == asks
