"""The tables that events become where SQL is asked of them: raw ones, and views of them for people.

::

    events      an event a row, everything by name: row, run, time, seconds, item, stage, event, attempt,
                worker, task, duration, error_type, error, item_number, error_number
    items       number, run, id, type, status, stage, started, ended, seconds
    stages      number, run, position, name
    errors      number, type, message, traceback
    runs        number, name, started, ended
    workers, tasks, kinds  number, name

Times are in UTC; `seconds` in `events` counts from the start of the first run, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from antflow_core.export.plain_values import clean, item_text, item_type
from antflow_core.export.source import EventSource
from antflow_core.history.errors import filled_traceback
from antflow_core.history.records import KINDS, STATUS_COUNT

RECORD_COLUMNS: Final = (
    "time",
    "item",
    "stage",
    "kind",
    "attempt",
    "task",
    "worker",
    "duration",
    "error",
)
"""Of the raw events, in the order of a record's fields."""

NAME_TABLES: Final = {
    "run_times": "number INTEGER {key}, name VARCHAR, started_at DOUBLE, ended_at DOUBLE",
    "stages": "number INTEGER {key}, run INTEGER, position INTEGER, name VARCHAR",
    "kinds": "number INTEGER {key}, name VARCHAR",
    "workers": "number INTEGER {key}, name VARCHAR",
    "tasks": "number INTEGER {key}, name VARCHAR",
    "item_ids": "number INTEGER {key}, run INTEGER, id VARCHAR, type VARCHAR",
    "errors": "number INTEGER {key}, type VARCHAR, message VARCHAR, traceback VARCHAR",
}
"""The columns of the tables beside `event_records`; ``{key}`` stands behind those that are unique."""

_EVENTS: Final = """
CREATE VIEW events AS
SELECT record.row AS row, item_ids.run AS run, {time} AS time, record.time - {started_at!r} AS seconds,
       item_ids.id AS item, stages.name AS stage, kinds.name AS event, nullif(record.attempt, 0) AS attempt,
       workers.name AS worker, tasks.name AS task, {duration} AS duration,
       errors.type AS error_type, errors.message AS error,
       record.item AS item_number, nullif(record.error, -1) AS error_number
FROM event_records AS record
LEFT JOIN item_ids ON item_ids.number = record.item
LEFT JOIN stages ON stages.number = record.stage
LEFT JOIN kinds ON kinds.number = record.kind
LEFT JOIN workers ON workers.number = record.worker
LEFT JOIN tasks ON tasks.number = record.task
LEFT JOIN errors ON errors.number = record.error"""

_ITEMS: Final = """
CREATE VIEW items AS
SELECT item_ids.number AS number, item_ids.run AS run, item_ids.id AS id, item_ids.type AS type,
       kinds.name AS status, stages.name AS stage, {started} AS started, {ended} AS ended,
       span.ended_at - span.started_at AS seconds
FROM item_ids
LEFT JOIN (
    SELECT item, min(time) AS started_at, max(time) AS ended_at,
           max(CASE WHEN kind < {statuses} THEN row END) AS latest
    FROM event_records GROUP BY item
) AS span ON span.item = item_ids.number
LEFT JOIN event_records AS record ON record.row = span.latest
LEFT JOIN kinds ON kinds.number = record.kind
LEFT JOIN stages ON stages.number = record.stage
WHERE item_ids.type <> 'gone'"""

_RUNS: Final = """
CREATE VIEW runs AS
SELECT number, name, {started} AS started, {ended} AS ended FROM run_times"""


def views(source: EventSource, moment: Callable[[str], str], duration: str) -> Iterator[str]:
    """The statements that make the views.

    Args:
        moment: What turns a column of Unix seconds into a moment, in the database's own words.
        duration: What gives the duration of ``record``, NULL where nothing was timed.
    """
    started_at = source.runs[0].started_at if source.runs else 0.0
    yield _EVENTS.format(time=moment("record.time"), started_at=started_at, duration=duration)
    started, ended = moment("span.started_at"), moment("span.ended_at")
    yield _ITEMS.format(started=started, ended=ended, statuses=STATUS_COUNT)
    yield _RUNS.format(started=moment("started_at"), ended=moment("ended_at"))


def name_rows(source: EventSource) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """The rows of the tables beside `event_records`, some at a time; none of them is empty."""
    yield "run_times", [(run.number, clean(run.label), run.started_at, run.ended_at) for run in source.runs]
    yield "stages", [*_stage_rows(source)]
    yield "kinds", [*enumerate(KINDS)]
    yield "workers", [*enumerate(map(clean, source.workers))]
    yield "tasks", [*enumerate(map(clean, source.tasks))]
    for block in source.item_blocks():
        yield (
            "item_ids",
            [
                (number, run, clean(item_text(item_id)), item_type(item_id))
                for number, (run, item_id) in enumerate(
                    zip(block.runs.tolist(), block.ids, strict=True), block.first
                )
            ],
        )
    for first, errors in source.error_blocks():
        yield (
            "errors",
            [
                (number, clean(error.type_name), clean(error.message), clean(filled_traceback(error)))
                for number, error in enumerate(errors, first)
            ],
        )


def _stage_rows(source: EventSource) -> Iterator[tuple[int, int, int, str]]:
    for number, stage in enumerate(source.stages):
        position = number - source.runs[stage.run - 1].stage_base + 1
        yield number, stage.run, position, clean(stage.name)
