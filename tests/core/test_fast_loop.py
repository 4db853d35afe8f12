"""The fast loop: installed for the whole process, quietly, or not at all."""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path

import pytest

from antflow_core.fast_loop import install_fast_loop
from tests.support.processes import run_python

FAST = "winloop" if sys.platform == "win32" else "uvloop"

INSTALL = """
import asyncio
from antflow_core.fast_loop import install_fast_loop

async def kind():
    return type(asyncio.get_running_loop()).__module__

print(install_fast_loop(), asyncio.run(kind()))
"""


def test_asyncio_run_uses_the_fast_loop_once_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip(FAST)
    ended = run_python("-W", "error", "-c", INSTALL, cwd=tmp_path)
    assert (ended.out.split(), ended.err) == (["True", FAST], "")


def test_the_deprecation_of_policies_is_not_the_callers_business(tmp_path: Path) -> None:
    """Python 3.14 warns of both; here they are made to warn on every version."""
    pytest.importorskip(FAST)
    code = f"""
import asyncio, warnings
import {FAST}

real_set, real_policy = asyncio.set_event_loop_policy, {FAST}.EventLoopPolicy

def set_policy(policy):
    warnings.warn("'asyncio.set_event_loop_policy' is deprecated", DeprecationWarning, stacklevel=2)
    real_set(policy)

def make_policy():
    warnings.warn("'asyncio.AbstractEventLoopPolicy' is deprecated", DeprecationWarning, stacklevel=2)
    return real_policy()

asyncio.set_event_loop_policy, {FAST}.EventLoopPolicy = set_policy, make_policy
{INSTALL}
"""
    ended = run_python("-W", "error", "-c", code, cwd=tmp_path)
    assert (ended.out.split(), ended.err) == (["True", FAST], "")


def test_one_that_this_python_cannot_load_is_as_good_as_none(tmp_path: Path) -> None:
    """One that was made for an older asyncio looks for what is there no more."""
    (tmp_path / f"{FAST}.py").write_text("import asyncio\nasyncio.no_such_policy\n", encoding="utf-8")
    ended = run_python("-W", "error", "-c", INSTALL, cwd=tmp_path)
    assert (ended.out.split()[0], ended.err) == ("False", "")


def test_where_it_is_not_installed_everything_stays_as_it_is(tmp_path: Path) -> None:
    code = f"import sys; sys.modules[{FAST!r}] = None\n{INSTALL}"
    ended = run_python("-W", "error", "-c", code, cwd=tmp_path)
    done, module = ended.out.split()
    assert (done, module.partition(".")[0], ended.err) == ("False", "asyncio", "")


def test_where_python_has_no_policies_everything_stays_as_it_is(tmp_path: Path) -> None:
    """As from Python 3.16 on."""
    code = f"""
import asyncio
if hasattr(asyncio, "set_event_loop_policy"):
    del asyncio.set_event_loop_policy
{INSTALL}
"""
    ended = run_python("-W", "error", "-c", code, cwd=tmp_path)
    done, module = ended.out.split()
    assert (done, module.partition(".")[0], ended.err) == ("False", "asyncio", "")


async def test_inside_a_loop_it_changes_nothing() -> None:
    """The loop could start no processes any more, and the app's own would be another's."""
    before = importlib.import_module("asyncio.events")._event_loop_policy
    assert install_fast_loop() is False
    assert importlib.import_module("asyncio.events")._event_loop_policy is before
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print()", stdout=-3)
    assert await process.wait() == 0
