"""Drives the main window on the app's loop, as a user would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from antflow_gui.event_loop import BatchedEventLoop
from antflow_gui.windows.main_window import MainWindow


def drive(loop: BatchedEventLoop, *, until: Callable[[], bool]) -> None:
    """Let loop and window live until a condition holds."""

    async def live() -> None:
        async with asyncio.timeout(30):
            while not until():
                await asyncio.sleep(0.01)

    loop.run_until_complete(live())


def trigger(loop: BatchedEventLoop, window: MainWindow, command: str) -> None:
    """Choose a command in its menu."""

    async def choose() -> None:
        window.commands.actions[command].trigger()

    loop.run_until_complete(choose())


def run_to_the_end(loop: BatchedEventLoop, window: MainWindow) -> None:
    """Start the open script and wait until it is over."""
    trigger(loop, window, "run.start")
    drive(loop, until=lambda: not window.controller.is_running)
