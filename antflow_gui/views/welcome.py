"""The page before a file is open: a script, a recorded run, the example, or one that was open before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QRectF, Qt, Signal, Slot
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from antflow_gui.theme import Theme, set_kind, ui_font
from antflow_gui.views.elided_label import ElidedLabel
from antflow_gui.views.recent_row import RecentEntry, RecentRow

__all__ = ["RecentEntry", "WelcomePage"]

_COLUMN_WIDTH = 720
_NO_RECENT = "Scripts and recorded runs you open appear here, with how the run ended."
_SHORTCUTS = (("Ctrl+O", "open"), ("Ctrl+R", "run"), ("Ctrl+F", "search events"), ("?", "keys"))


class WelcomePage(QWidget):
    """Offers what can be opened; the main window takes dropped files and lights the page up meanwhile.

    Args:
        theme: Where the colours come from.

    Signals:
        open_requested: A script is to be chosen.
        recorded_requested: A recorded run is to be chosen.
        example_requested: The example is to be opened.
        recent_requested: The file with this path is to be opened.
        record_toggled: Runs are to be recorded, or not.
    """

    open_requested = Signal()
    recorded_requested = Signal()
    example_requested = Signal()
    record_toggled = Signal(bool)
    recent_requested = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._drop_highlight = False
        self.rows: list[RecentRow] = []
        self.open_button = QPushButton("Open script…")
        self.recorded_button = QPushButton("Open recorded run…")
        self.example_button = QPushButton("Try the example")
        self.record_switch = QCheckBox("Record runs")
        self.record_note = ElidedLabel("Copy path")
        self.no_recent_label = QLabel(_NO_RECENT)
        self._recent_list = QVBoxLayout()
        self._lay_out()
        self.open_button.clicked.connect(self._request_open)
        self.recorded_button.clicked.connect(self._request_recorded)
        self.example_button.clicked.connect(self._request_example)
        self.record_switch.clicked.connect(self.record_toggled)
        theme.changed.connect(self._follow_theme)
        self.show_recent(())

    def show_recent(self, entries: Sequence[RecentEntry]) -> None:
        """List recent files in the order given, without those that are gone."""
        for row in self.rows:
            row.hide()
            row.deleteLater()
        self.rows = [RecentRow(entry, self._theme) for entry in entries if Path(entry.path).is_file()]
        for row in self.rows:
            row.clicked.connect(self._request_recent)
            self._recent_list.addWidget(row)
        self.no_recent_label.setVisible(not self.rows)

    def show_recording(self, is_on: bool, folder: Path) -> None:
        """Show whether runs are recorded, and where."""
        self.record_switch.setChecked(is_on)
        self.record_note.set_full_text(
            f"into {folder}" if is_on else "Each run goes into a file that can be opened again"
        )

    def set_drop_highlight(self, highlighted: bool) -> None:
        """Show that a file held over the window may be dropped."""
        if highlighted != self._drop_highlight:
            self._drop_highlight = highlighted
            self.update()

    def _lay_out(self) -> None:
        column = QWidget()
        column.setMaximumWidth(_COLUMN_WIDTH)
        inner = QVBoxLayout(column)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(0)
        inner.addWidget(_label("Open a pipeline script", "title"))
        inner.addSpacing(10)
        inner.addWidget(self._sentence())
        inner.addSpacing(14)
        inner.addLayout(self._buttons())
        inner.addSpacing(12)
        inner.addLayout(self._recording())
        inner.addSpacing(20)
        inner.addWidget(self._recent_card())
        inner.addSpacing(20)
        inner.addWidget(_label("   ·   ".join(f"{key} {act}" for key, act in _SHORTCUTS), "tertiary"))
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(column, 100)
        row.addStretch(1)
        page = QVBoxLayout(self)
        page.setContentsMargins(24, 16, 24, 16)
        # A little above the middle is where the eye takes the middle to be.
        page.addStretch(5)
        page.addLayout(row)
        page.addStretch(6)

    def _sentence(self) -> QLabel:
        sentence = _label(
            "Any Python file written for AntFlow, unchanged, or a recorded run. Drop it here, or choose one.",
            "secondary",
        )
        sentence.setFont(ui_font(14))
        sentence.setWordWrap(True)
        return sentence

    def _buttons(self) -> QHBoxLayout:
        set_kind(self.open_button, "primary")
        self.open_button.setToolTip("Choose a Python file (Ctrl+O)")
        self.example_button.setToolTip("Open a small pipeline that comes with the app")
        row = QHBoxLayout()
        row.setSpacing(8)
        self.recorded_button.setToolTip("Choose a run file, or an export of one (Ctrl+Shift+O)")
        for button in (self.open_button, self.recorded_button, self.example_button):
            button.setProperty("size", "large")
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _recording(self) -> QHBoxLayout:
        self.record_switch.setToolTip(
            "Holds from the next run on; Settings has the same switch, and the folder"
        )
        set_kind(self.record_note, "tertiary")
        self.record_note.setFont(ui_font(12))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.record_switch)
        row.addWidget(self.record_note, 1)
        return row

    def _recent_card(self) -> QFrame:
        card = QFrame()
        set_kind(card, "card")
        title = _label("Recent", "secondary")
        title.setFont(ui_font(12, 500))
        title.setContentsMargins(16, 0, 16, 2)
        set_kind(self.no_recent_label, "tertiary")
        self.no_recent_label.setContentsMargins(16, 2, 16, 4)
        self._recent_list.setSpacing(0)
        inner = QVBoxLayout(card)
        inner.setContentsMargins(0, 10, 0, 6)
        inner.setSpacing(2)
        inner.addWidget(title)
        inner.addWidget(self.no_recent_label)
        inner.addLayout(self._recent_list)
        return card

    @Slot()
    def _request_open(self) -> None:
        self.open_requested.emit()

    @Slot()
    def _request_recorded(self) -> None:
        self.recorded_requested.emit()

    @Slot()
    def _request_example(self) -> None:
        self.example_requested.emit()

    @Slot()
    def _request_recent(self) -> None:
        row = self.sender()
        if isinstance(row, RecentRow):
            self.recent_requested.emit(row.entry.path)

    @Slot()
    def _follow_theme(self) -> None:
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self._drop_highlight:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.color("accent"), 2, Qt.PenStyle.DashLine))
        painter.setBrush(self._theme.color("selection"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(12, 12, -12, -12), 12, 12)


def _label(text: str, kind: str) -> QLabel:
    label = QLabel(text)
    set_kind(label, kind)
    return label
