"""Reports: what a recording is told as, as plain text of a pipe and in terminals of a certain width."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from antflow_core.export.source import LogSource
from antflow_core.history.event_log import EventLog
from antflow_core.history.figures import figures
from antflow_core.reports.answers import answer_csv, answer_json_lines, answer_report
from antflow_core.reports.comparison import comparison
from antflow_core.reports.errors import error_report
from antflow_core.reports.events import event_table, item_story
from antflow_core.reports.recording import recording_report, run_list
from antflow_core.reports.screen import one_line, plain_text, printable
from antflow_core.reports.summary import run_report
from antflow_core.run_files.run_records import Outcome, RunInfo, StageValue
from tests.support.events import raised
from tests.support.small_log import STARTED_AT, Written, small_tracker

INFO = RunInfo(
    script="orders.py",
    arguments=("--limit", "5"),
    host="box",
    system="Linux",
    python="3.12.1",
    antflow="1.2.3",
    process_id=1,
    started_at=STARTED_AT,
    ended_at=STARTED_AT + 12.5,
    outcome=Outcome.FINISHED,
)


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone cannot be set here")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def log() -> EventLog:
    return small_tracker().log


def test_the_head_of_a_recording() -> None:
    assert plain_text(recording_report("day.antflow", INFO, ())) == (
        "orders.py --limit 5  finished\n"
        "2027-01-15 08:00:00, 12.5 s, on box, Linux, Python 3.12.1, AntFlow Desk 1.2.3\n"
    )


def test_the_head_of_a_recording_names_the_folder_of_its_script() -> None:
    report = plain_text(recording_report("day.antflow", replace(INFO, folder="/home/ann/jobs"), ()))
    assert report.splitlines()[1].startswith("2027-01-15 08:00:00, 12.5 s, in /home/ann/jobs, on box, ")


def test_a_run_as_a_whole(log: EventLog) -> None:
    first, second = figures(log)
    assert (
        plain_text(run_report(first))
        == """\
Run 1  Fetch → Parse  started 2027-01-15 08:00:00, took 2.0 s
3 items, 0.5/s · completed 0 · failed 1 · skipped 1 · queued 1 · 15 events

Stage  Completed  Failed  Skipped  Retried   Rate     p50     p95     p99
Fetch          1       1        1        1  2.4/s  100 ms  100 ms  100 ms
Parse          0       0        0        0      –       –       –       –

Failures  Error       Stage  When    Items  Message
       1  ValueError  Fetch  0:01.5  7      7 is "odd"
"""
    )
    assert (
        plain_text(run_list([first, second]))
        == """\
Run  Started    Took  Items  Completed  Failed   Rate  Stages
  1  08:00:00  2.0 s      3          0       1  0.5/s  Fetch → Parse
  2  08:00:10  2.0 s     10         10       0  5.0/s  ids
"""
    )


def test_errors_with_their_tracebacks(log: EventLog) -> None:
    first, second, *rest = plain_text(error_report(figures(log)[0])).splitlines()
    assert first == "1 failure  ValueError in Fetch"
    assert second == "at 0:01.5; item 7"
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == 'ValueError: 7 is "odd"'


def chosen(log: EventLog, *rows: int) -> tuple[LogSource, Any]:
    source = LogSource(log, INFO)
    return source, source.chosen(np.array(rows, np.int64))


def test_events_as_a_table(log: EventLog) -> None:
    assert (
        plain_text(event_table(*chosen(log, 0, 3, 5, 10, 13, 14, 15, 28)))
        == """\
  Time  Item        Stage  Event        Worker    Task   Try    Took  Error
 0.250  order 17    Fetch  queued
 0.500  order 17    Fetch  in progress  Fetch-W0           1
 0.750  order 17    Fetch    retry      Fetch-W0  fetch    1  250 ms  TimeoutError: no answer from “host”, 80
 1.100  order 17    Parse  queued
 1.500  7           Fetch  failed       Fetch-W1           1  250 ms  ValueError: 7 is "odd"
 1.500  7           Fetch  skipped      Fetch-W1
