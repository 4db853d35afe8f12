"""The Events panel, driven by keys and clicks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFontMetrics, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSlider
from pytestqt.qtbot import QtBot

from antflow_core.history.event_log import EventLog
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.search import conditions
from antflow_gui.models.events import COLUMN_NAMES, ITEM, STATUS_KINDS, TIME, EventsModel
from antflow_gui.theme import Theme, mono_font
from antflow_gui.views.event_delegate import ROW_HEIGHT
from antflow_gui.views.events import EventsView
from tests.gui.invented_events import InventedRun

LEFT = Qt.MouseButton.LeftButton
TO_START = QAbstractSlider.SliderAction.SliderToMinimum
TO_END = QAbstractSlider.SliderAction.SliderToMaximum


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[EventsView]:
    view = EventsView(EventsModel(), Theme())
    view.model.setParent(view)
    qtbot.addWidget(view)
    view.resize(960, 360)
    view.show()
    qtbot.waitExposed(view)
    yield view
    view.hide()


def _run_with_failures() -> InventedRun:
    run = InventedRun()
    for number in range(20):
        run.complete(number)
    run.fail("broken", ValueError("bad value"))
    run.fail("late", TimeoutError("too slow"), stage="Parse")
    return run


def _settle(view: EventsView, qtbot: QtBot) -> None:
    """Wait until the table has laid out all its rows."""
    bar, table = view.table.verticalScrollBar(), view.table
    shown = table.viewport().height() // table.rowHeight(0) if view.model.rowCount() else 0
    qtbot.waitUntil(lambda: bar.maximum() >= view.model.rowCount() - shown - 1)


def test_a_narrow_table_shows_every_column_until_one_is_dragged(view: EventsView, qtbot: QtBot) -> None:
    run = InventedRun()
    run.fail("broken", ValueError("bad value"))
    view.set_history(run.log)
    columns = view.table.horizontalHeader()
    view.resize(660, 360)
    assert columns.length() <= view.table.viewport().width()
    run.wait(123_456)
    run.complete("late")
    view.refresh()
    time = view.model.index(view.model.rowCount() - 1, TIME).data()
    assert QFontMetrics(mono_font(12)).horizontalAdvance(time) + 16 <= view.table.columnWidth(TIME)
    assert view.table.columnWidth(ITEM) < 190
    view.resize(1200, 360)
    assert view.table.columnWidth(ITEM) == 190
    columns.resizeSection(ITEM, 300)  # as a drag of its edge does
    view.resize(660, 360)
    assert view.table.columnWidth(ITEM) == 300


@pytest.mark.parametrize(
    ("width", "count", "said"),
    [
        (960, 16, ("failed", "16")),
        (660, 16, ("", "16")),
        (960, 9_999_999, ("", "9,999,999")),
        (660, 9_999_999, ("", "10.0M")),
    ],
)
def test_chips_leave_room_to_search_whatever_they_count(
    view: EventsView, qtbot: QtBot, width: int, count: int, said: tuple[str, str]
) -> None:
    view.resize(width, 360)
    chips = view.chips
    chips.set_counts(dict.fromkeys(STATUS_KINDS, count))

    def has_room() -> bool:
        shown = chips.chips.values()
        return view.search_box.width() >= 190 and all(c.width() >= c.sizeHint().width() for c in shown)

    qtbot.waitUntil(has_room)
    assert chips.chips["failed"].said == said
    assert view.minimumSizeHint().width() <= 640


def test_typing_filters_after_a_pause_and_escape_clears(view: EventsView, qtbot: QtBot) -> None:
    view.set_history(_run_with_failures().log)
    with qtbot.waitSignal(view.query_changed) as changed:
        QTest.keyClicks(view.search_box, "status:failed")
    assert changed.args == ["status:failed"]
    assert view.model.rowCount() == 2
    assert view.count_label.text == "66 status events · 2 match"
    QTest.keyClick(view.search_box, Qt.Key.Key_Escape)
    assert (view.query, view.model.rowCount()) == ("", 66)
    assert view.count_label.text == "66 status events"


def test_return_applies_at_once(view: EventsView, qtbot: QtBot) -> None:
    view.set_history(_run_with_failures().log)
    QTest.keyClicks(view.search_box, "slow")
    QTest.keyClick(view.search_box, Qt.Key.Key_Return)
    assert view.model.rowCount() == 1


def test_a_faulty_query_is_explained_and_the_result_stays(view: EventsView, qtbot: QtBot) -> None:
    view.set_history(_run_with_failures().log)
    view.set_query("status:failed")
    QTest.keyClicks(view.search_box, " colour:red")
    QTest.keyClick(view.search_box, Qt.Key.Key_Return)
    assert "colour" in view.fault.words
    assert view.fault.isVisible()
    assert not view.count_label.isVisible()
    assert (view.query, view.model.rowCount()) == ("status:failed", 2)
    view.set_query("")
    assert not view.fault.isVisible()
    assert view.count_label.isVisible()


def test_chips_count_events_and_toggle_the_query(view: EventsView, qtbot: QtBot) -> None:
    view.set_history(_run_with_failures().log)
    failed, completed = view.chips.chips["failed"], view.chips.chips["completed"]
    assert (failed.count, completed.count) == (2, 20)
    QTest.mouseClick(failed, LEFT)
    QTest.mouseClick(completed, LEFT)
    assert view.search_box.text() == "status:failed,completed"
    assert failed.isChecked()
    assert completed.isChecked()
    assert view.model.rowCount() == 22
    QTest.mouseClick(completed, LEFT)
    QTest.mouseClick(failed, LEFT)
    assert view.query == ""
    assert not failed.isChecked()


def test_a_typed_status_presses_its_chip(view: EventsView) -> None:
    view.set_query("status:In-Progress")
    assert [chip.status for chip in view.chips.chips.values() if chip.isChecked()] == ["in_progress"]


def test_the_newest_event_stays_in_view_until_the_user_scrolls_up(view: EventsView, qtbot: QtBot) -> None:
    run = _run_with_failures()
    view.set_history(run.log)
    _settle(view, qtbot)
    bar = view.table.verticalScrollBar()
    assert bar.value() == bar.maximum()
    bar.triggerAction(TO_START)
    assert view.follow_button.text() == "Follow"
    run.repeat(2)
    view.refresh()
    _settle(view, qtbot)
    assert bar.value() == 0
    QTest.mouseClick(view.follow_button, LEFT)
    assert bar.value() == bar.maximum()
    run.repeat(1)
    view.refresh()
    _settle(view, qtbot)
    assert bar.value() == bar.maximum()
    assert view.follow_button.isChecked()


def test_at_the_end_no_row_is_cut_in_half(view: EventsView, qtbot: QtBot) -> None:
    run = _run_with_failures()
    view.set_history(run.log)
    view.resize(960, 360 + ROW_HEIGHT // 2 - view.table.viewport().height() % ROW_HEIGHT)
    _settle(view, qtbot)
    run.complete("newest")
    view.refresh()
    _settle(view, qtbot)
    table, half = view.table, ROW_HEIGHT // 2
    newest = table.model().index(view.model.rowCount() - 1, ITEM)
    qtbot.waitUntil(lambda: table.visualRect(newest).bottom() + 1 == table.viewport().height())
    assert table.visualRect(table.indexAt(QPoint(0, 0))).top() == half - ROW_HEIGHT
    picture = table.viewport().grab().toImage()
    ground = picture.pixel(picture.width() - 1, 0)

    def is_blank(top: int, height: int) -> bool:
        rows, columns = range(top, top + height), range(picture.width())
        return all(picture.pixel(x, y) == ground for y in rows for x in columns)

    assert is_blank(0, half) and not is_blank(half, ROW_HEIGHT)


def test_scrolling_to_the_end_follows_again(view: EventsView, qtbot: QtBot) -> None:
    view.set_history(_run_with_failures().log)
    _settle(view, qtbot)
    bar = view.table.verticalScrollBar()
    bar.triggerAction(TO_START)
    assert not view.table.tail.following
    bar.triggerAction(TO_END)
    assert view.table.tail.following


def test_walking_up_with_the_keys_stops_following(view: EventsView, qtbot: QtBot) -> None:
    view.set_history(_run_with_failures().log)
    _settle(view, qtbot)
    view.table.show_row(65)
    QTest.keyClick(view.table, Qt.Key.Key_Up)
    assert view.table.currentIndex().row() == 64
    assert not view.table.tail.following


def test_a_selection_survives_new_events_and_another_query(view: EventsView, qtbot: QtBot) -> None:
    run = _run_with_failures()
    view.set_history(run.log)
    chosen: list[int] = []
    view.item_chosen.connect(chosen.append)
    view.table.show_row(62)
    run.repeat(1)
    view.refresh()
    assert view.table.selected_rows() == [62]
    view.set_query("status:failed")
    assert view.model.index(view.table.selected_rows()[0], ITEM).data() == "broken"
    assert chosen == [20]


def test_choosing_a_row_tells_its_item(view: EventsView, qtbot: QtBot) -> None:
    view.set_history(_run_with_failures().log)
    _settle(view, qtbot)
    view.follow()
    place = view.table.visualRect(view.model.index(65, ITEM)).center()
    with qtbot.waitSignal(view.item_chosen) as chosen:
        QTest.mouseClick(view.table.viewport(), LEFT, pos=place)
    assert chosen.args == [21]


def test_the_keyboards_coming_chooses_no_item(view: EventsView, qtbot: QtBot) -> None:
    view.set_history(_run_with_failures().log)
    _settle(view, qtbot)
    chosen: list[int] = []
    view.item_chosen.connect(chosen.append)
    view.table.setFocus(Qt.FocusReason.ShortcutFocusReason)
    qtbot.waitUntil(view.table.hasFocus)
    assert chosen == []


def test_copying_takes_all_selected_rows_with_their_names(view: EventsView, qtbot: QtBot) -> None:
    view.set_history(_run_with_failures().log)
    view.set_query("status:failed")
    view.table.selectAll()
    QTest.keyClick(view.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t") == list(COLUMN_NAMES)
    assert [line.split("\t")[ITEM] for line in lines[1:]] == ["broken", "late"]
    assert view.count_label.text == "Copied 2 rows"


def test_the_context_menu_filters_by_what_the_row_says(view: EventsView, qtbot: QtBot) -> None:
    view.set_history(_run_with_failures().log)
    _settle(view, qtbot)
    view.follow()
    place = view.table.visualRect(view.model.index(65, ITEM)).center()
    view.table.customContextMenuRequested.emit(place)
    menu = view.menu
    assert menu.by_item_action.text() == "Filter by item late"
    menu.by_stage_action.trigger()
    menu.hide()
    assert view.query == "stage:Parse"
    view.table.customContextMenuRequested.emit(QPoint(5, 5))
    menu.by_status_action.trigger()
    with qtbot.waitSignal(view.item_chosen) as chosen:
        menu.item_action.trigger()
    menu.hide()
    assert view.query == "stage:Parse status:queued"
    assert chosen.args == [21]


def test_a_task_events_row_is_filtered_by_its_event(view: EventsView, qtbot: QtBot) -> None:
    view.set_history(_run_with_failures().log)
    view.set_query("event:fail")
    assert view.count_label.text == "70 events · 2 match"
    place = view.table.visualRect(view.model.index(0, ITEM)).center()
    view.table.customContextMenuRequested.emit(place)
    assert view.menu.by_status_action.text() == "Filter by event fail"
    view.menu.by_stage_action.trigger()
    view.menu.by_status_action.trigger()
    view.menu.hide()
    assert view.query == "event:fail"
    view.table.grab()


def test_rows_that_leave_above_do_not_move_those_that_are_read(view: EventsView, qtbot: QtBot) -> None:
    run = InventedRun()
    for number in range(200):
        run.complete(number)
    view.set_history(run.log)
    view.set_query("last:3s")
    assert view.model.rowCount() == 301
    _settle(view, qtbot)
    bar = view.table.verticalScrollBar()
    bar.triggerAction(TO_START)
    bar.setValue(100)
    read = view.model.cells(view.table.rowAt(0)).log_row
    for number in range(10):
        run.complete(f"late {number}")
    view.refresh()
    _settle(view, qtbot)
    assert view.model.rowCount() == 301
    assert view.model.cells(view.table.rowAt(0)).log_row == read


def test_an_expression_that_gets_too_slow_is_said_and_the_result_stays(
    view: EventsView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "REGEX_LIMIT_S", 0.05)
    run = _run_with_failures()
    view.set_history(run.log)
    view.set_query("item:/^(a|aa)+$|late/")
    assert view.model.rowCount() == 3
    run.complete("a" * 60 + "b")
    view.refresh()
    assert "given up" in view.fault.words
    assert view.model.rowCount() == 3
    view.set_query("")
    assert (view.fault.words, view.model.rowCount()) == ("", 69)


def test_what_a_limited_log_has_dropped_is_counted(view: EventsView) -> None:
    run = InventedRun(log=EventLog(2 * CHUNK_ROWS))
    view.set_history(run.log)
    for number in range(CHUNK_ROWS):
        run.complete(number)
    view.refresh()
    assert view.count_label.text == "32,768 status events · 16,384 older ones dropped"
    assert view.chips.chips["completed"].count == view.model.event_counts()["completed"]


def test_the_empty_table_says_why(view: EventsView, qtbot: QtBot) -> None:
    assert "appear here" in view.note.label.text()
    view.set_history(_run_with_failures().log)
    assert not view.note.isVisible()
    view.set_query("nowhere")
    assert view.note.label.text() == "No event matches nowhere"
    view.set_query("stage=Fetch")
    meant = "`stage=Fetch` is searched for as a word; did you mean `stage:Fetch`?"
    assert view.note.label.text() == f"No event matches stage=Fetch\n{meant}"
    view.set_query("<b>nowhere</b>")
    assert "<b>nowhere</b>" in view.note.label.text()
    assert view.note.label.textFormat() is Qt.TextFormat.PlainText
    QTest.mouseClick(view.note.link, LEFT)
    assert (view.query, view.search_box.text()) == ("", "")
    assert not view.note.isVisible()


def test_a_hidden_view_catches_up_when_it_is_shown(view: EventsView) -> None:
    run = _run_with_failures()
    view.set_history(run.log)
    view.hide()
    run.repeat(1)
    view.refresh()
    assert view.model.rowCount() == 66
    view.show()
    assert view.model.rowCount() == 132


def test_a_narrow_panel_drops_the_words_of_the_chips(view: EventsView, qtbot: QtBot) -> None:
    wide = view.chips.chips["in_progress"].sizeHint().width()
    view.resize(600, 360)
    assert view.chips.chips["in_progress"].sizeHint().width() < wide
