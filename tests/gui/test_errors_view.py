"""The Errors panel: groups that follow the run, and what choosing one does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from antflow_core.search.result import search
from antflow_gui.models.errors import BAR_COUNT, NO_TYPE, SHOWN_ITEMS, ErrorsModel
from antflow_gui.theme import Theme
from antflow_gui.views.errors import ErrorsView
from tests.gui.invented_events import InventedRun


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[ErrorsView]:
    view = ErrorsView(ErrorsModel(), Theme())
    view.model.setParent(view)
    qtbot.addWidget(view)
    view.resize(420, 360)
    view.show()
    yield view
    view.hide()


def _shown(view: ErrorsView) -> list[tuple[str, str, int]]:
    return [(group.type_name, group.stage, group.count) for group in view.model.groups]


def test_without_failures_the_panel_says_what_will_appear(view: ErrorsView) -> None:
    run = InventedRun()
    run.complete("fine")
    view.set_history(run.log)
    assert view.note.isVisible()
    assert "No failures so far" in view.note.label.text()
    assert view.total == 0


def test_failures_are_grouped_by_type_and_stage_the_largest_first(view: ErrorsView) -> None:
    run = InventedRun()
    run.fail(1, ValueError("first"))
    run.fail(2, KeyError("x"), stage="Parse")
    run.fail(3, KeyError("y"), stage="Parse")
    run.fail(4, ValueError("second"), stage="Parse")
    view.set_history(run.log)
    assert _shown(view) == [("KeyError", "Parse", 2), ("ValueError", "Fetch", 1), ("ValueError", "Parse", 1)]
    assert view.model.detail(view.model.groups[0]).startswith("in Parse · 50 % of failures · 0:00.")
    assert view.model.groups[1].message == "first"
    assert not view.note.isVisible()
    assert view.summary_label.text == "4 failures in 3 groups · 100.0 % of items failed"


def test_a_share_that_would_round_to_nothing_is_told_as_less_than_a_percent(view: ErrorsView) -> None:
    run = InventedRun()
    run.fail(0, KeyError("k"))
    for number in range(1, 300):
        run.fail(number, ValueError("v"))
    view.set_history(run.log)
    assert "< 1 % of failures" in view.model.detail(view.model.groups[1])


def test_long_names_neither_widen_the_panel_nor_are_read_as_markup(view: ErrorsView) -> None:
    stage = "Check <b>all</b> that was ordered by customers of the north"
    run = InventedRun(stages=(stage,))
    run.fail("a", type("AnErrorWithAVeryLongName" * 4, (Exception,), {})("x" * 500), stage=stage)
    view.set_history(run.log)
    least = view.minimumSizeHint().width()
    view.groups.setCurrentIndex(view.model.index(0))
    assert view.minimumSizeHint().width() == least < 300
    assert stage in view.items_label.text


def test_the_keyboard_alone_chooses_no_group(view: ErrorsView, qtbot: QtBot) -> None:
    run = InventedRun()
    run.fail(1, ValueError("a"))
    run.fail(2, KeyError("b"))
    view.set_history(run.log)
    view.activateWindow()
    view.groups.clearFocus()
    view.groups.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(lambda: view.groups.currentIndex().isValid())
    run.fail(3, ValueError("c"))
    view.refresh()
    assert not view.items_panel.isVisible()
    QTest.keyClick(view.groups, Qt.Key.Key_Down)
    assert view.items_panel.isVisible() and view.items_model.rowCount() == 2
    QTest.keyClick(view.groups, Qt.Key.Key_Down)
    assert view.items_model.rowCount() == 1


@pytest.mark.parametrize("key", [Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Home])
def test_the_first_key_chooses_the_first_group_also_where_it_is_the_only_one(
    view: ErrorsView, qtbot: QtBot, key: Qt.Key
) -> None:
    run = InventedRun()
    run.fail(1, ValueError("a"))
    view.set_history(run.log)
    view.activateWindow()
    view.setFocus(Qt.FocusReason.ShortcutFocusReason)
    qtbot.waitUntil(lambda: view.groups.currentIndex().isValid())
    with qtbot.waitSignal(view.group_chosen, timeout=1_000):
        QTest.keyClick(view.groups, key)
    assert view.groups.selectionModel().isSelected(view.model.index(0))


def test_a_retried_attempt_is_no_failure(view: ErrorsView) -> None:
    run = InventedRun()
    run.put("a", "Fetch", "retrying", attempt=2, error=OSError("again"))
    view.set_history(run.log)
    assert view.total == 0


def test_groups_grow_and_change_places_without_losing_the_selection(view: ErrorsView) -> None:
    run = InventedRun()
    run.fail(1, ValueError("a"))
    run.fail(2, ValueError("b"))
    run.fail(3, KeyError("c"))
    view.set_history(run.log)
    resets: list[bool] = []
    view.model.modelReset.connect(lambda: resets.append(True))
    view.groups.setCurrentIndex(view.model.index(1))
    for number in range(4, 8):
        run.fail(number, KeyError("c"))
    run.fail(9, TypeError("new"))
    view.refresh()
    assert _shown(view) == [("KeyError", "Fetch", 5), ("ValueError", "Fetch", 2), ("TypeError", "Fetch", 1)]
    assert view.groups.currentIndex().row() == 0
    assert view.items_model.rowCount() == 5
    assert not resets


def test_choosing_a_group_gives_a_query_for_exactly_its_failures(view: ErrorsView, qtbot: QtBot) -> None:
    run = InventedRun(stages=("Fetch", "Two words"))
    run.fail("ValueError.py", KeyError("k"), stage="Two words")
    run.fail("b", ValueError("v"), stage="Two words")
    run.fail("c", ValueError("v"))
    wanted = run.fail("d", ValueError("other"), stage="Two words")
    view.set_history(run.log)
    with qtbot.waitSignal(view.group_chosen) as chosen:
        view.groups.setCurrentIndex(view.model.index(0))
    found = search(run.log, str(chosen.args[0]), status_rows_only=True)
    assert [run.log.event(row).item_id for row in found.rows.tolist()] == ["b", "d"]
    with qtbot.waitSignal(view.item_chosen) as item:
        view.items.setCurrentIndex(view.items_model.index(1))
    assert item.args == [wanted]


def test_a_groups_query_finds_exactly_its_failures() -> None:
    class Timeout(Exception):  # noqa: N818  one name is to contain the other
        pass

    class ReadTimeout(Exception):  # noqa: N818  as above
        pass

    odd = type('Odd*, "quoted" \\ name', (Exception,), {})
    run = InventedRun(stages=("Fetch", 'Two "words"', "Fetch more"))
    wanted: dict[tuple[str, str], list[object]] = {}
    errors = [None, Timeout("ReadTimeout: x"), ReadTimeout("Timeout: y"), odd("Timeout"), odd("again")]
    for number, error in enumerate(errors * 6):
        stage = ("Fetch", 'Two "words"', "Fetch more")[number % 3]
        item = f"Timeout: {number}"
        if error is None:
            run.put(item, stage, "failed", attempt=1)
        else:
            run.fail(item, error, stage=stage)
            run.put(f"retried {number}", stage, "retrying", attempt=2, error=error)
        wanted.setdefault((type(error).__name__ if error else NO_TYPE, stage), []).append(item)
    model = ErrorsModel()
    model.set_history(run.log)
    found = {
        (group.type_name, group.stage): [
            run.log.event(row).item_id for row in search(run.log, group.query).rows.tolist()
        ]
        for group in model.groups
    }
    assert found == wanted
    timeouts = next(group for group in model.groups if (group.type_name, group.stage) == ("Timeout", "Fetch"))
    assert timeouts.query == "status:failed stage:Fetch error_type:Timeout"


def test_return_on_a_group_filters_again(view: ErrorsView, qtbot: QtBot) -> None:
    run = InventedRun()
    run.fail("a", ValueError("v"))
    view.set_history(run.log)
    view.groups.setCurrentIndex(view.model.index(0))
    with qtbot.waitSignal(view.group_chosen):
        QTest.keyClick(view.groups, Qt.Key.Key_Return)


def test_a_group_lists_its_first_items_and_says_how_many_there_are(view: ErrorsView) -> None:
    run = InventedRun()
    for number in range(SHOWN_ITEMS + 5):
        run.fail(number, ValueError("v"))
    view.set_history(run.log)
    view.groups.setCurrentIndex(view.model.index(0))
    assert view.items_model.rowCount() == SHOWN_ITEMS
    assert view.items_label.text == "ValueError in Fetch: the first 1,000 of 1,005 items"


def test_another_history_forgets_the_groups(view: ErrorsView) -> None:
    run = InventedRun()
    run.fail("a", ValueError("v"))
    view.set_history(run.log)
    view.groups.setCurrentIndex(view.model.index(0))
    view.set_history(None)
    assert (view.total, view.model.rowCount(), view.items_model.rowCount()) == (0, 0, 0)
    assert not view.items_panel.isVisible()
    assert view.note.isVisible()


def test_bars_hold_every_failure_however_long_the_run_gets(view: ErrorsView) -> None:
    run = InventedRun()
    view.set_history(run.log)
    for number in range(400):
        run.fail(number, ValueError("v"))
        view.refresh()
    group = view.model.groups[0]
    assert sum(group.bars) == 400
    assert BAR_COUNT // 2 <= view.model.used_bars() <= BAR_COUNT
    assert all(group.bars[: view.model.used_bars()])


def test_failures_written_in_one_piece_and_one_by_one_give_the_same_groups() -> None:
    run = InventedRun()
    follower = ErrorsModel()
    follower.set_history(run.log)
    for number in range(300):
        error = ValueError(str(number)) if number % 3 else KeyError(number)
        run.fail(number, error, stage=("Fetch", "Parse")[number % 2])
        if number % 7 == 0:
            follower.refresh()
    follower.refresh()
    late = ErrorsModel()
    late.set_history(run.log)
    assert follower.groups == late.groups


def test_a_failure_without_an_error_has_a_group_too(view: ErrorsView, qtbot: QtBot) -> None:
    run = InventedRun()
    run.put("a", "Fetch", "failed", attempt=1)
    view.set_history(run.log)
    assert _shown(view) == [("No error recorded", "Fetch", 1)]
    with qtbot.waitSignal(view.group_chosen) as chosen:
        view.groups.setCurrentIndex(view.model.index(0))
    found = search(run.log, str(chosen.args[0]))
    assert [run.log.event(row).item_id for row in found.rows.tolist()] == ["a"]


def test_the_models_keep_qts_rules(view: ErrorsView, qtmodeltester: ModelTester) -> None:
    run = InventedRun()
    run.fail(1, ValueError("a"))
    view.set_history(run.log)
    qtmodeltester.check(view.model, force_py=False)  # type: ignore[no-untyped-call]  # pytest-qt leaves it untyped
    view.groups.setCurrentIndex(view.model.index(0))
    run.fail(2, KeyError("b"))
    run.fail(3, KeyError("b"))
    view.refresh()
    qtmodeltester.check(view.items_model, force_py=False)  # type: ignore[no-untyped-call]  # pytest-qt leaves it untyped


def test_the_items_of_a_group_can_be_retried_together(view: ErrorsView, qtbot: QtBot) -> None:
    run = InventedRun()
    run.fail(1, ValueError("a"))
    run.fail(2, KeyError("b"), stage="Parse")
    run.fail(3, KeyError("c"), stage="Parse")
    view.set_history(run.log)
    view.groups.setCurrentIndex(view.model.index(0))
    assert not view.retry_button.isVisible()
    view.set_can_retry(True)
    assert view.retry_button.isVisible()
    with qtbot.waitSignal(view.retry_requested) as retried:
        view.retry_button.click()
    assert retried.args == ["Parse", "KeyError"]
    view.set_can_retry(False)
    assert not view.retry_button.isVisible()
