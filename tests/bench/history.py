"""What the history costs: recording, memory, answers, and searches until the table shows them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import FAILED, NO_DURATION, NO_ERROR, NO_TASK, NO_WORKER
from antflow_core.tracker import RunRecorder, StatusTracker
from tests.bench.child import in_child
from tests.bench.footprint import resident_bytes
from tests.bench.rounds import Table, at_most, best_seconds, read_options, stopwatch

if TYPE_CHECKING:
    from antflow_gui.views.events import EventsView

STAGES = ("Fetch", "Parse", "Save")
EVENTS_PER_ITEM = len(STAGES) * 5
QUERIES = (
    "",
    "status:failed",
    "stage:Parse",
    "status:failed,retrying stage:Fetch",
    "status:failed OR (stage:Save duration:>15ms)",
    "item:12345",
    "item:1*",
    "item:*77*",
    "777",
    "1",
    "parse",
    "s",
    "parse 1 timeout",
    "worker:Parse-W3",
    "task:Parse event:complete",
    "attempt:>=1",
    "duration:>15ms",
    "error:timeout",
    "-status:queued,in_progress parse",
    "run:1 last:1s",
    "(stage:Fetch OR worker:Parse-W1) -status:queued attempt:1 duration:5ms..20ms",
    "nothing-like-this",
    "timeout OR refused OR 503 OR http OR order OR parse OR save OR w3 OR 77",
    "-timeout -refused -503 -http -order -w3 -77",
    "-(s OR 1 OR -status:failed,queued,in_progress OR -attempt:>=1)",
    " OR ".join(f"(stage:Parse worker:Parse-W{n} duration:>{n + 8}ms attempt:1)" for n in range(5)),
    f"duration:{','.join(f'{n}ms..{n + 1}ms' for n in range(0, 40, 2))}",
)
_MEMORY_EVENTS = 5_000_000
_ANSWER_MS, _SEARCH_MS, _TABLE_MS = 10, 100, 150
_PASS_MS = 23
"""What a bare pass over two columns took on the machine for which the milliseconds were set."""


def record_items(record: RunRecorder, items: int) -> None:
    """What an engine reports of items that go through, one in a hundred failing in its first stage."""
    status, task = record.status, record.task
    workers = [[f"{stage}-W{number}" for number in range(10)] for stage in STAGES]
    for item in range(items):
        took = 0.01 + item % 100 * 0.0001
        for stage, name in enumerate(STAGES):
            worker = workers[stage][item % 10]
            status(item, stage, "queued")
            status(item, stage, "in_progress", worker, attempt=1)
            task(item, stage, name, worker, "start", 1)
            if item % 100 == 99:
                error = TimeoutError(f"timeout after {random.randrange(50)} s")
                task(item, stage, name, worker, "fail", 1, duration=took, error=error)
                status(item, stage, "failed", worker, attempt=1, duration=took, error=error)
                break
            task(item, stage, name, worker, "complete", 1, duration=took)
            status(item, stage, "completed", worker, attempt=1, duration=took)


def recorded(events: int) -> StatusTracker:
    """A tracker with so many events of one run."""
    tracker = StatusTracker()
    record = tracker.begin_run(STAGES)
    record_items(record, events // EVENTS_PER_ITEM)
    record.end()
    return tracker


def event_bytes(events: int) -> float:
    """By how much this process grows with each event."""
    recorded(10_000)
    before = resident_bytes()
    tracker = recorded(events)
    return (resident_bytes() - before) / len(tracker.log)


def measure_append(table: Table, events: int) -> None:
    """The log's own part of recording, every index known."""
    log = EventLog()
    log.begin_run("bench", STAGES, 0.0)
    item = log.run_items(1)[0]

    def append_all() -> None:
        for _ in range(events):
            log.append(1.0, item, 0, 1, 1, NO_TASK, NO_WORKER, NO_DURATION, NO_ERROR)

    table.add("append an event, indexes known", best_seconds(append_all, 1) / events * 1e6, "µs")


