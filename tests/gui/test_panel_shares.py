"""Panels and plot share what the window gains, and keep what the user dragged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from antflow_gui.context import AppContext
from antflow_gui.windows.main_window import MainWindow
from tests.support.scripts import TWO_STAGES

WriteScript = Callable[..., Path]
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def opened(window: MainWindow, write_script: WriteScript) -> MainWindow:
    """The window with a script in view, in the first layout."""
    window.resize(1440, 900)
    window.open_script(write_script(TWO_STAGES))
    settle()
    return window


def settle() -> None:
    """Let Qt lay out what has been asked for."""
    for _ in range(3):
        QApplication.processEvents()


def resize(window: MainWindow, width: int, height: int) -> None:
    window.resize(width, height)
    settle()


def heights(window: MainWindow) -> tuple[int, int]:
    """Of the plot and of the panels below it."""
    return window.run_page.plot.height(), window.panels.events.height()


def drag_separator(window: MainWindow, by: int) -> None:
    """Pull the line between plot and panels up or down."""
    start = window.pages.mapTo(window, QPoint(600, window.pages.height() + 6))
    QTest.mousePress(window, LEFT, pos=start)
    for step in (0, by // 2, by):
        QTest.mouseMove(window, start + QPoint(0, step))
        settle()
    QTest.mouseRelease(window, LEFT, pos=start + QPoint(0, by))
    settle()


def test_panels_and_plot_both_grow_with_the_window(opened: MainWindow) -> None:
    plot, panels = heights(opened)
    resize(opened, 1440, 1200)
    higher_plot, higher_panels = heights(opened)
    assert higher_plot - plot == pytest.approx(100, abs=2)
    assert higher_panels - panels == pytest.approx(200, abs=2)


def test_what_was_dragged_is_kept_at_every_size(opened: MainWindow) -> None:
    before = heights(opened)
    drag_separator(opened, 100)
    plot, panels = heights(opened)
    assert (plot, panels) == (before[0] + 100, before[1] - 100)
    resize(opened, 1440, 1200)
    assert heights(opened)[0] > plot + 100 and heights(opened)[1] > panels + 100
    for height in (*range(1200, 650, -7), 900):
        resize(opened, 1440, height)
    assert heights(opened) == pytest.approx((plot, panels), abs=1)


def test_a_layout_keeps_its_shares_where_the_window_has_another_size(
    opened: MainWindow, context: AppContext, qtbot: QtBot, write_script: WriteScript
) -> None:
    drag_separator(opened, -60)
    resize(opened, 1440, 1200)
    wanted = heights(opened)
    resize(opened, 1440, 900)
    opened.show_welcome()
    resize(opened, 1440, 1200)
    opened.open_script(write_script(TWO_STAGES))
    settle()
    assert heights(opened) == pytest.approx(wanted, abs=2)
    resize(opened, 1440, 900)
    opened.close()
    second = MainWindow(context)
    qtbot.addWidget(second, before_close_func=lambda shown: shown.close_at_once())
    second.resize(1440, 1200)
    second.show()
    second.open_script(write_script(TWO_STAGES))
    settle()
    assert heights(second) == pytest.approx(wanted, abs=2)


def test_panels_one_above_the_other_and_at_the_side_keep_their_shares(opened: MainWindow) -> None:
    panels = opened.panels
    opened.splitDockWidget(panels.events, panels.console, Qt.Orientation.Vertical)
    opened.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, panels.errors)
    settle()
    before = panels.events.height(), panels.console.height(), panels.errors.width()
    resize(opened, 1840, 1300)
    after = panels.events.height(), panels.console.height(), panels.errors.width()
    assert all(now > then + 20 for now, then in zip(after, before, strict=True))
    resize(opened, 1440, 900)
    assert (panels.events.height(), panels.console.height(), panels.errors.width()) == pytest.approx(
        before, abs=4
    )
