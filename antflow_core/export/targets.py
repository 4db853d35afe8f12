"""Exporting: the events of a source into a file, whole or not at all, in the format of its suffix."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from antflow_core.exceptions import FileIsThereError, RunFileError
from antflow_core.export.event_lines import CsvLines
from antflow_core.export.json_lines import write_json_lines
from antflow_core.export.optional import need
from antflow_core.export.source import EventSource

SUFFIXES: Final = (".csv", ".jsonl", ".parquet", ".sqlite")

Advance = Callable[[int], None]
"""Told the number of events after each part."""


def export(
    source: EventSource,
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    advance: Advance = lambda _: None,
) -> None:
    """Write all events into a file; nothing is left of one that could not be finished.

    Args:
        target: The file; its suffix, one of `SUFFIXES`, says the format.
        overwrite: Replace a file that is there.
        advance: Told the number of events after each part.

    Raises:
        RunFileError: The target cannot be made, or the source not be read; the sentence says why.
        OSError: The target cannot be written to, as on a full disk.
    """
    path = Path(target).absolute()
    check_target(path, overwrite=overwrite)
    write = _writer(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(source, unfinished, advance)
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def check_target(target: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """See whether `export` could begin to write a file.

    Raises:
        RunFileError: It could not.
    """
    path = Path(target).absolute()
    if path.is_dir():
        raise RunFileError(f"{path} is a folder; name a file in it", path)
    if path.suffix.lower() not in SUFFIXES:
        known = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise RunFileError(f"The format of {path.name} is not known: its name must end in {known}", path)
    if not path.parent.is_dir():
        raise RunFileError(f"There is no folder {path.parent} to put {path.name} into; create it first", path)
    if os.path.lexists(path) and not overwrite:
        raise FileIsThereError(path, "choose another name")


def _writer(path: Path) -> Callable[[EventSource, Path, Advance], None]:
    """What writes the format of a file, by its suffix."""
    match path.suffix.lower():
        case ".parquet":
            need("pyarrow", "Parquet files", "parquet", path)
            # Late, as below: each of these is loaded only where it is used.
            from antflow_core.export.parquet import write_parquet

            return write_parquet
        case ".sqlite":
            from antflow_core.export.sqlite import write_sqlite

            return write_sqlite
        case ".jsonl":
            return write_json_lines
    return _write_csv


def _write_csv(source: EventSource, path: Path, advance: Advance) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(CsvLines.head)
        lines = CsvLines(source)
        for rows, records in source.blocks():
            file.write("".join(lines.lines(rows, records)))
            advance(len(rows))
