"""Places: kept in a queue for an entry while its status callback is awaited, unless others need them more."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from antflow_core.engine.callers import calling_back

if TYPE_CHECKING:
    from antflow_core.engine.channel import Channel
    from antflow_core.engine.run import Run


class Place:
    """A place in a queue for one entry, for as long as a callback takes.

    Args:
        channel: The queue.
    """

    __slots__ = ("_channel", "_is_given_up", "_is_kept")

    def __init__(self, channel: Channel[Any]) -> None:
        self._channel = channel
        self._is_kept = False
        self._is_given_up = False

    async def keep_during(self, waiting: Awaitable[None], run: Run) -> bool:
        """Await a callback of a run; says whether the place was kept to the end, and can be used at once."""
        if not self._is_given_up:
            self._is_kept = True
            self._channel.reserve()
        try:
            with calling_back(run, self):
                await waiting
        finally:
            is_kept = self._is_kept
            self._leave()
        return is_kept

    def give_up(self) -> None:
        """Let others have it, from now on."""
        self._is_given_up = True
        self._leave()

    def _leave(self) -> None:
        if self._is_kept:
            self._is_kept = False
            self._channel.release_reserved()
