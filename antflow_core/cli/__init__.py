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

from antflow_core.cli.command import app
from antflow_core.cli.looking import add_to as add_looking
from antflow_core.cli.running import add_to as add_running
from antflow_core.cli.taking_out import add_to as add_taking_out

__all__ = ["main"]

# The order of the help.
add_running(app)
add_looking(app)
add_taking_out(app)


def main() -> None:
    """Run the command with the process's arguments and exit."""
    app(prog_name="antflow-core")
