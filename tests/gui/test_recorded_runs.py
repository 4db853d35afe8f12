"""Recorded runs in the main window: opened in every way, shown like live ones, honest about their faults."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QObject, QPoint, QPointF, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from antflow_core.export.json_lines import write_json_lines
from antflow_core.link.inproc import InProcessRun
from antflow_core.link.protocol import Recording, RunState
from antflow_core.pipeline import Pipeline
from antflow_core.recorded_run import open_run
from antflow_core.recording import Recorder, ValueCapture, record
from antflow_core.run_files.run_records import Outcome
from antflow_core.stage import Stage
from antflow_core.tracker import StatusTracker
from antflow_gui.context import AppContext
from antflow_gui.event_loop import BatchedEventLoop
from antflow_gui.runs.controller import RunController
from antflow_gui.windows.main_window import MainWindow
from tests.bench.run_file import filled_log
from tests.gui.driving import drive, run_to_the_end, trigger
from tests.support.processes import run_command, start_python
from tests.support.scripts import RAISES, SEVERAL_PIPELINES, TWO_STAGES

WriteScript = Callable[..., Path]
LEFT = Qt.MouseButton.LeftButton
ACTS = ("run.start", "run.arguments", "run.pause", "run.retry", "run.stop")

NEVER_ENDS = """\
import asyncio, itertools, sys
from antflow_core import Pipeline, Stage

async def work(number):
    await asyncio.sleep(0.001)
    return number

