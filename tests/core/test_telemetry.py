"""Telemetry: the spans and metrics of runs, as an OpenTelemetry SDK gets them, and nothing when off."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from antflow_core import AsyncExecutor, Pipeline, Stage, telemetry
from antflow_core.scripts import run_script
from antflow_core.telemetry import Spans, begin_spans, configure_telemetry, telemetry_enabled
from tests.support.processes import run_python

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

Labels = tuple[tuple[str, Any], ...]


class Told:
    """What the program was told."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracing = TracerProvider(shutdown_on_exit=False)
        self.tracing.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.metering = MeterProvider([self._reader], shutdown_on_exit=False)

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """The spans that have ended, in that order."""
        return [span for span in self._exporter.get_finished_spans() if span.name.startswith(name)]

    def one(self, name: str) -> ReadableSpan:
        [span] = self.spans(name)
        return span

    def lines(self) -> list[str]:
        """Every span as the names of what it is part of, outermost first."""
        by_id = {span.context.span_id: span for span in self.spans()}
        lines = []
        for span in self.spans():
            names, parent = [span.name], span.parent
            while parent is not None:
                names.append(by_id[parent.span_id].name)
                parent = by_id[parent.span_id].parent
            lines.append(" / ".join(name.removeprefix("antflow.") for name in reversed(names)))
        return lines

    def points(self, name: str) -> dict[Labels, Any]:
        """A metric's points by their labels."""
        data = self._reader.get_metrics_data()
        metrics = [
            metric
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            if scope.scope.name == "antflow"
            for metric in scope.metrics
            if metric.name == name
        ]
        return {
            tuple(sorted((point.attributes or {}).items())): point
            for metric in metrics
            for point in metric.data.data_points
        }

    def counts(self, name: str) -> dict[Labels, int | float]:
        points = self.points(name).items()
        return {labels: point.value for labels, point in points if isinstance(point, NumberDataPoint)}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """OpenTelemetry as a program sets it up, for this test alone: it can be set up once a process only."""
    told = Told()
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", told.tracing)
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER", told.metering)
    yield told
    told.tracing.shutdown()
    told.metering.shutdown()


@pytest.fixture(autouse=True)
def _switched_on() -> Iterator[None]:
    yield
    configure_telemetry()


async def same(value: Any) -> Any:
    return value


def own_span(name: str = "own") -> Any:
    return trace.get_tracer("a script").start_as_current_span(name)


def exceptions(span: ReadableSpan) -> list[str]:
    return [str((event.attributes or {})["exception.type"]) for event in span.events]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return {name.removeprefix("antflow."): value for name, value in (span.attributes or {}).items()}


# Spans


async def test_a_run_holds_items_at_stages_and_these_hold_tasks(told: Told) -> None:
    async def other(value: int) -> int:
        return value

    await Pipeline([Stage("First", 1, [same, other]), Stage("Last", 1, [same])]).run([1])
    assert told.lines() == [
        "pipeline.run / stage.First / task.same",
        "pipeline.run / stage.First / task.other",
        "pipeline.run / stage.First",
        "pipeline.run / stage.Last / task.same",
        "pipeline.run / stage.Last",
        "pipeline.run",
    ]


async def test_spans_say_what_they_are_about(told: Told) -> None:
    await Pipeline([Stage("A", 1, [same]), Stage("B", 2, [same])]).run([{"id": "row 7"}])
    assert attributes(told.one("antflow.pipeline.run")) == {
        "pipeline.stages": 2,
        "pipeline.stage_names": ("A", "B"),
        "pipeline.total_items": 1,
        "pipeline.items_processed": 1,
        "pipeline.items_failed": 0,
        "pipeline.items_dropped": 0,
        "pipeline.items_cancelled": 0,
    }
    assert attributes(told.one("antflow.stage.A")) == {
        "stage.name": "A",
        "worker.name": "A-W0",
        "item.id": "row 7",
        "item.attempt": 1,
    }
    assert attributes(told.spans("antflow.task.same")[0]) == {
        "task.name": "same",
        "task.attempt": 1,
        "worker.name": "A-W0",
        "stage.name": "A",
    }


