"""Opening scripts and recorded runs, by dialog, drop, list or command line; a fault is said in the window."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices, QDropEvent
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from antflow_core.exceptions import RunFileError, ScriptError
from antflow_core.link.protocol import RunOutcome
from antflow_core.resources import example_path
from antflow_gui.context import AppContext
from antflow_gui.file_kinds import RECORDED_SUFFIXES, is_recorded_run
from antflow_gui.views.banner import MessageBanner
from antflow_gui.views.recorded_words import script_of
from antflow_gui.windows.recent import ended, opened, recorded_run, recording_made

EXAMPLE = "stdlib_sources.py"
_HINDRANCE = "A run is going on: stop it first, then open another file."
_NOTHING_TO_RUN = 2
"""The exit code of a script that was not run at all."""
_RECORDED_FILES = " ".join(f"*{suffix}" for suffix in RECORDED_SUFFIXES)


class Opener(QObject):
    """Opens files through the controller, and remembers what was open.

    Args:
        context: The app's parts.
        banner: Where is said what could not be opened, and why.
        window: Owner of the dialogs.

    Attributes:
        recent_menu: Lists what was open before.
        fault: Why the last file could not be opened, or not be read to its end, one sentence; else empty.
    """

    def __init__(self, context: AppContext, banner: MessageBanner, window: QWidget) -> None:
        super().__init__(window)
        self._controller = context.controller
        self._settings = context.settings
        self._banner = banner
        self._window = window
        self.fault = ""
        self.recent_menu = QMenu("Open &recent", window)
        self.recent_menu.aboutToShow.connect(self._fill_recent_menu)
        self.recent_menu.triggered.connect(self._open_listed)

    def open_file(self, path: Path) -> bool:
        """Open a script or a recorded run, whichever it is; says whether it could be done."""
        return self.open_recorded(path) if is_recorded_run(path) else self.open_script(path)

    def open_script(self, path: Path, args: Sequence[str] = ()) -> bool:
        """Open a script; where it cannot be run, say so in the window.

        Returns:
            Whether it can be run.
        """
        if self._is_hindered(path):
            return False
        try:
            self._controller.open_script(path, args)
        except ScriptError as error:
            self._refuse(f"{path.name} cannot be run", error)
            return False
        self._settings.remember(opened(path.absolute(), tuple(args), time.time()))
        return True

    def open_recorded(self, path: Path) -> bool:
        """Open a recorded run; where it cannot be opened, say so and leave what is open.

        Returns:
            Whether it is open.
        """
        if self._is_hindered(path):
            return False
        try:
            self._controller.open_recorded(path)
        except RunFileError as error:
            self._refuse(f"{path.name} cannot be opened", error)
            return False
        self._remember_recorded()
        return True

    @Slot()
    def open_example(self) -> None:
        """Open the bundled example."""
        self.open_script(example_path(EXAMPLE))

    @Slot(str)
    def open_recent(self, path: str) -> None:
        """Open a recorded run again, or a script with the arguments it had."""
        run = next((each for each in self._settings.recent if each.path == path), None)
        if run is None:
            self.open_file(Path(path))
        elif run.recorded:
            self.open_recorded(Path(path))
        else:
            self.open_script(Path(path), run.args)

    @Slot()
    def open_recorded_script(self) -> None:
        """Open the script that the recorded run in view was made of, with the arguments it had."""
        recorded = self._controller.recorded
        script = script_of(recorded.info) if recorded is not None else None
        if recorded is not None and script is not None:
            self.open_script(script, recorded.info.arguments)

    @Slot()
    def open_own_recording(self) -> None:
        """Open the recording that was made of the last run."""
        recording = self._controller.recording
        if recording is not None:
            self.open_recorded(recording.path)

    def has_recorded_script(self) -> bool:
        """Whether the script of the recorded run in view is still there."""
        recorded = self._controller.recorded
        return recorded is not None and script_of(recorded.info) is not None

    def has_own_recording(self) -> bool:
        """Whether there is a recording of the last run, and that is over."""
        recording = self._controller.recording
        return not self._controller.is_running and recording is not None and recording.path.is_file()

    @Slot()
    def choose_script(self) -> None:
        """Let the user choose a script."""
        path = self._controller.path
        folder = path.parent if path is not None and self._controller.recorded is None else None
        self._choose("Open a pipeline script", "Python files (*.py *.pyw)", folder, self._open_chosen_script)

    @Slot()
    def choose_recorded(self) -> None:
        """Let the user choose a recorded run, at first among those the app has made."""
        path, folder = self._controller.path, self._settings.record_folder
        if self._controller.recorded is not None and path is not None:
            folder = path.parent
        files = f"Recorded runs ({_RECORDED_FILES})"
        self._choose("Open a recorded run", files, folder, self._open_chosen_recorded)

    def _choose(self, title: str, files: str, folder: Path | None, chosen: object) -> None:
        dialog = QFileDialog(self._window, title)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters([files, "All files (*)"])
        if folder is not None and folder.is_dir():
            dialog.setDirectory(str(folder))
        dialog.fileSelected.connect(chosen)
        dialog.open()

    @Slot(str)
    def _open_chosen_script(self, path: str) -> None:
        self.open_script(Path(path))

    @Slot(str)
    def _open_chosen_recorded(self, path: str) -> None:
        self.open_recorded(Path(path))

    @Slot()
    def show_recording(self) -> None:
        """Show the folder of the run file that is made of the run, or was, in the system's file manager."""
        recording = self._controller.recording
        if recording is not None:
            reveal(recording.path)

    @Slot()
    def show_recordings(self) -> None:
        """Show the folder that recordings go into in the system's file manager."""
        reveal(self._settings.record_folder)

    def has_recordings(self) -> bool:
        """Whether anything was ever recorded into that folder."""
        return self._settings.record_folder.is_dir()

    @Slot()
    def _fill_recent_menu(self) -> None:
        menu = self.recent_menu
        menu.clear()
        self._settings.forget_missing()
        for run in self._settings.recent:
            action = menu.addAction(Path(run.path).name.replace("&", "&&"))
            action.setData(run.path)
            action.setToolTip(run.path)
            action.setEnabled(not self._controller.is_running)
        if menu.isEmpty():
            menu.addAction("Nothing was opened yet").setEnabled(False)

    @Slot(QAction)
    def _open_listed(self, action: QAction) -> None:
        self.open_recent(str(action.data()))

    # What was open

    def remember_run(self, outcome: RunOutcome) -> None:
        """Remember how the run of the open script ended, and the recording that was made of it."""
        controller = self._controller
        if controller.path is None:
            return
        now, recording, log = time.time(), controller.recording, controller.history
        has_run = outcome.exit_code != _NOTHING_TO_RUN
        if has_run and recording is not None and log is not None and recording.path.is_file():
            self._settings.remember(recording_made(recording.path, log.next_row, outcome, now))
        self._settings.remember(ended(controller.path, controller.args, outcome, now))

    def end_reading(self, fault: RunFileError | None) -> None:
        """Remember the recorded run that has been read, or why it could not be."""
        self.fault = "" if fault is None else str(fault)
        self._remember_recorded()

    def _remember_recorded(self) -> None:
        if self._controller.recorded is not None:
            self._settings.remember(recorded_run(self._controller.recorded))

    def forget_hindrance(self) -> None:
        """The run is over that kept a file from being opened, so that this need not be said any longer."""
        if self.fault == _HINDRANCE and self._banner.message.endswith(_HINDRANCE):
            self._banner.hide()

    # Inside

    def _is_hindered(self, path: Path) -> bool:
        """Whether a run that is going on keeps another file from being opened; if so, say it."""
        hindered = self._controller.is_running
        self.fault = _HINDRANCE if hindered else ""
        if hindered:
            self._banner.show_message("info", f"{path.name} was not opened", self.fault)
        else:
            self._banner.hide()
        return hindered

    def _refuse(self, title: str, error: Exception) -> None:
        self.fault = str(error)
        self._banner.show_message("error", title, self.fault)


def reveal(path: Path) -> None:
    """Show a file's folder, or a folder itself, in the system's file manager."""
    folder = path if path.is_dir() else path.parent
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def dropped_file(event: QDropEvent) -> Path | None:
    """The one local file that is dragged, None for anything else."""
    urls = event.mimeData().urls()
    return Path(urls[0].toLocalFile()) if len(urls) == 1 and urls[0].isLocalFile() else None
