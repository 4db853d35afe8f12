"""WorkerReports: tells the tracker and the stage's callbacks what a worker does with its items."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from antflow_core.engine.feeding import Entry
from antflow_core.engine.raised import trim_traceback
from antflow_core.types import StatusType, TaskEventType

if TYPE_CHECKING:
    from antflow_core.engine.hand import Hand
    from antflow_core.engine.invoke import TaskCall
    from antflow_core.engine.run import Run
    from antflow_core.engine.stage_run import StageRun

logger = logging.getLogger("antflow.pipeline")


class WorkerReports:
    """What one worker tells; what is usual is told the quick way, by the worker itself.

    Args:
        run: Has the tracker, if there is one.
        stage: Has the callbacks.
        worker: The worker's name.
        hand: What it has in hand.
    """

    __slots__ = ("_hand", "_recorder", "_run", "_stage", "_worker")

    def __init__(self, run: Run, stage: StageRun, worker: str, hand: Hand) -> None:
        self._run = run
        self._stage = stage
        self._worker = worker
        self._hand = hand
        self._recorder = run.recorder

    def status(
        self,
        status: StatusType,
        entry: Entry,
        attempt: int,
        *,
        duration: float | None = None,
        error: BaseException | None = None,
    ) -> Awaitable[None] | None:
        """Record a status; gives what is to be waited for."""
        if self._recorder is None:
            return None
        return self._recorder.status(
            entry.id, self._stage.index, status, self._worker, attempt=attempt, duration=duration, error=error
        )

    def task(
        self,
        event: TaskEventType,
        entry: Entry,
        task: TaskCall,
        attempt: int,
        error: BaseException | None = None,
    ) -> Awaitable[None] | None:
        """Record a task's start or the end of an attempt; gives what is to be waited for."""
        if self._recorder is None:
            return None
        duration = None if event == "start" else self._hand.last_s
        return self._recorder.task(
            entry.id,
            self._stage.index,
            task.name,
            self._worker,
            event,
            attempt,
            duration=duration,
            error=error,
        )

    def given_up(self, error: BaseException | None = None) -> None:
        """Record the end of what is in hand, because the run ends."""
        hand = self._hand
        if hand.entry is not None:
            self._stage.report_given_up(hand.entry, self._worker, hand.attempt, error)

    async def call_back(
        self, callback: Callable[..., Any] | None, field: str, entry: Entry, outcome: Any, value: Any
    ) -> None:
        """Call one of the stage's callbacks, if it has it; what that raises is logged and fails nothing."""
        if callback is None:
            return
        try:
            waiting = callback(entry.id, outcome, entry.payload_with(value))
            if inspect.isawaitable(waiting):
                await waiting
        except (Exception, asyncio.CancelledError) as error:
            if self._run.cancels.means_worker(error):
                raise
            trim_traceback(error)
            logger.exception("[%s] Error in %s callback for id=%s", self._worker, field, entry.id)
