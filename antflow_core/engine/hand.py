"""Hand: what a worker has in hand, and the moments of its way through the stage."""

from __future__ import annotations

from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from antflow_core.context import WorkerContext
    from antflow_core.engine.feeding import Entry


COUNTED: Final = inf
"""When an item was taken whose time the worker's sums have already."""


class Hand:
    """What a worker has in hand; moments are those of `time.perf_counter`.

    Args:
        context: What others may read of the worker; gets the sums.
        wall_offset: Added to a moment it gives Unix seconds.

    Attributes:
        entry: The item, until it is decided how that ends, or it is handed on.
        attempt: The latest at a task.
        attempts: The highest at any of the item's tasks.
        started: When the item was taken; `COUNTED` once it came through the stage.
        called: When the latest attempt at a task began.
        ended: When it ended.
        last_s: How long it took.
        spent_s: How long the item's tasks took that came through.
        wall_offset: As given.
    """

    __slots__ = (
        "_context",
        "attempt",
        "attempts",
        "called",
        "ended",
        "entry",
        "last_s",
        "spent_s",
        "started",
        "wall_offset",
    )

    def __init__(self, context: WorkerContext, wall_offset: float) -> None:
        self._context = context
        self.wall_offset = wall_offset
        self.entry: Entry | None = None
        self.attempt = self.attempts = 1
        self.started = self.called = self.ended = self.last_s = self.spent_s = 0.0

    def note_return(self) -> None:
        """The attempt at a task has ended."""
        self.ended = ended = perf_counter()
        self.last_s = ended - self.called

    def count_success(self) -> None:
        """The item came through the stage."""
        context = self._context
        context.processed += 1
        context.processing_s += self.ended - self.started
        context.last_active = self.ended + self.wall_offset
        self.started = COUNTED

    def count_time(self) -> None:
        """The worker lets go of an item that did not come through, or is not handed on."""
        context = self._context
        if self.started != COUNTED:
            context.processing_s += self.ended - self.started
        context.last_active = self.ended + self.wall_offset
