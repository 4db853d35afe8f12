"""What several commands take: the recording, the number of a run, a limit, a format."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

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


class Format(StrEnum):
    """What ``--format`` may be."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("--format", help="A table for people, or lines for programs.")]
