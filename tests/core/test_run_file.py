"""Run files: what is written comes back, and a file that cannot be opened says why in one sentence."""

from __future__ import annotations

import asyncio
import enum
import json
import math
import os
import shutil
import sqlite3
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antflow_core.exceptions import RunFileError
from antflow_core.export.file_source import FileSource
from antflow_core.history.records import KINDS, STATUS_COUNT
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.recorded_run import RecordedRun, open_run
from antflow_core.recording import Recorder, record
from antflow_core.run_files.file_lock import FileLock, FileLockedError, is_locked, lock_path
from antflow_core.run_files.run_records import Outcome
from antflow_core.run_files.stored_values import (
    GONE,
    decode_ids,
    encode_ids,
    stored_id,
    stored_ids,
    stored_note,
    stored_text,
    text_of,
)
from antflow_core.tracker import RunRecorder, StatusTracker
from tests.support.events import STAGES, played_tracker, raised
from tests.support.recorded import read_back, story, told, written

QUERIES = (
    "",
    "status:failed",
    "stage:Parse",
    "event:retry",
    "error:route",
    "attempt:>=2",
    "7",
    "-worker:*W1",
)


# What comes back


def test_every_event_comes_back_as_it_was(tmp_path: Path) -> None:
    tracker = played_tracker(60)
    run = read_back(tracker, tmp_path)
    assert story(run) == story(tracker)
    assert len(run.log) == len(tracker.log)
    assert run.log.runs == tracker.log.runs


@pytest.mark.parametrize("query", QUERIES)
def test_a_search_finds_the_same(query: str, tmp_path: Path) -> None:
    tracker = played_tracker(60, seed=2)
    assert story(read_back(tracker, tmp_path), query) == story(tracker, query)


def test_answers_are_the_live_trackers(tmp_path: Path) -> None:
    tracker = played_tracker(40, seed=2, tracker=played_tracker(40))
    run = read_back(tracker, tmp_path)
    assert run.get_stats() == tracker.get_stats()
    assert run.get_tracked_ids() == [*map(stored_id, tracker.get_tracked_ids())]
    for item_id in tracker.get_tracked_ids():
        assert [*map(told, run.get_history(item_id))] == [*map(told, tracker.get_history(item_id))]
        assert [*map(told, run.get_task_history(item_id))] == [*map(told, tracker.get_task_history(item_id))]
    ours, theirs = run.get_error_summary(), tracker.get_error_summary()
    assert (ours.errors_by_type, ours.errors_by_stage) == (theirs.errors_by_type, theirs.errors_by_stage)
    assert [failed.error for failed in ours.failed_items] == [failed.error for failed in theirs.failed_items]


@pytest.mark.parametrize("rows", [0, 1, CHUNK_ROWS - 1, CHUNK_ROWS, 2 * CHUNK_ROWS + 7])
def test_logs_of_any_length_come_back(rows: int, tmp_path: Path) -> None:
    tracker = StatusTracker()
    record_ = tracker.begin_run(["A"])
    for row in range(rows):
        record_.status(row % 500, 0, "queued" if row % 2 else "completed")
    run = read_back(tracker, tmp_path)
    assert len(run.log) == rows
    assert run.log.columns(0, rows).tobytes() == tracker.log.columns(0, rows).tobytes()
    assert run.get_stats() == tracker.get_stats()


class Colour(enum.StrEnum):
    RED = "red"


class Number(enum.IntEnum):
    TWO = 2


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise OSError


class Unprintable:
    def __repr__(self) -> str:
        raise OSError


KEPT = [
    "page 1",
    "",
    "ünï ☃ 🐜",
    "\ud800 alone",
    "nul \x00 in it",
    "[1, 2]",
    0,
    -1,
    2**70,
    7**20_000,
    True,
    None,
    1.5,
    -0.0,
    math.inf,
    1e-300,
    b"",
    b"\x00\xff",
]
CHANGED = [
    (Colour.RED, "red"),
    (Number.TWO, 2),
    (np.int64(7), 7),
    (np.float64(2.5), 2.5),
    (Loud("x"), "x"),
    ((1, "a"), "(1, 'a')"),
    ([1], "[1]"),
    (frozenset((1,)), "frozenset({1})"),
    (Unprintable(), "<unprintable Unprintable>"),
    (GONE, GONE),
]


