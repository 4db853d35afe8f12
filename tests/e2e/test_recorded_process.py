"""Recording from the app and looking at it again, each with the real app as a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from antflow_core.recorded_run import open_run
from antflow_core.run_files.run_records import Outcome
from tests.support.processes import run_app, run_command
from tests.support.scripts import RAISES

pytest.importorskip("PySide6")


def _settings(home: Path, *lines: str) -> dict[str, str]:
    """An environment whose app has these settings."""
    folder = home / "config" / "antflow-desk"
    folder.mkdir(parents=True)
    (folder / "antflow-desk.conf").write_text("\n".join(["[General]", *lines]) + "\n", encoding="utf-8")
    return {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE")}


def test_a_run_of_the_example_is_recorded_and_opened_again(tmp_path: Path) -> None:
    env = _settings(tmp_path, "record=true")
    done = run_app("--example", "--exit-when-done", "--limit", "200", cwd=tmp_path, env=env)
    assert done.code == 0, done.err
    (path,) = (tmp_path / "data" / "antflow-desk" / "runs").iterdir()
    assert path.name.startswith("stdlib_sources-")
    run = open_run(path)
    assert run.info.outcome is Outcome.FINISHED and run.info.arguments == ("--limit", "200")

    shown = run_app(str(path), "--exit-when-done", "--screenshot", "window.png", cwd=tmp_path, env=env)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.rpartition(" in ")[0] == done.out.splitlines()[-1].rpartition(" in ")[0]
    from PySide6.QtGui import QImage

    assert QImage(str(tmp_path / "window.png")).width() >= 1280


def test_an_export_is_opened_too_and_a_failed_run_tells_why(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(RAISES, encoding="utf-8")
    assert run_command("run", "--record", "orders.antflow", "orders.py", cwd=tmp_path).code == 1
    assert run_command("export", "orders.antflow", "orders.jsonl", cwd=tmp_path).code == 0
    done = run_app("orders.jsonl", "--exit-when-done", cwd=tmp_path)
    assert done.code == 0
    assert done.out.startswith("completed 3, failed 0, skipped 0 in ")
    assert "LookupError: no such warehouse" in done.err and "Traceback" not in done.err


def test_an_export_for_other_programs_is_neither_opened_nor_taken_for_a_script(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(RAISES, encoding="utf-8")
    run_command("run", "--record", "orders.antflow", "orders.py", cwd=tmp_path)
    run_command("export", "orders.antflow", "orders.csv", cwd=tmp_path)
    done = run_app("orders.csv", "--exit-when-done", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1 and "only .jsonl files can be opened again" in done.err


def test_what_cannot_be_opened_ends_with_2_and_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.antflow").write_text("no run file", encoding="utf-8")
    done = run_app("notes.antflow", "--exit-when-done", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1 and "notes.antflow" in done.err
