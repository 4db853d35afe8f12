"""The run file: an SQLite database that holds what a log holds; its schema, and how one is made and opened.

::

    info       what `RunInfo` tells, a JSON value a row
    runs       one a start-to-end of a pipeline; `stages` are the names, `details` what the pipeline told
    names      dictionaries: workers, tasks, types of errors, traceback templates
    items      ids in blocks, in the order of their indexes; `runs` says how many in a row belong to which run
    errors     in blocks: type, message, template, details
    notes      further metadata of single events
    chunks     packed records (`antflow_core.history.records`), at most 16,384 a row
    snapshots  a pipeline's counts at moments, for plots
    captured   the values of items at stages, where that was asked for

While it is written the file is in WAL mode, so that it can be read and a killed process loses at most what
had not been committed; a clean end leaves one file without a ``-wal`` beside it. `user_version` is the
version of the format, major and minor: a reader takes what has its own major version, and ignores tables,
columns and values that it does not know.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from antflow_core.exceptions import FileIsThereError, RunFileError
from antflow_core.run_files.file_lock import (
    FileLock,
    FileLockedError,
    is_locked,
    is_recorded_here,
    lock_holder,
)

SUFFIX: Final = ".antflow"
MAJOR: Final = 1
MINOR: Final = 0
_VERSION: Final = MAJOR << 16 | MINOR

_APPLICATION_ID: Final = 0x41464C57
"""``AFLW``: what tells our databases from others."""
_MAGIC: Final = b"SQLite format 3\x00"
_HEAD_BYTES: Final = 100
_WAL: Final = "-wal"
_NEW: Final = "-new"
_CLOSED_EXPORTS: Final = (".csv", ".parquet", ".sqlite")
"""What is exported for other programs only."""
_BESIDE: Final = (_WAL, "-shm", "-journal")
_WAIT_S: Final = 1.0
PAGE_BYTES: Final = 8_192
"""Twice the usual: a quarter less work for whole chunks, and a slow run does not write much more."""
WRITER_WAIT_S: Final = 60.0
"""Its thread keeps nobody from anything, so it may wait for who else has the database open."""
_LAST_WAIT_S: Final = 1.0
"""Who waits for the file to be closed waits for those who read it, but not for long."""
_LAST_TRIES: Final = 10
_LAST_PAUSE_S: Final = 0.02

NAME_KINDS: Final = ("worker", "task", "error type", "traceback")
"""What `names` holds; the index is its `kind`."""

_SCHEMA: Final = """
CREATE TABLE info (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (number INTEGER PRIMARY KEY, name TEXT NOT NULL, stages TEXT NOT NULL,
                   started_at REAL NOT NULL, ended_at REAL, details TEXT, stats TEXT, workers TEXT);
CREATE TABLE names (kind INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,
                    PRIMARY KEY (kind, number)) WITHOUT ROWID;
CREATE TABLE items (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, first_row INTEGER NOT NULL,
                    runs TEXT NOT NULL, ids TEXT NOT NULL);
CREATE TABLE errors (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, first_row INTEGER NOT NULL,
                     texts TEXT NOT NULL);
CREATE TABLE notes (row INTEGER PRIMARY KEY, metadata TEXT NOT NULL);
CREATE TABLE chunks (first_row INTEGER PRIMARY KEY, count INTEGER NOT NULL, records BLOB NOT NULL);
CREATE TABLE snapshots (run INTEGER NOT NULL, number INTEGER NOT NULL, time REAL NOT NULL,
                        stats TEXT NOT NULL, PRIMARY KEY (run, number)) WITHOUT ROWID;
CREATE TABLE captured (item INTEGER NOT NULL, stage INTEGER NOT NULL, value TEXT NOT NULL,
                       PRIMARY KEY (item, stage)) WITHOUT ROWID;
"""


def create_run_file(
    path: Path, info: dict[str, str], *, overwrite: bool
) -> tuple[sqlite3.Connection, FileLock]:
    """Make an empty run file and lock it.

    Args:
        info: What its table `info` is to hold.
        overwrite: Replace a run file that is there.

    Raises:
        RunFileError: There is a file, and it is not to be replaced, is in use, or is no run file.
        OSError: The folder cannot be written to.
        sqlite3.Error: The disk is full.
    """
    if not path.parent.is_dir():
        raise RunFileError(f"There is no folder {path.parent} to put {path.name} into; create it first", path)
    if os.path.lexists(path):
        _check_replaceable(path, overwrite=overwrite)
    try:
        lock = FileLock(path)
    except FileLockedError as locked:
        raise _in_use(path, locked.pid) from None
    try:
        if os.path.lexists(path):
            _check_replaceable(path, overwrite=overwrite, own_lock=True)
        return _make(path, info), lock
    except BaseException:
        lock.release()
        raise


def real_file(path: Path) -> Path:
    """The file that a path leads to, absolute: what belongs to a file lies beside it, not beside a link."""
    with suppress(OSError):  # who may not look there will be told so by who opens it
        if path.is_symlink():
            return Path(os.path.realpath(path))
    return path.absolute()


@dataclass(frozen=True, slots=True)
class Opening:
    """How a run file is to be opened.

    Attributes:
        immutable: Nobody can write to it, or to the folder it is in.
        without_newest: It is as a recorder leaves it that was killed, and its newest events, which are in a
            file beside it, are not there or cannot be read.
    """

    immutable: bool = False
    without_newest: bool = False


def prepare_opening(path: Path) -> Opening:
    """Judge a file, and put one in order that a killed process left behind.

    Raises:
        RunFileError: It cannot be opened; the sentence says why.
    """
    opening = Opening()
    if not is_recorded_here(path) and _checked_head(path).in_wal_mode and not is_locked(path):
        has_newest = _size(path, _WAL) > 0 and (_recover(path) or _is_readable(path))
        opening = Opening(immutable=not has_newest, without_newest=not has_newest)
    with reading_faults(path), closing(connect_for_reading(path, opening)) as connection:
        connection.execute("SELECT count(*) FROM info").fetchone()
    return opening


def connect_for_reading(path: Path, opening: Opening) -> sqlite3.Connection:
    """A connection that cannot write."""
    mode = "mode=ro&immutable=1" if opening.immutable else "mode=ro"
    return sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, isolation_level=None, timeout=_WAIT_S)


@contextmanager
def reading_faults(path: Path) -> Iterator[None]:
    """What goes wrong with the database in the body becomes a sentence about the file."""
    try:
        yield
    except sqlite3.OperationalError as fault:
        if "disk I/O" in str(fault):
            raise _damaged(path, fault) from fault
        raise RunFileError(f"{path} cannot be read: {fault}", path) from fault
    except (sqlite3.DatabaseError, ValueError) as fault:
        raise _damaged(path, fault) from fault
    except (KeyError, IndexError, TypeError) as fault:
        raise _damaged(path, f"what it tells does not fit together: {fault!r}") from fault


def connect_for_writing(path: Path, *, wait_s: float = WRITER_WAIT_S) -> sqlite3.Connection:
    """A connection to a run file that is being recorded; its commits make no checkpoints.

    Args:
        wait_s: How long it waits for another one that writes.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=wait_s)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    except BaseException:
        connection.close()
        raise
    return connection