def measure_answers(table: Table, tracker: StatusTracker, few: StatusTracker) -> None:
    """The tracker's questions, with many events and beside few."""
    log, middle = tracker.log, tracker.log.item_count // 2

    def thousand_statuses(asked: StatusTracker) -> None:
        for item in range(1_000):
            asked.get_status(item)

    many_s, few_s = (best_seconds(partial(thousand_statuses, asked), 9) for asked in (tracker, few))
    what = f"get_status, {len(log):,} events beside {len(few.log):,}"
    table.add(what, many_s / few_s, "×", at_most(1.5))
    first_s = best_seconds(partial(tracker.get_history, middle), 1)
    table.add("get_history, the first time", first_s * 1e3, "ms", at_most(_ANSWER_MS))
    again_s = best_seconds(partial(tracker.get_history, middle))
    table.add("get_history", again_s * 1e3, "ms", at_most(_ANSWER_MS))
    rows = range(len(log) // 2, len(log) // 2 + 50)
    answers: dict[str, Callable[[], object]] = {
        "get_stats": tracker.get_stats,
        "get_error_summary": tracker.get_error_summary,
        "a page of 50 events": partial(log.page, rows),
        "mirror, everything": EventLog().mirror(log),
    }
    for what, ask in answers.items():
        table.add(what, best_seconds(ask, 1) * 1e3, "ms")


def measure_searches(table: Table, tracker: StatusTracker) -> None:
    """Each query the first time it is asked, when some prepare what later ones use, and then again."""
    loading_s = best_seconds(partial(StatusTracker().search, "status:failed"), 1)
    table.add("the first search of a process, which loads numpy and lark", loading_s * 1e3, "ms")
    firsts: dict[str, float] = {}
    agains: dict[str, float] = {}
    for query in QUERIES:
        find = partial(tracker.search, query)
        firsts[query] = best_seconds(find, 1) * 1e3
        agains[query] = best_seconds(find) * 1e3
        name = f"search {query!r}, {len(find()):,} rows"
        table.detail(f"{name}, the first time", firsts[query], "ms")
        table.detail(name, agains[query], "ms")
    _add_slowest(table, "search, the first time", firsts, _SEARCH_MS)
    _add_slowest(table, "search", agains, _SEARCH_MS)
    pass_ms = best_seconds(partial(pass_over, tracker.log)) * 1e3
    table.add("a bare pass over status and stage", pass_ms, "ms")
    for what, times_ms in (("search, the first time", firsts), ("search", agains)):
        beside = max(times_ms.values()) / pass_ms
        table.add(
            f"{what}, the slowest beside that pass", beside, "×", at_most(round(_SEARCH_MS / _PASS_MS, 1))
        )


def pass_over(log: EventLog) -> int:
    """How many events have one status and one stage, by nothing but numpy."""
    return sum(
        int(((block["kind"] == FAILED) & (block["stage"] == 1)).sum())
        for _, block in log.blocks(log.first_row, log.next_row)
    )


def _add_slowest(table: Table, what: str, times_ms: dict[str, float], limit_ms: float) -> None:
    slowest = max(times_ms, key=lambda query: times_ms[query])
    what = f"{what}, the slowest of {len(times_ms)} queries ({slowest})"
    table.add(what, times_ms[slowest], "ms", at_most(limit_ms))


def measure_table(table: Table, tracker: StatusTracker) -> None:
    """How soon the app's event table shows what a query finds, from Return until it has painted."""
    from PySide6.QtWidgets import QApplication

    from antflow_gui.models.events import EventsModel
    from antflow_gui.theme import Theme
    from antflow_gui.views.events import EventsView

    app = QApplication.instance() or QApplication([])
    theme = Theme()
    view = EventsView(EventsModel(), theme)
    view.resize(1100, 500)
    view.show()
    view.set_history(tracker.log)
    app.processEvents()
    shown = {query: _shown_s(view, query) * 1e3 for query in QUERIES[1:]}
    for query, shown_ms in shown.items():
        table.detail(f"the table shows {query!r}", shown_ms, "ms")
    _add_slowest(table, "search until the table shows it", shown, _TABLE_MS)


def _shown_s(view: EventsView, query: str) -> float:
    view.clear_query()
    view.table.viewport().repaint()
    with stopwatch() as elapsed:
        view.set_query(query)
        view.table.viewport().repaint()
    assert view.query == query
    return elapsed()


def main() -> None:
    """Measure, and show."""
    options = read_options(__doc__, events=(10_000_000, 1_000_000))
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    table = Table(f"History of {options.events:,} events", options.markdown)
    grown = in_child(event_bytes, min(options.events, _MEMORY_EVENTS))
    table.add("memory the process grows by, an event", grown, "B", at_most(64))
    measure_append(table, min(options.events, 1_000_000))
    with stopwatch() as elapsed:
        tracker = recorded(options.events)
    table.add("record an event, one call each", elapsed() / len(tracker.log) * 1e6, "µs")
    table.add("memory as the log knows it, an event", tracker.log.memory_bytes / len(tracker.log), "B")
    measure_answers(table, tracker, recorded(options.events // 100))
    measure_searches(table, tracker)
    measure_table(table, tracker)
    while tracker.log.narrow_columns.prepare(chunks=1):
        pass
    kept = tracker.log.memory_bytes / len(tracker.log)
    table.add("memory as the log knows it, an event, with what searches keep", kept, "B", at_most(64))


if __name__ == "__main__":
    main()
