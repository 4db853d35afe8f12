"""The process that is recorded: how its program was called, and what can be known of its end."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from antflow_core.history.dictionaries import safe_text
from antflow_core.run_files.run_records import Outcome

_NO_SCRIPT: Final = ("", "-", "-c", "-m")


def program() -> tuple[str | None, tuple[str, ...]]:
    """The program of this process and its arguments; None for an interactive session or a command."""
    script, *arguments = getattr(sys, "argv", None) or [""]
    return (None if script in _NO_SCRIPT else script), tuple(arguments)


def folder_of(script: str | None, *, is_program: bool) -> str | None:
    """The working directory from which a script's path is meant; None where that has been deleted.

    Args:
        is_program: It is this process's own program, which may have changed the directory since its start.
    """
    folder = None
    with suppress(OSError):
        folder = str(Path.cwd())
    if script is None or not is_program or Path(folder or "", script).is_file():
        return folder
    # Python makes this path absolute before the program's first line.
    main = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    return main.removesuffix(script).rstrip(os.sep) or os.sep if main.endswith(os.sep + script) else folder


def call_at_exit(function: Callable[[], None]) -> Callable[[], None]:
    """Have something called when this process ends; gives what takes that back."""
    atexit.register(function)
    # A child of multiprocessing may end without atexit. What is not loaded here has not made this process.
    util = sys.modules.get("multiprocessing.util")
    finalizer = None if util is None else util.Finalize(None, function, exitpriority=0)

    def forget() -> None:
        atexit.unregister(function)
        if finalizer is not None:
            finalizer.cancel()

    return forget


def end_of_process() -> tuple[Outcome, str | None]:
    """What can be known of how this process ends while it does."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        return outcome_of(sys.exception())  # what its function raised is still under way
    if hasattr(sys, "ps1"):  # an interactive session, which no exception ends
        return Outcome.FINISHED, None
    # Set for every exception that nobody caught but SystemExit, which is forgotten before this is called.
    error = getattr(sys, "last_value", None)
    return (Outcome.ENDED, None) if error is None else outcome_of(error)


def outcome_of(error: BaseException | None) -> tuple[Outcome, str | None]:
    """What an exception that came out of what is recorded says of its end."""
    match error:
        case None | SystemExit(code=None | 0):
            return Outcome.FINISHED, None
        case asyncio.CancelledError() | KeyboardInterrupt() | GeneratorExit():
            return Outcome.STOPPED, None
        case SystemExit():
            return Outcome.FAILED, f"it exited with {error.code!r}"
    text = safe_text(error)
    return Outcome.FAILED, f"{type(error).__name__}: {text}" if text else type(error).__name__
