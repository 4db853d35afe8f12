"""The suite's own loops: the engine's tests run on every kind, and the kinds are what they are called."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.loops import RunOnLoop, loop_of

PACKAGES = {"asyncio": "asyncio", "debug": "asyncio", "uvloop": "uvloop", "qt": "antflow_gui"}

tried = Counter[str]()


def kind_of(loop: asyncio.AbstractEventLoop) -> tuple[str, bool]:
    """The package that a loop comes from, and whether it is in debug mode."""
    return type(loop).__module__.partition(".")[0], loop.get_debug()


async def running_kind() -> tuple[str, bool]:
    return kind_of(asyncio.get_running_loop())


async def test_an_async_test_runs_on_the_loop_in_its_id(request: pytest.FixtureRequest) -> None:
    name = loop_of(request.node)
    assert name is not None
    assert await running_kind() == (PACKAGES[name], name == "debug")


def test_a_plain_test_makes_the_loops_in_its_id(
    request: pytest.FixtureRequest, run_alone: RunOnLoop[Any]
) -> None:
    name = loop_of(request.node)
    assert name is not None
    assert run_alone(running_kind()) == (PACKAGES[name], name == "debug")


def test_what_is_left_in_a_loop_of_its_own_fails_a_test_too(run_alone: RunOnLoop[None]) -> None:
    kept: list[object] = []

    async def leave_task() -> None:
        kept.append(asyncio.create_task(asyncio.Event().wait()))

    with pytest.raises(AssertionError, match="Tasks are left"):
        run_alone(leave_task())


@settings(max_examples=40)
@given(st.integers())
def test_fewer_examples_are_tried_on_the_further_loops(
    request: pytest.FixtureRequest, new_loop: Any, number: int
) -> None:
    name = str(loop_of(request.node))
    tried[name] += 1
    assert tried[name] <= (40 if name == "asyncio" else 15)
