"""The look in one place: colours of both themes, fonts, and the `Theme` that dresses the application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from types import MappingProxyType

from PySide6.QtCore import QObject, Qt, QTemporaryDir, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from antflow_gui.style_sheet import style_sheet, write_icons


class ThemeMode(StrEnum):
    """Which palette to use; SYSTEM follows the desktop while the app runs."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one theme as ``#RRGGBB``: roles, statuses by name, stages in order."""

    name: str
    window: str
    surface: str
    raised: str
    border: str
    text: str
    text_secondary: str
    text_tertiary: str
    accent: str
    on_accent: str
    selection: str
    statuses: Mapping[str, str]
    stages: tuple[str, ...]


LIGHT = Palette(
    name="light",
    window="#F4F5F7",
    surface="#FFFFFF",
    raised="#EEF0F3",
    border="#D8DCE2",
    text="#1A2230",
    text_secondary="#545E6C",
    text_tertiary="#6C7684",
    accent="#2C56B7",
    on_accent="#FFFFFF",
    selection="#DCE6FA",
    statuses=MappingProxyType(
        {
            "queued": "#515663",
            "in_progress": "#2C56B7",
            "completed": "#23856D",
            "retrying": "#B25F00",
            "failed": "#A71923",
            "skipped": "#562A73",
        }
    ),
    stages=(
        "#0C4EA3",
        "#CD7E16",
        "#6E9E85",
        "#6E1F5F",
        "#936ADF",
        "#494404",
        "#347D8F",
        "#5A6B16",
    ),
)

DARK = Palette(
    name="dark",
    window="#12151A",
    surface="#1A1F26",
    raised="#222831",
    border="#2C333D",
    text="#E8ECF1",
    text_secondary="#A9B3C0",
    text_tertiary="#7F8A98",
    accent="#7AA2FF",
    on_accent="#12151A",
    selection="#26344F",
    statuses=MappingProxyType(
        {
            "queued": "#939AA4",
            "in_progress": "#5488EC",
            "completed": "#61EEBD",
            "retrying": "#F9BC2D",
            "failed": "#FE5E43",
            "skipped": "#BDB3FE",
        }
    ),
    stages=(
        "#2B7ADD",
        "#B88F5B",
        "#71D2B7",
        "#A26387",
        "#B99BFD",
        "#DFB72B",
        "#A0FAFF",
        "#D6F887",
    ),
)

STATUS_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "queued": "queued",
        "in_progress": "in progress",
        "completed": "completed",
        "retrying": "retrying",
        "failed": "failed",
        "skipped": "skipped",
    }
)

UI_FAMILY, MONO_FAMILY = "Inter", "JetBrains Mono"
_FONT_PACKAGES = ("fontpkg_inter", "fontpkg_jetbrains_mono")
_WEIGHT = QFont.Tag("wght")
_TABULAR = QFont.Tag("tnum")
_CONTEXTUAL = QFont.Tag("calt")
_STAGE_ROUND_FACTOR = 130
"""How much lighter, then darker, each further round of stage colours gets, in per cent."""


@cache
def register_fonts() -> None:
    """Make Inter and JetBrains Mono known to Qt, once; a bare machine has no fonts and Qt would draw boxes.

    Only the upright faces: with the italic one registered first, Qt answers a plain request with it.
    """
    for package in _FONT_PACKAGES:
        root = import_module(package).ROOT
        for path in sorted(root.glob("files/*.ttf")):
            if "Italic" not in path.name:
                QFontDatabase.addApplicationFont(str(path))


def ui_font(px: int = 13, weight: int = 400) -> QFont:
    """Inter with digits of equal width, in pixels; `weight` is 400, 500 or 600."""
    font = QFont(UI_FAMILY)
    font.setFeature(_TABULAR, 1)
    return _sized(font, px, weight)


def mono_font(px: int = 12, weight: int = 400) -> QFont:
    """JetBrains Mono for ids, times and code."""
    font = QFont(MONO_FAMILY)
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setFeature(_CONTEXTUAL, 0)  # else != is drawn as ≠, and an id like a->b with an arrow
    return _sized(font, px, weight)


def _sized(font: QFont, px: int, weight: int) -> QFont:
    font.setPixelSize(px)
    # The faces are variable: their weight is an axis, and QFont.setWeight leaves it alone.
    font.setVariableAxis(_WEIGHT, float(weight))
    return font


_KIND_FONTS = MappingProxyType(
    {
        "title": (26, 600),
        "figure": (17, 600),
        "heading": (15, 600),
        "strong": (13, 600),
        "body": (13, 400),
        "secondary": (12, 400),
        "tertiary": (12, 400),
        "axis": (11, 400),
        "chip": (12, 400),
    }
)


