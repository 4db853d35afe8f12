"""The small dialogs: arguments, keys, help, about, the question before closing; none blocks."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeySequence, QTextTable
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from antflow_core import __version__
from antflow_core.resources import resource_path
from antflow_gui.actions.commands import Command
from antflow_gui.theme import mono_font, set_kind


class ArgumentsDialog(QDialog):
    """Asks for the script's arguments as a command line has them.

    Signals:
        run_requested(list): The arguments, split as a shell would.
    """

    run_requested = Signal(list)

    def __init__(self, script: str, args: Sequence[str], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Run with arguments")
        self.field = QLineEdit(shlex.join(args))
        self.field.setFont(mono_font())
        self.field.setPlaceholderText("--limit 500 'two words'")
        self.field.setAccessibleName("Arguments")
        self.field.setMinimumWidth(420)
        self.fault = QLabel()
        set_kind(self.fault, "secondary")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        run = self.buttons.addButton("Run", QDialogButtonBox.ButtonRole.AcceptRole)
        set_kind(run, "primary")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(QLabel(f"Arguments for {script}, as on a command line:"))
        for widget in (self.field, self.fault, self.buttons):
            layout.addWidget(widget)
        self.buttons.accepted.connect(self._run)
        self.buttons.rejected.connect(self.reject)
        self.field.textEdited.connect(self._check)

    @Slot(str)
    def _check(self, text: str) -> bool:
        try:
            shlex.split(text)
        except ValueError as error:
            self.fault.setText(f"{error}: close the quotation mark, or remove it.")
            return False
        self.fault.setText("")
        return True

    @Slot()
    def _run(self) -> None:
        if self._check(self.field.text()):
            self.run_requested.emit(shlex.split(self.field.text()))
            self.accept()


class KeysDialog(QDialog):
    """Every command with its key, made from the one list of commands."""

    def __init__(self, commands: Sequence[Command], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keyboard shortcuts")
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(8)
        for row, command in enumerate(entry for entry in commands if entry.shortcuts):
            keys = QLabel(" or ".join(_native(keys) for keys in command.shortcuts))
            keys.setFont(mono_font())
            title = QLabel(command.title.replace("&", "").rstrip("…"))
            hint = QLabel(command.hint)
            set_kind(hint, "secondary")
            for column, label in enumerate((keys, title, hint)):
                grid.addWidget(label, row, column)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(16)
        layout.addLayout(grid)
        layout.addWidget(buttons)
        buttons.rejected.connect(self.reject)


class HelpDialog(QDialog):
    """A page of the help, as it stands in the package.

    Args:
        title: Of the window.
        page: The page as Markdown.
        parent: Owner.
    """

    def __init__(self, title: str, page: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.resize(720, 560)
        self.text = QTextBrowser()
        self.text.setOpenExternalLinks(True)
        self.text.setMarkdown(page)
        self.text.document().setDocumentMargin(12)
        _calm_tables(self.text)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(self.text)
        layout.addWidget(buttons)
        buttons.rejected.connect(self.reject)


def _calm_tables(text: QTextBrowser) -> None:
    """Draw thin lines in the tables of a page, as elsewhere; Qt draws them in the colour of the text."""
    for frame in text.document().rootFrame().childFrames():
        if isinstance(frame, QTextTable):
            form = frame.format()
            form.setBorderBrush(text.palette().mid())
            form.setBorderCollapse(True)
            form.setCellPadding(4)
            frame.setFormat(form)


def open_help(title: str, page: str, parent: QWidget) -> None:
    """Show a page of the help, named as its file is."""
    text = resource_path("help", page).read_text(encoding="utf-8")
    HelpDialog(title, text, parent).open()


def open_about(log_file: str, parent: QWidget) -> QMessageBox:
    """Say what this is, its version, and where its log is."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle("About AntFlow Desk")
    box.setText(f"AntFlow Desk {__version__}")
    box.setInformativeText(f"Run, watch and inspect asyncio pipelines.\n\nLog file: {log_file}")
    box.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    box.setStandardButtons(QMessageBox.StandardButton.Close)
    box.open()
    return box


class CloseQuestion(QMessageBox):
    """Asks whether a run that is going on is to be cancelled.

    Signals:
        confirmed: Cancel it and close.
    """

    confirmed = Signal()

    def __init__(self, script: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("A run is going on")
        self.setText(f"{script} is still running.")
        self.setInformativeText("Closing the window cancels the items in hand and drops the queued ones.")
        self.cancel_button = self.addButton(
            "Cancel the run and close", QMessageBox.ButtonRole.DestructiveRole
        )
        self.stay_button = self.addButton("Keep running", QMessageBox.ButtonRole.RejectRole)
        self.setDefaultButton(self.stay_button)
        self.setEscapeButton(self.stay_button)
        self.buttonClicked.connect(self._answer)

    @Slot(object)
    def _answer(self, button: object) -> None:
        if button is self.cancel_button:
            self.confirmed.emit()


def _native(keys: str) -> str:
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
