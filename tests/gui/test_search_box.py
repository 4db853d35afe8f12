"""The search box: completions by keys and clicks, mistakes underlined, Return and Esc as one expects them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from antflow_gui.models.events import EventsModel
from antflow_gui.theme import LIGHT, Theme, ThemeMode
from antflow_gui.views.events import EventsView
from antflow_gui.views.search_box import SearchBox
from tests.gui.invented_events import InventedRun

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
Key = Qt.Key


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[EventsView]:
    """An Events panel with the keyboard in its search box."""
    theme = Theme()
    theme.set_mode(ThemeMode.LIGHT)
    view = EventsView(EventsModel(), theme)
    view.model.setParent(view)
    qtbot.addWidget(view)
    run = InventedRun()
    for number in range(20):
        run.complete(f"order {number}")
    run.fail("broken", ValueError("bad value"))
    run.fail("late", TimeoutError("too slow"), stage="Parse")
    view.set_history(run.log)
    view.resize(960, 420)
    view.show()
    view.activateWindow()
    view.focus_search()
    qtbot.waitUntil(view.search_box.hasFocus)
    yield view
    view.hide()


@pytest.fixture
def box(view: EventsView) -> SearchBox:
    return view.search_box


def offered(box: SearchBox) -> list[str]:
    """The texts in the open list, none where it is closed."""
    model = box.list.rows.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())] if box.list.isVisible() else []


# What is offered


def test_fields_are_offered_while_a_word_is_typed_and_then_their_values(box: SearchBox) -> None:
    assert offered(box) == []
    QTest.keyClicks(box, "sta")
    assert offered(box) == ["status:", "stage:", "event:start"]
    QTest.keyClick(box, Key.Key_Tab)
    assert box.text() == "status:"
    assert offered(box)[:2] == ["queued", "in_progress"]
    QTest.keyClicks(box, "fa")
    assert offered(box) == ["failed"]


def test_the_list_closes_when_what_is_typed_is_all_there_is(box: SearchBox) -> None:
    QTest.keyClicks(box, "status:failed")
    assert offered(box) == []


def test_down_and_control_space_ask_what_may_follow(box: SearchBox) -> None:
    QTest.keyClick(box, Key.Key_Down)
    assert offered(box)[0] == "status:"
    QTest.keyClick(box, Key.Key_Escape)
    assert offered(box) == []
    box.setText("stage:")
    QTest.keyClick(box, Key.Key_Space, CONTROL)
    assert offered(box) == ["Fetch", "Parse"]


def test_values_tell_how_many_events_have_them(box: SearchBox) -> None:
    QTest.keyClicks(box, "error:")
    model = box.list.rows.model()
    spoken = [model.index(row, 0).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(model.rowCount())]
    assert spoken == ["ValueError 2 events", "TimeoutError 2 events"]


def test_a_box_without_a_history_offers_fields_too(qtbot: QtBot) -> None:
    view = EventsView(EventsModel(), Theme())
    view.model.setParent(view)
    qtbot.addWidget(view)
    view.show()
    QTest.keyClicks(view.search_box, "dur")
    assert offered(view.search_box) == ["duration:"]


# Choosing


def test_tab_takes_the_first_and_keeps_the_keyboard(box: SearchBox) -> None:
    QTest.keyClicks(box, "timeout stage:")
    QTest.keyClick(box, Key.Key_Tab)
    assert (box.text(), box.hasFocus(), offered(box)) == ("timeout stage:Fetch", True, [])


def test_tab_goes_on_to_the_next_widget_while_nothing_is_offered(box: SearchBox) -> None:
    QTest.keyClicks(box, "status:failed")
    QTest.keyClick(box, Key.Key_Tab)
    assert not box.hasFocus()


def test_down_goes_into_the_list_and_return_takes_the_chosen_one(view: EventsView, box: SearchBox) -> None:
    QTest.keyClicks(box, "status:")
    for _ in range(4):
        QTest.keyClick(box, Key.Key_Down)
    QTest.keyClick(box, Key.Key_Return)
    assert box.text() == "status:failed"
    assert view.query == ""
    QTest.keyClick(box, Key.Key_Return)
    assert view.query == "status:failed"


def test_up_from_the_line_goes_to_the_last_and_down_from_there_back(box: SearchBox) -> None:
    QTest.keyClicks(box, "event:")
    QTest.keyClick(box, Key.Key_Up)
    assert box.list.current is not None
    assert box.list.current.text == "fail"
    QTest.keyClick(box, Key.Key_Down)
    assert box.list.current is None
    QTest.keyClick(box, Key.Key_Down)
    assert box.list.current.text == "start"


def test_return_enters_the_query_as_it_is_while_none_is_chosen(view: EventsView, box: SearchBox) -> None:
    QTest.keyClicks(box, "fai")
    assert offered(box) == ["status:failed", "event:fail"]
    QTest.keyClick(box, Key.Key_Return)
    assert (view.query, box.text(), offered(box)) == ("fai", "fai", [])


def test_a_click_takes_what_it_is_on_and_leaves_the_keyboard_in_the_line(
    view: EventsView, box: SearchBox, qtbot: QtBot
) -> None:
    QTest.keyClicks(box, "stage:")
    rows = box.list.rows
    place = rows.visualRect(rows.model().index(1, 0)).center()
    QTest.mouseClick(rows.viewport(), LEFT, pos=place)
    assert (box.text(), box.hasFocus(), offered(box)) == ("stage:Parse", True, [])
    qtbot.waitUntil(lambda: view.query == "stage:Parse")


def test_what_is_taken_can_be_undone_in_one_step(box: SearchBox) -> None:
    QTest.keyClicks(box, "a status:fa")
    QTest.keyClick(box, Key.Key_Tab)
    assert box.text() == "a status:failed"
    box.undo()
    assert box.text() == "a status:fa"


def test_a_word_in_the_middle_is_completed_in_its_place(box: SearchBox) -> None:
    QTest.keyClicks(box, "stage: timeout")
    box.setCursorPosition(6)
    assert offered(box) == []
    QTest.keyClick(box, Key.Key_Down)
    QTest.keyClick(box, Key.Key_Tab)
    assert (box.text(), box.cursorPosition()) == ("stage:Fetch timeout", 11)


# Esc, and when the list goes by itself


def test_escape_closes_the_list_first_and_then_clears(view: EventsView, box: SearchBox) -> None:
    QTest.keyClicks(box, "sta")
    QTest.keyClick(box, Key.Key_Escape)
    assert (box.text(), offered(box)) == ("sta", [])
    QTest.keyClick(box, Key.Key_Escape)
    assert (box.text(), view.query) == ("", "")


def test_the_list_goes_when_the_keyboard_or_the_panel_does(
    view: EventsView, box: SearchBox, qtbot: QtBot
) -> None:
    QTest.keyClicks(box, "sta")
    view.table.setFocus()
    assert offered(box) == []
    box.setFocus()
    QTest.keyClick(box, Key.Key_Down)
    assert offered(box)
    view.resize(900, 420)
    assert offered(box) == []


def test_the_list_lies_in_the_window_below_the_box_or_above_it(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    view = EventsView(EventsModel(), Theme(), window)
    view.model.setParent(view)
    window.resize(700, 500)
    for top, below in ((0, True), (400, False)):
        view.setGeometry(0, top, 700, 100)
        window.show()
        box = view.search_box
        QTest.keyClick(box, Key.Key_Down)
        assert offered(box)
        listed, line = box.list.geometry(), box.mapTo(window, QPoint(0, 0))
        assert window.rect().contains(listed)
        assert (listed.top() > line.y() + box.height()) == below
        assert (listed.bottom() < line.y()) == (not below)
        box.list.hide()


# Mistakes


def test_a_mistake_is_said_and_underlined_where_it_is(view: EventsView, box: SearchBox) -> None:
    QTest.keyClicks(box, "timeout stauts:failed")
    QTest.keyClick(box, Key.Key_Return)
    assert view.fault.words == "Unknown field `stauts`; did you mean `status`?"
    assert box.marked_text == "stauts"
    assert box.accessibleDescription() == view.fault.words
    QTest.keyClicks(box, "x")
    assert box.marked_text == ""


def test_a_mistake_is_no_mistake_while_its_completions_are_open(
    view: EventsView, box: SearchBox, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(box.query_entered):
        QTest.keyClicks(box, "stage:")
    assert (view.fault.words, box.marked_text) == ("", "")
    with qtbot.waitSignal(box.query_entered):
        QTest.keyClick(box, Key.Key_Escape)
    assert view.fault.words == "Stage: needs a value, as in stage:Fetch; there is no space before a value"


def test_what_is_still_being_typed_is_no_mistake_until_the_typing_has_rested(
    view: EventsView, box: SearchBox, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(box.query_entered):
        QTest.keyClicks(box, "timeout OR")
    assert (view.fault.words, box.marked_text) == ("", "")
    with qtbot.waitSignal(box.query_entered):
        pass
    assert view.fault.words.startswith("OR needs a term behind it")
    assert box.marked_text == "OR"


def test_a_mistake_that_the_typing_has_left_behind_is_said_at_once(
    view: EventsView, box: SearchBox, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(box.query_entered):
        QTest.keyClicks(box, "stauts:failed slow")
    assert box.marked_text == "stauts"


def test_return_says_at_once_what_is_wrong_at_the_end(view: EventsView, box: SearchBox) -> None:
    QTest.keyClicks(box, 'item:"a b')
    QTest.keyClick(box, Key.Key_Return)
    assert view.fault.words.startswith("This quote has no end")


def test_a_sentence_that_is_too_long_leaves_its_end_out(view: EventsView) -> None:
    view.set_query("zzz:1")
    assert "there are status, stage" in view.fault.words
    assert view.fault.minimumSizeHint().width() < 100


def test_what_was_meant_is_offered_and_taken_by_a_click(view: EventsView, box: SearchBox) -> None:
    QTest.keyClicks(box, " stauts:failed")
    QTest.keyClick(box, Key.Key_Return)
    assert box.marked_text == "stauts"
    assert (view.fault.link.text(), view.fault.link.toolTip()) == ("Use status", "status:failed")
    QTest.mouseClick(view.fault.link, LEFT)
    assert (view.query, box.text(), view.fault.words) == ("status:failed", "status:failed", "")


def test_what_is_too_much_is_removed_by_a_click(view: EventsView, box: SearchBox) -> None:
    view.set_query("last:5m,6m slow")
    assert view.fault.link.text() == "Remove it"
    QTest.mouseClick(view.fault.link, LEFT)
    assert box.text() == "last:5m slow"


def test_a_mistake_without_a_remedy_has_no_link(view: EventsView, box: SearchBox) -> None:
    view.set_query("attempt:x")
    assert view.fault.words.startswith("Attempt: needs a whole number")
    assert not view.fault.link.isVisible()
    assert box.marked_text == "x"


def test_an_end_that_comes_too_early_is_underlined_at_its_last_character(
    view: EventsView, box: SearchBox
) -> None:
    view.set_query("status:")
    assert view.fault.words == "Status: needs a value, as in status:failed; there is no space before a value"
    assert box.marked_text == ":"


def test_the_wave_is_drawn_below_the_mistake_and_nowhere_else(view: EventsView, box: SearchBox) -> None:
    view.set_query("timeout stauts:failed")
    image = box.grab().toImage()
    columns = sorted(_columns_of(image, QColor(LIGHT.statuses["failed"])))
    width = box.fontMetrics().horizontalAdvance("0")
    start = box.cursorRect().center().x() + 1 + 8 * width
    assert columns
    assert start - 3 <= columns[0] <= start + 3
    assert columns[-1] <= start + 6 * width + 3


def _columns_of(image: QImage, color: QColor) -> set[int]:
    """The columns of pixels with a colour near one, in the picture's own units."""
    ratio = image.devicePixelRatio()
    return {
        round(x / ratio)
        for x in range(image.width())
        for y in range(image.height())
        if _near(image.pixelColor(x, y), color)
    }


def _near(one: QColor, other: QColor) -> bool:
    pairs = ((one.red(), other.red()), (one.green(), other.green()), (one.blue(), other.blue()))
    return all(abs(first - second) < 60 for first, second in pairs)


def test_a_chip_pressed_beside_a_faulty_query_changes_the_one_in_force(
    view: EventsView, box: SearchBox
) -> None:
    view.set_query("slow")
    QTest.keyClicks(box, " colour:red")
    QTest.keyClick(box, Key.Key_Return)
    QTest.mouseClick(view.chips.chips["failed"], LEFT)
    assert view.query == box.text() == "slow status:failed"


def test_a_chip_holds_alternatives_together(view: EventsView) -> None:
    view.set_query("slow OR bad")
    QTest.mouseClick(view.chips.chips["failed"], LEFT)
    assert view.query == "(slow OR bad) status:failed"
    assert view.model.rowCount() == 2
    QTest.mouseClick(view.chips.chips["failed"], LEFT)
    assert view.query == "slow OR bad"
