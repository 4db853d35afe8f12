"""Exports: all of a recording is in each format, whole or not at all, and comes back from JSON lines."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import math
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antflow_core import Pipeline, Stage
from antflow_core.exceptions import RunFileError
from antflow_core.export.file_source import FileSource
from antflow_core.export.plain_values import UtcTexts, duration_texts, unix_time
from antflow_core.export.source import LogSource
from antflow_core.export.targets import SUFFIXES, export
from antflow_core.history.records import KINDS, RECORD
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.recorded_run import open_run
from antflow_core.recording import Recorder, ValueCapture, record
from antflow_core.tracker import StatusTracker
from tests.support.events import STAGES, play_item, raised
from tests.support.recorded import written
from tests.support.small_log import ODD_IDS, ODD_TEXT, STARTED_AT, Written, everything, small_tracker


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    return written(small_tracker(), tmp_path / "small.antflow")


def exported(run_file: Path, suffix: str) -> Path:
    """The export of a run file, beside it."""
    target = run_file.with_suffix(suffix)
    with FileSource(run_file) as source:
        export(source, target)
    return target


def leftovers(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.suffix != ".antflow")


# CSV

CSV_LINES = '''
row,time,item,run,stage,event,attempt,worker,task,duration,error_type,error
0,2027-01-15T08:00:00.2500000Z,order 17,1,Fetch,queued,,,,,,
1,2027-01-15T08:00:00.2500000Z,7,1,Fetch,queued,,,,,,
2,2027-01-15T08:00:00.2500000Z,7,1,Fetch,queued,,,,,,
3,2027-01-15T08:00:00.5000000Z,order 17,1,Fetch,in_progress,1,Fetch-W0,,,,
4,2027-01-15T08:00:00.5000000Z,order 17,1,Fetch,start,1,Fetch-W0,fetch,,,
5,2027-01-15T08:00:00.7500000Z,order 17,1,Fetch,retry,1,Fetch-W0,fetch,0.25,TimeoutError,"no answer
from “host”, 80"
6,2027-01-15T08:00:00.7500000Z,order 17,1,Fetch,retrying,2,Fetch-W0,,0.25,TimeoutError,"no answer
from “host”, 80"
7,2027-01-15T08:00:01.0000000Z,order 17,1,Fetch,start,2,Fetch-W0,fetch,,,
8,2027-01-15T08:00:01.0999999Z,order 17,1,Fetch,complete,2,Fetch-W0,fetch,0.1,,
9,2027-01-15T08:00:01.0999999Z,order 17,1,Fetch,completed,2,Fetch-W0,,0.1,,
10,2027-01-15T08:00:01.0999999Z,order 17,1,Parse,queued,,,,,,
11,2027-01-15T08:00:01.2500000Z,7,1,Fetch,start,1,Fetch-W1,fetch,,,
12,2027-01-15T08:00:01.5000000Z,7,1,Fetch,fail,1,Fetch-W1,fetch,0.25,ValueError,"7 is ""odd"""
13,2027-01-15T08:00:01.5000000Z,7,1,Fetch,failed,1,Fetch-W1,,0.25,ValueError,"7 is ""odd"""
14,2027-01-15T08:00:01.5000000Z,7,1,Fetch,skipped,,Fetch-W1,,,,
'''.lstrip()


def test_a_csv_has_a_line_an_event_with_everything_by_name(run_file: Path) -> None:
    text = exported(run_file, ".csv").read_bytes().decode()
    assert text.startswith(CSV_LINES)


def test_a_csv_is_read_back_by_others(run_file: Path) -> None:
    with exported(run_file, ".csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [row["item"] for row in rows[15::2]] == [str(item_id) for item_id in ODD_IDS]
    assert [int(row["row"]) for row in rows] == [*range(35)]
    assert rows[16]["duration"] == "0.003"


# JSON lines


def test_json_lines_have_a_header_and_an_object_an_event(run_file: Path) -> None:
    header, *events = map(json.loads, exported(run_file, ".jsonl").read_text("utf-8").splitlines())
    assert (header["format"], header["version"], header["events"]) == ("antflow events", [1, 0], 35)
    assert [(run["number"], run["name"], run["stages"]) for run in header["runs"]] == [
        (1, "", ["Fetch", "Parse"]),
        (2, "ids", ["Save"]),
    ]
    assert header["info"]["outcome"] == "finished"
    assert events[0] == {
        "row": 0,
        "time": "2027-01-15T08:00:00.2500000Z",
        "item": "order 17",
        "item_number": 0,
        "run": 1,
        "stage": "Fetch",
        "event": "queued",
    }
    assert events[10]["metadata"] == {"priority": 5, "why": "ürgent"}
    assert events[6]["error"] == "no answer\nfrom “host”, 80"
    assert events[6]["error_type"] == "TimeoutError"
    assert "traceback" not in events[6]
    traceback = events[5]["traceback"]
    assert traceback.startswith("Traceback (most recent call last):")
    assert traceback.endswith("TimeoutError: no answer\nfrom “host”, 80")
    ids = [event["item"] for event in events[15::2]]
    assert ids == [7, "7", 7.5, None, True, {"bytes": "AP8="}, ODD_TEXT, "ünï 🐜", 2**70, ""]


def test_exported_json_lines_open_as_the_same_recording(run_file: Path) -> None:
    again, first = open_run(exported(run_file, ".jsonl")), open_run(run_file)
    assert everything(again.log) == everything(first.log)
    assert again.log.runs == first.log.runs
    assert (again.info, again.remarks) == (first.info, first.remarks)
    assert again.get_stats() == first.get_stats()
    assert again.get_tracked_ids() == first.get_tracked_ids()
    for query in ("status:failed", "error:host", "7 -run:2", "event:retry OR item:ünï*"):
        assert [*again.search(query).rows] == [*first.search(query).rows]


async def test_what_was_noted_beside_the_events_comes_back_too(tmp_path: Path) -> None:
    async def double(value: int) -> int:
        return value * 2

    path, tracker = tmp_path / "all.antflow", StatusTracker()
    async with Recorder(path, values=ValueCapture()) as recorder:
        recorder.follow(tracker)
        await Pipeline([Stage("Double", 2, [double])], status_tracker=tracker).run(range(9))
    again, first = open_run(exported(path, ".jsonl")), open_run(path)
    assert again.structure() == first.structure()
    assert again.structure()[0].stages
    assert again.snapshots() == first.snapshots() != []
    assert again.values_of(3) == first.values_of(3) != []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_export_of_an_export_is_the_same_file(run_file: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    first = exported(run_file, ".jsonl")
    direct = exported(run_file, suffix) if suffix != ".jsonl" else first
    again = first.with_name(f"again{suffix}")
    export(open_run(first).source(), again)
    assert again.read_bytes() == direct.read_bytes()


def _with_cause(text: str) -> BaseException:
    try:
        try:
            raise OSError(text)
        except OSError as cause:
            error = RuntimeError(f"{text} again")
            error.add_note(f"noted {text}")
            raise error from cause
    except RuntimeError as error:
        return error


_texts = st.text(max_size=6)
_ids = st.one_of(
    _texts,
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.binary(max_size=4),
    st.tuples(st.integers(0, 3)),
    st.sampled_from(["\ud800", "a\u2028b", 10**3010, "…"]),
)
_errors = st.one_of(
    st.none(),
    st.builds(ValueError, _texts),
    st.builds(lambda text: raised(KeyError(text)), _texts),
    st.builds(_with_cause, _texts),
)
_events = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1e-7, 0.125, 1.0, 3600.0]),
        _ids,
        st.sampled_from(["A", "B"]),
        st.sampled_from(KINDS),
        st.integers(0, 70_000),
        st.one_of(st.none(), _texts),
        st.one_of(st.none(), _texts),
        st.one_of(st.just(math.nan), st.floats(0, 2.0**100, width=32)),
        _errors,
        st.one_of(st.none(), st.dictionaries(_texts, st.one_of(_texts, st.integers()), max_size=2)),
    ),
    max_size=12,
)
_starts = st.sampled_from([0.0, 1_000.5, STARTED_AT, 1_795_749_210.3444805, 2.0**34, -5.25])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(_starts, _events), min_size=1, max_size=3))
def test_any_log_comes_back_from_json_lines(runs: list[tuple[float, list[Any]]]) -> None:
    tracker = StatusTracker()
    for start, events in runs:
        run = Written(tracker.log, ("A", "B"), start, name=f"from {start}")
        now = 0.0
        for passed, *event in events:
            now += passed
            run.event(now, *event)
    with TemporaryDirectory() as folder:
        first = open_run(written(tracker, Path(folder, "run.antflow")))
        again = open_run(exported(first.path, ".jsonl"))
        assert everything(again.log) == everything(first.log)
        export(first.source(), Path(folder, "from memory.jsonl"))
        assert Path(folder, "from memory.jsonl").read_bytes() == again.path.read_bytes()


@given(st.lists(st.one_of(st.floats(allow_nan=False), st.floats(1e9, 2e9)), max_size=5))
def test_moments_come_back_from_their_texts(moments: list[float]) -> None:
    texts = UtcTexts().of(np.array(moments, np.float64))
    assert [*map(unix_time, texts)] == moments


@given(st.lists(st.floats(width=32), max_size=5))
def test_durations_come_back_from_their_texts(durations: list[float]) -> None:
    texts = duration_texts(np.array(durations, np.float32))
    back = [np.float32(text or "nan") for text in texts]
    assert np.array_equal(back, np.array(durations, np.float32), equal_nan=True)


# Parquet


def test_parquet_has_columns_of_proper_types(run_file: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(exported(run_file, ".parquet"))
    rows = table.to_pylist()
    assert len(rows) == 35
    assert rows[5].pop("traceback").endswith("TimeoutError: no answer\nfrom “host”, 80")
    assert rows[5] == {
        "row": 5,
        "time": datetime(2027, 1, 15, 8, 0, 0, 750_000, UTC),
        "item": "order 17",
        "run": 1,
        "stage": "Fetch",
        "event": "retry",
        "attempt": 1,
        "worker": "Fetch-W0",
        "task": "fetch",
        "duration": 0.25,
        "error_type": "TimeoutError",
        "error": "no answer\nfrom “host”, 80",
        "item_number": 0,
        "error_number": 0,
    }
    absent = ("attempt", "worker", "task", "duration", "error_type", "error", "traceback", "error_number")
    assert {rows[0][name] for name in absent} == {None}
    assert [row["item"] for row in rows[15::2]] == [str(item_id) for item_id in ODD_IDS]
    assert json.loads(table.schema.metadata[b"antflow"])["events"] == 35


# SQLite


def test_sqlite_has_views_for_people(run_file: Path) -> None:
    with closing(sqlite3.connect(exported(run_file, ".sqlite"))) as database:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return database.execute(sql).fetchall()

        assert ask("SELECT row, run, time, seconds, item, stage, event FROM events WHERE row = 0") == [
            (0, 1, "2027-01-15T08:00:00.250Z", 0.25, "order 17", "Fetch", "queued")
        ]
        assert ask(
            "SELECT attempt, worker, task, duration, error_type, error, item_number, error_number "
            "FROM events WHERE row IN (5, 14) ORDER BY row"
        ) == [
            (1, "Fetch-W0", "fetch", 0.25, "TimeoutError", "no answer\nfrom “host”, 80", 0, 0),
            (None, "Fetch-W1", None, None, None, None, 2, None),
        ]
        assert ask("SELECT id, type, status, stage, started, seconds FROM items WHERE run = 1") == [
            ("order 17", "str", "queued", "Parse", "2027-01-15T08:00:00.250Z", pytest.approx(0.85)),
            ("7", "int", "failed", "Fetch", "2027-01-15T08:00:00.250Z", 1.25),
            ("7", "str", "skipped", "Fetch", "2027-01-15T08:00:00.250Z", 1.25),
        ]
        types = [type(item_id).__name__ for item_id in ODD_IDS]
        assert ask("SELECT id, type FROM items WHERE run = 2") == [
            *zip(map(str, ODD_IDS), types, strict=True)
        ]
        assert ask("SELECT number, name, started, ended FROM runs") == [
            (1, "Fetch → Parse", "2027-01-15T08:00:00.000Z", "2027-01-15T08:00:02.000Z"),
            (2, "ids", "2027-01-15T08:00:10.000Z", "2027-01-15T08:00:12.000Z"),
        ]
        assert ask("SELECT run, position, name FROM stages") == [
            (1, 1, "Fetch"),
            (1, 2, "Parse"),
            (2, 1, "Save"),
        ]
        assert [row[:2] for row in ask("SELECT type, message, traceback FROM errors")] == [
            ("TimeoutError", "no answer\nfrom “host”, 80"),
            ("ValueError", '7 is "odd"'),
        ]


# The file


@pytest.fixture(params=SUFFIXES)
def suffix(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == ".parquet":
        pytest.importorskip("pyarrow")
    return name


def test_an_empty_recording_can_be_exported(tmp_path: Path, suffix: str) -> None:
    target = exported(written(StatusTracker(), tmp_path / "empty.antflow"), suffix)
    assert target.stat().st_size or suffix == ".csv"


def test_the_same_comes_from_a_log_in_memory(run_file: Path, suffix: str) -> None:
    export(open_run(run_file).source(), run_file.with_name(f"memory{suffix}"))
    assert run_file.with_name(f"memory{suffix}").read_bytes() == exported(run_file, suffix).read_bytes()


def large_run(tracker: StatusTracker | None = None, items: int = 2_500) -> StatusTracker:
    """Some 50,000 events, more than three chunks."""
    tracker = tracker or StatusTracker()
    run = tracker.begin_run(STAGES)
    for item in range(items):
        fails_in = item % 50 if item % 50 < 3 else None
        play_item(run, item, fails_in=fails_in, message=f"no route to {item % 7}")
    run.end()
    return tracker


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(large_run(), tmp_path_factory.mktemp("large") / "large.antflow")


class StopError(Exception):
    """Somebody has had enough."""


def test_nothing_is_left_of_an_export_that_is_broken_off(large: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"

    def stop(_: int) -> None:
        raise StopError

    with FileSource(large) as source, pytest.raises(StopError):
        export(source, target, advance=stop)
    assert leftovers(tmp_path) == []
    target.write_text("precious")
    with FileSource(large) as source, pytest.raises(StopError):
        export(source, target, overwrite=True, advance=stop)
    assert leftovers(tmp_path) == [target.name]
    assert target.read_text() == "precious"


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """Files may become so large and no larger."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.skipif(sys.platform == "win32", reason="files cannot be limited there")
def test_nothing_is_left_where_the_disk_is_full(large: Path, tmp_path: Path, suffix: str) -> None:
    with FileSource(large) as source, small_disk(20_000), pytest.raises(OSError):
        export(source, tmp_path / f"out{suffix}")
    assert leftovers(tmp_path) == []


def test_a_file_that_is_there_is_replaced_only_if_asked(run_file: Path, suffix: str) -> None:
    target = run_file.with_suffix(suffix)
    target.write_text("precious")
    with FileSource(run_file) as source:
        with pytest.raises(RunFileError, match="exists already; choose another name"):
            export(source, target)
        assert target.read_text() == "precious"
        export(source, target, overwrite=True)
    assert target.read_bytes() != b"precious"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("out.xlsx", r"The format of out\.xlsx is not known: .*\.csv, \.jsonl, \.parquet or \.sqlite"),
        ("out", "The format of out is not known"),
        ("nowhere/out.csv", "There is no folder .*nowhere to put out.csv into; create it first"),
        (".", "is a folder; name a file in it"),
    ],
)
def test_a_bad_target_is_refused_in_a_sentence(run_file: Path, name: str, sentence: str) -> None:
    with FileSource(run_file) as source, pytest.raises(RunFileError, match=sentence):
        export(source, run_file.parent / name)


def test_a_missing_package_is_named(run_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with FileSource(run_file) as source, pytest.raises(RunFileError, match=r"antflow-desk\[parquet\]"):
        export(source, run_file.with_suffix(".parquet"))


def test_each_event_is_told_of_once(large: Path, tmp_path: Path, suffix: str) -> None:
    told: list[int] = []
    with FileSource(large) as source:
        export(source, tmp_path / f"out{suffix}", advance=told.append)
        assert sum(told) == source.events
        assert len(told) > 1 or suffix == ".parquet"


def test_large_tables_have_every_event_in_its_place(large: Path, tmp_path: Path) -> None:
    with FileSource(large) as source:
        export(source, tmp_path / "large.sqlite")
    with closing(sqlite3.connect(tmp_path / "large.sqlite")) as database:
        rows = database.execute("SELECT row, time, item, kind, error FROM event_records ORDER BY row")
        told = [*zip(*rows, strict=True)]
    log = open_run(large).log
    records = log.columns(0, len(log))
    assert told[0] == (*range(len(log)),)
    for column, name in zip(told[1:], ("time", "item", "kind", "error"), strict=True):
        assert column == (*records[name].tolist(),)


# Sources


def columns(source: FileSource, begin: int) -> tuple[list[int], bytes]:
    parts = [*source.blocks(begin)]
    rows = [row for numbers, _ in parts for row in numbers.tolist()]
    return rows, b"".join(records.tobytes() for _, records in parts)


@pytest.mark.parametrize("begin", [0, 1, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 40_000])
def test_a_file_is_read_from_any_row_on(large: Path, begin: int) -> None:
    whole = open_run(large).log
    with FileSource(large) as source:
        rows, records = columns(source, begin)
    assert rows == [*range(begin, len(whole))]
    assert records == whole.columns(begin, len(whole)).tobytes()


def test_a_file_that_was_written_bit_by_bit_is_read_from_any_row_on(run_file: Path) -> None:
    with closing(sqlite3.connect(run_file)) as database, database:
        ((data,),) = database.execute("SELECT records FROM chunks")
        database.execute("DELETE FROM chunks")
        for first, stop in pairwise((0, 1, 4, 20, 34, 35)):
            part = data[first * RECORD.size : stop * RECORD.size]
            database.execute("INSERT INTO chunks VALUES (?, ?, ?)", (first, stop - first, part))
    with FileSource(run_file) as source:
        for begin in range(36):
            assert columns(source, begin)[0] == [*range(begin, 35)]


def test_a_log_that_has_dropped_events_is_exported_from_its_first_row_on(tmp_path: Path) -> None:
    tracker = large_run(StatusTracker(max_events=2 * CHUNK_ROWS))
    log = tracker.log
    source = LogSource(log, open_run(written(StatusTracker(), tmp_path / "x.antflow")).info)
    assert log.first_row > 0
    for suffix in (".jsonl", ".csv", ".sqlite"):
        export(source, tmp_path / f"dropped{suffix}")
    assert everything(open_run(tmp_path / "dropped.jsonl").log) == everything(log)
    rows = [*csv.DictReader(io.StringIO((tmp_path / "dropped.csv").read_text("utf-8")))]
    assert [int(row["row"]) for row in rows] == [*range(log.first_row, log.next_row)]
    assert "" not in {row["item"] for row in rows}
    with closing(sqlite3.connect(tmp_path / "dropped.sqlite")) as database:
        assert database.execute("SELECT count(*), min(row) FROM events").fetchone() == (
            len(log),
            log.first_row,
        )
        held = len(tracker.get_tracked_ids())
        assert database.execute("SELECT count(*) FROM items").fetchone() == (held,)


# Faulty files

Damage = Callable[[list[str]], list[str]]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda lines: lines[:20], r"is cut short: 19 of 35 events are there; copy or export it again"),
        (lambda lines: lines[1:], r"has events, but no header in its first line"),
        (lambda lines: ['{"a":1}'], r"is no run file and no export of one"),
        (lambda lines: [lines[0][:50]], r"is no run file and no export of one"),
        (lambda lines: [lines[0].replace("[1,0]", "[2,3]")], r"newer version \(format 2\.3, this one reads"),
        (lambda lines: [*lines[:3], "{", *lines[4:]], r"line 4: this line is damaged"),
        (lambda lines: [each.replace('"time"', '"when"') for each in lines], "damaged .*there is no 'time'"),
        (lambda lines: [each.replace('"Fetch","event"', '"X","event"') for each in lines], "has no stage X"),
        (lambda lines: [each.replace('"failed"', '"lost"') for each in lines], "there is no 'lost'"),
    ],
)
def test_damaged_json_lines_are_refused_with_their_line(
    run_file: Path, damage: Damage, sentence: str
) -> None:
    target = exported(run_file, ".jsonl")
    target.write_text("\n".join(damage(target.read_text("utf-8").splitlines())) + "\n", "utf-8")
    with pytest.raises(RunFileError, match=sentence):
        open_run(target)


@pytest.mark.parametrize(
    ("spoil", "suffix"),
    [
        ("UPDATE runs SET workers = '[{'", ".jsonl"),
        ("UPDATE runs SET workers = '[{'", ".parquet"),
        ("UPDATE snapshots SET stats = ''", ".jsonl"),
    ],
)
def test_damage_of_what_is_told_beside_the_events_is_a_sentence(
    spoil: str, suffix: str, tmp_path: Path
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / "run.antflow"
    asyncio.run(Pipeline([Stage("Fetch", 2, [str])]).run(range(3), record=path))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(spoil)
    with FileSource(path) as source:
        for each in (source, open_run(path).source()):
            with pytest.raises(RunFileError, match=r"run\.antflow is damaged .*copy it again"):
                export(each, tmp_path / f"run{suffix}")
    assert [*tmp_path.iterdir()] == [path]


def test_unknown_lines_at_the_end_are_left_out(run_file: Path) -> None:
    target = exported(run_file, ".jsonl")
    with target.open("a", encoding="utf-8") as file:
        file.write('{"newer":{"x":1}}\n')
    assert len(open_run(target).log) == 35


async def test_a_recording_that_is_under_way_is_exported_as_far_as_it_is(tmp_path: Path) -> None:
    path, tracker = tmp_path / "live.antflow", small_tracker()
    async with record(tracker, path):
        while open_run(path).total_events < len(tracker.log):
            await asyncio.sleep(0.005)
        again = open_run(exported(path, ".jsonl"))
    assert again.remarks == (
        "Only the beginning is here: it was exported while it was still being recorded.",
    )
    assert everything(again.log) == everything(tracker.log)
