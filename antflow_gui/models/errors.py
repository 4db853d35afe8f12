"""Failures grouped by error type and stage, kept up with the log a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from antflow_core.history.dictionaries import OVERFLOW_NAME
from antflow_core.history.endings import are_failures, count_given_up
from antflow_core.history.event_log import EventLog
from antflow_core.search.result import quote
from antflow_core.units import format_clock, plural
from antflow_gui.models.script_text import plain_tip, shown_name

SHOWN_ITEMS = 1_000
NO_TYPE = "No error recorded"
BAR_COUNT = 24
GROUP_ROLE = int(Qt.ItemDataRole.UserRole) + 1
ITEM_ROLE = GROUP_ROLE + 1

_DISPLAY = int(Qt.ItemDataRole.DisplayRole)
_TOOL_TIP = int(Qt.ItemDataRole.ToolTipRole)
_FIRST_BAR_S = 0.05
_LEFT_ITEM = "an item whose events are no longer held"

Index = QModelIndex | QPersistentModelIndex


@dataclass(slots=True)
class ErrorGroup:
    """Failures of one error type in one stage.

    Attributes:
        type_name: The error's class.
        stage: Where it was raised.
        message: The first such error's message.
        count: Failures so far.
        first_s: The first one, in seconds since its run began.
        last_s: The newest one.
        items: The first items it happened to, as indexes in the log, at most `SHOWN_ITEMS`.
        bars: Failures by time; the model says how long a bar is.
    """

    type_name: str
    stage: str
    message: str
    count: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    items: list[int] = field(default_factory=list)
    bars: list[int] = field(default_factory=lambda: [0] * BAR_COUNT)

    @property
    def has_type(self) -> bool:
        """Whether an error was recorded with the failures."""
        return self.type_name != NO_TYPE

    @property
    def query(self) -> str:
        """The query that finds the group's failed events; it compares names without their case."""
        error = f"error_type:{quote(self.type_name)}" if self.has_type else "-error:*"
        return f"status:failed stage:{quote(self.stage)} {error}"

    def add(self, times_s: NDArray[np.float64], items: NDArray[np.int32], bar_s: float) -> None:
        """Take in failures, in order of time."""
        self.first_s = float(times_s[0]) if not self.count else self.first_s
        self.last_s = float(times_s[-1])
        self.count += len(times_s)
        self.items += items[: SHOWN_ITEMS - len(self.items)].tolist()
        numbers = np.clip((times_s / bar_s).astype(np.int64), 0, BAR_COUNT - 1)
        for bar, more in enumerate(np.bincount(numbers, minlength=BAR_COUNT).tolist()):
            self.bars[bar] += more

    def halve_bars(self) -> None:
        """Make every bar stand for twice the time."""
        pairs = [self.bars[bar] + self.bars[bar + 1] for bar in range(0, BAR_COUNT, 2)]
        self.bars = pairs + [0] * (BAR_COUNT - len(pairs))


