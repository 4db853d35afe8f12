"""Wrong arguments: each is refused where it is given, in one sentence with the wrong and the right."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from antflow_core import (
    AsyncExecutor,
    CompactDashboard,
    ExponentialBackoff,
    FullDashboard,
    Pipeline,
    ProgressDisplay,
    RecordedRun,
    Recorder,
    RunFileError,
    Stage,
    StageValidationError,
    StatusTracker,
    ValueCapture,
    call_rate_has_capacity,
    open_run,
    record,
    set_task_status,
)
from antflow_core.engine.recordings import RECORD_VARIABLE
from antflow_core.run_files.run_records import Outcome

TOO_LARGE = 10**400
"""A whole number that no float holds."""


async def same(value: Any) -> Any:
    return value


def numbers() -> Any:
    yield 1


async def load() -> list[int]:
    return [1]


def make_pipeline(**options: Any) -> Pipeline:
    return Pipeline([Stage("Fetch", workers=2, tasks=[same])], **options)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


# Pipelines


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda: None, "None$"),
        (lambda: 5, "5$"),
        (lambda: numbers, r"<function numbers at \w+>; call it: numbers\(\)$"),
        (lambda: load, r"<function load at \w+>; call it: load\(\)$"),
        (load, r"<coroutine object load at \w+>; await it first: await load\(\)$"),
    ],
)
async def test_items_can_be_gone_through(make: Callable[[], Any], got: str) -> None:
    sentence = rf"items must be a list or another iterable, async or not, got {got}"
    pipeline = make_pipeline()
    ways: list[Callable[[Any], Any]] = [pipeline.run, pipeline.stream, pipeline.feed, pipeline.feed_async]
    for way in ways:
        with pytest.raises(TypeError, match=sentence):
            await way(make())
    assert len(await pipeline.run([1, 2])) == 2


@pytest.mark.parametrize(
    ("interval", "kind", "words"),
    [
        ("1", TypeError, "must be a number of seconds, got '1'"),
        (None, TypeError, "must be a number of seconds, got None"),
        (math.nan, ValueError, "must be a number of seconds, got nan"),
        (TOO_LARGE, ValueError, "must be a number of seconds, got 1000"),
        (-1, ValueError, "must be more than 0 seconds, got -1"),
    ],
)
async def test_an_interval_is_a_time(interval: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=f"dashboard_update_interval {words}"):
        await make_pipeline().run([1], dashboard_update_interval=interval)


@pytest.mark.parametrize(
    ("size", "kind", "words"),
    [
        ("5", TypeError, "must be a whole number, got '5'"),
        (1.5, TypeError, "must be a whole number, got 1.5"),
        (math.nan, TypeError, "must be a whole number, got nan"),
        (True, TypeError, "must be a whole number, got True"),
        (-1, ValueError, "must be at least 0, got -1"),
    ],
)
def test_the_buffer_of_a_stream_has_whole_places(size: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=f"buffer_size {words}"):
        make_pipeline().stream([1], buffer_size=size)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"workers": 10**9}, r"'Fetch' must have at most 1,000,000 workers, got 1000000000"),
        ({"timeout": TOO_LARGE}, "timeout must be a number, got 1000"),
        ({"call_rate": TOO_LARGE}, "call_rate must be a number, got 1000"),
        ({"task_concurrency_limits": {1: 1, "x": 1}}, r"names unknown task\(s\) \[1, 'x'\]"),
    ],
)
def test_a_stage_judges_what_python_stumbles_over(fields: Any, words: str) -> None:
    with pytest.raises(StageValidationError, match=words):
        Pipeline([Stage(**{"name": "Fetch", "workers": 1, "tasks": [same], **fields})])


async def test_a_priority_that_no_float_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="priority must be a number, the lower the sooner; got 1000"):
        await make_pipeline().feed([1], priority=TOO_LARGE)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: set_task_status("half", min_interval="1"), "min_interval must be a number of seconds"),  # type: ignore[arg-type]
        (lambda: call_rate_has_capacity("1"), "amount must be a number, got '1'"),  # type: ignore[arg-type]
    ],
)
async def test_what_a_task_asks_of_its_worker_is_judged_too(ask: Callable[[], bool], words: str) -> None:
    async def asking(value: int) -> bool:
        return ask()

    pipeline = Pipeline([Stage("Fetch", 1, [asking], task_attempts=1, call_rate=5)])
    await pipeline.run([1])
    (failed,) = pipeline.get_error_summary().failed_items
    assert failed.error_type == "TypeError"
    assert failed.error.startswith(words)


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ({"first_s": "1"}, TypeError, "first_s must be a number, got '1'"),
        ({"longest_s": math.nan}, ValueError, "longest_s must be a number, got nan"),
        ({"draw": 0.5}, TypeError, "draw must be a function of no arguments, got 0.5"),
    ],
)
def test_a_backoff_is_made_of_numbers(values: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        ExponentialBackoff(**values)


# Executors


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"retry_delay": -1}, ValueError, "retry_delay must not be negative, got -1"),
        ({"retry_delay": "1"}, TypeError, "retry_delay must be a number of seconds, got '1'"),
        ({"retry_delay": math.nan}, ValueError, "retry_delay must be a number of seconds, got nan"),
        ({"retries": 1, "retry_delay": None}, TypeError, "retry_delay must be a number of seconds"),
    ],
)
async def test_a_delay_is_judged_with_retries_and_without(
    options: Any, kind: type[Exception], words: str
) -> None:
    executor = AsyncExecutor()
    with pytest.raises(kind, match=words):
        executor.submit(same, 1, **options)
    with pytest.raises(kind, match=words):
        await executor.map(same, [1], **options)


async def test_what_antflow_takes_for_retries_is_taken() -> None:
    calls = []

    async def flaky(value: int) -> int:
        calls.append(value)
        if len(calls) == 1:
            raise LookupError
        return value

    async with AsyncExecutor() as executor:
        assert await executor.submit(flaky, 1, retries=True, retry_delay=0) == 1
        assert await executor.submit(flaky, 2, retries=False, retry_delay=None) == 2  # type: ignore[call-overload]


def test_true_is_no_number_of_workers() -> None:
    with pytest.raises(TypeError, match="max_workers must be a whole number, got True"):
        AsyncExecutor(True)


@pytest.mark.parametrize(
    ("timeout", "kind"), [("5", TypeError), (math.nan, ValueError), (TOO_LARGE, ValueError)]
)
async def test_a_timeout_is_a_time(timeout: Any, kind: type[Exception]) -> None:
    async with AsyncExecutor() as executor:
        future = executor.submit(same, 1)
        waits: list[Callable[[], Awaitable[object]]] = [
            lambda: future.result(timeout),
            lambda: executor.map(same, [1], timeout=timeout),
            lambda: anext(executor.map_iter(same, [1], timeout=timeout)),
            lambda: executor.wait([future], timeout=timeout),
            lambda: anext(executor.as_completed([future], timeout=timeout)),
        ]
        for wait in waits:
            with pytest.raises(kind, match="timeout must be a number of seconds or None, got"):
                await wait()


async def test_a_single_future_is_no_list_of_them() -> None:
    async with AsyncExecutor() as executor:
        future: Any = executor.submit(same, 1)
        for wait in (executor.wait(future), anext(executor.as_completed(future))):
            with pytest.raises(TypeError, match=r"waits for a list of the futures .* got <AsyncFuture 0"):
                await wait


# Trackers


@pytest.mark.parametrize("query", [None, 5, b"status:failed", ["status:failed"], []])
def test_a_query_is_text(query: Any) -> None:
    with pytest.raises(TypeError, match=r"a query must be text, got .*; an empty one finds every event"):
        StatusTracker().search(query)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: StatusTracker(max_events="many"), "max_events must be a whole number, got 'many'"),  # type: ignore[arg-type]
        (lambda: StatusTracker(max_events=math.nan), "max_events must be a whole number, got nan"),  # type: ignore[arg-type]
        (lambda: StatusTracker().subscribe(5), "listener must be a function of a range of rows, got 5"),  # type: ignore[arg-type]
    ],
)
def test_a_tracker_judges_its_arguments(make: Callable[[], object], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        make()


# Recordings


@pytest.mark.parametrize("path", ["", "run\0.antflow"])
async def test_a_recording_is_not_made_where_no_file_is_named(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sentence = r"^The path of the run file (is empty; name a file|has a null character in it: 'run\\x00.*)$"
    pipeline = make_pipeline()
    ways: list[Callable[[], object]] = [
        lambda: record(StatusTracker(), path),
        lambda: Recorder(path),
        lambda: open_run(path),
        lambda: RecordedRun(path),
    ]
    for way in ways:
        with pytest.raises(RunFileError, match=sentence):
            way()
    with pytest.raises(RunFileError, match=sentence):
        await pipeline.run([1], record=path)
    with pytest.raises(RunFileError, match=sentence):
        await anext(pipeline.stream([1], record=path))
    assert names_in(tmp_path) == []


async def test_an_empty_variable_records_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(RECORD_VARIABLE, "")
    assert len(await make_pipeline().run([1, 2])) == 2
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("path", [5, True, b"run.antflow", None])
async def test_a_recording_is_made_at_a_path(path: Any) -> None:
    with pytest.raises(TypeError, match=r"^path must be the path of a file, got "):
        record(StatusTracker(), path)
    with pytest.raises(TypeError, match=r"^path must be the path of a file, got "):
        open_run(path)
    if path is not None:
        with pytest.raises(TypeError, match=r"^record must be the path of a file, got "):
            await make_pipeline().run([1], record=path)


def test_a_tracker_is_recorded_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    swapped: Any = ("run.antflow", StatusTracker())
    with pytest.raises(TypeError, match=r"got 'run.antflow'; the tracker comes first, then the path$"):
        record(*swapped)
    with pytest.raises(TypeError, match=r"tracker must be a StatusTracker, got None$"):
        record(None, "run.antflow")  # type: ignore[arg-type]
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"values": True}, "values must be a ValueCapture or None, got True"),
        ({"script": Path("orders.py")}, r"script must be the script's path as text, or None, got \w*Path"),
        ({"arguments": "--limit 5"}, "arguments must be a tuple of texts, or None, got '--limit 5'"),
        ({"arguments": ("--limit", 5)}, r"arguments must be a tuple of texts, or None, got \('--limit', 5\)"),
    ],
)
def test_a_recorder_judges_what_it_would_write(options: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=words):
        Recorder(tmp_path / "run.antflow", **options)
    assert names_in(tmp_path) == []


def test_a_recorder_ends_with_an_outcome(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run.antflow") as recorder:
        with pytest.raises(TypeError, match=r"outcome must be an Outcome, .*got 'bad'"):
            recorder.end("bad")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="message must be text or None, got 5"):
            recorder.end(Outcome.FAILED, 5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="run must be a whole number, got '1'"):
            recorder.follow(StatusTracker(), run="1")  # type: ignore[arg-type]
    assert open_run(recorder.path).info.outcome is Outcome.FINISHED


@pytest.mark.parametrize(
    ("size", "kind"), [("200", TypeError), (1.5, TypeError), (True, TypeError), (0, ValueError)]
)
def test_a_capture_keeps_whole_bytes(size: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="max_bytes must be "):
        ValueCapture(size)


async def test_a_recorded_run_judges_its_arguments(tmp_path: Path) -> None:
    await make_pipeline().run([1], record=tmp_path / "run.antflow")
    run: Any = open_run(str(tmp_path / "run.antflow"))
    asked: list[tuple[Callable[[], object], str]] = [
        (lambda: run.update("1"), "limit_s must be a number of seconds, got '1'"),
        (lambda: run.follow("1"), "interval_s must be a number of seconds, got '1'"),
        (lambda: run.snapshots("1"), "run must be a whole number, got '1'"),
        (lambda: run.snapshots(after=None), "after must be a number, got None"),
        (lambda: run.search(None), "a query must be text, got None"),
        (lambda: run.subscribe("x"), "listener must be a function of a range of rows, got 'x'"),
    ]
    for ask, words in asked:
        with pytest.raises(TypeError, match=words):
            ask()
    assert run.snapshots(10**30) == run.snapshots(after=10**30) == []


# Dashboards


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CompactDashboard("4"), "refresh_rate must be a number, got '4'"),  # type: ignore[arg-type]
        (lambda: CompactDashboard(total="9"), "total must be a whole number, got '9'"),  # type: ignore[arg-type]
        (lambda: CompactDashboard(console="x"), "console must be a rich.console.Console or None, got 'x'"),  # type: ignore[arg-type]
        (lambda: CompactDashboard(clock=1.5), "clock must be a function of no arguments, got 1.5"),  # type: ignore[arg-type]
        (lambda: FullDashboard(max_items_shown=None), "max_items_shown must be a number, got None"),  # type: ignore[arg-type]
        (lambda: ProgressDisplay(9, width="30"), "width must be a whole number, got '30'"),  # type: ignore[arg-type]
        (lambda: ProgressDisplay(9, fill_char=1), "fill_char must be text, got 1"),  # type: ignore[arg-type]
    ],
)
def test_a_dashboard_judges_its_arguments(make: Callable[[], object], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        make()
