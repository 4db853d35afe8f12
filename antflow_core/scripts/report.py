"""Writes a script's traceback as its author wants it: from the script's own first frame, without ours."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from traceback import FrameSummary, StackSummary, TracebackException, walk_tb

import antflow_core
from antflow_core.exceptions import AntFlowError
from antflow_core.scripts.source import absolute_script_path

_OURS = str(Path(antflow_core.__file__).parent)
_ASYNCIO = str(Path(asyncio.__file__).parent)


def script_traceback(error: BaseException, path: str | os.PathLike[str]) -> str:
    """The formatted traceback of what a script raised, with causes and groups.

    Frames above the script's first are left out, and those of `antflow_core` between the script's too. Below
    them they stay, unless `antflow_core` raises the error on purpose: then the message says enough.
    An error whose class makes that impossible is named by its class.
    """
    try:
        return _formatted(error, path)
    except Exception:  # noqa: BLE001 - a class of the script's may raise anything, at any attribute
        return f"{type(error).__name__}: <its traceback cannot be shown>\n"


def _formatted(error: BaseException, path: str | os.PathLike[str]) -> str:
    report = TracebackException.from_exception(error)
    _trim(report, error, str(absolute_script_path(path)), set())
    return "".join(report.format())


def script_line(error: BaseException, path: str | os.PathLike[str]) -> int | None:
    """The line of the script's innermost frame in an error's traceback; None where it has none."""
    script = str(absolute_script_path(path))
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == script]
    return lines[-1] if lines else None


def _trim(
    report: TracebackException | None, error: BaseException | None, script: str, seen: set[int]
) -> None:
    if report is None or error is None or id(report) in seen:
        return
    seen.add(id(report))
    report.stack = StackSummary.from_list(
        _helpful(report.stack, script, on_purpose=isinstance(error, AntFlowError))
    )
    _trim(report.__cause__, error.__cause__, script, seen)
    _trim(report.__context__, error.__context__, script, seen)
    if isinstance(error, BaseExceptionGroup):
        for inner_report, inner_error in zip(report.exceptions or [], error.exceptions, strict=False):
            _trim(inner_report, inner_error, script, seen)


def _helpful(frames: Iterable[FrameSummary], script: str, *, on_purpose: bool) -> list[FrameSummary]:
    frames = list(frames)
    first = next((index for index, frame in enumerate(frames) if frame.filename == script), None)
    if first is None:
        return [frame for frame in frames if not _lies_in(frame, _OURS) and not _lies_in(frame, _ASYNCIO)]
    frames = frames[first:]
    last_foreign = max(index for index, frame in enumerate(frames) if not _lies_in(frame, _OURS))
    inside = [frame for frame in frames[: last_foreign + 1] if not _lies_in(frame, _OURS)]
    return inside if on_purpose else [*inside, *frames[last_foreign + 1 :]]


def _lies_in(frame: FrameSummary, folder: str) -> bool:
    return frame.filename.startswith(folder + os.sep)
