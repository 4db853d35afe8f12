"""The table of one item's events inside the Item panel, as tall as its rows."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Slot
from PySide6.QtGui import QFontMetrics, QIcon, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from antflow_gui.models.item_events import (
    EVENT,
    IS_STATUS_ROLE,
    KIND_ROLE,
    STAGE,
    TIME,
    TOOK,
    TRY,
    WORKER,
    ItemEventsModel,
)
from antflow_gui.theme import Theme, mono_font, ui_font
from antflow_gui.views.column_widths import ColumnWidths
from antflow_gui.views.status_icon import status_pixmap

_ROW = 22
_ICON = 12
_WIDTHS = {TIME: 50, STAGE: 80, EVENT: 92, WORKER: 74, TRY: 26, TOOK: 62}
_LEAST = {WORKER: 0, TOOK: 50, STAGE: 54}
# The panel is narrow: half the padding that tables have elsewhere.
_PADDING = "QTableView::item { padding: 0 1px; } QHeaderView::section { padding: 0 4px; font-size: 12px; }"
_MOST_ROWS = 40
_FRAME = 2
_TIME_PADDING = 10


class _ItemEventDelegate(QStyledItemDelegate):
    """Status events with icon and colour, task events quieter and set in."""

    def __init__(self, theme: Theme, parent: QTableView) -> None:
        super().__init__(parent)
        self._theme = theme
        self._table = parent

    def initStyleOption(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        column, kind = index.column(), index.data(KIND_ROLE)
        is_status = index.data(IS_STATUS_ROLE)
        option.font = mono_font(12) if column in (TIME, WORKER) else ui_font(12)
        role = "text_secondary" if is_status else "text_tertiary"
        color = self._theme.color("text" if is_status and column == STAGE else role)
        if column == EVENT and is_status:
            color = self._theme.status_color(kind)
            ratio = self._table.devicePixelRatioF()
            option.icon = QIcon(status_pixmap(kind, _ICON, color, ratio))
            option.decorationSize = QSize(_ICON, _ICON)
            option.features |= QStyleOptionViewItem.ViewItemFeature.HasDecoration
        for text_role in (QPalette.ColorRole.Text, QPalette.ColorRole.HighlightedText):
            option.palette.setColor(text_role, color)


class ItemEventsTable(QTableView):
    """Lists every event of the item; its panel scrolls, not it, up to a few dozen rows.

    Args:
        theme: Colours.
        parent: Owner.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = ItemEventsModel(self)
        self.setModel(self.rows)
        self.setItemDelegate(_ItemEventDelegate(theme, self))
        self.setAccessibleName("Events of the item")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setStyleSheet(_PADDING)
        rows = self.verticalHeader()
        rows.hide()
        rows.setMinimumSectionSize(_ROW)
        rows.setDefaultSectionSize(_ROW)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns = self.horizontalHeader()
        columns.setHighlightSections(False)
        columns.setSectionsClickable(False)
        columns.setMinimumSectionSize(24)
        columns.setStretchLastSection(True)
        self._widths = ColumnWidths(self, _WIDTHS, _LEAST)
        self.rows.modelReset.connect(self._grow)
        self.rows.rowsInserted.connect(self._grow)
        theme.changed.connect(self.viewport().update)

    @Slot()
    def _grow(self) -> None:
        """Make room for more rows, and for the longest time, which is the newest."""
        newest = self.rows.index(self.rows.rowCount() - 1, TIME).data() or ""
        self._widths.require(TIME, newest, QFontMetrics(mono_font(12)), _TIME_PADDING)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        rows = min(self.rows.rowCount(), _MOST_ROWS)
        bar = self.horizontalScrollBar().sizeHint().height()
        return QSize(200, self.horizontalHeader().sizeHint().height() + rows * _ROW + bar + _FRAME)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())
