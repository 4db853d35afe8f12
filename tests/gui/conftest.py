"""What the app's tests share: a Qt loop, a context, scripts to run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from antflow_gui.context import AppContext
from antflow_gui.event_loop import BatchedEventLoop
from antflow_gui.faults import FaultReporter
from antflow_gui.loop_monitor import LoopMonitor
from antflow_gui.runs.controller import RunController, in_process
from antflow_gui.runs.options import options_from
from antflow_gui.runs.ticker import Ticker
from antflow_gui.settings import Settings
from antflow_gui.theme import Theme, register_fonts
from antflow_gui.windows.main_window import MainWindow

T = TypeVar("T")
RunOnLoop = Callable[[Callable[[], Awaitable[T]]], T]


@pytest.fixture(scope="session", autouse=True)
def _app_fonts(qapp: QApplication) -> None:
    """The app's own fonts: sizes in tests are those that users see, whatever the machine has installed."""
    register_fonts()


@pytest.fixture
def qt_loop(qapp: QApplication) -> Iterator[BatchedEventLoop]:
    """The app's event loop, closed after the test."""
    loop = BatchedEventLoop(qapp)
    asyncio.set_event_loop(loop)
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def context(qt_loop: BatchedEventLoop, qapp: QApplication, tmp_path: Path) -> Iterator[AppContext]:
    """The app's parts, with settings and log in a folder of the test."""
    store = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    settings = Settings(store)
    theme = Theme()
    theme.install(qapp)
    monitor = LoopMonitor(qt_loop)
    monitor.start()
    faults = FaultReporter(tmp_path / "antflow-desk.log")
    controller = RunController(in_process, partial(options_from, settings))
    yield AppContext(settings, theme, controller, Ticker(50), monitor, faults)
    monitor.stop()


@pytest.fixture
def window(context: AppContext, qtbot: QtBot) -> Iterator[MainWindow]:
    """The main window, shown; what goes on in it is ended with the test."""
    window = MainWindow(context)
    qtbot.addWidget(window, before_close_func=lambda shown: shown.close_at_once())
    window.show()
    yield window
    context.controller.stop()


@pytest.fixture
def write_script(tmp_path: Path) -> Callable[[str], Path]:
    """Write a pipeline script and give its path."""

    def write(text: str, name: str = "orders.py") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