10.500  7           Save   queued
11.500  a "b", c d  Save   completed    Save-W0            1  3.0 ms
"""
    )
    narrow = plain_text(event_table(*chosen(log, 0, 3), is_narrow=True))
    assert "Worker" not in narrow and "Task" not in narrow


def test_the_story_of_an_item_has_its_errors_and_values(log: EventLog) -> None:
    source = LogSource(log, INFO)
    values = [StageValue(1, "Fetch", "{'url': 1}"), StageValue(1, None, "2")]
    lines = plain_text(item_story(source, 1, values, tells_run=True, tells_type=True)).splitlines()
    assert lines[0] == "Item 7 (int)  run 1, Fetch → Parse"
    assert [line.split()[:3] for line in lines[2:6]] == [
        ["0.250", "Fetch", "queued"],
        ["1.250", "Fetch", "start"],
        ["1.500", "Fetch", "fail"],
        ["1.500", "Fetch", "failed"],
    ]
    assert lines[7] == 'Fetch, attempt 1: ValueError: 7 is "odd"'
    assert lines[8] == "Traceback (most recent call last):"
    assert lines[-4:] == ["", "Values", "to Fetch: {'url': 1}", "result: 2"]


@pytest.mark.parametrize(("item", "heading"), [(0, "Item order 17"), (9, 'Item a "b", c d'), (12, "Item ''")])
def test_an_item_is_called_by_its_id(log: EventLog, item: int, heading: str) -> None:
    assert plain_text(item_story(LogSource(log, INFO), item)).splitlines()[0] == heading


def run_of(took: float, failures: int, stages: tuple[str, ...] = ("Fetch",)) -> Any:
    log = EventLog()
    run = Written(log, stages, STARTED_AT)
    for item in range(10):
        run.event(0.0, item, stages[0], "queued")
        is_failed = item < failures
        run.event(
            took,
            item,
            stages[0],
            "failed" if is_failed else "completed",
            1,
            duration=took / 10,
            error=raised(ValueError("odd")) if is_failed else None,
        )
    run.end(took)
    return figures(log)[0]


def test_two_runs_side_by_side() -> None:
    assert (
        plain_text(comparison(run_of(2.0, 0), run_of(4.0, 2)))
        == """\
               Before   After  Change
items              10      10
completed          10       8    −20%
failed              0       2     new
skipped             0       0
took            2.0 s   4.0 s   +100%
rate            5.0/s   2.5/s    −50%
Fetch: rate     5.0/s   2.5/s    −50%
Fetch: p50     200 ms  400 ms   +100%
Fetch: p95     200 ms  400 ms   +100%
Fetch: p99     200 ms  400 ms   +100%
Fetch: failed       0       2     new

Failures             Before  After  Change
ValueError in Fetch       0      2     new
"""
    )


def test_stages_that_only_one_of_two_runs_has_are_named() -> None:
    lines = plain_text(comparison(run_of(2.0, 0, ("Fetch", "Parse")), run_of(2.0, 0, ("Load",)))).splitlines()
    assert [line.split() for line in lines if "stage" in line] == [
        ["Fetch:", "stage", "gone"],
        ["Parse:", "stage", "gone"],
        ["Load:", "stage", "new"],
    ]


def test_better_is_green_and_worse_is_red() -> None:
    coloured = shown(comparison(run_of(2.0, 0), run_of(4.0, 2)), 80, colours=True)
    (rate,) = (line for line in coloured.splitlines() if line.startswith("rate"))
    assert "\x1b[31m−50%" in rate.replace(" ", "")
    coloured = shown(comparison(run_of(4.0, 2), run_of(2.0, 0)), 80, colours=True)
    (rate,) = (line for line in coloured.splitlines() if line.startswith("rate"))
    assert "\x1b[32m+100%" in rate.replace(" ", "")


# Answers of SQL


def test_an_answer_is_a_table_with_numbers_to_the_right() -> None:
    rows = [("a", 1, 0.25), ("longer", 1000, None)]
    assert (
        plain_text(answer_report(("name", "count", "share"), rows, 80))
        == """\
