"""The command ``antflow-core``; the only module that imports typer."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from antflow_core._version import __version__
from antflow_core.standard_streams import put_out, tell

if TYPE_CHECKING:
    from antflow_core.link.protocol import RunOutcome, RunSource

INTERRUPTED = 130
"""What shells give for a program that Ctrl+C ended: 128 + SIGINT."""

_HELP = """Run asyncio pipelines without a window.

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
"""

_RUN_HELP = """Run a pipeline script and print a summary line.

A script is any Python file with an `async def main()`, or with a module-level Pipeline and `items` or
`get_items()`. In it, `import antflow` gives antflow_core. Options for this command stand before SCRIPT;
everything after SCRIPT is the script's, in sys.argv.

\b
Examples:
    antflow-core run orders.py
    antflow-core run --dashboard detailed orders.py --limit 100
    antflow-core run --record runs/ orders.py

\b
Ctrl+C finishes the items in hand and stops; a second one cancels at once.
Exit codes: 0 done, whether or not items failed; 1 the script raised or exited with another code;
2 there was nothing to run, or the file to record into exists; 130 stopped with Ctrl+C.
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


class Dashboard(StrEnum):
    """What ``--dashboard`` may be."""

    COMPACT = "compact"
    DETAILED = "detailed"
    FULL = "full"


def main() -> None:
    """Run the command with the process's arguments and exit."""
    app(prog_name="antflow-core")


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


@app.command(help=_RUN_HELP, context_settings={"allow_interspersed_args": False})
def run(
    script: Annotated[
        str, typer.Argument(metavar="SCRIPT", help="The Python file to run.", show_default=False)
    ],
    args: Annotated[
        list[str] | None, typer.Argument(metavar="ARGS", help="Arguments for the script.", show_default=False)
    ] = None,
    dashboard: Annotated[
        Dashboard | None,
        typer.Option(help="Show the pipelines in the terminal while they run.", show_default=False),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Record the run into FILE; in a folder, into a file named after script and time.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a script; never returns normally."""
    try:
        outcome, interrupted = asyncio.run(_run(script, args or [], dashboard, record))
    except KeyboardInterrupt:  # the third Ctrl+C, where no code of the script was there to be broken into
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(_report(outcome, interrupted=interrupted))


async def _run(
    script: str, args: list[str], dashboard: Dashboard | None, record: str | None
) -> tuple[RunOutcome, bool]:
    """The outcome, and whether Ctrl+C was pressed."""
    # Late, so that --help and --version do not wait for the engine.
    if dashboard is None:
        from antflow_core.link.inproc import InProcessRun

        source = InProcessRun(script, args, record=record)
    else:
        from antflow_core.link.terminal import ShownRun

        source = ShownRun(script, args, kind=dashboard.value, record=record)
    with _interruptible(source) as presses:
        outcome = await source.run()
    return outcome, bool(presses)


@contextmanager
def _interruptible(source: RunSource) -> Iterator[list[int]]:
    """Ctrl+C stops, again cancels, a third time breaks into code that holds the loop; gives the presses."""
    loop = asyncio.get_running_loop()
    presses: list[int] = []

    def interrupt(number: int, _: object) -> None:
        presses.append(number)
        if len(presses) == 1:
            tell("Stopping when the items in hand are done; press Ctrl+C again to cancel them")
            loop.call_soon_threadsafe(source.stop)
        elif len(presses) == 2:
            tell("Cancelling; press Ctrl+C once more to break into code that does not let go")
            loop.call_soon_threadsafe(source.cancel)
        else:
            raise KeyboardInterrupt

    # Not loop.add_signal_handler: it waits for the loop, which the script may block, and Windows has none.
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own handler would print a traceback of ours


def _report(outcome: RunOutcome, *, interrupted: bool) -> int:
    """Say how it went: faults on stderr, the summary line last and on stdout; gives the exit code."""
    if outcome.traceback is not None and not interrupted:
        tell(outcome.traceback.rstrip("\n"))
    elif outcome.message is not None and not isinstance(outcome.error, KeyboardInterrupt):
        tell(outcome.message)
    if outcome.exit_code == 2:
        return 2
    put_out(outcome.summary_line())
    return INTERRUPTED if interrupted else outcome.exit_code
