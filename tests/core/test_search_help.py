"""The help page on searching: every example on it does what is said beside it, and nothing is left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KIND_INDEX, NO_DURATION, EventRow
from antflow_core.resources import resource_path
from antflow_core.search.query import FIELDS, parse
from antflow_core.search.result import search
from antflow_core.search.tree import terms_of
from tests.support.events import raised

PAGE = resource_path("help", "search.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`\n]+)`")
IN_TABLES = [code for row in re.findall(r"^\| (`.+?) \| ", PAGE, re.MULTILINE) for code in CODE.findall(row)]
IN_TEXT = [
    code
    for code in CODE.findall(re.sub(r"^\|.*$", "", PAGE, flags=re.MULTILINE))
    if re.match(r"-?[a-z_]+:[^\s`]", code) or code.startswith("status:failed ")
]

BEGAN = datetime(2026, 5, 1, 12, 20, tzinfo=UTC).timestamp()
STAGES = ("Fetch", "Parse", "Save")
IDS = ("7", 7, "order 17", "ord-17", 'the "big" one', "https://host/17", "x")
ERRORS = (
    TimeoutError("timed out: timeout"),
    ConnectionError("connection refused"),
    ValueError("HTTP 503"),
    KeyError("order 17"),
)


@pytest.fixture(scope="module")
def log() -> EventLog:
    """Two runs over three hours in which everything happens that the examples look for."""
    log = EventLog()
    task, errors = log.task_indexes["upload"], [log.errors.index(raised(error)) for error in ERRORS]
    workers = [log.worker_indexes[f"{stage}-W3"] for stage in STAGES]
    for number in (1, 2):
        run = log.begin_run(f"run {number}", STAGES, BEGAN + 5_400 * (number - 1))
        stages, items = log.stage_indexes(run), log.run_items(run)
        for step in range(5_400):
            kind, stage, item = step % 10, step // 10 % 3, items[IDS[step // 30 % len(IDS)]]
            is_fault = kind in (
                KIND_INDEX["failed"],
                KIND_INDEX["retrying"],
                KIND_INDEX["retry"],
                KIND_INDEX["fail"],
            )
            log.append(
                BEGAN + 5_400 * (number - 1) + step,
                item,
                stages[stage],
                kind,
                step % 4,
                task if kind >= KIND_INDEX["start"] else 0xFFFF,
                -1 if kind == KIND_INDEX["queued"] else workers[stage],
                step % 30 / 10 if kind in (2, 7) else NO_DURATION,
                errors[step // 10 % 4] if is_fault and step % 3 else -1,
            )
    return log


def texts(log: EventLog, event: EventRow) -> list[str]:
    """Everything of an event that words are looked for in."""
    named = [str(event.item_id), event.stage, event.worker, event.task, error_text(log, event)]
    return [text.lower() for text in named if text]


def error_text(log: EventLog, event: EventRow) -> str:
    if event.error < 0:
        return ""
    error = log.error(event.error)
    return f"{error.type_name}: {error.message}"


def has(word: str) -> Callable[[EventLog, EventRow], bool]:
    return lambda log, event: any(word in text for text in texts(log, event))


MEANT: dict[str, Callable[[EventLog, EventRow], bool]] = {
    "timeout": has("timeout"),
    '"order 17"': has("order 17"),
    "status:failed": lambda log, event: event.kind == "failed",
    "event:retry": lambda log, event: event.kind == "retry",
    "stage:Fetch,Parse": lambda log, event: event.stage in ("Fetch", "Parse"),
    "worker:Fetch-W3": lambda log, event: event.worker == "Fetch-W3",
    "task:upload": lambda log, event: event.task == "upload",
    "item:7": lambda log, event: event.item_id in ("7", 7),
    "error:timeout": lambda log, event: "timeout" in error_text(log, event).lower(),
    "error_type:TimeoutError": lambda log, event: error_text(log, event).startswith("TimeoutError:"),
    "attempt:>=2": lambda log, event: event.attempt >= 2,
    "duration:>1.5s": lambda log, event: (event.duration or 0) > 1.5,
    "run:2": lambda log, event: event.run == 2,
    "after:12:30": lambda log, event: event.time >= BEGAN + 600,
    'before:"2026-05-01 14:00"': lambda log, event: event.time < BEGAN + 6_000,
    "last:5m": lambda log, event: event.time >= BEGAN + 2 * 5_400 - 1 - 300,
    "status:failed stage:Parse": lambda log, event: event.kind == "failed" and event.stage == "Parse",
    "-status:completed": lambda log, event: event.kind != "completed",
    "NOT status:completed": lambda log, event: event.kind != "completed",
    "timeout OR refused": lambda log, event: has("timeout")(log, event) or has("refused")(log, event),
    "(timeout OR refused) -stage:Save": lambda log, event: (
        (has("timeout")(log, event) or has("refused")(log, event)) and event.stage != "Save"
    ),
}


def test_every_example_in_the_tables_has_its_meaning_here() -> None:
    assert set(IN_TABLES) == set(MEANT)


@pytest.mark.parametrize("query", MEANT)
def test_an_example_finds_what_is_said_beside_it(log: EventLog, query: str) -> None:
    expected = [event.row for event in log.page(range(len(log))) if MEANT[query](log, event)]
    assert 0 < len(expected) < len(log)
    assert search(log, query, zone=UTC).rows.tolist() == expected


@pytest.mark.parametrize("query", IN_TEXT)
def test_an_example_in_the_text_can_be_read(query: str) -> None:
    if "://" in query and '"' not in query:
        query = f'"{query}"'
    assert [*terms_of(parse(query))]


def test_the_page_names_every_field_and_every_word_of_one() -> None:
    for field in FIELDS.values():
        assert f"`{field.name}:" in PAGE
        assert [value for value in field.values if value not in PAGE] == []


def test_enough_of_the_text_is_taken_for_examples() -> None:
    assert {"item:ord*", "error:/HTTP 5\\d\\d/", "attempt:2..4", 'item:"the \\"big\\" one"'} <= set(IN_TEXT)


def test_what_the_text_says_of_values_is_so(log: EventLog) -> None:
    def found(query: str) -> set[object]:
        return {event.item_id for event in log.page(search(log, query, zone=UTC).rows.tolist())}

    assert found("item:ord*") == {"order 17", "ord-17"}
    assert found(r"item:/^ord-\d+$/") == {"ord-17"}
    assert found('item:"the \\"big\\" one"') == {'the "big" one'}
    assert found('item:"https://host/17"') == {"https://host/17"}
    conn = search(log, "error:conn*refused").rows.tolist()
    assert conn == search(log, "error_type:ConnectionError").rows.tolist() != []
    assert (
        search(log, r"error:/HTTP 5\d\d/").rows.tolist() == search(log, "error_type:ValueError").rows.tolist()
    )
    assert search(log, "attempt:0").rows.tolist() == []
