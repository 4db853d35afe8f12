"""How a viewer controls a run of this process: pause, resume, another number of workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from antflow_core.exceptions import PipelineError
from antflow_core.link import InProcessRun, PipelineView, RunSource, RunState
from tests.support.gates import Gate, settle, until
from tests.support.messages import Expect

Start = Callable[[str], InProcessRun]

TWO_AFTER_EACH_OTHER = """
    import builtins
    from antflow import Pipeline, Stage
    async def main():
        for name in ("First", "Second"):
            await Pipeline([Stage(name, 2, [builtins.test_gate])]).run(range(40))
"""

TWO_AT_ONCE = """
    import asyncio, builtins
    from antflow import Pipeline, Stage, StatusTracker
    async def main():
        first = Pipeline([Stage("First", 2, [builtins.test_gate])])
        second = Pipeline([Stage("Second", 1, [builtins.test_gate])], status_tracker=StatusTracker())
        await asyncio.gather(first.run(range(3)), second.run(range(3)))
"""


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Makes a run of a script given as text."""

    def start(source: str) -> InProcessRun:
        path = tmp_path / "orders.py"
        path.write_text(dedent(source), encoding="utf-8")
        return InProcessRun(path)

    return start


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """The task of the script's pipelines."""
    made = Gate()
    monkeypatch.setattr("builtins.test_gate", made, raising=False)
    return made


def busy(view: PipelineView) -> int:
    return sum(state.status == "busy" for state in view.snapshot.worker_states.values())


async def test_a_paused_run_finishes_what_is_in_hand_and_waits(start: Start, gate: Gate) -> None:
    run = start(TWO_AFTER_EACH_OTHER)
    source: RunSource = run
    running = asyncio.create_task(run.run())
    await gate.wait_begun(2)
    assert (source.paused, [view.paused for view in run.pipelines()]) == (False, [False])
    source.pause()
    source.pause()
    assert (source.paused, run.state) == (True, RunState.RUNNING)
    gate.open()
    await settle()
    (view,) = source.pipelines()
    assert (view.paused, busy(view), len(gate.begun)) == (True, 0, 2)

    source.resume()
    source.resume()
    assert (source.paused, source.pipelines()[0].paused) == (False, False)
    assert (await running).completed == 80


async def test_pipelines_that_start_while_the_run_is_paused_begin_paused(start: Start, gate: Gate) -> None:
    run = start(TWO_AFTER_EACH_OTHER)
    run.pause()
    running = asyncio.create_task(run.run())
    await until(run.pipelines)
    await settle()
    (view,) = run.pipelines()
    assert (view.paused, view.snapshot.pipeline_stats.queue_sizes, gate.begun) == (True, {"First": 20}, [])
    run.resume()
    await gate.wait_begun(2)
    for count in range(3, 41):
        gate.let_one_go()
        await gate.wait_begun(count)
    run.pause()
    gate.open()
    await until(lambda: len(run.pipelines()) == 2)
    await settle()
    first, second = run.pipelines()
    assert (first.ended, first.paused, second.paused, len(gate.begun)) == (True, False, True, 40)
    run.resume()
    outcome = await running
    assert (outcome.state, outcome.completed, run.paused) == (RunState.FINISHED, 80, False)


async def test_a_stop_ends_the_pause_for_good(start: Start, gate: Gate, expect_log: Expect) -> None:
    expect_log("discarded 20")
    run = start(TWO_AFTER_EACH_OTHER)
    running = asyncio.create_task(run.run())
    await gate.wait_begun(2)
    run.pause()
    run.stop()
    run.pause()
    assert (run.paused, run.pipelines()[0].paused) == (False, False)
    gate.open()
    outcome = await running
    assert (outcome.state, outcome.completed) == (RunState.STOPPED, 2)
    run.pause()
    run.resume()
    assert not run.paused


async def test_a_paused_run_may_be_cancelled(start: Start, gate: Gate) -> None:
    run = start(TWO_AFTER_EACH_OTHER)
    running = asyncio.create_task(run.run())
    await gate.wait_begun(2)
    run.pause()
    run.cancel()
    assert not run.paused
    assert (await running).state is RunState.STOPPED


async def test_a_run_that_ends_while_it_is_paused_is_paused_no_longer(start: Start) -> None:
    run = start("async def main(): pass")
    run.pause()
    await run.run()
    assert not run.paused


async def test_a_pause_of_the_scripts_own_is_seen_and_can_be_ended(start: Start, gate: Gate) -> None:
    run = start("""
        import builtins
        from antflow import Pipeline, Stage
        async def work(x):
            if x == 1:
                pipeline.pause()
            return await builtins.test_gate(x)
        pipeline = Pipeline([Stage("Work", 1, [work])])
        items = range(4)
    """)
    gate.open()
    running = asyncio.create_task(run.run())
    await until(lambda: run.pipelines() and run.pipelines()[0].paused)
    await settle()
    assert (run.paused, gate.begun) == (False, [0, 1])
    run.resume()
    assert (await running).completed == 4


async def test_the_number_of_workers_is_changed_and_seen_at_once(start: Start, gate: Gate) -> None:
    run = start(TWO_AT_ONCE)
    source: RunSource = run
    running = asyncio.create_task(run.run())
    await gate.wait_begun(3)
    first, second = source.pipelines()
    source.set_workers(first.run, "First", 1)
    source.set_workers(second.run, "Second", 3)
    first, second = source.pipelines()
    assert [(view.stages[0].workers, view.stages[0].capacity) for view in (first, second)] == [
        (1, 10),
        (3, 30),
    ]
    assert (len(first.snapshot.worker_states), len(second.snapshot.worker_states)) == (2, 3)
    await gate.wait_begun(5)
    gate.open()
    await running
    first, second = source.pipelines()
    assert [(view.ended, view.stages[0].workers) for view in (first, second)] == [(True, 1), (True, 3)]
    assert list(first.snapshot.worker_states) == ["First-W0"]


async def test_what_cannot_be_changed_is_said_in_one_sentence(start: Start, gate: Gate) -> None:
    run = start(TWO_AFTER_EACH_OTHER)
    with pytest.raises(ValueError, match=r"Pipeline 1 not found in orders.py; there are \[\]"):
        run.set_workers(1, "First", 2)
    running = asyncio.create_task(run.run())
    await gate.wait_begun(1)
    with pytest.raises(ValueError, match="Stage 'Third' not found in pipeline"):
        run.set_workers(1, "Third", 2)
    with pytest.raises(PipelineError, match="must have at least 1 worker, got 0"):
        run.set_workers(1, "First", 0)
    with pytest.raises(ValueError, match=r"Pipeline 2 not found in orders.py; there are \[1\]"):
        run.set_workers(2, "First", 2)
    gate.open()
    await running
    with pytest.raises(PipelineError, match="Pipeline First has ended; it has no workers to change"):
        run.set_workers(1, "First", 2)
