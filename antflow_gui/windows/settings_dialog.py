"""The settings: look and pace, recording, how many events are held; each change is kept at once."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from antflow_core.units import format_bytes
from antflow_gui.settings import INTERVAL_MS_MAX, INTERVAL_MS_MIN, Settings
from antflow_gui.theme import ThemeMode, set_kind, ui_font
from antflow_gui.views.elided_label import ElidedLabel
from antflow_gui.windows.opening import reveal

_THEME_WORDS = {ThemeMode.SYSTEM: "As the system", ThemeMode.LIGHT: "Light", ThemeMode.DARK: "Dark"}
_MILLION = 1_000_000
_MOST_MILLIONS = 1_000
_BYTES_AN_EVENT = 48
"""What an event takes: its record, its share of the dictionaries, and what searches keep of it."""
_FIELDS_WIDTH = 420
_RECORDS = "From the next run on, each goes into a file that can be opened again and holds every event."


class SettingsDialog(QDialog):
    """Everything that can be set; a change shows at once and is kept.

    Args:
        settings: What is set now.
        parent: Owner.

    Signals:
        interval_changed(int): The pace in milliseconds.
        theme_changed(ThemeMode): The theme.
        recording_changed(bool): Whether runs are recorded.
        folder_changed(Path): Where recordings are made.
        limit_changed(object): How many events are held at most; None for no limit.
    """

    interval_changed = Signal(int)
    theme_changed = Signal(object)
    recording_changed = Signal(bool)
    folder_changed = Signal(object)
    limit_changed = Signal(object)

    def __init__(self, settings: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Settings")
        self._folder = settings.record_folder
        self.theme = QComboBox()
        self.interval = QSpinBox()
        self.record_switch = QCheckBox("&Record runs")
        self.folder_label = ElidedLabel("Copy path")
        self.choose_button = QPushButton("&Choose…")
        self.show_button = QPushButton("&Show")
        self.limit = QSpinBox()
        self.limit_note = QLabel()
        self._fill(settings)
        self._lay_out()
        self.interval.valueChanged.connect(self.interval_changed)
        self.theme.currentIndexChanged.connect(self._choose_theme)
        self.record_switch.toggled.connect(self.recording_changed)
        self.choose_button.clicked.connect(self._choose_folder)
        self.show_button.clicked.connect(self._show_folder)
        self.limit.valueChanged.connect(self._change_limit)

    def _fill(self, settings: Settings) -> None:
        for mode, words in _THEME_WORDS.items():
            self.theme.addItem(words, mode)
        self.theme.setCurrentIndex(list(_THEME_WORDS).index(settings.theme_mode))
        self.interval.setRange(INTERVAL_MS_MIN, INTERVAL_MS_MAX)
        self.interval.setSingleStep(50)
        self.interval.setSuffix(" ms")
        self.interval.setValue(settings.interval_ms)
        self.record_switch.setChecked(settings.record_runs)
        self._tell_folder()
        self.choose_button.setToolTip("Choose another folder; recordings that were made stay where they are")
        self.show_button.setToolTip("Show the folder in the file manager")
        self.limit.setRange(0, _MOST_MILLIONS)
        self.limit.setSpecialValueText("No limit")
        self.limit.setSuffix(" million events")
        limit = settings.max_events
        self.limit.setValue(0 if limit is None else max(limit // _MILLION, 1))
        self._tell_limit()
        for box in (self.interval, self.limit):
            box.lineEdit().setTextMargins(7, 0, 0, 0)  # the style sheet cannot pad a spin box's text

    def _lay_out(self) -> None:
        for box in (self.theme, self.interval, self.limit):
            box.setFixedWidth(200)
        folder = QHBoxLayout()
        folder.setSpacing(8)
        folder.addWidget(self.folder_label, 1)
        for button in (self.choose_button, self.show_button):
            button.setAutoDefault(False)
            folder.addWidget(button)
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(12)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Theme", self.theme)
        form.addRow("Re&fresh every", self.interval)
        form.addRow("Recording", _column(self.record_switch, _note(QLabel(_RECORDS))))
        form.addRow("Folder", folder)
        form.addRow("&Keep at most", _column(self.limit, _note(self.limit_note)))
        _label_of(form, self.limit)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(16)
        layout.addLayout(form)
        layout.addWidget(buttons)

    @Slot(int)
    def _choose_theme(self, index: int) -> None:
        self.theme_changed.emit(ThemeMode(self.theme.itemData(index)))  # Qt hands it back as a str

    @Slot()
    def _choose_folder(self) -> None:
        dialog = QFileDialog(self, "Choose the folder for recordings")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        if self._folder.is_dir():
            dialog.setDirectory(str(self._folder))
        dialog.fileSelected.connect(self._take_folder)
        dialog.open()

    @Slot(str)
    def _take_folder(self, folder: str) -> None:
        self._folder = Path(folder)
        self._tell_folder()
        self.folder_changed.emit(self._folder)

    @Slot()
    def _show_folder(self) -> None:
        reveal(self._folder)

    @Slot(int)
    def _change_limit(self, millions: int) -> None:
        self._tell_limit()
        self.limit_changed.emit(millions * _MILLION or None)

    def _tell_folder(self) -> None:
        self.folder_label.set_full_text(str(self._folder))
        # A folder that was never recorded into is not there yet; it is made with the first recording.
        self.show_button.setEnabled(self._folder.is_dir())

    def _tell_limit(self) -> None:
        size = self.limit.value() * _MILLION * _BYTES_AN_EVENT
        self.limit_note.setText(
            f"From the next run on; about {format_bytes(size)} of memory. "
            "Beyond that the oldest are dropped; a recording has all."
            if size
            else "From the next run on, all events of a run stay in memory, however many there are."
        )


def _column(field: QWidget, note: QLabel) -> QVBoxLayout:
    """A field and below it what it means."""
    column = QVBoxLayout()
    column.setSpacing(4)
    column.addWidget(field)
    column.addWidget(note)
    return column


def _note(label: QLabel) -> QLabel:
    set_kind(label, "secondary")
    label.setFont(ui_font(12))
    label.setWordWrap(True)
    label.setMinimumWidth(_FIELDS_WIDTH)
    return label


def _label_of(form: QFormLayout, field: QWidget) -> None:
    """Let the last row's label stand for a field that is inside a layout."""
    place = form.itemAt(form.rowCount() - 1, QFormLayout.ItemRole.LabelRole)
    label = place.widget() if place is not None else None
    if isinstance(label, QLabel):
        label.setBuddy(field)