class ErrorsModel(QAbstractListModel):
    """One row a group of failures, the largest first; a retried attempt is not a failure.

    `refresh` reads what the log has gained and nothing twice. Selections survive it: rows move, and only
    `set_history` resets the model.

    Attributes:
        total_failures: Failures so far.
        given_up: Items that the log calls failed too, but that were cancelled or given up with their run.
        bar_s: What a bar of a group stands for, in seconds.
        elapsed_s: When the newest event was, in seconds since its run began.
    """

    counts_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._log: EventLog | None = None
        self._groups: list[ErrorGroup] = []
        self._found: list[ErrorGroup] = []
        self._number_of: dict[tuple[str, str], int] = {}
        self._read_to = 0
        self.total_failures = self.given_up = 0
        self.bar_s = _FIRST_BAR_S
        self.elapsed_s = 0.0

    @property
    def history(self) -> EventLog | None:
        """The log that is read."""
        return self._log

    @property
    def groups(self) -> tuple[ErrorGroup, ...]:
        """The groups in the order of the rows."""
        return tuple(self._groups)

    def set_history(self, log: EventLog | None) -> None:
        """Read another log, or none."""
        self.beginResetModel()
        self._log = log
        self._groups, self._found = [], []
        self._number_of = {}
        self._read_to = log.first_row if log is not None else 0
        self.total_failures = self.given_up = 0
        self.bar_s, self.elapsed_s = _FIRST_BAR_S, 0.0
        self.endResetModel()
        if not self.refresh():
            self.counts_changed.emit()

    def refresh(self) -> bool:
        """Take in what the log has gained; returns whether there was anything."""
        log = self._log
        if log is None or self._read_to == log.next_row:
            return False
        groups_before, failures_before = len(self._groups), self.total_failures
        for _, events in log.blocks(self._read_to, log.next_row):
            self._read(log, events)
        self._read_to = log.next_row
        if self.total_failures != failures_before:
            self._insert_new_groups(groups_before)
            self._sort()
            self.counts_changed.emit()
        self._announce_all()
        return True

    def share(self, group: ErrorGroup) -> float:
        """A group's part of all failures, 0 to 1."""
        return group.count / self.total_failures if self.total_failures else 0.0

    def detail(self, group: ErrorGroup) -> str:
        """Where, how much of it and when: ``in Parse · 69 % of failures · 0:01.2 – 0:06.4``."""
        when = f"{format_clock(group.first_s)} – {format_clock(group.last_s)}"
        percent = self.share(group) * 100
        share = f"{percent:.0f} %" if percent >= 1 else "< 1 %"
        return f"in {group.stage} · {share} of failures · {when}"

    def used_bars(self) -> int:
        """How many bars the time so far takes."""
        return min(BAR_COUNT, int(self.elapsed_s / self.bar_s) + 1)

    def _read(self, log: EventLog, events: NDArray[np.void]) -> None:
        times_s = events["time"] - log.started_at
        self._stretch_bars(float(times_s.max()))
        self.given_up += count_given_up(log, events)
        failed = np.flatnonzero(are_failures(log, events))
        if not len(failed):
            return
        events, times_s = events[failed], times_s[failed]
        self.total_failures += len(failed)
        self._add_to_groups(log, events, times_s)

    def _add_to_groups(self, log: EventLog, events: NDArray[np.void], times_s: NDArray[np.float64]) -> None:
        """Sort failures into their groups; a group is looked up once for each pair of error and stage."""
        keys = events["error"].astype(np.int64) << 16 | events["stage"]
        pairs, group_of_event = np.unique(keys, return_inverse=True)
        numbers = np.array([self._group_number(log, pair >> 16, pair & 0xFFFF) for pair in pairs.tolist()])
        number_of_event = numbers[group_of_event]
        for number in np.unique(numbers).tolist():
            mine = np.flatnonzero(number_of_event == number)
            self._found[number].add(times_s[mine], events["item"][mine], self.bar_s)

    def _group_number(self, log: EventLog, error: int, stage: int) -> int:
        # Its class alone: to put the rest of an error together takes fifty times as long.
        type_name = log.errors.type_name(error) if error >= 0 else NO_TYPE
        key = (type_name, log.stages[stage].name)
        number = self._number_of.get(key)
        if number is None:
            number = self._number_of[key] = len(self._found)
            self._found.append(ErrorGroup(*key, log.error(error).message if error >= 0 else ""))
        return number

    def _stretch_bars(self, elapsed_s: float) -> None:
        self.elapsed_s = max(self.elapsed_s, elapsed_s)
        while self.elapsed_s >= self.bar_s * BAR_COUNT:
            self.bar_s *= 2
            for group in self._found:
                group.halve_bars()

    def _insert_new_groups(self, known: int) -> None:
        new = self._found[known:]
        if new:
            self.beginInsertRows(QModelIndex(), known, known + len(new) - 1)
            self._groups += new
            self.endInsertRows()

    def _sort(self) -> None:
        """Largest first, older first among equals; rows that hold a selection keep it."""
        order = sorted(
            range(len(self._groups)), key=lambda row: (-self._groups[row].count, self._groups[row].first_s)
        )
        if order == list(range(len(order))):
            return
        self.layoutAboutToBeChanged.emit()
        self._groups = [self._groups[row] for row in order]
        for old in self.persistentIndexList():
            self.changePersistentIndex(old, self.index(order.index(old.row())))
        self.layoutChanged.emit()

    def _announce_all(self) -> None:
        if self._groups:
            self.dataChanged.emit(self.index(0), self.index(len(self._groups) - 1))

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._groups)

    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        if not index.isValid() or role not in (_DISPLAY, _TOOL_TIP, GROUP_ROLE):
            return None
        group = self._groups[index.row()]
        if role == GROUP_ROLE:
            return group
        text = f"{plural(group.count, 'failure')}: {group.type_name} {self.detail(group)}"
        return text if role == _DISPLAY else plain_tip(f"{text}\n{group.message}")


class GroupItemsModel(QAbstractListModel):
    """The items of one group of failures, the first `SHOWN_ITEMS` of them."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._log: EventLog | None = None
        self._items: list[int] = []
        self._shown = 0

    def show_group(self, log: EventLog | None, group: ErrorGroup | None) -> None:
        """List another group's items, or none."""
        self.beginResetModel()
        self._log = log
        self._items = group.items if group is not None else []
        self._shown = len(self._items)
        self.endResetModel()

    def refresh(self) -> None:
        """List the items the group has gained."""
        if len(self._items) > self._shown:
            self.beginInsertRows(QModelIndex(), self._shown, len(self._items) - 1)
            self._shown = len(self._items)
            self.endInsertRows()

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else self._shown

    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        if not index.isValid() or self._log is None or role not in (_DISPLAY, _TOOL_TIP, ITEM_ROLE):
            return None
        item = self._items[index.row()]
        if role == ITEM_ROLE:
            return item
        text = self._log.item_text(item)
        if text == OVERFLOW_NAME:
            return _LEFT_ITEM
        return shown_name(text) if role == _DISPLAY else plain_tip(text)
