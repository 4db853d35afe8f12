"""The command itself: its subcommands, what it says of itself, and its version."""

from __future__ import annotations

import errno
import sys
from typing import Annotated, Final

import typer

from antflow_core._version import __version__
from antflow_core.cli.ending import tell_of_output
from antflow_core.cli.listing import add_to as add_listing
from antflow_core.cli.running import add_to as add_running
from antflow_core.cli.summing_up import add_to as add_summing_up
from antflow_core.cli.taking_out import add_to as add_taking_out

_OUTPUT_FAULTS: Final = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
"""What `--help` meets, which typer writes without looking: a device that is full, or gone."""

_HELP = """Run asyncio pipelines without a window, and look at what was recorded of them.

\b
Example: save this as squares.py
    from antflow import Pipeline, Stage
    async def square(x):
        return x * x
    pipeline = Pipeline([Stage("Square", workers=3, tasks=[square])])
    items = range(10)
and run it:
    antflow-core run squares.py
    completed 10, failed 0, skipped 0 in 0.0 s

\b
Record it, and look at the recording, then or while it runs:
    antflow-core run squares.py --record squares.antflow
    antflow-core show squares.antflow
    antflow-core events squares.antflow "status:failed last:5m"
    antflow-core export squares.antflow squares.csv

\b
`antflow-core COMMAND --help` explains each command with examples.
Exit codes of all: 0 done; 1 it could not be finished; 2 it could not be done
as asked; 130 Ctrl+C.
"""

app = typer.Typer(
    name="antflow-core",
    help=_HELP,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"antflow-core {__version__}")
        raise typer.Exit


@app.callback()
def _command(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Hold what comes before the subcommand."""


# The order of the help.
add_running(app)
add_summing_up(app)
add_listing(app)
add_taking_out(app)


def run_command() -> None:
    """Run it with the process's arguments and exit."""
    try:
        app(prog_name="antflow-core")
    except OSError as error:
        if error.errno not in _OUTPUT_FAULTS:
            raise
        sys.exit(tell_of_output(error))
