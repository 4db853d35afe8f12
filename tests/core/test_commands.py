"""The commands that look at recordings, called in this process: what they print, and how they end."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from antflow_core.cli.command import app
from antflow_core.recording import record
from antflow_core.tracker import StatusTracker
from tests.support.recorded import written
from tests.support.small_log import ODD_IDS, STARTED_AT, Written, small_tracker

LOOKING = (("show",), ("events",), ("item", "7"), ("errors",), ("export", "out.csv"), ("query", "SELECT 1"))


class Answer(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(small_tracker(), tmp_path_factory.mktemp("small") / "small.antflow")


@pytest.fixture
def ask(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Calls the command in a folder with a recording, `small.antflow`."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(small, tmp_path)

    def ask(*args: str) -> Answer:
        result = CliRunner().invoke(app, args, prog_name="antflow-core")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return ask


def many_runs(count: int, path: str = "many.antflow") -> None:
    tracker = StatusTracker()
    for number in range(count):
        run = Written(tracker.log, ("Fetch",), STARTED_AT + number)
        for item in range(number + 1):
            run.event(0.5, item, "Fetch", "completed", 1, duration=0.25)
        run.end(0.5)
    written(tracker, Path(path))


# show


def test_show_sums_up_every_run(ask: Ask) -> None:
    code, out, err = ask("show", "small.antflow")
    assert (code, err) == (0, "")
    assert "finished" in out.splitlines()[0]
    assert "Run 1  Fetch → Parse" in out
    assert "Run 2  ids" in out
    assert "p50" in out and "p95" in out and "p99" in out
    assert 'ValueError  Fetch  0:01.5  7      7 is "odd"' in out


def test_show_one_run(ask: Ask) -> None:
    out = ask("show", "small.antflow", "--run", "2").out
    assert "Run 2  ids" in out and "Run 1" not in out


def test_show_many_runs_as_a_list(ask: Ask) -> None:
    many_runs(11)
    code, out, err = ask("show", "many.antflow")
    assert code == 0
    assert len(out.splitlines()) == 2 + 1 + 1 + 11
    assert err == "11 pipelines; --run N shows one with its stages and errors\n"


def test_show_says_that_a_recording_is_not_at_its_end(ask: Ask) -> None:
    with record(small_tracker(), "live.antflow"):
        assert "still being recorded" in ask("show", "live.antflow").out


def test_a_recording_without_a_pipeline_says_so(ask: Ask) -> None:
    written(StatusTracker(), Path("empty.antflow"))
    code, out, err = ask("show", "empty.antflow")
    assert (code, err) == (0, "No pipeline has run in it.\n")
    assert len(out.splitlines()) == 2
    assert ask("events", "empty.antflow") == (0, "", "There are no events in it.\n")
    assert ask("errors", "empty.antflow") == (0, "", "Nothing failed.\n")


# events


def test_events_are_a_table_of_the_newest_hundred(ask: Ask) -> None:
    many_runs(15)
    code, out, err = ask("events", "many.antflow")
    assert code == 0
    head, *lines = out.splitlines()
    assert head.split() == ["Time", "Item", "Stage", "Event", "Worker", "Task", "Try", "Took", "Error"]
    assert len(lines) == 100
    assert lines[-1].split() == ["14.500", "14", "Fetch", "completed", "1", "250", "ms"]
    assert err == "The newest 100 of 120 events; --limit shows more, --format jsonl or csv all\n"
    assert len(ask("events", "many.antflow", "--limit", "120").out.splitlines()) == 121
    assert ask("events", "many.antflow", "--limit", "500").err == ""


def test_events_as_json_lines_are_all_of_them_without_a_header(ask: Ask) -> None:
    many_runs(15)
    code, out, err = ask("events", "many.antflow", "--format", "jsonl")
    assert (code, err) == (0, "")
    events = [*map(json.loads, out.splitlines())]
    assert [event["row"] for event in events] == [*range(120)]
    assert events[0] == {
        "row": 0,
        "time": "2027-01-15T08:00:00.5000000Z",
        "item": 0,
        "run": 1,
        "stage": "Fetch",
        "event": "completed",
        "attempt": 1,
        "duration": 0.25,
    }


def test_events_as_csv_are_all_of_them_below_their_names(ask: Ask) -> None:
    code, out, err = ask("events", "small.antflow", "--format", "csv")
    assert (code, err) == (0, "")
    rows = [*csv.DictReader(io.StringIO(out))]
    assert len(rows) == 35
    assert rows[5]["error"] == "no answer\nfrom “host”, 80"


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_the_newest_lines_are_the_last_of_all(ask: Ask, format_: str) -> None:
    whole = ask("events", "small.antflow", "--format", format_).out.splitlines(keepends=True)
    head = whole[:1] if format_ == "csv" else []
    newest = ask("events", "small.antflow", "--format", format_, "--limit", "3").out
    assert newest == "".join([*head, *whole[-3:]])
    again = ask("events", "small.antflow", "run:2", "--format", format_, "--limit", "3").out
    assert again == newest


@pytest.mark.parametrize(
    ("args", "rows"),
    [
        (("status:failed",), [13]),
        (("status:failed", "--run", "2"), []),
        (("--run", "1", "--limit", "2"), [13, 14]),
        (("-run:2", "event:retry"), [5]),
        (("event:retry OR event:fail",), [5, 12]),
        (("error:host -status:retrying",), [5]),
        (("error:host", "-status:retrying"), [5]),
        (("-run:2", "--limit", "1", "event:retry", "OR", "event:fail"), [12]),
        (("event:retry", "OR", "event:fail", "-event:fail"), [5]),
        (("-event:retry", "event:retry", "OR", "event:fail"), [12]),
    ],
)
def test_events_that_match_a_query(ask: Ask, args: tuple[str, ...], rows: list[int]) -> None:
    out = ask("events", "small.antflow", *args, "--format", "jsonl").out
    assert [json.loads(line)["row"] for line in out.splitlines()] == rows


def test_no_event_matches(ask: Ask) -> None:
    assert ask("events", "small.antflow", "nothing-like-it") == (0, "", "No event matches.\n")
    meant = "`or` is searched for as a word; did you mean `OR`?"
    assert ask("events", "small.antflow", "this or that") == (0, "", f"No event matches. {meant}\n")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("stauts:failed", "Faulty query, character 1: unknown field `stauts`; did you mean `status`?"),
        ("run:1 (item:7", "Faulty query, character 7: this ( is not closed"),
        ("run:1\n OR staeg:x", "Faulty query, line 2, character 5: unknown field `staeg`"),
    ],
)
def test_a_faulty_query_is_told_with_its_place(ask: Ask, query: str, sentence: str) -> None:
    code, out, err = ask("events", "small.antflow", query)
    assert (code, out) == (2, "")
    assert err.startswith(sentence)
    assert err.count("\n") == 1


# item


def test_an_id_that_a_number_and_a_text_share_is_told_once_for_each(ask: Ask) -> None:
    code, out, err = ask("item", "small.antflow", "7")
    assert (code, err) == (0, "")
    headings = [line for line in out.splitlines() if line.startswith("Item")]
    assert headings == [
        "Item 7 (int)  run 1, Fetch → Parse",
        "Item 7 (str)  run 1, Fetch → Parse",
        "Item 7 (int)  run 2, ids",
        "Item 7 (str)  run 2, ids",
    ]
    assert 'ValueError: 7 is "odd"' in out
    assert "Traceback (most recent call last):" in out
    one = ask("item", "small.antflow", "7", "--run", "2").out
    assert [line for line in one.splitlines() if line.startswith("Item")] == headings[2:]


@pytest.mark.parametrize("item_id", ODD_IDS)
def test_an_item_of_any_id_is_found_by_its_text(ask: Ask, item_id: object) -> None:
    code, out, err = ask("item", "small.antflow", str(item_id))
    assert (code, err) == (0, "")
    assert "run 2, ids" in out


def test_an_id_may_begin_with_a_minus(ask: Ask) -> None:
    tracker = StatusTracker()
    Written(tracker.log, ("A",), STARTED_AT).event(0.0, -3, "A", "queued")
    written(tracker, Path("minus.antflow"))
    assert ask("item", "minus.antflow", "-3", "--run", "1").out.startswith("Item -3\n")


def test_an_unknown_id_is_told_with_similar_ones(ask: Ask) -> None:
    assert ask("item", "small.antflow", "der 1") == (
        2,
        "",
        "There is no item der 1 in small.antflow; similar: order 17\n",
    )
    assert ask("item", "small.antflow", "order 17", "--run", "2").err == (
        "There is no item order 17 in pipeline 2 of small.antflow; pipeline 1 has one\n"
    )


# errors and compare


def test_errors_are_told_by_run_with_tracebacks(ask: Ask) -> None:
    code, out, _ = ask("errors", "small.antflow")
    assert code == 0
    assert out.splitlines()[:3] == [
        "Run 1  Fetch → Parse",
        "1 failure  ValueError in Fetch",
        "at 0:01.5; item 7",
    ]
    assert ask("errors", "small.antflow", "--run", "2") == (0, "", "Nothing failed.\n")


def test_two_recordings_are_compared(ask: Ask) -> None:
    many_runs(3)
    code, out, err = ask("compare", "small.antflow", "many.antflow", "--run", "1", "--run", "3")
    assert (code, err) == (0, "")
    first, second, _, head, items, *_ = out.splitlines()
    assert first == "Before  small.antflow, run 1  Fetch → Parse"
    assert second == "After   many.antflow, run 3  Fetch"
    assert head.split() == ["Before", "After", "Change"]
    assert items.split() == ["items", "3", "3"]
    assert ["Parse:", "stage", "gone"] in [line.split() for line in out.splitlines()]
    both = ask("compare", "many.antflow", "many.antflow", "--run", "2").out
    assert "run 2" in both.splitlines()[0] and "run 2" in both.splitlines()[1]


# export


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "sqlite"])
def test_export_tells_what_it_has_done(ask: Ask, suffix: str) -> None:
    code, out, err = ask("export", "small.antflow", f"out.{suffix}")
    assert (code, err) == (0, "")
    assert out.startswith(f"35 events exported into out.{suffix}, ")
    assert Path(f"out.{suffix}").stat().st_size > 0


def test_every_command_takes_exported_json_lines(ask: Ask) -> None:
    ask("export", "small.antflow", "small.jsonl")
    for command, *args in LOOKING[:4]:
        first, again = ask(command, "small.antflow", *args), ask(command, "small.jsonl", *args)
        assert again == first, command
    whole = ("events", "--format", "csv")
    assert ask(whole[0], "small.jsonl", *whole[1:]) == ask(whole[0], "small.antflow", *whole[1:])
    assert ask("compare", "small.antflow", "small.jsonl").code == 0
    assert ask("export", "small.jsonl", "again.jsonl").code == 0
    assert Path("again.jsonl").read_bytes() == Path("small.jsonl").read_bytes()


def test_an_export_over_something_must_be_asked_for(ask: Ask) -> None:
    Path("out.csv").write_text("precious")
    code, out, err = ask("export", "small.antflow", "out.csv")
    assert (code, out) == (2, "")
    assert "exists already; choose another name, or pass --overwrite to replace it" in err
    assert Path("out.csv").read_text() == "precious"
    assert ask("export", "small.antflow", "out.csv", "--overwrite").code == 0
    ask("export", "small.antflow", "small.jsonl")
    assert ask("export", "small.jsonl", "small.jsonl", "--overwrite") == (
        2,
        "",
        "small.jsonl is what is to be exported; choose another name\n",
    )
    assert "There is no file" in ask("export", "missing.antflow", "out.csv", "--overwrite").err


def test_a_place_that_cannot_be_written_is_named(ask: Ask) -> None:
    if not Path("/proc/self").exists():
        pytest.skip("there is no folder here that nobody can write to")
    code, out, err = ask("export", "small.antflow", "/proc/out.csv")
    assert (code, out) == (1, "")
    assert err.startswith("/proc/out.csv cannot be written: ")


# query


@pytest.fixture
def sql(ask: Ask) -> Ask:
    pytest.importorskip("duckdb")
    return ask


def test_sql_gives_a_table(sql: Ask) -> None:
    question = "SELECT run, count(*) AS n FROM events GROUP BY run ORDER BY run"
    assert sql("query", "small.antflow", question) == (
        0,
        "run   n\n  1  15\n  2  20\n",
        "",
    )


def test_sql_may_begin_with_a_comment(sql: Ask) -> None:
    question = "-- of all pipelines\nSELECT count(*) AS n FROM events"
    assert sql("query", "small.antflow", question, "--format", "csv") == (0, "n\n35\n", "")


def test_sql_gives_lines(sql: Ask) -> None:
    question = "SELECT item, error FROM events WHERE event = 'retry'"
    assert sql("query", "small.antflow", question, "--format", "jsonl").out == (
        '{"item":"order 17","error":"no answer\\nfrom “host”, 80"}\n'
    )
    assert sql("query", "small.antflow", question, "--format", "csv").out == (
        'item,error\norder 17,"no answer\nfrom “host”, 80"\n'
    )


def test_the_tables_of_sql_have_the_columns_that_help_names(sql: Ask) -> None:
    told = sql("query", "--help").out
    for table in ("events", "items", "stages", "errors", "runs"):
        head = sql("query", "small.antflow", f"SELECT * FROM {table}", "--format", "csv").out.splitlines()[0]
        lines = told.partition(f"\n      {table} ")[2].split("\n")
        words = " ".join([lines[0], *(each for each in lines[1:2] if each.startswith("         "))])
        assert head.split(",") == words.replace(",", " ").split(), table


def test_a_table_of_sql_has_a_hundred_rows_at_most(sql: Ask) -> None:
    code, out, err = sql("query", "small.antflow", "SELECT * FROM range(101)")
    assert (code, len(out.splitlines())) == (0, 101)
    assert err == "The first 100 rows; --format csv or jsonl gives all\n"
    assert len(sql("query", "small.antflow", "FROM range(101)", "--format", "csv").out.splitlines()) == 102


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("SELCT 1", 'Faulty query, character 1: Parser Error: syntax error at or near "SELCT"'),
        ("SELECT 1,\n nope FROM items", "Faulty query, line 2, character 2: Binder Error: Referenced column"),
        ("SELECT item + row FROM events", "Faulty query, character 13: Binder Error: No function matches"),
        ("SELECT * FROM events WHERE item = 17", "(ids and names are texts: item = '17')"),
        ("", "Faulty query: there is no statement in it"),
    ],
)
def test_a_fault_in_sql_is_one_sentence(sql: Ask, question: str, sentence: str) -> None:
    code, out, err = sql("query", "small.antflow", question)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1 and len(err) < 300


def test_sql_that_changes_something_changes_a_copy(sql: Ask) -> None:
    before = Path("small.antflow").read_bytes()
    question = "DELETE FROM errors; SELECT count(*) AS n FROM errors"
    assert sql("query", "small.antflow", question).out == "n\n0\n"
    assert Path("small.antflow").read_bytes() == before


@pytest.mark.parametrize(
    ("package", "args", "sentence"),
    [
        ("duckdb", ("query", "small.antflow", "SELECT 1"), "Queries in SQL need duckdb, .*desk[sql]'"),
        ("pyarrow", ("export", "small.antflow", "x.parquet"), "Parquet files need pyarrow, .*desk[parquet]'"),
    ],
)
def test_a_missing_package_is_named_with_what_installs_it(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, package: str, args: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    code, out, err = ask(*args)
    assert (code, out) == (2, "")
    begin, end = sentence.split(".*")
    assert err.startswith(begin) and err.endswith(f"{end}\n")


# What is asked wrongly


@pytest.mark.parametrize(("command", "args"), [(command, args) for command, *args in LOOKING])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing.antflow", "There is no file"),
        ("empty.antflow", "is empty (0 bytes)"),
        ("notes.txt", "is no run file"),
        (".", "is a folder"),
        ("x" * 300, "cannot be read: "),
    ],
)
def test_a_bad_file_is_refused_in_a_sentence(
    ask: Ask, command: str, args: list[str], name: str, sentence: str
) -> None:
    if command == "query":
        pytest.importorskip("duckdb")
    Path("empty.antflow").touch()
    Path("notes.txt").write_text("milk, bread", "utf-8")
    code, out, err = ask(command, name, *args)
    assert (code, out) == (2, "")
    assert sentence in err and err.count("\n") == 1
    assert not Path("out.csv").exists()


@pytest.mark.parametrize(("command", "args"), [(command, args) for command, *args in LOOKING])
@pytest.mark.parametrize("suffix", [".csv", ".sqlite", ".parquet"])
def test_an_export_for_other_programs_is_not_opened(
    ask: Ask, command: str, args: list[str], suffix: str
) -> None:
    if command == "query":
        pytest.importorskip("duckdb")
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    ask("export", "small.antflow", f"small{suffix}")
    code, out, err = ask(command, f"small{suffix}", *args)
    assert (code, out) == (2, "")
    assert err.endswith("; of what `antflow-core export` writes, only .jsonl files can be opened again\n")
    assert err.startswith(str(Path(f"small{suffix}").absolute())) and err.count("\n") == 1


@pytest.mark.parametrize("command", ["show", "events", "item", "errors", "compare"])
def test_a_run_that_is_not_there_is_refused(ask: Ask, command: str) -> None:
    more = {"item": ["7"], "compare": ["small.antflow"]}.get(command, [])
    assert ask(command, "small.antflow", *more, "--run", "3") == (
        2,
        "",
        "small.antflow has no pipeline number 3; it has 2, from 1 on\n",
    )


@pytest.mark.parametrize(
    "args",
    [
        ("show",),
        ("show", "small.antflow", "--run", "0"),
        ("events", "small.antflow", "--limit", "0"),
        ("events", "small.antflow", "--format", "xml"),
        ("events", "small.antflow", "--bogus"),
        ("item", "small.antflow"),
        ("compare", "small.antflow"),
        ("export", "small.antflow"),
        ("query", "small.antflow"),
    ],
)
def test_bad_usage_is_told_how_it_would_be_right(ask: Ask, args: tuple[str, ...]) -> None:
    code, out, err = ask(*args)
    assert (code, out) == (2, "")
    assert err.startswith("Usage: antflow-core ")


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (("show", "small.antflow", "--run", "0"), "'--run': '0' is not a whole number from 1 on"),
        (("events", "small.antflow", "--limit", "-1"), "'--limit': '-1' is not a whole number from 1 on"),
        (("events", "small.antflow", "--limit", "9" * 5_000), "is not a whole number from 1 on"),
        (("events", "small.antflow", "--format", "xml"), "'--format': 'xml' is none of table, jsonl, csv"),
        (("compare", "small.antflow"), "Missing argument 'AFTER'."),
    ],
)
def test_a_value_that_cannot_be_is_told_with_what_can(ask: Ask, args: tuple[str, ...], fault: str) -> None:
    assert ask(*args).err.endswith(f"{fault}\n")


def test_compare_takes_two_numbers_at_most(ask: Ask) -> None:
    numbers = [word for number in "121" for word in ("--run", number)]
    code, _, err = ask("compare", "small.antflow", "small.antflow", *numbers)
    assert (code, err) == (2, "--run is given once for both recordings, or twice, once for each\n")


@pytest.mark.parametrize("command", ["show", "events", "item", "errors", "compare", "export", "query", "run"])
def test_the_help_of_each_command_has_examples_and_exit_codes(ask: Ask, command: str) -> None:
    code, out, _ = ask(command, "--help")
    assert code == 0
    assert f"\n      antflow-core {command} " in out
    assert "Exit codes:" in out
    assert max(map(len, out.splitlines())) <= 80
    assert not re.search(r"[<{]|\[(required|x>)", out.partition("\n")[0] + out.partition("\nArguments:")[2])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("events", "--help"), "[OPTIONS] RUN [QUERY]...\n"),
        (("events", "--help"), "QUERY  Which events (default: all).\n"),
        (("events", "--help"), "--format table|jsonl|csv  A table for people (the default)"),
        (("compare", "--help"), "compare [OPTIONS] BEFORE AFTER\n"),
        (("run", "--help"), "run [OPTIONS] SCRIPT [ARGS]...\n"),
        (("--help",), "-h, --help"),
        (("show", "--help"), "-h, --help"),
    ],
)
def test_help_names_what_is_taken_in_words(ask: Ask, args: tuple[str, ...], words: str) -> None:
    assert words in ask(*args).out


# What help and README show


def examples(text: str) -> list[list[str]]:
    """The words of each call of `antflow-core` in a text, without what it is piped into."""
    calls = re.findall(r"^ *(antflow-core (?:[^\n\"#]|\"[^\"]*\")*)", text, re.MULTILINE)
    words = [shlex.split(call)[1:] for call in calls]
    return [[*takewhile(lambda word: word not in ("|", ">"), call)] for call in words]


@pytest.fixture
def day(ask: Ask) -> Ask:
    """Calls the command in a folder with the recordings that the examples speak of."""
    tracker = StatusTracker()
    for name in ("first", "second"):
        run = Written(tracker.log, ("Fetch", "Parse"), STARTED_AT, name)
        for item in (17, "order 17"):
            run.event(0.5, item, "Fetch", "completed", 1, duration=0.25)
    path = written(tracker, Path("day.antflow"))
    for name in ("monday", "tuesday", "both", "orders"):
        shutil.copy(path, f"{name}.antflow")
    return ask


@pytest.mark.parametrize("command", ["show", "events", "item", "errors", "compare", "export", "query"])
def test_the_examples_in_the_help_work(day: Ask, command: str) -> None:
    if command in ("export", "query"):
        pytest.importorskip("duckdb")
        pytest.importorskip("pyarrow")
    calls = examples(day(command, "--help").out.partition("Examples:")[2])
    assert len(calls) >= 2
    for call in calls:
        code, _, err = day(*call)
        assert code == 0, (call, err)


def test_the_commands_in_the_readme_work(day: Ask) -> None:
    pytest.importorskip("duckdb")
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    first, *calls = examples(text.partition("## Record a run")[2].partition("\n## ")[0])
    assert first[:3] == ["run", "orders.py", "--record"]
    assert {call[0] for call in calls} >= {"show", "events", "export"}
    for call in calls:
        code, _, err = day(*call)
        assert code == 0, (call, err)
