"""What was recorded of an item's value at each stage, a line each that opens to the whole text."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QResizeEvent, QTextOption
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from antflow_core.run_files.run_records import StageValue
from antflow_gui.theme import mono_font, set_kind
from antflow_gui.views.traceback_box import TracebackBox

_LONGEST_LINE = 400
"""More is never in view; eliding a text of a megabyte at each step of a resize would be felt."""
_ARROW_PX = 40
"""The arrow with all that is around it and the words; where they have less room, Qt cuts out their middle."""


class ItemValues(QWidget):
    """Lists values in the order of the stages; hidden where none were recorded.

    Args:
        parent: Owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: list[ValueEntry] = []
        self._values: tuple[StageValue, ...] = ()
        heading = QLabel("Values")
        set_kind(heading, "strong")
        self._list = QVBoxLayout(self)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(4)
        self._list.addWidget(heading)
        self.hide()

    def show_values(self, values: Sequence[StageValue]) -> None:
        """Show these; the same ones again stay as they are, open or not."""
        if tuple(values) == self._values:
            return
        self._values = tuple(values)
        for entry in self.entries:
            entry.hide()
            entry.deleteLater()
        self.entries = [ValueEntry(value) for value in values]
        for entry in self.entries:
            self._list.addWidget(entry)
        self.setVisible(bool(self.entries))


class ValueEntry(QWidget):
    """One value: where it was, and its beginning in a line; a press shows all of it.

    Args:
        value: What was recorded.
        parent: Owner.
    """

    def __init__(self, value: StageValue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        place = "Result" if value.stage is None else f"To {value.stage}"
        self._line = " ".join(f"{place}: {value.text[:_LONGEST_LINE]}".split())
        self._text = value.text
        self.button = QToolButton()
        self.button.setCheckable(True)
        self.button.setArrowType(Qt.ArrowType.RightArrow)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.button.setFont(mono_font(12))
        self.button.setToolTip("Show all of it, as it was recorded")
        self.button.setAccessibleName(self._line)
        self.box = _ValueBox()
        self.box.setAccessibleName(place)
        self.box.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.button)
        layout.addWidget(self.box)
        self.button.toggled.connect(self._open)

    @Slot(bool)
    def _open(self, is_open: bool) -> None:
        self.button.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        if is_open:
            self.box.show_text(self._text)
        self.box.setVisible(is_open)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        room = event.size().width() - _ARROW_PX
        words = self.button.fontMetrics().elidedText(self._line, Qt.TextElideMode.ElideRight, room)
        self.button.setText(words.replace("&", "&&"))


class _ValueBox(TracebackBox):
    """A value is most often one long line, which is read best when it is wrapped."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)

    def lines(self) -> int:
        """As they are laid out at this width; a plain document's height is a number of lines."""
        return round(self.document().size().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()
