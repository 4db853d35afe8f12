"""A message above the page: a script's error with its traceback, or a quiet notice."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QRectF, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QIcon, QKeyEvent, QPainter, QPaintEvent, QPen, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from antflow_gui.theme import Theme, blend, mono_font, set_kind
from antflow_gui.views.icon_label import IconLabel
from antflow_gui.views.status_icon import status_pixmap

MessageKind = Literal["error", "warning", "info"]
_LOOKS = {"error": ("failed", "failed"), "warning": ("warning", "retrying"), "info": ("info", "accent")}
_TINT_SHARE = 0.06
_LEAST_LINES, _MOST_LINES = 3, 14
_SELECTABLE = Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard


class MessageBanner(QFrame):
    """Hidden until there is something to say, and again when closed.

    Args:
        theme: Where the colours come from.

    Signals:
        closed: The message was closed by hand.
    """

    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._kind: MessageKind = "info"
        self.icon = IconLabel(theme, 16)
        self.title_label = QLabel()
        self.text_label = QLabel()
        self.detail_edit = QPlainTextEdit()
        self.detail_button = QPushButton("Show details")
        self.copy_button = QPushButton("Copy")
        self.close_button = QToolButton()
        self._set_up()
        self._lay_out()
        self._follow_theme()
        theme.changed.connect(self._follow_theme)
        self.hide()

    def show_message(self, kind: MessageKind, title: str, text: str, detail: str = "") -> None:
        """Show a message in the place of the one before.

        Args:
            kind: Its weight: error, warning or info.
            title: What happened, in a few words.
            text: Where, and what to do.
            detail: What helps to find the cause, such as a traceback; opened on demand.
        """
        self._kind = kind
        icon, role = _LOOKS[kind]
        self.icon.set_icon(icon, role)
        self.icon.setAccessibleName(kind)
        self.title_label.setText(title)
        self.text_label.setText(text)
        self.text_label.setVisible(bool(text))
        self.detail_edit.setPlainText(detail)
        self.detail_button.setVisible(bool(detail))
        self.copy_button.setText("Copy")
        self._show_detail(False)
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        self.update()
        self.show()

    @property
    def message(self) -> str:
        """Title, text and detail as one text, the way Copy puts it."""
        parts = (self.title_label.text(), self.text_label.text(), self.detail_edit.toPlainText())
        return "\n\n".join(part for part in parts if part)

    def _show_detail(self, shown: bool) -> None:
        self.detail_edit.setVisible(shown)
        self.detail_button.setText("Hide details" if shown else "Show details")

    def _fit_detail(self) -> None:
        lines = min(_MOST_LINES, max(_LEAST_LINES, self.detail_edit.blockCount() + 1))
        self.detail_edit.setFixedHeight(lines * self.detail_edit.fontMetrics().lineSpacing() + 16)

    def _set_up(self) -> None:
        set_kind(self.title_label, "strong")
        for label in (self.title_label, self.text_label):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(_SELECTABLE)
            label.setWordWrap(True)
        self.detail_edit.setReadOnly(True)
        self.detail_edit.setFont(mono_font())
        self.detail_edit.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.detail_edit.setAccessibleName("Details")
        for button in (self.detail_button, self.copy_button):
            set_kind(button, "link")
        self.copy_button.setToolTip("Copy the message with its details")
        self.close_button.setAccessibleName("Close the message")
        self.close_button.setToolTip("Close (Esc)")
        self.detail_button.clicked.connect(self._toggle_detail)
        self.copy_button.clicked.connect(self._copy)
        self.close_button.clicked.connect(self._close)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.title_label)
        words.addWidget(self.text_label)
        acts = QHBoxLayout()
        acts.setSpacing(4)
        for button in (self.detail_button, self.copy_button, self.close_button):
            acts.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        line = QHBoxLayout()
        line.setSpacing(10)
        line.addWidget(self.icon, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(words, 1)
        line.addLayout(acts)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 8, 10)
        column.setSpacing(8)
        column.addLayout(line)
        column.addWidget(self.detail_edit)

    @Slot()
    def _toggle_detail(self) -> None:
        self._show_detail(self.detail_edit.isHidden())
        self._fit_detail()

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.message)
        self.copy_button.setText("Copied")

    @Slot()
    def _close(self) -> None:
        self.hide()
        self.closed.emit()

    @Slot()
    def _follow_theme(self) -> None:
        self.close_button.setIcon(QIcon(self._cross()))
        self.update()

    def _cross(self) -> QPixmap:
        color = self._theme.color("text_secondary")
        return status_pixmap("failed", 12, color, self.devicePixelRatioF())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit_detail()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._close()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = self._theme.color(_LOOKS[self._kind][1])
        surface = self._theme.color("surface")
        painter.setPen(QPen(blend(surface, color, 0.5), 1))
        painter.setBrush(blend(surface, color, _TINT_SHARE))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
