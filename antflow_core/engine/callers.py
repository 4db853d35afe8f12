"""Callers: whose status callbacks are called outside the workers, and must not wait for themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from antflow_core.engine.run import Run

calling_back_var: ContextVar[tuple[Run, ...]] = ContextVar("calling_back", default=())
"""The runs whose status callback is being called outside their workers."""


@contextmanager
def calling_back(run: Run) -> Iterator[None]:
    """What is called in the body, and the tasks made there, count as part of the run."""
    callers = calling_back_var.get()
    calling_back_var.set((*callers, run))
    try:
        yield
    finally:
        calling_back_var.set(callers)
