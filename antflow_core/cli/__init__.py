"""The command ``antflow-core``; the only package that imports typer.

::

    command       the command itself, what it says of itself, and its version
    running       run: a script, in this process
    looking       show, events, item, errors, compare: recordings in the terminal
    taking_out    export and query: recordings for other programs
    arguments     what several commands take
    opening       recordings opened, with a bar where that takes long
    ending        faults as sentences, and exit codes
"""

from __future__ import annotations

from antflow_core.cli import looking, running, taking_out
from antflow_core.cli.command import app

__all__ = ["main"]

# The order of the help.
running.add_to(app)
looking.add_to(app)
taking_out.add_to(app)


def main() -> None:
    """Run the command with the process's arguments and exit."""
    app(prog_name="antflow-core")
