"""Questions: what a log answers about items, whether it is being written or was read from a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

from antflow_core.arguments import check_function
from antflow_core.history.answers import event_at, failed_item, status_event
from antflow_core.history.endings import is_ending
from antflow_core.history.event_log import EventLog
from antflow_core.types import ErrorSummary, FailedItem, StatusEvent, StatusType, TaskEvent

if TYPE_CHECKING:
    from antflow_core.search.result import SearchResult


class Questions:
    """Answers from a log.

    An id used again in a later run is a new item: `get_status` answers for the latest, `get_by_status`,
    `get_stats` and `get_failed_items` count each, `get_history` gives all.

    Attributes:
        log: The packed events themselves.
    """

    def __init__(self, log: EventLog) -> None:
        self.log = log

    def get_status(self, item_id: Any) -> StatusEvent | None:
        """An item's latest status event, None for an id never seen."""
        row = max(map(self.log.latest_row, self._items(item_id)), default=-1)
        return None if row < 0 else self._status_event(row)

    def get_by_status(self, status: StatusType) -> list[StatusEvent]:
        """The latest events of all items whose current status it is, in first-seen order of the items.

        A word that is no status finds none, as in AntFlow.
        """
        if status not in get_args(StatusType):
            return []
        rows = map(self.log.latest_row, self.log.items_with_status(status))
        return [self._status_event(row) for row in rows if row >= 0]

    def get_stats(self) -> dict[str, int]:
        """How many items are in each status now; every status is there."""
        return self.log.status_counts()

    def get_history(self, item_id: Any) -> list[StatusEvent]:
        """All status events of an item in order, over all runs."""
        return [event for event in self._events(item_id) if isinstance(event, StatusEvent)]

    def get_task_history(self, item_id: Any) -> list[TaskEvent]:
        """All task events of an item in order, over all runs.

        Their `error` holds the texts of what the task raised (`type_name`, `message`, `traceback`), not the
        exception itself, which a callback gets.
        """
        return [event for event in self._events(item_id) if isinstance(event, TaskEvent)]

    def get_tracked_ids(self) -> list[Any]:
        """Every id seen, in first-seen order, each once; not those whose events have all been dropped."""
        return list(dict.fromkeys(self.log.item_ids()))

    def get_failed_items(self) -> list[FailedItem]:
        """The items that are failed now, in the order they failed.

        Those that were cancelled by themselves or given up with their run are called ``failed`` too, as they
        have no other status, but did not fail and are not among them.
        """
        lost = [
            FailedItem(lost.item_id, lost.message, lost.error_type, lost.stage, lost.attempts, lost.time)
            for lost in self.log.lost_failures()
            if not is_ending(lost.error_type, lost.message)
        ]
        rows = sorted(map(self.log.latest_row, self.log.items_with_status("failed")))
        endings = self.log.errors.endings
        events = (event for row in rows if (event := self.log.event(row)).error not in endings)
        return lost + [failed_item(self.log, event) for event in events]

    def get_error_summary(self) -> ErrorSummary:
        """The failed items, counted by type of error and by stage."""
        failed = self.get_failed_items()
        by_type = Counter(item.error_type for item in failed)
        by_stage = Counter(item.stage for item in failed)
        return ErrorSummary(len(failed), dict(by_type), dict(by_stage), failed)

    def subscribe(self, listener: Callable[[range], None]) -> Callable[[], None]:
        """Have the row numbers of new events announced.

        Args:
            listener: Called with a range of absolute rows of `log`, on the loop's thread and at most once per
                loop tick. What is written where no loop runs is announced with the next rows written inside
                one, or by `log.flush()`. An exception in it is logged.

        Returns:
            What ends the subscription; calling that again does nothing.

        Raises:
            TypeError: `listener` cannot be called.
        """
        check_function("listener", listener, "a range of rows")
        return self.log.subscribe(listener)

    def search(self, query: str = "", *, status_rows_only: bool = False) -> SearchResult:
        """The events that match a query, see `antflow_core.search.query` for the language.

        Args:
            query: Empty for every event.
            status_rows_only: Leave task events out whatever the query says.

        Raises:
            QueryError: The query is faulty; the error says where, and what was probably meant.
        """
        from antflow_core.search.result import search  # late, because it loads numpy

        return search(self.log, query, status_rows_only=status_rows_only)

    # Inside

    def _items(self, item_id: Any) -> list[int]:
        """The items that have an id, one for each run it was used in."""
        return self.log.items_with_id(item_id)

    def _status_event(self, row: int) -> StatusEvent:
        return status_event(self.log, self.log.event(row))

    def _events(self, item_id: Any) -> list[StatusEvent | TaskEvent]:
        rows: list[int] = []
        for item in self._items(item_id):
            rows += self.log.rows_of_item(item).tolist()
        return [event_at(self.log, row) for row in sorted(rows)]
