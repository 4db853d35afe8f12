"""Channel: what waits between two stages, by priority, with a bounded number of places."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_PRIORITY = 100
_BEFORE_ALL = -math.inf
"""The lane of values that were handed out already and came back: no priority lets another go before them."""


class Channel(Generic[T]):
    """Queue of values, lowest priority number first, equal ones in order.

    A value put while somebody waits for one is handed to him directly; nothing polls. Of those who wait, the
    last who came gets it: what he works with is still in the processor's cache, however many wait behind.

    `put` never waits: who must respect the capacity asks `has_room` first and awaits `wait_room` where it
    says no. The place that he is let in for is kept until he goes on, so that nobody overtakes him.

    While it is held nothing is given out, and what is put waits. A value that was handed over and not looked
    at when the hold began comes back, past the capacity if need be.

    Args:
        capacity: Places; None for no limit, 0 for none: there is room only while somebody waits to take.

    Attributes:
        capacity: As given, or as set later.
        closed: No more values will come.
        held: Nothing is given out for the time being.
    """

    __slots__ = (
        "_first",
        "_lanes",
        "_order",
        "_putters",
        "_recalled",
        "_reserved",
        "_size",
        "_takers",
        "_tickets",
        "capacity",
        "closed",
        "held",
    )

    def __init__(self, capacity: int | None) -> None:
        self.capacity = capacity
        self._reserved = 0
        self._lanes: dict[float, deque[T]] = {}
        self._order: list[float] = []  # a heap
        self._first: deque[T] = deque()  # the lane of the lowest number
        self._size = 0
        self._takers: deque[asyncio.Future[T | None]] = deque()
        self._putters: list[tuple[int, asyncio.Future[bool]]] = []  # a heap; true: a place is kept for him
        self._tickets = count()
        self._recalled: set[asyncio.Future[T | None]] = set()
        self.closed = False
        self.held = False

    def __len__(self) -> int:
        return self._size

    def has_room(self) -> bool:
        """Whether one more value may be put by who respects the capacity."""
        capacity = self.capacity
        if capacity is None or self.closed:
            return True
        if capacity:
            return self._size + self._reserved < capacity
        return not self.held and len(self._takers) > self._size + self._reserved

    async def wait_room(self) -> None:
        """Wait until there is room, or the channel is closed."""
        ticket = next(self._tickets)
        while True:
            future = asyncio.get_running_loop().create_future()
            heappush(self._putters, (ticket, future))  # again where it was, if there is no room after all
            try:
                is_kept = await future
            except asyncio.CancelledError:
                self._forget_putter(future)
                raise
            self._reserved -= is_kept
            if self.has_room():
                return

    def reserve(self) -> None:
        """Keep a place for a value that will be put later."""
        self._reserved += 1

    def release_reserved(self) -> None:
        """Give a kept place back, to be put to at once or to go to who waits for room."""
        self._reserved -= 1
        self._wake_putter()

    def put(self, value: T, priority: float = DEFAULT_PRIORITY) -> None:
        """Hand `value` to the last who came to wait, or keep it until somebody comes."""
        if not self.held:
            takers = self._takers
            while takers:
                taker = takers.pop()
                if not taker.done():
                    taker.set_result(value)
                    return
        lane = self._lanes.get(priority)
        if lane is None:
            lane = self._add_lane(priority)
        lane.append(value)
        self._size += 1

    def take(self) -> T | None:
        """The next value; None while there is none, or none is given out."""
        if not self._size or self.held:
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
        return await self.receive(self.stand_in_line())

    def stand_in_line(self) -> asyncio.Future[T | None]:
        """Take a place in the line of those who wait for a value, when `take` gave none."""
        place: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        if self.closed:
            place.set_result(None)
            return place
        self._takers.append(place)
        if self._putters and self.has_room():
            self._wake_putter()
        return place

    async def receive(self, place: asyncio.Future[T | None]) -> T | None:
        """Wait in the line for a value.

        Returns:
            None when the channel was closed, when the place was given up, when the value was recalled, or
            when the channel is held since the value was handed over: it is back then, before all others.
        """
        try:
            value = await place
        except asyncio.CancelledError:
            self._forget_taker(place)
            raise
        if self._recalled and self._was_recalled(place):
            return None
        if self.held and value is not None:
            self.put(value, _BEFORE_ALL)
            return None
        return value

    def give_up(self, place: asyncio.Future[T | None]) -> None:
        """Let who waits there go without a value, if he has not been handed one."""
        if not place.done():
            self._takers.remove(place)
            place.set_result(None)

    def remove(self, wanted: Callable[[T], bool]) -> list[T]:
        """Take out the values that are wanted, wherever they wait, and let others in for them."""
        removed: list[T] = []
        for lane in self._lanes.values():
            kept: list[T] = []
            for value in lane:
                (removed if wanted(value) else kept).append(value)
            lane.clear()
            lane.extend(kept)
        self._size -= len(removed)
        for _ in removed:
            self._wake_putter()
        return removed

    def recall(self, place: asyncio.Future[T | None], wanted: Callable[[T], bool]) -> T | None:
        """Take back the value that was handed to who waits there, if it is wanted and he has not seen it."""
        if not place.done() or place.cancelled() or place in self._recalled:
            return None
        value = place.result()
        if value is None or not wanted(value):
            return None
        self._recalled.add(place)
        return value

    def pass_room_on(self) -> None:
        """Have the next in line use the room that was waited for and is not needed."""
        self._wake_putter()

    def hold(self) -> None:
        """Give nothing out until `release`."""
        self.held = True

    def release(self) -> None:
        """Give out again what is there, first to those who wait, and let in whom there is room for."""
        if not self.held:
            return
        self.held = False
        while self._takers and (value := self.take()) is not None:
            self.put(value, _BEFORE_ALL)
        if not self.capacity:
            self._wake_putters_for_room()

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

    def set_capacity(self, capacity: int | None) -> None:
        """Have so many places from now on; values beyond them stay."""
        self.capacity = capacity
        self._wake_putters_for_room()

    def close(self) -> None:
        """No more values will come: `wait` ends with None, nobody waits for room any more."""
        self.closed = True
        self.held = False
        takers, self._takers = self._takers, deque()
        for taker in takers:
            if not taker.done():
                taker.set_result(None)
        self._wake_all_putters()

    def _wake_putters_for_room(self) -> None:
        """Let in as many as there is room for."""
        if self.capacity is None or self.closed:
            self._wake_all_putters()
            return
        taken = self._size + self._reserved
        room = self.capacity - taken if self.capacity else len(self._takers) - taken
        for _ in range(min(room, len(self._putters))):
            self._wake_putter()

    def _wake_putter(self) -> None:
        """Let the first in line in, and keep a place for him."""
        while self._putters:
            _, putter = heappop(self._putters)
            if not putter.done():
                self._reserved += 1
                putter.set_result(True)
                return

    def _wake_all_putters(self) -> None:
        """Let all look whether there is room."""
        putters, self._putters = self._putters, []
        for _, putter in putters:
            if not putter.done():
                putter.set_result(False)

    def _forget_putter(self, future: asyncio.Future[bool]) -> None:
        """Take a cancelled putter out of the line; the place that was kept for him goes to the next."""
        if future.cancelled():
            self._putters = [putter for putter in self._putters if putter[1] is not future]
            heapify(self._putters)
        elif future.result():
            self.release_reserved()

    def _forget_taker(self, future: asyncio.Future[T | None]) -> None:
        """Take a cancelled taker out of the line; a value it was handed goes to the next, or to the front."""
        if future in self._takers:
            self._takers.remove(future)
        elif not (future.cancelled() or self._was_recalled(future)):
            value = future.result()
            if value is not None:
                self.put(value, _BEFORE_ALL)

    def _was_recalled(self, place: asyncio.Future[T | None]) -> bool:
        """Whether the value handed to a place is gone; to be asked once."""
        if place not in self._recalled:
            return False
        self._recalled.remove(place)
        return True

    def _add_lane(self, priority: float) -> deque[T]:
        lane = self._lanes[priority] = deque()
        heappush(self._order, priority)
        self._first = self._lanes[self._order[0]]
        return lane

    def _drop_empty_lanes(self) -> None:
        """Make the first lane one that holds a value; there is one."""
        while not self._first:
            del self._lanes[heappop(self._order)]
            self._first = self._lanes[self._order[0]]
