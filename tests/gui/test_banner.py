"""The message banner: says it, shows more on demand, goes away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from antflow_gui.theme import Theme, ThemeMode
from antflow_gui.views.banner import MessageBanner, MessageKind

LEFT = Qt.MouseButton.LeftButton
TRACEBACK = "Traceback (most recent call last):\n  ...\nValueError: bad value"


@pytest.fixture
def banner(qtbot: QtBot) -> Iterator[MessageBanner]:
    banner = MessageBanner(Theme(ThemeMode.LIGHT))
    qtbot.addWidget(banner)
    banner.resize(900, 200)
    yield banner
    banner.hide()


def test_it_is_hidden_until_there_is_something_to_say(banner: MessageBanner) -> None:
    assert banner.isHidden()
    banner.show_message("error", "orders.py raised ValueError", "bad value, line 41", TRACEBACK)
    assert banner.isVisible()
    assert banner.title_label.text() == "orders.py raised ValueError"
    assert banner.text_label.text() == "bad value, line 41"


def test_details_open_and_close(banner: MessageBanner, qtbot: QtBot) -> None:
    banner.show_message("error", "It failed", "bad value", TRACEBACK)
    assert banner.detail_edit.isHidden()
    QTest.mouseClick(banner.detail_button, LEFT)
    assert banner.detail_edit.isVisible()
    assert banner.detail_edit.toPlainText() == TRACEBACK
    QTest.mouseClick(banner.detail_button, LEFT)
    assert banner.detail_edit.isHidden()


def test_without_details_none_are_offered(banner: MessageBanner) -> None:
    banner.show_message("info", "Layout reset", "")
    assert banner.detail_button.isHidden()
    assert banner.text_label.isHidden()


def test_copy_takes_all_of_it(banner: MessageBanner, qtbot: QtBot) -> None:
    banner.show_message("error", "It failed", "bad value", TRACEBACK)
    QTest.mouseClick(banner.copy_button, LEFT)
    assert QGuiApplication.clipboard().text() == f"It failed\n\nbad value\n\n{TRACEBACK}"
    assert banner.copy_button.text() == "Copied"


def test_it_is_closed_by_its_cross_and_by_escape(banner: MessageBanner, qtbot: QtBot) -> None:
    banner.show_message("warning", "Careful", "")
    with qtbot.waitSignal(banner.closed):
        QTest.mouseClick(banner.close_button, LEFT)
    assert banner.isHidden()
    banner.show_message("warning", "Careful", "")
    with qtbot.waitSignal(banner.closed):
        QTest.keyClick(banner, Qt.Key.Key_Escape)


@pytest.mark.parametrize("kind", ["error", "warning", "info"])
def test_every_kind_is_named_for_a_screen_reader(banner: MessageBanner, kind: MessageKind) -> None:
    banner.show_message(kind, "Title", "Text")
    assert (banner.icon.accessibleName(), banner.accessibleName()) == (kind, "Title")
    assert not banner.grab().isNull()


def test_markup_in_a_message_is_shown_as_it_is(banner: MessageBanner) -> None:
    banner.show_message("error", "<b>it</b>", "<img src=x>")
    assert banner.title_label.textFormat() == Qt.TextFormat.PlainText


def test_the_banner_follows_the_theme(qtbot: QtBot) -> None:
    theme = Theme(ThemeMode.LIGHT)
    banner = MessageBanner(theme)
    qtbot.addWidget(banner)
    banner.show_message("error", "Title", "Text")
    light = banner.grab().toImage()
    theme.set_mode(ThemeMode.DARK)
    assert banner.grab().toImage() != light
    banner.hide()
