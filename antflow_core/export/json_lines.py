"""A file of JSON lines that can be opened again: a header, a line an event, and what was noted beside them.

::

    {"format":"antflow events","version":[1,0],"events":120,…}     where it comes from, runs, stages
    {"row":0,"time":"2026-05-01T14:00:00.123456Z","item":17,…}      an event; so many as the header says
    {"snapshot":{"run":1,"time":…,"stats":[…]}}                     a run's counts at a moment
    {"value":{"item_number":0,"stage":0,"text":"…"}}                what was noted of an item's value
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from antflow_core.export.event_lines import JsonLines
from antflow_core.export.plain_values import json_text
from antflow_core.export.source import EventSource, RunDetails

FORMAT: Final = "antflow events"
MAJOR: Final = 1
MINOR: Final = 0


def write_json_lines(source: EventSource, path: Path, advance: Callable[[int], None]) -> None:
    """Write a file.

    Args:
        advance: Told the number of events after each part.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{json_text(header_of(source))}\n")
        lines = JsonLines(source, numbered=True)
        for rows, records in source.blocks():
            file.write("".join(lines.lines(rows, records)))
            advance(len(rows))
        file.writelines(f"{json_text(entry)}\n" for entry in _notings(source))


def header_of(source: EventSource) -> dict[str, Any]:
    """What there is to tell beside the events: where they come from, runs, stages."""
    details = {each.run: each for each in source.run_details()}
    return {
        "format": FORMAT,
        "version": [MAJOR, MINOR],
        "events": source.events,
        "info": asdict(source.info),
        "runs": [
            {
                "number": run.number,
                "name": run.name,
                "stages": run.stages,
                "started_at": run.started_at,
                "ended_at": run.ended_at,
                **_told(details.get(run.number)),
            }
            for run in source.runs
        ],
    }


def _told(details: RunDetails | None) -> dict[str, Any]:
    """What a pipeline told of itself, in the words of the run file."""
    if details is None:
        return {}
    told = {"details": details.stages, "stats": details.stats, "workers": details.workers}
    return {name: values for name, values in told.items() if values is not None}


def _notings(source: EventSource) -> Iterator[dict[str, Any]]:
    for run, time, stats in source.snapshots():
        yield {"snapshot": {"run": run, "time": time, "stats": stats}}
    for item, stage, text in source.values():
        yield {"value": {"item_number": item, "stage": stage, "text": text}}