pipeline = Pipeline([Stage("Work", 3, [work])], collect_results=False)
asyncio.run(pipeline.run(itertools.count(), record=sys.argv[1]))
"""


@pytest.fixture
def recorded(qt_loop: BatchedEventLoop, write_script: WriteScript, tmp_path: Path) -> Callable[..., Path]:
    """Runs a script with a recording, and gives the run file."""

    def record(text: str = TWO_STAGES, *args: str, name: str = "orders") -> Path:
        path = tmp_path / f"{name}.antflow"
        qt_loop.run_until_complete(InProcessRun(write_script(text), args, record=path).run())
        return path

    return record


def _open(loop: BatchedEventLoop, window: MainWindow, path: Path) -> None:
    """Open a file and wait until it has been read."""

    async def opened() -> None:
        window.opener.open_file(path)

    loop.run_until_complete(opened())
    drive(loop, until=lambda: not window.controller.is_reading)


def test_a_recorded_run_fills_the_same_views_as_a_live_one(
    window: MainWindow, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    _open(qt_loop, window, recorded())
    header, page = window.run_page.header, window.run_page
    assert window.pages.currentWidget() is window.run_page
    assert window.windowTitle() == "orders.antflow – AntFlow Desk"
    assert header.state_text.text == "Recorded · 10 failed"
    assert (header.share_text.text, header.items_text.text) == ("100 %", "100 of 100 items")
    assert header.note_text.text.startswith("orders.py · started today ")
    tip = header.name_text.toolTip()
    assert f"Script: {window.controller.path and window.controller.path.with_name('orders.py')}" in tip
    assert "\nOn " in tip and "Python 3" in tip
    assert [card.name_text.text for card in page.flow.cards] == ["Fetch", "Price"]
    assert [card.workers_text.text for card in page.flow.cards] == ["0/3", "0/2"]
    assert all(card.rate_text.text.endswith("/s") for card in page.flow.cards)
    assert window.events.model.rowCount() == 100 * 3 + 90 * 3
    assert (window.errors.total, window.panels.errors.windowTitle()) == (10, "Errors  10")
    assert not window.banner.isVisible()
    assert "does not keep" in window.console.note.label.text()
    window.events.set_query("status:failed")
    assert window.events.model.rowCount() == 10
    window.events.table.selectRow(0)
    assert window.item.id_label.full_text == "7"


def test_an_empty_recording_promises_nothing_and_a_script_opened_after_it_does(
    window: MainWindow, qt_loop: BatchedEventLoop, recorded: Callable[..., Path], write_script: WriteScript
) -> None:
    _open(qt_loop, window, recorded("from antflow_core import Pipeline\nasync def main(): pass\n"))
    header, page = window.run_page.header, window.run_page
    labels = (
        window.events.note.label,
        window.errors.note.label,
        window.item.note.label,
        page.plot.empty_label,
        page.flow.empty_label,
    )
    assert [label.text() for label in labels] == [
        "No events were recorded.",
        "No failures were recorded.",
        "No items were recorded.",
        "No throughput was recorded",
        "No pipeline was recorded",
    ]
    assert header.items_text.text == "no items" and header.elapsed_text.text.startswith("0:")
    window.open_script(write_script(TWO_STAGES))
    promises = "appear here", "No failures so far", "Choose an event", "is drawn here"
    assert all(promise in label.text() for promise, label in zip(promises, labels, strict=False))
    assert [card.name_text.text for card in page.flow.cards] == ["Fetch", "Price"]


def test_a_recording_without_items_offers_none_to_choose(
    window: MainWindow, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    _open(qt_loop, window, recorded(TWO_STAGES.replace("range(100)", "[]")))
    assert window.item.note.label.text() == "No items were recorded."
    assert window.run_page.header.items_text.text == "no items"
    _open(qt_loop, window, recorded(name="full"))
    assert "Choose an event" in window.item.note.label.text()


def test_the_status_line_forgets_the_run_of_the_script_before(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    context.settings.record_runs = True
    window.open_script(write_script(TWO_STAGES))
    run_to_the_end(qt_loop, window)
    line = window.status_line
    assert line.events.text().startswith("950 events in ") and line.recording_button.isVisible()
    window.open_script(write_script(TWO_STAGES, "others.py"))
    assert not line.events.text() and not line.recording_button.isVisible()


def test_a_query_ends_with_the_file_it_was_asked_of(
    window: MainWindow, qt_loop: BatchedEventLoop, recorded: Callable[..., Path], write_script: WriteScript
) -> None:
    script, first, second = write_script(TWO_STAGES), recorded(name="first"), recorded(name="second")
    _open(qt_loop, window, first)
    window.events.set_query("status:failed item:17")
    _open(qt_loop, window, first)
    assert (window.events.query, window.events.model.rowCount()) == ("status:failed item:17", 1)
    _open(qt_loop, window, second)
    assert (window.events.query, window.events.search_box.text()) == ("", "")
    assert window.events.model.rowCount() == 100 * 3 + 90 * 3
    window.events.set_query("stauts:failed")
    window.open_script(script)
    assert (window.events.search_box.text(), window.events.fault.words) == ("", "")
    window.events.set_query("status:failed")
    for _ in range(2):
        run_to_the_end(qt_loop, window)
        assert (window.events.query, window.events.model.rowCount()) == ("status:failed", 10)


def test_a_finished_recording_is_shown_from_its_beginning(
    window: MainWindow, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    _open(qt_loop, window, recorded())
    assert not window.events.table.tail.following
    assert window.events.table.rowAt(0) == 0


def test_nothing_can_be_done_with_a_recorded_run_but_to_open_its_script(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    path = recorded(TWO_STAGES, "--limit", "5")
    _open(qt_loop, window, path)
    header, actions = window.run_page.header, window.commands.actions
    assert not any(actions[act].isEnabled() for act in ACTS)
    assert not header.pause_button.isVisible() and not header.stop_button.isVisible()
    window.events.set_query("status:failed")
    window.events.table.selectRow(0)
    window.panels.reveal(window.panels.item)
    assert window.item.copy_button.isVisible()
    assert not window.item.retry_button.isVisible() and not window.item.cancel_button.isVisible()
    assert header.script_button.isVisible() and header.script_button.isEnabled()
    QTest.mouseClick(header.script_button, LEFT)
    assert context.controller.path == path.with_name("orders.py")
    assert (context.controller.args, context.controller.recorded) == (("--limit", "5"), None)
    assert actions["run.start"].isEnabled()
    assert header.pause_button.isVisible() and not header.script_button.isVisible()


def test_the_values_that_were_recorded_of_an_item_open_from_a_line_each(
    window: MainWindow, qt_loop: BatchedEventLoop, tmp_path: Path
) -> None:
    async def text(number: int) -> str:
        return f"line\n<{number}>" * 9

    async def made() -> None:
        tracker = StatusTracker()
        async with record(tracker, tmp_path / "values.antflow", values=ValueCapture()):
            await Pipeline([Stage("Text", 1, [text])], status_tracker=tracker).run([4, 5])

    qt_loop.run_until_complete(made())
    _open(qt_loop, window, tmp_path / "values.antflow")
    window.panels.reveal(window.panels.item)
    window.events.table.selectRow(0)
    values = window.item.values
    assert values.isVisible()
    assert [entry.button.accessibleName().split(":")[0] for entry in values.entries] == [
        "To Text",
        "Result",
    ]
    assert values.entries[0].button.accessibleName() == "To Text: 4"
    result = values.entries[1]
    assert not result.box.isVisible()
    QTest.mouseClick(result.button, LEFT)
    assert result.box.isVisible() and result.box.toPlainText() == repr("line\n<4>" * 9)
    window.item.refresh()
    assert values.entries[1] is result and result.box.isVisible()
    window.events.set_query("item:1")
    window.events.table.selectRow(0)
    assert values.entries[0].button.accessibleName() == "To Text: 5"


def test_an_item_whose_values_were_not_recorded_shows_none(
    window: MainWindow, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    _open(qt_loop, window, recorded())
    window.panels.reveal(window.panels.item)
    window.events.table.selectRow(0)
    assert window.item.page.isVisible() and not window.item.values.isVisible()


def test_where_the_script_has_gone_its_button_says_so(
    window: MainWindow, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    path = recorded()
    path.with_name("orders.py").unlink()
    _open(qt_loop, window, path)
    button = window.run_page.header.script_button
    assert not button.isEnabled() and "orders.py is not there any more" in button.toolTip()
    assert not window.commands.actions["run.script"].isEnabled()


def test_a_script_that_was_named_from_its_folder_is_opened_there(
    window: MainWindow,
    context: AppContext,
    qt_loop: BatchedEventLoop,
    write_script: WriteScript,
    tmp_path: Path,
) -> None:
    script = write_script(TWO_STAGES)
    run_command("run", "--record", "day.antflow", script.name, "--limit", "5", cwd=tmp_path)
    _open(qt_loop, window, tmp_path / "day.antflow")
    header = window.run_page.header
    assert f"\nScript: orders.py --limit 5\nFolder: {tmp_path}\n" in header.name_text.toolTip()
    assert header.script_button.isEnabled() and window.commands.actions["run.script"].isEnabled()
    QTest.mouseClick(header.script_button, LEFT)
    assert (context.controller.path, context.controller.args) == (script, ("--limit", "5"))


def test_an_exit_code_that_is_not_known_is_no_success(
    window: MainWindow, qt_loop: BatchedEventLoop, recorder: tuple[Recorder, StatusTracker]
) -> None:
    recorder[0].close(Outcome.ENDED)
    _open(qt_loop, window, recorder[0].path)
    header = window.run_page.header
    assert header.state_text.text == "Recorded · ended"
    assert "ended, exit code not known" in header.name_text.toolTip()
    assert window.controller.state is RunState.FINISHED and not window.banner.isVisible()


def test_an_older_recording_does_not_know_where_its_script_was(
    window: MainWindow, qt_loop: BatchedEventLoop, tmp_path: Path
) -> None:
    path = tmp_path / "old.antflow"
    with Recorder(path, script="orders.py"):
        pass
    with closing(sqlite3.connect(path)) as older:
        older.execute("DELETE FROM info WHERE name = 'folder'")
        older.commit()
    _open(qt_loop, window, path)
    button = window.run_page.header.script_button
    assert not button.isEnabled() and "does not tell the folder of orders.py" in button.toolTip()
    assert "Folder" not in window.run_page.header.name_text.toolTip()


def test_each_pipeline_of_a_recording_can_be_put_in_view(
    window: MainWindow, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    _open(qt_loop, window, recorded(SEVERAL_PIPELINES))
    page = window.run_page
    assert [card.name_text.text for card in page.flow.cards] == ["Match", "Score", "Rank"]
    page.pipeline_box.setCurrentIndex(1)
    page.pipeline_box.activated.emit(1)
    assert [card.name_text.text for card in page.flow.cards] == ["Load"]
    assert page.plot.legend.toolTip() == "Load" and page.plot.empty_label.isHidden()


def test_the_plot_shows_the_whole_run_and_knows_no_now(
    window: MainWindow, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    _open(qt_loop, window, recorded())
    plot = window.run_page.plot
    assert plot.empty_label.isHidden() and plot.top > 0
    words = [word for _, word in plot.time_labels]
    assert words[0] == "0 s" and "now" not in words
    assert all(len(card.sparkline) > 0 for card in window.run_page.flow.cards)


def test_a_long_recording_shows_its_first_rows_while_it_is_loaded(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, tmp_path: Path
) -> None:
    tracker = StatusTracker()
    filled_log(tracker.log, 300_000)
    with record(tracker, tmp_path / "long.antflow"):
        pass

    async def open_it() -> tuple[int, str]:
        window.opener.open_file(tmp_path / "long.antflow")
        return window.events.model.rowCount(), window.run_page.header.state_text.text

    rows, words = qt_loop.run_until_complete(open_it())
    assert 0 < rows < 20_000 and words.startswith("Loading ")
    drive(qt_loop, until=lambda: not context.controller.is_reading)
    assert window.events.model.rowCount() == len(tracker.log) * 3 // 5
    assert window.run_page.header.state_text.text == "Recorded · 200 failed"
    assert window.events.table.rowAt(0) == 0


def test_a_script_that_failed_says_why_in_the_banner(
    window: MainWindow, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    _open(qt_loop, window, recorded(RAISES))
    assert window.run_page.header.state_text.text == "Recorded · script error"
    assert "no such warehouse" in window.banner.message


def test_a_recorded_run_is_chosen_by_menu_or_button(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    path = recorded()
    assert window.commands.actions["file.recorded"].shortcut().toString() == "Ctrl+Shift+O"
    for by_menu in (True, False):
        window.show_welcome()
        if by_menu:
            trigger(qt_loop, window, "file.recorded")
        else:
            QTest.mouseClick(window.welcome.recorded_button, LEFT)
        dialog = window.findChild(QFileDialog)
        assert dialog is not None
        _select(qt_loop, dialog, path)
        drive(qt_loop, until=lambda: not context.controller.is_reading)
        assert context.controller.path == path
        drive(qt_loop, until=lambda: window.findChild(QFileDialog) is None)


def _select(loop: BatchedEventLoop, dialog: QFileDialog, path: Path) -> None:
    async def select() -> None:
        dialog.fileSelected.emit(str(path))
        dialog.close()

    loop.run_until_complete(select())


@pytest.mark.parametrize("suffix", [".antflow", ".jsonl"])
def test_a_run_file_and_an_export_of_one_can_be_dropped(
    window: MainWindow,
    context: AppContext,
    qt_loop: BatchedEventLoop,
    recorded: Callable[..., Path],
    suffix: str,
) -> None:
    path = recorded()
    if suffix == ".jsonl":
        path = _exported(path)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    here = (Qt.DropAction.CopyAction, mime, LEFT, Qt.KeyboardModifier.NoModifier)

    async def drop() -> None:
        QApplication.sendEvent(window, QDragEnterEvent(QPoint(10, 10), *here))
        QApplication.sendEvent(window, QDropEvent(QPointF(10, 10), *here))

    qt_loop.run_until_complete(drop())
    drive(qt_loop, until=lambda: not context.controller.is_reading)
    assert context.controller.path == path
    assert window.events.model.rowCount() == 100 * 3 + 90 * 3
    assert window.run_page.header.items_text.text == "100 of 100 items"


def _exported(path: Path) -> Path:
    target = path.with_suffix(".jsonl")
    write_json_lines(open_run(path).source(), target, lambda _: None)
    return target


def test_a_recent_recording_tells_its_size_and_is_opened_by_a_click(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    path = recorded()
    _open(qt_loop, window, path)
    events = len(context.controller.history or ())
    trigger(qt_loop, window, "file.close")
    assert (context.controller.path, context.controller.history) == (None, None)
    (row,) = window.welcome.rows
    assert row.entry.detail.startswith(f"recorded run · {events:,} events · ") and "kB" in row.entry.detail
    assert row.entry.outcome == "failed"  # ten of its items

    async def click() -> None:
        QTest.mouseClick(row, LEFT)

    qt_loop.run_until_complete(click())
    drive(qt_loop, until=lambda: not context.controller.is_reading)
    assert context.controller.path == path


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "There is no file"),
        (b"", "is empty"),
        (b"not a run file\n" * 100, "is no run file"),
        (b"SQLite format 3\x00" + b"\x00" * 84, "but no run file"),
    ],
)
def test_what_cannot_be_opened_says_why_and_leaves_what_is_open(
    window: MainWindow,
    context: AppContext,
    qt_loop: BatchedEventLoop,
    recorded: Callable[..., Path],
    tmp_path: Path,
    content: bytes | None,
    part: str,
) -> None:
    good = recorded()
    _open(qt_loop, window, good)
    bad = tmp_path / "bad.antflow"
    if content is not None:
        bad.write_bytes(content)
    assert not window.opener.open_file(bad)
    assert window.banner.title_label.text() == "bad.antflow cannot be opened"
    assert part in window.banner.text_label.text() and "\n" not in window.banner.text_label.text()
    assert context.controller.path == good
    assert [Path(run.path) for run in context.settings.recent] == [good]


def test_a_run_that_goes_on_keeps_a_recording_from_being_opened(
    window: MainWindow, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    path = recorded()
    window.open_script(path.with_name("orders.py"))
    trigger(qt_loop, window, "run.start")
    assert not window.opener.open_file(path)
    assert "A run is going on" in window.banner.message
    assert not window.commands.actions["file.recorded"].isEnabled()
    drive(qt_loop, until=lambda: not window.controller.is_running)


def test_a_recording_that_was_killed_says_so(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, tmp_path: Path
) -> None:
    path = tmp_path / "killed.antflow"
    with start_python("-c", NEVER_ENDS, str(path), cwd=tmp_path):
        drive(qt_loop, until=lambda: path.exists() and len(open_run(path).log) > 1_000)
    _open(qt_loop, window, path)
    assert context.controller.state is RunState.BROKEN_OFF
    assert window.run_page.header.state_text.text == "Recorded · ended unexpectedly"
    assert "half second may be missing" in window.banner.message
    assert context.settings.recent[0].outcome == "broken off"
    assert "ended unexpectedly" in context.settings.recent[0].detail
    progress = context.controller.measure(context.controller.pipelines())
    log = context.controller.history
    assert log is not None
    counts = log.status_counts()
    assert progress.completed == counts["completed"] > 0
    assert progress.total == sum(counts.values())
    window.events.set_query("status:in_progress")
    window.events.table.selectRow(window.events.model.rowCount() - 1)
    assert window.item.way.spans and window.controller.elapsed_s < 60


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[tuple[Recorder, StatusTracker]]:
    """A recording that is going on, and the tracker that is recorded."""
    tracker = StatusTracker()
    recorder = Recorder(tmp_path / "live.antflow", script="orders.py")
    recorder.follow(tracker)
    yield recorder, tracker
    recorder.close()


def test_a_file_that_is_being_written_is_followed_to_its_end(
    window: MainWindow, qt_loop: BatchedEventLoop, recorder: tuple[Recorder, StatusTracker]
) -> None:
    writer, tracker = recorder
    run = tracker.begin_run(["Fetch"])

    async def live() -> None:
        run.status(1, 0, "queued")
        window.opener.open_file(writer.path)
        async with asyncio.timeout(30):
            while window.events.model.rowCount() < 1:
                await asyncio.sleep(0.01)
        assert window.run_page.header.state_text.text == "Being recorded"
        assert window.events.table.tail.following
        run.status(1, 0, "completed")
        run.end()
        writer.end()
        async with asyncio.timeout(30):
            while window.controller.is_reading:
                await asyncio.sleep(0.01)

    qt_loop.run_until_complete(live())
    assert window.run_page.header.state_text.text == "Recorded · finished"
    assert window.events.model.rowCount() == 2
    script = window.run_page.header.script_button
    assert not script.isEnabled() and "orders.py is not there any more" in script.toolTip()


def test_a_file_that_vanishes_while_it_is_followed_is_told_and_what_was_read_stays(
    window: MainWindow, qt_loop: BatchedEventLoop, recorder: tuple[Recorder, StatusTracker]
) -> None:
    writer, tracker = recorder

    async def open_it() -> None:
        tracker.begin_run(["Fetch"]).status(1, 0, "queued")
        window.opener.open_file(writer.path)

    qt_loop.run_until_complete(open_it())
    drive(qt_loop, until=lambda: window.events.model.rowCount() == 1)
    writer.close()
    writer.path.unlink()
    drive(qt_loop, until=lambda: not window.controller.is_reading)
    assert window.banner.title_label.text() == "live.antflow cannot be read any further"
    assert window.events.model.rowCount() == 1


def test_another_file_ends_the_reading_of_the_one_before(
    window: MainWindow,
    context: AppContext,
    qt_loop: BatchedEventLoop,
    recorder: tuple[Recorder, StatusTracker],
    write_script: WriteScript,
) -> None:
    async def open_both() -> None:
        window.opener.open_file(recorder[0].path)
        assert context.controller.is_reading
        window.open_script(write_script(TWO_STAGES))

    qt_loop.run_until_complete(open_both())
    assert not context.controller.is_reading and context.controller.recorded is None
    run_to_the_end(qt_loop, window)
    assert window.events.model.rowCount() == 100 * 3 + 90 * 3
    assert not window.banner.isVisible()


def test_closing_the_window_ends_the_reading(
    window: MainWindow,
    context: AppContext,
    qt_loop: BatchedEventLoop,
    recorder: tuple[Recorder, StatusTracker],
) -> None:
    async def open_and_close() -> None:
        window.opener.open_file(recorder[0].path)
        window.close()
        await context.controller.close()

    qt_loop.run_until_complete(open_and_close())
    assert not asyncio.all_tasks(qt_loop)


def test_a_recording_that_is_closed_gives_its_memory_back(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, recorded: Callable[..., Path]
) -> None:
    _open(qt_loop, window, recorded())
    window.events.table.selectRow(3)
    log = weakref.ref(context.controller.history)
    assert log() is not None
    trigger(qt_loop, window, "file.close")
    gc.collect()
    assert log() is None


class _FullDisk(InProcessRun):
    """A run whose recording stops at its first event."""

    @property
    def recording(self) -> Recording:
        return Recording(self.path, "Recording into orders.antflow stopped, the disk is full")


def test_a_recording_that_stops_is_told_once_and_the_run_goes_on(
    context: AppContext, qtbot: QtBot, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    controller = RunController(lambda path, args, on_output, _: _FullDisk(path, args, on_output=on_output))
    window = MainWindow(replace(context, controller=controller))
    qtbot.addWidget(window)
    window.show()
    window.open_script(write_script(TWO_STAGES))
    trigger(qt_loop, window, "run.start")
    assert "the disk is full" in window.banner.message
    window.banner.close_button.click()
    drive(qt_loop, until=lambda: not controller.is_running)
    assert not window.banner.isVisible()
    assert "recording stopped" in window.run_page.header.note_text.text
    assert window.status_line.recording_button.text() == "Recording stopped"
    assert controller.outcome is not None and controller.outcome.completed == 90


class _FileManager(QObject):
    """Takes the place of the system's."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Path] = []

    @Slot(QUrl)
    def show_folder(self, url: QUrl) -> None:
        self.shown.append(Path(url.toLocalFile()))


