"""Failures grouped by type and stage: how many, when, of which items, and the traceback of the first."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from antflow_core.history.dictionaries import safe_text
from antflow_core.history.figures import ErrorFigures, RunFigures
from antflow_core.reports.events import traceback_text
from antflow_core.reports.screen import one_line
from antflow_core.units import format_clock, plural


def error_report(run: RunFigures) -> RenderableType:
    """The failures of a run, the largest group first."""
    parts: list[RenderableType] = []
    for error in run.errors:
        if parts:
            parts.append(Text())
        parts += [_heading(error), Text(f"{_when(error, run.started_at)}; {_items(error)}")]
        if error.traceback:
            parts.append(traceback_text(error.traceback))
        else:
            parts.append(Text(one_line(error.message)))
    return Group(*parts)


def items_text(error: ErrorFigures) -> str:
    """The first few items of a group."""
    more = ", …" if error.count > len(error.item_ids) else ""
    return one_line(", ".join(map(safe_text, error.item_ids)) + more)


def when_text(error: ErrorFigures, started_at: float) -> str:
    """From when to when, from the start of its run."""
    first, last = (format_clock(max(0.0, at - started_at)) for at in (error.first_at, error.last_at))
    return first if first == last else f"{first} – {last}"


def _heading(error: ErrorFigures) -> Text:
    heading = Text(f"{plural(error.count, 'failure')}  ", style="bold")
    heading.append(one_line(error.type_name), style="bold red")
    return heading.append(f" in {one_line(error.stage)}")


def _when(error: ErrorFigures, started_at: float) -> str:
    return f"at {when_text(error, started_at)}"


def _items(error: ErrorFigures) -> str:
    return f"item{'' if error.count == 1 else 's'} {items_text(error)}"
