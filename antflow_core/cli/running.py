"""``antflow-core run``: a script in this process, with or without a dashboard, recorded if asked."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from antflow_core.cli.arguments import OVERWRITE_OPTION, RECORD_OPTION, ScriptCommand, one_of
from antflow_core.cli.ending import BAD_REQUEST, HOW_TO_REPLACE, INTERRUPTED
from antflow_core.engine.recordings import RECORD_VARIABLE
from antflow_core.exceptions import FileIsThereError
from antflow_core.standard_streams import put_out, tell

if TYPE_CHECKING:
    from antflow_core.link.inproc import InProcessRun
    from antflow_core.link.protocol import RunOutcome, RunSource

_HELP = """Run a pipeline script and print a summary line.

A script is any Python file with an `async def main()`, or with a module-level Pipeline and `items` or
`get_items()`. In it, `import antflow` gives antflow_core. What stands after SCRIPT is the script's, in
sys.argv, except `--record FILE` and `--overwrite` beside it. Behind a lone `--`, as in
`run -- orders.py --record x`, these are the script's too.

\b
Examples:
    antflow-core run orders.py
    antflow-core run --dashboard detailed orders.py --limit 100
    antflow-core run orders.py --record orders.antflow
    antflow-core run orders.py --record runs/ --limit 100

A recording can be looked at while it is written, from another terminal: `antflow-core show FILE`.

\b
Ctrl+C finishes the items in hand and stops; a second one cancels at once.
Exit codes: 0 done, whether or not items failed; 1 the script raised or
exited with another code; 2 there was nothing to run, or nothing to record
into; 130 stopped with Ctrl+C.
"""


class Dashboard(StrEnum):
    """What ``--dashboard`` may be."""

    COMPACT = "compact"
    DETAILED = "detailed"
    FULL = "full"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        short_help="Run a pipeline script.",
        help=_HELP,
        cls=ScriptCommand,
        context_settings={"allow_interspersed_args": False},
    )(run)


def run(
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="The Python file to run.")],
    args: Annotated[
        list[str] | None, typer.Argument(metavar="ARGS", help="What the script gets in sys.argv.")
    ] = None,
    dashboard: Annotated[
        Dashboard | None,
        typer.Option(
            "--dashboard",
            metavar="|".join(Dashboard),
            parser=one_of(Dashboard),
            help="Show the pipelines in the terminal while they run.",
        ),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(
            RECORD_OPTION,
            metavar="FILE",
            envvar=RECORD_VARIABLE,
            help="Record the run into FILE; if that is a folder, into a new file in it, named after script "
            f"and time. {RECORD_VARIABLE}=FILE in the environment does the same.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(OVERWRITE_OPTION, help="Replace FILE if it is there.")] = False,
) -> None:
    """Run a script; never returns normally."""
    try:
        source, interrupted = asyncio.run(_run(script, args or [], dashboard, record, overwrite=overwrite))
    except KeyboardInterrupt:  # the third Ctrl+C, where no code of the script was there to be broken into
        raise typer.Exit(INTERRUPTED) from None
    if record is not None:
        _tell_where(source, record)
    raise typer.Exit(_report(source, interrupted=interrupted))


async def _run(
    script: str, args: list[str], dashboard: Dashboard | None, record: str | None, *, overwrite: bool
) -> tuple[InProcessRun, bool]:
    """The run when it is over, and whether Ctrl+C was pressed."""
    # Late, so that --help and --version do not wait for the engine.
    if dashboard is None:
        from antflow_core.link.inproc import InProcessRun

        source = InProcessRun(script, args, record=record, overwrite=overwrite)
    else:
        from antflow_core.link.terminal import ShownRun

        source = ShownRun(script, args, kind=dashboard.value, record=record, overwrite=overwrite)
    with _interruptible(source) as presses:
        await source.run()
    return source, bool(presses)


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


def _tell_where(source: InProcessRun, record: str) -> None:
    """Name the file where somebody asked for a folder, and there was something to record."""
    recording, outcome = source.recording, source.outcome
    if recording is None or recording.fault is not None or recording.path == Path(record).absolute():
        return
    if len(source.log) or (outcome is not None and outcome.exit_code != BAD_REQUEST):
        tell(f"Recorded into {recording.path}")


def _report(source: InProcessRun, *, interrupted: bool) -> int:
    """Say how it went: faults on stderr, the summary line last and on stdout; gives the exit code."""
    outcome = source.outcome
    assert outcome is not None
    if outcome.traceback is not None and not interrupted:
        tell(outcome.traceback.rstrip("\n"))
    elif outcome.message is not None and not isinstance(outcome.error, KeyboardInterrupt):
        tell(_sentence(outcome, is_of_option=source.recording is None))
    if outcome.exit_code == BAD_REQUEST:
        return BAD_REQUEST
    put_out(outcome.summary_line())
    return INTERRUPTED if interrupted else outcome.exit_code


def _sentence(outcome: RunOutcome, *, is_of_option: bool) -> str:
    """What the outcome says, with the option where the library would name an argument.

    Args:
        is_of_option: What could not be made was the file of the option, and not one that the environment
            names beside it.
    """
    if outcome.exit_code == BAD_REQUEST and isinstance(outcome.error, FileIsThereError) and is_of_option:
        return str(outcome.error.with_remedy(HOW_TO_REPLACE))
    return outcome.message or ""
