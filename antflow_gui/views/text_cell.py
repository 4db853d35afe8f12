"""A line of text whose place never depends on what it says: it elides instead of moving others."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from antflow_gui.models.script_text import plain_tip
from antflow_gui.theme import Theme, ui_font

_LEFT = Qt.AlignmentFlag.AlignLeft


class TextCell(QWidget):
    """Shows one line in a colour of the theme.

    Unlike a `QLabel` a change of text costs one repaint of its own rectangle and no layout, which counts
    where dozens of numbers change several times a second. It is measured as it is painted, so that a cell out
    of sight costs nothing.

    Args:
        theme: Where the colour comes from.
        font: The line's font.
        role: A role of the palette, or a status such as ``failed``.
        alignment: Left, right or centred.
        elide: Where a text that is too wide is cut; names of files are best cut in the middle.
    """

    def __init__(
        self,
        theme: Theme,
        font: QFont | None = None,
        role: str = "text",
        alignment: Qt.AlignmentFlag = _LEFT,
        elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._font = font if font is not None else ui_font()
        self._metrics = QFontMetrics(self._font)
        self._role = role
        self._elide = elide
        self._alignment = alignment | Qt.AlignmentFlag.AlignVCenter
        self._choices: tuple[str, ...] = ("",)
        self._reserved = 0
        self._shown: str | None = ""
        self._tip = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        """What the cell says when there is room for it."""
        return self._choices[0]

    def set_text(self, text: str, *shorter: str) -> None:
        """Show `text`; where it is too wide, the first of `shorter` that fits, or the last one cut."""
        choices = (text, *shorter)
        if choices == self._choices:
            return
        self._choices = choices
        self.setAccessibleName(text)
        self._shown = None
        self.update()

    def set_role(self, role: str) -> None:
        """Show the text in another colour."""
        if role != self._role:
            self._role = role
            self.update()

    def set_tip(self, tip: str) -> None:
        """Have a tooltip that tells more; without one it is the text, where that is cut."""
        if tip != self._tip:
            self._tip, self._shown = tip, None
            self.setToolTip(plain_tip(tip))
            self.update()

    def reserve(self, *texts: str) -> None:
        """Take a fixed width: that of the widest of these texts."""
        self._reserved = max(self._metrics.horizontalAdvance(text) for text in texts) + 1
        # A width that is to be ignored is laid out as zero, whatever its minimum.
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFixedWidth(self._reserved)

    def give_way(self, least: int) -> None:
        """Let go of reserved width where the window is narrow, down to so many pixels."""
        self._reserved = self.width()
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(least)

    def text_width(self, text: str | None = None) -> int:
        """The width the whole text needs, or another one."""
        return self._metrics.horizontalAdvance(self.text if text is None else text) + 1

    def _fitted(self) -> str:
        """What there is room for; the whole text is in the tool tip then."""
        if self._shown is None:
            self._shown = _fitting(self._choices, self._metrics, self.width(), self._elide)
            whole = plain_tip(self._tip or (self.text if self._shown != self.text else ""))
            if whole != self.toolTip():
                self.setToolTip(whole)
        return self._shown

    def sizeHint(self) -> QSize:
        return QSize(self._reserved or self.text_width(), self._metrics.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(self._reserved, self._metrics.height())

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self._shown = None

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self._font)
        painter.setPen(self._theme.color(self._role))
        painter.drawText(self.rect(), self._alignment, self._fitted())


def _fitting(choices: Sequence[str], metrics: QFontMetrics, width: int, elide: Qt.TextElideMode) -> str:
    for text in choices:
        if metrics.horizontalAdvance(text) <= width:
            return text
    return metrics.elidedText(choices[-1], elide, width)
