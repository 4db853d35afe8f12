"""What may follow in the search box, a row each: its text, what it finds, how many events have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from antflow_core.search.completion import Candidate
from antflow_core.units import format_count, plural

NOTE_ROLE = int(Qt.ItemDataRole.UserRole) + 1
_DISPLAY = int(Qt.ItemDataRole.DisplayRole)
_SPOKEN = int(Qt.ItemDataRole.AccessibleTextRole)

Index = QModelIndex | QPersistentModelIndex


class CompletionsModel(QAbstractListModel):
    """The candidates of one completion; they are few and replaced as a whole at every key."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._candidates: Sequence[Candidate] = ()

    def set_candidates(self, candidates: Sequence[Candidate]) -> None:
        """Show others."""
        self.beginResetModel()
        self._candidates = candidates
        self.endResetModel()

    def candidate(self, row: int) -> Candidate:
        """The candidate of a row."""
        return self._candidates[row]

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._candidates)

    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        candidate = self._candidates[index.row()]
        if role == _DISPLAY:
            return candidate.text
        if role == NOTE_ROLE:
            return candidate.meaning or ("" if candidate.count is None else format_count(candidate.count))
        if role == _SPOKEN:
            count = "" if candidate.count is None else plural(candidate.count, "event")
            return " ".join(filter(None, (candidate.text, candidate.meaning, count)))
        return None
