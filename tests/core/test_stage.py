"""Stage: what its validation accepts and how it says what is wrong."""

from __future__ import annotations

import functools
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any
from unittest.mock import AsyncMock

import numpy as np
import pytest

from antflow_core import Pipeline, PipelineError, Stage, StageValidationError
from antflow_core.stage import task_name


async def fetch(value: Any) -> Any:
    return value


class Parser:
    async def __call__(self, value: Any) -> Any:
        return value


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"workers": 0}, "Stage 'A' must have at least 1 worker, got 0"),
        ({"workers": "five"}, "workers must be a whole number, got 'five'"),
        ({"tasks": []}, "must have at least one task"),
        ({"tasks": [5]}, "tasks must be functions, got 5"),
        ({"tasks": fetch}, "tasks must be a list of functions"),
        ({"name": ""}, "non-empty"),
        ({"retry": "sometimes"}, "Invalid retry policy for stage 'A': 'sometimes'"),
        ({"task_attempts": 0}, "task_attempts must be at least 1, got 0"),
        ({"stage_attempts": 0}, "stage_attempts must be at least 1, got 0"),
        ({"task_wait_seconds": -1}, "task_wait_seconds must not be negative, got -1"),
        ({"retry_on": ValueError}, "retry_on must be a tuple of exception classes"),
        ({"retry_on": ("ValueError",)}, "retry_on must be a tuple of exception classes"),
        ({"pull": True, "retry": "per_stage"}, "per_stage"),
        ({"task_concurrency_limits": {"load": 1}}, r"unknown task\(s\) \['load'\]; it has \['fetch'\]"),
        ({"task_concurrency_limits": {"fetch": 0}}, "must be at least 1, got 0"),
        ({"task_concurrency_limits": 3}, "Stage 'A' task_concurrency_limits must be a dict .*, got 3"),
        ({"task_wait_seconds": float("nan")}, "Stage 'A' task_wait_seconds must be a number, got nan"),
        ({"queue_capacity": -1}, "queue_capacity must be 0"),
        ({"call_concurrency": 0}, "call_concurrency must be at least 1"),
        ({"call_rate": 0}, "call_rate must be at least 1"),
        ({"call_rate": 5, "call_rate_period": 0}, "call_rate_period must be more than 0"),
        ({"timeout": 0}, "timeout must be more than 0"),
        ({"timeout": "1s"}, "timeout must be a number, got '1s'"),
        ({"on_success": "log"}, "on_success must be a function or None, got 'log'"),
        ({"executor": 4}, r"executor must be a concurrent\.futures\.Executor, got 4"),
    ],
)
def test_a_fault_is_named_with_stage_field_and_value(fields: dict[str, Any], part: str) -> None:
    stage = Stage(**{"name": "A", "workers": 1, "tasks": [fetch], **fields})
    with pytest.raises(StageValidationError, match=part):
        stage.validate()
    with pytest.raises(StageValidationError, match=part):
        Pipeline([stage])


def test_a_coroutine_object_is_answered_with_what_to_pass() -> None:
    stage = Stage("Load", 1, [fetch(1)])  # type: ignore[list-item]
    with pytest.raises(
        StageValidationError, match=r"'Load' got a coroutine object; pass the function: tasks=\[fetch\]"
    ):
        stage.validate()


def test_an_async_generator_is_no_task() -> None:
    async def pages(value: int) -> Any:
        yield value

    with pytest.raises(StageValidationError, match="'pages' yields"):
        Stage("A", 1, [pages]).validate()


def test_a_task_for_processes_must_pickle() -> None:
    with ProcessPoolExecutor(1) as processes, ThreadPoolExecutor(1) as threads:
        with pytest.raises(StageValidationError, match="'<lambda>' cannot go to another process"):
            Stage("A", 1, [lambda value: value], executor=processes).validate()
        Stage("A", 1, [fetch], executor=processes).validate()
        Stage("A", 1, [lambda value: value], executor=threads).validate()


def test_a_stage_accepts_anything_until_it_is_judged() -> None:
    stage = Stage("A", 0, [])
    with pytest.raises(StageValidationError):
        stage.validate()
    stage.workers, stage.tasks = 2, [fetch]
    assert Pipeline([stage]).get_worker_names() == {"A": ["A-W0", "A-W1"]}


def test_a_pipeline_needs_a_stage() -> None:
    with pytest.raises(PipelineError, match="must have at least one stage"):
        Pipeline([])


def test_two_stages_of_one_name_are_refused() -> None:
    with pytest.raises(StageValidationError, match=r"Duplicate stage name\(s\): \['A'\]"):
        Pipeline([Stage("A", 1, [fetch]), Stage("A", 1, [fetch])])


def test_the_first_stage_cannot_pull() -> None:
    with pytest.raises(PipelineError, match="first stage"):
        Pipeline([Stage("A", 1, [fetch], pull=True)])


@pytest.mark.parametrize(
    ("stages", "part"),
    [
        (None, "at least one stage"),
        ([], "at least one stage"),
        (Stage("A", 1, [fetch]), "stages must be a list of Stage, got one Stage: put it into a list"),
        (5, "stages must be a list of Stage, got 5"),
        ([fetch], "stages must be a list of Stage, got <function fetch"),
        ("AB", "stages must be a list of Stage, got 'A' in it"),
    ],
)
def test_what_is_no_list_of_stages_is_refused_in_one_sentence(stages: Any, part: str) -> None:
    with pytest.raises(PipelineError, match=part):
        Pipeline(stages)


def test_stages_may_come_from_anywhere() -> None:
    assert len(Pipeline(Stage(name, 1, [fetch]) for name in "AB").stages) == 2


@pytest.mark.parametrize(
    ("field", "number"),
    [
        ("workers", np.int64(2)),
        ("task_wait_seconds", np.int64(1)),
        ("timeout", np.float32(0.5)),
        ("call_rate", np.int32(3)),
    ],
)
def test_numbers_may_be_numpys(field: str, number: Any) -> None:
    Stage(**{"name": "A", "workers": 1, "tasks": [fetch], field: number}).validate()


@pytest.mark.parametrize(
    ("fields", "capacity"),
    [({}, 30), ({"queue_capacity": 0}, None), ({"queue_capacity": 7}, 7), ({"pull": True}, 0)],
)
def test_the_queue_has_as_many_places_as_said(fields: dict[str, Any], capacity: int | None) -> None:
    assert Stage("A", 3, [fetch], **fields).capacity() == capacity


def test_task_names_come_from_the_function_behind_partials_or_from_the_class() -> None:
    named = [fetch, functools.partial(functools.partial(fetch)), Parser(), lambda value: value]
    assert [task_name(task) for task in named] == ["fetch", "fetch", "Parser", "<lambda>"]


def test_a_partial_with_a_name_of_its_own_keeps_it() -> None:
    named = functools.partial(fetch)
    named.__name__ = "fetch_again"  # type: ignore[attr-defined]
    noted = functools.partial(named)
    assert [task_name(named), task_name(noted)] == ["fetch_again", "fetch_again"]


def test_a_task_that_answers_to_everything_is_named_by_its_class() -> None:
    assert task_name(AsyncMock()) == "AsyncMock"
