"""What several commands take: the recording, the number of a run, a format, texts that begin with a minus."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

_TEXT: Final = re.compile(r"-(\d|[^-].)", re.DOTALL)
"""A minus that begins no option: those have two of them, or one and a single letter."""

RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run file, or a .jsonl file exported from one.", show_default=False),
]

RunNumber = Annotated[
    int | None,
    typer.Option(
        "--run", metavar="N", min=1, help="Only the Nth pipeline of the recording.", show_default=False
    ),
]


class MinusCommand(TyperCommand):
    """A command whose last argument may begin with a minus, as a query `-status:queued` or the item -3."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put such texts behind the options."""
        texts = [each for each in args if _TEXT.match(each)]
        if texts and "--" not in args:
            args = [*(each for each in args if each not in texts), "--", *texts]
        return super().parse_args(ctx, args)


class Format(StrEnum):
    """What ``--format`` may be."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("--format", help="A table for people, or lines for programs.")]
