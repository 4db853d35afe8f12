"""What the app remembers, and that a damaged store never harms it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSettings

from antflow_gui.settings import INTERVAL_MS_DEFAULT, RECENT_LIMIT, RecentRun, Settings
from antflow_gui.theme import ThemeMode


@pytest.fixture
def store(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


def _run(path: str, args: tuple[str, ...] = ()) -> RecentRun:
    return RecentRun(path, "finished", "10 done, 0 failed · 1.0 s", 1_700_000_000.0, args)


def test_a_new_store_has_the_defaults(store: QSettings) -> None:
    settings = Settings(store)
    assert settings.interval_ms == INTERVAL_MS_DEFAULT
    assert settings.theme_mode is ThemeMode.SYSTEM
    assert settings.recent == []
    assert settings.geometry is None


def test_values_survive_a_restart(store: QSettings) -> None:
    settings = Settings(store)
    settings.interval_ms, settings.theme_mode = 500, ThemeMode.DARK
    settings.remember(_run("/a.py", ("--limit", "5")))
    settings.sync()
    again = Settings(QSettings(store.fileName(), QSettings.Format.IniFormat))
    assert (again.interval_ms, again.theme_mode) == (500, ThemeMode.DARK)
    assert again.recent == [_run("/a.py", ("--limit", "5"))]
    assert again.recent_args("/a.py") == ("--limit", "5")


@pytest.mark.parametrize(("asked", "kept"), [(1, 100), (99_999, 1000)])
def test_the_pace_stays_in_its_bounds(store: QSettings, asked: int, kept: int) -> None:
    settings = Settings(store)
    settings.interval_ms = asked
    assert settings.interval_ms == kept


@pytest.mark.parametrize("key", ["interval_ms", "theme", "recent", "window/geometry"])
def test_a_damaged_value_counts_as_not_set(store: QSettings, key: str) -> None:
    store.setValue(key, "{damaged")
    settings = Settings(store)
    assert settings.interval_ms == INTERVAL_MS_DEFAULT
    assert settings.theme_mode is ThemeMode.SYSTEM
    assert settings.recent == []
    assert settings.geometry is None


def test_the_newest_script_stands_first_and_only_once(store: QSettings) -> None:
    settings = Settings(store)
    for path in ("/a.py", "/b.py", "/a.py"):
        settings.remember(_run(path))
    assert [run.path for run in settings.recent] == ["/a.py", "/b.py"]


def test_only_so_many_scripts_are_kept(store: QSettings) -> None:
    settings = Settings(store)
    for number in range(RECENT_LIMIT + 3):
        settings.remember(_run(f"/{number}.py"))
    assert len(settings.recent) == RECENT_LIMIT


def test_scripts_whose_file_is_gone_are_forgotten(store: QSettings, tmp_path: Path) -> None:
    kept = tmp_path / "kept.py"
    kept.write_text("")
    settings = Settings(store)
    settings.remember(_run(str(kept)))
    settings.remember(_run(str(tmp_path / "gone.py")))
    settings.forget_missing()
    assert [run.path for run in settings.recent] == [str(kept)]
