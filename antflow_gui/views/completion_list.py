"""The list of completions below a line of text; it never takes the keyboard from it."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
)

from antflow_core.search.completion import Candidate, Completions
from antflow_gui.models.completions import NOTE_ROLE, CompletionsModel
from antflow_gui.theme import Theme, mono_font, set_kind, ui_font

_ROW_HEIGHT = 24
_PADDING = 8
_MARGIN = 5
_GAP = 2
_NARROWEST, _WIDEST = 300, 560
_MOST_ROWS = 9
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter

Index = QModelIndex | QPersistentModelIndex


class CompletionList(QFrame):
    """Lies over the window of a line of text, which asks it and is told what was chosen.

    It is a part of the window and no window of its own: those are placed at will on some desktops, and some
    take the keyboard.

    Args:
        line: The line it belongs to.
        theme: Colours.

    Signals:
        chosen(object): The user clicked a `Candidate`.
    """

    chosen = Signal(object)

    def __init__(self, line: QLineEdit, theme: Theme) -> None:
        super().__init__(line)
        self._line = line
        self._model = CompletionsModel(self)
        self.completions = Completions(0, 0, ())
        self.rows = QListView()
        self.rows.setModel(self._model)
        self.rows.setItemDelegate(_RowDelegate(theme, self.rows))
        self.rows.setFrameShape(QFrame.Shape.NoFrame)
        self.rows.setUniformItemSizes(True)
        self.rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows.setMouseTracking(True)
        self.rows.setAccessibleName("Completions")
        set_kind(self, "card")
        for widget in (self, self.rows, self.rows.viewport()):
            widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        layout.addWidget(self.rows)
        self.rows.clicked.connect(self._choose)
        self.hide()

    @property
    def current(self) -> Candidate | None:
        """The candidate the user has gone to with the keys, None while the line is still his place."""
        index = self.rows.currentIndex()
        return self._model.candidate(index.row()) if index.isValid() else None

    def offer(self, completions: Completions) -> None:
        """Show candidates, none of them chosen; hide where there are none."""
        self.completions = completions
        self._model.set_candidates(completions.candidates)
        if not completions.candidates:
            self.hide()
            return
        self.setParent(self._line.window())
        self.setGeometry(self._place())
        self.rows.scrollToTop()
        self.show()
        self.raise_()

    def move_by(self, rows: int) -> None:
        """Go up or down; above the first row and below the last lies the line itself."""
        count = self._model.rowCount()
        row = self.rows.currentIndex().row() + rows
        if row < -1:
            row = count - 1
        self.rows.setCurrentIndex(self._model.index(row) if 0 <= row < count else QModelIndex())

    def _place(self) -> QRect:
        """Below the line, or above it where there is more room, within the window."""
        window, count = self._line.window(), self._model.rowCount()
        corner = self._line.mapTo(window, QPoint(0, 0))
        below = window.height() - corner.y() - self._line.height() - 2 * _GAP
        above = corner.y() - 2 * _GAP
        frame = 2 * _MARGIN + 2
        wanted = min(count, _MOST_ROWS) * _ROW_HEIGHT + frame
        goes_below = below >= min(wanted, above)
        rows = max(1, min(wanted, below if goes_below else above) - frame) // _ROW_HEIGHT
        height = max(1, rows) * _ROW_HEIGHT + frame
        width = max(_NARROWEST, min(self._line.width(), _WIDEST))
        left = max(0, min(corner.x(), window.width() - width))
        top = corner.y() + self._line.height() + _GAP if goes_below else corner.y() - _GAP - height
        return QRect(left, top, min(width, window.width()), height)

    @Slot(QModelIndex)
    def _choose(self, index: QModelIndex) -> None:
        self.chosen.emit(self._model.candidate(index.row()))


class _RowDelegate(QStyledItemDelegate):
    """Paints a candidate: its text at the left, what it finds or how many events have it at the right."""

    def __init__(self, theme: Theme, parent: QListView) -> None:
        super().__init__(parent)
        self._theme = theme
        self._text_font, self._note_font = mono_font(12), ui_font(12)
        self._text_metrics = QFontMetrics(self._text_font)
        self._note_metrics = QFontMetrics(self._note_font)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect
        if option.state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            selected = option.state & QStyle.StateFlag.State_Selected
            painter.fillRect(rect, self._theme.color("selection" if selected else "raised"))
        inner = rect.adjusted(_PADDING, 0, -_PADDING, 0)
        text = self._text_metrics.elidedText(index.data(), Qt.TextElideMode.ElideMiddle, inner.width())
        painter.setFont(self._text_font)
        painter.setPen(self._theme.color("text"))
        painter.drawText(inner, _LEFT, text)
        room = inner.width() - self._text_metrics.horizontalAdvance(text) - 2 * _PADDING
        note = self._note_metrics.elidedText(index.data(NOTE_ROLE), Qt.TextElideMode.ElideRight, max(room, 0))
        painter.setFont(self._note_font)
        painter.setPen(self._theme.color("text_secondary"))
        painter.drawText(inner, _RIGHT, note)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(_NARROWEST, _ROW_HEIGHT)
