"""Owns what is open, a script with its run or a recorded run: opens, runs, stops, and signals each change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from antflow_core.exceptions import RunFileError, ScriptError
from antflow_core.history.event_log import EventLog
from antflow_core.link.inproc import InProcessRun
from antflow_core.link.protocol import Act, PipelineView, Recording, RunOutcome, RunSource, RunState
from antflow_core.link.replay import ReplayedRun
from antflow_core.scripts import ScriptOutline, outline_script
from antflow_gui.runs.options import RunOptions
from antflow_gui.runs.outcomes import outcome_after, outcome_of
from antflow_gui.runs.progress import ProgressMeter, RunProgress
from antflow_gui.runs.reading import RecordedReading

OnOutput = Callable[[str, str], None]
SourceFactory = Callable[[Path, Sequence[str], OnOutput, RunOptions], RunSource]


def in_process(path: Path, args: Sequence[str], on_output: OnOutput, options: RunOptions) -> RunSource:
    """The way to a run that shares the app's own process and loop."""
    return InProcessRun(path, args, on_output=on_output, record=options.record, max_events=options.max_events)


class RunController(QObject):
    """One open script and its current or last run, or one recorded run.

    Args:
        make_source: The way to a run, given script, arguments, a receiver of what it prints, and options.
        options: What each run is to be started with, asked when it is.
        parent: Owner.

    Signals:
        opened: Another script or recorded run is open, or the same one was read again.
        reading_ended(RunFileError): All of a recorded run has been read, or, with an error, no more can be.
        state_changed: `state` has another value.
        run_started: A run began; `history` is new and empty.
        run_resumed: A run that was over goes on with items that had failed.
        run_finished(RunOutcome): The run is over, however it ended.
        output_written(str, str): The script printed: text, ``stdout`` or ``stderr``; from any thread.
    """

    opened = Signal()
    reading_ended = Signal(object)
    state_changed = Signal()
    run_started = Signal()
    run_resumed = Signal()
    run_finished = Signal(object)
    output_written = Signal(str, str)

    def __init__(
        self,
        make_source: SourceFactory = in_process,
        options: Callable[[], RunOptions] = RunOptions,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._make_source = make_source
        self._make_options = options
        self._options = RunOptions()
        self._reading: RecordedReading | None = None
        self._recording_is_behind = False
        self._path: Path | None = None
        self._outline: ScriptOutline | None = None
        self._source: RunSource | None = None
        self._task: asyncio.Task[RunOutcome] | None = None
        self._retries: set[asyncio.Task[int]] = set()
        self._meter = ProgressMeter()
        self._state = RunState.READY
        self._started_at = 0.0
        self._started = 0.0
        self._duration_s = 0.0
        self._outcome: RunOutcome | None = None
        self._args: tuple[str, ...] = ()
        self._shown_pipeline: int | None = None

    @property
    def path(self) -> Path | None:
        """The script or run file that is open."""
        return self._path

    @property
    def recorded(self) -> ReplayedRun | None:
        """The recorded run that is open; None where it is a script, or nothing."""
        return self._reading.source if self._reading is not None else None

    @property
    def is_reading(self) -> bool:
        """Whether more of a recorded run may come: the rest of the file, or what is still being written."""
        return self._reading is not None and self._reading.is_going_on

    @property
    def recording(self) -> Recording | None:
        """The run file that is made of the current run, or was made of the last one; None without one."""
        made = self._source.recording if self._source is not None else None
        return made if made is not None else self._options.refused

    @property
    def recording_is_behind(self) -> bool:
        """Whether things went on after the recording had ended with the script, and are not in it."""
        return self._recording_is_behind

    def can(self, act: Act) -> bool:
        """Whether what is open can do something at all; what it is doing has to suit it too."""
        return self._source is not None and act in self._source.acts

    @property
    def outline(self) -> ScriptOutline | None:
        """What the script's syntax tree told; None where it could not be read."""
        return self._outline

    @property
    def args(self) -> tuple[str, ...]:
        """The arguments the next run gets."""
        return self._args

    @args.setter
    def args(self, args: Sequence[str]) -> None:
        self._args = tuple(args)

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return self._state

    @property
    def is_running(self) -> bool:
        """Whether a run is going on, stopping included."""
        return self._task is not None

    @property
    def is_paused(self) -> bool:
        """Whether no item is taken until `resume`."""
        return self._source is not None and self._source.paused

    @property
    def outcome(self) -> RunOutcome | None:
        """How the last run ended; None before, and while one runs."""
        return self._outcome

    @property
    def started_at(self) -> datetime | None:
        """Wall-clock start of the run in view, in the viewer's zone."""
        recorded = self.recorded
        at = self._started_at if recorded is None else recorded.began_at
        return datetime.fromtimestamp(at).astimezone() if at else None

    @property
    def history(self) -> EventLog | None:
        """Every event of the current or last run."""
        return self._source.log if self._source is not None else None

    @property
    def elapsed_s(self) -> float:
        """Seconds the run in view has taken, or took."""
        recorded = self.recorded
        if recorded is not None:
            return recorded.elapsed_s
        return time.monotonic() - self._started if self._task is not None else self._duration_s

    def open_script(self, path: Path, args: Sequence[str] = ()) -> None:
        """Make a script the one to run and read its outline; nothing of it is executed.

        A script at fault becomes the open one too, so that it can be mended and run from here.

        Raises:
            ScriptError: It cannot be run as it is.
            RuntimeError: A run is going on.
        """
        self._leave(path, args)
        try:
            self._outline = outline_script(path.absolute())
        finally:
            self.opened.emit()
            self._set_state(RunState.READY if self._outline is not None else RunState.FAILED)

    def open_recorded(self, path: Path) -> None:
        """Show a recorded run: its first events at once, the others as they are read.

        Raises:
            RunFileError: It cannot be opened; what was open stays so.
            RuntimeError: A run is going on.
        """
        reading = RecordedReading(path, self._end_reading)
        self._leave(path, ())
        self._reading, self._source = reading, reading.source
        reading.start()
        self.opened.emit()
        self._set_state(reading.source.state)

    def close_recorded(self) -> None:
        """Let go of a recorded run, whose events take memory, and read no further."""
        if self._reading is not None:
            self._leave(None, ())
            self._set_state(RunState.READY)

    def start(self) -> None:
        """Run the open script, afresh from its file; while a run goes on this does nothing."""
        if self._path is None or self.is_running or self._reading is not None:
            return
        with suppress(ScriptError):  # the run itself meets the same fault and reports it as its outcome
            self._outline = outline_script(self._path)
        self._options = self._make_options()
        self._source = self._make_source(self._path, self._args, self._pass_output, self._options)
        self._meter = ProgressMeter()
        self._shown_pipeline = self._outcome = None
        self._recording_is_behind = False
        self._started_at, self._started = time.time(), time.monotonic()
        self._task = asyncio.get_running_loop().create_task(self._source.run(), name="antflow-desk run")
        self._task.add_done_callback(self._finish)
        self._set_state(RunState.RUNNING)
        self.run_started.emit()

    def stop(self) -> None:
        """The first call finishes the items in hand, the second cancels."""
        if self._source is None or not self.is_running:
            return
        if self._state is RunState.STOPPING:
            self._source.cancel()
        else:
            self._source.stop()
            self._set_state(RunState.STOPPING)

    def toggle_pause(self) -> None:
        """Pause a run that goes on, or let a paused one go on."""
        if self._source is None or not self.can_pause:
            return
        if self._source.paused:
            self._source.resume()
        else:
            self._source.pause()
        self.state_changed.emit()

    def set_workers(self, stage: str, workers: int) -> None:
        """Give a stage of the pipeline in view so many workers; where it has just ended this does nothing."""
        view = self._view_shown()
        if self._source is not None and view is not None and not view.ended:
            self._source.set_workers(view.run, stage, workers)

    @property
    def can_pause(self) -> bool:
        """Whether the run can be paused now, or resumed."""
        return self.can(Act.PAUSE) and self._state is RunState.RUNNING

    @property
    def can_set_workers(self) -> bool:
        """Whether stages can be given more or fewer workers now."""
        return self.can(Act.SET_WORKERS) and self._state is RunState.RUNNING

    @property
    def can_retry(self) -> bool:
        """Whether items that failed can be tried again now."""
        return self.can(Act.RETRY) and self._state not in (RunState.READY, RunState.STOPPING)

    def retry_failed(
        self,
        *,
        run: int | None = None,
        stage: str | None = None,
        error_type: str | None = None,
        ids: Any = None,
    ) -> None:
        """Let failed items go again, all or those that are named; a run that is over goes on for them.

        Args:
            run: Number of their pipeline in the log.
            stage: Where they failed.
            error_type: Name of the class of errors they failed with.
            ids: Their ids.
        """
        source = self._source
        if source is None or not self.can_retry:
            return
        loop = asyncio.get_running_loop()
        retry = source.retry_failed(run, stage, error_type, ids)
        if self._task is not None:
            task = loop.create_task(retry, name="antflow-desk retry")
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)
            return
        before = self._outcome
        self._recording_is_behind = self.recording is not None
        self._outcome, self._started = None, time.monotonic() - self._duration_s
        self._task = loop.create_task(outcome_after(retry, source, before), name="antflow-desk retry")
        self._task.add_done_callback(self._finish)
        self._set_state(RunState.RUNNING)
        self.run_resumed.emit()

    def retry_item(self, item: int) -> None:
        """Let one failed item go again, by its index in the log."""
        if self.history is not None:
            run = self.history.items.run_of(item)
            self.retry_failed(run=run, ids=[self.history.item_id(item)])

    def retry_alike(self, stage: str, error_type: str) -> None:
        """Let all items go again that failed in a stage with a type of error."""
        self.retry_failed(stage=stage, error_type=error_type)

    def cancel_item(self, item: int) -> None:
        """Give one item up, by its index in the log."""
        if self._source is not None and self.is_running:
            log = self._source.log
            self._source.cancel_item(log.items.run_of(item), log.item_id(item))

    async def close(self) -> None:
        """Cancel a run that is going on, or give the reading of one up, and wait until that is done."""
        if self._reading is not None:
            await self._reading.close()
        if self._source is not None and self._task is not None:
            self._source.cancel()
            await asyncio.wait([self._task])

    def pipelines(self) -> list[PipelineView]:
        """Every pipeline the run started, with fresh snapshots."""
        return self._source.pipelines() if self._source is not None else []

    def show_pipeline(self, index: int | None) -> None:
        """Choose the pipeline whose stages are in view; None follows the newest."""
        self._shown_pipeline = index

    def _view_shown(self) -> PipelineView | None:
        pipelines = self.pipelines()
        return pipelines[self._index_shown(pipelines)] if pipelines else None

    def _index_shown(self, pipelines: Sequence[PipelineView]) -> int:
        shown = self._shown_pipeline
        return shown if shown is not None and shown < len(pipelines) else len(pipelines) - 1

    def measure(self, pipelines: Sequence[PipelineView]) -> RunProgress:
        """The figures of this moment, from snapshots just taken."""
        index = self._index_shown(pipelines)
        running = self._state in (RunState.RUNNING, RunState.STOPPING)
        return self._meter.measure(pipelines, self.elapsed_s, running=running, shown=index)

    def _leave(self, path: Path | None, args: Sequence[str]) -> None:
        """Let go of what was open, for another file."""
        if self.is_running:
            raise RuntimeError("a run is going on; stop it before opening another file")
        if self._reading is not None:
            self._reading.give_up()
        self._path, self._args = None if path is None else path.absolute(), tuple(args)
        self._outline = self._source = self._outcome = self._reading = self._shown_pipeline = None
        self._started_at = self._duration_s = 0.0
        self._meter, self._options = ProgressMeter(), RunOptions()
        self._recording_is_behind = False

    def _end_reading(self, fault: RunFileError | None) -> None:
        recorded = self.recorded
        if recorded is not None:
            self._outcome = recorded.outcome
            self._set_state(recorded.state)
        self.reading_ended.emit(fault)

    def _pass_output(self, text: str, stream: str) -> None:
        self.output_written.emit(text, stream)

    def _finish(self, task: asyncio.Task[RunOutcome]) -> None:
        self._duration_s = time.monotonic() - self._started
        self._task = None
        self._outcome = outcome = outcome_of(task, self.pipelines(), self._duration_s)
        self._set_state(outcome.state)
        self.run_finished.emit(outcome)

    def _set_state(self, state: RunState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit()
