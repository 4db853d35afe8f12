"""A process that shows a window, the app's or a bare one, and prints the moment when it has painted.

Nothing is imported here that the window does not need: `tests.bench.start` times it from outside.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


def show_bare_window() -> None:
    """A window with a plot and nothing else."""
    import pyqtgraph
    from PySide6.QtWidgets import QApplication, QMainWindow

    app = QApplication([])
    window = QMainWindow()
    window.setCentralWidget(pyqtgraph.PlotWidget())
    window.show()
    watch = when_painted(window, app.quit)
    app.exec()
    del watch


def show_app_window() -> None:
    """The app without a script, started as its command starts it."""
    import asyncio

    from antflow_gui import app

    async def wait_painted(window: QWidget, *_: object) -> int:
        painted = asyncio.Event()
        watch = when_painted(window, painted.set)
        await painted.wait()
        del watch
        return 0

    app._obey = wait_painted  # type: ignore[assignment]  # it takes more arguments than it looks at
    assert app.main([]) == 0


def when_painted(window: QWidget, go_on: Callable[[], object]) -> object:
    """Print the moment when all widgets of a window that was shown have painted; keep what this gives."""
    from PySide6.QtCore import QEvent, QObject, QTimer

    surface = window.windowHandle()

    def tell() -> None:
        print(time.monotonic())
        go_on()

    class FirstPaint(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802  Qt's name
            # Widgets paint while this event is handled; a window that is all covered has no paint event.
            if event.type() == QEvent.Type.Expose and surface.isExposed():
                surface.removeEventFilter(self)
                QTimer.singleShot(0, tell)
            return False

    watch = FirstPaint()
    surface.installEventFilter(watch)
    return watch


if __name__ == "__main__":
    {"bare": show_bare_window, "app": show_app_window}[sys.argv[1]]()