async def test_every_attempt_is_a_span_and_a_failed_one_says_why(told: Told) -> None:
    calls: list[int] = []

    async def fail_once(value: int) -> int:
        calls.append(value)
        if len(calls) == 1:
            raise LookupError("not yet")
        return value

    await Pipeline([Stage("A", 1, [fail_once], task_wait_seconds=0)]).run([1])
    first, second = told.spans("antflow.task")
    assert (first.status.status_code, first.status.description) == (StatusCode.ERROR, "LookupError: not yet")
    assert exceptions(first) == ["LookupError"]
    assert (second.status.status_code, exceptions(second)) == (StatusCode.UNSET, [])
    assert [attributes(span)["task.attempt"] for span in (first, second)] == [1, 2]
    assert told.one("antflow.stage.A").status.status_code is StatusCode.UNSET


async def test_an_item_that_fails_for_good_is_an_error_of_its_stage(told: Told) -> None:
    async def fail(_: int) -> None:
        raise LookupError("never")

    await Pipeline([Stage("A", 1, [fail], task_attempts=2, task_wait_seconds=0)]).run([1])
    assert [exceptions(span) for span in told.spans("antflow.task")] == [["LookupError"]] * 2
    stage = told.one("antflow.stage.A")
    assert (stage.status.status_code, exceptions(stage)) == (StatusCode.ERROR, ["LookupError"])
    assert attributes(told.one("antflow.pipeline.run"))["pipeline.items_failed"] == 1


async def test_an_item_that_is_put_back_is_at_its_stage_again(told: Told) -> None:
    calls: list[int] = []

    async def fail_once(value: int) -> int:
        calls.append(value)
        if len(calls) == 1:
            raise LookupError("not yet")
        return value

    await Pipeline([Stage("A", 1, [same, fail_once], retry="per_stage")]).run([1])
    visits = told.spans("antflow.stage.A")
    assert [attributes(span)["item.attempt"] for span in visits] == [1, 2]
    assert {span.status.status_code for span in visits} == {StatusCode.UNSET}
    assert [attributes(span)["task.attempt"] for span in told.spans("antflow.task.fail_once")] == [1, 2]


async def test_a_skipped_item_is_at_its_stage_without_a_task(told: Told) -> None:
    await Pipeline([Stage("A", 1, [same], skip_if=lambda value: value == 1)]).run([1])
    assert told.lines() == ["pipeline.run / stage.A", "pipeline.run"]


@pytest.mark.parametrize("kind", ["on the loop", "own thread", "threads"])
async def test_spans_that_a_task_opens_are_part_of_it(told: Told, kind: str) -> None:
    async def look_async(value: int) -> int:
        with own_span():
            await asyncio.sleep(0)
        return value

    def look(value: int) -> int:
        with own_span():
            return value

    with ThreadPoolExecutor(1) as pool:
        task: Any = look_async if kind == "on the loop" else look
        stage = Stage("A", 2, [task], executor=pool if kind == "threads" else None)
        await Pipeline([stage]).run(range(3))
    name = "look_async" if kind == "on the loop" else "look"
    assert told.lines().count(f"pipeline.run / stage.A / task.{name} / own") == 3
    assert len(told.spans("own")) == 3


async def test_a_run_is_part_of_what_it_is_started_in(told: Told) -> None:
    async def outer(value: int) -> int:
        await Pipeline([Stage("Inner", 1, [same])]).run([value])
        return value

    with own_span("request"):
        await Pipeline([Stage("Outer", 1, [outer])]).run([1])
    assert "request / pipeline.run / stage.Outer / task.outer / pipeline.run / stage.Inner" in told.lines()
    assert told.lines()[-1] == "request"


