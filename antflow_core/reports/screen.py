"""Where reports go: a terminal with its width and colours, or plain lines of any length for a pipe."""

from __future__ import annotations

import io
import re
import sys
from typing import Final

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from antflow_core.standard_streams import finish_out

_ANY_WIDTH: Final = 1_000_000
_NARROW: Final = 100
COLUMN_GAP: Final = 2
"""Cells between two columns of a table."""
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
STATUS_STYLES: Final = {
    "completed": "green",
    "failed": "red",
    "fail": "red",
    "retrying": "yellow",
    "retry": "yellow",
    "skipped": "magenta",
    "in_progress": "blue",
    "start": "blue",
}


def show(*parts: RenderableType) -> None:
    """Write reports to the standard output: what is cut for a terminal is whole in a pipe.

    Raises:
        OSError: It is closed, full, or its reader has gone.
    """
    finish_out()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # ids, names and errors may hold what its encoding does not
    if sys.stdout.isatty():
        console = Console(highlight=False, markup=False, emoji=False)
        for part in parts:
            console.print(part, crop=False)
    else:
        sys.stdout.write(plain_text(*parts))
    finish_out()


def plain_text(*parts: RenderableType, width: int = _ANY_WIDTH) -> str:
    """Reports as plain lines."""
    target = io.StringIO()
    console = Console(
        file=target,
        width=width,
        color_system=None,
        force_terminal=False,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part)
    # Not by a regular expression, which would try each space of a wide column's padding anew.
    return "\n".join(line.rstrip(" \t") for line in target.getvalue().split("\n"))


def room() -> int:
    """How long a line may be: the width of the terminal; in a pipe there is no limit."""
    return Console().width if sys.stdout is not None and sys.stdout.isatty() else _ANY_WIDTH


def fits(table: Table) -> bool:
    """Whether a table can be shown without a cell being cut."""
    return Console(width=_ANY_WIDTH).measure(table).maximum <= room()


def is_narrow() -> bool:
    """Whether reports go to a terminal that has no room for all columns of a table of events."""
    return room() < _NARROW


def make_table(*columns: str, right: tuple[str, ...] = (), cut: tuple[str, ...] = ()) -> Table:
    """An open table, its headings as wide as what stands below.

    Args:
        right: Columns of numbers.
        cut: Columns to be cut where a terminal is not wide enough, one row a line all the same; their cells
            are made by `cell`. If none is, all of them are.
    """
    table = Table(box=None, padding=(0, COLUMN_GAP, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        add_column(table, column, right=column in right, cut=column in cut)
    return table


def add_column(table: Table, name: str, *, right: bool = False, cut: bool = False) -> None:
    """Add a column to a table of `make_table`."""
    table.add_column(
        name,
        justify="right" if right else "left",
        overflow="ellipsis",
        no_wrap=not cut,
    )


def cell(text: str, style: str = "") -> Text:
    """A text in one line, however long, that ends in an ellipsis where it is cut."""
    return Text(one_line(text), style=style, no_wrap=True, overflow="ellipsis")


def one_line(text: str) -> str:
    """A text without line breaks, as a cell needs it."""
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """A text without what would move the cursor, change colours or end the output; line breaks stay."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))
