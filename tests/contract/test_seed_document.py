"""The document this product grew from, "Monitoring: Dashboard vs StatusTracker": its statements and examples.

Examples stand here as they stand there, and are executed, with ``await`` at the top level and imports from
``antflow``. Names that the document leaves open (``items``, ``db``) are given; ``stages=[...]`` is filled in.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
import textwrap
from types import CodeType
from typing import TYPE_CHECKING, Any

import pytest

import antflow_core
from antflow_core import (
    DashboardProtocol,
    DashboardSnapshot,
    ErrorSummary,
    Pipeline,
    PipelineResult,
    Stage,
    StatusEvent,
    StatusTracker,
    TaskEvent,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.usefixtures("antflow")


@pytest.fixture
def antflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name under which the document's examples import the package."""
    monkeypatch.setitem(sys.modules, "antflow", antflow_core)


class Example:
    """Runs the document's code blocks in a namespace, as a reader would in a notebook."""

    def __init__(self, **names: Any) -> None:
        self.names: dict[str, Any] = {"asyncio": asyncio, **names}

    async def run(self, code: str) -> dict[str, Any]:
        """Execute a block; ``stages=[...]`` becomes the given stages."""
        source = textwrap.dedent(code).replace("stages=[...]", "stages=stages")
        compiled = compile(source, "<seed document>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert isinstance(compiled, CodeType)
        waiting = eval(compiled, self.names)
        if waiting is not None:
            await waiting
        return self.names


async def work(number: int) -> int:
    """Suspends once; fails for 42, as an item of the examples."""
    await asyncio.sleep(0)
    if number == 42:
        raise ValueError("42 is not welcome")
    return number * 2


def stages(**fields: Any) -> list[Stage]:
    """Two stages; items that fail do so in the first, at once."""

    async def check(number: int) -> int:
        await asyncio.sleep(0)
        return number

    return [
        Stage(name="Fetch", workers=3, tasks=[work], **{"task_attempts": 1, **fields}),
        Stage(name="Save", workers=2, tasks=[check]),
    ]


class Recording(DashboardProtocol):
    """A dashboard that keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.totals: list[int] = []
        self.snapshots: list[DashboardSnapshot] = []
        self.results: list[PipelineResult] = []
        self.summary: ErrorSummary | None = None

    def on_start(self, pipeline: Pipeline, total_items: int) -> None:
        self.calls.append("start")
        self.totals.append(total_items)

    def on_update(self, snapshot: DashboardSnapshot) -> None:
        self.calls.append("update")
        self.snapshots.append(snapshot)

    def on_finish(self, results: list[PipelineResult], summary: ErrorSummary) -> None:
        self.calls.append("finish")
        self.results, self.summary = results, summary


# --- Dashboard: polling-based monitoring

BUILT_IN = """
    from antflow import Pipeline, Stage

    async def task(x):
        await asyncio.sleep(0.1)
        return x * 2

    pipeline = Pipeline(stages=[Stage(name="Process", workers=5, tasks=[task])])

    # Option 1: Minimal progress bar
    await pipeline.run(items, progress=True)

    # Option 2: Compact dashboard
    await pipeline.run(items, dashboard="compact")

    # Option 3: Detailed dashboard (shows per-stage progress)
    await pipeline.run(items, dashboard="detailed")

    # Option 4: Full dashboard (includes error summary)
    await pipeline.run(items, dashboard="full")
"""


async def test_the_built_in_displays_run_one_after_another_on_one_pipeline(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await Example(items=[1, 2, 3]).run(BUILT_IN)
    output = capsys.readouterr().out
    assert output.count("Completed 3 of 3, failed 0") == 4
    assert output.count("Process") >= 4
    assert output.count("3 items") >= 4


@pytest.mark.parametrize("shown", [{"progress": True}, {"dashboard": "compact"}, {"dashboard": "detailed"}])
async def test_every_display_tells_the_failures_in_the_end(
    shown: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await Pipeline(stages=stages()).run(range(50), **shown)
    output = capsys.readouterr().out
    assert "Completed 49 of 50, failed 1" in output
    assert "Fetch" in output
    assert "Save" in output


async def test_the_full_dashboard_includes_the_error_summary(capsys: pytest.CaptureFixture[str]) -> None:
    await Pipeline(stages=stages()).run(range(50), dashboard="full")
    output = capsys.readouterr().out
    assert "ValueError in Fetch" in output
    assert "42 is not welcome" in output


def test_the_polling_interval_is_half_a_second_unless_told_otherwise() -> None:
    assert inspect.signature(Pipeline.run).parameters["dashboard_update_interval"].default == 0.5


INTERVALS = """
    # Fast updates (more responsive, higher CPU)
    await pipeline.run(items, dashboard="detailed", dashboard_update_interval=0.1)

    # Slow updates (less responsive, lower CPU)
    await pipeline.run(items, dashboard="detailed", dashboard_update_interval=1.0)
"""


async def test_the_polling_interval_is_configurable(capsys: pytest.CaptureFixture[str]) -> None:
    await Example(items=range(10), pipeline=Pipeline(stages=stages())).run(INTERVALS)
    assert capsys.readouterr().out.count("Completed 10 of 10") == 2


async def test_a_dashboard_is_polled_while_nothing_happens() -> None:
    polled = asyncio.Event()

    class Patient(Recording):
        def on_update(self, snapshot: DashboardSnapshot) -> None:
            super().on_update(snapshot)
            if len(self.snapshots) == 4:
                polled.set()

    async def wait_until_polled(number: int) -> int:
        await polled.wait()
        return number

    dashboard = Patient()
    pipeline = Pipeline(stages=[Stage(name="Wait", workers=1, tasks=[wait_until_polled])])
    await pipeline.run([1], custom_dashboard=dashboard, dashboard_update_interval=0.01)
    assert dashboard.calls[:5] == ["start", "update", "update", "update", "update"]
    assert dashboard.calls[-1] == "finish"


async def test_polling_asks_the_pipeline_for_its_snapshot() -> None:
    class Asked(Pipeline):
        times = 0

        def get_dashboard_snapshot(self) -> DashboardSnapshot:
            self.times += 1
            return super().get_dashboard_snapshot()

    pipeline, dashboard = Asked(stages=stages()), Recording()
    await pipeline.run(range(10), custom_dashboard=dashboard)
    assert pipeline.times >= len(dashboard.snapshots) >= 2


async def test_a_snapshot_has_worker_states_metrics_and_pipeline_statistics() -> None:
    dashboard = Recording()
    await Pipeline(stages=stages()).run(range(50), custom_dashboard=dashboard)
    last = dashboard.snapshots[-1]
    workers = {"Fetch-W0", "Fetch-W1", "Fetch-W2", "Save-W0", "Save-W1"}
    assert set(last.worker_states) == set(last.worker_metrics) == workers
    assert {state.status for state in last.worker_states.values()} == {"idle"}
    assert sum(metrics.items_processed for metrics in last.worker_metrics.values()) == 49 + 49
    assert last.pipeline_stats.items_processed == 49
    assert last.pipeline_stats.items_failed == 1
    assert last.pipeline_stats.stage_stats["Fetch"].failed_items == 1
    assert last.error_summary.total_failed == 1


async def test_a_snapshot_is_of_the_present_and_does_not_grow_with_the_items() -> None:
    sizes = []
    for count in (10, 1000):
        dashboard = Recording()
        await Pipeline(stages=stages()).run(range(100, 100 + count), custom_dashboard=dashboard)
        last = dashboard.snapshots[-1]
        sizes.append(
            (len(last.worker_states), len(last.worker_metrics), len(last.pipeline_stats.stage_stats))
        )
    assert sizes[0] == sizes[1]


CUSTOM = """
    from antflow import Pipeline, PipelineResult, DashboardSnapshot, DashboardProtocol

    class MyDashboard(DashboardProtocol):
        def on_start(self, pipeline, total_items):
            self.total = total_items
            print(f"Starting to process {total_items} items...")

        def on_update(self, snapshot: DashboardSnapshot):
            stats = snapshot.pipeline_stats
            progress = (stats.items_processed / self.total) * 100
            print(f"Progress: {progress:.1f}% ({stats.items_processed}/{self.total})")

        def on_finish(self, results: list[PipelineResult], summary):
            print(f"Done! Processed {len(results)} items")
            if summary.total_failed > 0:
                print(f"Failed: {summary.total_failed}")

    # Use custom dashboard
    pipeline = Pipeline(stages=[...])
    await pipeline.run(items, custom_dashboard=MyDashboard())
"""


async def test_a_custom_dashboard_is_told_start_progress_and_end(capsys: pytest.CaptureFixture[str]) -> None:
    await Example(items=range(50), stages=stages()).run(CUSTOM)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Starting to process 50 items..."
    assert lines[1] == "Progress: 0.0% (0/50)"
    assert lines[-3:] == ["Progress: 98.0% (49/50)", "Done! Processed 49 items", "Failed: 1"]


async def test_a_custom_dashboard_says_nothing_of_failures_where_there_are_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await Example(items=range(20), stages=stages()).run(CUSTOM)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["Progress: 100.0% (20/20)", "Done! Processed 20 items"]


async def test_a_custom_dashboard_need_not_be_a_subclass_of_the_protocol() -> None:
    calls: list[object] = []

    class Plain:
        def on_start(self, pipeline: Pipeline, total_items: int) -> None:
            calls.append(total_items)

        def on_update(self, snapshot: DashboardSnapshot) -> None:
            calls.append("update")

        def on_finish(self, results: list[PipelineResult], summary: ErrorSummary) -> None:
            calls.append(len(results))

    assert isinstance(Plain(), DashboardProtocol)
    await Pipeline(stages=stages()).run(range(5), custom_dashboard=Plain())
    assert calls[:2] == [5, "update"]
    assert calls[-2:] == ["update", 5]


# --- StatusTracker: event-driven monitoring

BASIC = """
    from antflow import Pipeline, StatusTracker, StatusEvent

    async def on_status_change(event: StatusEvent):
        print(f"Item {event.item_id}: {event.status} @ {event.stage}")

    tracker = StatusTracker(on_status_change=on_status_change)

    pipeline = Pipeline(stages=[...], status_tracker=tracker)
    await pipeline.run(items)
"""


async def test_the_basic_tracker_tells_every_status_of_every_item(capsys: pytest.CaptureFixture[str]) -> None:
    await Example(items=[7], stages=stages()).run(BASIC)
    assert capsys.readouterr().out.splitlines() == [
        "Item 0: queued @ Fetch",
        "Item 0: in_progress @ Fetch",
        "Item 0: completed @ Fetch",
        "Item 0: queued @ Save",
        "Item 0: in_progress @ Save",
        "Item 0: completed @ Save",
    ]


async def test_async_callbacks_are_invoked_at_the_event_and_waited_for() -> None:
    happened: list[str] = []

    async def on_status_change(event: StatusEvent) -> None:
        happened.append(f"{event.status} begins")
        await asyncio.sleep(0)
        happened.append(f"{event.status} ends")

    async def task(number: int) -> int:
        happened.append("task")
        return number

    tracker = StatusTracker(on_status_change=on_status_change)
    pipeline = Pipeline(stages=[Stage(name="Only", workers=1, tasks=[task])], status_tracker=tracker)
    await pipeline.run(["one"])
    assert happened == [
        "queued begins",
        "queued ends",
        "in_progress begins",
        "in_progress ends",
        "task",
        "completed begins",
        "completed ends",
    ]


EVENT_TYPES = """
    from antflow import StatusEvent, StatusTracker

    async def on_queued(event: StatusEvent):
        print(f"Queued: {event.item_id}")

    async def on_start(event: StatusEvent):
        print(f"Started: {event.item_id} on worker {event.worker}")

    async def on_completed(event: StatusEvent):
        print(f"Completed: {event.item_id}")

    async def on_failed(event: StatusEvent):
        error = event.metadata.get("error", "Unknown")
        print(f"Failed: {event.item_id} - {error}")

    tracker = StatusTracker(
        on_status_change=on_queued,  # Called for ALL status changes
    )
    # Or use specific callbacks:
    # tracker = StatusTracker(
    #     on_status_change=lambda e: print(f"Status: {e.status}"),
    #     on_task_start=lambda e: print(f"Task started: {e.task_name}"),
    #     on_task_complete=lambda e: print(f"Task done: {e.task_name}"),
    #     on_task_retry=lambda e: print(f"Retrying: {e.task_name}"),
    #     on_task_fail=lambda e: print(f"Task failed: {e.task_name}"),
    # )
"""


async def test_the_status_callback_is_called_for_all_status_changes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = await Example().run(EVENT_TYPES)
    await Pipeline(stages=stages(), status_tracker=names["tracker"]).run([1])
    assert capsys.readouterr().out.splitlines() == ["Queued: 0"] * 6


async def test_the_status_callbacks_of_the_document_find_in_the_event_what_they_print(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = await Example().run(EVENT_TYPES)
    by_status = {
        "queued": names["on_queued"],
        "in_progress": names["on_start"],
        "completed": names["on_completed"],
        "failed": names["on_failed"],
    }

    async def on_status_change(event: StatusEvent) -> None:
        await by_status[event.status](event)

    tracker = StatusTracker(on_status_change=on_status_change)
    one = Stage(name="Fetch", workers=1, tasks=[work], task_attempts=1)
    await Pipeline(stages=[one], status_tracker=tracker).run(
        [{"id": "good", "value": 1}, {"id": "bad", "value": 42}]
    )
    assert capsys.readouterr().out.splitlines() == [
        "Queued: good",
        "Queued: bad",
        "Started: good on worker Fetch-W0",
        "Completed: good",
        "Started: bad on worker Fetch-W0",
        "Failed: bad - 42 is not welcome",
    ]


async def test_plain_lambdas_serve_as_callbacks(capsys: pytest.CaptureFixture[str]) -> None:
    commented = EVENT_TYPES.split("# Or use specific callbacks:\n")[1]
    example = Example(StatusTracker=StatusTracker)
    names = await example.run(re.sub(r"(?m)^ *# ", "", commented))
    one = Stage(name="Fetch", workers=1, tasks=[work], task_attempts=2, task_wait_seconds=0)
    await Pipeline(stages=[one], status_tracker=names["tracker"]).run([42])
    assert capsys.readouterr().out.splitlines() == [
        "Status: queued",
        "Status: in_progress",
        "Task started: work",
        "Retrying: work",
        "Task started: work",
        "Task failed: work",
        "Status: failed",
    ]


QUERIES = """
    # Get current status of an item
    status = tracker.get_status(item_id=42)
    print(f"Current status: {status.status}")

    # Get all items in a specific status
    failed_items = tracker.get_by_status("failed")
    for item in failed_items:
        print(f"Failed item: {item.item_id}")

    # Get aggregate statistics
    stats = tracker.get_stats()
    print(f"Completed: {stats['completed']}, Failed: {stats['failed']}")

    # Get complete event history for an item
    history = tracker.get_history(item_id=42)
    for event in history:
        print(f"{event.timestamp}: {event.status} @ {event.stage}")
"""


async def test_after_the_run_the_tracker_answers_questions(capsys: pytest.CaptureFixture[str]) -> None:
    tracker = StatusTracker()
    await Pipeline(stages=stages(), status_tracker=tracker).run(range(100))
    names = await Example(tracker=tracker).run(QUERIES)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["Current status: failed", "Failed item: 42", "Completed: 99, Failed: 1"]
    assert [line.partition(": ")[2] for line in lines[3:]] == [
        "queued @ Fetch",
        "in_progress @ Fetch",
        "failed @ Fetch",
    ]
    times = [event.timestamp for event in names["history"]]
    assert times == sorted(times)


async def test_statistics_count_items_by_status_zeros_included() -> None:
    tracker = StatusTracker()
    await Pipeline(stages=stages(), status_tracker=tracker).run(range(10))
    stats = tracker.get_stats()
    assert stats == {"queued": 0, "in_progress": 0, "completed": 10, "failed": 0, "retrying": 0, "skipped": 0}


async def test_the_tracker_keeps_the_complete_history() -> None:
    tracker = StatusTracker()
    fields: dict[str, Any] = {"retry": "per_stage", "stage_attempts": 3}
    await Pipeline(stages=stages(**fields), status_tracker=tracker).run(range(50))
    retried = ["queued", "in_progress", "retrying", "in_progress", "retrying", "in_progress", "failed"]
    assert [event.status for event in tracker.get_history(42)] == retried
    through = ["queued", "in_progress", "completed"]
    for number in range(42):
        assert [event.status for event in tracker.get_history(number)] == through * 2


ERROR_SUMMARY = """
    error_summary = tracker.get_error_summary()
    print(f"Total failed: {error_summary.total_failed}")

    # Group by error type
    for error_type, count in error_summary.errors_by_type.items():
        print(f"  {error_type}: {count}")

    # Group by stage
    for stage, count in error_summary.errors_by_stage.items():
        print(f"  {stage}: {count}")

    # Get individual failed items
    for failed_item in error_summary.failed_items:
        print(f"Item {failed_item.item_id}: {failed_item.error}")
"""


async def test_the_tracker_sums_up_the_errors(capsys: pytest.CaptureFixture[str]) -> None:
    tracker = StatusTracker()
    items = [{"id": "a", "value": 42}, {"id": "b", "value": 1}, {"id": "c", "value": 42}]
    await Pipeline(stages=stages(), status_tracker=tracker).run(items)
    await Example(tracker=tracker).run(ERROR_SUMMARY)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["Total failed: 2", "  ValueError: 2", "  Fetch: 2"]
    assert sorted(lines[3:]) == ["Item a: 42 is not welcome", "Item c: 42 is not welcome"]


async def test_an_error_summary_without_errors_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    tracker = StatusTracker()
    await Pipeline(stages=stages(), status_tracker=tracker).run([1])
    await Example(tracker=tracker).run(ERROR_SUMMARY)
    assert capsys.readouterr().out == "Total failed: 0\n"


TASK_EVENTS = """
    async def on_task_start(event):
        print(f"Task '{event.task_name}' started on {event.worker}")

    async def on_task_complete(event):
        duration = event.duration
        print(f"Task '{event.task_name}' completed in {duration:.2f}s")

    async def on_task_retry(event):
        print(f"Task '{event.task_name}' retrying (attempt {event.attempt})")

    async def on_task_fail(event):
        print(f"Task '{event.task_name}' failed: {event.error}")

    tracker = StatusTracker(
        on_task_start=on_task_start,
        on_task_complete=on_task_complete,
        on_task_retry=on_task_retry,
        on_task_fail=on_task_fail,
    )
"""


def flaky(failures: Sequence[bool]) -> Any:
    """A task that fails as often as told."""
    outcomes = iter(failures)

    async def fetch(value: str) -> str:
        if next(outcomes):
            raise ConnectionError("no answer")
        return value

    return fetch


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        ([False], ["started on Only-W0", "completed in 0.00s"]),
        (
            [True, False],
            ["started on Only-W0", "retrying (attempt 1)", "started on Only-W0", "completed in 0.00s"],
        ),
        (
            [True, True],
            ["started on Only-W0", "retrying (attempt 1)", "started on Only-W0", "failed: no answer"],
        ),
    ],
)
async def test_tasks_tell_of_start_end_retry_and_failure(
    failures: list[bool], told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    names = await Example(StatusTracker=StatusTracker).run(TASK_EVENTS)
    stage = Stage(name="Only", workers=1, tasks=[flaky(failures)], task_attempts=2, task_wait_seconds=0)
    await Pipeline(stages=[stage], status_tracker=names["tracker"]).run(["x"])
    output = re.sub(r"in \d+\.\d\ds", "in 0.00s", capsys.readouterr().out)
    assert output.splitlines() == [f"Task 'fetch' {line}" for line in told]


async def test_a_failed_task_hands_over_the_exception_itself() -> None:
    events: list[TaskEvent] = []
    tracker = StatusTracker(on_task_fail=events.append)
    await Pipeline(stages=stages(), status_tracker=tracker).run([42])
    assert [(type(event.error), str(event.error), event.attempt) for event in events] == [
        (ValueError, "42 is not welcome", 1)
    ]


# --- Combining both mechanisms

COMBINED = """
    from antflow import Pipeline, StatusTracker

    async def log_to_db(event):
        # Store event in database
        await db.insert(event)

    tracker = StatusTracker(on_status_change=log_to_db)

    pipeline = Pipeline(
        stages=[...],
        status_tracker=tracker,
    )

    # Use dashboard for visual monitoring + tracker for logging
    await pipeline.run(items, dashboard="detailed")
"""


async def test_dashboard_and_tracker_work_together(capsys: pytest.CaptureFixture[str]) -> None:
    class Database:
        def __init__(self) -> None:
            self.rows: list[StatusEvent] = []

        async def insert(self, event: StatusEvent) -> None:
            await asyncio.sleep(0)
            self.rows.append(event)

    db = Database()
    names = await Example(items=range(50), stages=stages(), db=db).run(COMBINED)
    output = capsys.readouterr().out
    assert "Completed 49 of 50, failed 1" in output  # visual feedback
    assert len(db.rows) == 49 * 6 + 3  # persistent logging, complete when run() returns
    history = names["tracker"].get_history(item_id=7)
    assert history == [event for event in db.rows if event.item_id == 7]  # complete history


async def test_a_callback_that_raises_never_harms_the_run(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(event: StatusEvent) -> None:
        raise RuntimeError("the database is away")

    results = await Pipeline(stages=stages(), status_tracker=StatusTracker(on_status_change=fail)).run([1, 2])
    assert [result.value for result in results] == [2, 4]
    assert "the database is away" in caplog.text
