"""An item's way through the stages, painted: waiting in grey, work in the colour of its outcome."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from antflow_core.history.event_log import EventLog
from antflow_core.units import format_duration
from antflow_gui.models.item_history import ItemHistory, Span
from antflow_gui.theme import STATUS_WORDS, Theme, ui_font

_LINE = 20
_BAR = 12
_GAP = 12
_LONGEST_NAME = 110
_NARROWEST = 2.0
_WAITING_ALPHA = 90
_CORNER = 2.0


class ItemWay(QWidget):
    """A line a stage with the item's spans on one time axis.

    Args:
        theme: Colours.
        parent: Owner.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._stages: Sequence[str] = ()
        self._spans: Sequence[Span] = ()
        self._until_s = 0.0
        self._is_live = True
        self._font = ui_font(12)
        self._metrics = QFontMetrics(self._font)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Way through the stages")
        theme.changed.connect(self.update)

    @property
    def spans(self) -> Sequence[Span]:
        """What is painted."""
        return self._spans

    def set_live(self, is_live: bool) -> None:
        """Say whether time goes on for the items that are shown; in a recording that is over it does not."""
        self._is_live = is_live

    def show_way(self, history: ItemHistory) -> None:
        """Paint an item's spans; one that goes on reaches to now, or to the last that was recorded."""
        run, stages_before = history.run, self._stages
        self._stages = run.stages if run is not None else ()
        self._spans = history.spans()
        ends = [span.end_s for span in self._spans if span.end_s is not None]
        if run is not None and len(ends) < len(self._spans):
            ends.append((time.time() if self._is_live else _newest_moment(history.log)) - run.started_at)
        self._until_s = max(ends, default=0.0)
        self.setAccessibleDescription("; ".join(self._words(span) for span in self._spans))
        if self._stages != stages_before:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, _LINE * len(self._stages))

    def minimumSizeHint(self) -> QSize:
        return QSize(120, _LINE * len(self._stages))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._font)
        self._paint_stages(painter)
        painter.setPen(Qt.PenStyle.NoPen)
        for span in self._spans:
            painter.setBrush(self._span_color(span))
            painter.drawRoundedRect(self._bar_rect(span), _CORNER, _CORNER)

    def _paint_stages(self, painter: QPainter) -> None:
        visited = {span.stage for span in self._spans}
        names = self._name_width()
        for number, name in enumerate(self._stages):
            top = number * _LINE
            painter.setPen(self._theme.color("text" if number in visited else "text_tertiary"))
            line = " ".join(name.split())
            shown = self._metrics.elidedText(line, Qt.TextElideMode.ElideRight, names)
            painter.drawText(
                QRectF(0, top, names, _LINE),
                Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
                shown,
            )
            painter.setPen(QPen(self._theme.color("border"), 1))
            middle = top + _LINE // 2
            painter.drawLine(names + _GAP, middle, self.width(), middle)

    def _span_color(self, span: Span) -> QColor:
        if span.status != "queued":
            return self._theme.status_color(span.status)
        color = self._theme.color("text_tertiary")
        color.setAlpha(_WAITING_ALPHA)
        return color

    def _name_width(self) -> int:
        widest = max((self._metrics.horizontalAdvance(name) for name in self._stages), default=0)
        return min(widest + 1, _LONGEST_NAME)

    def _bar_rect(self, span: Span) -> QRectF:
        left = self._name_width() + _GAP
        room = max(1.0, self.width() - left - _NARROWEST)
        start = self._spans[0].start_s
        scale = room / max(self._until_s - start, 1e-9)
        end_s = self._until_s if span.end_s is None else span.end_s
        width = max(_NARROWEST, (end_s - span.start_s) * scale - 1)
        top = span.stage * _LINE + (_LINE - _BAR) / 2
        return QRectF(left + (span.start_s - start) * scale, top, width, _BAR)

    def _words(self, span: Span) -> str:
        end_s = self._until_s if span.end_s is None else span.end_s
        took = format_duration(end_s - span.start_s)
        stage = self._stages[span.stage]
        return (
            f"{stage}: waited {took}"
            if span.status == "queued"
            else f"{stage}: {STATUS_WORDS[span.status]}, {took}"
        )

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            hit = [span for span in self._spans if self._bar_rect(span).contains(event.pos())]
            QToolTip.showText(event.globalPos(), self._words(hit[-1]) if hit else "", self)
            return True
        return super().event(event)


def _newest_moment(log: EventLog) -> float:
    return log.event(log.next_row - 1).time
