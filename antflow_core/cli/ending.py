"""How a command ends: faults become a sentence on stderr and an exit code; a reader that has gone is none."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from antflow_core.exceptions import FileIsThereError, QueryError, RunFileError
from antflow_core.standard_streams import discard_the_rest, finish_out, tell

UNFINISHED = 1
BAD_REQUEST = 2
_SIGNALLED = 128
"""What shells add to the number of the signal that ended a program."""
INTERRUPTED = _SIGNALLED + 2
"""Ctrl+C."""

HOW_TO_REPLACE = "pass --overwrite to replace it"

_EXIT_CODES = """
\b
Exit codes: 0 done; 1 the output could not be written;
2 bad usage, bad query or bad file; 130 Ctrl+C.
"""


class RefusalError(Exception):
    """A request that cannot be fulfilled, in a sentence."""


def with_exit_codes(text: str) -> str:
    """The help of a command that reads recordings, with the exit codes of all these commands."""
    return text + _EXIT_CODES


@contextmanager
def sentences(query: str = "", *, target: str = "The output") -> Iterator[None]:
    """Turn what goes wrong in the body into sentences and exit codes.

    Args:
        query: What a `QueryError` is about.
        target: What is written, for the case that it cannot be.

    Raises:
        typer.Exit: With a code other than 0, unless the reader of the output has gone.
    """
    try:
        yield
        if sys.stdout is not None and not sys.stdout.closed:
            finish_out()
    except BrokenPipeError:  # `| head` has read all it wanted
        discard_the_rest()
    except QueryError as error:
        _tell_of_query(error, query)
        raise typer.Exit(BAD_REQUEST) from None
    except FileIsThereError as error:
        _end(str(error.with_remedy(HOW_TO_REPLACE)), BAD_REQUEST)
    except (RunFileError, RefusalError) as error:
        _end(str(error), BAD_REQUEST)
    except OSError as error:
        raise typer.Exit(tell_of_output(error, target)) from None
    except KeyboardInterrupt:
        discard_the_rest()
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Leave the body by an exception where the process is told to end, so that no unfinished file stays."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # Under nohup one of them is ignored, and stays so.
    heeded = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in heeded:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, _: object) -> NoReturn:
    raise SystemExit(_SIGNALLED + number)


def tell_of_output(error: OSError, target: str = "The output") -> int:
    """Say that something cannot be written; gives the exit code."""
    discard_the_rest()
    tell(f"{target} cannot be written: {error.strerror or error}")
    return UNFINISHED


def _end(sentence: str, code: int) -> NoReturn:
    tell(sentence)
    raise typer.Exit(code) from None


def _tell_of_query(error: QueryError, query: str) -> None:
    """The sentence with the place; on a terminal the query with the faulty part marked below it."""
    if not error.end:  # it has no place
        tell(f"Faulty query: {error}")
        return
    before, line = _line_at(query, error.position)
    if sys.stderr is None or not sys.stderr.isatty():
        number = query.count("\n", 0, error.position) + 1
        row = f"line {number}, " if "\n" in query else ""
        tell(f"Faulty query, {row}character {len(before) + 1}: {error}")
        return
    from rich.cells import cell_len  # late, as all of rich: --help needs none of it

    marked = query[error.position : error.end].partition("\n")[0]
    tell(f"Faulty query: {error}")
    tell(f"  {line}\n  {' ' * cell_len(before)}{'^' * max(1, cell_len(marked))}")


def _line_at(query: str, position: int) -> tuple[str, str]:
    """Of a query of several lines what stands before a position in its line, and that line."""
    begin = query.rfind("\n", 0, position) + 1
    line = query[begin:].partition("\n")[0]
    return query[begin:position], line
