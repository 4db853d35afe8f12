"""The suite's own watch over Qt: a window or a warning that a test leaves behind fails it."""

from __future__ import annotations

from pathlib import Path

from tests.support.watched import complaints

_SOURCE = """\
from PySide6.QtCore import qWarning
from PySide6.QtWidgets import QWidget

kept = []

def test_window(qapp): kept.append(QWidget())
def test_message(qapp): qWarning("upside down")
def test_silence(expect_qt_message): expect_qt_message("never")

def test_closed_window(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
def test_forgotten_window(qapp): QWidget().show()
def test_expected_message(expect_qt_message):
    expect_qt_message("upside")
    qWarning("upside down")
"""


def test_what_a_test_leaves_or_qt_says_unexpectedly_fails_it_and_nothing_else_does(tmp_path: Path) -> None:
    assert complaints(tmp_path, _SOURCE) == {
        "test_window": "Failed: Windows are left: QWidget ''",
        "test_message": "Failed: Unexpected messages of Qt:",
        "test_silence": "Failed: Expected messages of Qt that did not come: ['never']; heard: []",
    }
