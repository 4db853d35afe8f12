"""What changed between two runs: counts, rates, latency and errors side by side."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from antflow_core.history.figures import PERCENTILES, RunFigures, StageFigures
from antflow_core.reports.screen import make_table
from antflow_core.units import format_count, format_duration, format_rate

_NOTICEABLE = 0.05
"""A change of less is noise, and stays without a colour."""
_FACTOR_FROM = 9
_VISIBLE = 0.0005
_ABSENT = "–"


def comparison(before: RunFigures, after: RunFigures) -> RenderableType:
    """Both runs, stages matched by name, errors by type and stage."""
    numbers = ("Before", "After", "Change")
    table = make_table("", *numbers, right=numbers)
    for row in _whole_rows(before, after):
        table.add_row(*row)
    for row in _stage_rows(before, after):
        table.add_row(*row)
    parts: list[RenderableType] = [table]
    changed = list(_error_rows(before, after))
    if changed:
        errors = make_table("Failures", *numbers, right=numbers)
        for row in changed:
            errors.add_row(*row)
        parts += [Text(), errors]
    return Group(*parts)


_Row = tuple[str, str, str, Text]


def _whole_rows(before: RunFigures, after: RunFigures) -> Iterator[_Row]:
    yield _count_row("items", before.item_count, after.item_count)
    for status, more_is in (("completed", 1), ("failed", -1), ("skipped", 0)):
        yield _count_row(status, before.items[status], after.items[status], more_is)
    took = format_duration(before.elapsed_s), format_duration(after.elapsed_s)
    yield ("took", *took, _change(before.elapsed_s, after.elapsed_s, -1))
    rates = format_rate(before.rate), format_rate(after.rate)
    yield ("rate", *rates, _change(before.rate, after.rate, 1))


def _stage_rows(before: RunFigures, after: RunFigures) -> Iterator[_Row]:
    olds, news = ({stage.name: stage for stage in run.stages} for run in (before, after))
    for name in dict.fromkeys((*olds, *news)):
        yield from _one_stage(name, olds.get(name), news.get(name))


def _one_stage(name: str, old: StageFigures | None, new: StageFigures | None) -> Iterator[_Row]:
    if old is None or new is None:
        yield f"{name}: stage", "", "", Text("new" if old is None else "gone")
        return
    rates = format_rate(old.rate), format_rate(new.rate)
    yield (f"{name}: rate", *rates, _change(old.rate, new.rate, 1))
    for index, percentile in enumerate(PERCENTILES):
        times = [stage.durations_s[index] if stage.durations_s is not None else None for stage in (old, new)]
        words = [format_duration(time) if time is not None else _ABSENT for time in times]
        yield (f"{name}: p{percentile}", words[0], words[1], _change(times[0], times[1], -1))
    if old.failed or new.failed:
        yield _count_row(f"{name}: failed", old.failed, new.failed, -1)
    if old.retried or new.retried:
        yield _count_row(f"{name}: retried", old.retried, new.retried, -1)


def _error_rows(before: RunFigures, after: RunFigures) -> Iterator[_Row]:
    olds, news = (
        {(error.type_name, error.stage): error.count for error in run.errors} for run in (before, after)
    )
    for key in dict.fromkeys((*olds, *news)):
        yield _count_row(f"{key[0]} in {key[1]}", olds.get(key, 0), news.get(key, 0), -1)


def _count_row(name: str, old: int, new: int, more_is: int = 0) -> _Row:
    return name, format_count(old), format_count(new), _change(old, new, more_is)


def _change(old: float | None, new: float | None, more_is: int) -> Text:
    """A change in per cent; `more_is` says whether more is better (1), worse (-1), or neither."""
    if old is None or new is None or old == new:
        return Text("")
    if not old:
        return Text("new", style=_style(1.0, more_is))
    share = (new - old) / old
    return Text(_share_text(share), style=_style(share, more_is))


def _share_text(share: float) -> str:
    """A change in per cent; a large one as a factor."""
    if share >= _FACTOR_FROM:
        return f"× {1 + share:,.0f}"
    if abs(share) < _VISIBLE:
        return "≈"
    return f"{share:+.{int(abs(share) < 0.01)}%}".replace("-", "−")


def _style(share: float, more_is: int) -> str:
    if abs(share) < _NOTICEABLE or not more_is:
        return ""
    return "green" if share * more_is > 0 else "red"
