"""Queries of every kind, for properties: any of them can be read, and many of them find something."""

from __future__ import annotations

from hypothesis import strategies as st

from antflow_core.search.query import quote

ODD_NAME = 'Odd*, "quoted" \\ name'
"""A name of a type of error that no class statement could give."""


def _listed(*values: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3).map(",".join)


_numbers = st.one_of(
    st.tuples(st.sampled_from(["", "=", ">", ">=", "<", "<="]), st.integers(0, 3)).map("{0[0]}{0[1]}".format),
    st.integers(0, 3).flatmap(lambda low: st.integers(low, 4).map(lambda high: f"{low}..{high}")),
    st.sampled_from(["1..", "..2", "70000", "<70000", ">65535"]),
)
_seconds = st.sampled_from(["125ms", "250ms", "0.5s", "0.1", "100ms", "1h", "0s"])
_durations = st.one_of(
    st.tuples(st.sampled_from(["", "=", ">", ">=", "<", "<="]), _seconds).map("".join),
    st.sampled_from(["125ms..250ms", "250ms..", "..0.25s"]),
)
_moments = st.sampled_from(
    [
        "0s",
        "1ms",
        "250ms",
        "30s",
        "1h",
        "1d",
        "12:30",
        "0:00",
        "05:17",
        "5:18:20.5",
        "1970-01-01",
        "2030-01-01T00:00Z",
        "2100-01-01",
    ]
)
TERMS = st.one_of(
    st.builds(
        "status:{}".format,
        _listed("queued", "in_progress", "completed", "failed", "retrying", "skipped", "*ed"),
    ),
    st.builds("event:{}".format, _listed("start", "complete", "retry", "fail", "*")),
    st.builds(
        "stage:{}".format, _listed("Fetch", "parse", "SAVE", "none", "*e*", "/^[fp]/", '"Save"', '"*"')
    ),
    st.builds("worker:{}".format, _listed("Fetch-W0", "*-w1", "W", "none", "*", "/1$/")),
    st.builds("task:{}".format, _listed("fetch", "WORK", "*a*", "none", "*", "/^w/")),
    st.builds(
        "item:{}".format,
        _listed(
            "1*",
            "Page-*",
            "*1*",
            "*",
            "\"(3, 'x')\"",
            "P*g*-1*",
            "7",
            "12",
            "/^P.*2/",
            "ünï*",
            "PAGE*",
            '"no error"',
        ),
    ),
    st.builds(
        "error:{}".format,
        _listed(
            "timeout",
            "*",
            "no*to*1",
            '"to 2"',
            '"*"',
            "valueerror",
            "ReadTimeoutä",
            "none",
            r"/\d$/",
            "Odd*name",
        ),
    ),
    st.builds(
        "error_type:{}".format,
        _listed(
            "ValueError", "timeout", "Read*", "*", "*TIMEOUTä", '"Read*"', quote(ODD_NAME), "/^r/", "none"
        ),
    ),
    st.builds("attempt:{}".format, st.lists(_numbers, min_size=1, max_size=2).map(",".join)),
    st.builds("run:{}".format, st.lists(_numbers, min_size=1, max_size=2).map(",".join)),
    st.builds("duration:{}".format, st.lists(_durations, min_size=1, max_size=2).map(",".join)),
    st.builds("after:{}".format, _moments),
    st.builds("before:{}".format, _moments),
    st.builds("last:{}".format, st.sampled_from(["1us", "1ms", "100ms", "1s", "30s", "1h"])),
    st.sampled_from(
        ["fetch", "W1", "route", '"to 2"', "ÜNÏ", "valueerror", "e", "nothing-has-this", '""', "1"]
    ),
    st.text("aegP1-3: ", min_size=1, max_size=3).map('"{}"'.format),
    st.text("eT*rR", min_size=1, max_size=4).map("error:{}".format),
    st.integers(0, 40).map("item:{}".format),
)


def _combined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(parts, min_size=1, max_size=3)
    return st.one_of(
        several.map(" ".join),
        several.map(" OR ".join).map("({})".format),
        several.map(" AND ".join).map("({})".format),
        st.tuples(st.sampled_from(["-", "NOT "]), parts.map("({})".format)).map("".join),
    )


QUERIES = st.one_of(st.just(""), st.recursive(TERMS, _combined, max_leaves=8))
