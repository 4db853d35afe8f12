"""The Console panel: what the script prints, in batches, the newest lines kept."""

from __future__ import annotations

import time
from collections import deque
from itertools import groupby
from operator import itemgetter

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QFocusEvent, QGuiApplication, QTextBlockFormat, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from antflow_core.units import format_count, plural
from antflow_gui.models.console_text import TerminalLines
from antflow_gui.theme import Theme, mono_font, set_kind, ui_font
from antflow_gui.views.empty_note import EmptyNote
from antflow_gui.views.follow_tail import FollowTail
from antflow_gui.views.text_cell import TextCell

LINES_KEPT = 10_000
_BATCH_MS = 50
# About 20 µs a line, twice that where the streams alternate.
_BATCH_LINES = 500
_REST = 4
"""In a flood, so many times as long as a batch took until the next: the script has the loop for the rest."""
_STDERR = "stderr"
_NOT_RECORDED = "A recording does not keep what the script printed."
_EMPTY = "What the script prints appears here; lines from stderr have a shaded ground."

_Line = tuple[str, str]


class ConsoleView(QWidget):
    """Shows a script's output; call it on the GUI thread.

    Args:
        theme: Colours.
        parent: Owner.

    Signals:
        line_count_changed(int): Lines written so far, the dropped ones included.
    """

    line_count_changed = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._lines: deque[_Line] = deque(maxlen=LINES_KEPT)
        self._pending: deque[_Line] = deque(maxlen=LINES_KEPT)
        self._streams: dict[str, TerminalLines] = {}
        self._written = 0
        self._open_blocks = 0
        self._blocks = 0
        self._empty_words = _EMPTY
        self.output = QPlainTextEdit()
        self.tail = FollowTail(self.output)
        self.note = EmptyNote(self.output.viewport())
        self.count_label = TextCell(theme, ui_font(12), "text_secondary")
        self.follow_button = QPushButton("Following")
        self.copy_button = QPushButton("Copy all")
        self.clear_button = QPushButton("Clear")
        self._batch = QTimer(self)
        self._arrange()
        self._connect()
        self._show_following(True)
        self._show_counts()

    def _arrange(self) -> None:
        self.output.setReadOnly(True)
        self.output.setUndoRedoEnabled(False)
        self.output.setFont(mono_font(12))
        self.output.setFrameShape(QFrame.Shape.NoFrame)
        self.output.setStyleSheet("QPlainTextEdit { border: none; }")
        self.output.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.output.setMaximumBlockCount(LINES_KEPT)
        self.output.document().setDocumentMargin(12)
        self.output.setAccessibleName("Output of the script")
        self.output.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        facts = QHBoxLayout()
        facts.setContentsMargins(14, 8, 12, 4)
        facts.addWidget(self.count_label, 1)
        for button in (self.follow_button, self.copy_button, self.clear_button):
            set_kind(button, "link")
            facts.addWidget(button)
        self.follow_button.setCheckable(True)
        self.follow_button.setFixedWidth(self.follow_button.sizeHint().width() + 8)
        self.copy_button.setToolTip("Copy every line that is kept")
        self.clear_button.setToolTip("Empty the console; the script goes on")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 0, 1, 1)
        layout.setSpacing(0)
        layout.addLayout(facts)
        layout.addWidget(self.output, 1)

    def _connect(self) -> None:
        self._batch.setSingleShot(True)
        self._batch.setInterval(_BATCH_MS)
        self._batch.timeout.connect(self._show_batch)
        self.follow_button.clicked.connect(self.tail.set_following)
        self.tail.changed.connect(self._show_following)
        self.copy_button.clicked.connect(self.copy_all)
        self.clear_button.clicked.connect(self.clear)
        self._theme.changed.connect(self._draw_again)

    @property
    def dropped(self) -> int:
        """Lines that were written and are no longer kept."""
        return self._written - len(self._lines) - len(self._pending)

    def text(self) -> str:
        """Everything that is kept, one line after the other."""
        self.flush()
        return self.output.toPlainText()

    @Slot(str, str)
    def append_text(self, text: str, stream: str) -> None:
        """Take in what a stream, ``stdout`` or ``stderr``, was given; it is shown with the next batch."""
        terminal = self._streams.get(stream)
        if terminal is None:
            terminal = self._streams[stream] = TerminalLines()
        finished = terminal.feed(text)
        self._written += len(finished)
        self._pending.extend((line, stream) for line in finished)
        if not self._batch.isActive():
            self._batch.start(_BATCH_MS)

    def flush(self) -> None:
        """Show everything that has come, at once."""
        self._batch.stop()
        self._show(len(self._pending))

    @Slot()
    def _show_batch(self) -> None:
        """Show some of what has come; a flood is shown in turns, so that the window goes on living."""
        began = time.perf_counter()
        self._show(_BATCH_LINES)
        if self._pending:
            took_ms = (time.perf_counter() - began) * 1000
            self._batch.start(max(_BATCH_MS, round(took_ms * _REST)))

    def _show(self, most: int) -> None:
        """Add lines at the end of the document, at most so many."""
        lines = [self._pending.popleft() for _ in range(min(most, len(self._pending)))]
        selected = self.output.textCursor()
        anchor, position = selected.anchor(), selected.position()
        cursor = QTextCursor(self.output.document())
        cursor.beginEditBlock()
        self._remove_open_lines(cursor)
        self._insert(cursor, lines)
        self._lines.extend(lines)
        still_open = [(lines.open_line, name) for name, lines in self._streams.items() if lines.open_line]
        self._insert(cursor, still_open)
        self._open_blocks = len(still_open)
        cursor.endEditBlock()
        if anchor != position:
            self._select_again(anchor, position)
        self._show_counts()
        self.line_count_changed.emit(self._written)

    def _select_again(self, anchor: int, position: int) -> None:
        """A selection that reached the end must not grow; once lines are dropped, places are others."""
        if self.dropped:
            return
        selection = self.output.textCursor()
        end = self.output.document().characterCount() - 1
        selection.setPosition(min(anchor, end))
        selection.setPosition(min(position, end), QTextCursor.MoveMode.KeepAnchor)
        self.output.setTextCursor(selection)

    @Slot()
    def clear(self) -> None:
        """Forget everything written so far."""
        self._batch.stop()
        self._lines.clear()
        self._pending.clear()
        self._streams.clear()
        self._written = self._open_blocks = self._blocks = 0
        self.output.clear()
        self._show_counts()
        self.line_count_changed.emit(0)

    @Slot()
    def copy_all(self) -> None:
        """Put every line that is kept on the clipboard."""
        QGuiApplication.clipboard().setText(self.text())

    def _insert(self, cursor: QTextCursor, lines: list[_Line]) -> None:
        """Add lines at the end, neighbours of one stream in one piece."""
        for stream, group in groupby(lines, key=itemgetter(1)):
            words = "\n".join(line for line, _ in group)
            cursor.movePosition(QTextCursor.MoveOperation.End)
            block, letters = self._formats(stream)
            # A document has one block even before anything was written.
            if self._blocks:
                cursor.insertBlock(block)
            else:
                cursor.setBlockFormat(block)
            cursor.insertText(words, letters)
            self._blocks += words.count("\n") + 1

    def _remove_open_lines(self, cursor: QTextCursor) -> None:
        """Take back the lines shown before they had an end; they come again as they stand now."""
        for _ in range(self._open_blocks):
            cursor.movePosition(QTextCursor.MoveOperation.End)
            cursor.movePosition(QTextCursor.MoveOperation.StartOfBlock, QTextCursor.MoveMode.KeepAnchor)
            cursor.removeSelectedText()
            cursor.deletePreviousChar()
        self._blocks -= self._open_blocks
        self._open_blocks = 0

    def _formats(self, stream: str) -> tuple[QTextBlockFormat, QTextCharFormat]:
        block, letters = QTextBlockFormat(), QTextCharFormat()
        letters.setForeground(self._theme.color("text"))
        if stream == _STDERR:
            block.setBackground(self._theme.color("raised"))
            letters.setForeground(self._theme.color("text_secondary"))
        return block, letters

    def set_recorded(self, recorded: bool) -> None:
        """Say what is to be expected here while nothing is: of a recorded run, nothing at all."""
        self._empty_words = _NOT_RECORDED if recorded else _EMPTY
        self._show_counts()

    def _show_counts(self) -> None:
        words = plural(self._written, "line")
        if self.dropped > 0:
            words += f" · the first {format_count(self.dropped)} dropped, {format_count(LINES_KEPT)} are kept"
        self.count_label.set_text(words)
        self.note.show_text("" if self._written or self._open_blocks else self._empty_words)

    @Slot(bool)
    def _show_following(self, following: bool) -> None:
        self.follow_button.setChecked(following)
        self.follow_button.setText("Following" if following else "Follow")
        self.follow_button.setToolTip(
            "The newest line stays in view; scroll up, or click, to stay where you are"
            if following
            else "Go to the newest line and stay with what comes"
        )

    @Slot()
    def _draw_again(self) -> None:
        """Write every kept line again in the colours of another theme."""
        self.output.clear()
        self._open_blocks = self._blocks = 0
        lines = list(self._lines)
        cursor = QTextCursor(self.output.document())
        cursor.beginEditBlock()
        self._insert(cursor, lines)
        cursor.endEditBlock()
        self.flush()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.output.setFocus(event.reason())