async def test_what_the_source_of_the_items_does_is_part_of_the_run(told: Told) -> None:
    async def pages() -> AsyncIterator[int]:
        with own_span("page"):
            await asyncio.sleep(0)
        yield 1

    await Pipeline([Stage("A", 1, [same])]).run(pages())
    assert "pipeline.run / page" in told.lines()
    assert attributes(told.one("antflow.pipeline.run"))["pipeline.total_items"] == 1


async def test_a_stream_and_a_pipeline_that_is_fed_are_runs_too(told: Told) -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    assert [result.value async for result in pipeline.stream([1])] == [1]
    await pipeline.start()
    await pipeline.feed([2, 3])
    await pipeline.join()
    assert told.lines().count("pipeline.run / stage.A / task.same") == 3
    runs = told.spans("antflow.pipeline.run")
    assert [attributes(run)["pipeline.items_processed"] for run in runs] == [1, 2]


async def test_a_worker_that_is_added_from_elsewhere_is_part_of_the_run(told: Told) -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.start()
    with own_span("elsewhere"):
        pipeline.set_workers("A", 3)
    await pipeline.feed(range(9))
    await pipeline.join()
    assert {line for line in told.lines() if "stage" in line} == {
        "pipeline.run / stage.A",
        "pipeline.run / stage.A / task.same",
    }


async def test_what_ends_a_run_against_its_will_is_recorded(told: Told) -> None:
    async def leave(_: int) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        await Pipeline([Stage("A", 1, [leave])]).run([1])
    assert [exceptions(told.one(f"antflow.{name}")) for name in ("task", "stage", "pipeline")] == [
        ["SystemExit"]
    ] * 3


async def test_the_spans_of_a_cancelled_run_end(told: Told) -> None:
    inside = asyncio.Event()

    async def wait(_: int) -> None:
        inside.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(Pipeline([Stage("A", 1, [wait])]).run([1, 2]))
    await inside.wait()
    running.cancel()
    await asyncio.wait((running,))
    assert told.lines() == ["pipeline.run / stage.A / task.wait", "pipeline.run / stage.A", "pipeline.run"]
    assert exceptions(told.one("antflow.task.wait")) == ["asyncio.exceptions.CancelledError"]
    assert attributes(told.one("antflow.pipeline.run"))["pipeline.items_dropped"] == 2


async def test_a_failed_item_that_is_tried_again_is_counted_anew(told: Told) -> None:
    broken = True

    async def fail_while_broken(value: int) -> int:
        if broken:
            raise LookupError("broken")
        return value

    pipeline = Pipeline([Stage("A", 1, [fail_while_broken], task_attempts=1)])
    await pipeline.run([1, 2])
    broken = False
    assert len(await pipeline.retry_failed()) == 2
    labels = (("stage", "A"),)
    assert told.counts("antflow.pipeline.items.failed") == {labels: 2}
    assert told.counts("antflow.pipeline.items.processed") == {labels: 2}
    assert len(told.spans("antflow.pipeline.run")) == 2


# Metrics


async def test_items_are_counted_by_the_stage_where_they_end(told: Told) -> None:
    async def refuse(value: int) -> int:
        if value % 2:
            raise LookupError("odd")
        return value

    stages = [
        Stage("A", 2, [refuse], task_attempts=2, task_wait_seconds=0),
        Stage("B", 1, [same], skip_if=lambda value: value == 0),
    ]
    pipeline = Pipeline(stages)
    for _ in range(2):
        await pipeline.run(range(5))
    assert told.counts("antflow.pipeline.items.processed") == {(("stage", "B"),): 6}
    assert told.counts("antflow.pipeline.items.failed") == {(("stage", "A"),): 4}
    assert told.counts("antflow.pipeline.items.retried") == {(("stage", "A"),): 4}


async def test_attempts_that_come_through_are_timed_in_seconds(told: Told) -> None:
    async def refuse(value: int) -> int:
        if value:
            raise LookupError("no")
        return value

    await Pipeline([Stage("A", 1, [refuse], task_attempts=1)]).run(range(3))
    [(labels, point)] = told.points("antflow.task.duration").items()
    assert labels == (("stage", "A"), ("task", "refuse"))
    assert isinstance(point, HistogramDataPoint)
    assert point.count == 1
    assert 0 <= point.sum < 1
    assert point.explicit_bounds[0] == 0.001


