"""Recordings summed up in the terminal: show, errors, compare."""

from __future__ import annotations

from typing import Annotated

import typer

from antflow_core.cli.arguments import RunArgument, RunNumber, whole_number
from antflow_core.cli.ending import RefusalError, sentences
from antflow_core.cli.help import add_command
from antflow_core.standard_streams import tell

_MANY_RUNS = 10

_SHOW_HELP = """Sum a recording up: how it ended, stages, rates, percentiles, errors grouped.

Percentiles are of what the tasks of a stage took together for an item that completed it. A recording that is
still being written is summed up as far as it is.

\b
Examples:
    antflow-core show day.antflow
    antflow-core show day.antflow --run 2
"""

_ERRORS_HELP = """Tell what failed, grouped by type and stage, the largest group first, each with a traceback.

\b
Examples:
    antflow-core errors day.antflow
    antflow-core errors day.antflow --run 2
"""

_COMPARE_HELP = """Compare two recordings: counts, rates, percentiles and failures, and how they changed.

Compared are the first pipelines of both. Stages are matched by name. On a terminal what got better is green,
what got worse red, if it is more than 5 %.

\b
Examples:
    antflow-core compare monday.antflow tuesday.antflow
    antflow-core compare monday.antflow tuesday.antflow --run 2
    antflow-core compare both.antflow both.antflow --run 1 --run 2
"""


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    add_command(app, show, "Sum up how it ended, stages, rates and errors.", _SHOW_HELP)
    add_command(app, errors, "Tell what failed, grouped, with tracebacks.", _ERRORS_HELP)
    add_command(app, compare, "Compare two recordings.", _COMPARE_HELP)


def show(run: RunArgument, number: RunNumber = None) -> None:
    """Sum a recording up."""
    with sentences():
        # Late, here as below, so that --help does not wait for numpy and rich.
        from rich.text import Text

        from antflow_core.cli.opening import figures_of, opened
        from antflow_core.reports.recording import recording_report, run_list
        from antflow_core.reports.screen import show
        from antflow_core.reports.summary import run_report

        recording = opened(run)
        runs = figures_of(recording, number)
        show(recording_report(recording.path.name, recording.info, recording.remarks))
        if not runs:
            tell("No pipeline has run in it.")
        elif len(runs) > _MANY_RUNS:
            show(Text(), run_list(runs))
            tell(f"{len(runs):,} pipelines; --run N shows one with its stages and errors")
        else:
            for each in runs:
                show(Text(), run_report(each))


def errors(run: RunArgument, number: RunNumber = None) -> None:
    """Tell what failed."""
    with sentences():
        from rich.text import Text

        from antflow_core.cli.opening import figures_of, opened
        from antflow_core.reports.errors import error_report
        from antflow_core.reports.screen import show

        recording = opened(run)
        runs = figures_of(recording, number)
        faulty = [each for each in runs if each.errors]
        for place, each in enumerate(faulty):
            if len(recording.log.runs) > 1:
                show(*([Text()] if place else []), Text(f"Run {each.number}  {each.name}", style="bold"))
            show(error_report(each))
        if not faulty:
            tell("Nothing failed.")


def compare(
    before: Annotated[
        str, typer.Argument(metavar="BEFORE", help="A run file, or a .jsonl file exported from one.")
    ],
    after: Annotated[
        str, typer.Argument(metavar="AFTER", help="Another, whose figures are held against those.")
    ],
    numbers: Annotated[
        list[int] | None,
        typer.Option(
            "--run",
            metavar="N",
            parser=whole_number,
            help="The Nth pipeline of both (default: the first); given twice, of the one and of the other.",
        ),
    ] = None,
) -> None:
    """Compare two recordings."""
    with sentences():
        from rich.text import Text

        from antflow_core.cli.opening import figures_of, opened
        from antflow_core.reports.comparison import comparison
        from antflow_core.reports.screen import show

        if numbers is not None and len(numbers) > 2:
            raise RefusalError("--run is given once for both recordings, or twice, once for each")
        chosen = numbers or [1]
        recordings = [opened(before), opened(after)]
        both = [
            figures_of(recording, number)[0]
            for recording, number in zip(recordings, (chosen[0], chosen[-1]), strict=True)
        ]
        for word, recording, each in zip(("Before", "After"), recordings, both, strict=True):
            show(Text(f"{word:<7} {recording.path.name}, run {each.number}  {each.name}"))
        show(Text(), comparison(*both))
