"""Limits: how many workers may be inside a task, or inside a call of a task, at once or per period."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from antflow_core.stage import Stage

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter


class TaskLimit:
    """How many workers may be inside a task at once, and who is.

    Args:
        places: So many.

    Attributes:
        inside: The names of those who are, a call included that was given up and has not returned.
    """

    __slots__ = ("_places", "_semaphore", "inside")

    def __init__(self, places: int) -> None:
        self._places = places
        self._semaphore = asyncio.Semaphore(places)
        self.inside: set[str] = set()

    async def enter(self, worker: str) -> None:
        """Wait for a place and take it."""
        await self._semaphore.acquire()
        self.inside.add(worker)

    def leave(self, worker: str) -> None:
        """Let the next one in."""
        self.inside.discard(worker)
        self._semaphore.release()

    def is_full_of(self, workers: set[str]) -> bool:
        """Whether none but these are inside, and no place is left."""
        return len(self.inside & workers) >= self._places


class StageLimits:
    """A stage's limits for one run; its workers share them.

    Attributes:
        tasks: By task name, what a worker holds while it is inside that task.
        call_semaphore: What ``concurrency_limit()`` gives.
        call_limiter: What ``rate_limit()`` gives.
    """

    __slots__ = ("call_limiter", "call_semaphore", "tasks")

    def __init__(self, stage: Stage) -> None:
        limits = stage.task_concurrency_limits or {}
        self.tasks = {name: TaskLimit(limit) for name, limit in limits.items()}
        self.call_semaphore = asyncio.Semaphore(stage.call_concurrency) if stage.call_concurrency else None
        self.call_limiter = _make_limiter(stage.call_rate, stage.call_rate_period)


def _make_limiter(rate: float | None, period_s: float) -> AsyncLimiter | None:
    if rate is None:
        return None
    from aiolimiter import (
        AsyncLimiter,
    )  # late: few pipelines set a rate, all of them would pay for the import

    limiter = AsyncLimiter(rate, period_s)
    limiter.has_capacity()  # binds it to this loop, so that tasks in threads may ask too
    return limiter
