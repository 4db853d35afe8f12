"""How soon the app is there, beside a bare window of the same libraries, and how soon the core is imported.

A window counts as visible when it has painted for the first time, from the start of its process on.
"""

from __future__ import annotations

import sys
import time
from functools import partial

from tests.bench.child import run_process
from tests.bench.in_app import a_home
from tests.bench.rounds import Table, at_most, interleave, read_options

ASYNCIO = "import asyncio"
PACKAGE = "import antflow_core"
PIPELINE = "from antflow_core import Pipeline, Stage, StatusTracker"


def window_seconds(kind: str) -> float:
    """From the start of a process until its window, ``app`` or ``bare``, has painted."""
    with a_home() as env:
        began = time.monotonic()
        painted = run_process([sys.executable, "-m", "tests.bench.first_window", kind], env=env)
        return float(painted) - began


def import_seconds(statement: str) -> float:
    """How long an import takes in a fresh interpreter."""
    code = f"import time; began = time.perf_counter(); {statement}; print(time.perf_counter() - began)"
    return float(run_process([sys.executable, "-c", code]))


def main() -> None:
    """Measure, and show."""
    options = read_options(__doc__, rounds=(9, 3), import_rounds=(21, 7))
    table = Table("Start: first window, first import", options.markdown)
    windows = interleave({kind: partial(window_seconds, kind) for kind in ("bare", "app")}, options.rounds)
    imports = interleave(
        {statement: partial(import_seconds, statement) for statement in (ASYNCIO, PACKAGE, PIPELINE)},
        options.import_rounds,
    )
    what = "window visible, beside a bare PySide6 + pyqtgraph window"
    table.add(what, windows.ratio("app", "bare"), "×", at_most(2.5))
    table.add(f"{PACKAGE}, beside {ASYNCIO}", imports.ratio(PACKAGE, ASYNCIO), "×", at_most(2))
    table.add(f"{PIPELINE}, beside {ASYNCIO}", imports.ratio(PIPELINE, ASYNCIO), "×")
    for kind in ("bare", "app"):
        table.add(f"{kind} window", windows.spread(kind).times(1e3), "ms")
    table.add(ASYNCIO, imports.spread(ASYNCIO).times(1e3), "ms")


if __name__ == "__main__":
    main()
