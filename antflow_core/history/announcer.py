"""Telling subscribers of new rows: once per loop tick however many rows a tick writes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

logger = logging.getLogger("antflow.tracker")


class _Rows(Protocol):
    next_row: int


class _Subscription:
    __slots__ = ("listener", "next_row")

    def __init__(self, listener: Callable[[range], None], next_row: int) -> None:
        self.listener = listener
        self.next_row = next_row


class Announcer:
    """The subscribers of one log.

    Attributes:
        armed: Whether the next row written must call `schedule`.
    """

    def __init__(self, rows: _Rows) -> None:
        self.armed = False
        self._rows = rows
        self._subscriptions: list[_Subscription] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def subscribe(self, listener: Callable[[range], None]) -> Callable[[], None]:
        """Add a listener for the rows from now on; returns what removes it."""
        subscription = _Subscription(listener, self._rows.next_row)
        self._subscriptions.append(subscription)
        self.rearm()

        def unsubscribe() -> None:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
            if not self._subscriptions:
                self.armed = False

        return unsubscribe

    def schedule(self) -> None:
        """Have the rows announced in the running loop's next tick; without a loop, stay armed."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self.armed = False
        self._loop.call_soon(self.flush)

    def rearm(self) -> None:
        """Start anew where nothing is scheduled, or was in a loop that closed before it came to it."""
        if self._loop is None or self._loop.is_closed():
            self._loop = None
            self.armed = bool(self._subscriptions)

    def flush(self) -> None:
        """Give every listener the rows it has not been told yet."""
        self._loop = None
        self.armed = bool(self._subscriptions)
        stop = self._rows.next_row
        for subscription in self._subscriptions.copy():
            rows = range(subscription.next_row, stop)
            subscription.next_row = stop
            if rows and subscription in self._subscriptions:
                _tell(subscription.listener, rows)


def _tell(listener: Callable[[range], None], rows: range) -> None:
    try:
        listener(rows)
    except Exception:
        logger.exception("A listener for new events failed: %r", listener)
