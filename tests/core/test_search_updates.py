"""A search is incremental: an update looks at new rows and new names only, counted and not timed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import record_dtype
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.history.text_index import SEGMENT_TEXTS
from antflow_core.search.result import search

STEP = 1_500
QUERIES = (
    "",
    "status:failed -item:*9",
    "item-1 OR timeout",
    "item:item-77*,*5 duration:>10ms,1ms..2ms,3ms..4ms,5ms..6ms",
    "after:20s OR attempt:2 -stage:a",
    "item-1 item-2 OR (item-3 -item-4) OR error:no* -worker:w",
)


class CountingLog(EventLog):
    """A log that counts what is looked at."""

    def __init__(self, max_events: int | None = None) -> None:
        super().__init__(max_events)
        self.seen_rows = 0
        self.seen_ids = 0
        texts = self.items.texts

        def counted(first: int, stop: int) -> list[str]:
            self.seen_ids += stop - first
            return texts(first, stop)

        self.items.texts = counted  # type: ignore[method-assign]  # the index asks the table itself

    def blocks(self, first: int, stop: int) -> Iterator[tuple[int, NDArray[np.void]]]:
        for start, block in super().blocks(first, stop):
            self.seen_rows += len(block)
            yield start, block


def counting_log(max_events: int | None = None) -> CountingLog:
    log = CountingLog(max_events)
    log.begin_run("counted", ["A", "B"], 1_000.0)
    assert log.worker_indexes["W"] == 0
    log.errors.index(ValueError("no timeout"))
    return log


def grow(log: EventLog, count: int) -> None:
    """Events of ever new items, a millisecond apart."""
    numbers = np.arange(log.next_row, log.next_row + count)
    records = np.zeros(count, record_dtype())
    items = log.run_items(1)
    records["item"] = [items[f"item-{number // 2}"] for number in numbers.tolist()]
    records["time"] = 1_000 + numbers / 1_000
    records["kind"] = np.where(numbers % 2, 3, 0)
    records["stage"] = numbers % 2
    records["attempt"] = numbers % 3
    records["task"] = 0xFFFF
    records["duration"] = numbers % 20 / 1_000
    records["error"] = np.where(numbers % 50 == 1, 0, -1)
    log.append_records(records)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("max_events", [None, 2 * CHUNK_ROWS])
def test_an_update_looks_at_new_rows_only(query: str, max_events: int | None) -> None:
    log = counting_log(max_events)
    result = search(log, query)
    for _ in range(40):
        before = log.next_row
        grow(log, STEP)
        log.seen_rows = 0
        result.update()
        assert log.seen_rows == log.next_row - before
    assert (log.first_row > 0) == (max_events is not None)
    assert result.rows.tolist() == search(log, query).rows.tolist()


@pytest.mark.parametrize("query", QUERIES)
def test_an_update_looks_at_new_ids_only(query: str) -> None:
    log = counting_log()
    grow(log, 3 * 2 * SEGMENT_TEXTS + 5_000)
    result = search(log, query)
    for _ in range(20):
        before = log.item_count
        grow(log, 200)
        log.seen_ids = 0
        result.update()
        assert log.seen_ids <= 10 * (log.item_count - before)  # new ids once for each word that asks for them


def test_a_second_search_for_a_word_spells_no_ids_again() -> None:
    log = counting_log()
    grow(log, 2 * 2 * SEGMENT_TEXTS)
    search(log, "item-1 OR 77")
    log.seen_ids = 0
    assert len(search(log, "item-1 OR 77 OR 5")) > 0
    assert log.seen_ids == 0


@pytest.mark.parametrize("query", ["last:10s", "last:10s status:failed", "-last:10s", "last:10s OR last:1m"])
def test_under_last_only_chunks_are_judged_again_that_grow_too_old(query: str) -> None:
    log = counting_log()
    result = search(log, query)
    ages = query.count("last:")
    for _ in range(100):
        before = log.next_row
        grow(log, STEP)
        log.seen_rows = 0
        result.update()
        # New rows are looked at twice, for the newest moment comes first; of the old ones the chunks in which
        # an age ends, for a chunk may be cut by its end before and after.
        assert log.seen_rows <= 2 * (log.next_row - before) + 2 * ages * CHUNK_ROWS
    assert result.rows.tolist() == search(log, query).rows.tolist()


def test_nothing_new_costs_nothing() -> None:
    log = counting_log()
    grow(log, 20_000)
    result = search(log, "last:5s item-1")
    log.seen_rows = log.seen_ids = 0
    assert result.update() == 0
    assert (log.seen_rows, log.seen_ids) == (0, 0)
