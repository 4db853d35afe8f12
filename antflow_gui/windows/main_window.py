"""The main window: welcome or run page, the panels below, menus, and what follows from each signal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QIcon
from PySide6.QtWidgets import QFileDialog, QMainWindow, QMenu, QStackedWidget, QVBoxLayout, QWidget

from antflow_core.exceptions import ScriptError
from antflow_core.link.protocol import RunOutcome, RunState
from antflow_core.resources import example_path, resource_path
from antflow_gui.actions.commands import Command, CommandSet
from antflow_gui.context import AppContext
from antflow_gui.faults import Fault
from antflow_gui.models.errors import ErrorsModel
from antflow_gui.models.events import EventsModel
from antflow_gui.resources import icon_path
from antflow_gui.runs.feed import HistoryFeed
from antflow_gui.theme import ThemeMode
from antflow_gui.views.banner import MessageBanner
from antflow_gui.views.console import ConsoleView
from antflow_gui.views.errors import ErrorsView
from antflow_gui.views.events import EventsView
from antflow_gui.views.item import ItemView
from antflow_gui.views.welcome import WelcomePage
from antflow_gui.windows.dialogs import (
    ArgumentsDialog,
    CloseQuestion,
    HelpDialog,
    KeysDialog,
    SettingsDialog,
    open_about,
)
from antflow_gui.windows.docks import PanelSet, PanelViews
from antflow_gui.windows.recent import ended, opened, recent_entry
from antflow_gui.windows.run_page import RunPage
from antflow_gui.windows.status_line import StatusLine

FIRST_SIZE = QSize(1440, 900)
EXAMPLE = "stdlib_sources.py"
_MARGIN = 16


class MainWindow(QMainWindow):
    """Everything the user sees; the parts without a window come from the context.

    Signals:
        closed: The window was closed and nothing speaks against ending the app.
    """

    closed = Signal()

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self._context = context
        self._controller = context.controller
        self._feed = HistoryFeed(self)
        self._close_confirmed = False
        self._layout = context.settings.layout
        self.setObjectName("main_window")
        self.setWindowIcon(QIcon(str(icon_path("antflow-desk.svg"))))
        self.setAcceptDrops(True)
        self.setContentsMargins(_MARGIN, 0, _MARGIN, 0)
        self._make_views()
        self._make_menus()
        self._connect()
        self._restore()
        self.show_welcome()

    # Building

    def _make_views(self) -> None:
        theme = self._context.theme
        self.welcome = WelcomePage(theme)
        self.run_page = RunPage(self._controller, theme)
        self.banner = MessageBanner(theme)
        self.events = EventsView(EventsModel(self), theme)
        self.errors = ErrorsView(ErrorsModel(self), theme)
        self.item = ItemView(theme)
        self.console = ConsoleView(theme)
        self.status_line = StatusLine(self._context.monitor)
        self.setStatusBar(self.status_line)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(self.run_page)
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.banner)
        layout.addWidget(self.pages, 1)
        self.setCentralWidget(centre)
        self.panels = PanelSet(self, PanelViews(self.events, self.console, self.item, self.errors))

    def _make_menus(self) -> None:
        self.commands = CommandSet(self._list_commands(), self)
        self.recent_menu = QMenu("Open &recent", self)
        self.recent_menu.aboutToShow.connect(self._fill_recent_menu)
        for name, commands in self.commands.menus():
            menu = self.menuBar().addMenu(name)
            for command in commands:
                if command.starts_group:
                    menu.addSeparator()
                menu.addAction(self.commands.actions[command.id])
                if command.id == "file.open":
                    menu.addMenu(self.recent_menu)
            if name == "&View":
                menu.addSeparator()
                for panel in self.panels:
                    menu.addAction(panel.toggleViewAction())

    def _list_commands(self) -> list[Command]:
        can_run, running, has_script = self._can_run, self._is_running, self._has_script
        return [
            Command("file.open", "&File", "&Open script…", self.choose_script, ("Ctrl+O",), self._is_idle),
            Command("file.example", "&File", "Open the &example", self.open_example, (), self._is_idle),
            Command("file.close", "&File", "&Close script", self.show_welcome, ("Ctrl+W",), can_run, True),
            Command(
                "file.settings", "&File", "&Settings…", self.open_settings, ("Ctrl+,",), starts_group=True
            ),
            Command("file.quit", "&File", "&Quit", self.close, ("Ctrl+Q",), starts_group=True),
            Command("run.start", "&Run", "&Run", self._controller.start, ("Ctrl+R", "F5"), can_run),
            Command(
                "run.arguments",
                "&Run",
                "Run with &arguments…",
                self.ask_arguments,
                ("Ctrl+Shift+R",),
                can_run,
            ),
            Command(
                "run.pause",
                "&Run",
                "&Pause or resume",
                self._controller.toggle_pause,
                ("Ctrl+P",),
                self._can_pause,
                hint="Finish the items in hand and take no more, until you press it again",
            ),
            Command(
                "run.retry",
                "&Run",
                "Retry what &failed",
                self._controller.retry_failed,
                ("Ctrl+Shift+F",),
                self._can_retry,
                hint="Try all failed items again, from the stage that failed",
            ),
            Command(
                "run.stop",
                "&Run",
                "&Stop",
                self._controller.stop,
                ("Ctrl+.",),
                running,
                hint="Once: finish the items in hand. Twice: cancel them",
            ),
            Command("view.search", "&View", "&Search events", self._search, ("Ctrl+F",), has_script),
            Command(
                "view.follow", "&View", "&Follow the newest event", self._follow, ("Ctrl+End",), has_script
            ),
            Command("view.reset", "&View", "Reset the &layout", self._reset_layout, (), has_script),
            Command("go.events", "&Go", "&Events", self._go_events, ("Alt+1",), has_script),
            Command("go.console", "&Go", "&Console", self._go_console, ("Alt+2",), has_script),
            Command("go.item", "&Go", "&Item", self._go_item, ("Alt+3",), has_script),
            Command("go.errors", "&Go", "E&rrors", self._go_errors, ("Alt+4",), has_script),
            Command("help.keys", "&Help", "&Keyboard shortcuts", self.open_keys, ("?", "F1")),
            Command("help.search", "&Help", "&Searching events", self.open_search_help),
            Command("help.about", "&Help", "&About AntFlow Desk", self.open_about_box),
        ]

    def _connect(self) -> None:
        context, controller = self._context, self._controller
        self.welcome.open_requested.connect(self.choose_script)
        self.welcome.example_requested.connect(self.open_example)
        self.welcome.recent_requested.connect(self.open_recent)
        controller.script_opened.connect(self._show_script)
        controller.state_changed.connect(self._show_state)
        controller.run_started.connect(self._begin_run)
        controller.run_resumed.connect(self._resume_run)
        controller.run_finished.connect(self._end_run)
        controller.output_written.connect(self.console.append_text)
        context.ticker.ticked.connect(self.refresh)
        self._feed.rows_arrived.connect(self._take_rows)
        context.faults.reported.connect(self.status_line.show_fault)
        self.status_line.fault_requested.connect(self._show_fault)
        self.events.item_chosen.connect(self._show_item)
        self.errors.item_chosen.connect(self._show_item)
        self.errors.group_chosen.connect(self._filter_events)
        self.errors.retry_requested.connect(controller.retry_alike)
        self.item.retry_requested.connect(controller.retry_item)
        self.item.alike_requested.connect(controller.retry_alike)
        self.item.cancel_requested.connect(controller.cancel_item)

    # Opening

    def open_script(self, path: Path, args: Sequence[str] = ()) -> bool:
        """Open a script; where it cannot be run, say so in the window.

        Returns:
            Whether it can be run.
        """
        if self._controller.is_running:
            self.banner.show_message(
                "info",
                f"{path.name} was not opened",
                "A run is going on: stop it first, then open another script.",
            )
            return False
        self.banner.hide()
        try:
            self._controller.open_script(path, args)
        except ScriptError as error:
            self.banner.show_message("error", f"{path.name} cannot be run", str(error))
            return False
        self._context.settings.remember(opened(path.absolute(), tuple(args), time.time()))
        return True

    @Slot()
    def open_example(self) -> None:
        """Open the bundled example."""
        self.open_script(example_path(EXAMPLE))

    @Slot(str)
    def open_recent(self, path: str) -> None:
        """Open a script again, with the arguments it had."""
        self.open_script(Path(path), self._context.settings.recent_args(path))

    @Slot()
    def choose_script(self) -> None:
        """Let the user choose a file."""
        dialog = QFileDialog(self, "Open a pipeline script")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters(["Python files (*.py *.pyw)", "All files (*)"])
        if self._controller.path is not None:
            dialog.setDirectory(str(self._controller.path.parent))
        dialog.fileSelected.connect(self._open_chosen)
        dialog.open()

    @Slot(str)
    def _open_chosen(self, path: str) -> None:
        self.open_script(Path(path))

    @Slot()
    def _fill_recent_menu(self) -> None:
        self.recent_menu.clear()
        self._context.settings.forget_missing()
        for run in self._context.settings.recent:
            action = self.recent_menu.addAction(Path(run.path).name)
            action.setData(run.path)
            action.setToolTip(run.path)
            action.setEnabled(self._is_idle())
            action.triggered.connect(self._open_recent_action)
        if self.recent_menu.isEmpty():
            self.recent_menu.addAction("No script was opened yet").setEnabled(False)

    @Slot()
    def _open_recent_action(self) -> None:
        action = self.sender()
        if isinstance(action, QAction):
            self.open_recent(str(action.data()))

    # Pages

    @Slot()
    def show_welcome(self) -> None:
        """Show the welcome page; panels and figures are for scripts."""
        settings = self._context.settings
        settings.forget_missing()
        if self._has_script():
            self._layout = self.saveState()
        now = datetime.now().astimezone()
        self.welcome.show_recent([recent_entry(run, now) for run in settings.recent])
        self.banner.hide()
        self.pages.setCurrentWidget(self.welcome)
        self.panels.set_visible(False)
        self.setFocus()  # keys reach every part by Tab; no button stands out unasked
        self.setWindowTitle("AntFlow Desk")
        self.commands.update()

    @Slot()
    def _show_script(self) -> None:
        path = self._controller.path
        if path is None:
            return
        if self.pages.currentWidget() is self.welcome:
            self.pages.setCurrentWidget(self.run_page)
            self._place_panels()
            self.setFocus()
        self.setWindowTitle(f"{path.name} – AntFlow Desk")
        self.commands.update()
        self._show_history()
        self.console.clear()
        self.run_page.show_script()

    @Slot()
    def _show_state(self) -> None:
        self.commands.update()
        can_retry = self._controller.can_retry
        self.errors.set_can_retry(can_retry)
        self.item.set_acts(can_retry=can_retry, can_cancel=self._is_running())
        self.run_page.refresh()

    def _show_history(self) -> None:
        history = self._controller.history
        self._feed.follow(history)
        self.events.set_history(history)
        self.errors.set_history(history)
        self.item.clear()
        self.panels.name_errors(0)

    # A run

    @Slot()
    def _begin_run(self) -> None:
        self.banner.hide()
        self.console.clear()
        self.status_line.clear_hold()
        self._show_history()
        self.run_page.start_run()
        self._context.ticker.start()

    @Slot()
    def _resume_run(self) -> None:
        self.banner.hide()
        self._context.ticker.start()

    @Slot(object)
    def _end_run(self, outcome: RunOutcome) -> None:
        self._context.ticker.stop()
        self.commands.update()
        question = self.findChild(CloseQuestion)
        if question is not None:
            question.reject()  # there is nothing left to ask about
        path = self._controller.path
        if path is None:
            return
        self._context.settings.remember(ended(path, self._controller.args, outcome, time.time()))
        if outcome.state is RunState.FAILED:
            title = (
                f"{path.name} cannot be run" if outcome.exit_code == 2 else f"{path.name} ended with an error"
            )
            self.banner.show_message("error", title, outcome.message or "", outcome.traceback or "")

    @Slot()
    def refresh(self) -> None:
        """Show what is new; called by the ticker."""
        self.run_page.refresh()
        self._feed.deliver()
        self.status_line.refresh(self._controller.history)

    @Slot()
    def _take_rows(self) -> None:
        for view in (self.events, self.errors, self.item):
            view.refresh()
        self.panels.name_errors(self.errors.total)

    @Slot()
    def ask_arguments(self) -> None:
        """Ask for other arguments, then run."""
        path = self._controller.path
        if path is None:
            return
        dialog = ArgumentsDialog(path.name, self._controller.args, self)
        dialog.run_requested.connect(self._run_with)
        dialog.open()

    @Slot(list)
    def _run_with(self, args: list[str]) -> None:
        self._controller.args = args
        self._controller.start()

    # Panels

    @Slot(int)
    def _show_item(self, item: int) -> None:
        history = self._controller.history
        if history is not None:
            self.item.show_item(history, item)
            self.panels.item.raise_()

    @Slot(str)
    def _filter_events(self, query: str) -> None:
        self.events.set_query(query)
        self.panels.events.raise_()

    @Slot(object)
    def _show_fault(self, fault: Fault) -> None:
        self.banner.show_message("warning", "Something unexpected went wrong", fault.summary, fault.detail)

    def _search(self) -> None:
        self._go_events()
        self.events.focus_search()

    def _follow(self) -> None:
        self._go_events()
        self.events.follow()

    def _go_events(self) -> None:
        self.panels.reveal(self.panels.events)

    def _go_console(self) -> None:
        self.panels.reveal(self.panels.console)

    def _go_item(self) -> None:
        self.panels.reveal(self.panels.item)

    def _go_errors(self) -> None:
        self.panels.reveal(self.panels.errors)

    def _reset_layout(self) -> None:
        self.panels.arrange()
        self._share_space()

    def _share_space(self) -> None:
        self.panels.share(self.width(), self.height() * 42 // 100)

    # Dialogs

    def open_settings(self) -> None:
        """Theme and pace."""
        dialog = SettingsDialog(self._context.settings, self)
        dialog.interval_changed.connect(self._set_interval)
        dialog.theme_changed.connect(self._set_theme)
        dialog.open()

    @Slot(int)
    def _set_interval(self, interval_ms: int) -> None:
        self._context.settings.interval_ms = interval_ms
        self._context.ticker.set_interval(interval_ms)

    @Slot(object)
    def _set_theme(self, mode: ThemeMode) -> None:
        self._context.settings.theme_mode = mode
        self._context.theme.set_mode(mode)

    def open_keys(self) -> None:
        """Every command with its key."""
        KeysDialog(self.commands.commands, self).open()

    def open_search_help(self) -> None:
        """What the search box understands."""
        page = resource_path("help", "search.md").read_text(encoding="utf-8")
        HelpDialog("Searching events", page, self).open()

    def open_about_box(self) -> None:
        """Version and log file."""
        open_about(str(self._context.faults.log_path), self)

    # What can be done now

    def _is_running(self) -> bool:
        return self._controller.is_running

    def _can_retry(self) -> bool:
        return self._has_script() and self._controller.can_retry

    def _can_pause(self) -> bool:
        return self._controller.state is RunState.RUNNING

    def _is_idle(self) -> bool:
        return not self._controller.is_running

    def _has_script(self) -> bool:
        return self._controller.path is not None and self.pages.currentWidget() is self.run_page

    def _can_run(self) -> bool:
        return self._has_script() and self._is_idle()

    # The window's place

    def _restore(self) -> None:
        geometry = self._context.settings.geometry
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(FIRST_SIZE)

    def _place_panels(self) -> None:
        """Show the panels as they were last arranged, else in the first layout."""
        self.panels.set_visible(True)
        if self._layout is None or not self.restoreState(self._layout):
            self.panels.arrange()
            QTimer.singleShot(0, self, self._share_space)  # sizes are known once the page is laid out

    def _save_place(self) -> None:
        if self._has_script():
            self._layout = self.saveState()
        self._context.settings.save_window(self.saveGeometry(), self._layout)

    # Qt

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._controller.is_running and not self._close_confirmed:
            event.ignore()
            self._ask_before_closing()
            return
        self._save_place()
        super().closeEvent(event)
        self.closed.emit()

    def _ask_before_closing(self) -> None:
        if self.findChild(CloseQuestion) is not None:
            return
        path = self._controller.path
        question = CloseQuestion(path.name if path else "The script", self)
        question.confirmed.connect(self.close_at_once)
        question.open()

    @Slot()
    def close_at_once(self) -> None:
        """Close without asking; a run that is going on is cancelled."""
        self._close_confirmed = True
        self.close()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped_file(event) is not None:
            event.acceptProposedAction()
            self.welcome.set_drop_highlight(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.welcome.set_drop_highlight(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.welcome.set_drop_highlight(False)
        path = _dropped_file(event)
        if path is not None:
            event.acceptProposedAction()
            self.open_script(path)


def _dropped_file(event: QDropEvent) -> Path | None:
    """The one local file that is dragged, None for anything else."""
    urls = event.mimeData().urls()
    return Path(urls[0].toLocalFile()) if len(urls) == 1 and urls[0].isLocalFile() else None