@pytest.mark.parametrize("place", range(len(KEPT)))
def test_plain_ids_are_kept_exactly(place: int) -> None:
    item_id = KEPT[place]
    assert stored_id(item_id) is item_id
    (read,) = decode_ids(encode_ids([item_id]))
    assert type(read) is type(item_id)
    assert read == item_id
    if isinstance(read, float) and isinstance(item_id, float):
        assert math.copysign(1, read) == math.copysign(1, item_id)


@pytest.mark.parametrize("place", range(len(CHANGED)))
def test_other_ids_are_kept_as_an_equal_plain_value_or_their_repr(place: int) -> None:
    item_id, kept = CHANGED[place]
    found = stored_id(item_id)
    assert found == kept
    assert type(found) is type(kept)


def test_ids_of_all_kinds_stay_apart_in_one_block() -> None:
    ids = [*KEPT, *(kept for _, kept in CHANGED)]
    assert decode_ids(encode_ids(stored_ids([*KEPT, *(given for given, _ in CHANGED)]))) == ids


@given(st.lists(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.binary(), st.none())))
def test_blocks_of_ids_come_back(ids: list[object]) -> None:
    read = decode_ids(encode_ids(ids))
    assert read == ids
    assert [*map(type, read)] == [*map(type, ids)]


class Alike:
    def __repr__(self) -> str:
        return "<Alike>"


def test_items_that_a_file_cannot_tell_apart_are_all_found(tmp_path: Path) -> None:
    tracker = StatusTracker()
    record_ = tracker.begin_run(["A"])
    for item_id in (Alike(), "<Alike>", "other", Alike()):
        record_.status(item_id, 0, "queued")
    run = read_back(tracker, tmp_path)
    for query in ("item:<Alike>", "item:<Al*", "item:/^<Alike>$/", "alike"):
        assert len(run.search(query)) == 3
    assert len(run.get_history("<Alike>")) == 3


def test_metadata_is_kept_as_far_as_json_goes() -> None:
    endless: list[object] = [1]
    endless.append(endless)
    given = {"a": [1, None, {"b": 2.5}], "c": (1, 2), "d": {3: 4}, "e": 10**6_000, "f": {"x"}}
    kept = stored_note(given)
    assert kept == {
        "a": [1, None, {"b": 2.5}],
        "c": "(1, 2)",
        "d": "{3: 4}",
        "e": hex(10**6_000),
        "f": "{'x'}",
    }
    json.dumps(stored_note(endless))


@pytest.mark.parametrize("text", ["", "plain", "\ud800", "nul \x00"])
def test_any_text_can_be_stored(text: str) -> None:
    assert text_of(stored_text(text)) == text


def test_ids_that_only_look_alike_in_the_file_are_both_found(tmp_path: Path) -> None:
    tracker = StatusTracker()
    record_ = tracker.begin_run(["A"])
    record_.status((1, 2), 0, "queued")
    record_.status("(1, 2)", 0, "completed")
    run = read_back(tracker, tmp_path)
    assert run.get_stats() == tracker.get_stats()
    assert [event.status for event in run.get_history((1, 2))] == ["queued", "completed"]
    assert run.get_tracked_ids() == ["(1, 2)"]


def test_strange_names_messages_and_metadata_come_back(tmp_path: Path) -> None:
    tracker = StatusTracker()
    record_ = tracker.begin_run(["Bühne \ud800", "…"], name="run \ud801")
    error = raised(ValueError("lone \udfff, nul \x00, ünï"))
    record_.status("a", 0, "skipped", metadata={"why": ["cached \ud800", 1]})
    record_.task("a", 1, "tâsk \ud800", "W \ud800", "fail", 70_000, duration=1e300, error=error)
    record_.status("a", 1, "failed", "W \ud800", attempt=3, error=error)
    run = read_back(tracker, tmp_path)
    assert story(run) == story(tracker)
    assert run.log.runs == tracker.log.runs
    assert run.get_failed_items() == tracker.get_failed_items()


