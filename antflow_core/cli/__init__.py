"""The command ``antflow-core``; the only package that imports typer.

::

    command       the command itself, its subcommands, what it says of itself, and its version
    running       run: a script, in this process
    summing_up    show, errors, compare: recordings as a whole
    listing       events, item: recordings event by event
    taking_out    export and query: recordings for other programs
    arguments     what several commands take
    help          how the help of a command lists what it takes
    opening       recordings opened, with a bar where that takes long
    ending        faults as sentences, and exit codes
"""

from __future__ import annotations

import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Run the command with the process's arguments and exit."""
    try:
        # Late, because loading it takes a moment in which Ctrl+C may be pressed too.
        from antflow_core.cli.command import run_command

        run_command()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
