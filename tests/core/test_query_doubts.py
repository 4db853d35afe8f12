"""A query that finds nothing is told which of its words look as if they were meant otherwise."""

from __future__ import annotations

import pytest

from antflow_core.search.doubts import doubt
from antflow_core.search.query import parse


@pytest.mark.parametrize(
    ("query", "word", "meant"),
    [
        ("status:failed and timeout", "and", "AND"),
        ("timeout Or refused", "Or", "OR"),
        ("timeout || refused", "||", "OR"),
        ("timeout && refused", "&&", "AND"),
        ("not timeout", "not", "NOT"),
        ("(a OR stage=Fetch) b", "stage=Fetch", "stage:Fetch"),
        ("Status==failed", "Status==failed", "status:failed"),
        ("status!=failed", "status!=failed", "-status:failed"),
        ("attempt>=2", "attempt>=2", "attempt:>=2"),
        ("duration<250ms", "duration<250ms", "duration:<250ms"),
    ],
)
def test_a_word_that_looks_like_an_operator_or_a_condition_is_named(
    query: str, word: str, meant: str
) -> None:
    assert doubt(query) == f"`{word}` is searched for as a word; did you mean `{meant}`?"
    parse(meant if ":" in meant else f"a {meant} b" if meant != "NOT" else "NOT a")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "timeout",
        '"and" timeout',
        '"stage=Fetch"',
        "a AND b OR c",
        "error:a=b",
        "code=500",
        "stage>Fetch",
        "=",
        "a=",
        "error:and",
    ],
)
def test_words_that_look_like_nothing_else_are_not_doubted(query: str) -> None:
    assert doubt(query) == ""
