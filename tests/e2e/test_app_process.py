"""The real app as a process: what it prints, how it ends, what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from antflow_core import open_run
from tests.e2e.harms import HARMS
from tests.support.processes import Finished, run_app
from tests.support.scripts import NO_PIPELINE, RAISES, SYNTAX_ERROR, TWO_STAGES

pytest.importorskip("PySide6")


def _run(
    tmp_path: Path, text: str, *options: str, name: str = "orders.py", env: Mapping[str, str] | None = None
) -> Finished:
    script = tmp_path / name
    script.write_text(text, encoding="utf-8")
    return run_app("--run", str(script), "--exit-when-done", *options, cwd=tmp_path, env=env)


def test_a_run_ends_with_one_summary_line_and_exit_code_0(tmp_path: Path) -> None:
    done = _run(tmp_path, TWO_STAGES)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[:-1] == ["priced 90 orders"]
    assert lines[-1].startswith("completed 90, failed 10, skipped 0 in ")
    assert done.err == ""


def test_a_script_that_raises_ends_with_1_and_a_traceback_from_its_own_first_frame(tmp_path: Path) -> None:
    done = _run(tmp_path, RAISES)
    assert done.code == 1
    assert done.out.splitlines()[-1].startswith("completed 3, failed 0")
    frames = [line for line in done.err.splitlines() if line.lstrip().startswith("File ")]
    assert "orders.py" in frames[0]
    assert "LookupError: no such warehouse" in done.err


def test_a_script_that_exits_with_another_code_ends_with_1(tmp_path: Path) -> None:
    done = _run(tmp_path, TWO_STAGES + "    raise SystemExit(7)\n")
    assert done.code == 1
    assert "orders.py" in done.err and "7" in done.err
    assert "Traceback" not in done.err


def test_a_script_that_exits_with_0_is_done(tmp_path: Path) -> None:
    done = _run(tmp_path, TWO_STAGES + "    raise SystemExit(0)\n")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(("text", "code", "word"), HARMS)
def test_a_script_can_hurt_only_itself(tmp_path: Path, text: str, code: int, word: str) -> None:
    done = _run(tmp_path, text)
    assert done.code == code, done.err
    assert done.out.splitlines()[-1].startswith("completed 5, failed 0")
    assert word in done.err and "Traceback" not in done.err


@pytest.mark.parametrize(
    ("text", "part"),
    [(SYNTAX_ERROR, "line 1"), (NO_PIPELINE, "async def main()"), ("\0\1\2", "not a Python file")],
)
def test_nothing_to_run_ends_with_2_and_a_sentence_that_names_the_script(
    tmp_path: Path, text: str, part: str
) -> None:
    done = _run(tmp_path, text)
    assert (done.code, done.out) == (2, "")
    assert "orders.py" in done.err and part in done.err
    assert "Traceback" not in done.err


def test_a_recording_that_cannot_be_made_ends_with_2_before_the_script(tmp_path: Path) -> None:
    path = tmp_path / "run.antflow"
    path.write_text("precious")
    done = _run(tmp_path, "print('begun')\n" + TWO_STAGES, env={"ANTFLOW_RECORD": str(path)})
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"{path} exists already; choose another name, or a folder to get a new file in it, or delete it "
        "first (ANTFLOW_RECORD names it)\n"
    )
    assert path.read_text() == "precious"


def test_the_environment_has_the_app_record_a_script(tmp_path: Path) -> None:
    done = _run(tmp_path, TWO_STAGES, "--", "--limit", "5", env={"ANTFLOW_RECORD": "run.antflow"})
    assert (done.code, done.err) == (0, "")
    run = open_run(tmp_path / "run.antflow")
    assert (run.info.script_path, run.info.arguments) == (tmp_path / "orders.py", ("--limit", "5"))
    assert run.get_stats()["completed"] == 90


def test_a_missing_script_ends_with_2(tmp_path: Path) -> None:
    done = run_app("--run", str(tmp_path / "gone.py"), "--exit-when-done", cwd=tmp_path)
    assert done.code == 2
    assert "gone.py" in done.err


def test_bad_usage_ends_with_2(tmp_path: Path) -> None:
    done = run_app("--no-such-option", cwd=tmp_path)
    assert done.code == 2
    assert "--no-such-option" in done.err


def test_help_teaches_and_version_tells(tmp_path: Path) -> None:
    assert "Exit codes" in run_app("--help", cwd=tmp_path).out
    assert run_app("--version", cwd=tmp_path).out.startswith("antflow-gui ")


def test_the_screenshot_shows_the_whole_window(tmp_path: Path) -> None:
    done = _run(tmp_path, TWO_STAGES, "--screenshot", "window.png")
    assert done.code == 0
    from PySide6.QtGui import QImage

    picture = QImage(str(tmp_path / "window.png"))
    assert picture.width() >= 1280 and picture.height() >= 800
    colours = {
        picture.pixel(x, y) for x in range(0, picture.width(), 7) for y in range(0, picture.height(), 7)
    }
    assert len(colours) > 20


def test_the_example_runs_on_the_real_standard_library(tmp_path: Path) -> None:
    done = run_app("--example", "--exit-when-done", "--limit", "300", cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].startswith("completed ")


@pytest.mark.parametrize("display", ["", ":4711"])
def test_without_a_display_that_answers_it_says_so_and_stays_offscreen(tmp_path: Path, display: str) -> None:
    (tmp_path / "orders.py").write_text(TWO_STAGES, encoding="utf-8")
    nowhere = {"DISPLAY": display, "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""}
    done = run_app("orders.py", "--exit-when-done", cwd=tmp_path, env=nowhere)
    assert done.code == 0
    assert "display" in done.err and "offscreen" in done.err
    refused = run_app("orders.py", cwd=tmp_path, env=nowhere)
    assert refused.code == 2
    assert "--exit-when-done" in refused.err
