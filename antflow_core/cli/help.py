"""How the help of a command lists what it takes: each argument and option by its name, and in words.

typer would add Python's types, ``<list[str]>``, and notes such as ``[x>=1]``, in each of its versions others.
What a reader needs to know stands in the texts of the commands: what is meant, and what is the default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from antflow_core.cli.ending import with_exit_codes


class ReadableCommand(TyperCommand):
    """A command whose help is written for people."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands in the first line behind the name of the command."""
        pieces = [_usage(each) for each in self.get_params(ctx) if each.param_type_name == "argument"]
        return ["[OPTIONS]", *pieces]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options."""
        rows: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for each in self.get_params(ctx):
            rows[each.param_type_name].append((_name(each), getattr(each, "help", None) or ""))
        for kind, title in (("argument", "Arguments"), ("option", "Options")):
            if rows[kind]:
                with formatter.section(title):
                    formatter.write_dl(rows[kind])


def add_command(
    app: typer.Typer,
    function: Callable[..., None],
    short_help: str,
    text: str,
    cls: type[ReadableCommand] = ReadableCommand,
) -> None:
    """Add a command that reads recordings.

    Args:
        short_help: A line about it among the others.
        text: Its help; the exit codes come behind.
    """
    app.command(short_help=short_help, help=with_exit_codes(text), cls=cls)(function)


def _usage(argument: Any) -> str:
    name = argument.metavar if argument.required else f"[{argument.metavar}]"
    return f"{name}..." if argument.nargs != 1 else name


def _name(parameter: Any) -> str:
    """An argument by its name, an option as it is written, with the name of its value."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar)
    value = f" {parameter.metavar}" if parameter.metavar else ""
    return f"{', '.join(sorted(parameter.opts, key=len))}{value}"
