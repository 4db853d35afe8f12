"""The main window, driven as a user drives it: keys, clicks, drops, real scripts on the app's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from antflow_core.link.protocol import RunState
from antflow_gui.context import AppContext
from antflow_gui.event_loop import BatchedEventLoop
from antflow_gui.theme import ThemeMode
from antflow_gui.windows.dialogs import ArgumentsDialog, CloseQuestion, HelpDialog, KeysDialog
from antflow_gui.windows.main_window import MainWindow
from antflow_gui.windows.settings_dialog import SettingsDialog
from tests.gui.driving import drive, run_to_the_end, trigger
from tests.support.scripts import ENDLESS, NO_PIPELINE, RAISES, SEVERAL_PIPELINES, SYNTAX_ERROR, TWO_STAGES

WriteScript = Callable[..., Path]
LEFT = Qt.MouseButton.LeftButton


def test_the_welcome_page_comes_first_and_has_no_panels(window: MainWindow) -> None:
    assert window.pages.currentWidget() is window.welcome
    assert not any(panel.isVisible() for panel in window.panels)
    assert not window.commands.actions["run.start"].isEnabled()


def test_opening_a_script_shows_its_stages_before_anything_runs(
    window: MainWindow, context: AppContext, write_script: WriteScript
) -> None:
    assert window.open_script(write_script(TWO_STAGES))
    assert window.pages.currentWidget() is window.run_page
    assert window.windowTitle() == "orders.py – AntFlow Desk"
    assert context.controller.state is RunState.READY
    assert window.commands.actions["run.start"].isEnabled()
    assert all(panel.toggleViewAction().isChecked() for panel in window.panels)


def test_a_run_fills_table_errors_and_console(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    window.open_script(write_script(TWO_STAGES))
    run_to_the_end(qt_loop, window)
    assert window.events.model.rowCount() == 100 * 3 + 90 * 3
    assert window.errors.total == 10
    assert window.panels.errors.windowTitle() == "Errors  10"
    assert "priced 90 orders" in window.console.text()


def test_each_of_several_pipelines_can_be_put_in_view(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    window.open_script(write_script(SEVERAL_PIPELINES))
    run_to_the_end(qt_loop, window)
    page = window.run_page
    assert [card.name_text.text for card in page.flow.cards] == ["Match", "Score", "Rank"]
    assert window.events.model.rowCount() == 5 * 3 + 7 * 3 * 3
    page.pipeline_box.setCurrentIndex(1)
    page.pipeline_box.activated.emit(1)
    assert [card.name_text.text for card in page.flow.cards] == ["Load"]
    assert context.controller.measure(context.controller.pipelines()).completed == 12


def test_typing_in_the_search_box_filters_the_table(
    window: MainWindow,
    context: AppContext,
    qt_loop: BatchedEventLoop,
    qtbot: QtBot,
    write_script: WriteScript,
) -> None:
    window.open_script(write_script(TWO_STAGES))
    run_to_the_end(qt_loop, window)
    window.commands.actions["view.search"].trigger()
    QTest.keyClicks(window.events.search_box, "status:failed stage:Fetch")
    QTest.keyClick(window.events.search_box, Qt.Key.Key_Return)
    assert window.events.model.rowCount() == 10


def test_a_script_with_a_syntax_error_says_where_and_the_app_stays_usable(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    path = write_script(SYNTAX_ERROR)
    assert not window.open_script(path)
    assert window.banner.isVisible()
    assert "orders.py" in window.banner.message and "line 1" in window.banner.message
    path.write_text(TWO_STAGES, encoding="utf-8")
    run_to_the_end(qt_loop, window)
    assert context.controller.state is RunState.FINISHED
    assert not window.banner.isVisible()


def test_a_script_without_a_pipeline_says_what_would_be_right(
    window: MainWindow, write_script: WriteScript
) -> None:
    assert not window.open_script(write_script(NO_PIPELINE))
    assert "async def main()" in window.banner.message


def test_a_script_that_raises_shows_its_own_traceback(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    window.open_script(write_script(RAISES))
    run_to_the_end(qt_loop, window)
    assert window.banner.isVisible()
    assert "no such warehouse" in window.banner.message
    assert context.controller.state is RunState.FAILED


def test_closing_while_a_run_goes_on_asks_and_keep_running_keeps_it(
    window: MainWindow,
    context: AppContext,
    qt_loop: BatchedEventLoop,
    qtbot: QtBot,
    write_script: WriteScript,
) -> None:
    window.open_script(write_script(ENDLESS))
    trigger(qt_loop, window, "run.start")
    window.close()
    question = window.findChild(CloseQuestion)
    assert question is not None and window.isVisible()
    QTest.mouseClick(question.stay_button, LEFT)
    assert context.controller.is_running and window.isVisible()
    qt_loop.run_until_complete(context.controller.close())


def test_closing_while_a_run_goes_on_can_cancel_it(
    window: MainWindow,
    context: AppContext,
    qt_loop: BatchedEventLoop,
    qtbot: QtBot,
    write_script: WriteScript,
) -> None:
    window.open_script(write_script(ENDLESS))
    trigger(qt_loop, window, "run.start")
    window.close()
    question = window.findChild(CloseQuestion)
    assert question is not None
    with qtbot.waitSignal(window.closed):
        QTest.mouseClick(question.cancel_button, LEFT)
    assert not window.isVisible()
    qt_loop.run_until_complete(context.controller.close())
    assert not asyncio.all_tasks(qt_loop)


def test_a_dropped_file_is_opened(window: MainWindow, context: AppContext, write_script: WriteScript) -> None:
    path = write_script(TWO_STAGES)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    here = (Qt.DropAction.CopyAction, mime, LEFT, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(window, QDragEnterEvent(QPoint(10, 10), *here))
    QApplication.sendEvent(window, QDropEvent(QPointF(10, 10), *here))
    assert context.controller.path == path


def test_arguments_are_asked_for_split_and_used(
    window: MainWindow,
    context: AppContext,
    qt_loop: BatchedEventLoop,
    qtbot: QtBot,
    write_script: WriteScript,
) -> None:
    window.open_script(write_script(TWO_STAGES.replace("print(f", "import sys\n    print(sys.argv[1:], f")))
    window.commands.actions["run.arguments"].trigger()
    dialog = window.findChild(ArgumentsDialog)
    assert dialog is not None
    dialog.field.clear()
    QTest.keyClicks(dialog.field, "--limit 5 'two words")
    dialog.buttons.accepted.emit()
    assert "quotation" in dialog.fault.text() and dialog.isVisible()
    QTest.keyClicks(dialog.field, "'")

    async def accept() -> None:
        dialog.buttons.accepted.emit()

    qt_loop.run_until_complete(accept())
    drive(qt_loop, until=lambda: not context.controller.is_running)
    assert "['--limit', '5', 'two words']" in window.console.text()


def test_recent_scripts_tell_how_their_run_ended(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    path = write_script(TWO_STAGES)
    window.open_script(path)
    run_to_the_end(qt_loop, window)
    window.show_welcome()
    recent = context.settings.recent[0]
    assert recent.path == str(path)
    assert recent.detail.startswith("90 done, 10 failed")


def test_settings_change_pace_and_theme_at_once(window: MainWindow, context: AppContext) -> None:
    window.commands.actions["file.settings"].trigger()
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    dialog.interval.setValue(500)
    dialog.theme.setCurrentIndex(2)
    assert (context.ticker.interval_ms, context.settings.interval_ms) == (500, 500)
    assert context.theme.mode is context.settings.theme_mode is ThemeMode.DARK
    dialog.close()


def test_no_two_commands_share_a_key(window: MainWindow) -> None:
    keys = [keys for command in window.commands.commands for keys in command.shortcuts]
    assert len(keys) == len(set(keys))


def test_the_keys_page_lists_the_commands(window: MainWindow) -> None:
    window.commands.actions["help.keys"].trigger()
    assert window.findChild(KeysDialog) is not None


@pytest.mark.parametrize(("command", "words"), [("search", "status:failed"), ("recordings", ".antflow")])
def test_a_page_of_the_help_is_in_the_app(window: MainWindow, command: str, words: str) -> None:
    window.commands.actions[f"help.{command}"].trigger()
    dialog = window.findChild(HelpDialog)
    assert dialog is not None
    assert words in dialog.text.toPlainText()
    dialog.close()


def test_the_layout_survives_a_restart(context: AppContext, qtbot: QtBot, write_script: WriteScript) -> None:
    first = MainWindow(context)
    qtbot.addWidget(first)
    first.show()
    first.open_script(write_script(TWO_STAGES))
    first.panels.console.hide()
    first.close()
    second = MainWindow(context)
    qtbot.addWidget(second)
    second.show()
    second.open_script(write_script(TWO_STAGES))
    assert not second.panels.console.isVisible()
    second.commands.actions["view.reset"].trigger()
    assert second.panels.console.toggleViewAction().isChecked()
    second.close()


WAITS_FOR_RETRIES = """\
from antflow import Pipeline, Stage


