"""The search box: typing is taken after a short pause, Return at once, Esc clears; words are completed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetricsF,
    QHideEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QLineEdit, QWidget

from antflow_core.search.completion import Candidate, Completions
from antflow_gui.theme import Theme, mono_font
from antflow_gui.views.completion_list import CompletionList

_PAUSE_MS = 150
_PATIENCE_MS = 1_000
"""So long a mistake where the cursor is may be one only because the next word has still to be typed."""
_WAVE_STEP, _WAVE_HEIGHT = 3.0, 2.0
_PADDING, _CLEAR_BUTTON = 8.0, 28.0
_HELP = (
    "Words are looked for in items, stages, workers, tasks and errors.\n"
    'status:failed,retrying   stage:Parse   item:"a b"   item:test/*   duration:>1.5s   last:5m\n'
    "-word leaves out   a OR b   (…)   Ctrl+Space shows what may follow"
)

Complete = Callable[[str, int], Completions]
"""What may stand at a place of a query."""


class SearchBox(QLineEdit):
    """A line for a query.

    A list below it offers what may follow: Down goes into it, Tab takes the first, Return the chosen one, Esc
    closes it. As long as none is chosen, Return enters the query as it is.

    Args:
        theme: Colours.
        complete: Gives what may follow; nothing is offered without it.
        parent: Owner.

    Signals:
        query_entered(str): The text to search for changed, and typing has paused.
    """

    query_entered = Signal(str)

    def __init__(self, theme: Theme, complete: Complete | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._complete = complete
        self._marked: tuple[int, int] | None = None
        self._offered_at = 0
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._announce)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self._announce_held)
        self._holds_back = False
        self.setFont(mono_font(12))
        self.setPlaceholderText("Search: status:failed  stage:Parse  item:…")
        self.setAccessibleName("Search events")
        self.setToolTip(_HELP)
        self.setClearButtonEnabled(True)
        self.list = CompletionList(self, theme)
        self.list.chosen.connect(self._take)
        self.textEdited.connect(self._note_typing)
        self.textChanged.connect(self._unmark)
        self.cursorPositionChanged.connect(self._note_move)
        self.returnPressed.connect(self._announce_entered)

    def enter(self, text: str) -> None:
        """Put a query into the box and announce it at once."""
        self.list.hide()
        self.setText(text)
        self.setCursorPosition(0)  # a query that is longer than the box shows its beginning
        self._announce_entered()

    def mark(self, start: int, stop: int) -> None:
        """Underline what is faulty, until the text changes; an empty part is the place behind a character."""
        self._marked = (start, stop) if stop > start else (max(start - 1, 0), max(stop, 1))
        self.update()

    def holds_back(self, end: int) -> bool:
        """Whether a mistake that ends at a place is none yet, because the query is still being typed.

        When it has become one, the query is announced again.
        """
        if self.list.isVisible():
            return True
        is_at_cursor = self.cursorPosition() == len(self.text()) and end >= len(self.text().rstrip())
        self._holds_back = is_at_cursor and self._patience.isActive()
        return self._holds_back

    @property
    def marked_text(self) -> str:
        """What is underlined."""
        return self.text()[slice(*self._marked)] if self._marked is not None else ""

    @Slot()
    def _announce(self) -> None:
        self._pause.stop()
        self._holds_back = False
        self.query_entered.emit(self.text())

    @Slot()
    def _announce_entered(self) -> None:
        self._patience.stop()
        self._announce()

    @Slot()
    def _announce_held(self) -> None:
        if self._holds_back:
            self._announce()

    @Slot()
    def _note_typing(self) -> None:
        self._pause.start()
        self._patience.start()
        self._offer()

    @Slot()
    def _unmark(self) -> None:
        self._marked = None

    @Slot()
    def _note_move(self) -> None:
        """What is offered is for the place where it was asked for."""
        if self.cursorPosition() != self._offered_at:
            self.list.hide()

    def _offer(self) -> None:
        self._offered_at = self.cursorPosition()
        if self._complete is not None:
            self.list.offer(self._complete(self.text(), self.cursorPosition()))

    @Slot(object)
    def _take(self, candidate: Candidate) -> None:
        """Put a candidate in its place, as one step that can be undone, and go on with what follows it."""
        place = self.list.completions
        self.setSelection(place.start, place.stop - place.start)
        self.insert(candidate.text)
        self._pause.start()
        if candidate.text.endswith(":"):
            self._offer()
        else:
            self.list.hide()

    def _close_list(self) -> None:
        """Close the list; what was held back while it was open is said now."""
        if self.list.isVisible():
            self.list.hide()
            self._patience.stop()
            self._pause.start()

    def _steer_list(self, event: QKeyEvent) -> bool:
        """Whether a key was meant for the list, which is open."""
        key, chosen = event.key(), self.list.current
        if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            self.list.move_by(1 if key == Qt.Key.Key_Down else -1)
        elif key == Qt.Key.Key_Escape:
            self._close_list()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and chosen is not None:
            self._take(chosen)
        else:
            return False
        return True

    def _asks_for_list(self, event: QKeyEvent) -> bool:
        if event.key() == Qt.Key.Key_Down:
            return True
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        return event.key() == Qt.Key.Key_Space and bool(control)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.list.isVisible():
            if self._steer_list(event):
                return
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.list.hide()
        elif self._asks_for_list(event):
            self._offer()
            return
        elif event.key() == Qt.Key.Key_Escape and self.text():
            self.enter("")
            return
        super().keyPressEvent(event)

    def focusNextPrevChild(self, next: bool) -> bool:  # noqa: A002  the name is Qt's
        if next and self.list.isVisible():
            self._take(self.list.current or self.list.completions.candidates[0])
            return True
        return super().focusNextPrevChild(next)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._close_list()
        super().focusOutEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self.list.hide()
        super().hideEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.list.hide()
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._marked is not None:
            self._paint_wave(*self._marked)

    def _paint_wave(self, start: int, stop: int) -> None:
        """Draw a wave below a part of the text, which may have been scrolled."""
        metrics = QFontMetricsF(self.font())
        text, cursor = self.text(), self.cursorRect()
        # The cursor is the one place of the text whose position Qt tells.
        origin = cursor.center().x() + 1 - metrics.horizontalAdvance(text[: self.cursorPosition()])
        left = max(origin + metrics.horizontalAdvance(text[:start]), _PADDING)
        right = min(origin + metrics.horizontalAdvance(text[:stop]), self.width() - _CLEAR_BUTTON)
        base = self.height() / 2 + metrics.ascent() / 2 + _WAVE_HEIGHT
        points, up = QPolygonF(), False
        while left < right:
            points.append(QPointF(left, base - _WAVE_HEIGHT if up else base))
            left, up = left + _WAVE_STEP, not up
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.status_color("failed"), 1.2))
        painter.drawPolyline(points)
