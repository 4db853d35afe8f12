"""The packed event log: rows, dictionaries, counts, errors and announcements."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import (
    KINDS,
    NO_DURATION,
    NO_ERROR,
    NO_TASK,
    NO_WORKER,
    RECORD,
    record_dtype,
)
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.history.tracebacks import FIRST_FRAMES, LAST_FRAMES, MAX_FRAMES, MAX_LINKS
from antflow_core.tracker import StatusTracker
from tests.support.events import raised

QUEUED, IN_PROGRESS, COMPLETED = 0, 1, 2
START = KINDS.index("start")
SHOWN_FRAMES = FIRST_FRAMES + LAST_FRAMES


def log_with_run(*stages: str) -> EventLog:
    log = EventLog()
    log.begin_run("demo", stages or ("Fetch",), 1_000.0)
    return log


def append(log: EventLog, item_id: object, kind: int = QUEUED, at: float = 0.0) -> int:
    item = log.run_items(1)[item_id]
    return log.append(at, item, 0, kind, 0, NO_TASK, NO_WORKER, NO_DURATION, NO_ERROR)


def filled(rows: int, items: int = 100) -> EventLog:
    log = log_with_run()
    for row in range(rows):
        append(log, row % items, row % 6, float(row))
    return log


def test_an_event_comes_back_as_plain_values() -> None:
    log = log_with_run("Fetch", "Parse")
    item = log.run_items(1)["a"]
    task, worker = log.task_indexes["parse"], log.worker_indexes["Parse-W3"]

    row = log.append(1_234.5, item, 1, START, 2, task, worker, 0.25, NO_ERROR)

    event = log.event(row)
    assert (event.row, event.run, event.time, event.item_id) == (0, 1, 1_234.5, "a")
    assert (event.stage, event.stage_index, event.kind, event.is_status) == ("Parse", 1, "start", False)
    assert (event.attempt, event.worker, event.task, event.duration) == (2, "Parse-W3", "parse", 0.25)
    assert event.error == -1


def test_what_is_absent_is_none() -> None:
    log = filled(1)
    event = log.event(0)
    assert (event.worker, event.task, event.duration) == (None, None, None)


@pytest.mark.parametrize("row", [-1, 3])
def test_a_row_outside_the_log_is_refused(row: int) -> None:
    with pytest.raises(IndexError, match=f"no row {row}"):
        filled(3).event(row)


def test_rows_go_on_over_chunks() -> None:
    log = filled(2 * CHUNK_ROWS + 5)
    assert len(log) == log.next_row == 2 * CHUNK_ROWS + 5
    rows = [0, CHUNK_ROWS - 1, CHUNK_ROWS, 2 * CHUNK_ROWS + 4]
    assert [event.time for event in log.page(rows)] == rows


def test_columns_share_memory_inside_a_chunk_and_are_read_only() -> None:
    log = filled(20)
    columns = log.columns(5, 15)
    assert columns["time"].tolist() == list(range(5, 15))
    assert columns.base is not None
    with pytest.raises(ValueError, match="read-only"):
        columns["time"][0] = 1


def test_columns_are_joined_over_chunks() -> None:
    log = filled(CHUNK_ROWS + 10)
    columns = log.columns(CHUNK_ROWS - 3, CHUNK_ROWS + 3)
    assert columns["time"].tolist() == [*range(CHUNK_ROWS - 3, CHUNK_ROWS + 3)]
    assert len(log.columns(4, 4)) == 0
    with pytest.raises(ValueError, match="read-only"):
        columns["time"][0] = 1


@pytest.mark.parametrize("rows", [0, 10, CHUNK_ROWS, CHUNK_ROWS + 10])
def test_columns_have_the_type_of_records_however_many_chunks_they_span(rows: int) -> None:
    columns = filled(rows).columns(0, rows)
    assert columns.dtype == record_dtype()
    assert columns.itemsize == RECORD.size
    assert len(columns) == rows


def test_columns_appended_to_another_log_give_the_same_events() -> None:
    log, copy = filled(CHUNK_ROWS + 10), log_with_run()
    for item in range(100):
        copy.run_items(1).index(item)
    copy.append_records(log.columns(0, len(log)))
    assert copy.page(range(len(copy))) == log.page(range(len(log)))
    assert copy.status_counts() == log.status_counts()


def test_records_without_padding_or_in_another_order_are_converted() -> None:
    import numpy as np
    from numpy.lib.recfunctions import repack_fields

    log = filled(6)
    columns = log.columns(0, 6)
    packed = repack_fields(columns)
    turned = repack_fields(columns[list(reversed(columns.dtype.names or ()))])
    swapped = columns.astype(columns.dtype.newbyteorder(">"))
    assert packed.itemsize < RECORD.size
    for records in (packed, turned, swapped, columns[::2], columns[:0]):
        first = log.append_records(records)
        assert np.array_equal(log.columns(first, len(log))["time"], records["time"])
        assert np.array_equal(log.columns(first, len(log))["kind"], records["kind"])


def test_records_that_are_none_are_refused_and_nothing_is_added() -> None:
    import numpy as np
    from numpy.lib.recfunctions import append_fields, drop_fields

    log = filled(6)
    columns = log.columns(0, 6)
    wide = [(name, "<i8" if name == "item" else columns.dtype[name]) for name in columns.dtype.names or ()]
    refused: list[Any] = [
        drop_fields(columns, "error"),
        append_fields(columns, "more", np.zeros(6), usemask=False),
        columns.astype(wide),
        columns.reshape(2, 3),
        np.zeros(6),
    ]
    for records in refused:
        with pytest.raises(TypeError, match="records must be one-dimensional with the fields time <f8, item"):
            log.append_records(records)
    assert len(log) == 6


def test_the_log_grows_while_columns_are_held() -> None:
    log = filled(3)
    held = log.columns(0, 3)
    append(log, "new")
    assert len(held) == 3
    assert len(log.columns(0, 10)) == 4


def test_rows_of_an_item_are_found_in_order() -> None:
    log = filled(2 * CHUNK_ROWS + 7, items=9_000)
    assert log.rows_of_item(17).tolist() == list(range(17, 2 * CHUNK_ROWS + 7, 9_000))
    append(log, 17)
    assert log.rows_of_item(17)[-1] == 2 * CHUNK_ROWS + 7


def test_a_value_past_its_field_is_stored_as_the_largest() -> None:
    log = log_with_run()
    item = log.run_items(1)["a"]
    row = log.append(0.0, item, 0, START, 1_000_000, NO_TASK, NO_WORKER, 1e300, NO_ERROR)
    event = log.event(row)
    assert event.attempt == 65_535
    assert event.duration is not None
    assert math.isfinite(event.duration)


def test_more_tasks_than_the_field_holds_share_the_last_name() -> None:
    log = log_with_run()
    indexes = [log.task_indexes[f"task-{number}"] for number in range(65_540)]
    assert max(indexes) == 65_534
    assert log.tasks[65_533] == "task-65533"
    assert log.tasks[indexes[-1]] == "…"


def test_more_stages_than_the_field_holds_share_the_last_name() -> None:
    log = EventLog()
    for run in range(7):
        log.begin_run("", [f"stage-{run}-{number}" for number in range(10_000)], 0.0)
    assert log.stage_indexes(7)[0] == 60_000
    assert log.stage_indexes(7)[-1] == 65_535
    assert log.stages[65_535].name == "…"


@pytest.mark.parametrize("other", ["1", 2, 1.5, (1,), None])
def test_ids_differ_as_python_compares_them(other: object) -> None:
    items = log_with_run().run_items(1)
    assert items[1] != items[other]


@pytest.mark.parametrize("same", [True, 1.0])
def test_ids_are_the_same_as_python_compares_them(same: object) -> None:
    items = log_with_run().run_items(1)
    assert items[1] == items[same]


def test_a_numpy_integer_is_the_same_id_as_an_int() -> None:
    import numpy as np

    items = log_with_run().run_items(1)
    assert items[1] == items[np.int64(1)]


def test_an_unhashable_id_is_recorded_by_its_repr() -> None:
    log = log_with_run()
    item = log.run_items(1).index([1, 2])
    assert log.item_id(item) == "[1, 2]"
    assert log.items_with_id([1, 2]) == [item]


def test_an_id_that_cannot_be_printed_still_has_a_text() -> None:
    class Silent:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    log = log_with_run()
    assert log.item_text(log.run_items(1)[Silent()]) == "<unprintable Silent>"


def test_counts_follow_every_items_current_status() -> None:
    log = log_with_run()
    append(log, "a", QUEUED)
    append(log, "b", QUEUED)
    append(log, "a", IN_PROGRESS)
    append(log, "a", START)
    assert log.status_counts() == {
        "queued": 1,
        "in_progress": 1,
        "completed": 0,
        "failed": 0,
        "retrying": 0,
        "skipped": 0,
    }


def test_runs_are_counted_apart() -> None:
    tracker = StatusTracker()
    first, second = tracker.begin_run(["A"]), tracker.begin_run(["A", "B"], name="other")
    first.status(0, 0, "completed")
    second.status(0, 1, "failed")
    log = tracker.log
    assert log.status_counts(1)["completed"] == 1
    assert log.status_counts(2)["completed"] == 0
    assert log.status_counts(2)["failed"] == 1
    assert [(run.number, run.name, run.stages, run.stage_base) for run in log.runs] == [
        (1, "", ("A",), 0),
        (2, "other", ("A", "B"), 1),
    ]
    assert log.event(1).run == 2
    assert log.event(1).stage == "B"
    assert log.event(1).stage_index == 2


def test_the_end_of_a_run_is_noted() -> None:
    log = log_with_run()
    assert log.runs[0].ended_at is None
    log.end_run(1, 2_000.0)
    assert log.runs[0].ended_at == 2_000.0


def test_memory_is_near_the_size_of_the_records() -> None:
    log = filled(4 * CHUNK_ROWS, items=1_000)
    assert 32 <= log.memory_bytes / len(log) < 40


def test_the_texts_of_errors_count_until_they_are_forgotten() -> None:
    log = log_with_run()
    kept = log.errors.index(ValueError("is of no use"))
    before = log.memory_bytes
    long = log.errors.index(ValueError("x" * 1_500))
    assert log.memory_bytes - before > 1_500
    log.errors.forget(long)
    assert log.memory_bytes - before < 100
    assert log.errors.type_name(kept) == log.errors.type_name(long) == "ValueError"


def test_numpy_is_not_loaded_by_recording_and_simple_answers() -> None:
    code = (
        "import sys\n"
        "from antflow_core.tracker import StatusTracker\n"
        "tracker = StatusTracker()\n"
        "record = tracker.begin_run(['A'])\n"
        "record.status(1, 0, 'failed', error=ValueError('x'))\n"
        "tracker.get_status(1), tracker.get_stats(), tracker.get_error_summary()\n"
        "assert 'numpy' not in sys.modules\n"
    )
    folder = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder)


# Errors


def error_index(log: EventLog, error: BaseException) -> int:
    return log.errors.index(error)


def test_an_error_is_kept_as_type_message_and_traceback() -> None:
    log = EventLog()
    record = log.error(error_index(log, raised(ValueError("bad thing"))))
    assert record.type_name == "ValueError"
    assert record.message == "bad thing"
    assert record.traceback.startswith("Traceback (most recent call last):\n")
    assert "raise error" in record.traceback
    assert record.traceback.endswith("\nValueError: bad thing")


def test_an_error_never_raised_has_no_frames() -> None:
    log = EventLog()
    assert log.error(error_index(log, KeyError("k"))).traceback == "KeyError: 'k'"


def test_equal_errors_have_one_index() -> None:
    log = EventLog()
    indexes = {error_index(log, raised(ValueError("same"))) for _ in range(3)}
    assert len(indexes) == 1


def test_errors_with_different_messages_share_one_traceback_text() -> None:
    log = EventLog()
    indexes = [error_index(log, raised(ValueError(f"item {number}"))) for number in range(50)]
    assert len(set(indexes)) == 50
    assert len({log.error_parts(index).template for index in indexes}) == 1
    assert log.error(indexes[7]).traceback.endswith("ValueError: item 7")


def test_causes_are_shown_with_their_own_messages_and_share_one_text() -> None:
    def wrapped(number: int) -> BaseException:
        cause = raised(OSError(f"refused {number}"))
        error = RuntimeError(f"cannot fetch {number}")
        error.__cause__ = cause
        return raised(error)

    log = EventLog()
    indexes = [error_index(log, wrapped(number)) for number in range(5)]

    assert len({log.error_parts(index).template for index in indexes}) == 1
    text = log.error(indexes[3]).traceback
    assert "OSError: refused 3\n\nThe above exception was the direct cause of the following" in text
    assert text.endswith("RuntimeError: cannot fetch 3")


def test_the_context_of_an_error_is_shown_unless_suppressed() -> None:
    log = EventLog()
    error = ValueError("second")
    error.__context__ = KeyError("first")
    assert "During handling of the above exception" in log.error(error_index(log, error)).traceback
    error.__suppress_context__ = True
    assert log.error(error_index(log, error)).traceback == "ValueError: second"


def test_members_of_a_group_are_shown() -> None:
    log = EventLog()
    group = ExceptionGroup("two", [ValueError("one"), KeyError("other")])
    text = log.error(error_index(log, group)).traceback
    assert text.startswith("ExceptionGroup: two (2 sub-exceptions)")
    assert "Member 1 of 2 of the group:\n\nValueError: one" in text
    assert text.endswith("KeyError: 'other'")


def test_notes_of_an_error_are_shown() -> None:
    log = EventLog()
    error = ValueError("bad")
    error.add_note("while reading row 7")
    assert log.error(error_index(log, error)).traceback == "ValueError: bad\nwhile reading row 7"


def test_of_many_notes_the_first_and_the_last_are_shown() -> None:
    """One exception object that many items share gathers a note of each."""
    log = EventLog()
    error = ValueError("bad")
    for number in range(1_000):
        error.add_note(f"item {number}")
    lines = log.error(error_index(log, error)).traceback.splitlines()
    assert lines[:2] == ["ValueError: bad", "item 0"]
    assert "… 990 more notes …" in lines
    assert lines[-1] == "item 999"
    assert len(lines) == 12


def test_an_error_that_leads_back_to_itself_ends() -> None:
    log = EventLog()
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    assert log.error(error_index(log, first)).traceback.endswith("ValueError: first")


def test_a_long_chain_keeps_its_end() -> None:
    log = EventLog()
    error: BaseException | None = None
    for number in range(100):
        following = ValueError(f"link {number}")
        following.__cause__ = error
        error = following
    assert error is not None
    text = log.error(error_index(log, error)).traceback
    assert text.endswith("ValueError: link 99")
    assert "link 0" not in text


def test_long_texts_are_cut() -> None:
    log = EventLog()
    record = log.error(error_index(log, ValueError("x" * 1_000_000)))
    assert len(record.message) == 2_000
    assert record.message.endswith("…")

    text = log.error(error_index(log, sunk(400, ValueError("deep")))).traceback
    assert len(text) < 16_100
    assert text.endswith("ValueError: deep")


def sunk(depth: int, error: BaseException) -> BaseException:
    """The error after it rose through a recursion; its lines take turns, for Python folds equal ones."""

    def sink(depth: int) -> None:
        if depth == 0:
            raise error
        if depth % 2:
            sink(depth - 1)
        else:
            sink(depth - 1)

    with pytest.raises(type(error)) as caught:
        sink(depth)
    return caught.value


def frame_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("  File ")]


def test_a_short_traceback_is_shown_whole() -> None:
    log = EventLog()
    text = log.error(error_index(log, sunk(SHOWN_FRAMES - 2, ValueError("x")))).traceback
    assert len(frame_lines(text)) == SHOWN_FRAMES
    assert "left out" not in text


def test_a_deep_traceback_shows_how_it_began_and_where_it_ended() -> None:
    log = EventLog()
    text = log.error(error_index(log, sunk(300, ValueError("x")))).traceback
    assert len(frame_lines(text)) == SHOWN_FRAMES
    assert f"  … {302 - SHOWN_FRAMES} frames left out …" in text
    assert "in sunk" in frame_lines(text)[0]
    assert text.endswith("    raise error\nValueError: x")


def test_an_error_raised_over_and_over_soon_adds_no_more_texts() -> None:
    log = EventLog()
    error = ValueError("shared")
    for _ in range(MAX_FRAMES):
        raised(error)
    indexes = {error_index(log, raised(error)) for _ in range(100)}
    assert len(indexes) == 1
    text = log.error(indexes.pop()).traceback
    assert "  … more frames left out …" in text
    assert len(text) < 10_000


def test_frames_of_every_exception_in_a_chain_are_bounded() -> None:
    log = EventLog()
    error = sunk(300, ValueError("x"))
    error.__cause__ = sunk(200, KeyError("y"))
    text = log.error(error_index(log, error)).traceback
    assert len(frame_lines(text)) <= 2 * SHOWN_FRAMES
    assert text.count("frames left out") == 2


def test_a_group_of_groups_is_shown_in_part() -> None:
    log = EventLog()
    error: Exception = ValueError("innermost")
    for depth in range(2_000):
        error = ExceptionGroup(f"level {depth}", [error, ValueError("beside")])
    text = log.error(error_index(log, error)).traceback
    assert text.startswith("ExceptionGroup: level 1999")
    assert text.count("of the group:") == MAX_LINKS - 1


def test_an_error_that_cannot_be_printed_is_recorded() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    log = EventLog()
    assert log.error(error_index(log, SilentError())).message == "<unprintable SilentError>"


def test_a_traceback_begins_at_the_users_own_frames() -> None:
    from antflow_core.history.dictionaries import safe_text

    def users_code(value: object) -> str:
        raise KeyboardInterrupt(f"with {value}")

    with pytest.raises(KeyboardInterrupt) as caught:
        safe_text("v", users_code)
    error = caught.value
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next  # the test's own frame, which leads into the package
    log = EventLog()
    lines = log.error(error_index(log, error)).traceback.splitlines()
    assert "users_code" in lines[1]


# Announcements


async def tick() -> None:
    """Let everything that is ready in the loop run once."""
    await asyncio.sleep(0)


async def test_rows_of_one_tick_are_announced_together() -> None:
    log, heard = log_with_run(), list[range]()
    log.subscribe(heard.append)
    for number in range(5):
        append(log, number)
    assert heard == []
    await tick()
    assert heard == [range(5)]
    append(log, 5)
    await tick()
    assert heard == [range(5), range(5, 6)]


async def test_a_subscriber_hears_only_what_comes_after_it() -> None:
    log, heard = filled(3), list[range]()
    log.subscribe(heard.append)
    append(log, "a")
    late = list[range]()
    log.subscribe(late.append)
    append(log, "b")
    await tick()
    assert heard == [range(3, 5)]
    assert late == [range(4, 5)]


async def test_unsubscribing_twice_is_harmless() -> None:
    log, heard = log_with_run(), list[range]()
    unsubscribe = log.subscribe(heard.append)
    append(log, "a")
    unsubscribe()
    unsubscribe()
    await tick()
    assert heard == []


async def test_one_listener_may_remove_another_while_it_is_told() -> None:
    log, heard = log_with_run(), list[range]()
    log.subscribe(lambda rows: unsubscribe())
    unsubscribe = log.subscribe(heard.append)
    append(log, "a")
    await tick()
    assert heard == []


async def test_a_listener_that_raises_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    log, heard = log_with_run(), list[range]()

    def broken(rows: range) -> None:
        raise RuntimeError("listener broke")

    log.subscribe(broken)
    log.subscribe(heard.append)
    append(log, "a")
    await tick()
    assert heard == [range(1)]
    assert caplog.records[0].name == "antflow.tracker"
    assert "listener broke" in caplog.text


async def test_what_a_listener_writes_is_announced_in_the_next_tick() -> None:
    log, heard = log_with_run(), list[range]()

    def echo(rows: range) -> None:
        heard.append(rows)
        if log.next_row < 3:
            append(log, log.next_row)

    log.subscribe(echo)
    append(log, "a")
    await tick()
    await tick()
    await tick()
    assert heard == [range(1), range(1, 2), range(2, 3)]


def test_rows_written_without_a_loop_wait_for_one() -> None:
    log, heard = log_with_run(), list[range]()
    log.subscribe(heard.append)
    append(log, "a")
    assert heard == []

    async def write() -> None:
        append(log, "b")
        await tick()

    asyncio.run(write())
    assert heard == [range(2)]


def test_flush_announces_at_once() -> None:
    log, heard = log_with_run(), list[range]()
    log.subscribe(heard.append)
    append(log, "a")
    log.flush()
    log.flush()
    assert heard == [range(1)]


def test_a_loop_closed_too_early_does_not_silence_the_next_run() -> None:
    log, heard = log_with_run(), list[range]()
    log.subscribe(heard.append)
    loop = asyncio.new_event_loop()

    loop.call_soon(append, log, "a")
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert heard == []

    async def next_run() -> None:
        log.begin_run("again", ["A"], 0.0)
        append(log, "b")
        await tick()

    asyncio.run(next_run())
    assert heard == [range(2)]
