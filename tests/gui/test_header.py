"""The header tells where a run stands and offers the next act."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from antflow_core.link.protocol import RunState
from antflow_gui.theme import Theme, ThemeMode
from antflow_gui.views.header import RunHeader
from antflow_gui.views.run_words import range_words
from tests.gui.invented_progress import run

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def header(qtbot: QtBot, qapp: QApplication) -> Iterator[RunHeader]:
    theme = Theme(ThemeMode.LIGHT)
    theme.install(qapp)  # buttons are as wide as they are in the app
    header = RunHeader(theme)
    qtbot.addWidget(header)
    header.resize(1408, 44)
    header.show()
    qtbot.waitExposed(header)
    yield header
    header.hide()


def test_a_running_script_shows_its_share_and_counts(header: RunHeader) -> None:
    header.show_run("orders.py", "in the app", RunState.RUNNING, run(completed=1888, failed=16, retried=13))
    assert header.state_text.text == "Running"
    assert header.share_text.text == "61 %"
    assert header.items_text.text == "1,904 of 3,084 items"
    assert [count.count for count in header.counts.values()] == [1888, 16, 13, 0]
    assert (header.rate_text.text, header.mean_text.text) == ("317/s", "now · 298/s mean")
    assert (header.elapsed_text.text, header.left_text.text) == ("0:06.4", "3–5 s")


def test_where_the_total_is_unknown_only_counts_are_shown(header: RunHeader) -> None:
    header.show_run("orders.py", "", RunState.RUNNING, run(completed=7, total=None, remaining_s=None))
    assert not header.share_text.isVisible()
    assert header.items_text.text == "7 items so far"
    assert header.left_text.text == "–"


def test_a_run_without_items_has_no_share(header: RunHeader) -> None:
    header.show_run("orders.py", "", RunState.FINISHED, run(total=0, rate_now=None, rate_mean=None))
    assert not header.share_text.isVisible()
    assert header.items_text.text == "no items"


def test_what_became_of_all_items_is_told_when_the_run_is_over(header: RunHeader) -> None:
    header.resize(1800, 44)
    stopped = run(completed=38, failed=7, total=112, rate_now=None)
    header.show_run("orders.py", "", RunState.STOPPING, stopped, given_up=6)
    assert header.items_text.text == "45 of 112 items · 6 given up"
    header.show_run("orders.py", "", RunState.STOPPED, stopped, given_up=6)
    assert header.items_text.text == "45 of 112 items · 6 given up · 61 unfinished"
    assert "\nGiven up: " in header.items_text.toolTip() and "\nUnfinished: " in header.items_text.toolTip()
    header.show_run("orders.antflow", "", RunState.STOPPED, stopped, given_up=None)
    assert (header.items_text.text, header.items_text.toolTip()) == ("45 of 112 items", "")
    header.show_run("orders.py", "", RunState.FINISHED, run(completed=105, failed=7, total=112))
    assert (header.items_text.text, header.items_text.toolTip()) == ("112 of 112 items", "")


@pytest.mark.parametrize(
    ("state", "failed", "word"),
    [
        (RunState.READY, 0, "Ready"),
        (RunState.STOPPING, 0, "Stopping"),
        (RunState.FINISHED, 0, "Finished"),
        (RunState.FINISHED, 1600, "Finished, 1,600 failed"),
        (RunState.STOPPED, 3, "Stopped"),
        (RunState.FAILED, 3, "Script error"),
    ],
)
def test_every_state_has_its_word(header: RunHeader, state: RunState, failed: int, word: str) -> None:
    header.show_run("orders.py", "", state, run(failed=failed))
    assert header.state_text.text == word


def test_a_run_that_is_over_shows_its_mean_rate(header: RunHeader) -> None:
    header.show_run("orders.py", "", RunState.FINISHED, run(rate_now=None, remaining_s=None))
    assert (header.rate_text.text, header.mean_text.text) == ("298/s", "mean")


def test_run_is_offered_until_it_runs_and_again_when_it_is_over(header: RunHeader, qtbot: QtBot) -> None:
    header.show_run("orders.py", "", RunState.READY, None)
    assert (header.run_button.text(), header.run_button.isEnabled()) == ("Run", True)
    assert not header.stop_button.isEnabled()
    with qtbot.waitSignal(header.run_requested):
        QTest.mouseClick(header.run_button, LEFT)
    header.show_run("orders.py", "", RunState.RUNNING, None)
    assert not header.run_button.isEnabled()
    header.show_run("orders.py", "", RunState.STOPPED, run())
    assert (header.run_button.text(), header.run_button.isEnabled()) == ("Run again", True)


def test_stop_can_be_pressed_twice(header: RunHeader, qtbot: QtBot) -> None:
    header.show_run("orders.py", "", RunState.RUNNING, run())
    assert header.stop_button.text() == "Stop"
    with qtbot.waitSignal(header.stop_requested):
        QTest.mouseClick(header.stop_button, LEFT)
    header.show_run("orders.py", "", RunState.STOPPING, run())
    assert header.stop_button.text() == "Stop now"
    with qtbot.waitSignal(header.stop_requested):
        QTest.mouseClick(header.stop_button, LEFT)


def test_a_run_can_be_paused_and_resumed(header: RunHeader, qtbot: QtBot) -> None:
    header.show_run("orders.py", "", RunState.RUNNING, run())
    assert (header.pause_button.text(), header.pause_button.isEnabled()) == ("Pause", True)
    with qtbot.waitSignal(header.pause_requested):
        QTest.mouseClick(header.pause_button, LEFT)
    header.show_run("orders.py", "", RunState.RUNNING, run(), paused=True)
    assert header.state_text.text == "Paused"
    assert header.pause_button.text() == "Resume"
    assert header.left_text.text == "–"  # who can say when it is resumed
    for state in (RunState.READY, RunState.STOPPING, RunState.FINISHED):
        header.show_run("orders.py", "", state, run(), paused=False)
        assert not header.pause_button.isEnabled()


def test_what_failed_can_be_retried_during_the_run_and_afterwards(header: RunHeader, qtbot: QtBot) -> None:
    header.show_run("orders.py", "", RunState.RUNNING, run(failed=0))
    assert not header.retry_button.isVisible()
    assert header.run_button.isVisible()
    for state in (RunState.RUNNING, RunState.FINISHED):
        header.show_run("orders.py", "", state, run(failed=16))
        assert header.retry_button.text() == "Retry 16 failed"
        assert not header.run_button.isVisible()
        assert header.again_button.isVisible() is (state is RunState.FINISHED)
        with qtbot.waitSignal(header.retry_requested):
            QTest.mouseClick(header.retry_button, LEFT)
    header.show_run("orders.py", "", RunState.STOPPING, run(failed=16))
    assert not header.retry_button.isVisible()
    header.show_run("orders.py", "", RunState.FINISHED, run(failed=16), can_retry=False)
    assert not header.retry_button.isVisible()


def test_a_click_on_pause_that_comes_too_late_does_not_run_again(header: RunHeader, qtbot: QtBot) -> None:
    header.show_run("orders.py", "", RunState.RUNNING, run(failed=16))
    header.show_run("orders.py", "", RunState.FINISHED, run(failed=16))
    with qtbot.assertNotEmitted(header.run_requested):
        QTest.mouseClick(header.again_button, LEFT)
    header._offered_at -= 1.0
    with qtbot.waitSignal(header.run_requested):
        QTest.mouseClick(header.again_button, LEFT)


def test_a_count_too_long_for_the_button_is_told_in_its_tip(header: RunHeader) -> None:
    header.show_run("orders.py", "", RunState.FINISHED, run(failed=1_234_567))
    assert header.retry_button.text() == "Retry failed"
    assert "1,234,567 failed items" in header.retry_button.toolTip()


def test_nothing_can_be_run_before_a_script_is_open(header: RunHeader) -> None:
    header.show_run("", "", RunState.READY, None)
    assert not header.run_button.isEnabled()


def test_nothing_moves_when_numbers_change(header: RunHeader) -> None:
    def places() -> list[tuple[int, int, int]]:
        cells = (header.rate_text, header.elapsed_text, header.left_text, header.bar, header.items_text)
        return [(cell.x(), cell.width(), cell.height()) for cell in cells]

    header.show_run("orders.py", "a note", RunState.RUNNING, run(completed=7, rate_now=1.0, elapsed_s=1.0))
    before = places()
    header.show_run(
        "orders.py",
        "a note that is a good deal longer",
        RunState.RUNNING,
        run(
            completed=9, rate_now=12345.6, rate_mean=88888.0, elapsed_s=36000.0, remaining_s=(4000.0, 5000.0)
        ),
    )
    assert places() == before


def test_a_narrow_window_cuts_words_before_figures(header: RunHeader) -> None:
    progress = run(completed=1888, failed=16)
    header.show_run("a_script_with_a_rather_long_name.py", "in the app · " * 9, RunState.RUNNING, progress)
    assert header.minimumSizeHint().width() <= 1024 - 32
    header.resize(1024 - 32, 44)
    header.grab()  # a cell measures its text as it is painted
    assert header.note_text.toolTip() == "in the app · " * 9
    assert header.rate_text.toolTip() == ""


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.FINISHED, RunState.STOPPED])
def test_a_narrow_window_cuts_no_figure_of_a_run_of_millions(header: RunHeader, state: RunState) -> None:
    million = 9_999_999
    progress = run(
        completed=million,
        failed=million,
        retried=million,
        skipped=million,
        total=4 * million,
        rate_now=88_888.0 if state is RunState.RUNNING else None,
        rate_mean=88_888.0,
        elapsed_s=360_000.0,
        remaining_s=(4000.0, 5000.0),
    )
    header.show_run("stdlib_sources.py", "in the app", state, progress)
    assert header.minimumSizeHint().width() <= 1024 - 32
    header.resize(1024 - 32, 44)
    header.show_run("stdlib_sources.py", "in the app", state, progress)
    header.grab()
    assert [count.shown for count in header.counts.values()] == ["10.0M"] * 4
    for cell in (header.rate_text, header.left_text, header.share_text):
        assert cell.toolTip() == ""
    assert header.elapsed_text.toolTip() == "100:00:00"  # "100 h" is shown
    button = header.retry_button if state is not RunState.STOPPING else header.run_button
    assert button.width() >= button.sizeHint().width()


def test_a_roomy_header_names_the_count_on_the_button(header: RunHeader) -> None:
    header.show_run("orders.py", "", RunState.FINISHED, run(failed=16))
    header.resize(1024 - 32, 44)
    assert header.retry_button.text() == "Retry failed"
    assert header.state_text.width() >= header.state_text.text_width("Finished")
    header.resize(1408, 44)
    assert header.retry_button.text() == "Retry 16 failed"


def test_a_narrow_window_shows_fewer_digits_but_no_other_number(header: RunHeader) -> None:
    progress = run(completed=419_234, failed=16_123, retried=13_456, skipped=12_345, total=3_084_000)
    header.show_run("orders.py", "in the app", RunState.RUNNING, progress)
    header.resize(1024 - 32, 44)
    header.grab()
    completed = header.counts["completed"]
    assert completed.width() < completed.sizeHint().width()
    assert completed.shown == "419k"
    assert "419,234" in completed.toolTip()
    header.resize(1800, 44)
    header.grab()
    assert completed.shown == "419,234"


def test_a_narrow_window_shows_a_shorter_note(header: RunHeader) -> None:
    note = "in the app · started 14:02:31 · recording to orders-20261127-140231.antflow"
    header.show_run("orders.py", note, RunState.RUNNING, run(), shorter_notes=["recording"])
    header.resize(1024 - 32, 44)
    header.grab()
    assert header.note_text.toolTip() == note


@pytest.mark.parametrize(
    ("remaining", "words"),
    [
        (None, "–"),
        ((0.1, 0.4), "< 1 s"),
        ((3.0, 5.2), "3–5 s"),
        ((4.1, 4.3), "4 s"),
        ((40.0, 110.0), "40–110 s"),
        ((60.0, 300.0), "1–5 min"),
        ((5400.0, 9000.0), "1.5–2.5 h"),
        ((3.6e5, 7.2e5), "100–200 h"),
    ],
)
def test_time_left_is_a_range_in_one_unit(remaining: tuple[float, float] | None, words: str) -> None:
    assert range_words(remaining) == words
