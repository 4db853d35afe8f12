"""ResultStream: results one by one, in completion order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from antflow_core.engine.callers import is_awaited_by
from antflow_core.engine.channel import Channel
from antflow_core.types import PipelineResult

if TYPE_CHECKING:
    from antflow_core.engine.reporting import Reporter
    from antflow_core.engine.run import Run


class ResultStream(AsyncIterator[PipelineResult]):
    """What ``Pipeline.stream()`` gives; the run begins with the first result asked for.

    Leaving the loop early gives the run up. An async generator would need the generator hooks of the event
    loop for that, which not every loop has.

    Args:
        begin: Starts the run with the given way out for its results.
        reporter: Informed of beginning and end.
        buffer_size: Results that may wait; None for no limit, 0 for none.
    """

    def __init__(
        self,
        begin: Callable[[Channel[PipelineResult]], Awaitable[Run]],
        reporter: Reporter,
        buffer_size: int | None,
    ) -> None:
        self._begin = begin
        self._reporter = reporter
        self._delivery: Channel[PipelineResult] = Channel(buffer_size)
        self._run: Run | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def __anext__(self) -> PipelineResult:
        if self._closed:
            raise StopAsyncIteration
        try:
            run = await self._begun()
            if self._delivery.capacity is not None:
                run.output.note_taker()
            result = self._delivery.take()
            if result is None:
                result = await self._delivery.wait()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if result is not None:
            return result
        self._finish()
        await run.wait_recorded()
        run.raise_fatal()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Give the run up, if it is not over, and wait for its workers' end, except inside a task of it."""
        run = self._run
        self._finish()
        if run is not None and not run.ended:
            run.cancel()
            if is_awaited_by(run):
                return
            await run.wait_ended()
            await run.wait_recorded()

    def __del__(self) -> None:
        """The loop over the results was left; nobody can wait here, the workers end by themselves."""
        if self._closed or self._run is None or self._loop is None:
            return
        with suppress(RuntimeError):  # the loop is closed already
            if _running_loop() is self._loop:
                _give_up(self._run, self._reporter)
            else:  # garbage may be collected in any thread, and a loop that sleeps must be woken
                self._loop.call_soon_threadsafe(_give_up, self._run, self._reporter)

    async def _begun(self) -> Run:
        if self._run is None:
            self._loop = asyncio.get_running_loop()
            self._run = await self._begin(self._delivery)
            self._reporter.begin(self._run)
        return self._run

    def _finish(self) -> None:
        if not self._closed:
            self._closed = True
            if self._run is not None:
                self._reporter.end(())


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _give_up(run: Run, reporter: Reporter) -> None:
    reporter.end(())
    run.cancel()
