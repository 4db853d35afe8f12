"""Waiters: who waits for something to happen on the loop, and is woken once it has."""

from __future__ import annotations

import asyncio


class Waiters:
    """Those who wait for one and the same thing."""

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[None]] = set()

    async def wait(self) -> None:
        """Wait for the next `wake`; whether it came true by then is for the caller to see."""
        future = asyncio.get_running_loop().create_future()
        self._futures.add(future)
        try:
            await future
        finally:
            self._futures.discard(future)

    def wake(self) -> None:
        """It may have happened: let all look."""
        for future in self._futures:
            wake(future)


def wake(future: asyncio.Future[None]) -> None:
    """Let one go on, unless he does already."""
    if not future.done():
        future.set_result(None)
