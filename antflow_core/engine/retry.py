"""Retry: whether and when a failed attempt is followed by another; entered only on failure."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from antflow_core.arguments import check_function, check_number
from antflow_core.engine.executors import hopeless_errors
from antflow_core.stage import Stage

logger = logging.getLogger("antflow.pipeline")


@dataclass(frozen=True, slots=True)
class ExponentialBackoff:
    """Waits that double from attempt to attempt, for ``Stage(task_wait=ExponentialBackoff())``.

    Attributes:
        first_s: Wait after the first failed attempt.
        factor: How much longer each next wait is.
        longest_s: No wait is longer.
        jitter: Part of the wait that is drawn by lot, so that many items do not come back at once: 0 to 1.
        draw: Gives the lot, from 0 to 1.
    """

    first_s: float = 1.0
    factor: float = 2.0
    longest_s: float = 60.0
    jitter: float = 0.5
    draw: Callable[[], float] = field(default=random.random, repr=False)

    def __post_init__(self) -> None:
        for name in ("first_s", "factor", "longest_s", "jitter"):
            check_number(name, getattr(self, name))
        check_function("draw", self.draw, "no arguments")
        if self.first_s < 0 or self.longest_s < 0 or self.factor < 1:
            raise ValueError(f"waits must not be negative and factor at least 1, got {self}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter must be from 0 to 1, got {self.jitter}")

    def __call__(self, attempt: int) -> float:
        """Seconds to wait after the failed `attempt`, from 1."""
        doublings = min(attempt - 1, 1000)  # a float holds no more
        longest = self.longest_s if self.first_s else 0.0
        wait = min(longest, self.first_s * self.factor**doublings) if doublings < 64 else longest
        return wait * (1 - self.jitter * self.draw())


class RetryPolicy:
    """A stage's rules for failed attempts.

    Attributes:
        per_stage: A failure puts the item back at the stage's first task.
        attempts: Attempts in all.
    """

    __slots__ = ("_fixed_wait_s", "_hopeless", "_name", "_retry_on", "_wait_after", "attempts", "per_stage")

    def __init__(self, stage: Stage) -> None:
        self.per_stage = stage.retry == "per_stage"
        self.attempts = stage.stage_attempts if self.per_stage else stage.task_attempts
        self._name = stage.name
        self._retry_on = stage.retry_on
        self._hopeless = hopeless_errors(stage.executor)
        self._wait_after = stage.task_wait
        self._fixed_wait_s = 0.0 if self.per_stage else stage.task_wait_seconds

    def allows_another(self, error: BaseException, attempt: int) -> bool:
        """Whether the failed `attempt`, counted from 1, is followed by another."""
        if attempt >= self.attempts or isinstance(error, self._hopeless):
            return False
        # A task that raises CancelledError by itself has failed like any other; it is no Exception, though.
        return isinstance(error, (*self._retry_on, asyncio.CancelledError))

    def wait_s(self, attempt: int) -> float:
        """Seconds to wait after the failed `attempt`."""
        if self._wait_after is None:
            return self._fixed_wait_s
        try:
            wait = float(self._wait_after(attempt))
        except Exception:
            logger.exception("stage %r: task_wait failed; waiting its fixed pause", self._name)
            return self._fixed_wait_s
        return wait if math.isfinite(wait) and wait > 0 else 0.0
