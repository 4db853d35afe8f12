"""Traced: what a run tells OpenTelemetry, if anybody listens."""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Any

from antflow_core.context import WorkerContext
from antflow_core.engine.feeding import Entry
from antflow_core.engine.invoke import Call
from antflow_core.engine.statistics import total_items
from antflow_core.engine.worker import Worker
from antflow_core.telemetry import OpenSpan, Spans, begin_spans, get_meter, text_of

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram, Meter

    from antflow_core.engine.run import Run
    from antflow_core.engine.stage_run import StageRun
    from antflow_core.telemetry import Attributes

_worker_var: ContextVar[TracedWorker] = ContextVar("traced_worker")
"""The worker that calls the current task."""

_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Where the histogram divides unless the program says otherwise; OpenTelemetry's own are meant for ms."""


def begin_telemetry(run: Run) -> RunTelemetry | None:
    """What a run that starts now tells of itself with; None where nobody listens."""
    spans = begin_spans()
    return None if spans is None else RunTelemetry(run, spans)


class RunTelemetry:
    """One run's spans and metrics.

    The run is a span from its start to its end. Parts of it are the items at each stage, from when a worker
    takes them until it is free again, and parts of these the attempts at tasks. Spans that a task, or the
    iterator that gives the items, opens itself become parts of what is current there.

    Args:
        run: It starts now.
        spans: Opens the spans.

    Attributes:
        spans: As given.
    """

    def __init__(self, run: Run, spans: Spans) -> None:
        self.spans = spans
        self._run = run
        self._total = (total_items(run) or 0) if run.sources else 0
        attributes: Attributes = {
            "antflow.pipeline.total_items": self._total,
            "antflow.pipeline.stages": len(run.stages),
            "antflow.pipeline.stage_names": [stage.name for stage in run.stages],
        }
        self._span = spans.around("antflow.pipeline.run", attributes)
        self._span.begin()
        self._counted = _Counted(run, spans)

    def make_worker(self, run: Run, stage: StageRun, context: WorkerContext) -> Worker:
        """A worker that tells what it does."""
        return TracedWorker(run, stage, context, self)

    def make_call(self, call: Call, task_name: str, stage_name: str) -> Call:
        """A task's call that tells of itself."""
        return _TracedCall(call, task_name, stage_name, self)

    def enter(self) -> None:
        """Make all that the current asyncio task does from here on a part of the run."""
        if self._span.context is not None:
            self.spans.attach(self._span.context)

    def count(self, stage: StageRun) -> None:
        """Bring the counters up to what the stage has done."""
        self._counted.follow(stage)

    def note_duration(self, duration_s: float, labels: dict[str, str]) -> None:
        """An attempt that took so long came through."""
        self._counted.note_duration(duration_s, labels)

    def end(self) -> None:
        """The run is over."""
        run = self._run
        for stage in run.stages:
            self.count(stage)
        self._span.note(
            {
                "antflow.pipeline.total_items": max(self._total, run.fed),
                "antflow.pipeline.items_processed": run.output.processed,
                "antflow.pipeline.items_failed": len(run.failures),
                "antflow.pipeline.items_dropped": run.dropped,
                "antflow.pipeline.items_cancelled": run.cancels.count,
            }
        )
        if run.fatal is not None:
            self._span.fail(run.fatal)
        self._span.end()


class TracedWorker(Worker):
    """A worker that makes a span of every item it takes."""

    def __init__(self, run: Run, stage: StageRun, context: WorkerContext, telemetry: RunTelemetry) -> None:
        super().__init__(run, stage, context)
        self._telemetry = telemetry
        self._attempts.note_failure = self._note_failure
        self._span_name = f"antflow.stage.{stage.name}"
        self._span: OpenSpan | None = None

    async def work(self) -> None:
        self._telemetry.enter()
        _worker_var.set(self)
        await super().work()

    def attempt_attributes(self) -> dict[str, str | int]:
        """Who calls a task now, and for the which time."""
        return {"antflow.task.attempt": self.hand.attempt, "antflow.worker.name": self._name}

    async def _handle(self, entry: Entry) -> None:
        attributes: Attributes = {
            "antflow.stage.name": self._stage.name,
            "antflow.worker.name": self._name,
            "antflow.item.id": text_of(entry.id),
            "antflow.item.attempt": entry.attempt,
        }
        with self._telemetry.spans.around(self._span_name, attributes) as self._span:
            await super()._handle(entry)
        self._telemetry.count(self._stage)

    def _note_failure(self, error: BaseException) -> None:
        if self._span is not None:
            self._span.fail(error)


class _TracedCall:
    """A task's call that makes a span of every attempt."""

    def __init__(self, call: Call, task_name: str, stage_name: str, telemetry: RunTelemetry) -> None:
        self._call = call
        self._telemetry = telemetry
        self._span_name = f"antflow.task.{task_name}"
        self._attributes = {"antflow.task.name": task_name, "antflow.stage.name": stage_name}
        self._labels = {"stage": stage_name, "task": task_name}

    async def __call__(self, value: Any) -> Any:
        attributes = {**self._attributes, **_worker_var.get().attempt_attributes()}
        with self._telemetry.spans.around(self._span_name, attributes):
            called = perf_counter()
            result = await self._call(value)
            self._telemetry.note_duration(perf_counter() - called, self._labels)
        return result


class _Counted:
    """The run's own numbers, as counters and a histogram; a fault of the listener's ends them."""

    def __init__(self, run: Run, spans: Spans) -> None:
        self._run = run
        self._spans = spans
        try:
            self._make(get_meter())
        except Exception as fault:  # noqa: BLE001  it is logged there
            spans.give_up(fault)

    def _make(self, meter: Meter) -> None:
        create = meter.create_counter
        failed = create("antflow.pipeline.items.failed", description="Items that failed for good")
        retried = create("antflow.pipeline.items.retried", description="Failed attempts followed by another")
        self._by_stage = [
            (_Follower(failed, stage.name, stage.failed), _Follower(retried, stage.name, stage.retried))
            for stage in self._run.stages
        ]
        processed = create("antflow.pipeline.items.processed", description="Items that ended in a result")
        self._processed = _Follower(processed, self._run.stages[-1].name, self._run.output.processed)
        self._duration = _create_histogram(meter)

    def follow(self, stage: StageRun) -> None:
        if self._spans.tracer is None:
            return
        try:
            failed, retried = self._by_stage[stage.index]
            failed.follow(stage.failed)
            retried.follow(stage.retried)
            if stage.following is None:
                self._processed.follow(self._run.output.processed)
        except Exception as fault:  # noqa: BLE001  it is logged there
            self._spans.give_up(fault)

    def note_duration(self, duration_s: float, labels: dict[str, str]) -> None:
        if self._spans.tracer is None:
            return
        try:
            self._duration.record(duration_s, labels)
        except Exception as fault:  # noqa: BLE001  it is logged there
            self._spans.give_up(fault)


class _Follower:
    """A counter that is told how far one of the run's numbers is, and counts what is new."""

    def __init__(self, counter: Counter, stage_name: str, number: int) -> None:
        self._counter = counter
        self._labels = {"stage": stage_name}
        self._number = number

    def follow(self, number: int) -> None:
        if number > self._number:
            self._counter.add(number - self._number, self._labels)
        self._number = number  # it falls where failed items are tried again


def _create_histogram(meter: Meter) -> Histogram:
    name, unit, description = "antflow.task.duration", "s", "How long attempts took that came through"
    try:
        return meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=_BOUNDS_S)
    except TypeError:  # before OpenTelemetry 1.30
        return meter.create_histogram(name, unit, description)
