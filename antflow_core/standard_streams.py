"""A program's own lines on stdout and stderr: a reader that has gone away is no reason for a traceback."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def tell(text: str) -> None:
    """Write a line to stderr, where there is one that takes it."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # its reader has gone, or a script has closed it
            print(text, file=sys.stderr, flush=True)


def put_out(text: str) -> None:
    """Write a line to stdout; to stderr where stdout is closed or its device is full."""
    if sys.stdout is None:
        return
    try:
        print(text, flush=True)
    except ValueError:  # a script has closed it
        tell(text)
    except OSError as error:
        _discard_the_rest()
        if not isinstance(error, BrokenPipeError):  # `| head` has read all it wanted
            tell(text)


def _discard_the_rest() -> None:
    """Python flushes stdout once more when it exits, and would complain again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
