"""The text of a query, read and rewritten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antflow_gui.models.query_text import asked_statuses, field_values, toggled_status, with_field


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", ()),
        ("stage:Parse", ("Parse",)),
        ('timeout stage:Parse,"two words" x', ("Parse", "two words")),
        ("stage:Parse STAGE:Fetch", ("Parse", "Fetch")),
        ("-stage:Parse", ()),
        ('"stage:Parse"', ()),
        (r'stage:"a \" b","c\\" x stage:"open', ('a " b', "c\\", "open")),
    ],
)
def test_values_of_a_field_are_those_that_are_asked_for(query: str, values: tuple[str, ...]) -> None:
    assert field_values(query, "stage") == values


def test_a_field_is_replaced_and_the_rest_of_the_query_stays() -> None:
    assert (
        with_field('timeout item:a "two words" -stage:X', "item", ["b c"])
        == 'timeout "two words" -stage:X item:"b c"'
    )


@given(st.lists(st.text(max_size=8), min_size=1, max_size=3))
def test_values_put_into_a_query_are_read_back(values: list[str]) -> None:
    query = with_field("timeout -stage:X", "stage", values)
    assert field_values(query, "stage") == tuple(values)
    assert with_field(query, "stage", []) == "timeout -stage:X"


def test_no_values_remove_the_field() -> None:
    assert with_field("status:failed timeout", "status", []) == "timeout"


def test_statuses_are_known_however_they_are_spelt() -> None:
    assert asked_statuses('status:In-Progress,"in progress" status:FAILED') == (
        "in_progress",
        "in_progress",
        "failed",
    )


def test_a_status_toggled_twice_leaves_the_query_as_it_was() -> None:
    once = toggled_status("timeout", "failed")
    both = toggled_status(once, "retrying")
    assert (once, both) == ("timeout status:failed", "timeout status:failed,retrying")
    assert toggled_status(toggled_status(both, "failed"), "retrying") == "timeout"


def test_a_status_spelt_otherwise_is_toggled_off() -> None:
    assert toggled_status("status:FAILED", "failed") == ""
