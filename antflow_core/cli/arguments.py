"""What several commands take: the recording, the number of a run, a format, texts that begin with a minus."""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import islice
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


class ScriptCommand(TyperCommand):
    """A command whose own options stand before or after SCRIPT; what else comes then is the script's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the own options first, those left as they are that follow a lone ``--``."""
        valued, flags = _option_names(self, valued=True), _option_names(self, valued=False)
        own: list[str] = []
        others: list[str] = []
        words = iter(args)
        for word in words:
            name, has_value, _ = word.partition("=")
            if word == "--":
                others += [*words] if others else [word, *words]
            elif name in valued and not has_value:
                value = next(words, None)
                own += [
                    word,
                    value if value is not None else ctx.fail(f"Option '{word}' requires an argument."),
                ]
            elif name in valued or word in flags:
                own.append(word)
            else:
                others.append(word)
        return super().parse_args(ctx, own + others)


class MinusCommand(TyperCommand):
    """A command whose last argument may begin with a minus, as a query `-status:queued` or the item -3."""

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
        with_value = _option_names(self, valued=True)
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


def _option_names(command: TyperCommand, *, valued: bool) -> set[str]:
    """The names of a command's options that take a value, or of those that take none."""
    wanted = (each for each in command.params if getattr(each, "is_flag", None) is not valued)
    return {name for each in wanted if hasattr(each, "is_flag") for name in each.opts}


class Format(StrEnum):
    """What ``--format`` may be."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("--format", help="A table for people, or lines for programs.")]