async def fetch(number):
    if number % 5 == 0:
        raise LookupError("not there")
    if number % 5 == 1:
        raise ConnectionError("no answer")
    return number


async def main():
    fields = {"retry_on": (ConnectionError,), "task_wait_seconds": 1000}
    await Pipeline([Stage("Fetch", 6, [fetch], **fields)]).run(range(20))
"""
"""Four items fail for good; four wait for another attempt until the run is stopped."""


def test_what_a_stop_ends_has_failed_neither_in_the_header_nor_among_the_errors(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    window.open_script(write_script(WAITS_FOR_RETRIES))
    trigger(qt_loop, window, "run.start")

    def all_wait() -> bool:
        pipelines = context.controller.pipelines()
        progress = context.controller.measure(pipelines)
        return bool(pipelines) and (progress.completed, progress.retried) == (12, 4)

    drive(qt_loop, until=all_wait)
    trigger(qt_loop, window, "run.stop")
    drive(qt_loop, until=lambda: not context.controller.is_running)
    header, log = window.run_page.header, context.controller.history
    assert log is not None
    assert log.status_counts()["failed"] == 8
    assert header.counts["failed"].count == window.run_page.flow.cards[0].failed.count == 4
    assert (window.errors.total, window.panels.errors.windowTitle()) == (4, "Errors  4")
    assert [group.type_name for group in window.errors.model.groups] == ["LookupError"]
    window.events.set_query("error:stopped")
    window.events.table.selectRow(0)
    assert not window.item.retry_button.isVisible()
    window.events.set_query("status:failed error_type:LookupError")
    window.events.table.selectRow(0)
    assert window.item.retry_button.isVisible()
