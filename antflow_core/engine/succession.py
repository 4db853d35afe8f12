"""Succession: the runs of a pipeline, one after the other: which takes items now, when the next begins."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from antflow_core.engine.attendance import Attendance
from antflow_core.engine.callers import is_awaited_by, is_inside
from antflow_core.engine.channel import Channel
from antflow_core.engine.continuing import go_on_from, remains_of
from antflow_core.engine.failures import Choice
from antflow_core.engine.feeding import Source
from antflow_core.engine.recordings import begin_file, process_recording
from antflow_core.engine.run import Run
from antflow_core.exceptions import PipelineError
from antflow_core.types import PipelineResult

if TYPE_CHECKING:
    from antflow_core.pipeline import Pipeline
    from antflow_core.recording.recorder import Recorder
    from antflow_core.tracker import StatusTracker


class Succession:
    """The runs of one pipeline.

    A run takes items from its opening to its end, whether its workers are started or not. What is opened
    after a joined one adds to its results, until a shutdown or a run with a source of its own.

    Args:
        pipeline: Says what the next run is made of.
        tracker: The pipeline's own, if it has one.

    Attributes:
        run: The run that takes items, else the last one; before the first, one that has ended as it began.
        attendance: Who follows them.
    """

    def __init__(self, pipeline: Pipeline, tracker: StatusTracker | None) -> None:
        self._pipeline = pipeline
        self._numbers = itertools.count()
        self._entered = False  # inside ``async with``
        self._joined = False  # the run, or the one before it, was joined
        self._awaited = False  # `Pipeline.run` waits for the run, and tells what ends it
        self._opening = False  # the run is being announced
        self._stop_requested = False  # meanwhile
        self.attendance = Attendance(pipeline, tracker)
        self.run = self._new_run()
        self.run.ended = True

    # Beginning

    async def begin(
        self,
        source: Source,
        delivery: Channel[PipelineResult] | None = None,
        record: str | os.PathLike[str] | None = None,
    ) -> Run:
        """Get a run going that will be fed with `source`.

        Args:
            delivery: Where its results are to go one by one.
            record: A run file for it alone, or a folder.
        """
        if self._keeps_running():
            raise PipelineError("Pipeline is already running, and a task of it would wait for itself")
        await self._wait_stopped()
        busy = not self.run.ended and (delivery is not None or self.run.ends_when_drained)
        if busy or self._awaited:
            raise PipelineError("Pipeline is already running")
        file = None if record is None else begin_file(record)
        try:
            run = self._open(source, delivery, file)
        except BaseException as error:
            if file is not None:
                file.end_after(error)
            raise
        _start(run)
        return run

    async def start(self) -> None:
        """Start the workers of a run that takes items from outside."""
        if self._keeps_running():
            raise PipelineError("Pipeline is already running, and this is a task of it")
        await self._wait_stopped()
        run = self.run
        goes_on = run.starts_when_needed or (self._joined and not run.ends_when_drained)
        if run.started and not (run.ended or goes_on):
            raise PipelineError("Pipeline is already running")
        run = self._open()
        self._joined = False
        run.starts_when_needed = False
        _start(run)

    async def taking(self, *, inside: bool) -> Run:
        """The run for items that are fed now.

        Args:
            inside: Who feeds is part of the current one.
        """
        if inside:
            return self.run
        if self._joined or self.run.reopened:
            await self._wait_stopped()
        return self._open()

    def is_inside(self) -> bool:
        """Whether the caller is a task or a callback of the current run."""
        if self.run.ended and self._joined:  # a task's own task outlived it, and begins the next batch
            return False
        return is_inside(self.run)

    def running(self, wish: str) -> Run:
        """The run, if there is one going on, for a wish that concerns no other."""
        if self.run.ended:
            raise PipelineError(f"Pipeline is not running; {wish}() works from its start to its end")
        return self.run

    # Ending

    @asynccontextmanager
    async def awaited(self, run: Run) -> AsyncIterator[None]:
        """Whoever waits in the body for the end of a run gives it up if he gives up waiting."""
        self._awaited = True
        try:
            async with run.cancelled_on_error():
                yield
        finally:
            self._awaited = False

    async def join(self) -> None:
        """Wait until nothing is left, then stop the workers where nobody else needs them."""
        run = self.run
        if self.is_inside() or self._keeps_running():
            raise PipelineError("join() inside a task of the same pipeline would wait for itself")
        run.start_if_needed()
        if run.outstanding and not run.started and not run.stopping:
            raise PipelineError(f"{run.outstanding} item(s) wait for start(): join() would wait for ever")
        await run.wait_drained()
        run.raise_fatal()
        if self.run is run and not (run.ended or run.ends_when_drained or run.sources):
            self._joined = True
            if not self._entered:
                run.stop()
        if run.stopping:
            await run.wait_ended()
            run.raise_fatal()

    async def shutdown(self) -> None:
        """Finish what is in hand and drop the rest; who is inside does not wait for that."""
        run = self.run
        self._joined = False
        if not run.ended:
            run.stop()
            if is_awaited_by(run):
                return
            try:
                await run.wait_ended()
            except asyncio.CancelledError:
                run.cancel()
                raise
        if not run.fatal_raised and not self._awaited:
            run.raise_fatal()

    def request_stop(self) -> None:
        """Stop the run, if there is one; one that is being announced, once all have been told."""
        if self._opening:
            self._stop_requested = True
        elif not self.run.ended:
            self.run.stop()

    def enter(self) -> None:
        """From now on `join` does not stop the workers."""
        self._entered = True

    async def leave(self, error: BaseException | None) -> None:
        """Shut down; what is in hand is given up if the program is to end."""
        if error is not None and not isinstance(error, Exception):
            self.run.cancel()
        self._entered = False
        await self.shutdown()

    # After failures

    async def retry(self, choice: Choice) -> list[PipelineResult]:
        """Let failed items go again, in the run where they failed or in one that goes on from there."""
        inside = self.is_inside()
        while not self.run.ended and self.run.stopping and not is_awaited_by(self.run):
            await self.run.wait_ended()
        run = self.run
        if not run.ended:
            results = await run.rescues.rescue(choice, inside=inside)
        elif run.failures.chosen(choice):
            run = self._reopen()
            async with run.cancelled_on_error():
                results = await run.rescues.rescue(choice, inside=False)
                await run.wait_ended()
        else:
            return []
        run.raise_fatal()
        return results

    def inherit(self, ended: Run) -> None:
        """Be able to go on from the failures of an ended run of another pipeline."""
        remains_of(ended, self.run)

    # Inside

    def _new_run(self, delivery: Channel[PipelineResult] | None = None) -> Run:
        return Run(
            self._pipeline.stages,
            collect=self._pipeline.collect_results,
            next_sequence=self._numbers.__next__,
            on_end=self._run_ended,
            delivery=delivery,
        )

    def _open(
        self,
        source: Source | None = None,
        delivery: Channel[PipelineResult] | None = None,
        file: Recorder | None = None,
    ) -> Run:
        """The run that takes items now, with what is asked of it; after the last has ended a new one."""
        if self.run.ended:
            self._open_next(source, delivery, file)
        else:
            self._join_in(source, file)
        return self.run

    def _join_in(self, source: Source | None, file: Recorder | None) -> None:
        """Add to a run that takes items already."""
        run = self.run
        if file is not None:
            run.file = file
            try:
                self.attendance.record(run)
            except BaseException:
                run.file = None
                raise
        if source is not None:
            run.sources.add(source)

    def _open_next(
        self, source: Source | None, delivery: Channel[PipelineResult] | None, file: Recorder | None
    ) -> None:
        process = process_recording()
        last, run = self.run, self._new_run(delivery)
        run.file = file
        if source is not None:
            run.sources.add(source)
            self._joined = False
        elif self._joined:
            run.output.results = last.output.results
        run.starts_when_needed = self._entered or self._joined
        self.run = run
        with self._announcing(run):
            self.attendance.begin(run, process)

    def _reopen(self) -> Run:
        """Have the ended run go on."""
        ended, run = self.run, self._new_run()
        go_on_from(ended, run)
        self.run = run
        with self._announcing(run):
            self.attendance.go_on(run)
            run.start()
        return run

    @contextmanager
    def _announcing(self, run: Run) -> Iterator[None]:
        """While all are told of a run in the body, a stop waits; it would end what has not yet begun."""
        self._opening, self._stop_requested = True, False
        try:
            yield
        except BaseException:
            run.cancel()
            raise
        finally:
            self._opening = False
        if self._stop_requested:
            run.stop()

    async def _wait_stopped(self) -> None:
        """Wait for the end of a run that is on its way there, or goes on only for its failed items."""
        while not self.run.ended and (self.run.stopping or self.run.reopened):
            await self.run.wait_ended()

    def _keeps_running(self) -> bool:
        """Whether the current run cannot end before the caller does."""
        return not self.run.ended and is_awaited_by(self.run)

    def _run_ended(self) -> None:
        self.attendance.end(self.run)


def _start(run: Run) -> None:
    if not run.started and not run.ended:
        run.start()
