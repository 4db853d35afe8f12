"""Owns the script that is open and its run: opens, runs, stops, runs again, and signals each change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from traceback import format_exception
from typing import Any

from PySide6.QtCore import QObject, Signal

from antflow_core.engine.statistics import error_text
from antflow_core.exceptions import ScriptError
from antflow_core.history.event_log import EventLog
from antflow_core.link.inproc import InProcessRun
from antflow_core.link.protocol import PipelineView, RunOutcome, RunSource, RunState, counted
from antflow_core.scripts import ScriptOutline, outline_script
from antflow_gui.runs.progress import ProgressMeter, RunProgress

OnOutput = Callable[[str, str], None]
SourceFactory = Callable[[Path, Sequence[str], OnOutput], RunSource]


def in_process(path: Path, args: Sequence[str], on_output: OnOutput) -> RunSource:
    """The way to a run that shares the app's own process and loop."""
    return InProcessRun(path, args, on_output=on_output)


async def _outcome_after(retry: Awaitable[int], source: RunSource, before: RunOutcome | None) -> RunOutcome:
    """How a run stands after a retry."""
    await retry
    outcome = source.outcome or before
    assert outcome is not None  # only a run that is over goes on for a retry
    return outcome


class RunController(QObject):
    """One open script and its current or last run.

    Args:
        make_source: The way to a run, given script, arguments and a receiver of what it prints.
        parent: Owner.

    Signals:
        script_opened: Another script is open, or the same one was read again.
        state_changed: `state` has another value.
        run_started: A run began; `history` is new and empty.
        run_resumed: A run that was over goes on with items that had failed.
        run_finished(RunOutcome): The run is over, however it ended.
        output_written(str, str): The script printed: text, ``stdout`` or ``stderr``; from any thread.
    """

    script_opened = Signal()
    state_changed = Signal()
    run_started = Signal()
    run_resumed = Signal()
    run_finished = Signal(object)
    output_written = Signal(str, str)

    def __init__(self, make_source: SourceFactory = in_process, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make_source = make_source
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
        """The script that is open."""
        return self._path

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
        """Wall-clock start of the current or last run, in the viewer's zone."""
        return datetime.fromtimestamp(self._started_at).astimezone() if self._started_at else None

    @property
    def history(self) -> EventLog | None:
        """Every event of the current or last run."""
        return self._source.log if self._source is not None else None

    @property
    def elapsed_s(self) -> float:
        """Seconds the current run has taken, or the last one took."""
        return time.monotonic() - self._started if self._task is not None else self._duration_s

    def open_script(self, path: Path, args: Sequence[str] = ()) -> None:
        """Make a script the one to run and read its outline; nothing of it is executed.

        A script at fault becomes the open one too, so that it can be mended and run from here.

        Raises:
            ScriptError: It cannot be run as it is.
            RuntimeError: A run is going on.
        """
        if self.is_running:
            raise RuntimeError("a run is going on; stop it before opening another script")
        self._path, self._args = path.absolute(), tuple(args)
        self._outline = self._source = self._outcome = None
        self._started_at = self._duration_s = 0.0
        self._meter = ProgressMeter()
        try:
            self._outline = outline_script(self._path)
        finally:
            self.script_opened.emit()
            self._set_state(RunState.READY if self._outline is not None else RunState.FAILED)

    def start(self) -> None:
        """Run the open script, afresh from its file; while a run goes on this does nothing."""
        if self._path is None or self.is_running:
            return
        with suppress(ScriptError):  # the run itself meets the same fault and reports it as its outcome
            self._outline = outline_script(self._path)
        self._source = self._make_source(self._path, self._args, self._pass_output)
        self._meter = ProgressMeter()
        self._shown_pipeline = self._outcome = None
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
        if self._source is None or self._state is not RunState.RUNNING:
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
    def can_retry(self) -> bool:
        """Whether items that failed can be tried again now."""
        return self._source is not None and self._state not in (RunState.READY, RunState.STOPPING)

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
        self._outcome, self._started = None, time.monotonic() - self._duration_s
        self._task = loop.create_task(_outcome_after(retry, source, before), name="antflow-desk retry")
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
        """Cancel a run that is going on and wait until it is gone."""
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
        return self._meter.measure(pipelines, self.elapsed_s, running=self.is_running, shown=index)

    def _pass_output(self, text: str, stream: str) -> None:
        self.output_written.emit(text, stream)

    def _finish(self, task: asyncio.Task[RunOutcome]) -> None:
        self._duration_s = time.monotonic() - self._started
        self._task = None
        self._outcome = outcome = self._outcome_of(task)
        self._set_state(outcome.state)
        self.run_finished.emit(outcome)

    def _outcome_of(self, task: asyncio.Task[RunOutcome]) -> RunOutcome:
        """What the run tells of itself, or why it could not."""
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            return task.result()
        counts = counted(self.pipelines())
        if error is None:
            return RunOutcome(RunState.STOPPED, *counts, self._duration_s)
        return RunOutcome(
            RunState.FAILED,
            *counts,
            self._duration_s,
            error=error,
            message=f"The run broke off: {type(error).__name__}: {error_text(error)}",
            traceback="".join(format_exception(error)),
            exit_code=1,
        )

    def _set_state(self, state: RunState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit()
