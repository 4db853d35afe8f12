"""The welcome page: what can be opened, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from antflow_gui.theme import Theme, ThemeMode
from antflow_gui.views.welcome import RecentEntry, WelcomePage

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def page(qtbot: QtBot) -> Iterator[WelcomePage]:
    page = WelcomePage(Theme(ThemeMode.LIGHT))
    qtbot.addWidget(page)
    page.resize(1000, 700)
    page.show()
    qtbot.waitExposed(page)
    yield page
    page.hide()


@pytest.fixture
def entries(tmp_path: Path) -> list[RecentEntry]:
    outcomes = ("finished", "failed", "stopped", "new")
    entries = [
        RecentEntry(str(tmp_path / f"{word}.py"), word, f"it {word}", "today 08:14") for word in outcomes
    ]
    for entry in entries:
        Path(entry.path).touch()
    return entries


def test_the_two_buttons_say_what_is_wanted(page: WelcomePage, qtbot: QtBot) -> None:
    with qtbot.waitSignal(page.open_requested):
        QTest.mouseClick(page.open_button, LEFT)
    with qtbot.waitSignal(page.recorded_requested):
        QTest.mouseClick(page.recorded_button, LEFT)
    with qtbot.waitSignal(page.example_requested):
        QTest.mouseClick(page.example_button, LEFT)


def test_without_recent_scripts_the_card_says_what_will_appear(page: WelcomePage) -> None:
    assert page.no_recent_label.isVisible()


def test_a_recent_script_is_opened_by_a_click(
    page: WelcomePage, entries: list[RecentEntry], qtbot: QtBot
) -> None:
    page.show_recent(entries)
    assert not page.no_recent_label.isVisible()
    with qtbot.waitSignal(page.recent_requested) as requested:
        QTest.mouseClick(page.rows[1], LEFT)
    assert requested.args == [entries[1].path]


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Space])
def test_a_recent_script_is_opened_by_key(
    page: WelcomePage, entries: list[RecentEntry], qtbot: QtBot, key: Qt.Key
) -> None:
    page.show_recent(entries)
    qtbot.waitUntil(page.rows[0].isVisible)
    page.rows[0].setFocus()
    QTest.keyClick(page.rows[0], Qt.Key.Key_Down)
    assert page.focusWidget() is page.rows[1]
    QTest.keyClick(page.rows[1], Qt.Key.Key_Up)
    with qtbot.waitSignal(page.recent_requested) as requested:
        QTest.keyClick(page.rows[0], key)
    assert requested.args == [entries[0].path]


def test_scripts_whose_file_is_gone_are_not_offered(page: WelcomePage, entries: list[RecentEntry]) -> None:
    Path(entries[2].path).unlink()
    page.show_recent(entries)
    assert [row.entry.outcome for row in page.rows] == ["finished", "failed", "new"]


def test_showing_recent_scripts_again_replaces_them(page: WelcomePage, entries: list[RecentEntry]) -> None:
    page.show_recent(entries)
    page.show_recent(entries[:1])
    assert [row.entry for row in page.rows] == entries[:1]


def test_a_row_tells_all_it_shows_to_a_screen_reader(page: WelcomePage, entries: list[RecentEntry]) -> None:
    page.show_recent(entries)
    assert page.rows[1].accessibleName() == "Open failed.py, it failed, today 08:14"
    assert page.rows[1].toolTip() == entries[1].path


def test_the_switch_asks_for_recordings_and_tells_where_they_go(page: WelcomePage, qtbot: QtBot) -> None:
    assert not page.record_switch.isChecked()
    page.hide()  # the tick is an image of the theme that an earlier test has dressed the app in
    with qtbot.waitSignal(page.record_toggled) as toggled:
        page.record_switch.click()
    assert toggled.args == [True]
    with qtbot.assertNotEmitted(page.record_toggled):
        page.show_recording(True, Path("/there/runs"))
    assert page.record_note.full_text == f"into {Path('/there/runs')}"


def test_a_file_held_over_the_window_lights_the_page_up(page: WelcomePage) -> None:
    dark = page.grab().toImage()
    page.set_drop_highlight(True)
    assert page.grab().toImage() != dark
    page.set_drop_highlight(False)
    assert page.grab().toImage() == dark
