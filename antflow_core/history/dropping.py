"""Dropping: what leaves with the oldest chunk of a log that is limited, and what stays known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.answers import failed_item
from antflow_core.history.dictionaries import LEFT, OVERFLOW_NAME, LostFailure, hashable_id
from antflow_core.history.records import FAILED, KINDS, NO_ERROR, STATUS_COUNT
from antflow_core.history.storage import CHUNK_ROWS

if TYPE_CHECKING:
    from antflow_core.history.event_log import EventLog

_IS_THROUGH = [kind in ("completed", "skipped") for kind in KINDS]
"""Of each kind, whether it ends an item at the last stage."""


def take_leave(log: EventLog) -> None:
    """Forget what only the oldest chunk names, which is about to be dropped.

    Items that ended in it leave; counts by status go on to include them, and of failed ones id, stage and
    error stay known. An item still under way stays. Errors leave that no later event names.
    """
    first = log.first_row
    (_, block), *_ = log.blocks(first, first + CHUNK_ROWS)
    ends = _ends(log, block)
    for at in ends[block["kind"][ends] == FAILED].tolist():
        _note_failure(log, first + at)
    _let_items_go(log, block["item"][ends].tolist())
    log.items.shrink()
    for row in [row for row in log.notes if row < first + CHUNK_ROWS]:
        del log.notes[row]
    named = block["error"]
    log.forget_errors(np.unique(named[named != NO_ERROR]).tolist(), before=first + CHUNK_ROWS)


def _ends(log: EventLog, block: NDArray[np.void]) -> NDArray[np.intp]:
    """The places of the events that an item ended with, so that nothing more will be written of the item."""
    # By stage and kind, whether an item may have ended with such an event.
    final = np.zeros((len(log.stages), len(KINDS)), np.bool_)
    final[_last_stages(log)] = _IS_THROUGH
    final[_ended_runs(log), :STATUS_COUNT] = True
    final[:, FAILED] = True
    at = np.flatnonzero(final[block["stage"], block["kind"]])
    at = at[block["item"][at] >= log.items.first]
    latest = np.frombuffer(log.items.latest_rows, np.int64)[block["item"][at] - log.items.first]
    ends: NDArray[np.intp] = at[latest == log.first_row + at]
    return ends


def _last_stages(log: EventLog) -> NDArray[np.bool_]:
    """For each stage whether it is the last of its run."""
    runs = np.fromiter((stage.run for stage in log.stages), np.int64, len(log.stages))
    return np.append(runs[1:] != runs[:-1], True)


def _ended_runs(log: EventLog) -> NDArray[np.bool_]:
    """For each stage whether its run is over."""
    over = (log.runs[stage.run - 1].ended_at is not None for stage in log.stages)
    return np.fromiter(over, np.bool_, len(log.stages))


def _note_failure(log: EventLog, row: int) -> None:
    """Keep what is to stay known of an item that failed."""
    event = log.event(row)
    failed = failed_item(log, event)
    log.run_items(event.run).lost_failures[hashable_id(event.item_id)] = LostFailure(
        row,
        event.item,
        failed.item_id,
        failed.stage,
        failed.attempts,
        failed.timestamp,
        failed.error_type,
        failed.error,
    )


def _let_items_go(log: EventLog, ended: list[int]) -> None:
    """Forget who they were; a fraction of a microsecond each, for in a long run it is done for every item."""
    items = log.items
    first, ids, runs, statuses = items.first, items.ids, items.runs, items.statuses
    known = {run: log.run_items(run) for run in {runs[item - first] for item in ended}}
    for item in ended:
        place = item - first
        item_id, names = ids[place], known[runs[place]]
        try:
            is_latest = names.get(item_id) == item
        except Exception:  # noqa: BLE001  the caller's __hash__ and __eq__ may raise anything
            item_id = hashable_id(item_id)
            is_latest = names.get(item_id) == item
        if is_latest:
            del names[item_id]
        # What ItemTable.leave does.
        ids[place] = OVERFLOW_NAME
        statuses[place] = LEFT
