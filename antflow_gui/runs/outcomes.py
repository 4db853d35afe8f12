"""What the app says of how a run came out, where the run itself could not say it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from traceback import format_exception

from antflow_core.engine.statistics import error_text
from antflow_core.link.protocol import PipelineView, RunOutcome, RunSource, RunState, counted


async def outcome_after(retry: Awaitable[int], source: RunSource, before: RunOutcome | None) -> RunOutcome:
    """How a run stands after a retry."""
    await retry
    outcome = source.outcome or before
    assert outcome is not None  # only a run that is over goes on for a retry
    return outcome


def outcome_of(
    task: asyncio.Task[RunOutcome], pipelines: Iterable[PipelineView], duration_s: float
) -> RunOutcome:
    """What a run tells of itself, or why it could not."""
    error = None if task.cancelled() else task.exception()
    if error is None and not task.cancelled():
        return task.result()
    counts = counted(pipelines)
    if error is None:
        return RunOutcome(RunState.STOPPED, *counts, duration_s)
    return RunOutcome(
        RunState.FAILED,
        *counts,
        duration_s,
        error=error,
        message=f"The run broke off: {type(error).__name__}: {error_text(error)}",
        traceback="".join(format_exception(error)),
        exit_code=1,
    )