# On and off


async def test_switched_off_nothing_is_told(told: Told) -> None:
    configure_telemetry(enabled=False)
    assert not telemetry_enabled()
    assert begin_spans() is None
    await Pipeline([Stage("A", 1, [same])]).run([1])
    assert told.spans() == []
    configure_telemetry()
    assert telemetry_enabled()
    await Pipeline([Stage("A", 1, [same])]).run([1])
    assert len(told.spans()) == 3


async def test_a_run_is_told_of_to_its_end_or_not_at_all(told: Told) -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    await pipeline.start()
    configure_telemetry(False)
    await pipeline.feed([1])
    await pipeline.join()
    assert len(told.spans()) == 3
    await pipeline.run([1])
    assert len(told.spans()) == 3


async def test_where_no_provider_is_set_a_run_is_like_one_without_telemetry() -> None:
    pipeline = Pipeline([Stage("A", 1, [same])])
    assert len(await pipeline.run([1])) == 1
    assert telemetry_enabled()
    assert pipeline._run.telemetry is None


async def test_a_hosted_script_switches_for_itself_alone(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from antflow.telemetry import configure_telemetry, telemetry_enabled\n"
        "async def main():\n"
        "    configure_telemetry(enabled=False)\n"
        "    return telemetry_enabled()\n"
    )
    assert (await run_script(script)).value is False
    assert telemetry_enabled()


RUN = """
import asyncio, sys
import antflow_core
from antflow_core import Pipeline, Stage

async def same(value):
    return value

pipeline = Pipeline([Stage("A", 1, [same])])
assert len(asyncio.run(pipeline.run([1]))) == 1
"""


def test_a_run_loads_nothing_of_opentelemetry_where_nobody_listens(tmp_path: Path) -> None:
    code = f"{RUN}\nprint([name for name in sys.modules if name.startswith('opentelemetry')])"
    ended = run_python("-c", code, cwd=tmp_path)
    assert (ended.out.strip(), ended.err) == ("[]", "")


