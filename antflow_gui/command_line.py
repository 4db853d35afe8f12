"""The app's arguments: ours wherever they stand, the rest for the script; no Qt is loaded here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from antflow_core.exceptions import AntFlowError
from antflow_gui.file_kinds import is_recorded_run

USAGE = (
    "antflow-gui [SCRIPT [ARGS...] | RECORDED_RUN] [--run] [--example] [--screenshot FILE] [--exit-when-done]"
)

HELP = f"""\
Usage: {USAGE}

Open a pipeline script in the desktop app, run it, watch each stage, inspect what happened.

  SCRIPT               a Python file with `async def main()`, or with a module-level Pipeline
  ARGS...              given to the script as sys.argv[1:]
  RECORDED_RUN         a run file (.antflow), finished or still being written, or an export of one (.jsonl)

Options, before or after SCRIPT; after a lone `--` everything belongs to the script:
  --run                run it at once
  --example            open the bundled example
  --screenshot FILE    write the whole window to FILE (.png or .jpg) after its last refresh
  --exit-when-done     run it, print one summary line, and end; a recorded run is read to its end
  --version            print the version and end
  -h, --help           print this and end

Exit codes with --exit-when-done: 0 done, failed items or not; 1 the script raised or exited
with another code than 0; 2 there was nothing to run, or the recorded run cannot be opened;
130 it was interrupted.

Examples:
  antflow-gui --example --run
  antflow-gui orders.py --run -- --limit 500
  antflow-gui orders.py --exit-when-done --screenshot orders.png
  antflow-gui orders-20260501-140231.antflow
"""

_FLAGS = {
    "--run": "run",
    "--example": "example",
    "--exit-when-done": "exit_when_done",
    "--version": "version",
    "--help": "help",
    "-h": "help",
}
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


class UsageError(AntFlowError):
    """The command line cannot be understood; the message says what would be right."""


@dataclass(slots=True)
class Options:
    """What the command line asks for.

    Attributes:
        script: The script to open; None for the welcome page.
        args: What the script gets as `sys.argv[1:]`.
        recorded: The recorded run to open; there is no script then.
    """

    script: Path | None = None
    recorded: Path | None = None
    args: tuple[str, ...] = ()
    run: bool = False
    example: bool = False
    screenshot: Path | None = None
    exit_when_done: bool = False
    version: bool = False
    help: bool = False


def parse_command_line(argv: Sequence[str]) -> Options:
    """Read the arguments after the program's name.

    Raises:
        UsageError: An unknown option stands before the script, a value is missing or unusable,
            or there is nothing to run where something must run.
    """
    options = Options()
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        name, _, value = word.partition("=")
        if word == "--":
            rest.extend(words)
        elif name == "--screenshot":
            options.screenshot = _picture_path(value or next(words, ""))
        elif word in _FLAGS:
            setattr(options, _FLAGS[word], True)
        elif word.startswith("-") and word != "-" and not rest and not options.example:
            raise UsageError(f"unknown option {word}; usage: {USAGE}")
        else:
            rest.append(word)
    if options.help or options.version:
        return options
    _take_script(options, rest)
    return options


def _take_script(options: Options, rest: list[str]) -> None:
    if not options.example and rest and is_recorded_run(Path(rest[0])):
        _take_recorded(options, rest)
        return
    if not options.example and rest:
        options.script = Path(rest.pop(0))
    options.args = tuple(rest)
    if options.exit_when_done:
        options.run = True
    if options.run and options.script is None and not options.example:
        raise UsageError(f"there is nothing to run: name a script, or add --example; usage: {USAGE}")


def _take_recorded(options: Options, rest: list[str]) -> None:
    options.recorded = Path(rest[0])
    if rest[1:]:
        raise UsageError(f"{rest[0]} is a recorded run and takes no arguments, got {rest[1]}; usage: {USAGE}")
    if options.run:
        raise UsageError(f"{rest[0]} is no script and cannot be run; open it without --run")


def _picture_path(text: str) -> Path:
    if not text:
        raise UsageError("--screenshot needs a file name, as in --screenshot window.png")
    path = Path(text)
    if path.suffix.lower() not in _PICTURE_SUFFIXES:
        raise UsageError(f"--screenshot {text}: the name must end in .png or .jpg")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--screenshot {text}: there is no folder {path.absolute().parent}")
    return path
