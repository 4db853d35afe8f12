"""The main window: welcome or run page, the panels below, menus, and what follows from each signal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QSize, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QIcon
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from antflow_core.exceptions import RunFileError
from antflow_core.link.protocol import RunOutcome, RunState
from antflow_core.run_files.run_records import StageValue
from antflow_gui.actions.commands import CommandSet
from antflow_gui.context import AppContext
from antflow_gui.faults import Fault
from antflow_gui.models.errors import ErrorsModel
from antflow_gui.models.events import EventsModel
from antflow_gui.resources import icon_path
from antflow_gui.runs.feed import HistoryFeed
from antflow_gui.views.banner import MessageBanner
from antflow_gui.views.console import ConsoleView
from antflow_gui.views.errors import ErrorsView
from antflow_gui.views.events import EventsView
from antflow_gui.views.item import ItemView
from antflow_gui.views.welcome import WelcomePage
from antflow_gui.windows.dialogs import ArgumentsDialog, CloseQuestion, KeysDialog, open_about
from antflow_gui.windows.docks import PanelSet, PanelViews
from antflow_gui.windows.menus import fill_menu_bar, list_commands
from antflow_gui.windows.opening import Opener, dropped_file
from antflow_gui.windows.panel_shares import FIRST_SHARES, PanelShares
from antflow_gui.windows.preferences import Preferences
from antflow_gui.windows.recent import recent_entry
from antflow_gui.windows.run_notices import RunNotices
from antflow_gui.windows.run_page import RunPage
from antflow_gui.windows.status_line import StatusLine

FIRST_SIZE = QSize(1440, 900)
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
        self.controller = context.controller
        self._feed = HistoryFeed(self)
        self._close_confirmed = False
        self._shown_path: Path | None = None
        self._layout = context.settings.layout
        self.setObjectName("main_window")
        self.setWindowIcon(QIcon(str(icon_path("antflow-desk.svg"))))
        self.setAcceptDrops(True)
        self.setContentsMargins(_MARGIN, 0, _MARGIN, 0)
        self._make_views()
        self.opener = Opener(context, self.banner, self)
        self.preferences = Preferences(context, self)
        self.notices = RunNotices(self.controller, self.banner)
        self.commands = CommandSet(list_commands(self), self)
        fill_menu_bar(self, self.commands)
        self._connect()
        self._restore()
        self.show_welcome()

    # Building

    def _make_views(self) -> None:
        theme = self._context.theme
        self.welcome = WelcomePage(theme)
        self.run_page = RunPage(self.controller, theme)
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
        shares = self._context.settings.shares or FIRST_SHARES
        self.shares = PanelShares(self, tuple(self.panels), self.run_page.plot, shares)

    def _connect(self) -> None:
        context, controller, opener = self._context, self.controller, self.opener
        self.welcome.open_requested.connect(opener.choose_script)
        self.welcome.recorded_requested.connect(opener.choose_recorded)
        self.welcome.example_requested.connect(opener.open_example)
        self.welcome.recent_requested.connect(opener.open_recent)
        self.welcome.record_toggled.connect(self.preferences.set_record_runs)
        self.preferences.recording_changed.connect(self._show_preferences)
        self.run_page.script_requested.connect(opener.open_recorded_script)
        controller.opened.connect(self._show_opened)
        controller.reading_ended.connect(self._end_reading)
        controller.state_changed.connect(self._show_state)
        controller.run_started.connect(self._begin_run)
        controller.run_resumed.connect(self._resume_run)
        controller.run_finished.connect(self._end_run)
        controller.output_written.connect(self.console.append_text)
        context.ticker.ticked.connect(self.refresh)
        self._feed.rows_arrived.connect(self._take_rows)
        context.faults.reported.connect(self.status_line.show_fault)
        self.status_line.fault_requested.connect(self._show_fault)
        self.status_line.recording_requested.connect(opener.show_recording)
        self.events.item_chosen.connect(self._show_item)
        self.errors.item_chosen.connect(self._show_item)
        self.errors.group_chosen.connect(self._filter_events)
        self.errors.retry_requested.connect(controller.retry_alike)
        self.item.retry_requested.connect(controller.retry_item)
        self.item.alike_requested.connect(controller.retry_alike)
        self.item.cancel_requested.connect(controller.cancel_item)

    # Opening

    def open_script(self, path: Path, args: Sequence[str] = ()) -> bool:
        """Open a script; says whether it can be run."""
        return self.opener.open_script(path, args)

    # Pages

    @Slot()
    def show_welcome(self) -> None:
        """Show the welcome page; panels and figures are for scripts and recorded runs."""
        settings = self._context.settings
        settings.forget_missing()
        if self.shows_file():
            self._layout = self.saveState()
        now = datetime.now().astimezone()
        self.welcome.show_recent([recent_entry(run, now) for run in settings.recent])
        self._show_preferences()
        self.banner.hide()
        self.pages.setCurrentWidget(self.welcome)
        self.panels.set_visible(False)
        self._close_recorded()
        self.setFocus()  # keys reach every part by Tab; no button stands out unasked
        self.setWindowTitle("AntFlow Desk")
        self.commands.update()

    def _close_recorded(self) -> None:
        if self.controller.recorded is not None:
            self.controller.close_recorded()
            self._context.ticker.stop()
            self._show_history()
            self.run_page.clear()
            self.status_line.refresh(None)

    @Slot()
    def _show_preferences(self) -> None:
        settings = self._context.settings
        self.welcome.show_recording(settings.record_runs, settings.record_folder)

    @Slot()
    def _show_opened(self) -> None:
        path, recorded = self.controller.path, self.controller.recorded
        if path is None:
            return
        if self.pages.currentWidget() is self.welcome:
            self.pages.setCurrentWidget(self.run_page)
            self._place_panels()
            self.setFocus()
        self.setWindowTitle(f"{path.name} – AntFlow Desk")
        self.commands.update()
        self.console.clear()
        self.console.set_recorded(recorded is not None)
        self._promise_nothing(False)
        if path != self._shown_path:
            self._shown_path = path
            self.events.clear_query()  # it asks for stages and items of the file before
        self._show_history()
        # A recording that is over is read from its beginning; what still comes is best watched at its end.
        self.events.show_end(recorded is None or recorded.state is RunState.RUNNING)
        self.status_line.clear_hold()
        self._show_status_line()
        self.run_page.show_opened()
        self.notices.begin()
        if self.controller.is_reading:
            self._context.ticker.start()
        else:
            self._context.ticker.stop()

    @Slot()
    def _show_state(self) -> None:
        self.commands.update()
        can_retry = self.controller.can_retry
        self.errors.set_can_retry(can_retry)
        self.item.set_acts(can_retry=can_retry, can_cancel=self.is_running())
        self.item.set_live(self.controller.recorded is None or not self.controller.state.is_over)
        self.run_page.refresh()

    def _show_history(self) -> None:
        history = self.controller.history
        self._feed.follow(history)
        self.events.set_history(history)
        self.errors.set_history(history)
        self.item.clear()
        self._pass_on_totals()

    # A run

    @Slot()
    def _begin_run(self) -> None:
        self.banner.hide()
        self.console.clear()
        self.status_line.clear_hold()
        self._show_history()
        self.run_page.clear()
        self.notices.begin()
        self._context.ticker.start()

    @Slot()
    def _resume_run(self) -> None:
        self.banner.hide()
        self._context.ticker.start()

    @Slot(object)
    def _end_run(self, outcome: RunOutcome) -> None:
        self._context.ticker.stop()
        self.opener.remember_run(outcome)
        self.opener.forget_hindrance()
        self.commands.update()
        question = self.findChild(CloseQuestion)
        if question is not None:
            question.reject()  # there is nothing left to ask about
        self.notices.tell_end(outcome)

    @Slot(object)
    def _end_reading(self, fault: RunFileError | None) -> None:
        self._context.ticker.stop()
        self._promise_nothing(fault is None)
        self.opener.end_reading(fault)
        self.notices.tell_reading(fault)

    def _promise_nothing(self, recorded: bool) -> None:
        """Have empty views say that nothing will come, as of a recording that has been read to its end."""
        for view in (self.events, self.errors, self.run_page):
            view.set_recorded(recorded)
        history = self.controller.history
        has_items = history is not None and history.item_count > 0
        self.item.set_choice(has_items or not recorded)

    @Slot()
    def refresh(self) -> None:
        """Show what is new; called by the ticker."""
        self._feed.deliver()  # before the header, which shows what comes of it
        self.run_page.refresh()
        self._show_status_line()
        self.notices.tell_news()

    def _show_status_line(self) -> None:
        self.status_line.refresh(self.controller.history)
        self.status_line.show_recording(self.controller.recording, going_on=self.controller.is_running)

    @Slot()
    def _take_rows(self) -> None:
        for view in (self.events, self.errors, self.item):
            view.refresh()
        self._pass_on_totals()

    def _pass_on_totals(self) -> None:
        """Have failures and items given up told where their numbers are shown."""
        self.panels.name_errors(self.errors.total)
        self.events.set_given_up(self.errors.given_up)
        self.run_page.set_given_up(self.errors.given_up)

    @Slot()
    def ask_arguments(self) -> None:
        """Ask for other arguments, then run."""
        path = self.controller.path
        if path is None:
            return
        dialog = ArgumentsDialog(path.name, self.controller.args, self)
        dialog.run_requested.connect(self._run_with)
        dialog.open()

    @Slot(list)
    def _run_with(self, args: list[str]) -> None:
        self.controller.args = args
        self.controller.start()

    # Panels

    @Slot(int)
    def _show_item(self, item: int) -> None:
        history = self.controller.history
        if history is not None:
            self.item.show_item(history, item, self._recorded_values)
            self.panels.item.raise_()

    def _recorded_values(self, item: int) -> Sequence[StageValue]:
        """What the recorded run in view has of an item's values; nothing of a live one, or a lost file."""
        recorded = self.controller.recorded
        if recorded is None:
            return ()
        try:
            return recorded.values(item)
        except RunFileError:
            return ()

    @Slot(str)
    def _filter_events(self, query: str) -> None:
        self.events.set_query(query)
        self.panels.events.raise_()

    @Slot(object)
    def _show_fault(self, fault: Fault) -> None:
        self.banner.show_message("warning", "Something unexpected went wrong", fault.summary, fault.detail)

    def search(self) -> None:
        """Put the cursor into the search box."""
        self.panels.reveal(self.panels.events)
        self.events.focus_search()

    def follow(self) -> None:
        """Go to the newest event and stay with what comes."""
        self.panels.reveal(self.panels.events)
        self.events.follow()

    def reset_layout(self) -> None:
        """Bring the panels back to where they are at first."""
        self.panels.arrange()
        self.shares.place(FIRST_SHARES)
        self._share_width()

    def _share_width(self) -> None:
        self.panels.share_width(self.width())

    # Dialogs

    def open_keys(self) -> None:
        """Every command with its key."""
        KeysDialog(self.commands.commands, self).open()

    def open_about_box(self) -> None:
        """Version and log file."""
        open_about(str(self._context.faults.log_path), self)

    # What can be done now

    def is_running(self) -> bool:
        """Whether a run is going on."""
        return self.controller.is_running

    def is_idle(self) -> bool:
        """Whether none is."""
        return not self.controller.is_running

    def shows_file(self) -> bool:
        """Whether a script or a recorded run is in view."""
        return self.controller.path is not None and self.pages.currentWidget() is self.run_page

    def can_close(self) -> bool:
        """Whether what is in view can be left."""
        return self.shows_file() and self.is_idle()

    def can_run(self) -> bool:
        """Whether a script is in view that does not run."""
        return self.can_close() and self.controller.recorded is None

    def can_retry(self) -> bool:
        """Whether failed items can be tried again; a run that is over says whether there are any."""
        outcome = self.controller.outcome
        has_failed = outcome is None or outcome.failed > 0
        return self.shows_file() and self.controller.can_retry and has_failed

    # The window's place

    def _restore(self) -> None:
        geometry = self._context.settings.geometry
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(FIRST_SIZE)

    def _place_panels(self) -> None:
        """Show the panels as they were last arranged, else in the first layout."""
        self.panels.set_visible(True)
        if self._layout is not None and self.restoreState(self._layout):
            self.shares.place(self.shares.shares)
            return
        self.panels.arrange()
        self.shares.place(FIRST_SHARES)
        QTimer.singleShot(0, self, self._share_width)  # sizes are known once the page is laid out

    def _save_place(self) -> None:
        if self.shows_file():
            self._layout = self.saveState()
        self._context.settings.save_window(self.saveGeometry(), self._layout, self.shares.shares)

    # Qt

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Pass the keyboard on; what lies behind a tab counts as visible to Qt, and is left out."""
        passed: list[QWidget] = []
        while super().focusNextPrevChild(forward):
            focus = self.focusWidget()
            if focus is None or focus in passed or not self.panels.hide(focus):
                return True
            passed.append(focus)
        return False

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.controller.is_running and not self._close_confirmed:
            event.ignore()
            self._ask_before_closing()
            return
        self._save_place()
        super().closeEvent(event)
        self.closed.emit()

    def _ask_before_closing(self) -> None:
        if self.findChild(CloseQuestion) is not None:
            return
        path = self.controller.path
        question = CloseQuestion(path.name if path else "The script", self)
        question.confirmed.connect(self.close_at_once)
        question.open()

    @Slot()
    def close_at_once(self) -> None:
        """Close without asking; a run that is going on is cancelled."""
        self._close_confirmed = True
        self.close()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_file(event) is not None:
            event.acceptProposedAction()
            self.welcome.set_drop_highlight(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.welcome.set_drop_highlight(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.welcome.set_drop_highlight(False)
        path = dropped_file(event)
        if path is not None:
            event.acceptProposedAction()
            self.opener.open_file(path)
