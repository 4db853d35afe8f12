"""Preferences: the settings dialog, and what follows at once from each change."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from antflow_gui.context import AppContext
from antflow_gui.theme import ThemeMode
from antflow_gui.windows.settings_dialog import SettingsDialog


class Preferences(QObject):
    """Keeps what the user prefers, and has it take effect.

    Args:
        context: The app's parts.
        window: Owner of the dialog.

    Signals:
        recording_changed: Whether runs are recorded, or where, is another now.
    """

    recording_changed = Signal()

    def __init__(self, context: AppContext, window: QWidget) -> None:
        super().__init__(window)
        self._context = context
        self._window = window

    @Slot()
    def open_dialog(self) -> None:
        """Show all settings."""
        dialog = SettingsDialog(self._context.settings, self._window)
        dialog.interval_changed.connect(self._set_interval)
        dialog.theme_changed.connect(self._set_theme)
        dialog.recording_changed.connect(self.set_record_runs)
        dialog.folder_changed.connect(self._set_folder)
        dialog.limit_changed.connect(self._set_limit)
        dialog.open()

    @Slot(bool)
    def set_record_runs(self, wanted: bool) -> None:
        """Record each run from the next one on, or none."""
        if wanted != self._context.settings.record_runs:
            self._context.settings.record_runs = wanted
            self.recording_changed.emit()

    @Slot(int)
    def _set_interval(self, interval_ms: int) -> None:
        self._context.settings.interval_ms = interval_ms
        self._context.ticker.set_interval(interval_ms)

    @Slot(object)
    def _set_theme(self, mode: ThemeMode) -> None:
        self._context.settings.theme_mode = mode
        self._context.theme.set_mode(mode)

    @Slot(object)
    def _set_folder(self, folder: Path) -> None:
        self._context.settings.record_folder = folder
        self.recording_changed.emit()

    @Slot(object)
    def _set_limit(self, limit: int | None) -> None:
        self._context.settings.max_events = limit