@pytest.fixture
def file_manager() -> Iterator[_FileManager]:
    manager = _FileManager()
    QDesktopServices.setUrlHandler("file", manager, "show_folder")  # type: ignore[arg-type]  # wants a str
    yield manager
    QDesktopServices.unsetUrlHandler("file")


def test_runs_are_recorded_when_the_switch_is_on_and_the_recording_is_at_hand(
    window: MainWindow,
    context: AppContext,
    qt_loop: BatchedEventLoop,
    write_script: WriteScript,
    file_manager: _FileManager,
    tmp_path: Path,
) -> None:
    context.settings.record_folder = tmp_path / "my runs"
    QTest.mouseClick(window.welcome.record_switch, LEFT, pos=QPoint(8, 10))
    assert context.settings.record_runs
    assert window.welcome.record_note.full_text == f"into {tmp_path / 'my runs'}"
    script = write_script(TWO_STAGES)
    window.open_script(script)
    trigger(qt_loop, window, "run.start")
    drive(qt_loop, until=lambda: context.controller.recording is not None)
    window.refresh()
    recording = context.controller.recording
    assert recording is not None and recording.path.parent == tmp_path / "my runs"
    name = recording.path.name
    assert f"recording to {name}" in window.run_page.header.note_text.text
    assert window.status_line.recording_button.text() == f"Recording to {name}"
    assert not window.commands.actions["file.own_recording"].isEnabled()
    drive(qt_loop, until=lambda: not context.controller.is_running)
    assert f"recorded in {name}" in window.run_page.header.note_text.text
    assert window.status_line.recording_button.text() == f"Recorded in {name}"
    QTest.mouseClick(window.status_line.recording_button, LEFT)
    assert file_manager.shown == [recording.path.parent]
    assert [Path(run.path) for run in context.settings.recent] == [script, recording.path]
    trigger(qt_loop, window, "file.own_recording")
    drive(qt_loop, until=lambda: not context.controller.is_reading)
    assert context.controller.path == recording.path
    assert window.events.model.rowCount() == 100 * 3 + 90 * 3
    assert not window.status_line.recording_button.isVisible()


