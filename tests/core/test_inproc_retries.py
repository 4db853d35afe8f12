"""Retrying and cancelling items of a script's pipelines from outside, while it runs and after its end."""

from __future__ import annotations

import asyncio
import gc
import io
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import pytest

from antflow_core.link import InProcessRun, PipelineView, RunSource, RunState
from antflow_core.pipeline import Pipeline
from antflow_core.tracker import StatusTracker

Start = Callable[..., InProcessRun]

ORDERS = """
    import builtins
    from antflow import Pipeline, Stage
    host = builtins.test_host
    async def fetch(order):
        host.calls.append(order)
        if order in host.refused:
            raise host.error(f"no order {order}")
        return order
    async def price(order):
        print("priced", order)
        return order * 2
    async def main():
        pipeline = Pipeline([
            Stage("Fetch", 2, [fetch], task_attempts=1),
            Stage("Price", 1, [price]),
        ])
        await pipeline.run(range(5))
"""

TWO = """
    import builtins
    from antflow import Pipeline, Stage, StatusTracker
    host = builtins.test_host
    async def fetch(order):
        if order in host.refused:
            raise host.error(order)
        return order
    async def hold(order):
        host.held.append(order)
        await host.gate.wait()
        return order
    async def main():
        first = Pipeline([Stage("Fetch", 1, [fetch], task_attempts=1)], status_tracker=StatusTracker())
        host.results = await first.run(range(5))
        host.pipeline = first if host.keeps else None
        del first
        await Pipeline([Stage("Load", 1, [fetch], task_attempts=1), Stage("Hold", 1, [hold])]).run(range(3))
        print("main ends")
"""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the script and the test share."""
    shared = SimpleNamespace(
        refused={1, 3}, calls=[], held=[], gate=asyncio.Event(), error=ValueError, keeps=False
    )
    monkeypatch.setattr("builtins.test_host", shared, raising=False)
    return shared


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Makes a run of a script given as text."""

    def start(source: str, **options: Any) -> InProcessRun:
        path = tmp_path / "orders.py"
        path.write_text(dedent(source), encoding="utf-8")
        return InProcessRun(path, **options)

    return start


def state_of(run: InProcessRun) -> RunState:
    """The state now, whatever it was found to be before."""
    return run.state


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0)


def numbers(view: PipelineView) -> tuple[int, bool, int, int]:
    """Run number, whether it has ended, items through, items failed."""
    stats = view.snapshot.pipeline_stats
    return view.run, view.ended, stats.items_processed, stats.items_failed


def status_counts(run: InProcessRun, number: int) -> dict[str, int]:
    return {status: count for status, count in run.log.status_counts(number).items() if count}


async def test_after_the_end_the_same_view_goes_on_and_the_outcome_follows(
    start: Start, host: SimpleNamespace
) -> None:
    run: RunSource = start(ORDERS)
    assert run.outcome is None
    outcome = await run.run()
    assert run.outcome is outcome
    assert (outcome.completed, outcome.failed) == (3, 2)
    host.refused = {3}

    assert await run.retry_failed() == 1

    assert run.state is RunState.FINISHED
    assert run.outcome is not None
    assert (run.outcome.state, run.outcome.completed, run.outcome.failed) == (RunState.FINISHED, 4, 1)
    assert run.outcome.duration_s >= outcome.duration_s
    assert [numbers(view) for view in run.pipelines()] == [(1, True, 4, 1)]
    assert len(run.log.runs) == 1
    assert run.log.status_counts(1)["failed"] == 1
    host.refused = set()
    assert [await run.retry_failed(1) for _ in range(2)] == [1, 0]
    assert (run.outcome.completed, run.outcome.failed) == (5, 0)
    assert host.calls.count(3) == 3


async def test_meanwhile_the_state_is_running_and_the_view_live(start: Start, host: SimpleNamespace) -> None:
    host.gate.set()
    run = start(TWO)
    await run.run()
    host.gate.clear()
    assert [numbers(view)[2:] for view in run.pipelines()] == [(3, 2), (2, 1)]
    host.refused = set()
    retrying = asyncio.create_task(run.retry_failed())
    await until(lambda: len(host.held) == 3)
    assert state_of(run) is RunState.RUNNING
    assert [view.ended for view in run.pipelines()] == [True, False]
    live = run.pipelines()[1].snapshot.pipeline_stats
    assert (live.items_in_flight, live.items_failed) == (1, 0)
    host.gate.set()
    assert await retrying == 3
    assert run.state is RunState.FINISHED
    assert [numbers(view)[1:] for view in run.pipelines()] == [(True, 5, 0), (True, 3, 0)]
    assert run.outcome is not None
    assert (run.outcome.completed, run.outcome.failed) == (8, 0)


