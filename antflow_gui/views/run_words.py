"""How a run is put into words: its state, its progress, the time left, the day it was."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from antflow_core.link.protocol import RunState
from antflow_core.units import format_count, format_percent, format_rate
from antflow_gui.runs.progress import RunProgress

_MINUTE_S, _HOUR_S = 60.0, 3600.0


class StateWords(NamedTuple):
    """A state as it is shown: icon, colour role and word, and a shorter one where there is."""

    icon: str
    role: str
    word: str
    short: str = ""


_STATES = {
    RunState.READY: StateWords("queued", "text_secondary", "Ready"),
    RunState.RUNNING: StateWords("in_progress", "in_progress", "Running"),
    RunState.STOPPING: StateWords("stopped", "text_secondary", "Stopping"),
    RunState.FINISHED: StateWords("completed", "completed", "Finished"),
    RunState.STOPPED: StateWords("stopped", "text_secondary", "Stopped"),
    RunState.FAILED: StateWords("failed", "failed", "Script error"),
    RunState.BROKEN_OFF: StateWords("warning", "retrying", "Broken off"),
}


_MEANINGS = {
    "given up": "cancelled, or under way when the run ended; counted neither as completed nor as failed",
    "unfinished": "not through all stages, and waiting, when the run ended",
}
"""Items that are neither completed nor failed, in the words of the header."""


def state_words(state: RunState, progress: RunProgress | None, *, paused: bool = False) -> StateWords:
    """Icon, colour and word of a state; a run that finished with failures says how many."""
    if state is RunState.RUNNING and paused:
        return StateWords("paused", "text_secondary", "Paused")
    if state is RunState.FINISHED and progress is not None and progress.failed:
        return StateWords("failed", "failed", f"Finished, {format_count(progress.failed)} failed", "Finished")
    return _STATES[state]


def progress_words(
    progress: RunProgress, given_up: int = 0, *, is_over: bool = False
) -> tuple[str, tuple[str, ...]]:
    """The share (empty where the total is not known) and the counts, the longest wording first.

    Args:
        progress: The figures of the run.
        given_up: Items that were cancelled, or given up with the run: neither completed nor failed.
        is_over: Nothing comes any more, so that what has not ended is told too.
    """
    ended = progress.completed + progress.failed
    done = format_count(ended)
    share = ""
    counts: tuple[str, ...] = ("no items",)
    if progress.total is None:
        counts = (f"{done} items so far", f"{done} items", done, "")
    elif progress.total:
        total = format_count(progress.total)
        share = format_percent(ended, progress.total)
        counts = (f"{done} of {total} items", f"{done} of {total}", done, "")
    unfinished = progress.total - ended - given_up if is_over and progress.total is not None else 0
    for count, word in zip((given_up, unfinished), _MEANINGS, strict=True):
        if count > 0:
            counts = (f"{counts[0]} · {format_count(count)} {word}", *counts)
    return share, counts


def progress_tip(words: str) -> str:
    """The longest wording of the counts with what its words mean; empty where that needs no telling."""
    meanings = [f"{word.capitalize()}: {meaning}" for word, meaning in _MEANINGS.items() if word in words]
    return "\n".join([words, *meanings]) if meanings else ""


def rate_words(progress: RunProgress) -> tuple[str, ...]:
    """The rate and what it is: that of now with the mean, or the mean alone once the run is over.

    Where there is a third text, it says the second in fewer words.
    """
    if progress.rate_mean is None:
        return format_rate(progress.rate_now), "rate" if progress.rate_now is None else "now"
    if progress.rate_now is None:
        return format_rate(progress.rate_mean), "mean"
    mean = f"{format_rate(progress.rate_mean)} mean"
    return format_rate(progress.rate_now), f"now · {mean}", mean


def range_words(remaining_s: tuple[float, float] | None) -> str:
    """Time left as a range, ``3–5 s``; a dash while it cannot be told."""
    if remaining_s is None:
        return "–"
    best, worst = remaining_s
    if worst < 1:
        return "< 1 s"
    low, high, unit = _in_unit(best, worst)
    return f"{high} {unit}" if low == high else f"{low}–{high} {unit}"


def day_words(when: datetime, now: datetime, *, exact: bool = False) -> str:
    """A moment as a person names it, ``today 08:14``, ``Friday``; exactly: to the second."""
    days = (now.date() - when.date()).days
    clock = f"{when:%H:%M:%S}" if exact else f"{when:%H:%M}"
    if days == 0:
        return f"today {clock}"
    if days == 1:
        return f"yesterday {clock}"
    day = f"{when:%A}" if 0 < days < 7 else f"{when:%Y-%m-%d}"
    return f"{day} {clock}" if exact else day


def _in_unit(best: float, worst: float) -> tuple[str, str, str]:
    """Both ends in the unit that suits the larger one."""
    if worst < 2 * _MINUTE_S:
        return f"{best:.0f}", f"{worst:.0f}", "s"
    if worst < 2 * _HOUR_S:
        return f"{best / _MINUTE_S:.0f}", f"{worst / _MINUTE_S:.0f}", "min"
    if worst < 100 * _HOUR_S:
        return f"{best / _HOUR_S:.1f}", f"{worst / _HOUR_S:.1f}", "h"
    return f"{best / _HOUR_S:.0f}", f"{worst / _HOUR_S:.0f}", "h"
