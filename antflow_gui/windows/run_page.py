"""The page of a script or a recorded run: header, stage cards and throughput plot, filled at each tick."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from antflow_core.link.protocol import PipelineView, RunState
from antflow_core.link.replay import ReplayedRun
from antflow_core.scripts import ScriptOutline
from antflow_core.units import plural
from antflow_gui.plots.throughput import ThroughputPlot
from antflow_gui.runs.controller import RunController
from antflow_gui.runs.curves import RecordedCurves
from antflow_gui.runs.progress import RunProgress, StageProgress
from antflow_gui.theme import Theme
from antflow_gui.views.flow import FlowView
from antflow_gui.views.header import RunHeader
from antflow_gui.views.recorded_words import recorded_facts
from antflow_gui.views.sparkline import SAMPLES

_NO_STAGES = "The stages appear here as soon as the script starts a pipeline"
_NO_PIPELINE = "No pipeline was recorded"


class RunPage(QWidget):
    """Shows what the controller runs; `refresh` is called by the ticker and at each change of state.

    Signals:
        script_requested: The script of a recorded run is to be opened.
    """

    script_requested = Signal()

    def __init__(self, controller: RunController, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self.header = RunHeader(theme)
        self.flow = FlowView(theme)
        self.plot = ThroughputPlot(theme)
        self.pipeline_box = QComboBox()
        self.pipeline_box.setAccessibleName("Pipeline in view")
        self.pipeline_box.setToolTip("The script started several pipelines; choose whose stages are shown")
        self._given_up = 0
        self._plotted = -1
        self._curves: RecordedCurves | None = None
        self._lay_out()
        self.header.run_requested.connect(controller.start)
        self.header.stop_requested.connect(controller.stop)
        self.header.pause_requested.connect(controller.toggle_pause)
        self.header.retry_requested.connect(controller.retry_failed)
        self.header.script_requested.connect(self.script_requested)
        self.flow.workers_requested.connect(controller.set_workers)
        self.pipeline_box.activated.connect(self._choose_pipeline)

    def _lay_out(self) -> None:
        chooser = QHBoxLayout()
        chooser.addWidget(self.pipeline_box)
        chooser.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(12)
        layout.addWidget(self.header)
        layout.addLayout(chooser)
        layout.addWidget(self.flow)
        layout.addWidget(self.plot, 1)
        self.pipeline_box.hide()

    def show_opened(self) -> None:
        """Show what was just opened: a script's literal stages, all at zero, or a recorded run."""
        self.clear()
        if self._controller.recorded is None:
            self._show_outline()
        elif self.refresh() is None:
            self.plot.set_stages([])
            self.flow.clear(_NO_STAGES)

    def set_recorded(self, recorded: bool) -> None:
        """Say what is to be expected while nothing is here: of a recording that was read, nothing at all."""
        self.plot.set_recorded(recorded)
        if recorded and not self._controller.pipelines():
            self.flow.clear(_NO_PIPELINE)

    def _show_outline(self) -> None:
        outline = self._controller.outline
        stages = _outlined_stages(outline) if outline is not None else ()
        self.plot.set_stages([stage.name for stage in stages])
        if stages:
            self.flow.show_stages(stages, None)
        else:
            self.flow.clear(_NO_STAGES)
        self._show_header(None)

    def set_given_up(self, count: int) -> None:
        """Say how many items were cancelled, or given up with the run; the next refresh shows it."""
        self._given_up = count

    def clear(self) -> None:
        """Empty what the last run left, and let go of its events."""
        self._plotted, self._curves = -1, None
        self.pipeline_box.clear()
        self.pipeline_box.hide()
        self.plot.clear()

    def refresh(self) -> RunProgress | None:
        """Take fresh snapshots and show them; None while no pipeline was started."""
        pipelines = self._controller.pipelines()
        if not pipelines:
            is_recorded = self._controller.recorded is not None  # how long that took is known all the same
            self._show_header(self._controller.measure(()) if is_recorded else None)
            return None
        self._offer(pipelines)
        progress = self._controller.measure(pipelines)
        self._show_header(progress)
        self.flow.set_can_change_workers(self._controller.can_set_workers)
        paused = self._controller.is_paused  # then nothing holds up others
        self.flow.show_stages(progress.stages, None if paused else progress.bottleneck)
        self._plot(pipelines, progress)
        return progress

    def _plot(self, pipelines: Sequence[PipelineView], progress: RunProgress) -> None:
        chosen = self.pipeline_box.currentData()
        position = chosen if isinstance(chosen, int) else len(pipelines) - 1
        view = pipelines[position]
        if position != self._plotted:
            self._plotted = position
            self.plot.clear()
            self.plot.set_stages([stage.name for stage in view.stages])
            self._curves = None
        recorded = self._controller.recorded
        if recorded is not None:
            self._plot_recorded(recorded, view)
        elif self._controller.is_running and not view.ended:
            self.plot.append(progress.elapsed_s, [stage.rate for stage in progress.stages])

    def _plot_recorded(self, recorded: ReplayedRun, view: PipelineView) -> None:
        """Draw the whole course of a pipeline that was recorded, here and in the cards of its stages."""
        if self._curves is None:
            self._curves = RecordedCurves(recorded, view.run)
        curves = self._curves.update()
        if curves is not None:
            self.plot.show_whole(curves.times_s, curves.rates, curves.began_s, curves.ended_s)
            self.flow.show_curves(curves.evenly(SAMPLES).tolist())

    def _offer(self, pipelines: Sequence[PipelineView]) -> None:
        """List the pipelines once there are several; the newest is followed until one is chosen."""
        box = self.pipeline_box
        if not box.count():
            box.addItem("Newest pipeline", None)
        for index in range(box.count() - 1, len(pipelines)):
            box.addItem(f"{index + 1} · {' → '.join(stage.name for stage in pipelines[index].stages)}", index)
        box.setVisible(len(pipelines) > 1)

    @Slot(int)
    def _choose_pipeline(self, _index: int) -> None:
        self._controller.show_pipeline(self.pipeline_box.currentData())
        self.refresh()

    def _show_header(self, progress: RunProgress | None) -> None:
        controller = self._controller
        path, recorded = controller.path, controller.recorded
        now = datetime.now().astimezone()
        facts = recorded_facts(recorded, progress, now) if recorded is not None else None
        note, *shorter_notes = self._notes() if facts is None else (facts.note,)
        self.header.show_run(
            path.name if path else "",
            note,
            controller.state,
            progress,
            shorter_notes=shorter_notes,
            paused=controller.is_paused,
            can_retry=controller.can_retry,
            given_up=None if controller.is_reading and controller.state.is_over else self._given_up,
            recorded=facts,
        )

    def _notes(self) -> list[str]:
        """How the script runs, in ever fewer words; what has been known longest goes first."""
        start, recording = self._start_words(), self._recording_words()
        arguments = [shlex.join(self._controller.args)] if self._controller.args else []
        news = self._news()
        choices = [
            [*start, *recording[:1], *arguments, *news],
            [*start, *recording[1:], *arguments, *news],
            [*start[-1:], *recording[1:], *news],
            [*recording[1:], *news],
        ]
        return [" · ".join(words) for words in choices if words]

    def _start_words(self) -> list[str]:
        started = self._controller.started_at
        if started is not None:
            return ["in the app", f"started {started:%H:%M:%S}"]
        outline = self._controller.outline
        if outline is None:
            return ["mend the script, then press Run"]
        stages = len(outline.stages)
        return [f"{plural(stages, 'stage')} · press Run" if stages else "press Run"]

    def _news(self) -> list[str]:
        if self._controller.state is RunState.STOPPING:
            return ["finishing the items in hand"]
        return ["nothing is taken until you resume"] if self._controller.is_paused else []

    def _recording_words(self) -> list[str]:
        """Where the run is recorded, or was, as far as it is true; then the same without the file's name."""
        recording = self._controller.recording
        if recording is None:
            return []
        if recording.fault is not None:
            return ["recording stopped" if recording.path.is_file() else "nothing is recorded"] * 2
        if self._controller.recording_is_behind:
            lack = ", but not what was retried since"
            return [f"recorded in {recording.path.name}{lack}", f"recorded{lack}"]
        is_running = self._controller.is_running
        words = "recording to" if is_running else "recorded in"
        return [f"{words} {recording.path.name}", "recording" if is_running else "recorded"]


def _outlined_stages(outline: ScriptOutline) -> tuple[StageProgress, ...]:
    return tuple(
        StageProgress(
            name=stage.name,
            index=index,
            done=0,
            failed=0,
            skipped=0,
            retried=0,
            total=None,
            queued=0,
            capacity=None,
            busy=0,
            workers=stage.workers or 0,
            rate=None,
        )
        for index, stage in enumerate(outline.stages)
    )
