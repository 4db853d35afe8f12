"""The rows of one item's history: its status events, and between them what its tasks did."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from antflow_core.history.records import EventRow
from antflow_core.units import format_duration
from antflow_gui.models.item_history import ItemHistory
from antflow_gui.models.script_text import plain_tip

TIME, STAGE, EVENT, WORKER, TRY, TOOK = range(6)
COLUMN_NAMES = ("Time", "Stage, task", "Event", "Worker", "Try", "Took")
RIGHT_ALIGNED = frozenset({TIME, TRY, TOOK})
KIND_ROLE = int(Qt.ItemDataRole.UserRole) + 1
IS_STATUS_ROLE = KIND_ROLE + 1

_DISPLAY = int(Qt.ItemDataRole.DisplayRole)
_TOOL_TIP = int(Qt.ItemDataRole.ToolTipRole)
_ALIGNMENT = int(Qt.ItemDataRole.TextAlignmentRole)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter

Index = QModelIndex | QPersistentModelIndex


class ItemEventsModel(QAbstractTableModel):
    """One row an event of the item, in order."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._history: ItemHistory | None = None
        self._shown = 0

    def show_history(self, history: ItemHistory | None) -> None:
        """List another item's events, or none."""
        self.beginResetModel()
        self._history = history
        self._shown = len(history.events) if history is not None else 0
        self.endResetModel()

    def update_rows(self) -> None:
        """List the events the history has gained."""
        count = len(self._history.events) if self._history is not None else 0
        if count > self._shown:
            self.beginInsertRows(QModelIndex(), self._shown, count - 1)
            self._shown = count
            self.endInsertRows()

    def _text(self, event: EventRow, column: int) -> str:
        assert self._history is not None
        if column == TIME:
            return f"{self._history.seconds(event):.3f}"
        if column == STAGE:
            return event.stage if event.is_status else f"   {event.task}"
        if column == EVENT:
            return event.kind.replace("_", " ")
        if column == WORKER:
            return (event.worker or "") if event.is_status else ""
        if column == TRY:
            return str(event.attempt) if event.attempt else ""
        return format_duration(event.duration) if event.duration is not None else ""

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else self._shown

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(COLUMN_NAMES)

    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        if not index.isValid() or self._history is None:
            return None
        event, column = self._history.events[index.row()], index.column()
        if role in (_DISPLAY, _TOOL_TIP):
            text = self._text(event, column)
            return text if role == _DISPLAY else plain_tip(text)
        if role == _ALIGNMENT:
            return _RIGHT if column in RIGHT_ALIGNED else _LEFT
        if role == KIND_ROLE:
            return event.kind
        return event.is_status if role == IS_STATUS_ROLE else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _DISPLAY) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == _ALIGNMENT:
            return _RIGHT if section in RIGHT_ALIGNED else _LEFT
        return COLUMN_NAMES[section] if role == _DISPLAY else None
