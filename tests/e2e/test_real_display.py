"""The app on the platform that users have: an X server, though nobody looks at it."""

from __future__ import annotations

from pathlib import Path

from tests.support.processes import run_app
from tests.support.scripts import TWO_STAGES


def test_a_run_on_an_x_display_ends_well_and_leaves_a_picture(
    tmp_path: Path, x_environment: dict[str, str]
) -> None:
    (tmp_path / "orders.py").write_text(TWO_STAGES, encoding="utf-8")
    options = ("--run", "orders.py", "--exit-when-done", "--screenshot", "window.png")
    done = run_app(*options, cwd=tmp_path, env=x_environment)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].startswith("completed 90, failed 10, skipped 0 in ")
    assert done.err == ""
    assert (tmp_path / "window.png").stat().st_size > 5_000