def test_without_the_switch_nothing_is_recorded(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    window.open_script(write_script(TWO_STAGES))
    run_to_the_end(qt_loop, window)
    assert context.controller.recording is None
    assert not window.status_line.recording_button.isVisible()
    assert not context.settings.record_folder.exists()


def test_a_folder_that_cannot_be_made_costs_the_recording_and_not_the_run(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    script = write_script(TWO_STAGES)
    context.settings.record_runs, context.settings.record_folder = True, script / "runs"
    window.open_script(script)
    run_to_the_end(qt_loop, window)
    assert context.controller.outcome is not None and context.controller.outcome.completed == 90
    assert "Nothing is recorded: the folder" in window.banner.message
    assert "nothing is recorded" in window.run_page.header.note_text.text
    assert window.status_line.recording_button.text() == "Not recorded"


def test_what_is_retried_after_the_end_is_said_not_to_be_in_the_recording(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    context.settings.record_runs = True
    window.open_script(write_script(TWO_STAGES))
    run_to_the_end(qt_loop, window)
    trigger(qt_loop, window, "run.retry")
    drive(qt_loop, until=lambda: not context.controller.is_running)
    assert "but not what was retried since" in window.run_page.header.note_text.text


def test_a_limit_of_events_is_told_in_numbers_and_the_views_cope(
    window: MainWindow, context: AppContext, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    context.settings.max_events = 40_000
    window.open_script(write_script(TWO_STAGES.replace("range(100)", "range(8_000)")))
    trigger(qt_loop, window, "run.start")
    log = context.controller.history
    assert log is not None and log.max_events == 40_000
    drive(qt_loop, until=lambda: window.events.model.rowCount() > 0)
    window.events.table.selectRow(0)
    first = window.item.id_label.full_text
    drive(qt_loop, until=lambda: not context.controller.is_running)
    assert log.dropped_events > 0
    dropped = f"{log.dropped_events:,} older ones dropped"
    assert dropped in window.events.count_label.text and window.status_line.dropped.text() == dropped
    assert window.item.id_label.full_text == first
    assert window.errors.total == 800
    window.events.set_query("status:failed")
    held = window.events.model.rowCount()
    assert 0 < held < 800 and window.events.model.cells(held - 1).item
    window.errors.groups.setCurrentIndex(window.errors.model.index(0))
    window.errors.items.setCurrentIndex(window.errors.items_model.index(0))
    assert window.errors.items_model.index(0).data() == "an item whose events are no longer held"
    assert "no longer held" in window.item.state_label.text()


def test_a_run_without_failures_offers_no_retry(
    window: MainWindow, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    window.open_script(write_script(TWO_STAGES.replace("% 10 == 7", "< 0")))
    run_to_the_end(qt_loop, window)
    assert window.controller.outcome and not window.controller.outcome.failed
    assert not window.commands.actions["run.retry"].isEnabled()


def test_that_a_run_goes_on_is_said_only_while_it_does(
    window: MainWindow, qt_loop: BatchedEventLoop, write_script: WriteScript, recorded: Callable[..., Path]
) -> None:
    path = recorded()
    window.open_script(write_script(TWO_STAGES))
    trigger(qt_loop, window, "run.start")
    assert not window.opener.open_file(path)
    assert window.banner.isVisible()
    drive(qt_loop, until=lambda: not window.controller.is_running)
    assert not window.banner.isVisible()
