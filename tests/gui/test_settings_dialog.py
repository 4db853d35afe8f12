"""The settings dialog: each change is kept at once, and holds for the next run."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog

from antflow_gui.context import AppContext
from antflow_gui.runs.options import RunOptions, options_from
from antflow_gui.settings import MAX_EVENTS_DEFAULT, default_record_folder
from antflow_gui.windows.main_window import MainWindow
from antflow_gui.windows.settings_dialog import SettingsDialog


@pytest.fixture
def dialog(window: MainWindow) -> SettingsDialog:
    window.commands.actions["file.settings"].trigger()
    found = window.findChild(SettingsDialog)
    assert found is not None
    return found


def test_it_opens_with_the_defaults(dialog: SettingsDialog) -> None:
    assert not dialog.record_switch.isChecked()
    assert dialog.folder_label.full_text == str(default_record_folder())
    assert not dialog.show_button.isEnabled()  # nothing was recorded yet, so there is no folder
    assert dialog.limit.text() == "10 million events"
    assert "480 MB" in dialog.limit_note.text()


def test_the_switch_is_that_of_the_welcome_page(
    dialog: SettingsDialog, window: MainWindow, context: AppContext
) -> None:
    dialog.record_switch.setChecked(True)
    assert context.settings.record_runs and window.welcome.record_switch.isChecked()
    window.welcome.record_switch.click()
    assert not context.settings.record_runs


def test_another_folder_is_kept_and_made_with_the_first_recording(
    dialog: SettingsDialog, window: MainWindow, context: AppContext, tmp_path: Path
) -> None:
    dialog.record_switch.setChecked(True)
    dialog.choose_button.click()
    chooser = dialog.findChild(QFileDialog)
    assert chooser is not None
    chooser.fileSelected.emit(str(tmp_path / "runs"))
    chooser.close()
    assert context.settings.record_folder == tmp_path / "runs"
    assert dialog.folder_label.full_text == str(tmp_path / "runs")
    assert window.welcome.record_note.full_text == f"into {tmp_path / 'runs'}"
    assert not (tmp_path / "runs").exists()
    assert options_from(context.settings) == RunOptions(tmp_path / "runs", MAX_EVENTS_DEFAULT)
    assert (tmp_path / "runs").is_dir()


def test_a_limit_is_kept_and_none_is_one_too(dialog: SettingsDialog, context: AppContext) -> None:
    dialog.limit.setValue(3)
    assert options_from(context.settings) == RunOptions(max_events=3_000_000)
    assert "144 MB" in dialog.limit_note.text()
    dialog.limit.setValue(0)
    assert (dialog.limit.text(), context.settings.max_events) == ("No limit", None)
    assert "however many" in dialog.limit_note.text()
