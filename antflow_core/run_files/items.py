"""Items of a log that is read from a file: several of one run may have the same id, for files keep reprs."""

from __future__ import annotations

from collections.abc import Sequence

from antflow_core.history.event_log import EventLog
from antflow_core.run_files.stored_values import GONE


class ReadItems:
    """Takes up the items of a log as a file gives them, each with the next index.

    Args:
        log: Where they go.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._twins: dict[tuple[int, object], list[int]] = {}

    def add(self, run: int, ids: Sequence[object], first_row: int) -> None:
        """Add items of one run, given by their stored ids; no row before `first_row` names one of them."""
        log = self._log
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
                self._twins.setdefault((run, item_id), []).append(item)
            else:
                known[item_id] = item

    def with_id(self, item_id: object) -> list[int]:
        """The items that have a stored id; several of one run where different ids have the same repr."""
        found = self._log.items_with_id(item_id)
        for run in range(1, len(self._log.runs) + 1) if self._twins else ():
            found += self._twins.get((run, item_id), ())
        return found
