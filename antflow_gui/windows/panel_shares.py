"""Keeps the shares of the room that panels and plot have, at every size of the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabBar, QWidget

FIRST_SHARES = {"bottom": 2.0}
"""Panels twice as high as the plot."""
_AREAS = {
    "bottom": (Qt.DockWidgetArea.BottomDockWidgetArea, Qt.Orientation.Vertical),
    "left": (Qt.DockWidgetArea.LeftDockWidgetArea, Qt.Orientation.Horizontal),
    "right": (Qt.DockWidgetArea.RightDockWidgetArea, Qt.Orientation.Horizontal),
}


class PanelShares(QObject):
    """Divides what a window gains or loses between its docks and the plot, as they stand to each other.

    By itself a `QMainWindow` gives all of it to its central widget, and sizes that were saved are those of a
    window as large as it was then. What the user drags is measured and kept from then on.

    Args:
        window: The main window.
        docks: Its docks.
        plot: What takes up the rest of the room in the middle.
        shares: Of each side the size of its docks, in sizes of the plot.
    """

    def __init__(
        self, window: QMainWindow, docks: Sequence[QDockWidget], plot: QWidget, shares: Mapping[str, float]
    ) -> None:
        super().__init__(window)
        self._window = window
        self._docks = tuple(docks)
        self._plot = plot
        self._shares = dict(shares)
        self._is_placing = False
        window.installEventFilter(self)
        for dock in self._docks:
            dock.topLevelChanged.connect(self._measure_later)
            dock.dockLocationChanged.connect(self._measure_later)

    @property
    def shares(self) -> dict[str, float]:
        """What they are now, or were when a side last had docks in view."""
        return dict(self._shares)

    def place(self, shares: Mapping[str, float]) -> None:
        """Take these shares once the docks have been laid out; they are not measured before."""
        self._shares = dict(shares)
        self._is_placing = True
        QTimer.singleShot(0, self, self._place)

    @Slot()
    def _place(self) -> None:
        self._is_placing = False
        wanted = self._shares
        self._measure()
        self._shares |= wanted
        self._keep()

    @Slot()
    def _measure_later(self, *_: object) -> None:
        QTimer.singleShot(0, self, self._measure)

    @Slot()
    def _measure(self) -> None:
        """Take the shares as they are; a side without docks in view keeps what it had."""
        if self._is_placing:
            return
        self._shares = dict(self._shares)
        for side, (_, orientation) in _AREAS.items():
            extents = self._extents(side)
            if extents:
                depth = _depth(extents, orientation)
                self._shares[side] = depth / max(1, _extent(self._plot, orientation))

    def _keep(self) -> None:
        """Give every side the share it had."""
        for orientation in (Qt.Orientation.Vertical, Qt.Orientation.Horizontal):
            sides = {
                side: extents
                for side, (_, along) in _AREAS.items()
                if along is orientation and side in self._shares and (extents := self._extents(side))
            }
            depths = {side: _depth(extents, orientation) for side, extents in sides.items()}
            room = _extent(self._plot, orientation) + sum(depths.values())
            plot = room / (1 + sum(self._shares[side] for side in sides))
            for side, extents in sides.items():
                growth = self._shares[side] * plot / depths[side]
                sizes = [round(extent * growth) for extent in extents.values()]
                self._window.resizeDocks(list(extents), sizes, orientation)
        layout = self._window.layout()
        if layout is not None:
            layout.activate()  # at once, or the old sizes are painted first

    def _extents(self, side: str) -> dict[QDockWidget, int]:
        """The docks in view at a side, with the room that each takes, its tabs included."""
        area, orientation = _AREAS[side]
        extents = {}
        for dock in self._docks:
            is_there = not dock.isFloating() and self._window.dockWidgetArea(dock) is area
            if is_there and not dock.visibleRegion().isEmpty():
                tabs = self._tabs_height(dock) if orientation is Qt.Orientation.Vertical else 0
                extents[dock] = _extent(dock, orientation) + tabs
        return extents

    def _tabs_height(self, dock: QDockWidget) -> int:
        if all(other.isHidden() for other in self._window.tabifiedDockWidgets(dock)):
            return 0
        bars = self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return max((bar.height() for bar in bars if bar.isVisible()), default=0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Resize:
            if not self._is_placing:
                self._keep()
        elif event.type() is QEvent.Type.MouseButtonRelease:
            self._measure_later()  # a separator may have been dragged
        return False


def _depth(extents: Mapping[QDockWidget, int], orientation: Qt.Orientation) -> int:
    """How far docks reach into the window together, one behind another or side by side."""
    is_vertical = orientation is Qt.Orientation.Vertical
    ends = [dock.geometry().bottom() if is_vertical else dock.geometry().right() for dock in extents]
    starts = [end - extent for end, extent in zip(ends, extents.values(), strict=True)]
    return max(ends) - min(starts)


def _extent(widget: QWidget, orientation: Qt.Orientation) -> int:
    return widget.height() if orientation is Qt.Orientation.Vertical else widget.width()
