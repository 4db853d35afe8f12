"""A script run in this process, on the loop that the viewer uses too."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from traceback import clear_frames

from antflow_core.engine.statistics import error_text
from antflow_core.exceptions import PipelineError, ScriptError
from antflow_core.history.event_log import EventLog
from antflow_core.link.capture import OutputListener, captured_output
from antflow_core.link.protocol import PipelineView, RunOutcome, RunState, counted
from antflow_core.link.watched import WatchedPipeline
from antflow_core.pipeline import Pipeline
from antflow_core.scripts import ScriptExit, run_script, script_line, script_traceback
from antflow_core.scripts.threads import busy_threads
from antflow_core.tracker import StatusTracker


class InProcessRun:
    """One run of one script; a `RunSource`, and the observer of the pipelines that the script starts.

    Pipelines without a tracker share the run's own; what a tracker of the script's holds is copied too.

    Args:
        path: The script.
        args: Its arguments.
        on_output: Gets what the script prints; None to leave the streams alone.

    Attributes:
        path: The script.
        state: Where the run stands.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        args: Sequence[str] = (),
        *,
        on_output: OutputListener | None = None,
    ) -> None:
        self.state = RunState.READY
        self.path = Path(path)
        self._args = tuple(args)
        self._on_output = on_output
        self._tracker = StatusTracker()
        self._watched: list[WatchedPipeline] = []
        self._mirrored: dict[int, tuple[EventLog, Callable[[], None]]] = {}
        self._task: asyncio.Task[BaseException | None] | None = None
        self._stopping = False
        self._cancelling = False

    @property
    def log(self) -> EventLog:
        """Every event of the run."""
        return self._tracker.log

    def pipelines(self) -> list[PipelineView]:
        """Every pipeline the script has started, in order of start."""
        return [watched.view() for watched in self._watched]

    async def run(self) -> RunOutcome:
        """Run the script, once.

        Raises:
            PipelineError: It has been run before.
        """
        if self.state is not RunState.READY:
            raise PipelineError("An InProcessRun runs its script once; make another one to run it again")
        self.state = RunState.STOPPING if self._stopping else RunState.RUNNING
        began = time.monotonic()
        self._task = asyncio.create_task(self._script(), name=f"script {self.path.name}")
        if self._cancelling:
            self._task.cancel()
        try:
            error = await self._ended(self._task)
        finally:
            self._let_go()
        outcome = self._outcome(error, time.monotonic() - began)
        self.state = outcome.state
        return outcome

    def stop(self) -> None:
        """Finish the items in hand; pipelines that the script starts from now on end at once."""
        if self.state.is_over:
            return
        self._stopping = True
        if self.state is RunState.RUNNING:
            self.state = RunState.STOPPING
        for watched in self._watched:
            watched.request_stop()

    def cancel(self) -> None:
        """Cancel the script where it stands."""
        if self.state.is_over:
            return
        self._stopping = self._cancelling = True
        if self._task is not None:
            self.state = RunState.STOPPING
            self._task.cancel()

    # --- what the pipelines call

    def pipeline_starting(self, pipeline: Pipeline) -> StatusTracker | None:
        """Watch the pipeline; one without a tracker gets the run's."""
        own = pipeline.status_tracker
        if own is self._tracker:  # it was given to this pipeline for an earlier run
            own = None
        if own is not None:
            self._mirror(own.log)
        self._watched.append(WatchedPipeline(pipeline, self.log))
        if self._stopping:
            pipeline.request_stop()
        return self._tracker if own is None else None

    def pipeline_ended(self, pipeline: Pipeline) -> None:
        """Keep the last snapshot and let go of the pipeline."""
        watched = next((each for each in reversed(self._watched) if each.is_of(pipeline)), None)
        if watched is not None:
            watched.let_go()

    # --- inside

    async def _script(self) -> BaseException | None:
        """The whole script; nothing comes out of this task as an exception, which no Qt loop could bear."""
        try:
            with captured_output(self._on_output) if self._on_output else nullcontext():
                threads = busy_threads()
                try:
                    await run_script(self.path, self._args, observer=self)
                finally:
                    if self._cancelling:
                        self._tell_of_threads(len(busy_threads() - threads))
        except BaseException as error:  # noqa: BLE001 - what the script raised is a result here
            return error
        return None

    def _tell_of_threads(self, count: int) -> None:
        """Say why the process lives on: a function in a thread ends when it wants to."""
        if count and sys.stderr is not None:
            noun = "thread" if count == 1 else "threads"
            with suppress(OSError, ValueError):  # closed, or its reader has gone
                sys.stderr.write(f"Waiting for {count} {noun} of {self.path.name} to return\n")
                sys.stderr.flush()

    async def _ended(self, task: asyncio.Task[BaseException | None]) -> BaseException | None:
        """Wait for the script; whoever cancels the wait cancels the script and hears of it afterwards."""
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            self.cancel()
            while not task.done():
                await asyncio.wait({task})
            self.state = RunState.STOPPED
            raise
        return asyncio.CancelledError() if task.cancelled() else task.result()

    def _let_go(self) -> None:
        for watched in self._watched:
            watched.let_go()
        for _, unmirror in self._mirrored.values():
            unmirror()
        self._mirrored.clear()

    def _mirror(self, log: EventLog) -> None:
        if id(log) not in self._mirrored:
            self._mirrored[id(log)] = (log, self.log.mirror(log))

    def _outcome(self, error: BaseException | None, duration_s: float) -> RunOutcome:
        try:
            state, message, exit_code, traceback = self._judged(error)
            if error is not None:
                _forget_locals(error)
        except Exception:  # noqa: BLE001 - a class of the script's may raise anything, at any attribute
            kind = f"{self.path.name}: {type(error).__name__}"
            state, message, exit_code, traceback = RunState.FAILED, kind, 1, None
        completed, failed, skipped = counted(self.pipelines())
        return RunOutcome(
            state=state,
            completed=completed,
            failed=failed,
            skipped=skipped,
            duration_s=duration_s,
            error=error,
            message=message,
            traceback=traceback,
            exit_code=exit_code,
        )

    def _judged(self, error: BaseException | None) -> tuple[RunState, str | None, int, str | None]:
        """State, message, exit code and traceback for what came out of the script."""
        name = self.path.name
        well = RunState.STOPPED if self._stopping else RunState.FINISHED
        match error:
            case None | ScriptExit(code=0):
                return well, None, 0, None
            case ScriptError():
                return RunState.FAILED, str(error), 2, None
            case ScriptExit():
                text = (
                    f"{name} exited with code {error.code}" if error.text is None else f"{name}: {error.text}"
                )
                return RunState.FAILED, text, 1, None
            case asyncio.CancelledError() if self._cancelling:
                return RunState.STOPPED, None, 0, None
        trace = script_traceback(error, self.path)
        line = script_line(error, self.path)
        place = name if line is None else f"{name}, line {line}"
        text = error_text(error)
        reason = f": {text}" if text else ""
        return RunState.FAILED, f"{place}: {type(error).__name__}{reason}", 1, trace


def _forget_locals(error: BaseException) -> None:
    """Empty the frames an error came through: who keeps the outcome would keep items and pipelines too."""
    linked: list[BaseException | None] = [error]
    seen: set[int] = set()
    while linked:
        each = linked.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        clear_frames(each.__traceback__)
        linked += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            linked += each.exceptions
