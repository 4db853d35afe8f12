"""The command ``antflow-core``; the only package that imports typer.

::

    command       the command itself, what it says of itself, and its version
    running       run: a script, in this process
    summing_up    show, errors, compare: recordings as a whole
    listing       events, item: recordings event by event
    taking_out    export and query: recordings for other programs
    arguments     what several commands take
    opening       recordings opened, with a bar where that takes long
    ending        faults as sentences, and exit codes
"""

from __future__ import annotations

import errno
import sys
from typing import Final

from antflow_core.cli.command import app
from antflow_core.cli.ending import tell_of_output
from antflow_core.cli.listing import add_to as add_listing
from antflow_core.cli.running import add_to as add_running
from antflow_core.cli.summing_up import add_to as add_summing_up
from antflow_core.cli.taking_out import add_to as add_taking_out

__all__ = ["main"]

_OUTPUT_FAULTS: Final = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
"""What `--help` meets, which typer writes without looking: a device that is full, or gone."""

# The order of the help.
add_running(app)
add_summing_up(app)
add_listing(app)
add_taking_out(app)


def main() -> None:
    """Run the command with the process's arguments and exit."""
    try:
        app(prog_name="antflow-core")
    except OSError as error:
        if error.errno not in _OUTPUT_FAULTS:
            raise
        sys.exit(tell_of_output(error))
