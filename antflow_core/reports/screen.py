"""Where reports go: a terminal with its width and colours, or plain lines of any length for a pipe."""

from __future__ import annotations

import sys
from typing import Final

from rich.console import Console
from rich.table import Table

_ANY_WIDTH: Final = 10_000
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


def make_screen() -> Console:
    """The standard output as it is: what is cut or wrapped for a terminal is whole in a pipe."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return Console(
        width=None if is_terminal else _ANY_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
        no_color=None if is_terminal else True,
    )


def make_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An open table, its headings as wide as what stands below; those in `right` hold numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="ellipsis")
    return table


def one_line(text: str) -> str:
    """A text without line breaks, as a cell needs it."""
    return " ".join(text.split())
