"""Straight: the way of an entry through a stage with a single task, where nothing else is to be done.

Most entries go this way through most stages, so what it costs is what the engine costs. A worker goes it with
two calls beside the task's own; what never changes for a worker is looked up once, when the way is made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from antflow_core.engine.hand import COUNTED

if TYPE_CHECKING:
    from antflow_core.context import WorkerContext
    from antflow_core.engine.feeding import Entry
    from antflow_core.engine.hand import Hand
    from antflow_core.engine.invoke import Call
    from antflow_core.engine.stage_run import StageRun
    from antflow_core.tracker import StepWriters


class StraightWay(NamedTuple):
    """The steps of the way, each for an entry at its first attempt.

    Attributes:
        begin: It is taken; gives the moment.
        call: The task.
        finish: The task, begun at that moment, came through, and it goes on; gives what is to be waited for.
    """

    begin: Callable[[Entry], float]
    call: Call
    finish: Callable[[Entry, float], Awaitable[None] | None]


def straight_way(
    stage: StageRun,
    context: WorkerContext,
    hand: Hand,
    write: StepWriters | None,
    hand_on: Callable[[Entry], Awaitable[None] | None],
) -> StraightWay:
    """A worker's straight way through its stage; not to be gone where the stage is not straight.

    Args:
        stage: The worker's.
        context: What others may read of the worker.
        hand: What it has in hand.
        write: Records what the worker does, where there is a tracker.
        hand_on: Hands an entry on that does not simply go into the next queue.
    """
    task, wall_offset = stage.tasks[0], hand.wall_offset
    task_name = task.name
    taken, completed, passed = (None, None, None) if write is None else write
    following = None if stage.following is None or stage.on_success is not None else stage.following.channel

    def begin(entry: Entry) -> float:
        hand.entry = entry
        hand.attempts = hand.attempt = 1
        hand.started = hand.called = called = perf_counter()
        context.processing_since = at = called + wall_offset
        context.current_item_id = entry.id
        context.current_task = task_name
        context.status = "busy"
        if taken is not None:
            taken(entry.item, at)
        return called

    def finish(entry: Entry, called: float) -> Awaitable[None] | None:
        ended = perf_counter()
        took = ended - called
        stage.completed += 1
        context.processed += 1
        context.processing_s += took
        context.last_active = at = ended + wall_offset
        if following is not None and following.has_room():
            if passed is not None:
                passed(entry.item, at, took, took)
            following.put(entry, entry.priority)
            return None
        if completed is not None:
            completed(entry.item, at, took, took)
        context.current_task = None
        hand.started = COUNTED
        return hand_on(entry)

    return StraightWay(begin, task.call, finish)
