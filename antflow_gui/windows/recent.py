"""How a run that ended is remembered and told: one line for the welcome page and the Recent menu."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from antflow_core.link.protocol import RunOutcome, RunState
from antflow_core.units import format_count, format_duration
from antflow_gui.settings import RecentRun
from antflow_gui.views.welcome import RecentEntry


def recent_entry(run: RecentRun, now: datetime) -> RecentEntry:
    """What the welcome page shows of a recent script."""
    return RecentEntry(
        run.path, run.outcome, run.detail, _day(datetime.fromtimestamp(run.at).astimezone(), now)
    )


def opened(path: Path, args: tuple[str, ...], at: float) -> RecentRun:
    """A script that was opened and not run yet."""
    return RecentRun(str(path), "new", "not run yet", at, args)


def ended(path: Path, args: tuple[str, ...], outcome: RunOutcome, at: float) -> RecentRun:
    """A script whose run is over."""
    return RecentRun(str(path), _kind(outcome), _detail(outcome), at, args)


def _kind(outcome: RunOutcome) -> str:
    if outcome.state is RunState.STOPPED:
        return "stopped"
    return "failed" if outcome.failed or outcome.exit_code else "finished"


def _detail(outcome: RunOutcome) -> str:
    if outcome.exit_code and outcome.message:
        return outcome.message.splitlines()[0]
    took = format_duration(outcome.duration_s)
    counts = f"{format_count(outcome.completed)} done, {format_count(outcome.failed)} failed"
    return f"stopped · {counts} · {took}" if outcome.state is RunState.STOPPED else f"{counts} · {took}"


def _day(when: datetime, now: datetime) -> str:
    days = (now.date() - when.date()).days
    if days == 0:
        return f"today {when:%H:%M}"
    if days == 1:
        return f"yesterday {when:%H:%M}"
    return f"{when:%A}" if days < 7 else f"{when:%Y-%m-%d}"
