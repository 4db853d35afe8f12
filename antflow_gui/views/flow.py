"""The stages side by side with the queues between them, and a sentence about the one that holds up others."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from antflow_gui.runs.progress import Bottleneck, StageProgress
from antflow_gui.theme import Theme, set_kind, ui_font
from antflow_gui.views.queue_gauge import GAUGE_WIDTH, QueueGauge
from antflow_gui.views.stage_card import CARD_HEIGHT, CARD_LEAST_WIDTH, StageCard
from antflow_gui.views.text_cell import TextCell

_SCROLL_BAR_PX = 12
_SENTENCE_GAP_PX = 10


class FlowView(QWidget):
    """Shows the stages of a pipeline; new cards only where its structure changes, else they update in place.

    Args:
        theme: Where the colours come from.

    Signals:
        workers_requested(str, int): The stage is to have so many workers.
    """

    workers_requested = Signal(str, int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._structure: tuple[str, ...] = ()
        self._can_change_workers = False
        self._stages: tuple[StageProgress, ...] = ()
        self.cards: list[StageCard] = []
        self.gauges: list[QueueGauge] = []
        self.sentence = TextCell(theme, ui_font(13))
        self.remedy = QPushButton("Add a worker")
        self.empty_label = QLabel()
        self._empty = QFrame()
        self._strip = QWidget()
        self._strip_layout = QHBoxLayout(self._strip)
        self._remedied: Bottleneck | None = None
        self._scroll = QScrollArea()
        self._pages = QStackedWidget()
        self._lay_out()
        theme.changed.connect(self._follow_theme)
        self.clear("")

    def show_stages(self, stages: Sequence[StageProgress], bottleneck: Bottleneck | None) -> None:
        """Show the stages at one moment.

        Args:
            stages: In the order items pass them.
            bottleneck: The one that holds up the others, if there is one.
        """
        wanted = tuple(stages)
        structure = tuple(stage.name for stage in wanted)
        if structure != self._structure:
            self._build(wanted, structure)
        elif _began_anew(self._stages, wanted):
            for card in self.cards:
                card.restart()
        self._stages = wanted
        for stage, card in zip(wanted, self.cards, strict=True):
            card.show_stage(stage)
            card.set_bottleneck(bottleneck is not None and bottleneck.index == stage.index)
        for stage, gauge in zip(wanted[1:], self.gauges, strict=True):
            gauge.set_queue(stage.queued, stage.capacity)
        self._show_sentence(bottleneck)
        self._pages.setCurrentWidget(self._scroll)

    def show_curves(self, rates: Sequence[Sequence[float]]) -> None:
        """Show how the rates of the stages went over a whole run, `sparkline.SAMPLES` of each."""
        for card, curve in zip(self.cards, rates, strict=False):
            card.show_curve(curve)

    def set_can_change_workers(self, can_change: bool) -> None:
        """Say whether stages can be given more or fewer workers now."""
        if can_change != self._can_change_workers:
            self._can_change_workers = can_change
            for card in self.cards:
                card.set_can_change_workers(can_change)

    def _let_tab_reach(self, place: int) -> None:
        """Tab comes to one card, from which the arrow keys lead to the others: there may be many."""
        for number, card in enumerate(self.cards):
            is_it = number == place
            card.setFocusPolicy(Qt.FocusPolicy.TabFocus if is_it else Qt.FocusPolicy.NoFocus)
            if is_it:
                self.setTabOrder(self.remedy, card)  # else it comes last, made after all others

    @Slot(int)
    def _go_to_neighbour(self, step: int) -> None:
        here = next((place for place, card in enumerate(self.cards) if card.hasFocus()), None)
        if here is None or not 0 <= here + step < len(self.cards):
            return
        self._let_tab_reach(here + step)
        self.cards[here + step].setFocus(Qt.FocusReason.TabFocusReason)
        self._scroll.ensureWidgetVisible(self.cards[here + step], 0, 0)

    def _show_sentence(self, bottleneck: Bottleneck | None) -> None:
        text = bottleneck.sentence if bottleneck is not None else ""
        if text != self.sentence.text:
            self.sentence.set_text(text)
            self.sentence.setMaximumWidth(self.sentence.text_width() + 1)
        self.remedy.setVisible(bottleneck is not None and self._can_change_workers)
        if bottleneck is not None:
            stage = self._stages[bottleneck.index]
            self.remedy.setToolTip(f"Let {stage.name} work on {stage.workers + 1} items at once")
        self._remedied = bottleneck

    def clear(self, text: str) -> None:
        """Show no stages but a text: what will appear here, and how to get it."""
        self._build((), ())
        self._stages = ()
        self._show_sentence(None)
        self.empty_label.setText(text)
        self._pages.setCurrentWidget(self._empty)

    def _build(self, stages: Sequence[StageProgress], structure: tuple[str, ...]) -> None:
        while (item := self._strip_layout.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.cards = [StageCard(stage, self._theme) for stage in stages]
        for card in self.cards:
            card.set_can_change_workers(self._can_change_workers)
            card.workers_requested.connect(self.workers_requested)
            card.neighbour_requested.connect(self._go_to_neighbour)
        self.gauges = [QueueGauge(stage.name, self._theme) for stage in stages[1:]]
        for place, card in enumerate(self.cards):
            if place:
                self._strip_layout.addWidget(self.gauges[place - 1])
            self._strip_layout.addWidget(card, 1)
        # Cards that have reached their greatest width leave the rest of the row empty, at its end.
        self._strip_layout.addStretch(0)
        self._let_tab_reach(0)
        self._structure = structure
        self._strip.setMinimumWidth(len(self.cards) * CARD_LEAST_WIDTH + len(self.gauges) * GAUGE_WIDTH)
        self._fit_height()

    def _lay_out(self) -> None:
        self._strip_layout.setContentsMargins(0, 0, 0, 0)
        self._strip_layout.setSpacing(0)
        self._strip_layout.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._scroll.setWidget(self._strip)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setAccessibleName("Stages")
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its cards take the keyboard
        for ground in (self._strip, self._scroll.viewport()):
            ground.setAutoFillBackground(False)
        set_kind(self._empty, "card")
        set_kind(self.empty_label, "secondary")
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty_label.setWordWrap(True)
        QVBoxLayout(self._empty).addWidget(self.empty_label)
        self._pages.addWidget(self._scroll)
        self._pages.addWidget(self._empty)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(_SENTENCE_GAP_PX)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.sentence, 1, Qt.AlignmentFlag.AlignVCenter)
        line.addWidget(self.remedy, 0, Qt.AlignmentFlag.AlignVCenter)
        line.addStretch(0)
        set_kind(self.remedy, "link")
        place = self.remedy.sizePolicy()
        place.setRetainSizeWhenHidden(True)
        self.remedy.setSizePolicy(place)
        self.remedy.clicked.connect(self._request_worker)
        column.addWidget(self._pages)
        column.addLayout(line)

    def _fit_height(self) -> None:
        """Make room for the scroll bar only where there is one."""
        scrolls = self._strip.minimumWidth() > self.width()
        self._pages.setFixedHeight(CARD_HEIGHT + (_SCROLL_BAR_PX if scrolls else 0))

    @Slot()
    def _request_worker(self) -> None:
        if self._remedied is not None:
            stage = self._stages[self._remedied.index]
            self.workers_requested.emit(stage.name, stage.workers + 1)

    @Slot()
    def _follow_theme(self) -> None:
        for card in self.cards:
            card.follow_theme()
        self.update()

    def minimumSizeHint(self) -> QSize:
        return QSize(CARD_LEAST_WIDTH, super().minimumSizeHint().height())

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self._fit_height()


def _began_anew(before: Sequence[StageProgress], now: Sequence[StageProgress]) -> bool:
    """Whether the figures are of another run: what is done never gets less within one, what failed may."""
    return any(new.done < old.done for old, new in zip(before, now, strict=True))
