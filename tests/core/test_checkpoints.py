"""Checkpoints: a recording's ``-wal`` stays small and goes into the file, and nobody waits for it in vain."""

from __future__ import annotations

import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from antflow_core import StatusTracker
from antflow_core.history.records import NO_ERROR, NO_TASK, NO_WORKER, RECORD
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.recorded_run import open_run
from antflow_core.recording import Recorder, record
from antflow_core.run_files import checkpoints

CHUNK_BYTES = CHUNK_ROWS * RECORD.size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.antflow"


def wal_bytes(path: Path) -> int:
    return path.with_name(path.name + "-wal").stat().st_size


def beginnings(path: Path) -> int:
    """How often the -wal has begun anew (https://www.sqlite.org/fileformat.html, 4.1)."""
    with path.with_name(path.name + "-wal").open("rb") as wal:
        (number,) = struct.unpack_from(">I", wal.read(32), 12)
    return int(number)


def changed_at(path: Path) -> int:
    return path.stat().st_mtime_ns


def busy_tracker() -> StatusTracker:
    """One that has an item, of which `add_chunk` adds events."""
    tracker = StatusTracker()
    tracker.begin_run(["A"]).item("item")
    return tracker


def add_chunk(tracker: StatusTracker) -> None:
    tracker.log.append_chunk(RECORD.pack(1e9, 0, 0, 0, 0, NO_TASK, NO_WORKER, 0.0, NO_ERROR) * CHUNK_ROWS)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a thread of the recorder's will do."""
    ends_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.002)


def write_chunks(count: int, tracker: StatusTracker, recorder: Recorder) -> None:
    for _ in range(count):
        add_chunk(tracker)
        tracker.log.flush()  # where no loop runs this hands over
        until(lambda: recorder._held[0]._source.written_row == tracker.log.next_row)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Somebody looks at the file as it is now, for as long as the body lasts."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM info").fetchall()
        yield


def test_what_was_written_goes_into_the_file_while_the_recording_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "DUE_BYTES", CHUNK_BYTES)
    tracker = busy_tracker()
    with record(tracker, path) as recorder:
        for _ in range(10):
            before = beginnings(path)
            write_chunks(1, tracker, recorder)
            until(lambda: beginnings(path) > before)  # noqa: B023  called at once
        assert wal_bytes(path) < 5 * CHUNK_BYTES
        assert path.stat().st_size > 10 * CHUNK_BYTES
    assert len(open_run(path).log) == 10 * CHUNK_ROWS


def test_what_was_written_goes_into_the_file_after_a_while_however_little_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "DUE_S", 0.05)
    tracker = busy_tracker()
    with record(tracker, path):
        before = changed_at(path)
        tracker.begin_run(["B"]).status("item", 0, "queued")
        tracker.log.flush()
        until(lambda: changed_at(path) > before)


@pytest.mark.parametrize("limit", [CHUNK_BYTES, 1 << 40])
def test_who_reads_the_file_for_long_keeps_no_event_from_it(
    limit: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "DUE_BYTES", CHUNK_BYTES)
    monkeypatch.setattr(checkpoints, "MOST_BYTES", limit)
    tracker = busy_tracker()
    with record(tracker, path) as recorder:
        write_chunks(1, tracker, recorder)
        with reading(path):
            write_chunks(8, tracker, recorder)
            assert wal_bytes(path) > 7 * CHUNK_BYTES
        write_chunks(8, tracker, recorder)
    assert len(open_run(path).log) == 17 * CHUNK_ROWS
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_writer_who_is_quicker_than_the_checkpoints_waits_for_them(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "DUE_BYTES", CHUNK_BYTES)
    monkeypatch.setattr(checkpoints, "MOST_BYTES", 8 * CHUNK_BYTES)
    tracker = busy_tracker()
    for _ in range(64):
        add_chunk(tracker)
    with record(tracker, path):
        pass
    assert len(open_run(path).log) == 64 * CHUNK_ROWS


class EndedMeanwhile(threading.Event):
    """Lets the checkpoints be closed at the very moment when their thread has woken up for one."""

    def __init__(self) -> None:
        super().__init__()
        self.taken, self.ended = threading.Event(), threading.Event()

    def set(self) -> None:
        super().set()
        if self.taken.is_set():
            self.ended.set()

    def clear(self) -> None:
        self.taken.set()
        assert self.ended.wait(20)
        super().clear()


def test_checkpoints_that_are_ended_just_when_one_is_due_do_end(path: Path) -> None:
    with record(busy_tracker(), path):
        made = checkpoints.Checkpoints(path)
        made._due = due = EndedMeanwhile()
        made.begin()
        assert due.taken.wait(20)
        closing_thread = threading.Thread(target=made.close, daemon=True)
        closing_thread.start()
        closing_thread.join(20)
        assert not closing_thread.is_alive()


def test_a_recording_ends_while_somebody_reads_it(path: Path) -> None:
    tracker = busy_tracker()
    with record(tracker, path) as recorder:
        write_chunks(1, tracker, recorder)
        with reading(path):
            recorder.close()
    assert len(open_run(path).log) == CHUNK_ROWS
    assert [file.name for file in path.parent.iterdir()] == [path.name]
