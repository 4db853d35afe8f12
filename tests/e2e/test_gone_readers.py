"""Both programs with a stdout that nobody reads, or that is full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripts import TWO_STAGES

PROGRAMS = (["antflow_core", "run", "orders.py"], ["antflow_gui", "orders.py", "--exit-when-done"])


@pytest.mark.parametrize("command", PROGRAMS)
@pytest.mark.parametrize("device", ["| true", "> /dev/full"])
def test_there_is_no_traceback_of_ours(tmp_path: Path, command: list[str], device: str) -> None:
    if command[0] == "antflow_gui":
        pytest.importorskip("PySide6")
    if not Path("/dev/full").exists():
        pytest.skip("there is no device here that is always full")
    (tmp_path / "orders.py").write_text(TWO_STAGES.replace("    print(", "    len("), encoding="utf-8")
    line = " ".join([sys.executable, "-m", *command, device])
    done = subprocess.run(
        line, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert ("completed 90, failed 10" in done.stderr) == (device == "> /dev/full")
