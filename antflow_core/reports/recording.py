"""A recording as a whole: what was run, where, when, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from antflow_core.history.figures import RunFigures
from antflow_core.reports.screen import cell, make_table, one_line
from antflow_core.run_files.run_records import Outcome, RunInfo
from antflow_core.units import format_count, format_duration, format_rate

_STYLES = {
    Outcome.FINISHED: "green",
    Outcome.ENDED: "",
    Outcome.RECORDING: "blue",
    Outcome.STOPPED: "yellow",
}


def recording_report(name: str, info: RunInfo, remarks: Sequence[str]) -> RenderableType:
    """What was run and how it ended, then what should be known before trusting the numbers.

    Args:
        name: What to call it where there was no script.
    """
    title = Text(one_line(" ".join((info.script or name, *info.arguments))), style="bold")
    title.append("  ").append(info.outcome.value, style=_STYLES.get(info.outcome, "red"))
    started = datetime.fromtimestamp(info.started_at).astimezone()
    took = "" if info.ended_at is None else f", {format_duration(max(info.ended_at - info.started_at, 0.0))}"
    folder = "" if info.folder is None else f"in {info.folder}, "
    where = f"{folder}on {info.host}, {info.system}, Python {info.python}, AntFlow Desk {info.antflow}"
    parts: list[RenderableType] = [title, Text(f"{started:%Y-%m-%d %H:%M:%S}{took}, {one_line(where)}")]
    if info.message is not None and info.outcome is not Outcome.CUT_SHORT:  # a remark says that one
        parts.append(Text(one_line(info.message), style="red"))
    parts += [Text(remark, style="yellow") for remark in remarks]
    return Group(*parts)


def run_list(runs: Sequence[RunFigures]) -> RenderableType:
    """A line a run, for recordings of many."""
    numbers = ("Run", "Took", "Items", "Completed", "Failed", "Rate")
    table = make_table(
        "Run",
        "Started",
        "Took",
        "Items",
        "Completed",
        "Failed",
        "Rate",
        "Stages",
        right=numbers,
        cut=("Stages",),
    )
    for run in runs:
        started = datetime.fromtimestamp(run.started_at).astimezone()
        failed = run.items["failed"]
        table.add_row(
            str(run.number),
            f"{started:%H:%M:%S}",
            format_duration(run.elapsed_s),
            format_count(run.item_count),
            format_count(run.items["completed"]),
            Text(format_count(failed), style="red" if failed else ""),
            format_rate(run.rate),
            cell(run.name),
        )
    return table