def test_what_a_limited_log_had_dropped_is_not_in_the_file(tmp_path: Path) -> None:
    tracker = StatusTracker(max_events=2 * CHUNK_ROWS)
    record_ = tracker.begin_run(["A"])
    record_.status("slow", 0, "queued")
    for number in range(20_000):
        for status in ("queued", "in_progress", "completed"):
            record_.status(number, 0, status)
    assert tracker.log.first_row > 0
    run = read_back(tracker, tmp_path)
    assert story(run, "item:1*") == story(tracker, "item:1*")
    assert "…" not in run.get_tracked_ids()
    assert run.get_status(19_999) == tracker.get_status(19_999)
    assert run.get_stats()["completed"] == len(run.get_by_status("completed"))


# Properties

_IDS: list[Any] = ["a", "b", 1, 1.5, True, None, b"x", (1, 2), [3]]
_step = st.tuples(
    st.integers(0, 1),
    st.integers(0, 1),
    st.sampled_from(_IDS),
    st.sampled_from(KINDS),
    st.sampled_from([None, "boom", "no route", "\ud800"]),
    st.sampled_from([None, {"reason": "cached"}, {"n": [1, {"x": None}]}]),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(_step, st.booleans()), max_size=50))
def test_however_it_is_cut_a_file_tells_what_its_trackers_told(steps: list[tuple[Any, bool]]) -> None:
    trackers = [StatusTracker(), StatusTracker()]
    with TemporaryDirectory() as folder:
        path = Path(folder, "run.antflow")
        with Recorder(path) as recorder:
            for tracker in trackers:
                recorder.follow(tracker)
            records = [
                [tracker.begin_run(STAGES), tracker.begin_run(STAGES[:1], name="second")]
                for tracker in trackers
            ]
            for (place, run, *event), hand_over in steps:
                report(records[place][run], *event)
                if hand_over:
                    trackers[place].log.flush()
        run_file = open_run(path)
    for query in ("", "status:failed", "item:a", "error:route", "worker:W-1", "run:2"):
        mixed = [event for tracker in trackers for event in story(tracker, query)]
        if query != "run:2":
            assert sorted(story(run_file, query), key=repr) == sorted(mixed, key=repr)
    stats = [tracker.get_stats() for tracker in trackers]
    assert run_file.get_stats() == {status: sum(each[status] for each in stats) for status in stats[0]}
    if not len(trackers[1].log):
        compare(run_file, trackers[0])


def report(
    record_: RunRecorder, item_id: object, kind: Any, message: str | None, note: dict[str, Any] | None
) -> None:
    error = None if message is None else raised(ValueError(message))
    if KINDS.index(kind) < STATUS_COUNT:
        record_.status(item_id, 0, kind, "W-0", attempt=1, error=error, metadata=note)
    else:
        record_.task(item_id, 0, "work", "W-1", kind, 2, duration=0.5, error=error)


def compare(run: RecordedRun, tracker: StatusTracker) -> None:
    """The same events in the same order, and the same answers."""
    assert story(run) == story(tracker)
    assert run.get_tracked_ids() == [*dict.fromkeys(map(stored_id, tracker.get_tracked_ids()))]
    assert len(run.get_failed_items()) == len(tracker.get_failed_items())
    for item_id in _IDS:
        ours, theirs = run.get_status(item_id), tracker.get_status(item_id)
        assert (None if ours is None else told(ours)) == (None if theirs is None else told(theirs))
        assert [*map(told, run.get_history(item_id))] == [*map(told, tracker.get_history(item_id))]
        assert [*map(told, run.get_task_history(item_id))] == [*map(told, tracker.get_task_history(item_id))]


# Files that cannot be opened

Spoil = Callable[[Path], object]


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def change_head(path: Path, offset: int, number: int) -> None:
    octets = bytearray(path.read_bytes())
    struct.pack_into(">I", octets, offset, number)
    path.write_bytes(octets)


