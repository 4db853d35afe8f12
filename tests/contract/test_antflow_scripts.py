"""A script written for AntFlow's executor prints what the real AntFlow 0.10 printed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from tests.support.processes import run_python

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "data" / "executor_script.py"

PRINTED = """\
-- submitting
a future: True 0
not yet: False None
its result: 49 49 True
keywords: given
a lambda: 9
a failure: ValueError(no 1) ValueError('no 1') True
too late: TimeoutError False
and then: late
same class: True
-- mapping
map: [0, 1, 4, 9, 16, 25]
two iterables: ['a', 'b']
nothing: [] []
map_iter: [0, 1, 4, 9]
a failure: ValueError(no 8)
each in time: [None, None, None, None, None, None, None, None]
too late: TimeoutError
first: 0
-- retrying
third time: 3 3
never: ConnectionError(call 3) 3
no retries: ConnectionError(call 1)
map: [4]
-- limiting
limited: 190 2
-- waiting
in order of ends: [0, 0.15, 0.3]
first completed: [0] [1]
first exception: [1] ValueError('no 2')
all: 1 0 (set(), set())
all, too late: TimeoutError
some, too late: 0 1
before the deadline: 2
-- ending
a task's own: CancelledError(own) CancelledError('own')
a task's own: KeyboardInterrupt(own) KeyboardInterrupt('own')
a task's own: SystemExit(own) SystemExit('own')
a task's own: GeneratorExit(own) GeneratorExit('own')
the worker lives: 9
afterwards: ExecutorShutdownError: Cannot submit tasks to a shutdown executor
nor this: ExecutorShutdownError(Cannot use map on a shutdown executor)
cancelled: ['0', 'ExecutorShutdownError(Executor shutdown)', 'ExecutorShutdownError(Executor shutdown)']
waited for: [True, True, True]
no workers: ValueError: max_workers must be at least 1
its kind: True
left by an error: [True, True, True]
"""


def real_version() -> str | None:
    try:
        return importlib.metadata.version("antflow")
    except importlib.metadata.PackageNotFoundError:
        return None


def test_the_script_prints_what_it_printed_with_the_real_one(tmp_path: Path) -> None:
    done = run_python("-m", "antflow_core", "run", str(SCRIPT), cwd=tmp_path)
    assert done.err == ""
    assert done.out.startswith(PRINTED)
    assert done.out.removeprefix(PRINTED).startswith("completed 0, failed 0, skipped 0 in ")


@pytest.mark.skipif(real_version() != "0.10.0", reason="AntFlow 0.10.0 is not installed")
def test_the_real_one_still_prints_it(tmp_path: Path) -> None:
    done = run_python(str(SCRIPT), cwd=tmp_path)
    assert done.out == PRINTED
