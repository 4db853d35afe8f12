"""Narrow columns of full chunks: a search that reads them finds what the records themselves say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KINDS, NO_TASK, NO_WORKER, record_dtype
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.history.text_columns import TextColumns
from antflow_core.history.text_pattern import TextPattern
from antflow_core.search.result import search

SEED = 7


def filled_log(stages: int = 3, **columns: object) -> EventLog:
    """A log of two full chunks and a bit more; columns are given in full, or as what to repeat."""
    log = EventLog()
    log.begin_run("filled", [f"S{number}" for number in range(stages)], 0.0)
    add_records(log, 2 * CHUNK_ROWS + 100, **columns)
    return log


def add_records(log: EventLog, count: int, **columns: object) -> None:
    records = np.zeros(count, record_dtype())
    records["task"], records["worker"], records["error"], records["duration"] = NO_TASK, -1, -1, np.nan
    for name, values in columns.items():
        records[name] = np.resize(np.asarray(values), count)
    items = log.run_items(1)
    for item in range(int(records["item"].max()) + 1):
        assert items[item] == item
    log.append_records(records)


def rows(log: EventLog, query: str) -> list[int]:
    return [*map(int, search(log, query).rows)]


def column(log: EventLog, name: str) -> NDArray[Any]:
    return log.columns(log.first_row, log.next_row)[name]


def expected(mask: NDArray[np.bool_]) -> list[int]:
    return [*map(int, mask.nonzero()[0])]


@pytest.mark.parametrize("workers", [254, 255, 256, 300, 70_000])
def test_workers_in_full_chunks_are_told_apart_however_many_there_are(workers: int) -> None:
    log = EventLog()
    log.begin_run("many", ["S"], 0.0)
    for number in range(workers):
        assert log.worker_indexes[f"W{number}"] == number
    # Every one of the few, or so many of the many that both ends are there.
    named = [*range(-1, min(workers, 300)), workers - 1, 65_535 % workers]
    add_records(log, 2 * CHUNK_ROWS + 100, worker=named)
    worker = column(log, "worker")
    for number in (0, 253, 254, 255, 256, workers - 1, 65_535 % workers):
        assert rows(log, f"worker:W{number}") == expected(worker == number)
    assert rows(log, "-worker:*") == expected(worker == NO_WORKER)
    assert rows(log, "-worker:W0,W254 status:queued") == expected((worker != 0) & (worker != 254))


@pytest.mark.parametrize("before", [255, 65_535])
def test_a_column_stays_right_when_names_come_that_its_value_for_none_would_stand_for(before: int) -> None:
    log = EventLog()
    log.begin_run("grown", ["S"], 0.0)
    for number in range(before):
        assert log.worker_indexes[f"W{number}"] == number
    add_records(log, CHUNK_ROWS, worker=[-1, before - 1, 3])
    assert len(rows(log, f"worker:W{before - 1}")) == CHUNK_ROWS // 3
    for number in range(before, before + 3):
        assert log.worker_indexes[f"W{number}"] == number
    add_records(log, 2 * CHUNK_ROWS, worker=[-1, before, before + 2, 3])
    worker = column(log, "worker")
    for number in (3, before - 1, before, before + 2):
        assert rows(log, f"worker:W{number}") == expected(worker == number)
        assert rows(log, f"-worker:W{number}") == expected(worker != number)
    assert rows(log, "-worker:*") == expected(worker == NO_WORKER)


@pytest.mark.parametrize("highest", [3, 254, 255, 256, 65_534, 65_535])
def test_attempts_in_full_chunks_are_compared_however_high_they_are(highest: int) -> None:
    log = filled_log(attempt=[0, 1, 2, highest - 1, highest])
    attempt = column(log, "attempt")
    for number in (1, 2, 254, 255, highest - 1, highest):
        assert rows(log, f"attempt:{number}") == expected(attempt == number)
    assert rows(log, "attempt:>=2") == expected(attempt >= 2)
    assert rows(log, "-attempt:>0") == expected(attempt == 0)


@pytest.mark.parametrize("stages", [3, 255, 256, 400])
def test_stages_kinds_and_tasks_in_full_chunks_are_told_apart(stages: int) -> None:
    log = EventLog()
    log.begin_run("many", [f"S{number}" for number in range(stages)], 0.0)
    for number in range(stages - 1):
        assert log.task_indexes[f"t{number}"] == number
    tasks = [*range(stages - 1), NO_TASK]
    add_records(log, 2 * CHUNK_ROWS + 100, stage=range(stages), kind=range(len(KINDS)), task=tasks)
    stage, kind, task = (column(log, name) for name in ("stage", "kind", "task"))
    assert rows(log, "stage:S0,S2") == expected((stage == 0) | (stage == 2))
    assert rows(log, f"stage:S{stages - 1}") == expected(stage == stages - 1)
    assert rows(log, f"task:t{stages - 2}") == expected(task == stages - 2)
    assert rows(log, f"-task:t1,t{stages - 2}") == expected((task != 1) & (task != stages - 2))
    assert rows(log, "-task:* -status:queued") == expected((task == NO_TASK) & (kind != 0))
    found = (kind == KINDS.index("failed")) | (stage == 1) & (task == NO_TASK)
    assert rows(log, "status:failed OR stage:S1 -task:*") == expected(found)


@pytest.mark.parametrize("spread", [0, 65_535, 65_536, 100_000])
def test_items_in_full_chunks_are_found_however_far_apart_they_are(spread: int) -> None:
    log = filled_log(item=[500, 500, 500 + spread, 500 + spread // 2])
    item = column(log, "item")
    for number in {500, 500 + spread, 500 + spread // 2}:
        assert rows(log, f"item:{number}") == expected(item == number)
    assert rows(log, "item:*") == [*range(len(log))]
    texts = np.char.mod("%d", item)
    assert rows(log, "item:*5*") == expected(np.char.find(texts, "5") >= 0)
    assert rows(log, "item:499") == []


BOUNDS = ("0", "0.001", "0.0100001", "0.01", "0.5", "1", "1.0001", "60")
near = np.array([float(bound) for bound in BOUNDS], np.float32)
VALUES = np.concatenate(
    [
        near,
        np.nextafter(near, np.float32(np.inf)),
        np.nextafter(near, np.float32(-np.inf)),
        np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, -1.0, 3.4e38, 1e-40], np.float32),
        np.random.default_rng(SEED).lognormal(-3, 2, 200).astype(np.float32),
    ]
)
DURATIONS = filled_log(duration=VALUES)


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from(BOUNDS), st.sampled_from(BOUNDS), st.sampled_from(["..", ">", "<="])),
        min_size=1,
        max_size=4,
    ),
    many=st.booleans(),
)
def test_durations_in_full_chunks_are_compared_exactly(
    pairs: list[tuple[str, str, str]], *, many: bool
) -> None:
    values = column(DURATIONS, "duration")
    mask = np.zeros(len(values), np.bool_)
    parts = []
    for *ends, sign in pairs:
        low, high = sorted(ends, key=float)
        bottom, top = np.float32(low), np.float32(high)
        if sign == "..":
            parts.append(f"{low}s..{high}s")
            mask |= (values >= bottom) & (values <= top)
        else:
            parts.append(f"{sign}{low}s")
            mask |= values > bottom if sign == ">" else values <= bottom
    if many:  # so many bounds that they are looked up
        parts += [f"{2 * n}.25s..{2 * n}.5s" for n in range(2, 14)]
        for n in range(2, 14):
            mask |= (values >= np.float32(2 * n + 0.25)) & (values <= np.float32(2 * n + 0.5))
    assert rows(DURATIONS, f"duration:{','.join(parts)}") == expected(mask)


def test_durations_that_all_lie_at_a_bound_are_compared_exactly() -> None:
    values = np.float32(0.01) + np.arange(-40, 40, dtype=np.float32) * np.float32(1e-7)
    log = filled_log(duration=values)
    duration = column(log, "duration")
    assert rows(log, "duration:>10ms") == expected(duration > np.float32(0.01))
    crowd = [f"{at:.7f}s" for at in np.arange(0.009997, 0.010003, 0.0000003)]
    mask = np.isin(duration, np.array([float(at[:-1]) for at in crowd], np.float32))
    assert rows(log, f"duration:{','.join(crowd)}") == expected(mask)


@pytest.mark.parametrize("spans", [5, 11, 20])
def test_durations_are_compared_where_moments_make_very_many_states(spans: int) -> None:
    log = EventLog()
    log.begin_run("slow", ["S"], 0.0)
    for moment in range(spans):  # each chunk lies between two bounds as a whole
        add_records(log, CHUNK_ROWS, time=moment + 0.5, duration=np.linspace(0, spans, 1_000))
    time, duration = column(log, "time"), column(log, "duration")
    mask, parts = np.zeros(len(log), np.bool_), []
    for n in range(spans):
        parts.append(f"(after:{n}s before:{n + 2}s duration:{n}s..{n + 2}s)")
        mask |= (time >= n) & (time < n + 2) & (duration >= n) & (duration <= n + 2)
    assert rows(log, " OR ".join(parts)) == expected(mask)


def test_columns_are_prepared_some_chunks_at_a_time_and_leave_with_their_chunks() -> None:
    log = EventLog(max_events=3 * CHUNK_ROWS)
    log.begin_run("limited", ["S"], 0.0)
    columns, grown = log.narrow_columns, []
    for _ in range(6):
        add_records(log, CHUNK_ROWS, kind=[0, 1], stage=[0])
        while columns.prepare(chunks=1):
            pass
        grown.append(columns.memory_bytes())
    assert log.first_row > 0
    assert grown[0] < grown[1] < grown[2] == grown[5]
    assert columns.memory_bytes() < log.memory_bytes
    kind = column(log, "kind")
    assert rows(log, "status:in_progress") == [log.first_row + at for at in expected(kind == 1)]


@settings(max_examples=100, deadline=None)
@given(
    numbers=st.lists(
        st.integers(0, 120) | st.integers(0, 2**63 - 1) | st.sampled_from([10**n for n in range(19)]),
        min_size=1,
        max_size=80,
    ),
    piece=st.text("0123456789", min_size=1, max_size=3),
    at_start=st.booleans(),
    at_end=st.booleans(),
)
def test_whole_numbers_are_found_as_they_are_spelt(
    numbers: list[int], piece: str, *, at_start: bool, at_end: bool
) -> None:
    pattern = TextPattern((piece,), at_start=at_start, at_end=at_end)
    texts = TextColumns.of_numbers(np.array(numbers, np.int64))
    assert texts.find(pattern).tolist() == [pattern.matches(str(number)) for number in numbers]


@pytest.mark.parametrize("odd", [-5, 2**63, 10**30, True, 5.0, "5"])
def test_items_that_are_no_plain_numbers_are_found_among_those_that_are(odd: object) -> None:
    log = EventLog()
    items = log.run_items(log.begin_run("odd", ["S"], 0.0))
    ids = [*range(100, 9_000), odd, *range(9_000, 9_500)]
    records = np.zeros(len(ids), record_dtype())
    records["item"] = [items[item_id] for item_id in ids]
    log.append_records(records)
    for text in ("5", "-", "True", "00", str(odd)):
        found = [at for at, item_id in enumerate(ids) if text in str(item_id)]
        assert rows(log, f"item:*{text}*") == found
