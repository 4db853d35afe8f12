"""A program's own lines on stdout and stderr: a reader that has gone away is no reason for a traceback."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TextIO


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
        discard_the_rest()
        if not isinstance(error, BrokenPipeError):  # `| head` has read all it wanted
            tell(text)


def write_out(text: str) -> None:
    """Write text to stdout as UTF-8, whatever the terminal's encoding: it is data for another program.

    Raises:
        BrokenPipeError: Its reader has gone.
        OSError: It is closed, or its device is full.
    """
    _open_stdout().buffer.write(text.encode("utf-8", "replace"))


def finish_out() -> None:
    """See that all that was written has arrived.

    Raises:
        OSError: It has not, see `write_out`.
    """
    _open_stdout().flush()


def discard_the_rest() -> None:
    """Python flushes stdout once more when it exits, and would complain again."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_stdout() -> TextIO:
    if sys.stdout is None or sys.stdout.closed:
        raise OSError(errno.EBADF, "there is no standard output")
    return sys.stdout
