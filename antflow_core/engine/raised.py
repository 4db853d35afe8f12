"""Raised: what the engine writes on an error a task raised, bounded where one object is raised many times."""

from __future__ import annotations

import itertools
import logging
from types import CodeType, TracebackType

logger = logging.getLogger("antflow.pipeline")

_CATCHERS = frozenset(
    f"{__package__}.{module}" for module in ("worker", "attempts", "worker_reports", "pool", "in_context")
)
_RAISES_KEPT = 4
"""A script may raise anew what another pipeline gave it; where that came from is worth showing."""


class _Note(str):
    """A note of ours, told from the script's own; elsewhere it is a plain text."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def add_note(error: BaseException, note: str) -> None:
    """Say in the error which item it hit; in an error object that is raised again, which item it hit last."""
    try:
        notes = getattr(error, "__notes__", None)
        if isinstance(notes, list):
            notes[:] = [other for other in notes if not isinstance(other, _Note)]
        error.add_note(_Note(note))
    except Exception:  # noqa: BLE001  a class of the script's may refuse attributes
        logger.debug("no note could be added to %s", type(error).__name__)


def trim_traceback(error: BaseException) -> None:
    """Take earlier raises off an error object that is raised again: each adds its frames to those before."""
    raises = _raises(error.__traceback__)
    for kept, (latest, earlier) in enumerate(itertools.pairwise(raises), 1):
        if kept == _RAISES_KEPT or _lines(latest) == _lines(earlier):
            latest[-1].tb_next = None
            return


def _raises(step: TracebackType | None) -> list[list[TracebackType]]:
    """A traceback parted before every worker that caught it, the latest first; no more than are looked at."""
    raises: list[list[TracebackType]] = []
    in_worker = False
    while step is not None:
        was_in_worker, in_worker = in_worker, _is_worker(step)
        if not raises or (in_worker and not was_in_worker):
            if len(raises) > _RAISES_KEPT:
                break
            raises.append([])
        raises[-1].append(step)
        step = step.tb_next
    return raises


def _lines(raised: list[TracebackType]) -> list[tuple[CodeType, int]]:
    """Where an error came from, whichever line of a worker caught it."""
    return [(step.tb_frame.f_code, step.tb_lineno) for step in raised if not _is_worker(step)]


def _is_worker(step: TracebackType) -> bool:
    return step.tb_frame.f_globals.get("__name__") in _CATCHERS
