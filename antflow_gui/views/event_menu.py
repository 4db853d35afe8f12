"""The event table's context menu: copy, look at the item, filter by what the row says."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from antflow_core.units import plural
from antflow_gui.models.events import ITEM, STAGE, EventCells
from antflow_gui.models.query_text import with_field
from antflow_gui.models.script_text import shown_name
from antflow_gui.theme import STATUS_WORDS
from antflow_gui.views.event_table import EventTable

_LONGEST_NAME = 40


class EventMenu(QMenu):
    """Acts on the row it was opened for.

    Args:
        table: Whose selection is copied.
        parent: Owner.

    Signals:
        item_requested(int): Show this item's history.
        query_requested(str): Filter by this query.
    """

    item_requested = Signal(int)
    query_requested = Signal(str)

    def __init__(self, table: EventTable, parent: QWidget) -> None:
        super().__init__(parent)
        self._table = table
        self._cells: EventCells | None = None
        self._query = ""
        self.copy_action = self._add("Copy rows", self._table.copy_rows)
        # Only for the hint beside the words: the table itself takes the key.
        self.copy_action.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
        self.copy_action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.copy_action.setShortcutVisibleInContextMenu(True)
        self.item_action = self._add("Show this item's history", self._show_item)
        self.addSeparator()
        self.by_item_action = self._add("", self._filter_by_item)
        self.by_stage_action = self._add("", self._filter_by_stage)
        self.by_status_action = self._add("", self._filter_by_status)

    def _add(self, words: str, act: object) -> QAction:
        action = self.addAction(words)
        action.triggered.connect(act)
        return action

    def open_for(self, cells: EventCells, query: str, place: QPoint) -> None:
        """Open at a place on the screen for one row, under the query in force."""
        self._cells, self._query = cells, query
        self.copy_action.setText(f"Copy {plural(self._table.selected_count(), 'row')}")
        self.by_item_action.setText(f"Filter by item {_short(cells.texts[ITEM])}")
        self.by_stage_action.setText(f"Filter by stage {_short(cells.texts[STAGE])}")
        field, word = _kind(cells)
        self.by_status_action.setText(f"Filter by {field} {word}")
        self.popup(place)

    @Slot()
    def _show_item(self) -> None:
        if self._cells is not None:
            self.item_requested.emit(self._cells.item)

    @Slot()
    def _filter_by_item(self) -> None:
        if self._cells is not None:
            self.query_requested.emit(with_field(self._query, "item", [self._cells.texts[ITEM]]))

    @Slot()
    def _filter_by_stage(self) -> None:
        if self._cells is not None:
            self.query_requested.emit(with_field(self._query, "stage", [self._cells.texts[STAGE]]))

    @Slot()
    def _filter_by_status(self) -> None:
        if self._cells is not None:
            field, _ = _kind(self._cells)
            self.query_requested.emit(with_field(self._query, field, [self._cells.status]))


def _kind(cells: EventCells) -> tuple[str, str]:
    """The field that a row's kind is a value of, and its word."""
    status = STATUS_WORDS.get(cells.status)
    return ("event", cells.status) if status is None else ("status", status)


def _short(name: str) -> str:
    name = shown_name(name).replace("&", "&&")
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
