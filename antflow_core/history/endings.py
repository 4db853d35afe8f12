"""Endings: items that a tracker calls failed, as they are ended, though they did not fail.

An item that was begun and is then cancelled by itself, or given up with its run, has no status of its own:
its last one is ``failed``, with a CancelledError in these words. Whoever counts failures leaves it out, as
the pipeline does, which counts it as cancelled or as dropped.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from antflow_core.history.records import FAILED

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from antflow_core.history.event_log import EventLog

CANCELLED: Final = "cancelled by cancel_item()"
RUN_STOPPED: Final = "the run was stopped"
RUN_CANCELLED: Final = "the run was cancelled"
_MESSAGES: Final = frozenset({CANCELLED, RUN_STOPPED, RUN_CANCELLED})


def is_ending(error_type: str, message: str) -> bool:
    """Whether an item whose last status has such an error did not fail, but was ended."""
    return error_type == "CancelledError" and message in _MESSAGES


def are_failures(log: EventLog, events: NDArray[numpy.void]) -> NDArray[numpy.bool_]:
    """For each of some events whether an item failed with it."""
    import numpy  # late: who only writes events does without it

    failed: NDArray[numpy.bool_] = events["kind"] == FAILED
    if log.errors.endings:
        failed &= ~numpy.isin(events["error"], log.errors.endings)
    return failed


def count_given_up(log: EventLog, events: NDArray[numpy.void]) -> int:
    """How many of some events end an item that did not fail."""
    import numpy  # late, as above

    if not log.errors.endings:
        return 0
    ended = (events["kind"] == FAILED) & numpy.isin(events["error"], log.errors.endings)
    return int(numpy.count_nonzero(ended))


def count_ended(log: EventLog) -> Counter[int]:
    """How many items are ended and not failed, by the numbers of their runs; costs O(items called failed)."""
    endings = set(log.errors.endings)
    if not endings:
        return Counter()
    items = log.items_with_status("failed")
    held = (item for item in items if (row := log.latest_row(item)) >= 0 and log.event(row).error in endings)
    counts = Counter(map(log.items.run_of, held))
    for run in log.runs:
        lost = log.run_items(run.number).lost_failures.values()
        counts[run.number] += sum(is_ending(each.error_type, each.message) for each in lost)
    return counts
