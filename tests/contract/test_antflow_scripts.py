"""Scripts written for AntFlow print what the real AntFlow 0.10 printed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from tests.support.processes import run_python

DATA = Path(__file__).parent / "data"
SCRIPTS = pytest.mark.parametrize("name", ["executor_script", "pipeline_script"])


def real_version() -> str | None:
    try:
        return importlib.metadata.version("antflow")
    except importlib.metadata.PackageNotFoundError:
        return None


def printed(name: str) -> str:
    """What the real one printed."""
    return (DATA / f"{name}.txt").read_text(encoding="utf-8")


@SCRIPTS
def test_a_script_prints_what_it_printed_with_the_real_one(name: str, tmp_path: Path) -> None:
    done = run_python("-m", "antflow_core", "run", str(DATA / f"{name}.py"), cwd=tmp_path)
    assert done.err == ""
    assert done.out.startswith(printed(name))
    assert done.out.removeprefix(printed(name)).startswith("completed ")


@pytest.mark.skipif(real_version() != "0.10.0", reason="AntFlow 0.10.0 is not installed")
@SCRIPTS
def test_the_real_one_still_prints_it(name: str, tmp_path: Path) -> None:
    done = run_python(str(DATA / f"{name}.py"), cwd=tmp_path)
    assert done.out == printed(name)
