"""What a task may ask of the worker that runs it, and how a host watches pipelines start."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from antflow_core.arguments import check_number, check_seconds
from antflow_core.types import WorkerMetrics, WorkerState

if TYPE_CHECKING:
    import asyncio

    from aiolimiter import AsyncLimiter

    from antflow_core.pipeline import Pipeline
    from antflow_core.tracker import StatusTracker


class WorkerContext(WorkerState):
    """A worker's live state: what it does, what it has done, and the limits its tasks may use.

    Attributes:
        run: The run the worker belongs to; a feed from inside it is admitted past a full queue.
        call_semaphore: Enforces the stage's ``call_concurrency``.
        call_limiter: Enforces the stage's ``call_rate``.
        overdue_call: A timed-out call that cannot be stopped and still holds the worker's thread.
    """

    __slots__ = (
        "_status_item_since",
        "_status_set_at",
        "call_limiter",
        "call_semaphore",
        "failed",
        "last_active",
        "overdue_call",
        "processed",
        "processing_s",
        "run",
    )

    def __init__(self, worker_name: str, stage: str, run: object) -> None:
        super().__init__(worker_name, stage, "idle")
        self.run = run
        self.call_semaphore: asyncio.Semaphore | None = None
        self.call_limiter: AsyncLimiter | None = None
        self.overdue_call: asyncio.Future[Any] | None = None
        self.processed = 0
        self.failed = 0
        self.processing_s = 0.0
        self.last_active: float | None = None
        self._status_set_at = 0.0
        self._status_item_since: float | None = None

    def state(self) -> WorkerState:
        """A copy of what it does now."""
        return WorkerState(
            self.worker_name,
            self.stage,
            self.status,
            self.current_item_id,
            self.current_task,
            self.processing_since,
        )

    def metrics(self) -> WorkerMetrics:
        """What it has done since the pipeline started."""
        return WorkerMetrics(
            self.worker_name, self.stage, self.processed, self.failed, self.processing_s, self.last_active
        )

    def count_on_from(self, before: WorkerContext) -> None:
        """Begin with what a worker had done."""
        self.processed = before.processed
        self.failed = before.failed
        self.processing_s = before.processing_s
        self.last_active = before.last_active

    def set_status_text(self, text: str, min_interval_s: float) -> bool:
        """Show `text` as the current task unless this item showed one less than `min_interval_s` ago."""
        if min_interval_s != 0:
            check_seconds("min_interval", min_interval_s)
        if self.status == "idle":
            return False
        if min_interval_s > 0:
            now = time.monotonic()
            same_item = self._status_item_since == self.processing_since
            if same_item and now - self._status_set_at < min_interval_s:
                return False
            self._status_set_at = now
            self._status_item_since = self.processing_since
        self.current_task = text
        return True


worker_state_var: ContextVar[WorkerContext | None] = ContextVar("worker_state", default=None)
"""The worker that runs the current task; None elsewhere."""


class PipelineObserver(Protocol):
    """Watches every pipeline that starts in its context, as the host of a script does."""

    def pipeline_starting(self, pipeline: Pipeline) -> StatusTracker | None:
        """Called once per start-to-end, before anything is queued.

        Returns:
            A tracker for a pipeline that has none.
        """

    def pipeline_ended(self, pipeline: Pipeline) -> None:
        """Called once when all its workers have ended."""


observer_var: ContextVar[PipelineObserver | None] = ContextVar("pipeline_observer", default=None)
"""Set by whoever hosts a script; tasks inherit it."""


def get_worker_state() -> WorkerState | None:
    """The state of the worker that runs the current task; None outside a worker."""
    return worker_state_var.get()


def set_task_status(status: str, min_interval: float = 0.0) -> bool:
    """Show a text as the worker's current task.

    Args:
        status: The text.
        min_interval: Seconds that must have passed since the last text shown for this item.

    Returns:
        Whether it is shown: not outside a worker, and not when it came too soon.
    """
    worker = worker_state_var.get()
    return worker is not None and worker.set_status_text(status, min_interval)


@asynccontextmanager
async def concurrency_limit() -> AsyncIterator[None]:
    """At most the stage's `call_concurrency` are inside at once.

    ``async with concurrency_limit():`` around a call in a task, or ``@concurrency_limit()`` on the function
    that makes it.

    Raises:
        RuntimeError: The stage sets no `call_concurrency`.
    """
    worker = worker_state_var.get()
    if worker is None or worker.call_semaphore is None:
        raise RuntimeError("concurrency_limit() needs call_concurrency=N on the Stage whose task uses it")
    async with worker.call_semaphore:
        yield


@asynccontextmanager
async def rate_limit() -> AsyncIterator[None]:
    """At most the stage's `call_rate` begin per `call_rate_period`.

    ``async with rate_limit():`` around a call in a task, or ``@rate_limit()`` on the function that makes it.

    Raises:
        RuntimeError: The stage sets no `call_rate`.
    """
    worker = worker_state_var.get()
    if worker is None or worker.call_limiter is None:
        raise RuntimeError("rate_limit() needs call_rate=N on the Stage whose task uses it")
    async with worker.call_limiter:
        yield


def call_rate_has_capacity(amount: float = 1) -> bool:
    """Whether `rate_limit()` would let `amount` calls through at once; True where no rate is set."""
    worker = worker_state_var.get()
    if worker is None or worker.call_limiter is None:
        return True
    check_number("amount", amount)
    return worker.call_limiter.has_capacity(amount)
