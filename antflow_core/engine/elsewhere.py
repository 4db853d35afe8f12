"""Elsewhere: a task that runs off the loop, and how long the loop waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from antflow_core.context import worker_state_var
from antflow_core.engine.waiters import wake


class Way:
    """How the calls of a task get to where they run, and their results back."""

    def submit(self, function: Callable[[Any], Any], value: Any) -> Future[Any]:
        """Hand a call over."""
        raise NotImplementedError

    def unpack(self, result: Any) -> Any:
        """The task's result from what came back."""
        return result

    def given_up(self) -> Exception:
        """What a call ends with that was handed over and cancelled by somebody else."""
        return RuntimeError("the call was given up where it was to run")


class Elsewhere:
    """A task that runs off the loop; called with a value.

    Whoever waits for it is released at once when he is cancelled or the time is over. A call that has not
    begun by then never does; one that nothing can stop keeps the worker's slot until it returns.

    Args:
        function: The task, or what calls it.
        name: The task's.
        way: There and back.
        timeout_s: How long a call may take, waiting for its turn included; None for any time.
    """

    def __init__(self, function: Callable[[Any], Any], name: str, way: Way, timeout_s: float | None) -> None:
        self._function = function
        self._name = name
        self._way = way
        self._timeout_s = timeout_s

    async def __call__(self, value: Any) -> Any:
        call = self._way.submit(self._function, value)
        try:
            if not await _returns(call, self._timeout_s):
                raise timeout_error(self._name, self._timeout_s or 0)
            if call.cancelled():
                raise self._way.given_up()
            result = call.result()
        finally:
            del call  # it refers to its error, and that to this frame
        return self._way.unpack(result)


def timeout_error(name: str, timeout_s: float) -> TimeoutError:
    """What an attempt at a task ends with when its time is over."""
    return TimeoutError(f"task {name!r} took longer than {timeout_s:g} s")


async def _returns(call: Future[Any], timeout_s: float | None) -> bool:
    """Wait for a call to end; false where its time is over first."""
    loop = asyncio.get_running_loop()
    ended = _end_of(call, loop)
    timer = None if timeout_s is None else loop.call_later(timeout_s, wake, ended)
    try:
        await ended
    except asyncio.CancelledError:
        _leave(call, loop)
        raise
    finally:
        if timer is not None:
            timer.cancel()
    if call.done():
        return True
    _leave(call, loop)
    return False


def _leave(call: Future[Any], loop: asyncio.AbstractEventLoop) -> None:
    """Wait no longer for a call; where nothing can stop it, its worker's slot stays taken until it ends."""
    worker = worker_state_var.get()
    if not call.cancel() and worker is not None:
        worker.overdue_call = _end_of(call, loop)


def _end_of(call: Future[Any], loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
    """What to wait for on the loop until a call has ended, whatever came of it."""
    ended = loop.create_future()

    def tell(_: Future[Any]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(wake, ended)

    call.add_done_callback(tell)
    return ended
