"""What the history costs: recording, memory, answers and searches.

Run it as ``python -m tests.bench.history [EVENTS]`` (one million by default).
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from functools import partial

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import NO_DURATION, NO_ERROR, NO_TASK, NO_WORKER
from antflow_core.tracker import RunRecorder, StatusTracker
from antflow_core.units import format_bytes, format_count, format_duration

STAGES = ("Fetch", "Parse", "Save")
EVENTS_PER_ITEM = len(STAGES) * 5
QUERIES = (
    "",
    "status:failed",
    "stage:Parse",
    "status:failed,retrying stage:Fetch",
    "item:12345",
    "item:1*",
    "item:*77*",
    "777",
    "1",
    "parse",
    "parse-w3",
    "timeout",
    "-status:queued,in_progress parse",
    "nothing-like-this",
)


def best(action: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of some goes at something."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def show(what: str, figure: str) -> None:
    print(f"{what:<48}{figure:>16}")


def record_items(record: RunRecorder, items: int) -> None:
    """What an engine reports of items that go through, one in a hundred failing in its first stage."""
    status, task = record.status, record.task
    workers = [[f"{stage}-W{number}" for number in range(10)] for stage in STAGES]
    for item in range(items):
        for stage, name in enumerate(STAGES):
            worker = workers[stage][item % 10]
            status(item, stage, "queued")
            status(item, stage, "in_progress", worker, attempt=1)
            task(item, stage, name, worker, "start", 1)
            if item % 100 == 99:
                error = TimeoutError(f"timeout after {random.randrange(50)} s")
                task(item, stage, name, worker, "fail", 1, duration=0.01, error=error)
                status(item, stage, "failed", worker, attempt=1, duration=0.01, error=error)
                break
            task(item, stage, name, worker, "complete", 1, duration=0.01)
            status(item, stage, "completed", worker, attempt=1, duration=0.01)


def measure_append(events: int) -> None:
    """The log's own part of recording, every index known."""
    log = EventLog()
    log.begin_run("bench", STAGES, 0.0)
    item = log.run_items(1)[0]

    def append_all() -> None:
        for _ in range(events):
            log.append(1.0, item, 0, 1, 1, NO_TASK, NO_WORKER, NO_DURATION, NO_ERROR)

    show("append, indexes known", f"{best(append_all, 1) / events * 1e6:.2f} µs")


def measure_recording(events: int) -> StatusTracker:
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    started = time.perf_counter()
    record_items(record, events // EVENTS_PER_ITEM)
    spent = time.perf_counter() - started
    record.end()
    count = len(tracker.log)
    show("record an event, new items included", f"{spent / count * 1e6:.2f} µs")
    show("events a second", format_count(round(count / spent)))
    return tracker


def measure_answers(tracker: StatusTracker) -> None:
    middle = tracker.log.item_count // 2
    show("get_status", format_duration(best(lambda: tracker.get_status(middle))))
    show("get_history, first", format_duration(best(lambda: tracker.get_history(middle), 1)))
    show("get_history, then", format_duration(best(lambda: tracker.get_history(middle))))
    show("get_stats", format_duration(best(tracker.get_stats)))
    show("get_error_summary", format_duration(best(tracker.get_error_summary, 1)))
    rows = range(len(tracker.log) // 2, len(tracker.log) // 2 + 50)
    show("a page of 50 events", format_duration(best(lambda: tracker.log.page(rows))))

    def mirror_all() -> None:
        EventLog().mirror(tracker.log)()

    show("mirror, everything", format_duration(best(mirror_all, 1)))


def measure_searches(tracker: StatusTracker) -> None:
    for query in QUERIES:
        find = partial(tracker.search, query)
        first = best(find, 1)
        again = best(find)
        count = format_count(len(find()))
        show(f"search {query!r}", format_duration(again))
        show("", f"first {format_duration(first)}, {count} rows")


def main(events: int) -> None:
    print(f"{format_count(events)} events")
    measure_append(min(events, 1_000_000))
    tracker = measure_recording(events)
    size = tracker.log.memory_bytes
    show("memory", f"{format_bytes(size)}, {size / len(tracker.log):.1f} B/event")
    measure_answers(tracker)
    measure_searches(tracker)


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000)
