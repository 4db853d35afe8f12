"""Which files are opened as recorded runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from antflow_gui.file_kinds import is_recorded_run


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("run.antflow", b"", True),
        ("RUN.ANTFLOW", b"", True),
        ("events.jsonl", b"", True),
        ("events.CSV", b"row,time", True),
        ("events.parquet", b"PAR1", True),
        ("events.sqlite", b"", True),
        ("orders.py", b"SQLite format 3\x00", False),
        ("copy", b"SQLite format 3\x00 and more", True),
        ("orders", b"import antflow", False),
    ],
)
def test_a_file_is_known_by_its_name_or_by_how_it_begins(
    tmp_path: Path, name: str, content: bytes, expected: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    assert is_recorded_run(tmp_path / name) is expected


def test_a_file_that_is_not_there_is_known_by_its_name(tmp_path: Path) -> None:
    assert is_recorded_run(tmp_path / "gone.antflow")
    assert not is_recorded_run(tmp_path / "gone")
