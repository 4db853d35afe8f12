"""The style sheet of a palette: buttons, fields, tables, tabs, docks, menus, and the glyphs they need."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from antflow_gui.theme import Palette

_SHEET = """
QWidget { color: $text; }
QMainWindow, QDialog, QMessageBox { background: $window; }
QMainWindow::separator { background: $window; width: 12px; height: 12px; }
QMainWindow::separator:hover { background: $raised; }
QToolTip { background: $surface; color: $text; border: 1px solid $border; padding: 4px 6px; }
QLabel { background: transparent; }
QLabel[kind="secondary"], QLabel[kind="chip"] { color: $text_secondary; }
QLabel[kind="tertiary"], QLabel[kind="axis"] { color: $text_tertiary; }

QFrame[kind="card"] { background: $surface; border: 1px solid $border; border-radius: 8px; }

QPushButton {
    background: $surface; color: $text; border: 1px solid $border; border-radius: 6px;
    padding: 0 12px; min-height: 26px;
}
QPushButton:hover { background: $raised; }
QPushButton:pressed, QPushButton:checked { background: $selection; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { background: transparent; color: $text_tertiary; }
QPushButton[kind="primary"] { background: $accent; color: $on_accent; border-color: $accent; }
QPushButton[kind="primary"]:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton[kind="primary"]:pressed { background: $accent_pressed; border-color: $accent_pressed; }
QPushButton[kind="primary"]:focus { border: 2px solid $focus_on_accent; padding: 0 11px; min-height: 24px; }
QPushButton[kind="primary"]:disabled { background: $raised; color: $text_tertiary; border-color: $border; }
QPushButton[size="large"] { min-height: 32px; }
QPushButton[kind="primary"][size="large"]:focus { min-height: 30px; }
QPushButton[kind="link"] {
    background: transparent; color: $accent; border: 1px solid transparent; border-radius: 4px;
    padding: 0 3px; min-height: 20px;
}
QPushButton[kind="link"]:hover { background: $raised; }
QPushButton[kind="link"]:pressed { background: $selection; }
QPushButton[kind="link"]:focus { border-color: $accent; }
QPushButton[kind="link"]:disabled { color: $text_tertiary; background: transparent; }
QPushButton[kind="chip"] {
    border-radius: 12px; padding: 0 9px; min-height: 22px; max-height: 22px;
}
QPushButton[kind="chip"]:checked { background: $selection; border-color: $accent; }
QPushButton[kind="chip"]:focus { border-color: $accent; }
QToolButton {
    background: transparent; border: 1px solid transparent; border-radius: 4px; padding: 2px;
}
QToolButton:hover { background: $raised; }
QToolButton:pressed, QToolButton:checked { background: $selection; }
QToolButton:focus { border-color: $accent; }

QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox, QComboBox {
    background: $surface; border: 1px solid $border; border-radius: 6px;
    selection-background-color: $selection; selection-color: $text;
}
QLineEdit, QAbstractSpinBox, QComboBox { padding: 0 8px; min-height: 26px; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QAbstractSpinBox:focus, QComboBox:focus {
    border-color: $accent;
}
QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled {
    background: $raised; color: $text_tertiary;
}
QAbstractSpinBox QLineEdit, QComboBox QLineEdit { border: none; background: transparent; min-height: 0; }
QComboBox { padding-right: 24px; }
QComboBox::drop-down { border: none; width: 24px; }
QComboBox::down-arrow { image: url($icons/down-$name.svg); width: 12px; height: 12px; }
QComboBox QAbstractItemView { background: $surface; border: 1px solid $border; outline: 0; padding: 4px; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { border: none; width: 20px; }
QAbstractSpinBox::up-arrow { image: url($icons/up-$name.svg); width: 10px; height: 10px; }
QAbstractSpinBox::down-arrow { image: url($icons/down-$name.svg); width: 10px; height: 10px; }
QCheckBox, QRadioButton { background: transparent; spacing: 8px; min-height: 22px; }
QCheckBox::indicator, QRadioButton::indicator {
    width: 14px; height: 14px; border: 1px solid $text_tertiary; background: $surface;
}
QCheckBox::indicator { border-radius: 4px; }
QRadioButton::indicator { border-radius: 8px; }
QCheckBox::indicator:checked {
    background: $accent; border-color: $accent; image: url($icons/check-$name.svg);
}
QRadioButton::indicator:checked {
    background: $accent; border-color: $accent; image: url($icons/dot-$name.svg);
}
QCheckBox::indicator:focus, QRadioButton::indicator:focus,
QCheckBox::indicator:hover, QRadioButton::indicator:hover { border-color: $accent; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: $border; }

QAbstractItemView { background: $surface; border: 1px solid transparent; border-radius: 4px; outline: 0; }
QAbstractItemView:focus { border-color: $accent; }
QTableView, QTreeView, QListView {
    selection-background-color: $selection; selection-color: $text; gridline-color: $border;
}
QTableView::item, QTreeView::item, QListView::item { padding: 0 8px; border: none; }
QTableView::item:selected, QTreeView::item:selected, QListView::item:selected {
    background: $selection; color: $text;
}
QHeaderView { background: $surface; border: none; }
QHeaderView::section {
    background: $surface; color: $text_secondary; border: none; border-bottom: 1px solid $border;
    padding: 0 8px; min-height: 26px;
}
QHeaderView::section:hover { color: $text; }
QTableCornerButton::section { background: $surface; border: none; }

QTabWidget::pane { border: none; }
QTabBar { background: transparent; border: none; qproperty-drawBase: 0; }
QTabBar::tab {
    background: transparent; color: $text_secondary; border: 1px solid transparent; border-radius: 4px;
    padding: 3px 11px; margin: 2px;
}
QTabBar::tab:selected { color: $text; font-weight: bold; }
QTabBar::tab:hover:!selected { background: $raised; color: $text; }
QTabBar::tab:focus { border-color: $accent; }

QDockWidget { background: $window; border: none; }
QDockWidget::title { background: $window; text-align: left; padding: 4px 12px; }
QDockWidget::close-button, QDockWidget::float-button {
    border: none; border-radius: 4px; background: transparent; padding: 0;
}
QDockWidget::close-button:hover, QDockWidget::float-button:hover { background: $raised; }

QMenuBar { background: $window; color: $text_secondary; padding: 0; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QMenuBar::item { background: transparent; padding: 4px 8px; border-radius: 4px; }
QMenuBar::item:selected { background: $raised; color: $text; }
QMenu { background: $surface; border: 1px solid $border; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 12px; border-radius: 4px; }
QMenu::item:selected { background: $selection; color: $text; }
QMenu::item:disabled { color: $text_tertiary; background: transparent; }
QMenu::separator { height: 1px; background: $border; margin: 4px 8px; }
QMenu::icon { padding-left: 8px; }
QMenu::indicator { width: 12px; height: 12px; left: 8px; }
QMenu::indicator:checked { image: url($icons/tick-$name.svg); }
QStatusBar { background: $window; color: $text_secondary; }
QStatusBar::item { border: none; }
QStatusBar QLabel { color: $text_secondary; }

QScrollArea { background: transparent; border: none; }
QScrollArea[kind="page"] { border: 1px solid transparent; border-radius: 4px; }
QScrollArea[kind="page"]:focus { border-color: $accent; }
QScrollBar { background: transparent; border: none; margin: 0; }
QScrollBar:vertical { width: 10px; }
QScrollBar:horizontal { height: 10px; }
QScrollBar::handle { background: $handle; border-radius: 3px; margin: 2px; }
QScrollBar::handle:hover { background: $handle_hover; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; border: none; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QAbstractScrollArea::corner { background: transparent; }
QSplitter::handle { background: $window; }
QProgressBar { background: $raised; border: none; border-radius: 4px; min-height: 8px; max-height: 8px; }
QProgressBar::chunk { background: $accent; border-radius: 4px; }
"""

_STROKE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 12 12"><path d="$path" fill="none" '
    'stroke="$color" stroke-width="$width" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)
_GLYPHS = (
    ("down", "M2.5 4.5 L6 8 L9.5 4.5", "text_secondary", 1.6),
    ("up", "M2.5 7.5 L6 4 L9.5 7.5", "text_secondary", 1.6),
    ("check", "M2.5 6.3 L5 8.8 L9.6 3.4", "on_accent", 1.8),
    ("dot", "M6 5.99 L6 6.01", "on_accent", 5),
    ("tick", "M2.5 6.3 L5 8.8 L9.6 3.4", "text", 1.6),
)


def style_sheet(palette: Palette, icons: str) -> str:
    """The application's style sheet for a palette; `icons` is the folder `write_icons` filled."""
    colors = {role: getattr(palette, role) for role in _ROLES}
    return Template(_SHEET).substitute(
        colors,
        name=palette.name,
        icons=Path(icons).as_posix(),
        accent_hover=_mixed(palette.accent, palette.text, 0.12),
        accent_pressed=_mixed(palette.accent, palette.text, 0.24),
        focus_on_accent=_mixed(palette.accent, palette.text, 0.75),
        handle=_mixed(palette.surface, palette.text, 0.18),
        handle_hover=_mixed(palette.surface, palette.text, 0.32),
    )


def write_icons(palette: Palette, folder: str) -> None:
    """Write the arrows and ticks a style sheet can only take from files, in the palette's colours."""
    for glyph, path, role, width in _GLYPHS:
        drawing = Template(_STROKE).substitute(path=path, color=getattr(palette, role), width=width)
        Path(folder, f"{glyph}-{palette.name}.svg").write_text(drawing, encoding="utf-8")


_ROLES = (
    "window",
    "surface",
    "raised",
    "border",
    "text",
    "text_secondary",
    "text_tertiary",
    "accent",
    "on_accent",
    "selection",
)


def _mixed(ground: str, color: str, share: float) -> str:
    """`color` laid over `ground` at opacity `share`, both and the result as ``#RRGGBB``."""
    pairs = ((int(ground[at : at + 2], 16), int(color[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(below + (above - below) * share):02X}" for below, above in pairs)
