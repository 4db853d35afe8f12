"""What recording a run costs, and how long a run file takes to open.

The pipeline is that of the engine's benchmark, tracked in both cases; to make and to close the file counts.
The opened file has ten million events of three stages, one item in a hundred failed.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from array import array
from pathlib import Path

import numpy as np

from antflow_core import Pipeline, StatusTracker
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KIND_INDEX, NO_ERROR, NO_TASK, NO_WORKER, record_dtype
from antflow_core.recorded_run import open_run
from antflow_core.recording import record
from tests.bench.child import in_child
from tests.bench.engine import stages
from tests.bench.rounds import Table, at_least, at_most, interleave, read_options, stopwatch

STEPS = ("queued", "in_progress", "start", "complete", "completed")
NAMES = ("Fetch", "Parse", "Save")
MESSAGES = 50
_FIRST_ITEMS = 1_000
TOGETHER = 30
"""Items that are under way at once, so that their events are mixed."""


def items_a_second(items: int, path: str | None, *, tracked: bool = True) -> float:
    """A run, recorded into a file if there is a path.

    A short one goes before it: that modules are loaded for the first recording of a process does not count.

    Args:
        tracked: It has a tracker; else one is made for the recording, which holds the newest events only.
    """

    async def timed(count: int, file: str | None) -> float:
        gc.collect()
        began = time.perf_counter()
        tracker = StatusTracker() if tracked else None
        await Pipeline(stages(), status_tracker=tracker).run(range(count), record=file)
        return count / (time.perf_counter() - began)

    asyncio.run(timed(_FIRST_ITEMS, None if path is None else f"{path}.first"))
    return asyncio.run(timed(items, path))


def items_a_second_made(items: int, path: str) -> float:
    """The same without a tracker of its own."""
    return items_a_second(items, path, tracked=False)


def filled_log(log: EventLog, events: int) -> None:
    """Have a log look as if items had gone through three stages, five events in each."""
    each = len(NAMES) * len(STEPS)
    count = max(events // each // TOGETHER, 1) * TOGETHER
    log.begin_run("bench", NAMES, 1_000.0)
    known = log.run_items(1)
    for number in range(count):
        known[f"order-{number:07}" if number % 2 else number]
    # Items become known as they are fed, so that those of later rows need not be read for the first ones.
    log.items.first_rows[:] = array("q", (number // TOGETHER * TOGETHER * each for number in range(count)))
    tasks = [log.task_indexes[name.lower()] for name in NAMES]
    workers = [[log.worker_indexes[f"{name}-W{at}"] for at in range(10)] for name in NAMES]
    errors = [log.errors.index(TimeoutError(f"no answer after {number} s")) for number in range(MESSAGES)]
    items = np.arange(count, dtype=np.int32).reshape(-1, 1, TOGETHER)
    shape = (count // TOGETHER, each, TOGETHER)
    records = np.zeros(shape, record_dtype())
    records["item"] = items
    records["time"] = 1_000.0 + np.arange(records.size).reshape(shape) * 1e-6
    records["duration"], records["error"] = np.nan, NO_ERROR
    records["worker"], records["task"] = NO_WORKER, NO_TASK
    for stage in range(len(NAMES)):
        for step, name in enumerate(STEPS):
            column = records[:, stage * len(STEPS) + step]
            column["stage"], column["kind"] = stage, KIND_INDEX[name]
            if name != "queued":
                column["attempt"], column["worker"] = 1, np.take(workers[stage], items[:, 0] % 10)
            if name in ("start", "complete"):
                column["task"] = tasks[stage]
            if name.startswith("complete"):
                column["duration"] = 0.01
    last, failed = records[:, -1], items[:, 0] % 100 == 0
    last["kind"][failed] = KIND_INDEX["failed"]
    last["error"][failed] = np.take(errors, items[:, 0] // 100 % MESSAGES)[failed]
    log.append_records(records.reshape(-1))


def seconds_to_open(path: str, query: str) -> dict[str, float]:
    """Until the first rows are there, until all are, and what is asked then."""
    with stopwatch() as elapsed:
        run = open_run(path, whole=False)
        first_row = run.log.event(0)
        first = elapsed()
        run.update()
    assert first_row.kind == "queued" and run.is_whole
    whole = elapsed()
    with stopwatch() as elapsed:
        found = len(run.search(query))
    searched = elapsed()
    with stopwatch() as elapsed:
        assert run.get_status(0) is not None
    return {
        "first": first,
        "whole": whole,
        "search": searched,
        "status": elapsed(),
        "found": float(found),
        "events": float(len(run.log)),
        "bytes": run.log.memory_bytes / len(run.log),
    }


def main() -> None:
    """Print a table."""
    options = read_options(__doc__, rounds=(5, 3), items=(120_000, 30_000), events=(10_000_000, 1_000_000))
    table = Table("Run files", options.markdown)
    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(10_000))

        def file() -> str:
            return str(Path(folder, f"{next(numbers)}.antflow"))

        rounds = interleave(
            {
                "off": lambda: float(in_child(items_a_second, options.items, None)),
                "on": lambda: float(in_child(items_a_second, options.items, file())),
                "made": lambda: float(in_child(items_a_second_made, options.items, file())),
            },
            options.rounds,
        )
        table.add("recording on beside off, items a second", rounds.ratio("on", "off"), "×", at_least(0.85))
        table.add("the same with a tracker made for it", rounds.ratio("made", "off"), "×")
        tracker, path = StatusTracker(), file()
        filled_log(tracker.log, options.events)
        with stopwatch() as elapsed, record(tracker, path):
            pass
        table.add("writing a whole log, events a second", len(tracker.log) / elapsed(), "/s")
        table.add("size of the file", Path(path).stat().st_size / len(tracker.log), "B/event")
        opened = [in_child(seconds_to_open, path, "status:failed") for _ in range(3)]
        figures = {name: min(each[name] for each in opened) for name in opened[0]}
        table.add(f"first rows of {len(tracker.log):,} events", figures["first"], "s", at_most(1))
        table.add("all of them", figures["whole"], "s", at_most(3))
        table.add("search for failed items then", figures["search"] * 1e3, "ms")
        table.add("memory, as the log tells", figures["bytes"], "B/event", at_most(64))


if __name__ == "__main__":
    main()
