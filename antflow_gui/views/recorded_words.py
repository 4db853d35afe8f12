"""How the header words a recorded run: how it ended, when it was, and where it came from."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from antflow_core.link.replay import ReplayedRun
from antflow_core.run_files.run_records import Outcome, RunInfo
from antflow_core.units import format_bytes, format_count, format_duration, plural
from antflow_gui.runs.progress import RunProgress
from antflow_gui.views.run_words import StateWords, day_words


class RecordedFacts(NamedTuple):
    """What the header shows of a recorded run beside its figures.

    Attributes:
        words: How it ended, or how much of it has been read.
        note: The script, the day and the size, in a line.
        tip: All that the file tells of where it came from, a line each.
        hindrance: Why its script cannot be opened; empty where it can.
    """

    words: StateWords
    note: str
    tip: str
    hindrance: str


_CAUGHT_UP = 0.95
"""Who follows a file that is being written is always a little behind."""
_ENDS = {
    Outcome.RECORDING: StateWords("in_progress", "in_progress", "Being recorded"),
    Outcome.FINISHED: StateWords("completed", "completed", "Recorded · finished"),
    Outcome.ENDED: StateWords("completed", "text_secondary", "Recorded · ended"),
    Outcome.STOPPED: StateWords("stopped", "text_secondary", "Recorded · stopped"),
    Outcome.FAILED: StateWords("failed", "failed", "Recorded · script error"),
    Outcome.CUT_SHORT: StateWords("warning", "retrying", "Recorded · in part"),
    Outcome.UNEXPECTED: StateWords("warning", "retrying", "Recorded · ended unexpectedly"),
}


def recorded_facts(source: ReplayedRun, progress: RunProgress | None, now: datetime) -> RecordedFacts:
    """What there is to show of a recorded run now."""
    info = source.info
    started = datetime.fromtimestamp(source.began_at).astimezone()
    script = Path(info.script).name if info.script else "no script"
    size = size_words(source.file.path)
    note = " · ".join(filter(None, (script, f"started {day_words(started, now, exact=True)}", size)))
    return RecordedFacts(_words(source, progress), note, _tip(source, started, size), script_hindrance(info))


def script_of(info: RunInfo) -> Path | None:
    """The script that was recorded, where its file can still be found."""
    path = info.script_path
    return path if path is not None and path.is_file() else None


def script_hindrance(info: RunInfo) -> str:
    """Why the script cannot be opened; empty where it can."""
    if not info.script:
        return "The recording was not made of a script"
    if info.script_path is None:
        return f"The recording does not tell the folder of {info.script}"
    return "" if script_of(info) is not None else f"{info.script_path} is not there any more"


def size_words(path: Path) -> str:
    """The size of a file; nothing where it has gone."""
    try:
        return format_bytes(path.stat().st_size)
    except OSError:
        return ""


def _words(source: ReplayedRun, progress: RunProgress | None) -> StateWords:
    outcome, share = source.info.outcome, source.share_read
    if share < (1 if outcome.is_over else _CAUGHT_UP):
        return StateWords("in_progress", "accent", f"Loading {share * 100:.0f} %")
    if outcome in (Outcome.FINISHED, Outcome.ENDED) and progress is not None and progress.failed:
        return StateWords("failed", "failed", f"Recorded · {format_count(progress.failed)} failed")
    return _ENDS[outcome]


def _tip(source: ReplayedRun, started: datetime, size: str) -> str:
    info = source.info
    command = shlex.join([info.script, *info.arguments]) if info.script else "no script"
    took = format_duration(source.elapsed_s)
    lines = [
        f"Recording: {source.file.path}",
        f"Script: {command}",
        *([f"Folder: {info.folder}"] if info.folder else []),
        f"Started {started:%Y-%m-%d %H:%M:%S}, {info.outcome.value}, {took}",
        f"On {info.host}, {info.system}",
        f"Python {info.python}, AntFlow Desk {info.antflow}, process {info.process_id}",
        ", ".join(filter(None, (plural(source.file.total_events, "event"), size))),
    ]
    return "\n".join(lines)
