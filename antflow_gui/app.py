"""The composition root: makes QApplication, loop, context and window, and takes them down in order."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from antflow_core import __version__
from antflow_core.standard_streams import put_out, tell
from antflow_gui.collecting import calm_collecting
from antflow_gui.command_line import HELP, Options, UsageError, parse_command_line
from antflow_gui.displays import why_no_display

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from antflow_core.link.protocol import RunOutcome
    from antflow_gui.context import AppContext
    from antflow_gui.event_loop import BatchedEventLoop
    from antflow_gui.windows.main_window import MainWindow

APP_NAME = "antflow-desk"
_PICTURE_WIDTH, _PICTURE_HEIGHT = 1280, 800
_SETTLE_S = 0.15
"""Time for Qt to lay out and paint after the last refresh, before the window is photographed."""
_LOOK_S = 0.05
"""How often is asked whether a recorded run has been read."""

_EXIT_OK, _EXIT_NOTHING_TO_RUN, _EXIT_INTERRUPTED = 0, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app.

    Args:
        argv: Arguments after the program's name; those of the process where None.

    Returns:
        The exit code, as the help text lists them.
    """
    try:
        options = parse_command_line(sys.argv[1:] if argv is None else argv)
        if options.help or options.version:
            put_out(HELP.rstrip("\n") if options.help else f"antflow-gui {__version__}")
            return _EXIT_OK
        _need_qt()
        _choose_platform(options)
    except UsageError as error:
        return _refuse(str(error))
    with calm_collecting() as begin_collecting:
        return _run(options, begin_collecting)


def _refuse(message: str) -> int:
    tell(f"antflow-gui: {message}")
    return _EXIT_NOTHING_TO_RUN


def _need_qt() -> None:
    missing = [name for name in ("PySide6", "qasync", "pyqtgraph") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"{missing[0]} is not installed; the app needs: pip install 'antflow-desk[gui]'")


def _choose_platform(options: Options) -> None:
    """Without a display Qt would abort: go offscreen where nobody needs to see the window, else refuse."""
    reason = why_no_display()
    if reason is None:
        return
    if not options.exit_when_done:
        raise UsageError(
            f"{reason}; start it in a desktop session, or add --exit-when-done to run without a window"
        )
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    tell(f"antflow-gui: {reason}, so the window stays offscreen")


def _run(options: Options, window_stands: Callable[[], None]) -> int:
    from PySide6.QtWidgets import QApplication  # late: --help and --version load no Qt

    from antflow_gui.event_loop import BatchedEventLoop

    app = QApplication(sys.argv[:1])
    app.setOrganizationName(APP_NAME)
    app.setApplicationName(APP_NAME)
    app.setApplicationDisplayName("AntFlow Desk")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName(APP_NAME)
    app.setQuitOnLastWindowClosed(False)
    loop = BatchedEventLoop(app)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_live(app, loop, options, window_stands))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()


def _build(app: QApplication, loop: BatchedEventLoop) -> AppContext:
    from antflow_gui.context import AppContext
    from antflow_gui.faults import FaultReporter
    from antflow_gui.loop_monitor import LoopMonitor
    from antflow_gui.runs.controller import RunController, in_process
    from antflow_gui.runs.options import options_from
    from antflow_gui.runs.ticker import Ticker
    from antflow_gui.settings import Settings
    from antflow_gui.theme import Theme, register_fonts

    faults = FaultReporter()
    faults.install(loop)
    settings = Settings()
    register_fonts()
    theme = Theme()
    theme.set_mode(settings.theme_mode)
    theme.install(app)
    monitor = LoopMonitor(loop)
    monitor.start()
    controller = RunController(in_process, partial(options_from, settings))
    return AppContext(settings, theme, controller, Ticker(settings.interval_ms), monitor, faults)


async def _live(
    app: QApplication, loop: BatchedEventLoop, options: Options, window_stands: Callable[[], None]
) -> int:
    """The app's life on its loop: build, show, do what the command line asks, wait, take down."""
    from antflow_gui.quit_signals import install_quit_signals
    from antflow_gui.windows.main_window import MainWindow

    context = _build(app, loop)
    window = MainWindow(context)
    closed = asyncio.Event()
    window.closed.connect(closed.set)
    restore_signals = install_quit_signals(window.close_at_once)
    context.faults.interrupt_requested.connect(window.close_at_once)
    try:
        window.show()
        window_stands()
        return await _obey(window, context, options, closed)
    finally:
        restore_signals()
        await _take_down(window, context)


async def _obey(window: MainWindow, context: AppContext, options: Options, closed: asyncio.Event) -> int:
    """Do what the command line asks, then wait for the window to close."""
    controller = context.controller
    await _show_recorded(window, context, options, closed)
    script = _script_of(options)
    if script is not None:
        window.open_script(script, options.args)
    if options.run:
        over = asyncio.Event()
        controller.run_finished.connect(over.set)
        window.closed.connect(over.set)
        controller.start()
        await over.wait()
    if options.screenshot is not None and not closed.is_set():
        await _save_picture(window, options.screenshot)
    if options.exit_when_done:
        await controller.close()
        unreadable = window.opener.fault if options.recorded is not None else ""
        if unreadable:
            return _refuse(unreadable)
        return _report(controller.outcome, interrupted=closed.is_set())
    await closed.wait()
    return _EXIT_OK


async def _show_recorded(
    window: MainWindow, context: AppContext, options: Options, closed: asyncio.Event
) -> None:
    """Open a recorded run; who wants its picture waits for all there is, who waits for its end, for more."""
    controller = context.controller
    if options.recorded is None or not window.opener.open_recorded(options.recorded):
        return
    recorded = controller.recorded
    while recorded is not None and controller.is_reading and not closed.is_set():
        if not options.exit_when_done and (options.screenshot is None or recorded.share_read == 1):
            return
        await asyncio.sleep(_LOOK_S)


def _script_of(options: Options) -> Path | None:
    if not options.example:
        return options.script
    from antflow_core.resources import example_path
    from antflow_gui.windows.opening import EXAMPLE

    return example_path(EXAMPLE)


def _report(outcome: RunOutcome | None, *, interrupted: bool) -> int:
    """Print the summary, or on stderr why there is none."""
    if outcome is None:
        return _EXIT_INTERRUPTED
    if outcome.message:
        tell((outcome.traceback or outcome.message).rstrip())
    if outcome.exit_code != _EXIT_NOTHING_TO_RUN:
        put_out(outcome.summary_line())
    return outcome.exit_code or (_EXIT_INTERRUPTED if interrupted else _EXIT_OK)


async def _save_picture(window: MainWindow, path: Path) -> None:
    """Write the whole window as it looks after its last refresh, at least 1280 × 800 whatever the screen."""
    least = window.minimumSize()
    window.setMinimumSize(_PICTURE_WIDTH, _PICTURE_HEIGHT)
    window.refresh()
    await asyncio.sleep(_SETTLE_S)
    if not window.grab().save(str(path)):
        tell(f"antflow-gui: the screenshot could not be written to {path}")
    window.setMinimumSize(least)


async def _take_down(window: MainWindow, context: AppContext) -> None:
    """Stop what runs, then what watches it, then the window, and the reporter of errors last."""
    await context.controller.close()
    context.ticker.stop()
    context.monitor.stop()
    context.settings.sync()
    window.hide()
    window.deleteLater()
    await asyncio.sleep(0)
    context.faults.uninstall()


if __name__ == "__main__":
    sys.exit(main())