def set_kind(widget: QWidget, kind: str) -> None:
    """Give a widget the look of a kind: the style sheet's rules for it and its font.

    A style sheet alone cannot do it, because ``font-weight`` does not move a variable font's axis.
    """
    widget.setProperty("kind", kind)
    if widget.testAttribute(Qt.WidgetAttribute.WA_WState_Polished):
        # WORKAROUND(Qt 6.11): a font set after the application's style sheet has polished a widget is lost
        # when that sheet changes, even if the widget is unpolished before; a sheet of its own renews it.
        widget.setStyleSheet("/* renew */")
        widget.setStyleSheet("")
    if kind == "mono":
        widget.setFont(mono_font())
    elif kind in _KIND_FONTS:
        widget.setFont(ui_font(*_KIND_FONTS[kind]))


def blend(ground: QColor, color: QColor, share: float) -> QColor:
    """The opaque colour that `color` at opacity `share` gives on `ground`."""
    return QColor.fromRgbF(
        ground.redF() + (color.redF() - ground.redF()) * share,
        ground.greenF() + (color.greenF() - ground.greenF()) * share,
        ground.blueF() + (color.blueF() - ground.blueF()) * share,
    )


class Theme(QObject):
    """The palette in use; `changed` is emitted after the application wears a new one."""

    changed = Signal()

    def __init__(self, mode: ThemeMode = ThemeMode.SYSTEM, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mode = mode
        self._palette = self._wanted()
        self._app: QApplication | None = None
        self._icons = QTemporaryDir()

    @property
    def palette(self) -> Palette:
        """The colours in use now."""
        return self._palette

    @property
    def mode(self) -> ThemeMode:
        """What was chosen: system, light or dark."""
        return self._mode

    @property
    def is_dark(self) -> bool:
        """Whether the dark palette is in use."""
        return self._palette is DARK

    def set_mode(self, mode: ThemeMode) -> None:
        """Choose light, dark or the system's, and repaint if that changes the palette."""
        self._mode = mode
        if self._app is not None:
            self._tell_desktop()
        self._update()

    def install(self, app: QApplication) -> None:
        """Dress the application: Fusion, fonts, palette, style sheet; follow the system from now on."""
        self._app = app
        register_fonts()
        self._tell_desktop()
        app.setStyle("Fusion")
        app.setFont(ui_font())
        self._dress(app)
        app.styleHints().colorSchemeChanged.connect(self._update)

    def color(self, role: str) -> QColor:
        """A colour by role: the name of a `Palette` field such as ``text_secondary``, or a status."""
        return QColor(self._palette.statuses.get(role) or getattr(self._palette, role))

    def status_color(self, status: str) -> QColor:
        """The colour of a status; what is not a status is drawn like text."""
        return QColor(self._palette.statuses.get(status, self._palette.text_secondary))

    def stage_color(self, index: int) -> QColor:
        """The colour of a stage by its place; after eight they come again lighter, then darker."""
        colors = self._palette.stages
        turn, place = divmod(index, len(colors))
        color = QColor(colors[place])
        if turn == 0:
            return color
        factor = 100 + (_STAGE_ROUND_FACTOR - 100) * ((turn + 1) // 2)
        return color.lighter(factor) if turn % 2 else color.darker(factor)

    def _tell_desktop(self) -> None:
        """Ask for title bars and native dialogs to match."""
        hints = QGuiApplication.styleHints()
        if self._mode is ThemeMode.SYSTEM:
            hints.unsetColorScheme()
        else:
            dark = self._mode is ThemeMode.DARK
            hints.setColorScheme(Qt.ColorScheme.Dark if dark else Qt.ColorScheme.Light)

    def _wanted(self) -> Palette:
        if self._mode is ThemeMode.SYSTEM:
            dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
            return DARK if dark else LIGHT
        return DARK if self._mode is ThemeMode.DARK else LIGHT

    def _update(self) -> None:
        wanted = self._wanted()
        if wanted is self._palette:
            return
        self._palette = wanted
        if self._app is not None:
            self._dress(self._app)
        self.changed.emit()

    def _dress(self, app: QApplication) -> None:
        app.setPalette(_qt_palette(self._palette))
        folder = self._icons.path()
        write_icons(self._palette, folder)
        app.setStyleSheet(style_sheet(self._palette, folder))


def _qt_palette(colors: Palette) -> QPalette:
    """Qt's own palette, for what Fusion draws without the style sheet."""
    role = QPalette.ColorRole
    plain = {
        role.Window: colors.window,
        role.WindowText: colors.text,
        role.Base: colors.surface,
        role.AlternateBase: colors.raised,
        role.ToolTipBase: colors.surface,
        role.ToolTipText: colors.text,
        role.PlaceholderText: colors.text_tertiary,
        role.Text: colors.text,
        role.Button: colors.raised,
        role.ButtonText: colors.text,
        role.Highlight: colors.selection,
        role.HighlightedText: colors.text,
        role.Link: colors.accent,
        role.LinkVisited: colors.accent,
        role.Accent: colors.accent,
        role.Light: colors.raised,
        role.Midlight: colors.raised,
        role.Mid: colors.border,
        role.Dark: colors.border,
        role.Shadow: colors.border,
    }
    palette = QPalette()
    for key, value in plain.items():
        palette.setColor(key, QColor(value))
    for key in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, key, QColor(colors.text_tertiary))
    return palette
