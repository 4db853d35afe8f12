"""The place of a run file: the name that was asked for, or one in a folder that is free."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from antflow_core.exceptions import RunFileError
from antflow_core.export.targets import SUFFIXES
from antflow_core.run_files.database import SUFFIX
from antflow_core.run_files.run_records import RunInfo
from antflow_core.run_files.writer import RunFileWriter

_NAME_TRIES: Final = 1_000
_SCRIPTS: Final = (".py", ".pyw")
_SEPARATORS: Final = tuple(separator for separator in (os.sep, os.altsep) if separator)


def make_writer(path: str | os.PathLike[str], info: RunInfo, *, overwrite: bool) -> RunFileWriter:
    """Begin a run file; in a folder, one that is named after script and time.

    Raises:
        RunFileError: It cannot be made there, or is not to be called so.
    """
    place, is_folder = Path(path).absolute(), False
    with suppress(OSError):  # who may not look there will be told that nothing is written there
        is_folder = place.is_dir()
    if not is_folder:
        if os.fspath(path).endswith(_SEPARATORS):
            raise RunFileError(f"There is no folder {place} to record into; create it first", place)
        _check_name(place)
        return RunFileWriter(place, info, overwrite=overwrite)
    name = f"{_name(info.script)}-{datetime.fromtimestamp(info.started_at).astimezone():%Y%m%d-%H%M%S}"
    for number in range(1, _NAME_TRIES):
        file = place / (f"{name}{SUFFIX}" if number == 1 else f"{name}-{number}{SUFFIX}")
        if not os.path.lexists(file):
            with suppress(RunFileError):  # another process was quicker
                return RunFileWriter(file, info)
    raise RunFileError(f"{place} has {_NAME_TRIES:,} files named {name}; record into another folder", place)


def _check_name(path: Path) -> None:
    """Make sure that a run file is not taken for something else by its name."""
    suffix = path.suffix.lower()
    if suffix not in (*SUFFIXES, *_SCRIPTS):
        return
    remedy = f"record into {path.with_suffix(SUFFIX).name}"
    if suffix in SUFFIXES:
        remedy += f", and `antflow-core export` makes a {suffix} file of that"
    raise RunFileError(f"A recording is a run file and cannot be called {path.name}; {remedy}", path)


def _name(script: str | None) -> str:
    """What a file is called after."""
    if script is None:
        return "session"
    path = Path(script)
    return path.absolute().parent.name if path.stem == "__main__" else path.stem
