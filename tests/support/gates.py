"""Tasks that wait until a test lets them go on, and the waiting for what they have come to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


async def same(value: Any) -> Any:
    """The task that does nothing."""
    return value


class Gate:
    """A task that waits until it is opened.

    Attributes:
        begun: The values it was called with.
    """

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self._opened = asyncio.Event()
        self._passes = asyncio.Semaphore(0)

    async def __call__(self, value: Any) -> Any:
        self.begun.append(value)
        if not self._opened.is_set():
            await self._passes.acquire()
        return value

    def open(self) -> None:
        """Let all go on, those too who come later."""
        self._opened.set()
        for _ in self.begun:
            self._passes.release()

    def let_one_go(self) -> None:
        """Let the one who waits longest go on."""
        self._passes.release()

    async def wait_begun(self, count: int) -> None:
        """Wait until it was called so often."""
        await until(lambda: len(self.begun) >= count)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what others on the loop will do."""
    while not condition():
        await asyncio.sleep(0)


async def settle() -> None:
    """Let everybody on the loop do what they can do without waiting."""
    for _ in range(30):
        await asyncio.sleep(0)
