"""A script run in this process, on the loop that the viewer uses too."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from traceback import clear_frames
from typing import TYPE_CHECKING, Any

from antflow_core.engine.failures import Choice, ErrorType
from antflow_core.engine.recordings import RECORD_VARIABLE, process_recording, share_with_process
from antflow_core.engine.statistics import error_text
from antflow_core.exceptions import PipelineError, RunFileError, ScriptError
from antflow_core.history.event_log import EventLog
from antflow_core.link.capture import OutputListener, captured_output
from antflow_core.link.protocol import (
    EVERY_ACT,
    Act,
    PipelineView,
    Recording,
    RunOutcome,
    RunState,
    counted,
)
from antflow_core.link.retries import Retried, Retries, RetryWish
from antflow_core.link.watched import WatchedPipeline
from antflow_core.pipeline import Pipeline
from antflow_core.scripts import ScriptExit, outline_script, run_script, script_line, script_traceback
from antflow_core.scripts.threads import busy_threads
from antflow_core.tracker import StatusTracker

if TYPE_CHECKING:
    from antflow_core.recording import Recorder


class InProcessRun:
    """One run of one script; a `RunSource`, and the observer of the pipelines that the script starts.

    Pipelines without a tracker share the run's own; what a tracker of the script's holds is copied too.

    Args:
        path: The script.
        args: Its arguments.
        on_output: Gets what the script prints; None to leave the streams alone.
        record: A run file to make of the run, or a folder to make one in; None for none. Where it cannot be
            made because there is one, the script is not run. It is closed with the script's end, so what is
            retried afterwards is not in it.
        overwrite: Replace a run file that is there.
        max_events: How many events the run's own tracker holds at most, as for `StatusTracker`.

    Attributes:
        acts: All there are.
        path: The script.
        state: Where the run stands.
        outcome: How the run came out, what was retried after its end included; None before its end.
        recorder: What writes the run file, from the beginning of the run on.
    """

    acts: frozenset[Act] = EVERY_ACT

    def __init__(
        self,
        path: str | os.PathLike[str],
        args: Sequence[str] = (),
        *,
        on_output: OutputListener | None = None,
        record: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        max_events: int | None = None,
    ) -> None:
        self.state = RunState.READY
        self.outcome: RunOutcome | None = None
        self.recorder: Recorder | None = None
        self.path = Path(path)
        self._args = tuple(args)
        self._on_output = on_output
        self._record = record
        self._overwrite = overwrite
        self._tracker = StatusTracker(max_events=max_events)
        self._watched: list[WatchedPipeline] = []
        self._mirrored: dict[int, tuple[EventLog, Callable[[], None]]] = {}
        self._task: asyncio.Task[BaseException | None] | None = None
        self._retries = Retries()
        self._over = RunState.READY
        self._begun = False
        self._paused = False
        self._stopping = False
        self._cancelling = False

    @property
    def log(self) -> EventLog:
        """Every event of the run."""
        return self._tracker.log

    def pipelines(self) -> list[PipelineView]:
        """Every pipeline the script has started, in order of start."""
        return [watched.view() for watched in self._watched]

    @property
    def recording(self) -> Recording | None:
        """The run file that is made of it; None where none was asked for, and before the run has begun."""
        return None if self.recorder is None else Recording(self.recorder.path, self.recorder.fault)

    @property
    def paused(self) -> bool:
        """Whether `pause` holds, for pipelines that are still to start too."""
        return self._paused and not self.state.is_over

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
        except asyncio.CancelledError as cancellation:
            self._let_go()
            if self.recorder is not None:
                self.recorder.end_after(cancellation)
            raise
        self._let_go()
        self.outcome = outcome = self._outcome(error, time.monotonic() - began)
        self.state = outcome.state
        if self.recorder is not None:
            await self._end_recording(self.recorder, outcome)
        return outcome

    def pause(self) -> None:
        """Finish the items in hand and take no more; pipelines that the script starts now begin paused."""
        if self.state.is_over or self._stopping:
            return
        self._paused = True
        for watched in self._watched:
            watched.pause()

    def resume(self) -> None:
        """Let every pipeline go on, those too that the script itself has paused."""
        self._paused = False
        for watched in self._watched:
            watched.resume()

    def set_workers(self, run: int, stage: str, n: int) -> None:
        """Give a stage of a pipeline that runs another number of workers.

        Raises:
            PipelineError: The pipeline has ended, or the number is wrong.
            ValueError: There is no such pipeline, or no such stage.
        """
        self._pipeline_of(run).set_workers(stage, n)

    def cancel_item(self, run: int, item_id: Any) -> bool:
        """End an item of a pipeline now, wherever it is; see `Pipeline.cancel_item`.

        Returns:
            Whether there was one that now ends.

        Raises:
            ValueError: There is no such pipeline.
        """
        return self._pipeline_of(run).cancel_item(item_id)

    async def retry_failed(
        self,
        run: int | None = None,
        stage: str | None = None,
        error_type: ErrorType | Collection[ErrorType] | None = None,
        ids: Collection[Any] | None = None,
    ) -> int:
        """Let failed items go again; in all pipelines one after the other. See `Pipeline.retry_failed`.

        The script may have ended. Then the run goes on, `state` too, until they are through, and `outcome`
        follows. The items and the functions that work on them are still there, and what these print is heard,
        but the script's session is closed: what it opened and closed in ``main``, such as a connection, stays
        closed; a function that imports ``antflow`` or a module of the script's folder only now does not find
        it; the working directory, the environment and the arguments are the host's. Items that need any of
        that fail again. The run file is closed, and does not get what happens now.

        What a task raises that ends programs is in the outcome, not raised here.

        Args:
            run: The pipeline's `PipelineView.run`; None for all.
            stage: Those only that failed in this stage; pipelines without such a stage are left out.
            error_type: Those only that failed with this.
            ids: Those only that have one of these ids.

        Returns:
            How many items came through now.

        Raises:
            ValueError: There is no such pipeline, or no such stage.
            TypeError: `error_type` or `ids` is of another kind.
        """
        Choice(stage, error_type, ids)  # judges them at once
        chosen = [each for each in self._chosen(run, stage) if each.with_failures() is not None]
        if self._task is None or not chosen:
            return 0
        wish, after_end = RetryWish(stage, error_type, ids), self._task.done()
        before, began = self.state, time.monotonic()
        if before.is_over:
            self._stopping = self._cancelling = self._paused = False
            self.state = RunState.RUNNING
            self._over = before
        retried = Retried()
        try:
            retried = await self._retries.retry(chosen, wish, self._on_output if after_end else None)
        finally:
            if after_end:
                self._follow_retry(retried, time.monotonic() - began)
        return retried.count

    def stop(self) -> None:
        """Finish the items in hand; pipelines that the script starts from now on end at once."""
        if self.state.is_over:
            return
        self._stopping, self._paused = True, False
        if self.state is RunState.RUNNING:
            self.state = RunState.STOPPING
        for watched in self._watched:
            watched.request_stop()

    def cancel(self) -> None:
        """Cancel the script where it stands."""
        if self.state.is_over:
            return
        self._stopping = self._cancelling = True
        self._paused = False
        if self._task is not None:
            self.state = RunState.STOPPING
            self._task.cancel()
            self._retries.cancel()

    # --- what the pipelines call

    def pipeline_starting(self, pipeline: Pipeline) -> StatusTracker | None:
        """Watch the pipeline, anew or again; one without a tracker gets the run's."""
        own = pipeline.status_tracker
        if own is self._tracker:  # it was given to this pipeline for an earlier run
            own = None
        if own is not None:
            self._mirror(own.log)
        watched = next((each for each in self._watched if each.goes_on_as(pipeline)), None)
        if watched is not None:
            watched.go_on(pipeline)
        else:
            if self.recorder is not None:
                self.recorder.follow(own or self._tracker, copies=False)
            self._watched.append(WatchedPipeline(pipeline, self.log))
        if self._stopping:
            pipeline.request_stop()
        elif self._paused:
            pipeline.pause()
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
            self._begin_recordings()
            self._begun = True
            with captured_output(self._on_output) if self._on_output else nullcontext():
                threads = busy_threads()
                try:
                    await run_script(self.path, self._args, observer=self)
                finally:
                    if self._cancelling:
                        self._tell_of_threads(len(busy_threads() - threads))
                    await self._retries.wait_ended()
        except BaseException as error:  # noqa: BLE001 - what the script raised is a result here
            return error
        return None

    def _begin_recordings(self) -> None:
        """Make the run files that the caller and the environment ask for, before the script's first line.

        Raises:
            RunFileError: One cannot be made; then the script shall not be run.
        """
        if self._record is None and not os.environ.get(RECORD_VARIABLE):
            return
        outline_script(self.path)  # one that shows no sign of a pipeline shall leave no file
        script = str(self.path)
        if self._record is not None:
            self.recorder = _start_recorder(self._record, script, self._args, overwrite=self._overwrite)
        process_recording(script, self._args)

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
        for key, (log, unmirror) in list(self._mirrored.items()):
            if not any(watched.needs(log) for watched in self._watched):
                unmirror()
                del self._mirrored[key]

    def _pipeline_of(self, run: int) -> WatchedPipeline:
        """The pipeline of a number in the log; the latest, should several not have one yet."""
        watched = next((each for each in reversed(self._watched) if each.run_number() == run), None)
        if watched is None or not run:
            numbers = [each.run_number() for each in self._watched]
            raise ValueError(f"Pipeline {run} not found in {self.path.name}; there are {numbers}")
        return watched

    def _chosen(self, run: int | None, stage: str | None) -> list[WatchedPipeline]:
        """One pipeline, or all, that have a stage if one is named."""
        pipelines = self._watched if run is None else [self._pipeline_of(run)]
        chosen = [each for each in pipelines if stage is None or stage in each.stage_names()]
        if stage is not None and not chosen:
            names = sorted({name for each in pipelines for name in each.stage_names()})
            raise ValueError(f"Stage {stage!r} not found in {self.path.name}; there are {names}")
        return chosen

    def _follow_retry(self, retried: Retried, duration_s: float) -> None:
        """Bring the outcome up to what was retried after the end."""
        before = self.outcome
        if before is not None and retried.error is not None:
            before = self._outcome(retried.error, before.duration_s)
        if before is not None:
            completed, failed, skipped = counted(self.pipelines())
            self.outcome = replace(
                before,
                completed=completed,
                failed=failed,
                skipped=skipped,
                duration_s=before.duration_s + duration_s,
            )
        if not self._retries.are_going_on():
            self._let_go()
            self.state = self._over if self.outcome is None else self.outcome.state

    async def _end_recording(self, recorder: Recorder, outcome: RunOutcome) -> None:
        from antflow_core.run_files.run_records import Outcome  # late, as below

        ends = {RunState.FINISHED: Outcome.FINISHED, RunState.STOPPED: Outcome.STOPPED}
        recorder.end(ends.get(outcome.state, Outcome.FAILED), outcome.message)
        await recorder.wait_closed()

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
            case RunFileError() if not self._begun:
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


def _start_recorder(
    path: str | os.PathLike[str], script: str, args: tuple[str, ...], *, overwrite: bool
) -> Recorder:
    from antflow_core.recording import Recorder  # late: it loads numpy and SQLite, which few runs need

    recorder = Recorder(path, script=script, arguments=args, overwrite=overwrite)
    share_with_process(recorder, path)
    return recorder


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
