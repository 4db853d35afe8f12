"""Writing a run file: batches of what logs were told, put into the database by a thread of its own.

What a recording may lose:

- A process that is killed loses at most the events of its last half second: they wait 0.15 s at most to be
  handed over, and are then committed, usually within 0.05 s; what has been committed is the system's. A task
  that holds the loop longer than that holds up the handing over too, and a recording that begins with
  millions of events has to catch up with them first.
- A power failure, or a system that crashes, loses at most what was committed after the newest checkpoint
  began: those follow each other after 5 s or 16 MiB (`antflow_core.run_files.checkpoints`). Before the first
  one the file may be lost.
- A recording that was ended loses nothing, once it has been waited for.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.records import RECORD
from antflow_core.run_files.batch import Batch
from antflow_core.run_files.checkpoints import Checkpoints
from antflow_core.run_files.database import close_for_good, create_run_file
from antflow_core.run_files.run_records import Outcome, RunInfo
from antflow_core.run_files.tables import RunTables

logger = logging.getLogger("antflow.recording")

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TURN_S: Final = 100e-6
"""About what a thread needs to wake up."""
_TURN_PAUSE_S: Final = 0.003
"""Between two turns given by one thread, at least."""
_GROUP_BLOCKS: Final = 8
"""Chunks written in one transaction, 4 MiB: who catches up must not lose all where the disk becomes full."""


class RunFileWriter:
    """One run file being written. All but its making is done by a thread that nobody waits for.

    When something goes wrong with the disk, writing stops with one warning, and what had been written stays.

    Args:
        path: Where to make it.
        info: What is to be told of the recording.
        overwrite: Replace a run file that is there.

    Attributes:
        path: As given.
        fault: Why writing stopped, one sentence; None while it goes on, and after a proper end.
        ended: Done when the file is closed.

    Raises:
        RunFileError: There is a file already, or no such folder.
    """

    def __init__(self, path: Path, info: RunInfo, *, overwrite: bool = False) -> None:
        self.path = path
        self.fault: str | None = None
        self.ended: Future[None] = Future()
        self._info = info
        self._queue: SimpleQueue[Batch | RunInfo] = SimpleQueue()
        self._turns: dict[int, float] = {}
        try:
            self._connection, self._lock = create_run_file(path, info.columns(), overwrite=overwrite)
        except (OSError, sqlite3.Error) as fault:
            nothing = f"Nothing is recorded: {path} cannot be written, {_reason(fault)}"
            self._say(nothing, f"{nothing}; the run goes on")
            self.ended.set_result(None)
            return
        self._tables = RunTables(self._connection)
        self._checkpoints = Checkpoints(path)
        # A daemon, because Python waits for other threads before it calls who would end this one.
        threading.Thread(target=self._work, name=f"recording {path.name}", daemon=True).start()

    def put(self, batch: Batch) -> None:
        """Hand over what is new; returns at once."""
        self._queue.put(batch)

    def give_turn(self) -> None:
        """Let the thread get hold of Python; to be called now and then on a loop's thread while it has work.

        A loop with always something to do lets go of the GIL for a microsecond whenever it looks for events.
        That is too short for a thread that has to wake up first, and keeps it from the turn that it would ask
        for after 5 ms without: waits of more than two seconds have been measured.
        """
        thread, now = threading.get_ident(), time.monotonic()
        if now - self._turns.get(thread, 0.0) > _TURN_PAUSE_S:  # several trackers may share the loop
            self._turns[thread] = now
            time.sleep(_TURN_S)

    def end(
        self,
        outcome: Outcome,
        message: str | None = None,
        *,
        left_out_values: int = 0,
        missed_events: int = 0,
    ) -> None:
        """Have the file closed when all that was handed over is in it; returns at once."""
        end = replace(self._info, ended_at=time.time(), outcome=outcome, message=message)
        self._queue.put(replace(end, left_out_values=left_out_values, missed_events=missed_events))

    # On the thread

    def _work(self) -> None:
        try:
            while isinstance(message := self._next(), Batch):
                self._write(message)
                del message  # while it waits it must not keep a tracker that nobody else needs
            self._finish(message)
        except Exception as fault:  # noqa: BLE001  whatever goes wrong here must not harm the run
            self._give_up(fault)
        finally:
            self._lock.release()
            self.ended.set_result(None)

    def _next(self) -> Batch | RunInfo:
        """What has been handed over next; in a long pause what has been written goes onto the disk."""
        with suppress(Empty):
            return self._queue.get(timeout=self._checkpoints.due_in())
        self._checkpoints.begin()
        return self._queue.get()

    def _write(self, batch: Batch) -> None:
        source, row = batch.source, batch.first_row
        groups = [batch.blocks[at : at + _GROUP_BLOCKS] for at in range(0, len(batch.blocks), _GROUP_BLOCKS)]
        for number, blocks in enumerate(groups or [[]], 1):
            size = sum(map(len, blocks))
            count = size // RECORD.size
            self._checkpoints.wait_in_step()
            with _transaction(self._connection):
                if number == 1:
                    self._tables.write_dictionaries(batch)
                kept = self._tables.write_records(source, blocks, is_all=batch.is_all)
                self._tables.write_notes(_notes(batch.notes, row, count, kept))
                if number >= len(groups):
                    self._tables.write_numbers(batch)
            self._checkpoints.wrote(size)
            row += count
            source.written_row = row

    def _finish(self, info: RunInfo) -> None:
        with _transaction(self._connection):
            self._tables.write_info(info)
        self._checkpoints.close()
        close_for_good(self._connection)

    def _give_up(self, fault: Exception) -> None:
        """Stop recording, with as much of an end as the disk still takes."""
        reason = _reason(fault)
        stopped = f"Recording into {self.path} stopped, {reason}; what came before stays there"
        self._say(stopped, f"{stopped}, the run goes on")
        if not isinstance(fault, OSError | sqlite3.Error):
            logger.error("This is a fault of the recorder's own", exc_info=fault)
        self._checkpoints.close()
        self._lock.give_room()
        with suppress(sqlite3.Error), _transaction(self._connection):
            message = f"the recording stopped, {reason}"
            end = replace(self._info, ended_at=time.time(), outcome=Outcome.CUT_SHORT, message=message)
            self._tables.write_info(end)
        close_for_good(self._connection)

    def _say(self, fault: str, warning: str) -> None:
        """Keep the fault, which may be read long after the run; warn of it now, while the run goes on."""
        self.fault = fault
        logger.warning("%s", warning)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # some faults have undone it already
            connection.execute("ROLLBACK")
        raise


def _notes(
    notes: dict[int, Any], first_row: int, count: int, kept: NDArray[np.bool_] | None
) -> dict[int, Any]:
    """The notes of some rows that were just written, by how far behind the newest of them they are."""
    found = {}
    for row in sorted(row for row in notes if first_row <= row < first_row + count):
        place = row - first_row
        if kept is None:
            found[place - count] = notes[row]
        elif kept[place]:
            found[-int(np.count_nonzero(kept[place:]))] = notes[row]
    return found


def _reason(fault: Exception) -> str:
    """Why something could not be written, in words for a person."""
    if isinstance(fault, OSError):
        return "the disk is full" if fault.errno in _FULL else (fault.strerror or str(fault)).lower()
    text = str(fault)
    return "the disk is full" if "full" in text else text
