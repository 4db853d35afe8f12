"""The panels below the plots as docks: tabs while they share a place, title bars while they stand alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtWidgets import QDockWidget, QFrame, QMainWindow, QTabBar, QTabWidget, QVBoxLayout, QWidget

from antflow_core.units import format_count

_ITEM_WIDTH = 320


class Panel(QDockWidget):
    """A dock with a view in a card; its title bar shows only while no tab names it.

    Args:
        name: Stable object name, by which layouts are saved.
        title: Words on the tab.
        view: What it shows.
        window: The main window.
    """

    def __init__(self, name: str, title: str, view: QWidget, window: QMainWindow) -> None:
        super().__init__(title, window)
        self.setObjectName(name)
        self.setAllowedAreas(
            Qt.DockWidgetArea.BottomDockWidgetArea
            | Qt.DockWidgetArea.LeftDockWidgetArea
            | Qt.DockWidgetArea.RightDockWidgetArea
        )
        card = QFrame()
        card.setProperty("kind", "card")
        layout = QVBoxLayout(card)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(view)
        self.setWidget(card)
        self.view = view
        self._no_title = QWidget(self)
        self._no_title.hide()

    def show_title(self, wanted: bool) -> None:
        """Show the native title bar, or none."""
        if wanted and self.titleBarWidget() is not None:
            self.setTitleBarWidget(None)  # type: ignore[arg-type]  # Qt's way back to the native bar
        elif not wanted and self.titleBarWidget() is None:
            self.setTitleBarWidget(self._no_title)


@dataclass(frozen=True, slots=True)
class PanelViews:
    """The views that become panels."""

    events: QWidget
    console: QWidget
    item: QWidget
    errors: QWidget


class PanelSet(QObject):
    """The four panels and their arrangement.

    Args:
        window: The main window that holds them.
        views: What they show.
    """

    def __init__(self, window: QMainWindow, views: PanelViews) -> None:
        super().__init__(window)  # goes before its panels do, and takes its connections along
        self._window = window
        self.events = Panel("panel.events", "Events", views.events, window)
        self.console = Panel("panel.console", "Console", views.console, window)
        self.item = Panel("panel.item", "Item", views.item, window)
        self.errors = Panel("panel.errors", "Errors", views.errors, window)
        window.setDockOptions(
            QMainWindow.DockOption.AllowTabbedDocks
            | QMainWindow.DockOption.AllowNestedDocks
            | QMainWindow.DockOption.GroupedDragging
        )
        window.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        window.setDocumentMode(True)
        for panel in self:
            panel.topLevelChanged.connect(self.update_titles)
            panel.dockLocationChanged.connect(self.update_titles)
            panel.visibilityChanged.connect(self.update_titles)
        self.arrange()

    def __iter__(self) -> Iterator[Panel]:
        return iter((self.events, self.console, self.item, self.errors))

    def arrange(self) -> None:
        """The first layout: Events and Console beside Item and Errors, below the plots."""
        bottom = Qt.DockWidgetArea.BottomDockWidgetArea
        for panel in self:
            panel.setFloating(False)
            self._window.addDockWidget(bottom, panel)
        self._window.splitDockWidget(self.events, self.item, Qt.Orientation.Horizontal)
        self._window.tabifyDockWidget(self.events, self.console)
        self._window.tabifyDockWidget(self.item, self.errors)
        for panel in self:
            panel.show()
        self.events.raise_()
        self.item.raise_()
        self.update_titles()

    def share_width(self, width: int) -> None:
        """Give the events seven tenths of the width, but the item no less than it needs."""
        item = max(width * 3 // 10, _ITEM_WIDTH)
        self._window.resizeDocks([self.events, self.item], [width - item, item], Qt.Orientation.Horizontal)

    def reveal(self, panel: Panel) -> None:
        """Bring a panel to the front, also one that was closed, and give it the keyboard."""
        panel.show()
        panel.raise_()
        panel.view.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def hide(self, widget: QWidget) -> bool:
        """Whether a widget cannot be seen: it is in a panel behind another one, or the tabs of none."""
        if isinstance(widget, QTabBar):
            return not widget.count()
        return any(panel.isAncestorOf(widget) and panel.visibleRegion().isEmpty() for panel in self)

    def name_errors(self, count: int) -> None:
        """Keep the number of failed items on the Errors tab."""
        title = f"Errors  {format_count(count)}" if count else "Errors"
        if title != self.errors.windowTitle():
            self.errors.setWindowTitle(title)

    def set_visible(self, visible: bool) -> None:
        """Show or hide all of them; the welcome page has none."""
        for panel in self:
            panel.setVisible(visible)

    @Slot()
    def update_titles(self, *_: object) -> None:
        """A panel that shares its place is named by its tab."""
        for panel in self:
            beside = [other for other in self._window.tabifiedDockWidgets(panel) if not other.isHidden()]
            panel.show_title(panel.isFloating() or not beside)
