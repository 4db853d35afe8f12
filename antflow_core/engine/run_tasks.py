"""RunTasks: the asyncio tasks of a run, workers and feeders: made where it started, kept to their ends."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import TYPE_CHECKING

from antflow_core.engine.callers import take_from_source
from antflow_core.engine.feeding import Source, feed
from antflow_core.engine.worker import Worker
from antflow_core.exceptions import PipelineError

if TYPE_CHECKING:
    from antflow_core.engine.run import Run
    from antflow_core.engine.stage_run import StageRun

_live: dict[RunTasks, tuple[asyncio.AbstractEventLoop, Context]] = {}
"""Begun and not ended, with where that was: a loop holds its tasks weakly, so workers nobody refers to could
vanish."""


class RunTasks:
    """The workers and feeders of one run.

    Args:
        run: Told when one of them has ended.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._workers: dict[asyncio.Task[None], Worker] = {}
        self._feeders: set[asyncio.Task[None]] = set()

    @property
    def are_feeding(self) -> bool:
        """Whether items may still come from a source of the run's own."""
        return bool(self._feeders)

    @property
    def are_left(self) -> bool:
        """Whether one of them has not ended."""
        return bool(self._workers or self._feeders)

    def begin(self) -> None:
        """The run starts here."""
        for left in [left for left, (loop, _) in _live.items() if loop.is_closed()]:
            del _live[left]
        _live[self] = asyncio.get_running_loop(), copy_context()

    def end(self) -> None:
        """The run has ended, begun or not."""
        _live.pop(self, None)

    def start_workers(self, stage: StageRun) -> None:
        """Start those that a stage lacks, in the run's context: who asks for more of them may be a task."""
        loop, context = _live[self]
        telemetry = self._run.telemetry
        make = Worker if telemetry is None else telemetry.make_worker
        # Who came to wait last gets the first item: that is to be the lowest number, which is sent away last.
        for state in reversed(stage.crew.missing()):
            stage.equip(state)
            worker, name = make(self._run, stage, state), state.worker_name
            stage.crew.enter(name, worker)
            task = loop.create_task(worker.work(), name=name, context=context.copy())
            self._workers[task] = worker
            task.add_done_callback(self._worker_ended)

    def start_feeder(self, source: Source) -> None:
        """Feed the first stage from a source, beside the caller."""
        feeder = asyncio.get_running_loop().create_task(self._feed(source), name="antflow feeder")
        self._feeders.add(feeder)
        feeder.add_done_callback(self._feeder_ended)

    def cancel_feeders(self) -> None:
        """Take nothing more from the sources."""
        for feeder in self._feeders:
            feeder.cancel()

    def cancel(self) -> None:
        """Cancel them all."""
        self.cancel_feeders()
        for worker in self._workers:
            worker.cancel()

    async def _feed(self, source: Source) -> None:
        run = self._run
        take_from_source(run)
        if run.telemetry is not None:
            run.telemetry.enter()
        try:
            await feed(run, source, run.stages[0])
        except asyncio.CancelledError as error:
            if run.stopping:
                raise
            run.abort(error)
        except BaseException as error:  # noqa: BLE001  even SystemExit must reach run(), not the loop
            run.abort(error)

    def _feeder_ended(self, task: asyncio.Task[None]) -> None:
        self._feeders.discard(task)
        self._run.settle()
        self._run.end_if_left()

    def _worker_ended(self, task: asyncio.Task[None]) -> None:
        self._workers.pop(task).leave()  # a task that is cancelled before its first step never runs
        if task.cancelled() and not self._run.cancelling:
            self._run.abort(
                PipelineError(f"Worker {task.get_name()} was cancelled from outside its pipeline")
            )
        self._run.end_if_left()