def test_without_opentelemetry_everything_works_and_nothing_is_enabled(tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["opentelemetry"] = None
{RUN}
from antflow_core import telemetry
from antflow_core.telemetry import Meter, StatusCode, Tracer
telemetry.configure_telemetry(enabled=True)
with telemetry.get_tracer().start_as_current_span("own") as span:
    span.set_attribute("a", 1)
    span.set_status(StatusCode.ERROR)
telemetry.get_meter().create_counter("c").add(1, {{"a": 1}})
print(telemetry.telemetry_enabled(), telemetry.is_enabled())
"""
    ended = run_python("-c", code, cwd=tmp_path)
    assert (ended.out.strip(), ended.err) == ("False False", "")


def test_a_provider_that_the_environment_names_is_told(tmp_path: Path) -> None:
    code = f"{RUN}\nprint(pipeline._run.telemetry is not None)"
    environment = {"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"}
    ended = run_python("-c", code, cwd=tmp_path, env=environment)
    assert (ended.out.strip(), ended.err) == ("True", "")


def test_a_provider_that_cannot_be_had_is_logged_and_harms_nothing(tmp_path: Path) -> None:
    code = f"{RUN}\nprint(pipeline._run.telemetry)"
    ended = run_python("-c", code, cwd=tmp_path, env={"OTEL_PYTHON_TRACER_PROVIDER": "no_such_provider"})
    assert (ended.code, ended.out.strip()) == (0, "None")
    assert "OpenTelemetry could not be set up; nothing is traced" in ended.err


def test_scripts_find_antflows_names(told: Told) -> None:
    assert telemetry.is_enabled()
    with telemetry.get_tracer().start_as_current_span("mine"):
        pass
    assert told.lines() == ["mine"]
    telemetry.get_meter().create_counter("mine").add(2)
    assert told.counts("mine") == {(): 2}
    homes = {"StatusCode": "trace", "Tracer": "trace", "Meter": "metrics"}
    for name, home in homes.items():
        module = importlib.import_module(f"opentelemetry.{home}")
        assert getattr(telemetry, name) is getattr(module, name)
    with pytest.raises(AttributeError, match="has no attribute 'Spam'"):
        _ = telemetry.Spam


def test_switched_off_a_script_gets_a_tracer_that_does_nothing(told: Told) -> None:
    configure_telemetry(enabled=False)

    @telemetry.get_tracer().start_as_current_span("mine")
    def task() -> int:
        return 1

    assert task() == 1
    assert told.spans() == []


# Listeners that fail


class Faulty(SpanProcessor):
    """Raises when something it is asked for has come so often."""

    def __init__(self, fault: Callable[[ReadableSpan], bool]) -> None:
        self._fault = fault

    def on_end(self, span: ReadableSpan) -> None:
        if self._fault(span):
            raise ConnectionError("the collector is gone")

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self._fault(span):
            raise ConnectionError("the collector is gone")


async def test_a_listener_that_raises_is_logged_once_and_harms_nothing(
    told: Told, expect_log: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    told.tracing.add_span_processor(Faulty(lambda span: span.name.startswith("antflow.task")))
    results = await Pipeline([Stage("A", 2, [same])]).run(range(5))
    assert [result.value for result in results] == list(range(5))
    assert [record.getMessage() for record in caplog.records] == [
        "OpenTelemetry raised; what comes is not traced any more"
    ]


async def test_an_error_without_a_text_is_told_by_its_kind(told: Told) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError("speechless")

    async def fail(_: int) -> None:
        raise MuteError

    await Pipeline([Stage("A", 1, [fail], task_attempts=1)]).run([1])
    span = told.one("antflow.task.fail")
    assert span.status.description == "MuteError: <MuteError without a text>"
    assert len(exceptions(span)) == 1


# Executors


async def test_a_task_of_an_executor_is_part_of_where_it_was_submitted(told: Told) -> None:
    spans = begin_spans()
    assert spans is not None
    with own_span("request"):
        submitted_in = spans.here()

    def work(spans: Spans) -> None:
        with spans.executor_task(2, 7, submitted_in), own_span("within"):
            raise LookupError("no")

    with pytest.raises(LookupError):
        work(spans)
    assert told.lines() == [
        "request",
        "request / executor.task / within",
        "request / executor.task",
    ]
    span = told.one("antflow.executor.task")
    assert attributes(span) == {"executor.worker_id": 2, "executor.task_id": 7}
    assert (span.status.status_code, exceptions(span)) == (StatusCode.ERROR, ["LookupError"])


async def test_an_executor_holds_each_task_with_its_attempts_where_it_was_submitted(told: Told) -> None:
    async def flaky(failures: list[int]) -> str:
        with own_span("attempt"):
            if failures:
                raise ValueError(failures.pop())
            return "done"

    async with AsyncExecutor(1) as executor:
        with own_span("request"):
            first = executor.submit(flaky, [1], retries=1, retry_delay=0)
            second = executor.submit(flaky, [1])
        assert await first == "done"
        with pytest.raises(ValueError):
            await second
        assert await executor.submit(abs, -1) == 1
    assert told.lines() == [
        "request",
        "request / executor.task / attempt",
        "request / executor.task / attempt",
        "request / executor.task",
        "request / executor.task / attempt",
        "request / executor.task",
        "executor.task",
    ]
    tasks = told.spans("antflow.executor.task")
    assert [attributes(span) for span in tasks] == [
        {"executor.worker_id": 0, "executor.task_id": number} for number in range(3)
    ]
    assert [exceptions(span) for span in tasks] == [[], ["ValueError"], []]


async def test_an_executor_tells_nothing_where_it_is_switched_off(told: Told) -> None:
    configure_telemetry(enabled=False)
    async with AsyncExecutor(1) as executor:
        assert await executor.map(same, [1, 2]) == [1, 2]
    assert told.spans() == []
