"""The Errors panel: groups of failures, and the items of the one that is chosen."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListView,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from antflow_core.history.event_log import EventLog
from antflow_core.units import format_count, plural
from antflow_gui.models.errors import (
    GROUP_ROLE,
    ITEM_ROLE,
    SHOWN_ITEMS,
    ErrorGroup,
    ErrorsModel,
    GroupItemsModel,
)
from antflow_gui.theme import Theme, mono_font, set_kind, ui_font
from antflow_gui.views.empty_note import EmptyNote
from antflow_gui.views.error_delegate import ErrorDelegate
from antflow_gui.views.row_choice import RowChoice
from antflow_gui.views.text_cell import TextCell

_ITEM_ROWS = "QListView::item { min-height: 22px; padding: 0 9px; }"
_EMPTY = "No failures so far.\nErrors are grouped here by type and stage."
_NONE_RECORDED = "No failures were recorded."


class ErrorsView(QWidget):
    """Lists failures by type and stage; choosing a group filters the events, choosing an item shows it.

    Args:
        model: The groups.
        theme: Colours.
        parent: Owner.

    Signals:
        group_chosen(str): A query for exactly this group's failed events.
        item_chosen(int): The item's index in the log.
        retry_requested(str, str): The items of this stage and this type of error are to be tried again.
    """

    group_chosen = Signal(str)
    item_chosen = Signal(int)
    retry_requested = Signal(str, str)

    def __init__(self, model: ErrorsModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self._stale = False
        self._can_retry = False
        self._empty_words = _EMPTY
        self.summary_label = TextCell(theme, ui_font(12), "text_secondary")
        self.groups = QListView()
        self.items_label = TextCell(theme, ui_font(13), "text_secondary")
        self.items = QListView()
        self.items_model = GroupItemsModel(self)
        self.items_panel = QWidget()
        self.retry_button = QPushButton("Retry these")
        self.groups.setModel(model)
        self.groups.setItemDelegate(ErrorDelegate(model, theme, self.groups))
        self.items.setModel(self.items_model)
        self._arrange()
        self.note = EmptyNote(self)
        RowChoice(self.groups).chosen.connect(self._choose_group)
        self.groups.activated.connect(self._choose_group_again)
        RowChoice(self.items).chosen.connect(self._choose_item)
        self.items.activated.connect(self._choose_item)
        self.retry_button.clicked.connect(self._request_retry)
        model.counts_changed.connect(self._update)
        model.modelReset.connect(self._forget_group)
        self._update()

    def _arrange(self) -> None:
        for view, name in ((self.groups, "Groups of errors"), (self.items, "Items of the group")):
            view.setAccessibleName(name)
            view.setFrameShape(QFrame.Shape.NoFrame)
            view.setUniformItemSizes(True)
            view.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
            view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.items.setFont(mono_font(12))
        self.items.setStyleSheet(_ITEM_ROWS)
        self.items.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        below = QVBoxLayout(self.items_panel)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(0)
        line = QHBoxLayout()
        line.setContentsMargins(12, 4, 8, 4)
        line.setSpacing(8)
        line.addWidget(self.items_label, 1)
        line.addWidget(self.retry_button)
        set_kind(self.retry_button, "link")
        self.retry_button.setToolTip("Try all items of the group again, from the stage that failed")
        self.retry_button.hide()
        below.addLayout(line)
        below.addWidget(self.items, 1)
        self.items_panel.hide()
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(1)
        splitter.addWidget(self.groups)
        splitter.addWidget(self.items_panel)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 0, 1, 1)
        layout.setSpacing(0)
        summary = QHBoxLayout()
        summary.setContentsMargins(12, 10, 12, 6)
        summary.addWidget(self.summary_label)
        layout.addLayout(summary)
        layout.addWidget(splitter, 1)

    def set_can_retry(self, can_retry: bool) -> None:
        """Say whether failed items can be tried again now."""
        self._can_retry = can_retry
        self._name_items()

    def set_recorded(self, recorded: bool) -> None:
        """Say what is to be expected while nothing is here: of a recording that was read, nothing at all."""
        self._empty_words = _NONE_RECORDED if recorded else _EMPTY
        self._update()

    @property
    def total(self) -> int:
        """Failures so far."""
        return self.model.total_failures

    @property
    def given_up(self) -> int:
        """Items so far that are failed by their status, and not among the failures; see `ErrorsModel`."""
        return self.model.given_up

    def set_history(self, log: EventLog | None) -> None:
        """Group another log's failures, or none."""
        self.model.set_history(log)

    @Slot()
    def refresh(self) -> None:
        """Take in what is new; a hidden view counts on, and lists the items when it is shown."""
        self.model.refresh()
        if self.isVisible():
            self.items_model.refresh()
        else:
            self._stale = True

    def _current_group(self) -> ErrorGroup | None:
        index = self.groups.currentIndex()
        # A list that gets the keyboard has a current row, but nobody has chosen it.
        is_chosen = self.groups.selectionModel().isSelected(index)
        return index.data(GROUP_ROLE) if is_chosen else None

    @Slot()
    def _update(self) -> None:
        """Bring the words in line with the counts."""
        total, groups = self.model.total_failures, len(self.model.groups)
        self.note.show_text("" if total else self._empty_words)
        self.summary_label.set_text(f"{plural(total, 'failure')} in {plural(groups, 'group')}{self._share()}")
        self.summary_label.setVisible(bool(total))
        self._name_items()

    def _share(self) -> str:
        log = self.model.history
        if log is None or not log.item_count:
            return ""
        return f" · {100 * self.model.total_failures / log.item_count:.1f} % of items failed"

    def _name_items(self) -> None:
        group = self._current_group()
        self.items_panel.setVisible(group is not None)
        self.retry_button.setVisible(group is not None and group.has_type and self._can_retry)
        if group is None:
            return
        count = plural(group.count, "item")
        if group.count > SHOWN_ITEMS:
            count = f"the first {format_count(SHOWN_ITEMS)} of {format_count(group.count)} items"
        # A name of any length must not make the panel wider; the group that is chosen is in view above.
        self.items_label.set_text(
            f"{group.type_name} in {group.stage}: {count}", f"{group.type_name}: {count}", count
        )

    @Slot(QModelIndex)
    def _choose_group(self, _index: QModelIndex) -> None:
        group = self._current_group()
        self.items_model.show_group(self.model.history, group)
        self._name_items()
        if group is not None:
            self.group_chosen.emit(group.query)

    @Slot(QModelIndex)
    def _choose_group_again(self, _index: QModelIndex) -> None:
        group = self._current_group()
        if group is not None:
            self.group_chosen.emit(group.query)

    @Slot()
    def _request_retry(self) -> None:
        group = self._current_group()
        if group is not None:
            self.retry_requested.emit(group.stage, group.type_name)

    @Slot(QModelIndex)
    def _choose_item(self, index: QModelIndex) -> None:
        if index.isValid():
            self.item_chosen.emit(index.data(ITEM_ROLE))

    @Slot()
    def _forget_group(self) -> None:
        self.items_model.show_group(None, None)
        self.items_panel.hide()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.groups.setFocus(event.reason())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._stale = False
            self.refresh()
