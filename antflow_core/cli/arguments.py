"""What several commands take: the recording, numbers, a format, texts that begin with a minus."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, Final, TypeVar

import typer

from antflow_core.cli.help import ReadableCommand

_TEXT: Final = re.compile(r"-(\d|[^-].|-\s)", re.DOTALL)
"""A minus that begins no option: those have two of them and a name, or one and a single letter."""

RECORD_OPTION: Final = "--record"
OVERWRITE_OPTION: Final = "--overwrite"

Choice = TypeVar("Choice", bound=StrEnum)


def whole_number(text: str) -> int:
    """The value of an option that counts from 1.

    Raises:
        typer.BadParameter: It is none.
    """
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise typer.BadParameter(f"'{text}' is not a whole number from 1 on")
    return number


def one_of(choices: type[Choice]) -> Callable[[str], Choice]:
    """Reads the value of an option that takes one of a few words."""

    def read(text: str) -> Choice:
        if text not in [*choices]:
            raise typer.BadParameter(f"'{text}' is none of {', '.join(choices)}")
        return choices(text)

    return read


RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run file, or a .jsonl file exported from one.")
]

RunNumber = Annotated[
    int | None,
    typer.Option("--run", metavar="N", parser=whole_number, help="Only the Nth pipeline of the recording."),
]


class ScriptCommand(ReadableCommand):
    """A command with a script, whose arguments begin after it, save for what says where to record."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put what says where to record before the script; behind a lone ``--`` all is left as it is."""
        recording: list[str] = []
        others: list[str] = []
        behind: list[str] = []
        words = iter(args)
        for word in words:
            if word == "--":
                behind = [word, *words]
            elif word == RECORD_OPTION:
                value = [*islice(words, 1)]
                if not value:
                    ctx.fail(f"Option '{word}' requires an argument.")
                recording += [word, *value]
            elif word.startswith(f"{RECORD_OPTION}="):
                recording.append(word)
            else:
                others.append(word)
        if recording and OVERWRITE_OPTION in others:  # else it is a word like any other
            others.remove(OVERWRITE_OPTION)
            recording.append(OVERWRITE_OPTION)
        return super().parse_args(ctx, recording + others + behind)


class MinusCommand(ReadableCommand):
    """A command whose last argument may begin with a minus, as `-status:queued`, -3, or a comment in SQL."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the options before all that is none, which stays in its order; such a text is not the first."""
        if "--" not in args and any(map(_TEXT.match, args)):
            options, texts = self._parted(args)
            first = next((each for each in texts if not _TEXT.match(each)), texts[0])
            texts.remove(first)
            args = [*options, "--", first, *texts]
        return super().parse_args(ctx, args)

    def _parted(self, args: list[str]) -> tuple[list[str], list[str]]:
        """The options with their values, and the rest."""
        with_value = {
            name for each in self.params if not getattr(each, "is_flag", True) for name in each.opts
        }
        options: list[str] = []
        texts: list[str] = []
        words = iter(args)
        for word in words:
            if _TEXT.match(word) or not word.startswith("-"):
                texts.append(word)
            else:
                options.append(word)
                options += islice(words, int(word in with_value))
        return options, texts


class Format(StrEnum):
    """What ``--format`` may be."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        metavar="|".join(Format),
        parser=one_of(Format),
        help="A table for people (the default), or lines for programs.",
    ),
]
