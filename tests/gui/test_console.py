"""The Console panel, and the terminal text it shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSlider
from pytestqt.qtbot import QtBot

from antflow_gui.models.console_text import TerminalLines
from antflow_gui.theme import Theme, ThemeMode
from antflow_gui.views.console import LINES_KEPT, ConsoleView

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[ConsoleView]:
    view = ConsoleView(Theme(ThemeMode.LIGHT))
    qtbot.addWidget(view)
    view.resize(600, 300)
    view.show()
    qtbot.waitExposed(view)
    yield view
    view.hide()


@pytest.mark.parametrize(
    ("pieces", "lines", "still_open"),
    [
        (["one\ntwo\nthr", "ee"], ["one", "two"], "three"),
        (["one\r\ntwo\r", "\n"], ["one", "two"], ""),
        (["10 %\r50 %\r100 %\n"], ["100 %"], ""),
        (["long line\rshort\n"], ["shortline"], ""),
        (["long line\r\x1b[Kshort\n"], ["short"], ""),
        (["long line\x1b[2K\rshort\n"], ["short    "], ""),
        (["\x1b[1;31mred\x1b[0m\x1b]0;title\x07 plain\n"], ["red plain"], ""),
        (["a\x1b[3", "2mb\n"], ["ab"], ""),
        (["typo\b\be\n"], ["tyeo"], ""),
        (["bell\x07 and\x00 null\n"], ["bell and null"], ""),
    ],
)
def test_terminal_text_becomes_plain_lines(pieces: list[str], lines: list[str], still_open: str) -> None:
    terminal = TerminalLines()
    assert [line for piece in pieces for line in terminal.feed(piece)] == lines
    assert terminal.open_line == still_open


@given(st.text(st.sampled_from("ab\n\r\b\x1b[0;1mK"), max_size=60), st.integers(0, 60))
def test_where_text_is_cut_makes_no_difference(text: str, cut: int) -> None:
    whole, cut_up = TerminalLines(), TerminalLines()
    assert whole.feed(text) == cut_up.feed(text[:cut]) + cut_up.feed(text[cut:])
    assert whole.open_line == cut_up.open_line


def test_a_line_without_an_end_is_cut_and_says_so() -> None:
    terminal = TerminalLines()
    terminal.feed("x" * 50_000)
    assert len(terminal.open_line) == 10_001
    assert terminal.open_line.endswith("x…")


def test_output_comes_in_batches(view: ConsoleView, qtbot: QtBot) -> None:
    assert view.note.isVisible()
    view.append_text("one\ntwo\n", "stdout")
    view.append_text("three\n", "stdout")
    assert view.output.toPlainText() == ""
    with qtbot.waitSignal(view.line_count_changed) as changed:
        pass
    assert changed.args == [3]
    assert view.output.toPlainText() == "one\ntwo\nthree"
    assert view.count_label.text == "3 lines"
    assert not view.note.isVisible()


def test_an_open_line_is_shown_and_rewritten(view: ConsoleView) -> None:
    view.append_text("\n10 %", "stdout")
    assert view.text() == "\n10 %"
    view.append_text("\r50 %", "stdout")
    view.append_text("warning", "stderr")
    assert view.text() == "\n50 %\nwarning"
    view.append_text("\rdone\nnext", "stdout")
    assert view.text() == "\ndone\nnext\nwarning"


def test_stderr_is_told_apart_by_ground_and_colour(view: ConsoleView) -> None:
    view.append_text("plain\n", "stdout")
    view.append_text("warning\n", "stderr")
    view.append_text("plain again\n", "stdout")
    view.flush()
    document = view.output.document()
    grounds = [document.findBlockByNumber(number).blockFormat().hasProperty(0x820) for number in range(3)]
    assert grounds == [False, True, False]


def test_old_lines_are_dropped_and_counted(view: ConsoleView) -> None:
    view.append_text("".join(f"{number}\n" for number in range(LINES_KEPT + 25)), "stdout")
    lines = view.text().splitlines()
    assert (len(lines), lines[0]) == (LINES_KEPT, "25")
    assert view.dropped == 25
    assert view.count_label.text == "10,025 lines · the first 25 dropped, 10,000 are kept"


def test_a_flood_is_shown_in_turns_and_ends_with_the_newest_line(view: ConsoleView, qtbot: QtBot) -> None:
    shown: list[int] = []
    view.line_count_changed.connect(lambda _: shown.append(view.output.blockCount()))
    view.append_text("".join(f"{number}\n" for number in range(1_200)), "stdout")
    qtbot.waitUntil(lambda: view.output.blockCount() == 1_200)
    assert shown == [500, 1_000, 1_200]
    assert view.output.toPlainText().endswith("\n1199")


def test_the_end_stays_in_view_until_the_user_scrolls_up(view: ConsoleView, qtbot: QtBot) -> None:
    view.append_text("line\n" * 200, "stdout")
    view.flush()
    bar = view.output.verticalScrollBar()
    assert bar.value() == bar.maximum() > 0
    bar.triggerAction(QAbstractSlider.SliderAction.SliderToMinimum)
    view.append_text("line\n" * 200, "stdout")
    view.flush()
    assert bar.value() == 0
    assert view.follow_button.text() == "Follow"
    QTest.mouseClick(view.follow_button, LEFT)
    assert bar.value() == bar.maximum()


def test_a_selection_survives_new_lines(view: ConsoleView) -> None:
    view.append_text("keep me\n", "stdout")
    view.flush()
    cursor = view.output.textCursor()
    cursor.select(QTextCursor.SelectionType.LineUnderCursor)
    view.output.setTextCursor(cursor)
    view.append_text("more\nand an open line", "stdout")
    view.flush()
    assert view.output.textCursor().selectedText() == "keep me"


def test_clear_forgets_everything_and_copy_takes_everything(view: ConsoleView, qtbot: QtBot) -> None:
    view.append_text("one\ntwo\n", "stdout")
    QTest.mouseClick(view.copy_button, LEFT)
    assert QGuiApplication.clipboard().text() == "one\ntwo"
    view.append_text("half a line", "stdout")
    QTest.mouseClick(view.clear_button, LEFT)
    assert view.text() == ""
    assert view.note.isVisible()
    view.append_text("fresh\n", "stdout")
    assert view.text() == "fresh"


def test_another_theme_keeps_the_lines(qtbot: QtBot) -> None:
    theme = Theme(ThemeMode.LIGHT)
    view = ConsoleView(theme)
    qtbot.addWidget(view)
    view.append_text("one\n", "stdout")
    view.append_text("two\nopen", "stderr")
    view.flush()
    theme.set_mode(ThemeMode.DARK)
    assert view.text() == "one\ntwo\nopen"
