"""The look's tables: contrasts and distances are computed, not believed; themes change live."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from PySide6.QtCore import QTemporaryDir
from PySide6.QtGui import QFont, QFontDatabase, QImage, QPainter, QTextLayout
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from antflow_gui.style_sheet import style_sheet, write_icons
from antflow_gui.theme import (
    DARK,
    LIGHT,
    STATUS_WORDS,
    Palette,
    Theme,
    ThemeMode,
    mono_font,
    register_fonts,
    set_kind,
    ui_font,
)
from antflow_gui.views.status_icon import paint_status_icon, status_pixmap

BOTH = pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
WEIGHT = QFont.Tag("wght")
READABLE = 4.5
"""WCAG's contrast for text of normal size."""


def _linear(color: str) -> tuple[float, float, float]:
    shares = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return red, green, blue


def _contrast(one: str, other: str) -> float:
    """WCAG 2.1, relative luminance and contrast ratio."""
    lights = []
    for color in (one, other):
        red, green, blue = _linear(color)
        lights.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def _oklab(color: str) -> tuple[float, float, float]:
    """Björn Ottosson, "A perceptual color space for image processing"."""
    red, green, blue = _linear(color)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _least_distance(colors: list[str]) -> float:
    pairs = combinations([_oklab(color) for color in colors], 2)
    return min(math.dist(one, other) for one, other in pairs)


@pytest.fixture
def dressed(qapp: QApplication) -> Iterator[Theme]:
    theme = Theme(ThemeMode.LIGHT)
    theme.install(qapp)
    yield theme
    qapp.setStyleSheet("")


@BOTH
def test_every_text_can_be_read_on_cards_and_on_the_window(palette: Palette) -> None:
    for color in (palette.text, palette.text_secondary, palette.accent):
        assert _contrast(color, palette.surface) >= READABLE
        assert _contrast(color, palette.window) >= READABLE
    assert _contrast(palette.text_tertiary, palette.surface) >= READABLE
    assert _contrast(palette.text, palette.selection) >= READABLE
    assert _contrast(palette.on_accent, palette.accent) >= READABLE


@pytest.mark.parametrize(
    ("role", "light", "dark"),
    [("text", 16.0, 14.0), ("text_secondary", 6.6, 7.8), ("text_tertiary", 4.6, 4.7), ("accent", 6.7, 6.7)],
)
def test_contrasts_are_those_the_look_promises(role: str, light: float, dark: float) -> None:
    assert _contrast(getattr(LIGHT, role), LIGHT.surface) == pytest.approx(light, abs=0.06)
    assert _contrast(getattr(DARK, role), DARK.surface) == pytest.approx(dark, abs=0.06)


@BOTH
def test_every_status_has_a_word_and_a_readable_colour(palette: Palette) -> None:
    assert set(palette.statuses) == set(STATUS_WORDS)
    assert min(_contrast(color, palette.surface) for color in palette.statuses.values()) >= READABLE


@pytest.mark.parametrize(("palette", "statuses", "stages"), [(LIGHT, 0.10, 0.11), (DARK, 0.13, 0.13)])
def test_no_two_colours_are_mistaken_for_each_other(palette: Palette, statuses: float, stages: float) -> None:
    assert _least_distance(list(palette.statuses.values())) >= statuses
    assert _least_distance(list(palette.stages)) >= stages


@BOTH
def test_further_rounds_of_stage_colours_differ_from_the_first(palette: Palette, qapp: QApplication) -> None:
    theme = Theme(ThemeMode(palette.name))
    assert theme.stage_color(0).name() == palette.stages[0].lower()
    assert len({theme.stage_color(index).name() for index in range(24)}) == 24


def test_choosing_a_theme_is_told_once(qtbot: QtBot) -> None:
    theme = Theme(ThemeMode.LIGHT)
    with qtbot.waitSignal(theme.changed):
        theme.set_mode(ThemeMode.DARK)
    assert theme.is_dark
    with qtbot.assertNotEmitted(theme.changed):
        theme.set_mode(ThemeMode.DARK)


