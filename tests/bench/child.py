"""Child: calls one function of a benchmark in a process of its own, and hands back what it returns."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_LONGEST_S = 300
_MOST_SHOWN = 2_000


class ChildError(Exception):
    """The process failed or did not end; the message ends with what it wrote on stderr."""


def in_child(function: Callable[..., Any], *arguments: Any, env: Mapping[str, str] | None = None) -> Any:
    """Call a function in a fresh process, where no other contestant has left anything on the heap.

    Args:
        function: One at the top of a benchmark's module.
        *arguments: What JSON can carry.
        env: Variables besides those of this process.

    Returns:
        What it returned, as JSON carries it.

    Raises:
        ChildError: The process failed.
    """
    name = f"{_module_of(function)}:{function.__qualname__}"
    command = [sys.executable, "-m", "tests.bench.child", name, json.dumps(arguments)]
    outcome = run_process(command, env=env)
    return json.loads(outcome.rpartition("\n")[2])


def run_process(command: list[str], *, env: Mapping[str, str] | None = None) -> str:
    """Run a command in the project's folder, and give what it printed.

    Raises:
        ChildError: It ended with another code than 0, or not within five minutes.
    """
    variables = {**os.environ, **(env or {})}
    try:
        done = subprocess.run(
            command, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=_LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ChildError(f"{' '.join(command)} did not end within {_LONGEST_S} s") from error
    if done.returncode:
        raise ChildError(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-_MOST_SHOWN:].strip()}"
        )
    return done.stdout.strip()


def _module_of(function: Callable[..., Any]) -> str:
    """The module's name, also where it is the one that was started."""
    if function.__module__ != "__main__":
        return function.__module__
    spec = sys.modules["__main__"].__spec__
    assert spec is not None, "a benchmark is started with: python -m tests.bench.NAME"
    return spec.name


def main() -> None:
    """Do what the command line says: a function, and its arguments as JSON."""
    module, _, name = sys.argv[1].partition(":")
    result = getattr(importlib.import_module(module), name)(*json.loads(sys.argv[2]))
    print(f"\n{json.dumps(result)}")


if __name__ == "__main__":
    main()
