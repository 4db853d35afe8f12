"""What the app remembers between starts: pace, theme, recent scripts, the window's place."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

from antflow_gui.theme import ThemeMode

INTERVAL_MS_MIN, INTERVAL_MS_MAX, INTERVAL_MS_DEFAULT = 100, 1000, 250
RECENT_LIMIT = 8
_LAYOUT_VERSION = 1


@dataclass(frozen=True, slots=True)
class RecentRun:
    """A script that was open lately and how its last run ended.

    Attributes:
        path: The script, absolute.
        outcome: ``new`` (opened, not run), ``finished``, ``failed`` or ``stopped``.
        detail: The outcome in words: ``3,068 done, 16 failed · 9.7 s``.
        at: When, in Unix seconds.
        args: The arguments it was given.
    """

    path: str
    outcome: str
    detail: str
    at: float
    args: tuple[str, ...] = ()


class Settings:
    """Typed reading and writing of the app's `QSettings`; a damaged value counts as not set."""

    def __init__(self, store: QSettings | None = None) -> None:
        self._store = store if store is not None else QSettings()

    @property
    def interval_ms(self) -> int:
        """Pace of the views in milliseconds, 100 to 1000."""
        try:
            value = int(str(self._store.value("interval_ms", INTERVAL_MS_DEFAULT)))
        except ValueError:
            return INTERVAL_MS_DEFAULT
        return min(INTERVAL_MS_MAX, max(INTERVAL_MS_MIN, value))

    @interval_ms.setter
    def interval_ms(self, value: int) -> None:
        self._store.setValue("interval_ms", min(INTERVAL_MS_MAX, max(INTERVAL_MS_MIN, value)))

    @property
    def theme_mode(self) -> ThemeMode:
        """System, light or dark."""
        try:
            return ThemeMode(str(self._store.value("theme", ThemeMode.SYSTEM)))
        except ValueError:
            return ThemeMode.SYSTEM

    @theme_mode.setter
    def theme_mode(self, mode: ThemeMode) -> None:
        self._store.setValue("theme", str(mode))

    @property
    def recent(self) -> list[RecentRun]:
        """Recent scripts, the newest first."""
        try:
            rows = json.loads(str(self._store.value("recent", "[]")))
            return [RecentRun(**{**row, "args": tuple(row.get("args", ()))}) for row in rows][:RECENT_LIMIT]
        except (ValueError, TypeError, AttributeError):
            return []

    def remember(self, run: RecentRun) -> None:
        """Put a script first among the recent ones."""
        rows = [run, *(row for row in self.recent if row.path != run.path)][:RECENT_LIMIT]
        self._save_recent(rows)

    def forget_missing(self) -> None:
        """Drop the recent scripts whose file is gone."""
        rows = self.recent
        kept = [row for row in rows if Path(row.path).is_file()]
        if len(kept) != len(rows):
            self._save_recent(kept)

    def clear_recent(self) -> None:
        """Forget all recent scripts."""
        self._save_recent([])

    def recent_args(self, path: str) -> tuple[str, ...]:
        """The arguments a script was last run with, none where it is new."""
        return next((row.args for row in self.recent if row.path == path), ())

    def _save_recent(self, rows: list[RecentRun]) -> None:
        self._store.setValue("recent", json.dumps([asdict(row) for row in rows]))

    @property
    def geometry(self) -> QByteArray | None:
        """The window's place on the screen, None before it was ever saved."""
        return self._bytes("window/geometry")

    @property
    def layout(self) -> QByteArray | None:
        """The docks' arrangement, None where there is none of this version."""
        return self._bytes(f"window/layout{_LAYOUT_VERSION}")

    def save_window(self, geometry: QByteArray, layout: QByteArray | None) -> None:
        """Keep the window's place and, where given, the docks' arrangement."""
        self._store.setValue("window/geometry", geometry)
        if layout is not None:
            self._store.setValue(f"window/layout{_LAYOUT_VERSION}", layout)

    def sync(self) -> None:
        """Write what is pending to disk."""
        self._store.sync()

    def _bytes(self, key: str) -> QByteArray | None:
        value = self._store.value(key)
        return value if isinstance(value, QByteArray) else None
