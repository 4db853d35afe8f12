"""Recorder: a run file being written, and the trackers whose events go into it."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np  # noqa: F401  loaded now, because it takes a tenth of a second, and not while a run goes on

from antflow_core.exceptions import RunFileError
from antflow_core.history.dictionaries import safe_text
from antflow_core.recording.followed import TURN_S, FollowedTracker
from antflow_core.recording.values import ValueCapture
from antflow_core.run_files.database import SUFFIX
from antflow_core.run_files.run_records import Outcome, RunInfo
from antflow_core.run_files.writer import RunFileWriter
from antflow_core.tracker import StatusTracker

MADE_TRACKER_EVENTS: Final = 1 << 16
"""What a tracker holds that is made only for a recording; the file has all events."""
_NAME_TRIES: Final = 1_000
_NO_SCRIPT: Final = ("", "-", "-c", "-m")
_SEPARATORS: Final = tuple(separator for separator in (os.sep, os.altsep) if separator)


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
    """
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
        is_program = script is None
        if script is None:
            script, own_arguments = _program()
            arguments = own_arguments if arguments is None else arguments
        folder = _folder_of(script, is_program=is_program)
        info = RunInfo.of_here(script, arguments or (), time.time(), folder)
        self._writer = _make_writer(path, info, overwrite=overwrite)
        self._values = values
        self._followed: weakref.WeakSet[FollowedTracker] = weakref.WeakSet()
        self._held: list[FollowedTracker] = []
        self._made: dict[int, StatusTracker] = {}
        self._outcome: tuple[Outcome, str | None] | None = None
        self._process_id = os.getpid()
        forget = _call_at_exit(self._end_with_process)
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
        """
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
        """
        if not self.is_open:
            return
        self._outcome = outcome, message
        for followed in self._followed:
            followed.close()
        self._writer.end(outcome, message, left_out_values=sum(each.left_out for each in self._followed))

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
        """Nobody has ended it: the process ends, perhaps with an exception."""
        is_interactive = hasattr(sys, "ps1")
        self.close(*outcome_of(None if is_interactive else getattr(sys, "last_value", None)))


def outcome_of(error: BaseException | None) -> tuple[Outcome, str | None]:
    """What an exception that came out of what is recorded says of its end."""
    match error:
        case None | SystemExit(code=None | 0):
            return Outcome.FINISHED, None
        case asyncio.CancelledError() | KeyboardInterrupt() | GeneratorExit():
            return Outcome.STOPPED, None
        case SystemExit():
            return Outcome.FAILED, f"it exited with {error.code!r}"
    text = safe_text(error)
    return Outcome.FAILED, f"{type(error).__name__}: {text}" if text else type(error).__name__


def _call_at_exit(function: Callable[[], None]) -> Callable[[], None]:
    """Have something called when this process ends; gives what takes that back."""
    atexit.register(function)
    # A child of multiprocessing may end without atexit. What is not loaded here has not made this process.
    util = sys.modules.get("multiprocessing.util")
    finalizer = None if util is None else util.Finalize(None, function, exitpriority=0)

    def forget() -> None:
        atexit.unregister(function)
        if finalizer is not None:
            finalizer.cancel()

    return forget


def _make_writer(path: str | os.PathLike[str], info: RunInfo, *, overwrite: bool) -> RunFileWriter:
    place = Path(path).absolute()
    if not place.is_dir():
        if os.fspath(path).endswith(_SEPARATORS):
            raise RunFileError(f"There is no folder {place} to record into; create it first", place)
        return RunFileWriter(place, info, overwrite=overwrite)
    name = f"{_name(info.script)}-{datetime.fromtimestamp(info.started_at).astimezone():%Y%m%d-%H%M%S}"
    for number in range(1, _NAME_TRIES):
        file = place / (f"{name}{SUFFIX}" if number == 1 else f"{name}-{number}{SUFFIX}")
        if not os.path.lexists(file):
            with suppress(RunFileError):  # another process was quicker
                return RunFileWriter(file, info)
    raise RunFileError(f"{place} has {_NAME_TRIES:,} files named {name}; record into another folder", place)


def _program() -> tuple[str | None, tuple[str, ...]]:
    """The program of this process and its arguments; None for an interactive session or a command."""
    script, *arguments = getattr(sys, "argv", None) or [""]
    return (None if script in _NO_SCRIPT else script), tuple(arguments)


def _folder_of(script: str | None, *, is_program: bool) -> str | None:
    """The working directory from which a script's path is meant; None where that has been deleted.

    Args:
        is_program: It is this process's own program, which may have changed the directory since its start.
    """
    folder = None
    with suppress(OSError):
        folder = str(Path.cwd())
    if script is None or not is_program or Path(folder or "", script).is_file():
        return folder
    # Python makes this path absolute before the program's first line.
    main = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    return main.removesuffix(script).rstrip(os.sep) or os.sep if main.endswith(os.sep + script) else folder


def _name(script: str | None) -> str:
    """What a file is called after."""
    if script is None:
        return "session"
    path = Path(script)
    return path.absolute().parent.name if path.stem == "__main__" else path.stem
