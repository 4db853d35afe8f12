"""The event table's model: rows by query, growing without a reset."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QAbstractTableModel, QModelIndex, Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from antflow_core.exceptions import QueryError
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import NO_DURATION, NO_ERROR, NO_TASK, NO_WORKER
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.history.text_index import SEGMENT_TEXTS
from antflow_gui.models.events import (
    COLUMN_NAMES,
    ERROR,
    ERROR_ROLE,
    ITEM,
    ITEM_ROLE,
    LOG_ROW_ROLE,
    STAGE,
    STATUS,
    STATUS_ROLE,
    TIME,
    TOOK,
    TRY,
    WORKER,
    EventsModel,
)
from tests.gui.invented_events import InventedRun


@pytest.fixture
def model(qtbot: QtBot) -> Iterator[EventsModel]:
    model = EventsModel()
    yield model
    model.deleteLater()


def _text(model: QAbstractTableModel, row: int, column: int) -> object:
    return model.index(row, column).data()


def test_a_row_is_one_status_event_in_words(model: EventsModel) -> None:
    run = InventedRun()
    run.fail("a/b.py", ValueError("bad\nvalue"))
    model.set_history(run.log)
    assert model.rowCount() == 3
    texts = [_text(model, 2, column) for column in (TIME, ITEM, STAGE, STATUS, WORKER, TRY, TOOK, ERROR)]
    assert texts == [
        "0.050",
        "a/b.py",
        "Fetch",
        "failed",
        "Fetch-W0",
        "1",
        "20.0 ms",
        "ValueError: bad\nvalue",
    ]
    assert [_text(model, 0, column) for column in (WORKER, TRY, TOOK, ERROR)] == ["", "", "", ""]


def test_roles_tell_item_status_row_and_error(model: EventsModel) -> None:
    run = InventedRun()
    run.complete("first")
    item = run.fail("second", ValueError("bad"))
    model.set_history(run.log)
    index = model.index(5, 0)
    assert (index.data(ITEM_ROLE), index.data(STATUS_ROLE), index.data(LOG_ROW_ROLE)) == (item, "failed", 7)
    assert run.log.error(index.data(ERROR_ROLE)).message == "bad"
    assert index.data(Qt.ItemDataRole.DecorationRole) is None


def test_new_events_are_inserted_in_one_batch_and_never_reset(model: EventsModel, qtbot: QtBot) -> None:
    run = InventedRun()
    run.complete("a")
    model.set_history(run.log)
    batches: list[tuple[int, int]] = []
    resets: list[bool] = []

    def note(_parent: QModelIndex, first: int, last: int) -> None:
        batches.append((first, last))

    model.rowsInserted.connect(note)
    model.modelReset.connect(lambda: resets.append(True))
    for name in range(100):
        run.complete(name)
    assert model.refresh()
    assert not model.refresh()
    assert batches == [(3, 302)]
    assert not resets
    assert _text(model, 302, ITEM) == "99"


def test_a_page_that_was_read_half_full_shows_what_came_later(model: EventsModel) -> None:
    run = InventedRun()
    run.complete("a")
    model.set_history(run.log)
    assert _text(model, 2, STATUS) == "completed"
    run.complete("b")
    model.refresh()
    assert _text(model, 5, ITEM) == "b"


def test_a_query_selects_rows_and_goes_on_selecting(model: EventsModel) -> None:
    run = InventedRun()
    run.complete("a")
    run.fail("b", ValueError("bad"))
    model.set_history(run.log)
    model.set_query("status:failed")
    assert [_text(model, row, ITEM) for row in range(model.rowCount())] == ["b"]
    run.complete("c")
    run.fail("d", ValueError("bad"))
    model.refresh()
    assert [_text(model, row, ITEM) for row in range(model.rowCount())] == ["b", "d"]


def test_task_events_never_become_rows(model: EventsModel) -> None:
    run = InventedRun()
    run.fail("b", ValueError("bad"))
    model.set_history(run.log)
    model.set_query("work")
    assert model.rowCount() == 0


def test_task_events_become_rows_where_the_query_names_them(model: EventsModel) -> None:
    run = InventedRun()
    run.complete("a")
    run.fail("b", ValueError("bad"))
    model.set_history(run.log)
    model.set_query("event:fail OR status:failed")
    assert [_text(model, row, STATUS) for row in range(model.rowCount())] == ["fail · work", "failed"]
    assert (model.total_events, model.index(0, 0).data(STATUS_ROLE)) == (8, "fail")
    model.set_query("task:work")
    assert model.rowCount() == 2
    model.set_query("-event:fail b")
    assert model.rowCount() == 3
    assert model.total_events == 6


def test_rows_that_get_too_old_are_removed_in_one_batch(model: EventsModel, qtbot: QtBot) -> None:
    run = InventedRun()
    run.complete("a")
    model.set_history(run.log)
    model.set_query("last:25ms")
    assert model.rowCount() == 3
    assert _text(model, 0, STATUS) == "queued"
    changes: list[tuple[str, int, int]] = []

    def note_removal(_parent: QModelIndex, first: int, last: int) -> None:
        changes.append(("removed", first, last))

    def note_insertion(_parent: QModelIndex, first: int, last: int) -> None:
        changes.append(("inserted", first, last))

    model.rowsRemoved.connect(note_removal)
    model.rowsInserted.connect(note_insertion)
    run.put("b", "Fetch", "queued")
    model.refresh()
    assert changes == [("removed", 0, 0), ("inserted", 2, 2)]
    assert [_text(model, row, STATUS) for row in range(3)] == ["in progress", "completed", "queued"]


def test_events_that_the_log_drops_leave_rows_and_counts(model: EventsModel) -> None:
    run = InventedRun(log=EventLog(2 * CHUNK_ROWS))
    model.set_history(run.log)
    for number in range(CHUNK_ROWS):
        run.complete(number)
        if number % 1_000 == 0:
            model.refresh()
    model.refresh()
    held = len(run.log)
    assert run.log.first_row > 0
    assert model.rowCount() == model.total_events == held
    assert sum(model.event_counts().values()) == held
    assert model.row_of(run.log.first_row) == 0
    assert model.cells(held - 1).log_row == run.log.next_row - 1


def test_a_row_that_the_log_has_dropped_meanwhile_is_blank_until_the_next_refresh(model: EventsModel) -> None:
    run = InventedRun(log=EventLog(2 * CHUNK_ROWS))
    model.set_history(run.log)
    run.complete("first")
    model.refresh()
    for number in range(CHUNK_ROWS):
        run.complete(number)
    assert run.log.first_row > 0
    assert model.cells(0).item == -1
    assert model.index(0, ITEM).data() == ""
    model.refresh()
    assert model.cells(0).item >= 0


def test_completions_come_from_the_history_that_is_shown(model: EventsModel) -> None:
    run = InventedRun()
    run.complete("a")
    assert model.completions("stage:", 6).candidates == ()
    model.set_history(run.log)
    assert [each.text for each in model.completions("stage:", 6).candidates] == ["Fetch", "Parse"]


def test_a_faulty_query_is_refused_and_the_old_result_stays(model: EventsModel) -> None:
    run = InventedRun()
    run.complete("a")
    model.set_history(run.log)
    model.set_query("status:completed")
    with pytest.raises(QueryError):
        model.set_query("colour:red")
    assert (model.query, model.rowCount()) == ("status:completed", 1)


def test_a_faulty_query_is_refused_without_a_history_too(model: EventsModel) -> None:
    with pytest.raises(QueryError):
        model.set_query("colour:red")


def test_a_query_outlives_the_history(model: EventsModel) -> None:
    model.set_query("status:failed")
    run = InventedRun()
    run.complete("a")
    run.fail("b", ValueError("bad"))
    model.set_history(run.log)
    assert model.rowCount() == 1
    model.set_history(None)
    assert (model.rowCount(), model.total_events, model.query) == (0, 0, "status:failed")


def test_counts_are_of_all_status_events_whatever_the_query(model: EventsModel) -> None:
    run = InventedRun()
    run.complete("a")
    run.fail("b", ValueError("bad"))
    model.set_history(run.log)
    model.set_query("status:failed")
    run.complete("c")
    model.refresh()
    counts = model.event_counts()
    assert counts == {"queued": 3, "in_progress": 3, "completed": 2, "failed": 1, "retrying": 0, "skipped": 0}
    assert model.total_events == 9


def test_a_row_of_the_log_is_found_again_unless_it_is_filtered_out(model: EventsModel) -> None:
    run = InventedRun()
    run.complete("a")
    run.complete("b")
    model.set_history(run.log)
    model.set_query("item:b")
    assert [model.row_of(row) for row in range(7)] == [None, None, None, 0, 1, 2, None]


def test_rows_are_copied_with_the_column_names_and_one_line_each(model: EventsModel) -> None:
    run = InventedRun()
    run.fail("a\tb", ValueError("bad\nvalue"))
    model.set_history(run.log)
    head, first, second = model.row_text([0, 2]).splitlines()
    assert head.split("\t") == list(COLUMN_NAMES)
    assert first.split("\t") == ["0.010", "a b", "Fetch", "queued", "", "", "", ""]
    assert second.split("\t")[-1] == "ValueError: bad value"


def test_events_of_a_second_run_count_their_time_from_its_start(model: EventsModel) -> None:
    first = InventedRun()
    first.complete("a")
    second = InventedRun(log=first.log)
    second.complete("a")
    model.set_history(first.log)
    assert [_text(model, row, TIME) for row in (0, 3)] == ["0.010", "0.010"]


def test_the_model_keeps_qts_rules_while_it_grows_and_is_filtered(
    model: EventsModel, qtmodeltester: ModelTester
) -> None:
    run = InventedRun()
    run.complete("a")
    model.set_history(run.log)
    qtmodeltester.check(model, force_py=False)  # type: ignore[no-untyped-call]  # pytest-qt leaves it untyped
    run.repeat(100)
    model.refresh()
    model.set_query("status:completed")
    run.repeat(1)
    model.refresh()
    model.set_query("last:1s OR -status:queued last:10s")
    for number in range(100):
        run.complete(number)
        model.refresh()
    model.set_history(None)
    qtmodeltester.check(model, force_py=False)  # type: ignore[no-untyped-call]  # pytest-qt leaves it untyped


def test_what_searches_need_is_made_ready_without_being_asked_for(model: EventsModel, qtbot: QtBot) -> None:
    log = EventLog()
    items = log.run_items(log.begin_run("ready", ["Fetch"], 0.0))
    for number in range(3 * SEGMENT_TEXTS):
        log.append(0.0, items[f"item {number}"], 0, 0, 0, NO_TASK, NO_WORKER, NO_DURATION, NO_ERROR)
    texts, columns = log.text_index("item"), log.narrow_columns
    model.set_history(log)
    qtbot.waitUntil(lambda: not texts.prepare(0, log.item_count, segments=0))
    qtbot.waitUntil(lambda: not columns.prepare(chunks=0))
    assert columns.memory_bytes() > len(log) // CHUNK_ROWS * CHUNK_ROWS
