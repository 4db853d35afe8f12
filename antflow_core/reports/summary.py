"""A run as a whole: what ended how, each stage's rate and percentiles, errors grouped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from antflow_core.history.figures import PERCENTILES, ErrorFigures, RunFigures, StageFigures
from antflow_core.reports.errors import items_text, when_text
from antflow_core.reports.screen import cell, make_table, one_line
from antflow_core.units import format_count, format_duration, format_rate, plural

_NOTHING = "–"


def run_report(run: RunFigures) -> RenderableType:
    """One run: a line of counts, its stages, its errors."""
    parts: list[RenderableType] = [_headline(run), _counts(run), Text(), stage_table(run.stages)]
    if run.errors:
        parts += [Text(), error_table(run.errors, run.started_at)]
    return Group(*parts)


def stage_table(stages: tuple[StageFigures, ...]) -> RenderableType:
    """A line a stage."""
    percentiles = [f"p{percentile}" for percentile in PERCENTILES]
    numbers = ("Completed", "Failed", "Skipped", "Retried", "Rate", *percentiles)
    table = make_table("Stage", *numbers, right=numbers)
    for stage in stages:
        table.add_row(
            one_line(stage.name),
            format_count(stage.completed),
            Text(format_count(stage.failed), style="red" if stage.failed else ""),
            format_count(stage.skipped),
            Text(format_count(stage.retried), style="yellow" if stage.retried else ""),
            format_rate(stage.rate),
            *_durations(stage),
        )
    return table


def error_table(errors: tuple[ErrorFigures, ...], started_at: float) -> RenderableType:
    """A line a group of failures, the largest first; times count from the run's start."""
    table = make_table(
        "Failures",
        "Error",
        "Stage",
        "When",
        "Items",
        "Message",
        right=("Failures",),
        cut=("Items", "Message"),
    )
    for error in errors:
        table.add_row(
            format_count(error.count),
            Text(one_line(error.type_name), style="red"),
            one_line(error.stage),
            when_text(error, started_at),
            cell(items_text(error)),
            cell(error.message),
        )
    return table


def _headline(run: RunFigures) -> Text:
    started = datetime.fromtimestamp(run.started_at).astimezone()
    ended = "" if run.ended_at is not None else ", not ended"
    line = Text(f"Run {run.number}  {one_line(run.name)}", style="bold")
    took = format_duration(run.elapsed_s)
    return line.append(f"  started {started:%Y-%m-%d %H:%M:%S}, took {took}{ended}", style="not bold")


def _counts(run: RunFigures) -> Text:
    line = Text(f"{plural(run.item_count, 'item')}, {format_rate(run.rate)}")
    for status, style in _shown_statuses():
        count = run.items[status]
        if count or status in ("completed", "failed"):
            line.append(f" · {status.replace('_', ' ')} ").append(
                format_count(count), style=style if count else ""
            )
    return line.append(f" · {plural(run.events, 'event')}")


def _shown_statuses() -> Iterator[tuple[str, str]]:
    yield from (("completed", "green"), ("failed", "red"), ("skipped", "magenta"))
    yield from (("retrying", "yellow"), ("in_progress", "blue"), ("queued", ""))


def _durations(stage: StageFigures) -> list[str]:
    if stage.durations_s is None:
        return [_NOTHING] * len(PERCENTILES)
    return [format_duration(duration) for duration in stage.durations_s]
