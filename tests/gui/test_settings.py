"""What the app remembers, and that a damaged store never harms it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings

from antflow_gui.settings import (
    INTERVAL_MS_DEFAULT,
    MAX_EVENTS_DEFAULT,
    MAX_EVENTS_LEAST,
    RECENT_LIMIT,
    RECENT_RECORDED_LIMIT,
    RecentRun,
    Settings,
    default_record_folder,
)
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
    assert settings.shares == {}
    assert not settings.record_runs
    assert settings.record_folder == default_record_folder()
    assert settings.max_events == MAX_EVENTS_DEFAULT


def test_values_survive_a_restart(store: QSettings, tmp_path: Path) -> None:
    settings = Settings(store)
    settings.interval_ms, settings.theme_mode = 500, ThemeMode.DARK
    settings.record_runs, settings.record_folder, settings.max_events = True, tmp_path, None
    settings.remember(_run("/a.py", ("--limit", "5")))
    settings.sync()
    again = Settings(QSettings(store.fileName(), QSettings.Format.IniFormat))
    assert (again.interval_ms, again.theme_mode) == (500, ThemeMode.DARK)
    assert (again.record_runs, again.record_folder, again.max_events) == (True, tmp_path, None)
    assert again.recent == [_run("/a.py", ("--limit", "5"))]
    assert again.recent_args("/a.py") == ("--limit", "5")


@pytest.mark.parametrize(("asked", "kept"), [(1, 100), (99_999, 1000)])
def test_the_pace_stays_in_its_bounds(store: QSettings, asked: int, kept: int) -> None:
    settings = Settings(store)
    settings.interval_ms = asked
    assert settings.interval_ms == kept


@pytest.mark.parametrize(
    "key",
    [
        "interval_ms",
        "theme",
        "recent",
        "record",
        "record_folder",
        "max_events",
        "window/geometry",
        "window/shares",
    ],
)
def test_a_damaged_value_counts_as_not_set(store: QSettings, key: str) -> None:
    store.setValue(key, "{damaged")
    settings = Settings(store)
    assert settings.interval_ms == INTERVAL_MS_DEFAULT
    assert settings.theme_mode is ThemeMode.SYSTEM
    assert settings.recent == []
    assert settings.geometry is None
    assert settings.shares == {}
    assert not settings.record_runs
    assert settings.record_folder == default_record_folder()
    assert settings.max_events == MAX_EVENTS_DEFAULT


def test_a_limit_of_events_is_never_less_than_a_log_can_hold(store: QSettings) -> None:
    settings = Settings(store)
    settings.max_events = 5
    assert settings.max_events == MAX_EVENTS_LEAST


def test_recorded_runs_do_not_push_the_scripts_out(store: QSettings) -> None:
    settings = Settings(store)
    settings.remember(_run("/a.py"))
    for number in range(RECENT_LIMIT):
        settings.remember(replace(_run(f"/{number}.antflow"), recorded=True))
    recent = settings.recent
    assert [run.path for run in recent if not run.recorded] == ["/a.py"]
    assert len(recent) == 1 + RECENT_RECORDED_LIMIT and recent[0].path == f"/{RECENT_LIMIT - 1}.antflow"


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
