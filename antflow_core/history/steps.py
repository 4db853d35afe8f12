"""Steps: the events that an item's usual way through a stage always brings, written the quick way.

A worker that takes an item begins its first task at the same moment; one that is through with it has
completed its last task and the stage, and queues it at the next. Most of what such events hold never
changes for one worker, so it is packed once, and an item's way costs two calls a stage instead of five.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from antflow_core.history.records import KIND_INDEX, NO_DURATION, NO_ERROR, NO_TASK, NO_WORKER, RECORD
from antflow_core.history.storage import CHUNK_MASK, ROW_SHIFT

if TYPE_CHECKING:
    from antflow_core.history.event_log import EventLog

WriteOne = Callable[[int, float], None]
"""Called with the item's index and the moment in Unix seconds."""

WriteCompleted = Callable[[int, float, float, float], None]
"""Called with the item's index, the moment, and what its last task and its stage took, in seconds."""

_QUEUED: Final = KIND_INDEX["queued"]
_IN_PROGRESS: Final = KIND_INDEX["in_progress"]
_COMPLETED: Final = KIND_INDEX["completed"]
_START: Final = KIND_INDEX["start"]
_COMPLETE: Final = KIND_INDEX["complete"]

_Fields = tuple[int, int, int, int, int]
"""Stage, kind, attempt, task and worker: the fields of `RECORD` that are constant for one writer."""

# Where nothing was timed, duration and error are constant too.
_UNTIMED: Final = slice(12, 32)
_TIMED: Final = slice(12, 24)
_pack_untimed = struct.Struct("<di20s").pack_into
_pack_two_untimed = struct.Struct("<di20sdi20s").pack_into
_pack_two = struct.Struct("<di12sfidi12sfi").pack_into
_pack_three = struct.Struct("<di12sfidi12sfidi20s").pack_into


def queued_writer(log: EventLog, run: int, stage: int) -> WriteOne:
    """What writes that an item is queued at a stage."""
    fields = (stage, _QUEUED, 0, NO_TASK, NO_WORKER)
    queued = _packed(fields, _UNTIMED)
    items, counts, announcer = log.status_columns(run)
    latest_rows, statuses = items.latest_rows, items.statuses

    def write(item: int, at: float) -> None:
        row, place = log.next_row, item - items.first
        offset = (row & CHUNK_MASK) << ROW_SHIFT
        if not offset or place < 0:  # a chunk begins here, or the item has left
            log.append(at, item, *fields, NO_DURATION, NO_ERROR)
            return
        _pack_untimed(log.tail, offset, at, item, queued)
        log.next_row = row + 1
        latest_rows[place] = row
        counts[statuses[place]] -= 1
        counts[_QUEUED] += 1
        statuses[place] = _QUEUED
        if announcer.armed:
            announcer.schedule()

    return write


def taken_writer(log: EventLog, run: int, stage: int, worker: int, task: int) -> WriteOne:
    """What writes that a worker took an item, and that it began its first attempt at a task."""
    events = ((stage, _IN_PROGRESS, 1, NO_TASK, worker), (stage, _START, 1, task, worker))
    in_progress, start = (_packed(fields, _UNTIMED) for fields in events)
    items, counts, announcer = log.status_columns(run)
    latest_rows, statuses = items.latest_rows, items.statuses

    def append(item: int, at: float) -> None:
        for fields in events:
            log.append(at, item, *fields, NO_DURATION, NO_ERROR)

    def write(item: int, at: float) -> None:
        row, place = log.next_row, item - items.first
        offset = (row & CHUNK_MASK) << ROW_SHIFT
        if not offset or place < 0:  # a chunk begins here, or the item has left
            append(item, at)
            return
        try:
            _pack_two_untimed(log.tail, offset, at, item, in_progress, at, item, start)
        except struct.error:  # a chunk ends here
            append(item, at)
            return
        log.next_row = row + 2
        latest_rows[place] = row
        counts[statuses[place]] -= 1
        counts[_IN_PROGRESS] += 1
        statuses[place] = _IN_PROGRESS
        if announcer.armed:
            announcer.schedule()

    return write


def completed_writer(
    log: EventLog, run: int, stage: int, worker: int, task: int, following: int | None = None
) -> WriteCompleted:
    """What writes that a worker completed a task at its first attempt, and with it the stage.

    Args:
        following: The stage where the item is queued at once; None where that is not to be written.
    """
    events = [(stage, _COMPLETE, 1, task, worker), (stage, _COMPLETED, 1, NO_TASK, worker)]
    if following is not None:
        events.append((following, _QUEUED, 0, NO_TASK, NO_WORKER))
    complete, completed = (_packed(fields, _TIMED) for fields in events[:2])
    queued = None if following is None else _packed(events[2], _UNTIMED)
    count, kind = len(events), events[-1][1]
    items, counts, announcer = log.status_columns(run)
    latest_rows, statuses = items.latest_rows, items.statuses

    def append(item: int, at: float, task_s: float, stage_s: float) -> None:
        for fields, duration in zip(events, (task_s, stage_s, NO_DURATION), strict=False):
            log.append(at, item, *fields, duration, NO_ERROR)

    def write(item: int, at: float, task_s: float, stage_s: float) -> None:
        row, place = log.next_row, item - items.first
        offset = (row & CHUNK_MASK) << ROW_SHIFT
        if not offset or place < 0:  # a chunk begins here, or the item has left
            append(item, at, task_s, stage_s)
            return
        tail, no = log.tail, NO_ERROR
        try:
            if queued is None:
                _pack_two(tail, offset, at, item, complete, task_s, no, at, item, completed, stage_s, no)
            else:
                _pack_three(
                    tail,
                    offset,
                    at,
                    item,
                    complete,
                    task_s,
                    no,
                    at,
                    item,
                    completed,
                    stage_s,
                    no,
                    at,
                    item,
                    queued,
                )
        except struct.error:  # a chunk ends here
            append(item, at, task_s, stage_s)
            return
        log.next_row = row = row + count
        latest_rows[place] = row - 1
        counts[statuses[place]] -= 1
        counts[kind] += 1
        statuses[place] = kind
        if announcer.armed:
            announcer.schedule()

    return write


def _packed(fields: _Fields, part: slice) -> bytes:
    return RECORD.pack(0.0, 0, *fields, NO_DURATION, NO_ERROR)[part]
