"""Intake: items of an iterable become tasks as there is room for them, and results in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any

from antflow_core.engine.future import AsyncFuture


class Intake:
    """The tasks of one `map` or `map_iter`.

    An item is taken when a worker may be free for it, never before. After a failure nothing more is taken:
    whoever takes the results will not get further than that.

    Args:
        items: The arguments of the tasks; taken from in the caller's context, wherever room is made.
        submit: Makes a task of them.
        at_once: How many tasks may be under way.
        ahead: How many may be taken and not given out; None for any number.
        context: The caller's.
    """

    def __init__(
        self,
        items: Iterator[tuple[Any, ...]],
        submit: Callable[[tuple[Any, ...]], AsyncFuture[Any]],
        at_once: int,
        ahead: int | None,
        context: Context,
    ) -> None:
        self._items = items
        self._submit = submit
        self._at_once = at_once
        self._ahead = ahead
        self._context = context
        self._taken: deque[AsyncFuture[Any]] = deque()
        self._under_way = 0
        self._is_over = False
        self._error: BaseException | None = None

    @property
    def is_held_back(self) -> bool:
        """Whether whoever takes the results can keep it from going on."""
        return self._ahead is not None

    def first(self) -> AsyncFuture[Any] | None:
        """The task whose result is to be given out next; None after the last.

        Raises:
            BaseException: What ended the taking, once all that was taken is given out.
        """
        self._take()
        if self._taken:
            return self._taken[0]
        error, self._error = self._error, None
        if error is not None:
            raise error
        return None

    def give_out(self) -> None:
        """The first is given out."""
        self._taken.popleft()

    def stop(self, error: BaseException | None = None) -> None:
        """Take nothing more.

        Args:
            error: What whoever takes the results gets where the next one would have been.
        """
        if not self._is_over:
            self._is_over = True
            self._error = error

    def leave(self) -> None:
        """Nobody takes a further result: what has not begun never does, and what has ends unheard."""
        self.stop()
        for future in self._taken:
            if not future.done():
                future.set_exception(asyncio.CancelledError("nobody takes the result any more"))
            future.exception()
        self._taken.clear()

    def _take(self) -> None:
        while not self._is_over and self._under_way < self._at_once and self._has_place():
            try:
                item = self._context.run(next, self._items)
            except StopIteration:
                self.stop()
            except BaseException as error:  # noqa: BLE001  it goes to whoever takes the results
                self.stop(error)
            else:
                future = self._submit(item)
                self._under_way += 1
                self._taken.append(future)
                future.add_done_callback(self._note_end)

    def _has_place(self) -> bool:
        return self._ahead is None or len(self._taken) < self._ahead

    def _note_end(self, future: AsyncFuture[Any]) -> None:
        self._under_way -= 1
        if future.failed():
            self.stop()
        self._take()
