"""Events as the public types, made from rows of the log when somebody asks."""

from __future__ import annotations

from typing import Any, cast

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import FAILED, KIND_INDEX, NO_ERROR, RETRYING, EventRow
from antflow_core.types import FailedItem, StatusEvent, StatusType, TaskEvent, TaskEventType


class RecordedError(Exception):
    """What stands for an exception in an event read back from the log.

    The log keeps no exception objects, for their tracebacks would keep alive whatever the failed tasks held.

    Attributes:
        type_name: Class name of the exception.
        message: Its text, cut at 2,000 characters; also `str` of this one.
        traceback: Its traceback as Python prints it, cut at 16,000 characters.
    """

    def __init__(self, type_name: str, message: str, traceback: str) -> None:
        super().__init__(type_name, message, traceback)
        self.type_name = type_name
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"<RecordedError {self.type_name}: {self.message}>"


def event_at(log: EventLog, row: int) -> StatusEvent | TaskEvent:
    """The event of a row."""
    event = log.event(row)
    return status_event(log, event) if event.is_status else task_event(log, event)


def status_event(log: EventLog, event: EventRow) -> StatusEvent:
    """A status event, equal to the one its callback was given."""
    return StatusEvent(
        event.item_id,
        event.stage,
        cast("StatusType", event.kind),
        event.worker,
        event.time,
        status_metadata(log, event.row, KIND_INDEX[event.kind], event.attempt, event.error),
    )


def task_event(log: EventLog, event: EventRow) -> TaskEvent:
    """A task event, with a `RecordedError` for the exception and the duration in single precision."""
    error = None if event.error == NO_ERROR else recorded_error(log, event.error)
    return TaskEvent(
        event.item_id,
        event.stage,
        event.task or "",
        event.worker or "",
        cast("TaskEventType", event.kind),
        event.attempt,
        event.time,
        error,
        event.duration,
    )


def recorded_error(log: EventLog, index: int) -> RecordedError:
    """An error of the log as an exception object."""
    record = log.error(index)
    return RecordedError(record.type_name, record.message, record.traceback)


def failed_item(log: EventLog, event: EventRow) -> FailedItem:
    """What there is to tell of an item whose latest status event says that it failed."""
    metadata = status_metadata(log, event.row, FAILED, event.attempt, event.error)
    return FailedItem(
        event.item_id,
        str(metadata.get("error", "Unknown error")),
        str(metadata.get("error_type", "Exception")),
        event.stage,
        max(event.attempt, 1),
        event.time,
    )


def status_metadata(log: EventLog, row: int, kind: int, attempt: int, error: int) -> dict[str, Any]:
    """The metadata of a status event, the same whether it is delivered now or answered later."""
    metadata: dict[str, Any] = {"attempt": attempt, "retry": True} if kind == RETRYING else {}
    if error != NO_ERROR and kind in (FAILED, RETRYING):
        parts = log.error_parts(error)
        metadata |= {"error": parts.message, "error_type": parts.type_name}
    return metadata | log.notes.get(row, {})
