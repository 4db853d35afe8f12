"""Callers: what is called outside the workers and yet part of a run, and must not wait for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from antflow_core.context import worker_state_var

if TYPE_CHECKING:
    from antflow_core.engine.places import Place
    from antflow_core.engine.run import Run

Callers = tuple[tuple["Run", "Place | None"], ...]

_calling_back_var: ContextVar[Callers] = ContextVar("calling_back", default=())
"""The runs whose status callback is being called, each with the place that is kept meanwhile."""

_taking_from_var: ContextVar[tuple[Run, ...]] = ContextVar("taking_from", default=())
"""The runs that a source of their own is being asked for items."""


def begin_calling_back(run: Run, place: Place | None = None) -> Token[Callers]:
    """What is called until the end counts as part of the run; gives what `end_calling_back` takes."""
    return _calling_back_var.set((*_calling_back_var.get(), (run, place)))


def end_calling_back(token: Token[Callers]) -> None:
    """Count as what one was before, in the same context."""
    _calling_back_var.reset(token)


@contextmanager
def calling_back(run: Run, place: Place | None = None) -> Iterator[None]:
    """What is called in the body, and the tasks made there, count as part of the run.

    Args:
        place: What is kept in a queue meanwhile.
    """
    token = begin_calling_back(run, place)
    try:
        yield
    finally:
        end_calling_back(token)


def take_from_source(run: Run) -> None:
    """From now on the asyncio task that calls asks a source of the run for items."""
    _taking_from_var.set((*_taking_from_var.get(), run))


def is_inside(run: Run) -> bool:
    """Whether the caller is a task or a callback of a run, which waits for no room in it."""
    worker = worker_state_var.get()
    if worker is not None and worker.run is run:
        return True
    return any(caller is run for caller, _ in _calling_back_var.get())


def is_awaited_by(run: Run) -> bool:
    """Whether a run cannot end before the caller does, who must not wait for that."""
    return is_inside(run) or run in _taking_from_var.get()


def give_up_places() -> None:
    """Who is about to wait for items that may need room gives up the places that are kept for him."""
    for _, place in _calling_back_var.get():
        if place is not None:
            place.give_up()
