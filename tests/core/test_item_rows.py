"""Where an item's events are: found by bytes in few chunks, and what is known of chunks that need no look."""

from __future__ import annotations

import random

import numpy as np
import pytest

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KIND_INDEX, record_dtype
from antflow_core.history.storage import CHUNK_ROWS
from tests.support.events import STAGES
from tests.support.processes import run_python


def scattered_log(chunks: int, *, spread: int, first: int = 0, max_events: int | None = None) -> EventLog:
    """A log whose items come in order of their first events and go on for a while, at random."""
    chance = random.Random(spread)
    log = EventLog(max_events)
    log.begin_run("scattered", STAGES, 0.0)
    ids = log.run_items(1)
    rows = chunks * CHUNK_ROWS + 777
    records = np.zeros(rows, record_dtype())
    newest = first
    for number in range(first):  # items that were taken up and have no events here
        assert ids[number] == number
    for row in range(rows):
        newest += row % 5 == 0
        item = max(newest - chance.randrange(spread), 0)
        records["item"][row] = ids[item] if item in ids else ids[newest]
        records["time"][row] = row + chance.random() * 10
        records["kind"][row] = KIND_INDEX["start"]
        records["error"][row] = log.errors.index(ValueError()) if chance.random() < 0.01 else -1
    for start in range(0, rows, CHUNK_ROWS):
        log.append_records(records[start : start + CHUNK_ROWS])
    return log


@pytest.fixture(scope="module", params=[(3, 1, 0), (3, 700, 0), (2, 40_000, 70_000)])
def log(request: pytest.FixtureRequest) -> EventLog:
    chunks, spread, first = request.param
    return scattered_log(chunks, spread=spread, first=first)


def test_the_rows_of_an_item_are_those_that_name_it(log: EventLog) -> None:
    items = log.columns(log.first_row, log.next_row)["item"]
    for item in [0, 1, 255, 256, 65_535, 65_536, log.item_count - 1, *items[:: len(items) // 50].tolist()]:
        if item < log.item_count:
            assert log.rows_of_item(item).tolist() == np.flatnonzero(items == item).tolist()


def test_no_item_of_a_chunk_is_below_the_number_noted_for_it(log: EventLog) -> None:
    for start, block in log.blocks(0, log.next_row):
        lowest, highest = int(block["item"].min()), int(block["item"].max())
        assert log.lowest_item(start) <= lowest
        for low, high in ((lowest, highest), (0, lowest), (highest, log.item_count)):
            assert log.may_hold_items(start, low, high)
    assert any(log.lowest_item(start) for start, _ in log.blocks(0, log.next_row)) == (
        len(log) > 3 * CHUNK_ROWS
    )


def test_the_first_and_last_moment_and_the_errors_of_a_full_chunk_are_known(log: EventLog) -> None:
    for start, block in log.blocks(0, log.next_row):
        span, places = log.time_span(start + 5), log.rows_with_errors(start)
        if len(block) < CHUNK_ROWS:
            assert span is None
            assert places is None
        else:
            assert span == (block["time"].min(), block["time"].max())
            assert places is not None
            assert places.tolist() == np.flatnonzero(block["error"] >= 0).tolist()


def test_errors_that_are_many_are_not_noted() -> None:
    log = EventLog()
    log.begin_run("failing", STAGES, 0.0)
    records = np.zeros(CHUNK_ROWS, record_dtype())
    records["item"] = log.run_items(1)["x"]
    records["error"] = log.errors.index(ValueError())
    log.append_records(records)
    assert log.rows_with_errors(0) is None


def test_an_item_with_very_many_events_is_found_too() -> None:
    log = EventLog()
    log.begin_run("one", STAGES, 0.0)
    records = np.zeros(CHUNK_ROWS + 3, record_dtype())
    records["item"] = log.run_items(1)["x"]
    log.append_records(records)
    assert log.rows_of_item(0).tolist() == list(range(CHUNK_ROWS + 3))


def test_the_rows_of_items_stay_right_when_the_oldest_are_dropped() -> None:
    log = scattered_log(5, spread=300, max_events=2 * CHUNK_ROWS)
    block = log.columns(log.first_row, log.next_row)
    assert log.first_row > 0
    for item in range(int(block["item"].min()), log.item_count, 997):
        expected = np.flatnonzero(block["item"] == item) + log.first_row
        assert log.rows_of_item(item).tolist() == expected.tolist()


def test_asking_for_a_history_loads_no_numpy(tmp_path: object) -> None:
    code = (
        "import sys; from antflow_core.tracker import StatusTracker\n"
        "t = StatusTracker(); r = t.begin_run(['A'])\n"
        "for n in range(20000): r.status(n, 0, 'queued'); r.status(n, 0, 'completed', 'A-W0')\n"
        "print(len(t.get_history(11000)), 'numpy' in sys.modules)"
    )
    done = run_python("-c", code, cwd=tmp_path)  # type: ignore[arg-type]  # the fixture is a Path
    assert (done.out.strip(), done.err) == ("2 False", "")