def write_nothing_new(connection: sqlite3.Connection) -> None:
    """Commit what changes nothing, so that the ``-wal`` begins."""
    # An UPDATE with the same value would write nothing at all.
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def close_for_good(connection: sqlite3.Connection) -> None:
    """Close what a recorder wrote so that one file is left; with a reader in it, the ``-wal`` may stay."""
    with suppress(sqlite3.Error), closing(connection):
        connection.execute(f"PRAGMA busy_timeout = {_LAST_WAIT_S * 1_000:.0f}")
        is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not is_busy:  # all is on the disk; what follows changes a few bytes of the head, and may be lost
            connection.execute("PRAGMA synchronous = OFF")
        for _ in range(_LAST_TRIES):
            try:
                connection.execute("PRAGMA journal_mode = DELETE")
                return
            except sqlite3.OperationalError:  # somebody is reading it at this moment
                time.sleep(_LAST_PAUSE_S)


@dataclass(frozen=True, slots=True)
class _Head:
    """The fields of SQLite's header that tell what a file is (https://www.sqlite.org/fileformat.html)."""

    application_id: int
    version: int
    in_wal_mode: bool
    whole_bytes: int


def _make(path: Path, info: dict[str, str]) -> sqlite3.Connection:
    """An empty run file in the place of what is there; nobody sees it before it is complete."""
    new = path.with_name(path.name + _NEW)
    try:
        _delete(new)
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            # Nothing can be lost yet, so no disk is waited for.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
            connection.executemany("INSERT INTO info VALUES (?, ?)", info.items())
        _delete(path)
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            _delete(new)
        raise
    try:
        return _opened_for_writing(path)
    except BaseException:
        _delete(path)
        raise


