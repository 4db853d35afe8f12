"""Recorder: a run file being written, and the trackers whose events go into it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np  # noqa: F401  loaded now, because it takes a tenth of a second, and not while a run goes on

from antflow_core.arguments import run_file_path, whole_number
from antflow_core.recording.followed import TURN_S, FollowedTracker
from antflow_core.recording.place import make_writer
from antflow_core.recording.process import call_at_exit, end_of_process, folder_of, outcome_of, program
from antflow_core.recording.values import ValueCapture
from antflow_core.run_files.run_records import Outcome, RunInfo
from antflow_core.tracker import StatusTracker

MADE_TRACKER_EVENTS: Final = 1 << 16
"""What a tracker holds that is made only for a recording; the file has all events."""


def record(
    tracker: StatusTracker,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    values: ValueCapture | None = None,
) -> Recorder:
    """Record a tracker: all that it holds, and all that comes until the end of the ``with``.

    ::

        with record(tracker, "today.antflow"):
            await pipeline.run(items)

    ``async with`` does the same without holding the loop while the last events are written. Where the disk
    fails, the recording stops with one warning, and the body goes on.

    Args:
        path: The file to make; in a folder one is made that is named after script and time.
        overwrite: Replace a run file that is there.
        values: Keep the values of items too; without it none are kept.

    Raises:
        RunFileError: There is such a file already, or no such folder.
        TypeError: An argument is of another kind.
    """
    _check_tracker(tracker, path)
    recorder = Recorder(path, overwrite=overwrite, values=values)
    recorder.follow(tracker)
    return recorder


class Recorder:
    """A run file being written; made by `record`, or for several trackers by itself.

    To be used on the thread of the trackers' loop.

    Args:
        path: The file to make; in a folder one is made that is named after script and time.
        overwrite: Replace a run file that is there.
        values: What to keep of items' values; None for nothing.
        script: What is recorded; the program of this process if None.
        arguments: What follows it on the command line.

    Raises:
        RunFileError: There is such a file already, or no such folder.
        TypeError: An argument is of another kind.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        values: ValueCapture | None = None,
        script: str | None = None,
        arguments: tuple[str, ...] | None = None,
    ) -> None:
        run_file_path("path", path)
        _check_what(values, script, arguments)
        is_program = script is None
        if script is None:
            script, own_arguments = program()
            arguments = own_arguments if arguments is None else arguments
        folder = folder_of(script, is_program=is_program)
        info = RunInfo.of_here(script, arguments or (), time.time(), folder)
        self._writer = make_writer(path, info, overwrite=overwrite)
        self._values = values
        self._followed: weakref.WeakSet[FollowedTracker] = weakref.WeakSet()
        self._held: list[FollowedTracker] = []
        self._made: dict[int, StatusTracker] = {}
        self._outcome: tuple[Outcome, str | None] | None = None
        self._process_id = os.getpid()
        forget = call_at_exit(self._end_with_process)
        self._writer.ended.add_done_callback(lambda _: forget())

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._writer.path

    @property
    def fault(self) -> str | None:
        """Why the recording has stopped, or not begun, before its end: one sentence; else None."""
        return self._writer.fault

    @property
    def is_open(self) -> bool:
        """Whether `close` has still to be called; not so in a forked child, where nothing can be written."""
        return self._outcome is None and self._process_id == os.getpid()

    def follow(
        self, tracker: StatusTracker, *, run: int | None = None, copies: bool = True, weakly: bool = False
    ) -> None:
        """Record a tracker from now on, with what it holds.

        Args:
            run: The one run that is wanted; None for all. A tracker of which all runs are recorded stays so.
            copies: Take in runs too that its log copies from others; not if those are recorded themselves.
            weakly: Let it be freed before the end when nobody else needs it any more.

        Raises:
            TypeError: `tracker` is none, or `run` no number.
        """
        _check_tracker(tracker)
        if run is not None:
            whole_number("run", run, least=1)
        if any(each.tracker is tracker and each.only_run in (None, run) for each in self._followed):
            return
        followed = FollowedTracker(tracker, self._writer, only_run=run, copies=copies, values=self._values)
        self._followed.add(followed)
        if not weakly:
            self._held.append(followed)

    def has_written_all(self) -> bool:
        """Whether all that trackers had been told when it was last handed over is in the file."""
        return not any(followed.is_busy() for followed in self._followed)

    def make_tracker(self) -> StatusTracker:
        """A tracker for pipelines that have none, one for each thread; it holds the newest events only."""
        thread = threading.get_ident()
        if thread not in self._made:
            self._made[thread] = StatusTracker(max_events=MADE_TRACKER_EVENTS)
        return self._made[thread]

    def end(self, outcome: Outcome = Outcome.FINISHED, message: str | None = None) -> None:
        """Hand over what is left and have the file closed, without waiting for that; the first call counts.

        Args:
            outcome: How what is recorded ended.
            message: Why, one sentence; None where there is nothing to say.

        Raises:
            TypeError: An argument is of another kind.
        """
        _check_end(outcome, message)
        if not self.is_open:
            return
        self._outcome = outcome, message
        for followed in self._followed:
            followed.close()
        self._writer.end(
            outcome,
            message,
            left_out_values=sum(each.left_out for each in self._followed),
            missed_events=sum(each.missed for each in self._followed),
        )

    def end_after(self, error: BaseException | None, *, stopped: bool = False) -> None:
        """The same, with the outcome that an exception stands for, None for a proper end or a stop."""
        if error is None and stopped:
            self.end(Outcome.STOPPED)
        else:
            self.end(*outcome_of(error))

    def close(self, outcome: Outcome = Outcome.FINISHED, message: str | None = None) -> None:
        """End it, and wait until the file is closed; may be called again."""
        self.end(outcome, message)
        if self._process_id == os.getpid():
            self._writer.ended.result()

    async def wait_closed(self) -> None:
        """Wait until the file is closed, after `end`."""
        if self._process_id != os.getpid():
            return
        ended = asyncio.wrap_future(self._writer.ended)
        while not ended.done():
            self._writer.give_turn()
            await asyncio.wait([ended], timeout=TURN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(*outcome_of(error))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(*outcome_of(error))
        await self.wait_closed()

    def _end_with_process(self) -> None:
        """Nobody has ended it before the process ends."""
        self.close(*end_of_process())


def _check_tracker(tracker: object, path: object = None) -> None:
    if not isinstance(tracker, StatusTracker):
        hint = "; the tracker comes first, then the path" if isinstance(path, StatusTracker) else ""
        raise TypeError(f"tracker must be a StatusTracker, got {tracker!r}{hint}")


def _check_what(values: object, script: object, arguments: object) -> None:
    if values is not None and not isinstance(values, ValueCapture):
        raise TypeError(f"values must be a ValueCapture or None, got {values!r}")
    if script is not None and not isinstance(script, str):
        raise TypeError(f"script must be the script's path as text, or None, got {script!r}")
    if arguments is None:
        return
    if not isinstance(arguments, tuple | list) or not all(isinstance(each, str) for each in arguments):
        raise TypeError(f"arguments must be a tuple of texts, or None, got {arguments!r}")


def _check_end(outcome: object, message: object) -> None:
    if not isinstance(outcome, Outcome):
        raise TypeError(f"outcome must be an Outcome, such as Outcome.FAILED, got {outcome!r}")
    if message is not None and not isinstance(message, str):
        raise TypeError(f"message must be text or None, got {message!r}")
