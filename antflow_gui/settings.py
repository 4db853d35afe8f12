"""What the app remembers between starts: pace, theme, recording, what was open lately, the window's place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths

from antflow_core.history.storage import CHUNK_ROWS
from antflow_gui.theme import ThemeMode

INTERVAL_MS_MIN, INTERVAL_MS_MAX, INTERVAL_MS_DEFAULT = 100, 1000, 250
RECENT_LIMIT = 8
RECENT_RECORDED_LIMIT = 4
"""Of these at most so many are recorded runs, which must not push the scripts out that they are made of."""
MAX_EVENTS_DEFAULT = 10_000_000
"""About 480 MB, which a small computer can spare. What has to be kept whole is recorded."""
MAX_EVENTS_LEAST = 2 * CHUNK_ROWS
"""A log cannot hold fewer."""
_LAYOUT_VERSION = 1


@dataclass(frozen=True, slots=True)
class RecentRun:
    """A script that was open lately and how its last run ended, or a recorded run.

    Attributes:
        path: The file, absolute.
        outcome: ``new`` (opened, not run), ``finished``, ``failed``, ``stopped`` or ``broken off``.
        detail: The outcome in words: ``3,068 done, 16 failed · 9.7 s``.
        at: When, in Unix seconds.
        args: The arguments it was given.
        recorded: It is a recorded run.
    """

    path: str
    outcome: str
    detail: str
    at: float
    args: tuple[str, ...] = ()
    recorded: bool = False


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
    def record_runs(self) -> bool:
        """Whether each run goes into a file."""
        return str(self._store.value("record", False)).lower() == "true"

    @record_runs.setter
    def record_runs(self, wanted: bool) -> None:
        self._store.setValue("record", wanted)

    @property
    def record_folder(self) -> Path:
        """Where these files are made; among the user's data until another folder is chosen."""
        chosen = str(self._store.value("record_folder", "") or "")
        return Path(chosen) if Path(chosen).is_absolute() else default_record_folder()

    @record_folder.setter
    def record_folder(self, folder: Path) -> None:
        self._store.setValue("record_folder", str(folder))

    @property
    def max_events(self) -> int | None:
        """How many events of a run the app holds at most; None for no limit."""
        try:
            limit = int(str(self._store.value("max_events", MAX_EVENTS_DEFAULT)))
        except ValueError:
            return MAX_EVENTS_DEFAULT
        return max(limit, MAX_EVENTS_LEAST) if limit > 0 else None

    @max_events.setter
    def max_events(self, limit: int | None) -> None:
        self._store.setValue("max_events", limit or 0)

    @property
    def recent(self) -> list[RecentRun]:
        """Recent scripts and recorded runs, the newest first."""
        try:
            rows = json.loads(str(self._store.value("recent", "[]")))
            return [RecentRun(**{**row, "args": tuple(row.get("args", ()))}) for row in rows][:RECENT_LIMIT]
        except (ValueError, TypeError, AttributeError):
            return []

    def remember(self, run: RecentRun) -> None:
        """Put a script or a recorded run first among the recent ones."""
        rows = [run, *(row for row in self.recent if row.path != run.path)]
        surplus = [row for row in rows if row.recorded][RECENT_RECORDED_LIMIT:]
        self._save_recent([row for row in rows if row not in surplus][:RECENT_LIMIT])

    def forget_missing(self) -> None:
        """Drop those whose file is gone."""
        rows = self.recent
        kept = [row for row in rows if Path(row.path).is_file()]
        if len(kept) != len(rows):
            self._save_recent(kept)

    def clear_recent(self) -> None:
        """Forget all of them."""
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

    @property
    def shares(self) -> dict[str, float]:
        """How large the docks of each side are in sizes of the plot, none before they were ever saved."""
        try:
            saved = json.loads(str(self._store.value("window/shares", "{}")))
            return {str(side): float(share) for side, share in saved.items() if float(share) > 0}
        except (ValueError, TypeError, AttributeError):
            return {}

    def save_window(
        self, geometry: QByteArray, layout: QByteArray | None, shares: Mapping[str, float]
    ) -> None:
        """Keep the window's place and, where given, the docks' arrangement with the shares they have."""
        self._store.setValue("window/geometry", geometry)
        if layout is not None:
            self._store.setValue(f"window/layout{_LAYOUT_VERSION}", layout)
            self._store.setValue("window/shares", json.dumps(dict(shares)))

    def sync(self) -> None:
        """Write what is pending to disk."""
        self._store.sync()

    def _bytes(self, key: str) -> QByteArray | None:
        value = self._store.value(key)
        return value if isinstance(value, QByteArray) else None


def default_record_folder() -> Path:
    """A folder of the app's own where the system keeps users' data."""
    place = QStandardPaths.StandardLocation.GenericDataLocation
    return Path(QStandardPaths.writableLocation(place), "antflow-desk", "runs")
