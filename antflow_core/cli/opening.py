"""Recordings opened for a command, with a bar on a terminal where that takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from antflow_core.cli.ending import RefusalError
from antflow_core.recorded_run import RecordedRun, open_run

if TYPE_CHECKING:
    from antflow_core.history.figures import RunFigures

_SLICE_S = 0.1
_PATIENCE_S = 0.4
"""What takes no longer needs no bar."""


def opened(path: str) -> RecordedRun:
    """A recording with all the events that are in it now.

    Raises:
        RunFileError: It cannot be opened.
    """
    run = open_run(path, whole=False)
    with progress_bar(f"Reading {run.path.name}", run.total_events) as advance:
        advance(len(run.log))
        while not run.is_whole:
            advance(run.update(_SLICE_S))
    return run


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, only on a terminal and only after a moment; gives what to tell of each step."""
    console = Console(stderr=True)
    if sys.stderr is None or not sys.stderr.isatty() or console.is_dumb_terminal:
        yield _say_nothing
        return
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} events"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    task = bar.add_task(title, total=total)
    began = time.monotonic()

    def advance(count: int) -> None:
        bar.advance(task, count)
        if not bar.live.is_started and time.monotonic() - began > _PATIENCE_S:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()


def figures_of(run: RecordedRun, number: int | None) -> list[RunFigures]:
    """The figures of every pipeline of a recording, or of the one with a number.

    Raises:
        RefusalError: There is none of that number.
    """
    from antflow_core.history.figures import figures  # late, because not every command needs it

    if number is not None:
        check_number(run, number)
    return [each for each in figures(run.log) if number in (None, each.number)]


def check_number(run: RecordedRun, number: int) -> None:
    """Make sure that a recording has a pipeline of a number.

    Raises:
        RefusalError: It has not.
    """
    count = len(run.log.runs)
    if not 1 <= number <= count:
        known = {0: "it has none", 1: "it has one, number 1"}.get(count, f"it has {count}, from 1 on")
        raise RefusalError(f"{run.path.name} has no pipeline number {number}; {known}")


def _say_nothing(_: int) -> None:
    """There is no terminal to show a bar on."""
