"""AntFlow Desk's engine: asyncio pipelines that can be watched, without Qt.

::

    __main__, cli   the command antflow-core
    _version        the version, read by the build too
    exceptions      every error raised on purpose
    types           values that cross borders: results, events, states, statistics, snapshots, protocols
    arguments       what callers give, judged where they give it
    units           how numbers read to a person
    standard_streams  a program's own lines on stdout and stderr
    stage           Stage and its validation
    pipeline        Pipeline: lifecycle and reading
    builder         PipelineBuilder, quick pipelines
    executor        AsyncExecutor: single tasks in the style of concurrent.futures
    engine          what runs a pipeline
    context         what a task may ask of its worker; how a host watches pipelines start
    tracker         StatusTracker: the log, callbacks, questions
    history         the packed event log
    search          the query language, and searches over a log
    run_files       what a log holds, as a file
    recorded_run    RecordedRun: a run file with the questions and the search of a tracker
    export          events as CSV, JSON lines, Parquet, SQLite
    display         terminal dashboards
    link            how a viewer meets a run
    scripts         pipeline scripts: read, load, run
    recording       trackers into run files, beside the run
    reports         what a recording is told as in a terminal
    telemetry       OpenTelemetry spans, counters and durations
    fast_loop       a faster event loop where one is installed
    resources       files that come with the package
    utils           three functions that old scripts import
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from antflow_core._version import __version__

if TYPE_CHECKING:
    from antflow_core.builder import PipelineBuilder
    from antflow_core.context import call_rate_has_capacity, concurrency_limit, rate_limit, set_task_status
    from antflow_core.display import (
        BaseDashboard,
        CompactDashboard,
        DetailedDashboard,
        FullDashboard,
        ProgressDisplay,
    )
    from antflow_core.engine.retry import ExponentialBackoff
    from antflow_core.exceptions import (
        AntFlowError,
        ExecutorShutdownError,
        PipelineError,
        QueryError,
        RunFileError,
        ScriptError,
        StageValidationError,
        TaskFailedError,
    )
    from antflow_core.executor import AsyncExecutor, AsyncFuture, WaitStrategy
    from antflow_core.fast_loop import install_fast_loop
    from antflow_core.pipeline import Pipeline
    from antflow_core.recorded_run import RecordedRun, open_run
    from antflow_core.recording import Recorder, ValueCapture, record
    from antflow_core.search.result import SearchResult
    from antflow_core.stage import Stage
    from antflow_core.telemetry import configure_telemetry, telemetry_enabled
    from antflow_core.tracker import StatusTracker
    from antflow_core.types import (
        DashboardProtocol,
        DashboardSnapshot,
        ErrorSummary,
        FailedItem,
        PipelineResult,
        PipelineStats,
        StageStats,
        StatusEvent,
        StatusType,
        TaskEvent,
        TaskEventType,
        TaskFunc,
        WorkerMetrics,
        WorkerState,
        WorkerStatus,
    )

__all__ = [
    "AntFlowError",
    "AsyncExecutor",
    "AsyncFuture",
    "BaseDashboard",
    "CompactDashboard",
    "DashboardProtocol",
    "DashboardSnapshot",
    "DetailedDashboard",
    "ErrorSummary",
    "ExecutorShutdownError",
    "ExponentialBackoff",
    "FailedItem",
    "FullDashboard",
    "Pipeline",
    "PipelineBuilder",
    "PipelineError",
    "PipelineResult",
    "PipelineStats",
    "ProgressDisplay",
    "QueryError",
    "RecordedRun",
    "Recorder",
    "RunFileError",
    "ScriptError",
    "SearchResult",
    "Stage",
    "StageStats",
    "StageValidationError",
    "StatusEvent",
    "StatusTracker",
    "StatusType",
    "TaskEvent",
    "TaskEventType",
    "TaskFailedError",
    "TaskFunc",
    "ValueCapture",
    "WaitStrategy",
    "WorkerMetrics",
    "WorkerState",
    "WorkerStatus",
    "__version__",
    "call_rate_has_capacity",
    "concurrency_limit",
    "configure_telemetry",
    "install_fast_loop",
    "open_run",
    "rate_limit",
    "record",
    "set_task_status",
    "telemetry_enabled",
]

_HOMES = {
    "builder": ("PipelineBuilder",),
    "context": (
        "call_rate_has_capacity",
        "concurrency_limit",
        "rate_limit",
        "set_task_status",
    ),
    "display": (
        "BaseDashboard",
        "CompactDashboard",
        "DetailedDashboard",
        "FullDashboard",
        "ProgressDisplay",
    ),
    "engine.retry": ("ExponentialBackoff",),
    "exceptions": (
        "AntFlowError",
        "ExecutorShutdownError",
        "PipelineError",
        "QueryError",
        "RunFileError",
        "ScriptError",
        "StageValidationError",
        "TaskFailedError",
    ),
    "executor": ("AsyncExecutor", "AsyncFuture", "WaitStrategy"),
    "fast_loop": ("install_fast_loop",),
    "pipeline": ("Pipeline",),
    "recorded_run": ("RecordedRun", "open_run"),
    "recording": ("Recorder", "ValueCapture", "record"),
    "search.result": ("SearchResult",),
    "stage": ("Stage",),
    "telemetry": ("configure_telemetry", "telemetry_enabled"),
    "tracker": ("StatusTracker",),
    "types": (
        "DashboardProtocol",
        "DashboardSnapshot",
        "ErrorSummary",
        "FailedItem",
        "PipelineResult",
        "PipelineStats",
        "StageStats",
        "StatusEvent",
        "StatusType",
        "TaskEvent",
        "TaskEventType",
        "TaskFunc",
        "WorkerMetrics",
        "WorkerState",
        "WorkerStatus",
    ),
}
"""Where each name lives. Nothing is loaded before it is asked for: many commands need only a few of them."""


_SUBMODULES = (
    "context",
    "display",
    "exceptions",
    "executor",
    "pipeline",
    "telemetry",
    "tracker",
    "types",
    "utils",
)
"""What ``import antflow`` makes reachable as attributes in AntFlow, and so in scripts written for it."""


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"antflow_core.{name}")
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"antflow_core.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
