"""Channel: what waits between two stages, by priority, with a bounded number of places."""

from __future__ import annotations

import asyncio
from collections import deque
from heapq import heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_PRIORITY = 100


class Channel(Generic[T]):
    """Queue of values, lowest priority number first, equal ones in order.

    A value put while somebody waits for one is handed to him directly; nothing polls. `put` never waits: who
    must respect the capacity asks `has_room` first and awaits `wait_room` where it says no.

    Args:
        capacity: Places; None for no limit, 0 for none: there is room only while somebody waits to take.
    """

    __slots__ = (
        "_closed",
        "_first",
        "_lanes",
        "_order",
        "_putters",
        "_reserved",
        "_size",
        "_takers",
        "capacity",
    )

    def __init__(self, capacity: int | None) -> None:
        self.capacity = capacity
        self._reserved = 0
        self._lanes: dict[int, deque[T]] = {}
        self._order: list[int] = []  # a heap
        self._first: deque[T] = deque()  # the lane of the lowest number
        self._size = 0
        self._takers: deque[asyncio.Future[T | None]] = deque()
        self._putters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return self._size

    def has_room(self) -> bool:
        """Whether one more value may be put by who respects the capacity."""
        capacity = self.capacity
        if capacity is None or self._closed:
            return True
        if capacity:
            return self._size + self._reserved < capacity
        return len(self._takers) > self._size + self._reserved

    async def wait_room(self) -> None:
        """Wait until there is room, or the channel is closed."""
        future = asyncio.get_running_loop().create_future()
        self._putters.append(future)
        while True:
            try:
                await future
            except asyncio.CancelledError:
                self._forget_putter(future)
                raise
            if self.has_room():
                return
            future = asyncio.get_running_loop().create_future()
            self._putters.appendleft(future)  # somebody quicker took the place: stay first in line

    def reserve(self) -> None:
        """Keep a place for a value that will be put later."""
        self._reserved += 1

    def release_reserved(self) -> None:
        """Give a kept place back, to be put to at once or to go to who waits for room."""
        self._reserved -= 1
        self._wake_putter()

    def put(self, value: T, priority: int = DEFAULT_PRIORITY) -> None:
        """Hand `value` to who waits longest, or keep it until somebody comes."""
        takers = self._takers
        while takers:
            taker = takers.popleft()
            if not taker.done():
                taker.set_result(value)
                return
        lane = self._lanes.get(priority)
        if lane is None:
            lane = self._add_lane(priority)
        lane.append(value)
        self._size += 1

    def take(self) -> T | None:
        """The next value; None while there is none."""
        if not self._size:
            return None
        if not self._first:
            self._drop_empty_lanes()
        self._size -= 1
        value = self._first.popleft()
        if self._putters:
            self._wake_putter()
        return value

    async def wait(self) -> T | None:
        """Wait for a value when `take` gave none; None once the channel is closed."""
        if self._closed:
            return None
        future: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        self._takers.append(future)
        if self._putters:
            self._wake_putter()
        try:
            return await future
        except asyncio.CancelledError:
            self._forget_taker(future)
            raise

    def clear(self) -> int:
        """Drop what waits and let in who waits for room.

        Returns:
            How many values were dropped.
        """
        dropped = self._size
        self._lanes.clear()
        self._order.clear()
        self._first = deque()
        self._size = 0
        self._wake_all_putters()
        return dropped

    def lift_capacity(self) -> None:
        """From now on there is always room."""
        self.capacity = None
        self._wake_all_putters()

    def close(self) -> None:
        """No more values will come: `wait` ends with None, nobody waits for room any more."""
        self._closed = True
        takers, self._takers = self._takers, deque()
        for taker in takers:
            if not taker.done():
                taker.set_result(None)
        self._wake_all_putters()

    def _wake_putter(self) -> None:
        while self._putters:
            putter = self._putters.popleft()
            if not putter.done():
                putter.set_result(None)
                return

    def _wake_all_putters(self) -> None:
        putters, self._putters = self._putters, deque()
        for putter in putters:
            if not putter.done():
                putter.set_result(None)

    def _forget_putter(self, future: asyncio.Future[None]) -> None:
        """Take a cancelled putter out of the line; the place it was promised goes to the next."""
        if future in self._putters:
            self._putters.remove(future)
        elif not future.cancelled():
            self._wake_putter()

    def _forget_taker(self, future: asyncio.Future[T | None]) -> None:
        """Take a cancelled taker out of the line; a value it was handed goes to the next, or to the front."""
        if future in self._takers:
            self._takers.remove(future)
        elif not future.cancelled() and (value := future.result()) is not None:
            self._put_back(value)

    def _put_back(self, value: T) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(value)
                return
        if not self._order:
            self._add_lane(DEFAULT_PRIORITY)
        self._first.appendleft(value)
        self._size += 1

    def _add_lane(self, priority: int) -> deque[T]:
        lane = self._lanes[priority] = deque()
        heappush(self._order, priority)
        self._first = self._lanes[self._order[0]]
        return lane

    def _drop_empty_lanes(self) -> None:
        """Make the first lane one that holds a value; there is one."""
        while not self._first:
            del self._lanes[heappop(self._order)]
            self._first = self._lanes[self._order[0]]
