"""Retries that a viewer asks of a script's pipelines, while the script runs and after its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from antflow_core.engine.failures import ErrorType
from antflow_core.link.capture import OutputListener, captured_output
from antflow_core.link.watched import WatchedPipeline
from antflow_core.scripts.tasks import leave_script

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryWish:
    """Which failed items are to go again; as for `Pipeline.retry_failed`."""

    stage: str | None = None
    error_type: ErrorType | Collection[ErrorType] | None = None
    ids: Collection[Any] | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of it.

    Attributes:
        count: Items that came through.
        error: What a task raised that ended it before its time.
    """

    count: int = 0
    error: BaseException | None = None


class Retries:
    """The retries that are going on."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Retried]] = set()
        self._capture = asyncio.Lock()

    def are_going_on(self) -> bool:
        """Whether somebody waits for one."""
        return bool(self._tasks)

    async def wait_ended(self) -> None:
        """Wait until none is going on."""
        while self._tasks:
            await asyncio.wait(self._tasks.copy())

    def cancel(self) -> None:
        """Give all of them up."""
        for task in self._tasks:
            task.cancel()

    async def retry(
        self, pipelines: Sequence[WatchedPipeline], wish: RetryWish, on_output: OutputListener | None
    ) -> Retried:
        """Retry in one pipeline after the other; whoever cancels the wait gives it up.

        Args:
            on_output: Gets what the tasks print; None where somebody gets it already.
        """
        task = asyncio.create_task(self._retry(pipelines, wish, on_output), name="retry of failed items")
        self._tasks.add(task)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            while not task.done():
                await asyncio.wait({task})
            raise
        finally:
            self._tasks.discard(task)
        return Retried() if task.cancelled() else task.result()

    async def _retry(
        self, pipelines: Sequence[WatchedPipeline], wish: RetryWish, on_output: OutputListener | None
    ) -> Retried:
        # Captured streams are put back in the order they were taken, so there is one capture at a time.
        async with self._capture if on_output is not None else nullcontext():
            count = 0
            for watched in pipelines:
                retrying = asyncio.create_task(
                    _retry_in(watched, wish, on_output), context=watched.new_context()
                )
                retried = await retrying
                count += retried.count
                if retried.error is not None:
                    return Retried(count, retried.error)
        return Retried(count)


async def _retry_in(watched: WatchedPipeline, wish: RetryWish, on_output: OutputListener | None) -> Retried:
    """Retry in one pipeline; nothing comes out of this task as an exception, which no Qt loop could bear."""
    pipeline = watched.with_failures()
    if pipeline is None:
        return Retried()
    leave_script()
    try:
        with captured_output(on_output) if on_output is not None else nullcontext():
            return Retried(len(await pipeline.retry_failed(wish.stage, wish.error_type, wish.ids)))
    except asyncio.CancelledError:
        return Retried()
    except BaseException as error:  # noqa: BLE001 - what the script raised is a result here
        _log.info("The retry in %s ended before its time", watched.name(), exc_info=error)
        return Retried(error=error)
