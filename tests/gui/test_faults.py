"""Unhandled errors of every kind reach the log file and one signal."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QTimer, Signal, qDebug, qInstallMessageHandler, qWarning
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from antflow_gui.event_loop import BatchedEventLoop
from antflow_gui.faults import Fault, FaultReporter, default_log_path


@pytest.fixture
def loop(qapp: QApplication) -> Iterator[BatchedEventLoop]:
    loop = BatchedEventLoop(qapp)
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture
def reporter(loop: BatchedEventLoop, tmp_path: Path) -> Iterator[FaultReporter]:
    reporter = FaultReporter(tmp_path / "logs" / "antflow-desk.log")
    reporter.install(loop)
    yield reporter
    reporter.uninstall()


@pytest.fixture
def faults(reporter: FaultReporter) -> list[Fault]:
    """What the reporter has told."""
    told: list[Fault] = []
    reporter.reported.connect(told.append)
    return told


class Button(QObject):
    pressed = Signal()


def fail() -> None:
    raise ValueError("the slot is broken")


def press() -> None:
    """An error in a slot."""
    button = Button()
    button.pressed.connect(fail)
    button.pressed.emit()


async def fail_in_task() -> None:
    raise ValueError("the task is broken")


def log_of(reporter: FaultReporter) -> str:
    return reporter.log_path.read_text(encoding="utf-8")


# --- where errors come from


def test_an_error_in_a_slot_is_told_and_logged(
    qtbot: QtBot, reporter: FaultReporter, faults: list[Fault]
) -> None:
    press()
    qtbot.waitUntil(lambda: len(faults) == 1)
    assert (faults[0].source, faults[0].summary) == ("slot", "ValueError: the slot is broken")
    assert "in fail" in faults[0].detail
    assert "ValueError: the slot is broken" in log_of(reporter)


def test_an_error_in_a_timer_event_is_told(qtbot: QtBot, faults: list[Fault]) -> None:
    QTimer.singleShot(0, fail)
    qtbot.waitUntil(lambda: len(faults) == 1)
    assert faults[0].summary == "ValueError: the slot is broken"


def test_an_error_in_an_overridden_method_is_told(qtbot: QtBot, faults: list[Fault]) -> None:
    class Broken(QWidget):
        def paintEvent(self, event: object) -> None:  # noqa: N802
            raise ValueError("the paint is broken")

    widget = Broken()
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitUntil(lambda: any(fault.summary.startswith("ValueError: the paint") for fault in faults))


def test_an_error_in_a_thread_is_told_on_the_gui_thread(
    qtbot: QtBot, reporter: FaultReporter, faults: list[Fault]
) -> None:
    told_in: list[int] = []
    reporter.reported.connect(lambda _: told_in.append(threading.get_ident()))
    thread = threading.Thread(target=fail, name="loader")
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: len(faults) == 1)
    assert faults[0].source == "thread"
    assert "In thread loader" in faults[0].detail
    assert told_in == [threading.get_ident()]


def test_a_thread_that_exits_is_no_fault(qtbot: QtBot, reporter: FaultReporter, faults: list[Fault]) -> None:
    thread = threading.Thread(target=sys.exit, args=(3,))
    thread.start()
    thread.join()
    press()
    qtbot.waitUntil(lambda: len(faults) > 0)
    assert [fault.source for fault in faults] == ["slot"]


def test_a_tasks_error_that_nobody_asked_for_is_told(loop: BatchedEventLoop, faults: list[Fault]) -> None:
    async def main() -> None:
        task = asyncio.create_task(fail_in_task())
        await asyncio.wait([task])
        del task
        gc.collect()
        while not faults:
            await asyncio.sleep(0.001)

    loop.run_until_complete(main())
    assert (faults[0].source, faults[0].summary) == ("loop", "ValueError: the task is broken")
    assert "Task exception was never retrieved" in faults[0].detail
    assert "fail_in_task" in faults[0].detail


def test_what_the_loop_complains_about_without_an_exception_is_told(
    qtbot: QtBot, loop: BatchedEventLoop, faults: list[Fault]
) -> None:
    loop.call_exception_handler({"message": "Task was destroyed but it is pending!", "task": "fetch"})
    qtbot.waitUntil(lambda: len(faults) == 1)
    assert (faults[0].source, faults[0].summary) == ("loop", "Task was destroyed but it is pending!")
    assert "task: 'fetch'" in faults[0].detail


def test_an_error_in_a_destructor_is_told(qtbot: QtBot, faults: list[Fault]) -> None:
    class Handle:
        def __del__(self) -> None:
            fail()

        def __repr__(self) -> str:
            raise RuntimeError("half destroyed")

    Handle()
    gc.collect()
    qtbot.waitUntil(lambda: len(faults) == 1)
    assert (faults[0].source, faults[0].summary) == ("unraisable", "ValueError: the slot is broken")


@pytest.mark.no_qt_log
def test_a_warning_of_qts_is_told(qtbot: QtBot, faults: list[Fault]) -> None:
    qWarning("QPainter::begin: Paint device returned engine == 0")
    qtbot.waitUntil(lambda: len(faults) == 1)
    assert (faults[0].source, faults[0].summary) == (
        "qt",
        "QPainter::begin: Paint device returned engine == 0",
    )


@pytest.mark.no_qt_log
def test_harmless_messages_of_qts_are_not_told(
    qtbot: QtBot, reporter: FaultReporter, faults: list[Fault], capfd: pytest.CaptureFixture[str]
) -> None:
    qWarning("This plugin does not support propagateSizeHints()")
    qDebug("details for developers")
    qWarning("something else")
    qtbot.waitUntil(lambda: len(faults) > 0)
    assert [fault.summary for fault in faults] == ["something else"]


# --- repeats


def test_repeated_faults_are_told_once_with_their_count(
    qtbot: QtBot, reporter: FaultReporter, faults: list[Fault]
) -> None:
    for _ in range(12):
        press()
    qtbot.waitUntil(lambda: len(faults) == 1)
    assert faults[0].count == 12
    assert faults[0].summary == "ValueError: the slot is broken ×12"
    assert log_of(reporter).count("Traceback") == 1
    assert "×12" in log_of(reporter)


def test_a_fault_that_comes_again_later_is_told_with_its_new_count(
    qtbot: QtBot, reporter: FaultReporter, faults: list[Fault]
) -> None:
    press()
    qtbot.waitUntil(lambda: len(faults) == 1)
    press()
    qtbot.waitUntil(lambda: len(faults) == 2)
    assert [fault.count for fault in faults] == [1, 2]


def test_different_faults_are_kept_apart(qtbot: QtBot, reporter: FaultReporter, faults: list[Fault]) -> None:
    reporter.report("slot", "ValueError: a", "a")
    reporter.report("thread", "ValueError: a", "a")
    reporter.report("slot", "ValueError: a", "a", place="orders.py:7")
    qtbot.waitUntil(lambda: len(faults) == 3)
    assert [fault.count for fault in faults] == [1, 1, 1]


def test_faults_from_many_threads_are_all_counted(
    qtbot: QtBot, reporter: FaultReporter, faults: list[Fault]
) -> None:
    threads = [threading.Thread(target=fail) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    qtbot.waitUntil(lambda: bool(faults) and faults[-1].count == 20)


# --- the log


def test_the_log_is_written_before_the_window_hears_of_it(reporter: FaultReporter) -> None:
    """What takes the process down next must find its way into the file first."""
    reporter.report("qt", "fatal", "ASSERT failure in QList")
    assert "ASSERT failure in QList" in log_of(reporter)


def test_nothing_is_written_while_nothing_is_wrong(reporter: FaultReporter) -> None:
    assert not reporter.log_path.parent.exists()


def test_a_log_that_cannot_be_written_does_not_silence_the_signal(
    qtbot: QtBot, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    reporter = FaultReporter(tmp_path / "logs" / "antflow-desk.log")
    told: list[Fault] = []
    reporter.reported.connect(told.append)
    reporter.report("slot", "ValueError", "detail")
    qtbot.waitUntil(lambda: len(told) == 1)
    reporter.uninstall()


def test_a_listener_that_fails_is_a_fault_like_any_other(
    qtbot: QtBot, reporter: FaultReporter, faults: list[Fault]
) -> None:
    def show(fault: Fault) -> None:
        if "broken" in fault.summary:
            raise RuntimeError("the notice cannot be shown")

    reporter.reported.connect(show)
    press()
    qtbot.waitUntil(lambda: len(faults) == 2)
    assert faults[1].summary == "RuntimeError: the notice cannot be shown"


def test_the_log_is_in_the_apps_own_folder() -> None:
    assert default_log_path().parts[-2:] == ("logs", "antflow-desk.log")


# --- hooks


def test_ctrl_c_asks_to_quit_and_is_no_fault(
    qtbot: QtBot, reporter: FaultReporter, faults: list[Fault]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    asked: list[bool] = []
    reporter.interrupt_requested.connect(lambda: asked.append(True))
    QTimer.singleShot(0, interrupt)
    qtbot.waitUntil(lambda: asked == [True])
    assert faults == []
    assert not reporter.log_path.exists()


def hooks() -> list[Callable[..., object]]:
    return [sys.excepthook, threading.excepthook, sys.unraisablehook]


@pytest.mark.no_qt_log
def test_uninstalling_puts_the_hooks_back(loop: BatchedEventLoop, tmp_path: Path) -> None:
    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        pass

    heard: list[str] = []
    before_qt = qInstallMessageHandler(lambda kind, context, message: heard.append(message))
    before = hooks()
    loop.set_exception_handler(handle)
    reporter = FaultReporter(tmp_path / "antflow-desk.log")
    reporter.install(loop)
    reporter.install(loop)
    assert not set(hooks()) & set(before)
    reporter.uninstall()
    reporter.uninstall()
    qWarning("after")
    qInstallMessageHandler(before_qt)
    assert hooks() == before
    assert loop.get_exception_handler() is handle
    assert heard == ["after"]


def test_a_hook_that_another_has_replaced_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    reporter = FaultReporter(tmp_path / "antflow-desk.log")
    reporter.install()
    sys.excepthook = others = lambda *_: None
    reporter.uninstall()
    assert sys.excepthook is others
