"""Items that were given up are no failures, though their status is failed: the window tells both numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from antflow_core.history.figures import figures
from antflow_core.link.inproc import InProcessRun
from antflow_gui.event_loop import BatchedEventLoop
from antflow_gui.windows.main_window import MainWindow
from tests.gui.driving import drive, run_to_the_end
from tests.support.scripts import TWO_STAGES

WriteScript = Callable[..., Path]
LEFT = Qt.MouseButton.LeftButton

GIVES_UP = """\
import asyncio
from antflow import Pipeline, Stage

async def work(number):
    if number == 0:
        raise LookupError("no such order")
    if number > 2:
        await asyncio.Event().wait()
    return number

async def main():
    pipeline = Pipeline([Stage("Work", 2, [work], task_attempts=1)])
    run = asyncio.create_task(pipeline.run(range(8)))
    while pipeline.get_stats().items_processed < 2 or pipeline.get_stats().queue_sizes["Work"] > 3:
        await asyncio.sleep(0)
    run.cancel()
"""
"""Of 8 items 2 are completed, 1 fails, 2 are given up under way, and 3 wait to the end."""
_WORDS = "3 of 8 items · 2 given up · 3 unfinished"


def _told(window: MainWindow) -> tuple[str, int, int]:
    """The items in the header, the failures, and the failed events by their chip."""
    failed = window.events.chips.chips["failed"]
    return window.run_page.header.items_text.text, window.errors.total, failed.count


def test_a_run_and_its_recording_tell_how_many_items_were_given_up(
    window: MainWindow, qt_loop: BatchedEventLoop, write_script: WriteScript, tmp_path: Path
) -> None:
    script, recording = write_script(GIVES_UP), tmp_path / "orders.antflow"
    window.resize(1600, 900)
    window.open_script(script)
    run_to_the_end(qt_loop, window)
    assert _told(window) == (_WORDS, 1, 3)
    assert "neither as completed nor as failed" in window.run_page.header.items_text.toolTip()

    qt_loop.run_until_complete(InProcessRun(script, record=recording).run())

    async def open_it() -> None:
        window.opener.open_file(recording)

    qt_loop.run_until_complete(open_it())
    drive(qt_loop, until=lambda: not window.controller.is_reading)
    assert _told(window) == (_WORDS, 1, 3)
    assert window.controller.history is not None
    assert figures(window.controller.history)[0].given_up == 2


def test_the_chip_explains_why_it_counts_more_than_the_failures(
    window: MainWindow, qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    window.open_script(write_script(GIVES_UP))
    run_to_the_end(qt_loop, window)
    chip = window.events.chips.chips["failed"]
    assert "Not counted as failures: 2" in chip.toolTip()
    QTest.mouseClick(chip, LEFT)
    assert window.events.model.rowCount() == chip.count == 3
    window.events.set_query("status:failed -error_type:CancelledError")  # as the tip says
    assert window.events.model.rowCount() == window.errors.total == 1

    window.open_script(write_script(TWO_STAGES, "others.py"))
    run_to_the_end(qt_loop, window)
    assert _told(window) == ("100 of 100 items", 10, 10)
    assert "Not counted" not in chip.toolTip() and not window.run_page.header.items_text.toolTip()