def other_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (id)")
        connection.commit()


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def forget_where_from(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM info WHERE name = 'arguments'")


def blank_pages(path: Path) -> None:
    """What a disk does that has lost something."""
    octets = bytearray(path.read_bytes())
    octets[8_192:-4_096] = bytes(len(octets) - 12_288)
    path.write_bytes(octets)


FAULTS: list[tuple[str, Spoil, str]] = [
    ("missing", Path.unlink, "There is no file "),
    ("folder", make_folder, "is a folder; name one of the run files in it"),
    ("empty", lambda path: cut(path, 0), r"is empty \(0 bytes\)"),
    ("text", lambda path: path.write_text("id,status\n1,failed\n"), "is no run file"),
    ("database", other_database, "is a database, but no run file"),
    ("newer", lambda path: change_head(path, 60, 2 << 16 | 3), r"newer version \(format 2\.3.*update"),
    ("head only", lambda path: cut(path, 60), "is cut short: only 60 bytes are there"),
    ("half", lambda path: cut(path, path.stat().st_size // 2), "is cut short: [0-9,]+ of [0-9,]+ bytes"),
    ("last page", lambda path: cut(path, path.stat().st_size - 1), "is cut short"),
    ("damaged", blank_pages, "is damaged"),
    ("untold", forget_where_from, "is damaged .what it tells does not fit together"),
]
if hasattr(os, "mkfifo"):
    FAULTS.append(("pipe", make_pipe, "is a pipe or a device; name a run file"))


@pytest.mark.parametrize(("name", "spoil", "sentence"), FAULTS, ids=[name for name, *_ in FAULTS])
def test_a_file_that_cannot_be_opened_says_why(
    name: str, spoil: Spoil, sentence: str, tmp_path: Path
) -> None:
    path = written(played_tracker(200), tmp_path / "run.antflow")
    spoil(path)
    with pytest.raises(RunFileError, match=sentence) as raised_:
        open_run(path)
    assert raised_.value.path == path
    assert str(path) in str(raised_.value)
    assert "\n" not in str(raised_.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x" * 300, "cannot be read: .*[Nn]ame too long"),
        ("file/run.antflow", "(cannot be read: Not a directory|There is no file)"),
    ],
)
def test_a_path_that_leads_nowhere_is_a_sentence_too(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for read in (open_run, FileSource):
        with pytest.raises(RunFileError, match=reason):
            read(tmp_path / name)


def test_a_file_of_a_newer_minor_version_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    tracker = played_tracker(20)
    path = written(tracker, tmp_path / "run.antflow")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {1 << 16 | 9}")
        connection.execute("ALTER TABLE runs ADD COLUMN mood TEXT DEFAULT 'fine'")
        connection.execute("CREATE TABLE weather (day)")
        connection.execute("INSERT INTO info VALUES ('moon', '0.5')")
        connection.commit()
    assert story(open_run(path)) == story(tracker)


def test_an_event_that_names_what_is_not_there_is_damage(tmp_path: Path) -> None:
    path = written(played_tracker(20), tmp_path / "run.antflow")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM items")
        connection.commit()
    with pytest.raises(RunFileError, match="is damaged \\(an event names what is not there\\)"):
        open_run(path)


def test_a_clean_end_leaves_one_file(tmp_path: Path) -> None:
    written(played_tracker(20), tmp_path / "run.antflow")
    assert [path.name for path in tmp_path.iterdir()] == ["run.antflow"]


def test_a_file_can_be_opened_from_the_moment_it_is_there(tmp_path: Path) -> None:
    path, found = tmp_path / "run.antflow", list[RecordedRun]()

    def look() -> None:
        while not path.exists():
            pass
        found.append(open_run(path))

    for _ in range(10):
        thread = threading.Thread(target=look)
        thread.start()
        Recorder(path).close()
        thread.join()
        path.unlink()
    assert len(found) == 10
    assert {len(run.log) for run in found} == {0}


def test_opening_changes_nothing(tmp_path: Path) -> None:
    path = written(played_tracker(20), tmp_path / "run.antflow")
    before = path.read_bytes()
    open_run(path)
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["run.antflow"]


@pytest.mark.parametrize("name", ["50% off?.antflow", "ein lauf #1.antflow", "ünï", "a;b&c=d'e\"f"])
def test_any_file_name_goes(name: str, tmp_path: Path) -> None:
    tracker = played_tracker(5)
    assert story(open_run(written(tracker, tmp_path / name))) == story(tracker)


def unended(tracker: StatusTracker, folder: Path) -> Path:
    """A copy of the files that a recorder leaves that is killed: without its lock nobody writes them."""
    path = folder / "run.antflow"
    copies = folder / "copies"
    copies.mkdir()
    with Recorder(path) as recorder:
        recorder.follow(tracker)
        while not recorder.has_written_all():
            time.sleep(0.001)
        for file in folder.glob("run.antflow*"):
            if file != lock_path(path):
                shutil.copy(file, copies)
    return copies / "run.antflow"


def test_a_file_without_an_end_is_opened_put_in_order_and_says_so(tmp_path: Path) -> None:
    tracker = played_tracker(50)
    path = unended(tracker, tmp_path)
    assert path.with_name("run.antflow-wal").stat().st_size > 0
    run = open_run(path)
    assert story(run) == story(tracker)
    assert (run.info.outcome, run.info.ended_at) == (Outcome.UNEXPECTED, None)
    assert run.remarks == ("The recording ended unexpectedly: up to its last half second may be missing.",)
    assert [file.name for file in path.parent.iterdir()] == ["run.antflow"]
    assert open_run(path).remarks == run.remarks


def test_a_link_leads_to_a_file_with_all_that_lies_beside_it(tmp_path: Path) -> None:
    tracker = played_tracker(50)
    path = unended(tracker, tmp_path)
    link = tmp_path / "newest.antflow"
    link.symlink_to(path)
    run = open_run(link)
    assert (run.path, story(run)) == (path, story(tracker))
    assert run.remarks == ("The recording ended unexpectedly: up to its last half second may be missing.",)


def test_a_file_that_is_recorded_is_no_other_behind_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "run.antflow", tmp_path / "newest.antflow"
    link.symlink_to(path)
    with record(played_tracker(1), path), FileSource(link) as source:
        assert source.info.outcome is open_run(link).info.outcome is Outcome.RECORDING


def test_a_file_copied_without_its_wal_says_what_is_missing(tmp_path: Path) -> None:
    path = unended(played_tracker(50), tmp_path)
    path.with_name("run.antflow-wal").unlink()
    run = open_run(path)
    assert "The newest events are missing: they are in run.antflow-wal" in run.remarks[1]
    assert len(run.log) == 0
    assert run.info.host


def test_a_log_that_was_opened_answers_after_its_file_is_closed(tmp_path: Path) -> None:
    tracker = played_tracker(10)
    with read_back(tracker, tmp_path) as run:
        pass
    run.close()
    assert story(run) == story(tracker)
    for ask in (run.update, run.structure, run.snapshots, lambda: run.values_of(1)):
        with pytest.raises(RunFileError, match=r"run\.antflow is closed; open_run\(\) opens it again"):
            ask()


# Reading bit by bit


def test_a_large_file_can_be_read_in_slices(tmp_path: Path) -> None:
    tracker, heard = StatusTracker(), list[range]()
    record_ = tracker.begin_run(["A"])
    for row in range(3 * CHUNK_ROWS + 10):
        record_.status(row // 4, 0, "queued" if row % 4 else "completed")
    run = open_run(written(tracker, tmp_path / "run.antflow"), whole=False)
    run.subscribe(heard.append)
    assert (len(run.log), run.total_events, run.is_whole) == (CHUNK_ROWS, len(tracker.log), False)
    assert run.get_history(0) == tracker.get_history(0)
    assert run.update(0) == CHUNK_ROWS
    assert run.update() == CHUNK_ROWS + 10
    assert run.is_whole
    assert run.update() == 0
    assert heard == [range(CHUNK_ROWS, 2 * CHUNK_ROWS), range(2 * CHUNK_ROWS, 3 * CHUNK_ROWS + 10)]
    assert run.get_stats() == tracker.get_stats()


async def test_following_reads_the_rest_and_ends_by_itself(tmp_path: Path) -> None:
    tracker = StatusTracker()
    record_ = tracker.begin_run(["A"])
    for row in range(3 * CHUNK_ROWS):
        record_.status(row, 0, "queued")
    run = open_run(written(tracker, tmp_path / "run.antflow"), whole=False)
    complete = asyncio.Event()
    run.subscribe(lambda rows: complete.set() if run.is_whole else None)
    run.follow()
    await asyncio.wait_for(complete.wait(), 10)
    assert len(run.log) == 3 * CHUNK_ROWS
    assert run._timer is None


# The lock


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "run.antflow"
    assert not is_locked(path)
    lock = FileLock(path)
    assert is_locked(path)
    with pytest.raises(FileLockedError) as refused:
        FileLock(path)
    assert refused.value.pid == os.getpid()
    lock.release()
    lock.release()
    assert not is_locked(path)
    assert not lock_path(path).exists()


def test_a_lock_that_nobody_holds_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "run.antflow"
    lock_path(path).write_text("1" * 19)
    assert not is_locked(path)
    FileLock(path).release()