def _opened_for_writing(path: Path) -> sqlite3.Connection:
    connection = connect_for_writing(path)
    try:
        connection.execute("PRAGMA synchronous = OFF")  # nothing can be lost yet
        connection.execute("PRAGMA journal_mode = WAL")
        # So that there is a -wal from the start: a file in this mode without one was copied without it.
        write_nothing_new(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _recover(path: Path) -> bool:
    """Bring the newest events into the file itself, whose process was killed; says whether that went."""
    try:
        lock = FileLock(path)
    except (FileLockedError, OSError):
        return False
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=_WAIT_S)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.Error:
        return False
    finally:
        lock.release()
    return bool(mode == "delete")


def _is_readable(path: Path) -> bool:
    try:
        with closing(connect_for_reading(path, Opening())) as connection:
            connection.execute("SELECT count(*) FROM info").fetchone()
    except sqlite3.OperationalError:
        return False
    return True


def _check_replaceable(path: Path, *, overwrite: bool, own_lock: bool = False) -> None:
    if not own_lock and is_locked(real_file(path)):
        raise _in_use(path, lock_holder(real_file(path)))
    if not overwrite:
        raise FileIsThereError(path, "choose another name, or a folder to get a new file in it")
    if path.is_file() and path.stat().st_size == 0:
        return
    try:
        is_ours = path.is_file() and _read_head(path).application_id == _APPLICATION_ID
    except RunFileError:
        is_ours = False
    if not is_ours:
        raise RunFileError(f"{path} is no run file, so it is not replaced; choose another name", path)


def _checked_head(path: Path) -> _Head:
    _check_kind(path)
    head = _read_head(path)
    if head.application_id != _APPLICATION_ID:
        raise _foreign(path, "a database, but no run file")
    if head.version >> 16 > MAJOR:
        raise RunFileError(
            f"{path} was recorded by a newer version (format {head.version >> 16}.{head.version & 0xFFFF}, "
            f"this one reads {MAJOR}.x); update antflow-desk to open it",
            path,
        )
    size = path.stat().st_size
    if size < head.whole_bytes and not _size(path, _WAL):
        raise RunFileError(
            f"{path} is cut short: {size:,} of {head.whole_bytes:,} bytes are there; copy it again", path
        )
    return head


def _check_kind(path: Path) -> None:
    """Make sure that a path leads to a file."""
    with _system_faults(path):
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise RunFileError(f"{path} is a folder; name one of the run files in it", path)
    if not stat.S_ISREG(mode):  # reading from a pipe would wait for who writes
        raise RunFileError(f"{path} is a pipe or a device; name a run file", path)


@contextmanager
def _system_faults(path: Path) -> Iterator[None]:
    """What the system says of a file in the body becomes a sentence about it."""
    try:
        yield
    except FileNotFoundError:
        raise RunFileError(f"There is no file {path}", path) from None
    except OSError as fault:
        raise RunFileError(f"{path} cannot be read: {fault.strerror}", path) from fault


def _foreign(path: Path, what: str) -> RunFileError:
    """What there is to say of a file that is none of ours."""
    is_export = path.suffix.lower() in _CLOSED_EXPORTS
    hint = (
        "of what `antflow-core export` writes, only .jsonl files can be opened again"
        if is_export
        else "run files are made by recording a run"
    )
    return RunFileError(f"{path} is {what}; {hint}", path)


def _read_head(path: Path) -> _Head:
    with _system_faults(path), path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise RunFileError(f"{path} is empty (0 bytes): nothing was recorded, or copying it failed", path)
    if not head.startswith(_MAGIC[: len(head)]):
        raise _foreign(path, "no run file")
    if len(head) < _HEAD_BYTES:
        raise RunFileError(f"{path} is cut short: only {len(head)} bytes are there; copy it again", path)
    (page_bytes,) = struct.unpack_from(">H", head, 16)
    (pages,) = struct.unpack_from(">I", head, 28)
    (version,) = struct.unpack_from(">I", head, 60)
    (application_id,) = struct.unpack_from(">I", head, 68)
    return _Head(application_id, version, head[18] == 2, pages * (page_bytes if page_bytes > 1 else 65_536))


def _size(path: Path, suffix: str) -> int:
    """Bytes of a file beside a run file, 0 where there is none."""
    try:
        return path.with_name(path.name + suffix).stat().st_size
    except OSError:
        return 0


def _delete(path: Path) -> None:
    for suffix in ("", *_BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _in_use(path: Path, pid: int | None) -> RunFileError:
    who = f"process {pid}" if pid is not None else "another process"
    return RunFileError(
        f"{path} is being recorded by {who}; choose another name, or a folder to get a new file in it", path
    )


def _damaged(path: Path, fault: Exception | str) -> RunFileError:
    return RunFileError(f"{path} is damaged ({fault}); copy it again from where it was recorded", path)
