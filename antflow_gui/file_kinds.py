"""Which files are recorded runs, and which are scripts; no Qt is loaded here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

RECORDED_SUFFIXES: Final = (".antflow", ".jsonl")
"""Run files, and the exports of them that can be opened again."""
_CLOSED_EXPORTS: Final = (".csv", ".parquet", ".sqlite")
"""Exports that cannot be opened, as whoever opens recorded runs says; read as scripts they make no sense."""
_SCRIPT_SUFFIXES: Final = (".py", ".pyw")
_DATABASE_HEAD: Final = b"SQLite format 3\x00"


def is_recorded_run(path: Path) -> bool:
    """Whether a file is to be opened as a recorded run: by its name, or else by how it begins."""
    suffix = path.suffix.lower()
    if suffix in (*RECORDED_SUFFIXES, *_CLOSED_EXPORTS, *_SCRIPT_SUFFIXES):
        return suffix not in _SCRIPT_SUFFIXES
    try:
        with path.open("rb") as file:
            return file.read(len(_DATABASE_HEAD)) == _DATABASE_HEAD
    except OSError:
        return False
