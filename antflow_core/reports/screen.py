"""Where reports go: a terminal with its width and colours, or plain lines of any length for a pipe."""

from __future__ import annotations

import io
import re
import sys
from typing import Final

from rich.console import Console, RenderableType
from rich.table import Table

from antflow_core.standard_streams import finish_out

_ANY_WIDTH: Final = 1_000_000
_PADDING: Final = re.compile(r"[ \t]+$", re.MULTILINE)
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
    return _PADDING.sub("", target.getvalue())


def make_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An open table, its headings as wide as what stands below; those in `right` hold numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column, justify="right" if column in right else "left", overflow="ellipsis", no_wrap=True
        )
    return table


def one_line(text: str) -> str:
    """A text without line breaks, as a cell needs it."""
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """A text without what would move the cursor, change colours or end the output; line breaks stay."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))
