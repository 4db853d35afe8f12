"""A card for one stage: name, rate, progress, the rate's recent curve, workers, failures."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from antflow_core.units import format_count, format_percent, format_rate
from antflow_gui.runs.progress import StageProgress
from antflow_gui.theme import Theme, ui_font
from antflow_gui.views.parts_bar import PartsBar
from antflow_gui.views.sparkline import Sparkline
from antflow_gui.views.status_count import StatusCount
from antflow_gui.views.text_cell import TextCell
from antflow_gui.views.worker_cells import WorkerCells

CARD_HEIGHT = 160
CARD_LEAST_WIDTH, CARD_MOST_WIDTH = 192, 340
_RADIUS = 8.0
_RIGHT = Qt.AlignmentFlag.AlignRight
_STEPS = {int(Qt.Key.Key_Left): -1, int(Qt.Key.Key_Right): 1}
_MORE_WORKERS = {int(Qt.Key.Key_Plus): 1, int(Qt.Key.Key_Equal): 1, int(Qt.Key.Key_Minus): -1}


class StageCard(QWidget):
    """Shows one stage; `show_stage` changes only what is different.

    Args:
        stage: The stage; its name and place stay for the card's life.
        theme: Where the colours come from.

    Signals:
        workers_requested(str, int): The stage is to have so many workers.
        neighbour_requested(int): The keyboard is to go so many cards to the right.
    """

    workers_requested = Signal(str, int)
    neighbour_requested = Signal(int)

    def __init__(self, stage: StageProgress, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._index = stage.index
        self._is_bottleneck = self._can_change = False
        self._last: StageProgress | None = None
        self._menu = QMenu(self)
        self.add_action = self._menu.addAction("Add a worker\t+", self._add_worker)
        self.remove_action = self._menu.addAction("Remove a worker\t−", self._remove_worker)
        self._dot = _StageDot(theme, stage.index)
        self.name_text = TextCell(theme, ui_font(15, 600))
        self.rate_text = TextCell(theme, ui_font(15, 600), "text", _RIGHT)
        self.bar = PartsBar(theme)
        self.count_text = TextCell(theme, ui_font(12), "text_secondary")
        self.share_text = TextCell(theme, ui_font(12), "text_secondary", _RIGHT)
        self.sparkline = Sparkline()
        self.workers_word = TextCell(theme, ui_font(12), "text_secondary")
        self.cells = WorkerCells(theme)
        self.workers_text = TextCell(theme, ui_font(12), "text_secondary", _RIGHT)
        self.no_failures = TextCell(theme, ui_font(12), "text_tertiary")
        self.failed = StatusCount("failed", theme)
        self.retried = StatusCount("retrying", theme)
        self.skipped = StatusCount("skipped", theme)
        self.queued_text = TextCell(theme, ui_font(12), "text_secondary", _RIGHT)
        self.bottleneck_word = TextCell(theme, ui_font(12, 600), "retrying", _RIGHT)
        self._set_up(stage)
        self._lay_out()
        self.follow_theme()

    @property
    def is_bottleneck(self) -> bool:
        """Whether the card wears the amber frame."""
        return self._is_bottleneck

    def show_stage(self, stage: StageProgress) -> None:
        """Show newer figures of the stage."""
        if stage.rate is not None and not stage.rate_is_mean:
            self.sparkline.append(stage.rate)
        if stage == self._last:
            return
        workers_before = self._last.workers if self._last is not None else -1
        self._last = stage
        ended = stage.done + stage.failed
        self.rate_text.set_text(_rate_words(stage, ended))
        self.rate_text.set_tip("Mean of the whole run" if stage.rate_is_mean else "")
        self.bar.set_parts([("completed", stage.done), ("failed", stage.failed)], stage.total)
        self._show_counts(ended, stage.total)
        self.cells.set_workers(stage.busy, stage.workers)
        if stage.workers != workers_before:
            self.workers_text.reserve("88/88", f"{stage.workers}/{stage.workers}")
        self.workers_text.set_text(f"{stage.busy}/{stage.workers}" if stage.workers else "–")
        self.remove_action.setEnabled(stage.workers > 1)
        self._show_failures(stage)
        # Between two cards a gauge shows it; before the first there is none.
        self.queued_text.set_text(
            f"{format_count(stage.queued)} queued" if stage.index == 0 and stage.queued else "", ""
        )
        self.setAccessibleDescription(self._description(stage, ended))

    def show_curve(self, rates: Sequence[float]) -> None:
        """Show the rates of a whole run in the place of those of lately."""
        self.sparkline.show_whole(rates)

    def restart(self) -> None:
        """Forget the curve and the widths of the last run."""
        self.sparkline.clear()
        for count in (self.failed, self.retried, self.skipped):
            count.reset()

    def set_can_change_workers(self, can_change: bool) -> None:
        """Offer more or fewer workers in the card's menu, or do not."""
        policy = Qt.ContextMenuPolicy
        self.setContextMenuPolicy(policy.CustomContextMenu if can_change else policy.NoContextMenu)
        self._can_change = can_change
        self.cells.setToolTip("Right-click, or press + or −, to add or remove a worker" if can_change else "")

    def set_bottleneck(self, is_bottleneck: bool) -> None:
        """Put on or take off the amber frame and the word."""
        if is_bottleneck != self._is_bottleneck:
            self._is_bottleneck = is_bottleneck
            self.bottleneck_word.setVisible(is_bottleneck)
            self.update()

    def follow_theme(self) -> None:
        """Take the colours of the theme in use."""
        self.sparkline.set_color(self._theme.stage_color(self._index))
        self.update()

    def _show_counts(self, ended: int, total: int | None) -> None:
        done = format_count(ended)
        if total is None:
            self.count_text.set_text(f"{done} done", done)
            self.share_text.set_text("")
        else:
            self.count_text.set_text(f"{done} of {format_count(total)}" if total else "no items", done)
            self.share_text.set_text(format_percent(ended, total) if total else "")

    def _show_failures(self, stage: StageProgress) -> None:
        counts = ((self.failed, stage.failed), (self.retried, stage.retried), (self.skipped, stage.skipped))
        for widget, count in counts:
            widget.set_count(count)
            widget.setVisible(count > 0)
        self.no_failures.setVisible(not any(count for _, count in counts))

    @Slot()
    def _add_worker(self) -> None:
        self._request_workers(1)

    @Slot()
    def _remove_worker(self) -> None:
        self._request_workers(-1)

    def _request_workers(self, more: int) -> None:
        if self._last is not None:
            self.workers_requested.emit(self._last.name, max(1, self._last.workers + more))

    @Slot(QPoint)
    def _open_menu(self, place: QPoint) -> None:
        self._menu.popup(self.mapToGlobal(place))

    def _description(self, stage: StageProgress, ended: int) -> str:
        of_total = f" of {format_count(stage.total)}" if stage.total is not None else ""
        return (
            f"{format_count(ended)}{of_total} done, {format_count(stage.failed)} failed, "
            f"{stage.busy} of {stage.workers} workers busy, {format_rate(stage.rate)}"
        )

    def _set_up(self, stage: StageProgress) -> None:
        self.setAccessibleName(f"Stage {stage.name}")
        self.name_text.set_text(stage.name)
        self.rate_text.reserve("88.8k/s")
        self.share_text.reserve("100 %")
        self.bottleneck_word.set_text("bottleneck")
        self.bottleneck_word.reserve("bottleneck")
        self.bottleneck_word.hide()
        self.no_failures.set_text("no failures")
        self.no_failures.reserve("no failures")
        self.workers_word.set_text("Workers")
        self.workers_word.reserve("Workers")
        self.customContextMenuRequested.connect(self._open_menu)
        self.setMinimumWidth(CARD_LEAST_WIDTH)
        self.setMaximumWidth(CARD_MOST_WIDTH)
        self.setFixedHeight(CARD_HEIGHT)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(13, 12, 13, 10)
        column.setSpacing(0)
        column.addLayout(_row(8, (self._dot, 0), (self.name_text, 1), (self.rate_text, 0)))
        column.addSpacing(9)
        column.addWidget(self.bar)
        column.addSpacing(5)
        column.addLayout(_row(4, (self.count_text, 1), (self.share_text, 0)))
        column.addSpacing(7)
        column.addWidget(self.sparkline)
        column.addSpacing(8)
        column.addLayout(_row(8, (self.workers_word, 0), (self.cells, 1), (self.workers_text, 0)))
        column.addSpacing(6)
        counts = [(widget, 0) for widget in (self.failed, self.retried, self.skipped)]
        words = ((self.no_failures, 0), (self.queued_text, 1), (self.bottleneck_word, 0))
        column.addLayout(_row(10, *counts, *words))
        column.addStretch(1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in _STEPS:
            self.neighbour_requested.emit(_STEPS[key])
        elif key in _MORE_WORKERS and self._can_change:
            self._request_workers(_MORE_WORKERS[key])
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, _event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, _event: QFocusEvent) -> None:
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 1.5 if self._is_bottleneck else 1.0
        role = "retrying" if self._is_bottleneck else "border"
        if self.hasFocus():
            width, role = 2.0, "accent"
        painter.setPen(QPen(self._theme.color(role), width))
        painter.setBrush(self._theme.color("surface"))
        inset = width / 2
        frame = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
        painter.drawRoundedRect(frame, _RADIUS, _RADIUS)


class _StageDot(QWidget):
    """The stage's colour, by which the plots name it too."""

    def __init__(self, theme: Theme, index: int) -> None:
        super().__init__()
        self._theme = theme
        self._index = index
        self.setFixedSize(10, 10)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.stage_color(self._index))
        painter.drawEllipse(self.rect())


def _rate_words(stage: StageProgress, ended: int) -> str:
    """The rate; a dash where there is nothing left to do, since a zero would look like a stall."""
    if stage.rate == 0:
        return "–" if ended == stage.total else "0/s"
    return format_rate(stage.rate)


def _row(spacing: int, *parts: tuple[QWidget, int]) -> QHBoxLayout:
    """Widgets with their stretch, side by side."""
    row = QHBoxLayout()
    row.setSpacing(spacing)
    for widget, stretch in parts:
        row.addWidget(widget, stretch)
    return row
