"""Items of a log that is read from a file: several of one run may have the same id, for files keep reprs."""

from __future__ import annotations

from collections.abc import Sequence

from antflow_core.history.event_log import EventLog
from antflow_core.run_files.stored_values import GONE


def add_items(log: EventLog, run: int, ids: Sequence[object], first_row: int) -> None:
    """Add items of one run, given by their stored ids, each with the next index.

    Args:
        log: Where they go.
        first_row: No row before this one names one of them.
    """
    first, known = log.item_count, log.run_items(run)
    log.items.extend(run, ids, first_row)
    new = dict(zip(ids, range(first, first + len(ids)), strict=True))
    if len(new) == len(ids) and GONE not in new and new.keys().isdisjoint(known.keys()):
        known.update(new)
        return
    for item, item_id in enumerate(ids, first):
        if item_id is GONE:
            log.items.leave(item)
        elif item_id in known:
            known.twins.setdefault(item_id, []).append(item)
        else:
            known[item_id] = item
