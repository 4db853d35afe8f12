"""A run as a whole: what ended how, each stage's rate and percentiles, errors grouped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from antflow_core.history.figures import PERCENTILES, ErrorFigures, RunFigures, StageFigures
from antflow_core.reports.errors import items_text, when_text
from antflow_core.reports.screen import cell, fits, make_table, one_line
from antflow_core.units import format_count, format_duration, format_rate, plural

_NOTHING = "–"
_COUNTS = ("Completed", "Failed", "Skipped", "Retried")
_PERCENTILES = tuple(f"p{percentile}" for percentile in PERCENTILES)
_TIMES = ("Rate", *_PERCENTILES)


def run_report(run: RunFigures) -> RenderableType:
    """One run: a line of counts, its stages, its errors."""
    parts: list[RenderableType] = [_headline(run), _counts(run), Text(), *stage_tables(run.stages)]
    if run.errors:
        parts += [Text(), error_table(run.errors, run.started_at)]
    return Group(*parts)


def stage_tables(stages: tuple[StageFigures, ...]) -> list[RenderableType]:
    """A line a stage; in two tables, one of counts and one of times, where one has no room for both."""
    whole = _stage_table(stages, (*_COUNTS, *_TIMES))
    if fits(whole):
        return [whole]
    return [_stage_table(stages, _COUNTS), Text(), _stage_table(stages, _TIMES)]


def _stage_table(stages: tuple[StageFigures, ...], columns: tuple[str, ...]) -> Table:
    table = make_table("Stage", *columns, right=columns, cut=("Stage",))
    for stage in stages:
        cells: dict[str, str | Text] = {
            "Completed": format_count(stage.completed),
            "Failed": Text(format_count(stage.failed), style="red" if stage.failed else ""),
            "Skipped": format_count(stage.skipped),
            "Retried": Text(format_count(stage.retried), style="yellow" if stage.retried else ""),
            "Rate": format_rate(stage.rate),
            **dict(zip(_PERCENTILES, _durations(stage), strict=True)),
        }
        table.add_row(cell(stage.name), *(cells[column] for column in columns))
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
    if run.given_up:
        line.append(f" · given up {format_count(run.given_up)}")
    return line.append(f" · {plural(run.events, 'event')}")


def _shown_statuses() -> Iterator[tuple[str, str]]:
    yield from (("completed", "green"), ("failed", "red"), ("skipped", "magenta"))
    yield from (("retrying", "yellow"), ("in_progress", "blue"), ("queued", ""))


def _durations(stage: StageFigures) -> list[str]:
    if stage.durations_s is None:
        return [_NOTHING] * len(PERCENTILES)
    return [format_duration(duration) for duration in stage.durations_s]