def test_an_installed_theme_dresses_the_application(dressed: Theme, qapp: QApplication) -> None:
    assert qapp.palette().window().color().name() == LIGHT.window.lower()
    dressed.set_mode(ThemeMode.DARK)
    assert qapp.palette().window().color().name() == DARK.window.lower()
    assert DARK.surface in qapp.styleSheet()


def test_a_role_or_a_status_gives_its_colour(qapp: QApplication) -> None:
    theme = Theme(ThemeMode.DARK)
    assert theme.color("border").name() == DARK.border.lower()
    assert theme.color("failed") == theme.status_color("failed")
    assert theme.status_color("unheard of").name() == DARK.text_secondary.lower()


def test_fonts_come_with_the_app_and_take_their_weight_from_the_axis(qapp: QApplication) -> None:
    register_fonts()
    assert {"Inter", "JetBrains Mono"} <= set(QFontDatabase.families())
    font = ui_font(15, 600)
    assert (font.family(), font.pixelSize(), font.variableAxisValue(WEIGHT)) == ("Inter", 15, 600.0)
    assert mono_font().family() == "JetBrains Mono"


@pytest.mark.parametrize("text", ["!=", ">=", "->", "==", "||", "/*"])
def test_what_is_typed_and_ids_are_drawn_character_by_character(qapp: QApplication, text: str) -> None:
    def glyphs(text: str) -> list[int]:
        layout = QTextLayout(text, mono_font())
        layout.beginLayout()
        layout.createLine()
        layout.endLayout()
        return [index for run in layout.glyphRuns() for index in run.glyphIndexes()]

    assert glyphs(text) == [*glyphs(text[0]), *glyphs(text[1])]


def test_a_kind_brings_its_font(dressed: Theme, qtbot: QtBot) -> None:
    label, button = QLabel("62 %"), QPushButton("Run")
    qtbot.addWidget(label)
    qtbot.addWidget(button)
    label.ensurePolished()
    set_kind(label, "heading")
    set_kind(button, "primary")
    assert (label.font().pixelSize(), label.font().variableAxisValue(WEIGHT)) == (15, 600.0)
    assert button.property("kind") == "primary"
    dressed.set_mode(ThemeMode.DARK)
    assert (label.font().pixelSize(), label.font().variableAxisValue(WEIGHT)) == (15, 600.0)


@BOTH
def test_every_file_the_style_sheet_names_is_written(palette: Palette) -> None:
    folder = QTemporaryDir()
    write_icons(palette, folder.path())
    sheet = style_sheet(palette, folder.path())
    named = [part.split(")")[0] for part in sheet.split("url(")[1:]]
    assert named
    assert all(Path(name).is_file() for name in named)


@pytest.mark.parametrize("status", [*STATUS_WORDS, "stopped", "warning", "info"])
def test_every_status_icon_is_its_own_shape(status: str, qapp: QApplication) -> None:
    color = Theme(ThemeMode.LIGHT).color("text")
    own = status_pixmap(status, 16, color, 2.0)
    assert (own.width(), own.devicePixelRatio()) == (32, 2.0)
    others = {"queued", "completed", "failed", "stopped"} - {status}
    assert all(own.toImage() != status_pixmap(other, 16, color, 2.0).toImage() for other in others)


def test_an_icon_stays_inside_its_rectangle(qapp: QApplication) -> None:
    image = QImage(40, 40, QImage.Format.Format_ARGB32_Premultiplied)
    theme = Theme(ThemeMode.LIGHT)
    for status in STATUS_WORDS:
        image.fill(0)
        painter = QPainter(image)
        paint_status_icon(
            painter, image.rect().adjusted(10, 10, -10, -10).toRectF(), status, theme.color("text")
        )
        painter.end()
        outside = [(x, y) for x in range(40) for y in range(40) if not (9 <= x <= 30 and 9 <= y <= 30)]
        assert not any(image.pixel(x, y) for x, y in outside), status
