"""Runs the app and the command as users do: as processes, with captured output and a limit on their time."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended.

    Attributes:
        code: Its exit code; negative, the signal that killed it.
        out: What it wrote to stdout.
        err: What it wrote to stderr.
    """

    code: int
    out: str
    err: str


def run_app(
    *args: str, cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
) -> Finished:
    """Run `antflow-gui` to its end; skips the test where Qt is not installed."""
    _need_qt()
    return run_python("-m", "antflow_gui", *args, cwd=cwd, env=env, timeout_s=timeout_s)


def run_command(
    *args: str, cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
) -> Finished:
    """Run `antflow-core` to its end."""
    return run_python("-m", "antflow_core", *args, cwd=cwd, env=env, timeout_s=timeout_s)


def run_python(
    *args: str, cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
) -> Finished:
    """Run the interpreter of the tests to its end, with nothing on stdin."""
    with start_python(*args, cwd=cwd, env=env) as process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"{' '.join(args)} did not end in {timeout_s} s\nstdout: {out}\nstderr: {err}")
    return Finished(process.returncode, out, err)


@contextmanager
def start_app(*args: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Start `antflow-gui` and kill it at the end; skips the test where Qt is not installed."""
    _need_qt()
    with start_python("-m", "antflow_gui", *args, cwd=cwd, env=env) as process:
        yield process


@contextmanager
def start_python(
    *args: str, cwd: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start the interpreter of the tests and kill it at the end."""
    with subprocess.Popen(
        [sys.executable, *args],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": _import_path(), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _import_path() -> str:
    """The folder the tests import the packages from, so that a process elsewhere finds the same ones."""
    spec = importlib.util.find_spec("antflow_core")
    assert spec is not None and spec.submodule_search_locations is not None
    return str(Path(next(iter(spec.submodule_search_locations))).parent)


def _need_qt() -> None:
    if importlib.util.find_spec("PySide6") is None:
        pytest.skip("PySide6 is not installed")
