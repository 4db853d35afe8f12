"""The Item panel and the history behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtGui import QFontMetrics, QGuiApplication
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from antflow_gui.models.item_events import TOOK, WORKER
from antflow_gui.models.item_history import ItemHistory, Span
from antflow_gui.theme import Theme, mono_font
from antflow_gui.views.item import ItemView
from tests.gui.invented_events import STARTED_AT, InventedRun, raised

STAGES = ("Fetch", "Parse", "Save")


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[ItemView]:
    view = ItemView(Theme())
    qtbot.addWidget(view)
    view.resize(420, 600)
    view.show()
    yield view
    view.hide()


def _retried_run() -> tuple[InventedRun, int]:
    """One item, retried in Fetch, failed in Parse, among others; task events come with the attempts."""
    run = InventedRun(STAGES)
    run.complete("other")
    run.put("a", "Fetch", "queued")
    run.put("a", "Fetch", "in_progress", attempt=1, worker="Fetch-W1")
    run.put("a", "Fetch", "start", attempt=1, worker="Fetch-W1", task="get")
    run.put("a", "Fetch", "retry", attempt=1, worker="Fetch-W1", task="get", error=OSError("busy"))
    run.put("a", "Fetch", "retrying", attempt=2, worker="Fetch-W1", error=OSError("busy"))
    run.complete("other", "Parse")
    run.put("a", "Fetch", "start", attempt=2, worker="Fetch-W1", task="get")
    run.put("a", "Fetch", "completed", attempt=2, worker="Fetch-W1", duration=0.01)
    item = run.fail("a", raised(ValueError("bad <value>")), stage="Parse")
    return run, item


def _rounded(spans: list[Span]) -> list[tuple[int, int, int | None, str]]:
    """Spans with their times in whole hundredths of a second."""
    return [
        (
            span.stage,
            round(span.start_s * 100),
            None if span.end_s is None else round(span.end_s * 100),
            span.status,
        )
        for span in spans
    ]


def test_the_way_tells_waiting_and_each_attempt_apart() -> None:
    run, item = _retried_run()
    assert _rounded(ItemHistory(run.log, item).spans()) == [
        (0, 4, 5, "queued"),
        (0, 5, 8, "retrying"),
        (0, 8, 12, "queued"),
        (0, 12, 13, "completed"),
        (1, 14, 15, "queued"),
        (1, 15, 18, "failed"),
    ]


def test_a_skipped_stage_is_a_point_after_the_wait() -> None:
    run = InventedRun(STAGES)
    run.put("a", "Fetch", "queued")
    item = run.put("a", "Fetch", "skipped")
    assert _rounded(ItemHistory(run.log, item).spans()) == [(0, 1, 2, "queued"), (0, 2, 2, "skipped")]


def test_work_that_goes_on_has_no_end_until_the_run_has() -> None:
    run = InventedRun(STAGES)
    run.put("a", "Fetch", "queued")
    item = run.put("a", "Fetch", "in_progress", attempt=1)
    history = ItemHistory(run.log, item)
    assert _rounded(history.spans())[-1] == (0, 2, None, "in_progress")
    run.log.end_run(run.run, STARTED_AT + 1)
    assert _rounded(history.spans())[-1] == (0, 2, 100, "in_progress")


def test_a_history_follows_its_item_only() -> None:
    run = InventedRun(STAGES)
    item = run.complete("a")
    history = ItemHistory(run.log, item)
    run.complete("b")
    assert not history.refresh()
    run.complete("a", "Parse")
    assert history.refresh()
    assert [event.kind for event in history.events] == ["queued", "in_progress", "completed"] * 2
    assert not history.refresh()


def test_an_item_that_came_through_after_all_shows_no_error() -> None:
    run = InventedRun(STAGES)
    run.fail("a", ValueError("bad"))
    item = run.complete("a")
    assert ItemHistory(run.log, item).error is None


def test_without_an_item_the_panel_says_how_to_choose_one(view: ItemView) -> None:
    assert view.note.isVisible()
    assert "Choose an event" in view.note.label.text()
    assert not view.page.isVisible()


def test_a_failed_item_shows_state_error_and_whole_history(view: ItemView) -> None:
    run, item = _retried_run()
    view.show_item(run.log, item)
    assert view.id_label.full_text == "a"
    assert "failed</span> in Parse, attempt 1 · 140 ms in all" in view.state_label.text()
    assert view.error_label.text() == "ValueError: bad <value>"
    assert "raise error" in view.traceback_box.toPlainText()
    assert view.traceback_box.isVisible()
    assert view.events.rows.rowCount() == 12
    assert [view.events.rows.index(2, column).data() for column in range(3)] == ["0.060", "   get", "start"]
    assert [view.events.rows.index(4, column).data() for column in range(5)] == [
        "0.080",
        "Fetch",
        "retrying",
        "Fetch-W1",
        "2",
    ]


def test_an_item_without_failure_shows_no_error(view: ItemView) -> None:
    run = InventedRun(STAGES)
    view.show_item(run.log, run.complete("a"))
    assert not view.error_label.isVisible()
    assert not view.traceback_box.isVisible()


def test_the_panel_follows_its_item(view: ItemView) -> None:
    run = InventedRun(STAGES)
    item = run.put("a", "Fetch", "queued")
    view.show_item(run.log, item)
    resets: list[bool] = []
    view.events.rows.modelReset.connect(lambda: resets.append(True))
    run.put("a", "Fetch", "in_progress", attempt=1, worker="Fetch-W0")
    view.refresh()
    assert "in progress" in view.state_label.text()
    assert view.events.rows.rowCount() == 2
    assert not resets


def test_a_hidden_panel_catches_up_when_it_is_shown(view: ItemView) -> None:
    run = InventedRun(STAGES)
    item = run.put("a", "Fetch", "queued")
    view.show_item(run.log, item)
    view.hide()
    run.put("a", "Fetch", "in_progress", attempt=1)
    view.refresh()
    assert view.events.rows.rowCount() == 1
    view.show()
    assert view.events.rows.rowCount() == 2


def test_the_report_holds_item_state_error_and_traceback(view: ItemView, qtbot: QtBot) -> None:
    run, item = _retried_run()
    view.show_item(run.log, item)
    view.copy_button.click()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[:4] == ["Item: a", "State: failed in Parse, attempt 1", "Error: ValueError: bad <value>", ""]
    assert lines[4] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: bad <value>"


def test_a_long_id_is_cut_in_the_middle_and_copied_whole(view: ItemView) -> None:
    run = InventedRun(STAGES)
    name = "folder/" * 30 + "file.py"
    view.show_item(run.log, run.complete(name))
    assert "…" in view.id_label.text()
    assert view.id_label.toolTip() == name
    view.id_label.copy_full_text()
    assert QGuiApplication.clipboard().text() == name


def test_a_message_without_a_space_stays_within_the_panel(view: ItemView) -> None:
    run = InventedRun(STAGES)
    view.show_item(run.log, run.fail("a", ValueError("x" * 600)))
    assert view.error_label.minimumSizeHint().width() < view.width()


def test_an_id_without_a_letter_is_seen(view: ItemView) -> None:
    run = InventedRun(STAGES)
    view.show_item(run.log, run.complete(" "))
    assert view.id_label.text() == "' '"


def test_clearing_forgets_the_item(view: ItemView) -> None:
    run = InventedRun(STAGES)
    view.show_item(run.log, run.complete("a"))
    view.clear()
    assert view.note.isVisible()
    assert view.events.rows.rowCount() == 0


def test_another_theme_repaints_the_state(qtbot: QtBot) -> None:
    from antflow_gui.theme import DARK, ThemeMode

    theme = Theme(ThemeMode.LIGHT)
    view = ItemView(theme)
    qtbot.addWidget(view)
    run = InventedRun(STAGES)
    view.show_item(run.log, run.complete("a"))
    theme.set_mode(ThemeMode.DARK)
    assert DARK.statuses["completed"].lower() in view.state_label.text()


def test_the_rows_keep_qts_rules(view: ItemView, qtmodeltester: ModelTester) -> None:
    run, item = _retried_run()
    view.show_item(run.log, item)
    qtmodeltester.check(view.events.rows, force_py=False)  # type: ignore[no-untyped-call]  # pytest-qt leaves it untyped
    run.complete("a", "Save")
    view.refresh()


def test_a_failed_item_can_be_retried_alone_or_with_all_like_it(view: ItemView, qtbot: QtBot) -> None:
    run, item = _retried_run()
    view.show_item(run.log, item)
    assert not view.retry_button.isVisible()
    view.set_acts(can_retry=True, can_cancel=True)
    assert not view.cancel_button.isVisible()
    with qtbot.waitSignal(view.retry_requested) as retried:
        view.retry_button.click()
    assert retried.args == [item]
    with qtbot.waitSignal(view.alike_requested) as alike:
        view.alike_button.click()
    assert alike.args == ["Parse", "ValueError"]
    view.set_acts(can_retry=False, can_cancel=True)
    assert not view.retry_button.isVisible()
    assert not view.alike_button.isVisible()


def test_an_item_under_way_can_be_given_up_until_it_ends(view: ItemView, qtbot: QtBot) -> None:
    run = InventedRun(STAGES)
    item = run.put("a", "Fetch", "queued")
    view.show_item(run.log, item)
    view.set_acts(can_retry=True, can_cancel=True)
    with qtbot.waitSignal(view.cancel_requested) as cancelled:
        view.cancel_button.click()
    assert cancelled.args == [item]
    for stage in STAGES:
        assert view.cancel_button.isVisible()
        run.complete("a", stage)
        view.refresh()
    assert not view.cancel_button.isVisible()
    assert not view.retry_button.isVisible()


def test_a_narrow_panel_still_shows_how_long_each_step_took(view: ItemView) -> None:
    run, item = _retried_run()
    view.set_acts(can_retry=True, can_cancel=True)
    least = view.minimumSizeHint().width()
    view.show_item(run.log, item)
    assert view.minimumSizeHint().width() == least
    view.resize(least, 600)
    table = view.events
    assert table.horizontalHeader().length() <= table.viewport().width()
    assert table.isColumnHidden(WORKER)
    assert table.columnWidth(TOOK) >= 50
    shown = (view.retry_button, view.alike_button, view.copy_button)
    assert [button.text() for button in shown] == ["Retry", "Retry alike", "Copy"]
    assert all(button.width() >= button.sizeHint().width() for button in shown)
    view.resize(520, 600)
    assert not table.isColumnHidden(WORKER)
    assert [button.text() for button in shown] == ["Retry item", "Retry all like this", "Copy report"]


def test_a_long_stage_name_and_a_late_time_leave_everything_within_the_panel(
    view: ItemView, qtbot: QtBot
) -> None:
    run = InventedRun(("N" * 500, "two\nlines"))
    run.wait(123_456)
    run.put("a", "N" * 500, "queued")
    view.show_item(run.log, run.put("a", "N" * 500, "in_progress", attempt=1, worker="W0"))
    qtbot.waitUntil(lambda: view.way.height() == 2 * 20)  # it is laid out
    assert view.events.width() < view.width()
    table = view.events
    newest = table.rows.index(1, 0).data()
    assert QFontMetrics(mono_font(12)).horizontalAdvance(newest) < table.columnWidth(0)
