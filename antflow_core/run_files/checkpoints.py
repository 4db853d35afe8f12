"""Checkpoints: what a ``-wal`` holds goes into the run file itself, on a thread of its own.

SQLite would do that within a commit, which then waits for the disk. A *passive* checkpoint, on another
connection, keeps no writer waiting. It begins with a sync of the ``-wal``, so what had been committed before
outlasts a power failure; after a complete one the next commit begins the ``-wal`` anew.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from antflow_core.run_files.database import PAGE_BYTES, connect_for_writing, write_nothing_new

logger = logging.getLogger("antflow.recording")

DUE_BYTES: Final = 1 << 24
"""So much is written between two checkpoints, 16 MiB."""
DUE_S: Final = 5.0
"""What has been written is brought over after so long, however little it is."""
MOST_BYTES: Final = 1 << 26
"""What a ``-wal`` may grow to, 64 MiB, before the writer waits for a disk that does not keep up."""


class Checkpoints:
    """The checkpoints of one run file; called on the writer's thread.

    A fault of the disk is left to the writer to find: what cannot be brought over stays in the ``-wal``,
    where it is read as well, and the next checkpoint tries again.

    Args:
        path: The run file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes = 0
        self._begun_at = time.monotonic()
        self._due = threading.Event()
        self._in_step = threading.Event()
        self._in_step.set()
        self._closed = False
        self._thread: threading.Thread | None = None

    def wait_in_step(self) -> None:
        """Wait before a transaction, where the disk is so slow that the ``-wal`` has become too large."""
        self._in_step.wait()

    def wrote(self, size: int) -> None:
        """Take note that so many bytes, about, have been committed."""
        self._bytes += size
        if self._bytes >= DUE_BYTES or self.due_in() == 0:
            self.begin()

    def due_in(self) -> float | None:
        """After how many seconds `begin` should be called though nothing more is written; None for never."""
        return max(self._begun_at + DUE_S - time.monotonic(), 0) if self._bytes else None

    def begin(self) -> None:
        """Have a checkpoint made; returns at once."""
        self._bytes, self._begun_at = 0, time.monotonic()
        if self._thread is None:
            # A daemon, as the writer's thread is, who waits for it. Most recordings are too short to need it.
            name = f"checkpoints {self._path.name}"
            self._thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._thread.start()
        self._due.set()

    def close(self) -> None:
        """Wait for the checkpoint that is being made, and make no more."""
        self._closed = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()

    # On the thread

    def _work(self) -> None:
        try:
            with closing(connect_for_writing(self._path, wait_s=0)) as connection:
                while self._is_wanted():
                    with suppress(sqlite3.Error):
                        self._checkpoint(connection)
                    self._in_step.set()
        except sqlite3.Error as fault:
            logger.debug("%s cannot be opened for checkpoints: %s", self._path, fault)
        finally:
            self._in_step.set()

    def _is_wanted(self) -> bool:
        """Wait until a checkpoint is due; False when there are to be no more."""
        self._due.wait()
        self._due.clear()  # before the look whether it is closed, which may have set it just now
        return not self._closed

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Bring over what there is; where too much has come meanwhile, that too while the writer waits."""
        before = -1
        while True:
            _, frames, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if done == frames:
                # The first commit in a new -wal waits for the disk. Let it be this one, if the writer pauses.
                write_nothing_new(connection)
                break
            # Without progress somebody is reading what came before: then it must grow.
            if frames * PAGE_BYTES <= MOST_BYTES or done == before:
                break
            before = done
            self._in_step.clear()
