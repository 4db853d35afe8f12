"""The app without a mouse: Tab reaches all that is in view and nothing else, and keys do what menus do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QTabBar, QWidget
from pytestqt.qtbot import QtBot

from antflow_gui.context import AppContext
from antflow_gui.event_loop import BatchedEventLoop
from antflow_gui.windows.main_window import MainWindow
from tests.gui.driving import drive, run_to_the_end, trigger
from tests.support.scripts import ENDLESS, TWO_STAGES

WriteScript = Callable[..., Path]
BACK = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def finished(
    window: MainWindow, qt_loop: BatchedEventLoop, qtbot: QtBot, write_script: WriteScript
) -> MainWindow:
    """The window after a run, with an item that failed in view."""
    window.resize(1440, 900)
    window.open_script(write_script(TWO_STAGES))
    run_to_the_end(qt_loop, window)
    window.events.set_query("status:failed")
    window.events.table.selectRow(0)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window


def focused() -> QWidget:
    widget = QApplication.focusWidget()
    assert widget is not None
    return widget


def tab_round(window: MainWindow, modifier: Qt.KeyboardModifier) -> list[QWidget]:
    """What Tab reaches, from the search box until it is there again."""
    window.search()
    reached: list[QWidget] = []
    while focused() not in reached:
        reached.append(focused())
        QTest.keyClick(focused(), Qt.Key.Key_Tab, modifier)
    assert focused() is reached[0]
    return reached


def test_tab_reaches_everything_in_view_and_nothing_behind_a_tab(finished: MainWindow) -> None:
    header, events, item = finished.run_page.header, finished.events, finished.item
    reached = tab_round(finished, Qt.KeyboardModifier.NoModifier)
    wanted = [
        events.search_box,
        *events.chips.chips.values(),
        events.follow_button,
        events.table,
        item.traceback_box,
        item.events,
        item.retry_button,
        item.alike_button,
        item.copy_button,
        header.again_button,
        header.retry_button,
        finished.run_page.flow.cards[0],
    ]
    assert [widget for widget in reached if widget in wanted] == wanted
    assert not any(finished.panels.hide(widget) for widget in reached)
    assert sum(isinstance(widget, QTabBar) for widget in reached) == 2
    assert set(tab_round(finished, BACK)) == set(reached)


def test_on_the_welcome_page_tab_stays_among_its_buttons(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    qtbot.waitUntil(lambda: not any(bar.count() for bar in window.findChildren(QTabBar)))
    window.welcome.setFocus()
    for _ in range(8):
        QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        assert window.welcome.isAncestorOf(focused())


def test_a_panel_takes_the_keyboard_when_it_is_asked_for(finished: MainWindow) -> None:
    wanted = {
        "go.events": finished.events.table,
        "go.console": finished.console.output,
        "go.item": finished.item.events,
        "go.errors": finished.errors.groups,
        "view.search": finished.events.search_box,
    }
    for command, widget in wanted.items():
        finished.commands.actions[command].trigger()
        assert focused() is widget


def test_escape_clears_the_search_and_then_leaves_it(finished: MainWindow) -> None:
    finished.search()
    QTest.keyClick(focused(), Qt.Key.Key_Escape)
    assert finished.events.query == "" and focused() is finished.events.search_box
    QTest.keyClick(focused(), Qt.Key.Key_Escape)
    assert focused() is finished.events.table


def test_arrow_keys_go_from_stage_to_stage_and_plus_adds_a_worker(
    window: MainWindow,
    context: AppContext,
    qt_loop: BatchedEventLoop,
    qtbot: QtBot,
    write_script: WriteScript,
) -> None:
    window.open_script(write_script(ENDLESS))
    trigger(qt_loop, window, "run.start")
    flow = window.run_page.flow
    drive(qt_loop, until=lambda: context.controller.can_set_workers and bool(flow.cards))
    window.refresh()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    flow.cards[0].setFocus()
    for _ in flow.cards:
        QTest.keyClick(focused(), Qt.Key.Key_Right)
    assert focused() is flow.cards[-1]
    with qtbot.waitSignal(flow.workers_requested) as asked:
        QTest.keyClick(focused(), Qt.Key.Key_Plus)
    stage, workers = asked.args

    def has_them() -> bool:
        window.refresh()
        return flow.cards[-1].workers_text.text.endswith(f"/{workers}")

    assert stage == flow.cards[-1].name_text.text
    drive(qt_loop, until=has_them)
    qt_loop.run_until_complete(context.controller.close())


def test_no_two_entries_of_a_menu_share_a_letter(window: MainWindow) -> None:
    menus = window.menuBar().findChildren(QMenu)
    assert menus
    for menu in menus:
        words = [action.text().replace("&&", "") for action in menu.actions()]
        letters = Counter(text[text.index("&") + 1].lower() for text in words if "&" in text)
        assert not [letter for letter, count in letters.items() if count > 1], menu.title()