async def test_a_tracker_of_the_scripts_own_is_copied_on(start: Start, host: SimpleNamespace) -> None:
    host.gate.set()
    run = start(TWO)
    await run.run()
    own, shared = run.pipelines()
    assert status_counts(run, own.run) == {"completed": 3, "failed": 2}
    assert run.log.run_record(own.run).ended_at is not None
    host.refused = set()
    assert await run.retry_failed(own.run) == 2
    assert status_counts(run, own.run) == {"completed": 5}
    assert run.log.run_record(own.run).ended_at is not None
    assert len(run.log.runs) == 2
    assert status_counts(run, shared.run) == {"completed": 2, "failed": 1}


async def test_what_the_tasks_print_is_heard_then_too(
    start: Start, host: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = io.StringIO()
    monkeypatch.setattr(sys, "stdout", real)
    heard: list[str] = []
    run = start(ORDERS, on_output=lambda text, _: heard.append(text))
    await run.run()
    heard.clear()
    host.refused = set()
    assert sum(await asyncio.gather(run.retry_failed(ids=[1]), run.retry_failed(ids=[3]))) == 2
    assert "".join(heard) == "priced 1\npriced 3\n"
    assert sys.stdout is real


@pytest.mark.parametrize("keeps", [False, True])
async def test_while_the_script_runs_an_ended_pipeline_goes_on_beside_it(
    start: Start, host: SimpleNamespace, keeps: bool
) -> None:
    host.keeps = keeps
    heard: list[str] = []
    run = start(TWO, on_output=lambda text, _: heard.append(text))
    running = asyncio.create_task(run.run())
    await until(lambda: host.held)
    host.refused = set()
    assert await run.retry_failed(run.pipelines()[0].run, error_type="ValueError") == 2
    assert run.state is RunState.RUNNING
    assert [numbers(view)[1:] for view in run.pipelines()] == [(True, 5, 0), (False, 0, 1)]
    if keeps:
        assert [r.value for r in host.pipeline.results] == [0, 1, 2, 3, 4]
    assert [r.value for r in host.results] == [0, 2, 4]
    host.gate.set()
    outcome = await running
    assert (outcome.completed, outcome.failed) == (7, 1)
    assert "".join(heard) == "main ends\n"


async def test_while_the_script_runs_its_running_pipeline_takes_them(
    start: Start, host: SimpleNamespace
) -> None:
    run = start(TWO)
    running = asyncio.create_task(run.run())
    await until(lambda: host.held and run.pipelines()[1].snapshot.pipeline_stats.items_failed)
    host.refused = set()
    retrying = asyncio.create_task(run.retry_failed(run.pipelines()[1].run))
    await until(lambda: not run.pipelines()[1].snapshot.pipeline_stats.items_failed)
    host.gate.set()
    assert await retrying == 1
    outcome = await running
    assert (outcome.completed, outcome.failed) == (6, 2)


async def test_the_end_of_the_script_waits_for_what_is_retried(start: Start, host: SimpleNamespace) -> None:
    """A pipeline of the host's wish does not belong to the script, whose tasks are cancelled at its end."""
    run = start("""
        import asyncio, builtins
        from antflow import Pipeline, Stage
        host = builtins.test_host
        async def fetch(order):
            if order in host.refused:
                raise ValueError(order)
            if host.held:
                await host.gate.wait()
            return order
        async def main():
            await Pipeline([Stage("Fetch", 1, [fetch], task_attempts=1)]).run(range(5))
            host.held.append("main")
            while host.held != ["main", "end"]:
                await asyncio.sleep(0)
    """)
    running = asyncio.create_task(run.run())
    await until(lambda: host.held)
    host.refused = set()
    retrying = asyncio.create_task(run.retry_failed())
    await until(lambda: run.pipelines()[0].snapshot.pipeline_stats.items_in_flight == 2)
    host.held.append("end")
    for _ in range(20):
        await asyncio.sleep(0)
    assert not (running.done() or retrying.done())
    host.gate.set()
    assert await retrying == 2
    outcome = await running
    assert (outcome.state, outcome.completed, outcome.failed) == (RunState.FINISHED, 5, 0)


async def test_a_pipeline_that_the_script_uses_again_waits_for_the_retry(
    start: Start, host: SimpleNamespace
) -> None:
    run = start("""
        import asyncio, builtins
        from antflow import Pipeline, Stage
        host = builtins.test_host
        async def fetch(order):
            if order in host.refused:
                raise ValueError(order)
            if host.held:
                await host.gate.wait()
            return order
        async def main():
            pipeline = Pipeline([Stage("Fetch", 1, [fetch], task_attempts=1)])
            for _ in range(2):
                await pipeline.run(range(5))
                host.held.append("main")
                while len(host.held) < 2:
                    await asyncio.sleep(0)
    """)
    running = asyncio.create_task(run.run())
    await until(lambda: host.held)
    host.refused = set()
    retrying = asyncio.create_task(run.retry_failed())
    await until(lambda: run.pipelines()[0].snapshot.pipeline_stats.items_in_flight == 2)
    host.held.append("again")
    host.gate.set()
    assert await retrying == 2
    outcome = await running
    assert [numbers(view) for view in run.pipelines()] == [(1, True, 5, 0), (2, True, 5, 0)]
    assert outcome.message is None


async def test_an_earlier_run_of_a_pipeline_used_again_can_be_retried(
    start: Start, host: SimpleNamespace
) -> None:
    run = start("""
        import builtins
        from antflow import Pipeline, Stage
        host = builtins.test_host
        async def fetch(order):
            if order in host.refused:
                raise ValueError(order)
            return order
        async def main():
            host.pipeline = Pipeline([Stage("Fetch", 1, [fetch], task_attempts=1)])
            for count in (2, 4):
                await host.pipeline.run(range(count))
    """)
    await run.run()
    assert [numbers(view) for view in run.pipelines()] == [(1, True, 1, 1), (2, True, 2, 2)]
    host.refused = set()
    assert await run.retry_failed(1) == 1
    assert [numbers(view) for view in run.pipelines()] == [(1, True, 2, 0), (2, True, 2, 2)]
    assert await run.retry_failed() == 2
    assert [numbers(view) for view in run.pipelines()] == [(1, True, 2, 0), (2, True, 4, 0)]
    assert [r.value for r in host.pipeline.results] == [0, 1, 2, 3]


async def test_what_the_script_retries_itself_is_the_same_pipeline(
    start: Start, host: SimpleNamespace
) -> None:
    run = start("""
        import builtins
        from antflow import Pipeline, Stage
        host = builtins.test_host
        async def fetch(order):
            if order in host.refused:
                raise ValueError(order)
            return order
        async def main():
            pipeline = Pipeline([Stage("Fetch", 1, [fetch], task_attempts=1)])
            await pipeline.run(range(5))
            host.refused = {3}
            host.retried = await pipeline.retry_failed()
    """)
    outcome = await run.run()
    assert [r.value for r in host.retried] == [1]
    assert [numbers(view) for view in run.pipelines()] == [(1, True, 4, 1)]
    assert (outcome.completed, outcome.failed) == (4, 1)
    host.refused = set()
    assert await run.retry_failed() == 1
    assert [numbers(view) for view in run.pipelines()] == [(1, True, 5, 0)]


async def test_of_an_ended_pipeline_nothing_is_held_but_what_failed(
    start: Start, host: SimpleNamespace
) -> None:
    class Heavy:
        def __init__(self, number: int) -> None:
            self.number = number

    seen: list[weakref.ref[Pipeline]] = []

    class Watching(InProcessRun):
        def pipeline_starting(self, pipeline: Pipeline) -> StatusTracker | None:
            seen.append(weakref.ref(pipeline))
            return super().pipeline_starting(pipeline)

    host.make = Heavy
    made = start("""
        import builtins
        from antflow import Pipeline, Stage
        host = builtins.test_host
        async def fetch(heavy):
            if heavy.number in host.refused:
                raise ValueError(heavy.number)
            return heavy
        async def main():
            await Pipeline([Stage("Fetch", 1, [fetch], task_attempts=1)]).run(map(host.make, range(5)))
    """)
    run = Watching(made.path)
    await run.run()
    gc.collect()
    assert [reference() for reference in seen] == [None]
    assert sorted(each.number for each in gc.get_objects() if isinstance(each, Heavy)) == [1, 3]
    host.refused = set()
    assert await run.retry_failed() == 2
    gc.collect()
    assert [each for each in gc.get_objects() if isinstance(each, Heavy)] == []
    assert [reference() for reference in seen] == [None, None]


# Stops and faults


async def test_a_stop_ends_the_retry_and_leaves_the_state_as_it_was(
    start: Start, host: SimpleNamespace
) -> None:
    host.gate.set()
    run = start(TWO)
    await run.run()
    host.gate.clear()
    held, host.refused = len(host.held), set()
    retrying = asyncio.create_task(run.retry_failed(run.pipelines()[1].run))
    await until(lambda: len(host.held) > held)
    again = asyncio.create_task(run.retry_failed(run.pipelines()[0].run))
    run.stop()
    assert state_of(run) is RunState.STOPPING
    host.gate.set()
    assert await retrying == 1
    await again
    assert run.state is RunState.FINISHED
    host.refused = set()
    await run.retry_failed()
    assert run.outcome is not None
    assert run.outcome.failed == 0


@pytest.mark.parametrize("who", ["cancel", "wait"])
async def test_a_cancel_ends_the_retry_at_once(start: Start, host: SimpleNamespace, who: str) -> None:
    host.gate.set()
    run = start(TWO)
    await run.run()
    host.gate.clear()
    held, host.refused = len(host.held), set()
    retrying = asyncio.create_task(run.retry_failed(run.pipelines()[1].run))
    await until(lambda: len(host.held) > held)
    if who == "cancel":
        run.cancel()
        assert await retrying == 0
    else:
        retrying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await retrying
    assert run.state is RunState.FINISHED
    assert numbers(run.pipelines()[1])[1:] == (True, 2, 0)
    assert status_counts(run, run.pipelines()[1].run) == {"completed": 2, "failed": 1}
    assert await run.retry_failed(run.pipelines()[0].run) == 2


async def test_a_stopped_run_can_be_retried_too(start: Start, host: SimpleNamespace, expect_log: Any) -> None:
    expect_log("discarded")
    run = start(TWO)
    running = asyncio.create_task(run.run())
    await until(lambda: host.held)
    run.stop()
    host.gate.set()
    assert (await running).state is RunState.STOPPED
    host.refused = set()
    assert await run.retry_failed(run.pipelines()[0].run) == 2
    assert run.state is RunState.STOPPED


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
async def test_what_ends_a_program_is_in_the_outcome(
    start: Start, host: SimpleNamespace, error: type[BaseException]
) -> None:
    run = start(ORDERS)
    await run.run()
    host.error = error
    assert await run.retry_failed() == 0
    assert run.outcome is not None
    assert (run.state, run.outcome.state, run.outcome.exit_code) == (RunState.FAILED, RunState.FAILED, 1)
    assert error.__name__ in (run.outcome.message or "")


# Which pipelines and items


async def test_a_stage_may_be_of_one_pipeline_only(start: Start, host: SimpleNamespace) -> None:
    host.gate.set()
    run = start(TWO)
    await run.run()
    host.refused = set()
    assert await run.retry_failed(stage="Load", error_type=["ValueError"], ids=[1, 3]) == 1
    assert [numbers(view)[2:] for view in run.pipelines()] == [(3, 2), (3, 0)]


async def test_wrong_wishes_are_named(start: Start, host: SimpleNamespace) -> None:
    run = start(ORDERS)
    assert await run.retry_failed() == 0
    await run.run()
    with pytest.raises(ValueError, match=r"Pipeline 7 not found in orders.py; there are \[1\]"):
        await run.retry_failed(7)
    with pytest.raises(ValueError, match=r"Pipeline 7 not found in orders.py; there are \[1\]"):
        run.cancel_item(7, 0)
    with pytest.raises(
        ValueError, match=r"Stage 'Save' not found in orders.py; there are \['Fetch', 'Price'\]"
    ):
        await run.retry_failed(stage="Save")
    wrong: Any = "abc"
    with pytest.raises(TypeError, match="ids must be a list"):
        await run.retry_failed(ids=wrong)
    assert (run.state, numbers(run.pipelines()[0])) == (RunState.FINISHED, (1, True, 3, 2))


async def test_an_item_can_be_cancelled(start: Start, host: SimpleNamespace) -> None:
    run = start(TWO)
    running = asyncio.create_task(run.run())
    await until(lambda: host.held)
    first, second = (view.run for view in run.pipelines())
    assert run.cancel_item(second, 0)
    await until(lambda: status_counts(run, second)["failed"] == 2)
    assert run.cancel_item(second, 0) is False
    assert run.cancel_item(first, 0) is False
    host.gate.set()
    outcome = await running
    assert (outcome.completed, outcome.failed) == (4, 3)
    assert status_counts(run, second) == {"completed": 1, "failed": 2}
    assert run.cancel_item(second, 2) is False


async def test_what_a_callback_prints_of_a_cancelled_item_is_heard(
    start: Start, host: SimpleNamespace
) -> None:
    heard: list[str] = []
    run = start(
        """
        import builtins
        from antflow import Pipeline, Stage, StatusTracker
        host = builtins.test_host
        async def hold(order):
            host.held.append(order)
            await host.gate.wait()
        async def tell(event):
            if event.status == "failed":
                print("ended", event.item_id)
        async def main():
            await Pipeline([Stage("Hold", 1, [hold])], status_tracker=StatusTracker(tell)).run(range(3))
        """,
        on_output=lambda text, _: heard.append(text),
    )
    running = asyncio.create_task(run.run())
    await until(lambda: host.held and run.pipelines()[0].run)
    assert run.cancel_item(run.pipelines()[0].run, 2)
    host.gate.set()
    assert (await running).completed == 2
    assert "".join(heard) == "ended 2\n"
