"""A run file answers as the tracker did that it was recorded from, whatever happened in its pipelines."""

from __future__ import annotations

import asyncio
import enum
import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from antflow_core import Pipeline, Stage, StatusTracker, open_run, record
from antflow_core.run_files.stored_values import stored_id
from antflow_core.search.questions import Questions
from antflow_core.types import FailedItem, StatusType
from tests.support.recorded import story, told


class Colour(enum.StrEnum):
    RED = "red"


IDS: tuple[Any, ...] = (
    0,
    1,
    "1",
    True,
    1.0,
    np.int64(2),
    2,
    2**70,
    -0.5,
    math.inf,
    None,
    "",
    "nul \x00 in it",
    "\ud800 alone",
    "x" * 5_000,
    b"1",
    (1, "a"),
    frozenset((1,)),
    [1, "a"],
    {"a": [1]},
    Colour.RED,
    "red",
)
"""Those that are not equal differ in a file too, though it keeps some as their repr."""


@dataclass(frozen=True)
class Plan:
    """What is to happen to one item.

    Attributes:
        failures: How often each task fails with it before it succeeds.
        is_cancelled: Its last task ends it.
        is_skipped: It passes the last stage untouched.
    """

    item_id: Any
    failures: tuple[int, int, int]
    is_cancelled: bool
    is_skipped: bool


plans = st.builds(
    Plan,
    item_id=st.sampled_from(IDS),
    failures=st.tuples(*[st.sampled_from([0, 0, 0, 1, 2, 5])] * 3),
    is_cancelled=st.sampled_from([False, False, False, True]),
    is_skipped=st.sampled_from([False, False, True]),
)


class Story:
    """A pipeline that does with items what is planned for them, and lets the failed ones go again."""

    def __init__(self, tracker: StatusTracker, plans: list[Plan], *, retries: bool) -> None:
        self._items = [{"id": plan.item_id, "value": plan} for plan in plans]
        self._failed = {id(plan): [0, 0, 0] for plan in plans}
        self._retries = retries
        stages = [
            Stage("First", 2, [self.one, self.two], task_attempts=2, task_wait_seconds=0),
            Stage("Last", 1, [self.three], "per_stage", stage_attempts=2, skip_if=self.is_skipped),
        ]
        self._pipeline = Pipeline(stages, status_tracker=tracker)

    async def run(self) -> None:
        await self._pipeline.run(self._items)
        if self._retries:
            await self._pipeline.retry_failed()

    async def one(self, plan: Plan) -> Plan:
        return self._done(plan, 0)

    async def two(self, plan: Plan) -> Plan:
        await asyncio.sleep(0)
        return self._done(plan, 1)

    async def three(self, plan: Plan) -> Plan:
        if plan.is_cancelled:
            self._pipeline.cancel_item(plan.item_id)
            await asyncio.sleep(0)
        return self._done(plan, 2)

    def is_skipped(self, plan: Plan) -> bool:
        return plan.is_skipped

    def _done(self, plan: Plan, task: int) -> Plan:
        failed = self._failed[id(plan)]
        if failed[task] < plan.failures[task]:
            failed[task] += 1
            raise (ValueError, OSError, KeyError)[task](f"{failed[task]} times \x00 \udfff")
        return plan


def failed_items(questions: Questions) -> list[FailedItem]:
    return [replace(item, item_id=stored_id(item.item_id)) for item in questions.get_failed_items()]


def check_same(recorded: Questions, live: Questions) -> None:
    """Every question has the same answer, ids as a file keeps them."""
    assert recorded.get_stats() == live.get_stats()
    assert recorded.get_tracked_ids() == [*map(stored_id, live.get_tracked_ids())]
    for status in get_args(StatusType):
        assert [*map(told, recorded.get_by_status(status))] == [*map(told, live.get_by_status(status))]
    for item_id in (*IDS, "never seen"):
        statuses, latest = live.get_history(item_id), live.get_status(item_id)
        assert [*map(told, recorded.get_history(item_id))] == [*map(told, statuses)]
        tasks = live.get_task_history(item_id)
        assert [*map(told, recorded.get_task_history(item_id))] == [*map(told, tasks)]
        found = recorded.get_status(item_id)
        assert (found and told(found)) == (latest and told(latest))
    assert failed_items(recorded) == failed_items(live)
    ours, theirs = recorded.get_error_summary(), live.get_error_summary()
    assert (ours.total_failed, ours.errors_by_type) == (theirs.total_failed, theirs.errors_by_type)
    assert ours.errors_by_stage == theirs.errors_by_stage
    assert str(ours) == str(theirs)
    assert story(recorded) == story(live)


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(st.lists(plans, max_size=6), max_size=1),
    sequence=st.lists(st.lists(plans, max_size=12), min_size=1, max_size=3),
    at_once=st.booleans(),
    retries=st.booleans(),
)
def test_every_answer_is_the_live_trackers(
    before: list[list[Plan]], sequence: list[list[Plan]], at_once: bool, retries: bool
) -> None:
    tracker = StatusTracker()
    stories = [Story(tracker, plans, retries=retries) for plans in sequence]

    async def play(path: Path) -> None:
        for plans in before:
            await Story(tracker, plans, retries=retries).run()
        async with record(tracker, path):
            if at_once:
                await asyncio.gather(*(each.run() for each in stories))
            else:
                for each in stories:
                    await each.run()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.antflow")
        asyncio.run(play(path))
        check_same(open_run(path), tracker)