name    count  share
a           1   0.25
longer   1000
"""
    )


def test_an_answer_that_has_no_room_is_told_in_paragraphs() -> None:
    columns = ("row", "time", "item", "stage", "error")
    rows = [(1, date(2027, 1, 15), "order 17", "Fetch", None), (22, None, "a\nb", "Parse", "odd")]
    text = plain_text(answer_report(columns, rows, 38), width=38)
    assert (
        text
        == """\
row    1
time   2027-01-15
item   order 17
stage  Fetch

row    22
item   a b
stage  Parse
error  odd
"""
    )
    assert plain_text(answer_report(columns, rows, 39), width=39).count("\n") == 3


def test_texts_are_cut_before_an_answer_becomes_paragraphs() -> None:
    text = plain_text(answer_report(("name", "error"), [("order 17", "x" * 90)], 40), width=40)
    assert text.splitlines()[1].endswith("…")
    assert max(map(cell_len, text.splitlines())) <= 40


VALUES = (
    None,
    True,
    7,
    2.5,
    float("nan"),
    Decimal("1.50"),
    "ü",
    date(2027, 1, 15),
    datetime(2027, 1, 15, 8, tzinfo=UTC),
    timedelta(seconds=1.5),
    [1, None],
    {"a": b"\xff"},
    b"\x01",
)
NAMES = tuple(f"c{place}" for place in range(len(VALUES)))


def test_an_answer_as_csv() -> None:
    head, line = answer_csv(NAMES, [VALUES])
    assert head == ",".join(NAMES) + "\n"
    assert line == (
        ',true,7,2.5,,1.5,ü,2027-01-15,2027-01-15T08:00:00+00:00,1.5,"[1, null]","{""a"": ""ff""}",01\n'
    )


def test_an_answer_as_json_lines() -> None:
    (line,) = answer_json_lines(("n", "n", *NAMES[2:]), [VALUES])
    assert line == (
        '{"n":null,"n_1":true,"c2":7,"c3":2.5,"c4":null,"c5":1.5,"c6":"ü","c7":"2027-01-15",'
        '"c8":"2027-01-15T08:00:00+00:00","c9":1.5,"c10":[1,null],"c11":{"a":"ff"},"c12":"01"}\n'
    )


# The screen


def shown(part: RenderableType, width: int, *, colours: bool = False) -> str:
    console = Console(
        width=width, force_terminal=colours, color_system="standard" if colours else None, highlight=False
    )
    with console.capture() as capture:
        console.print(part, crop=False)
    return capture.get()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_tables_keep_to_the_width_of_the_terminal(log: EventLog, width: int) -> None:
    run = figures(log)[0]
    rows = range(35)
    parts = (run_report(run), event_table(*chosen(log, *rows), is_narrow=width < 100), run_list([run]))
    for part in parts:
        assert max(map(cell_len, shown(part, width).splitlines())) <= width


def test_nothing_that_would_move_the_cursor_is_shown() -> None:
    assert one_line("a\n\tb  c\x1b[2J\u2028") == "a b c\ufffd[2J"
    assert printable("a\r\nb\x07\ud800") == "a\nb\ufffd\ufffd"


def test_a_pipe_gets_the_longest_id_whole_without_work_that_grows_with_its_square() -> None:
    rows = [("x" * 200_000, "str"), ("short", "int")]
    first, second = plain_text(answer_report(("id", "type"), rows, 1_000_000)).splitlines()[1:]
    assert first == f"{rows[0][0]}  str"
    assert second.split() == ["short", "int"]


def test_a_pipe_gets_no_spaces_at_the_end_of_lines(log: EventLog) -> None:
    for line in plain_text(run_report(figures(log)[0]), event_table(*chosen(log, *range(35)))).splitlines():
        assert line == line.rstrip()
