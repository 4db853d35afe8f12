"""How a run is remembered and told, and a recorded one: a line for the welcome page and the Recent menu."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from antflow_core.link.protocol import RunOutcome, RunState
from antflow_core.link.replay import ReplayedRun
from antflow_core.units import format_count, format_duration, short_count
from antflow_gui.settings import RecentRun
from antflow_gui.views.recorded_words import size_words
from antflow_gui.views.run_words import day_words
from antflow_gui.views.welcome import RecentEntry


def recent_entry(run: RecentRun, now: datetime) -> RecentEntry:
    """What the welcome page shows of a recent script or recorded run."""
    when = day_words(datetime.fromtimestamp(run.at).astimezone(), now)
    return RecentEntry(run.path, run.outcome, run.detail, when)


def opened(path: Path, args: tuple[str, ...], at: float) -> RecentRun:
    """A script that was opened and not run yet."""
    return RecentRun(str(path), "new", "not run yet", at, args)


def ended(path: Path, args: tuple[str, ...], outcome: RunOutcome, at: float) -> RecentRun:
    """A script whose run is over."""
    return RecentRun(str(path), _kind(outcome), _detail(outcome), at, args)


def recording_made(path: Path, events: int, outcome: RunOutcome, at: float) -> RecentRun:
    """The recording that was made of a run which is over."""
    return RecentRun(str(path), _kind(outcome), _recorded_detail(path, events), at, recorded=True)


def recorded_run(source: ReplayedRun) -> RecentRun:
    """A recorded run that was opened; its moment is that of the run."""
    path = source.file.path
    remarkable = source.state in (RunState.RUNNING, RunState.BROKEN_OFF)
    end = source.info.outcome.value if remarkable else ""
    detail = _recorded_detail(path, source.file.total_events, end)
    kind = _kind(source.outcome) if source.outcome is not None else "new"
    return RecentRun(str(path), kind, detail, source.began_at, recorded=True)


def _recorded_detail(path: Path, events: int, end: str = "") -> str:
    count = f"{short_count(events)} {'event' if events == 1 else 'events'}"
    return " · ".join(filter(None, ("recorded run", end, count, size_words(path))))


def _kind(outcome: RunOutcome) -> str:
    if outcome.state in (RunState.STOPPED, RunState.BROKEN_OFF):
        return outcome.state.value
    if outcome.state is RunState.FAILED:
        return "failed"
    return "failed" if outcome.failed or outcome.exit_code else "finished"


def _detail(outcome: RunOutcome) -> str:
    if outcome.exit_code and outcome.message:
        return outcome.message.splitlines()[0]
    took = format_duration(outcome.duration_s)
    counts = f"{format_count(outcome.completed)} done, {format_count(outcome.failed)} failed"
    return f"stopped · {counts} · {took}" if outcome.state is RunState.STOPPED else f"{counts} · {took}"
