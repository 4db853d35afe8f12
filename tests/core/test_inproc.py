"""A run in this process as a viewer sees it: state, pipelines, log, output, outcome."""

from __future__ import annotations

import asyncio
import gc
import io
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from antflow_core.exceptions import PipelineError
from antflow_core.link import InProcessRun, RunSource, RunState
from antflow_core.pipeline import Pipeline
from antflow_core.tracker import StatusTracker
from tests.support.messages import Expect

Start = Callable[..., InProcessRun]

TWO_PIPELINES = """
    import asyncio
    from antflow import Pipeline, Stage
    async def fetch(x):
        await asyncio.sleep(0)
        if x == 3:
            raise ValueError("cursed")
        return x
    async def main():
        for count in (5, 2):
            await Pipeline([
                Stage("Fetch", 2, [fetch], task_attempts=1, queue_capacity=0),
                Stage("Parse", 1, [fetch], skip_if=lambda x: x == 0),
            ]).run(range(count))
"""

GATED = """
    import asyncio, builtins
    from antflow import Pipeline, Stage
    async def wait(x):
        reached.set()
        await gate.wait()
        return x
    reached, gate = builtins.test_reached, builtins.test_gate
    async def main():
        first = await Pipeline([Stage("Wait", 1, [wait])]).run(range(100))
        second = await Pipeline([Stage("Wait", 1, [wait])]).run(range(100))
        print(len(first), len(second))
"""


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Makes a run of a script given as text."""

    def start(source: str, *args: str, **options: Any) -> InProcessRun:
        path = tmp_path / "orders.py"
        path.write_text(dedent(source), encoding="utf-8")
        return InProcessRun(path, args, **options)

    return start


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the script when it is inside a task; to be set to let it go on."""
    import builtins

    events = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(builtins, "test_reached", events[0], raising=False)
    monkeypatch.setattr(builtins, "test_gate", events[1], raising=False)
    return events


async def test_the_outcome_counts_over_all_pipelines(start: Start) -> None:
    run = start(TWO_PIPELINES)
    source: RunSource = run
    assert source.state is RunState.READY

    outcome = await run.run()

    assert (outcome.state, run.state, outcome.exit_code) == (RunState.FINISHED, RunState.FINISHED, 0)
    assert (outcome.completed, outcome.failed, outcome.skipped) == (6, 1, 2)
    assert outcome.summary_line() == f"completed 6, failed 1, skipped 2 in {outcome.duration_s:.1f} s"
    assert (outcome.error, outcome.message, outcome.traceback) == (None, None, None)


async def test_views_keep_the_last_snapshot_and_number_the_runs_of_the_log(start: Start) -> None:
    run = start(TWO_PIPELINES)
    await run.run()

    first, second = run.pipelines()

    assert (first.name, first.ended, second.ended) == ("Fetch → Parse", True, True)
    assert [(stage.name, stage.workers, stage.capacity, stage.tasks) for stage in first.stages] == [
        ("Fetch", 2, None, ("fetch",)),
        ("Parse", 1, 10, ("fetch",)),
    ]
    assert [view.snapshot.pipeline_stats.items_processed for view in (first, second)] == [4, 2]
    assert [view.run for view in (first, second)] == [1, 2]
    assert run.log.status_counts(first.run)["failed"] == 1
    assert run.log.status_counts(second.run) == {
        "queued": 0, "in_progress": 0, "completed": 1, "failed": 0, "retrying": 0, "skipped": 1,
    }  # fmt: skip


async def test_a_tracker_of_the_scripts_own_is_copied_into_the_log(start: Start) -> None:
    run = start("""
        from antflow import Pipeline, Stage, StatusTracker
        async def work(x): return x
        async def main():
            await Pipeline([Stage("Plain", 1, [work])]).run(range(2))
            tracker = StatusTracker()
            for _ in range(2):
                await Pipeline([Stage("Own", 1, [work])], status_tracker=tracker).run(range(3))
    """)
    await run.run()
    assert sum(run.log.status_counts().values()) == 8
    plain, own, again = run.pipelines()
    assert len({plain.run, own.run, again.run}) == 3
    for view, items in ((plain, 2), (own, 3), (again, 3)):
        record = run.log.runs[view.run - 1]
        assert record.stages == tuple(stage.name for stage in view.stages)
        assert run.log.status_counts(view.run)["completed"] == items


async def test_a_pipeline_used_again_is_a_run_of_its_own(start: Start) -> None:
    run = start("""
        from antflow import Pipeline, Stage
        async def work(x): return x
        async def main():
            pipeline = Pipeline([Stage("Work", 1, [work])])
            await pipeline.run(range(2))
            await pipeline.run(range(3))
    """)
    outcome = await run.run()
    assert outcome.completed == 5
    assert [(view.run, view.snapshot.pipeline_stats.items_processed) for view in run.pipelines()] == [
        (1, 2),
        (2, 3),
    ]


@pytest.mark.parametrize(
    "last_words", ["", "raise LookupError('gone')", "raise ValueError from LookupError()"]
)
async def test_neither_views_nor_outcome_hold_a_pipeline(start: Start, last_words: str) -> None:
    seen: list[weakref.ref[Pipeline]] = []

    class Watching(InProcessRun):
        def pipeline_starting(self, pipeline: Pipeline) -> StatusTracker | None:
            seen.append(weakref.ref(pipeline))
            return super().pipeline_starting(pipeline)

    made = start(f"{TWO_PIPELINES}        {last_words}\n")
    run = Watching(made.path)
    outcome = await run.run()
    views = run.pipelines()
    gc.collect()
    assert [reference() for reference in seen] == [None, None]
    assert len(views[0].snapshot.error_summary.failed_items) == 1
    assert (outcome.error is None) == (not last_words)


async def test_a_snapshot_is_fresh_while_the_pipeline_runs(
    start: Start, gate: tuple[asyncio.Event, asyncio.Event]
) -> None:
    reached, release = gate
    run = start(GATED)
    running = asyncio.create_task(run.run())
    await reached.wait()
    (view,) = run.pipelines()
    assert (run.state, view.ended, view.run) == (RunState.RUNNING, False, 1)
    assert view.snapshot.pipeline_stats.stage_stats["Wait"].in_progress_items == 1
    release.set()
    assert (await running).completed == 200


async def test_a_stop_finishes_the_items_in_hand_and_later_pipelines_end_at_once(
    start: Start, gate: tuple[asyncio.Event, asyncio.Event], expect_log: Expect
) -> None:
    expect_log("discarded 10")
    reached, release = gate
    printed: list[str] = []
    run = start(GATED, on_output=lambda text, _: printed.append(text))
    running = asyncio.create_task(run.run())
    await reached.wait()

    run.stop()
    assert run.state is RunState.STOPPING
    release.set()
    outcome = await running

    assert (outcome.state, outcome.completed, outcome.exit_code) == (RunState.STOPPED, 1, 0)
    assert "".join(printed) == "1 0\n"


async def test_a_cancelled_run_is_stopped_and_not_failed(
    start: Start, gate: tuple[asyncio.Event, asyncio.Event]
) -> None:
    reached, _ = gate
    run = start(GATED)
    running = asyncio.create_task(run.run())
    await reached.wait()
    run.cancel()
    outcome = await running
    assert (outcome.state, outcome.completed, outcome.exit_code) == (RunState.STOPPED, 0, 0)
    assert all(view.ended for view in run.pipelines())
    run.cancel()
    run.stop()
    assert run.state is RunState.STOPPED


async def test_whoever_cancels_the_wait_cancels_the_script(
    start: Start, gate: tuple[asyncio.Event, asyncio.Event]
) -> None:
    reached, _ = gate
    run = start(GATED)
    running = asyncio.create_task(run.run())
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert run.state is RunState.STOPPED
    assert "orders" not in sys.modules


async def test_a_run_is_run_once(start: Start) -> None:
    run = start("async def main(): ...")
    await run.run()
    with pytest.raises(PipelineError, match="once"):
        await run.run()


@pytest.mark.parametrize(
    "raised", ["SystemExit(3)", "KeyboardInterrupt()", "BaseException('odd')", "LookupError('gone')"]
)
@pytest.mark.parametrize("place", ["main", "task", "top", "item"])
async def test_nothing_that_a_script_raises_reaches_the_loop(start: Start, raised: str, place: str) -> None:
    sources = {
        "main": f"async def main():\n    raise {raised}\n",
        "top": f"raise {raised}\nasync def main(): ...\n",
        "task": (
            f"import asyncio\nasync def leave(): raise {raised}\nasync def main():\n"
            "    await asyncio.create_task(leave())\n"
        ),
        "item": (
            f"from antflow import Pipeline\nasync def leave(x): raise {raised}\nasync def main():\n"
            "    await Pipeline.create().add('Leave', leave, retries=1).build().run([1])\n"
        ),
    }
    outcome = await start(sources[place]).run()
    if place == "item" and raised.startswith("LookupError"):
        assert (outcome.state, outcome.failed, outcome.exit_code) == (RunState.FINISHED, 1, 0)
    else:
        assert (outcome.state, outcome.exit_code) == (RunState.FAILED, 1)
        assert outcome.message


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("import sys\nasync def main(): sys.exit(0)", 0, None),
        ("import sys\nasync def main(): sys.exit(4)", 1, "orders.py exited with code 4"),
        ("import sys\nasync def main(): sys.exit('no stock')", 1, "no stock"),
        (
            "async def main(): raise LookupError('no such warehouse')",
            1,
            "LookupError: no such warehouse",
        ),
        ("x = 1", 2, "nothing to run"),
        ("async def main(:", 2, "line 1"),
    ],
)
async def test_the_outcome_says_what_happened(
    start: Start, source: str, code: int, message: str | None
) -> None:
    outcome = await start(source).run()
    assert outcome.exit_code == code
    assert (message is None and outcome.message is None) or (message or "") in str(outcome.message)
    assert (outcome.traceback is not None) == ("LookupError" in source)


async def test_what_the_script_prints_is_handed_on_and_what_others_print_is_not(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = io.StringIO()
    monkeypatch.setattr(sys, "stdout", real)
    heard: list[tuple[str, str]] = []
    begin, end = asyncio.Event(), asyncio.Event()

    async def host_prints() -> None:
        await begin.wait()
        print("from the host")  # noqa: T201 - it must not be taken for the script's
        end.set()

    other = asyncio.create_task(host_prints())
    monkeypatch.setattr("builtins.test_events", (begin, end), raising=False)
    run = start(
        """
        import asyncio, builtins, sys, threading
        print("top")
        async def shout(): print("task")
        async def main():
            begin, end = builtins.test_events
            begin.set()
            await end.wait()
            await asyncio.create_task(shout())
            thread = threading.Thread(target=print, args=("thread",))
            thread.start()
            thread.join()
            await asyncio.to_thread(print, "pool")
            sys.stdout.buffer.write("für".encode()[:2])
            sys.stdout.buffer.write("für".encode()[2:] + b"\\n")
            sys.stdout.reconfigure(encoding="utf-8")
            print("fault", file=sys.stderr, flush=True)
            assert not sys.stdout.isatty()
        """,
        on_output=lambda text, stream: heard.append((text, stream)),
    )
    outcome = await run.run()
    await other
    await asyncio.get_running_loop().shutdown_default_executor()

    assert outcome.message is None
    assert "".join(text for text, stream in heard if stream == "stdout") == "top\ntask\nthread\npool\nfür\n"
    assert "".join(text for text, stream in heard if stream == "stderr") == "fault\n"
    assert real.getvalue() == "top\nfrom the host\ntask\nthread\npool\nfür\n"
    assert sys.stdout is real


async def test_a_process_without_streams_and_a_faulty_listener_do_no_harm(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "stdout", None)

    def fail(text: str, stream: str) -> None:
        raise LookupError(text)

    outcome = await start("async def main(): print('one'); print('two')", on_output=fail).run()
    assert outcome.state is RunState.FINISHED
    assert sys.stdout is None
    assert len([record for record in caplog.records if "listener" in record.message]) == 1
    caplog.clear()


async def test_a_stream_kept_by_the_script_still_writes_after_the_run(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = io.StringIO()
    monkeypatch.setattr(sys, "stdout", real)
    heard: list[str] = []
    kept: list[Any] = []
    monkeypatch.setattr("builtins.test_kept", kept, raising=False)
    run = start(
        "import builtins, sys\nasync def main(): builtins.test_kept.append(sys.stdout)",
        on_output=lambda text, _: heard.append(text),
    )
    await run.run()
    writer = threading.Thread(target=kept[0].write, args=("late",))
    writer.start()
    writer.join()
    assert (real.getvalue(), heard) == ("late", [])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def __str__(self): raise RuntimeError('no')", "orders.py, line 4: Odd: <Odd without a text>"),
        ("def __getattribute__(self, name): raise RuntimeError(name)", "orders.py: Odd"),
        ("exceptions = ['no error at all']", "orders.py, line 4: Odd"),
        ("exceptions = None", "orders.py, line 4: Odd"),
    ],
)
async def test_an_odd_class_of_errors_ends_the_run_like_any_other(
    start: Start, body: str, message: str
) -> None:
    outcome = await start(f"class Odd(Exception):\n    {body}\nasync def main():\n    raise Odd").run()
    assert (outcome.state, outcome.message) == (RunState.FAILED, message)


async def test_an_exit_with_an_object_that_has_no_text_is_an_exit(start: Start) -> None:
    outcome = await start("""
        class Odd:
            def __str__(self): raise RuntimeError("no")
        async def main(): raise SystemExit(Odd())
    """).run()
    assert (outcome.state, outcome.message) == (RunState.FAILED, "orders.py: <Odd without a text>")


async def test_a_cancelled_run_says_that_a_function_in_a_thread_goes_on(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, release = threading.Event(), threading.Event()
    monkeypatch.setattr("builtins.test_events", (reached, release), raising=False)
    heard: list[tuple[str, str]] = []
    run = start(
        """
        import builtins
        from antflow import Pipeline, Stage
        reached, release = builtins.test_events
        def hold(x):
            reached.set()
            release.wait()
        pipeline = Pipeline([Stage("Hold", 1, [hold])])
        items = [1]
        """,
        on_output=lambda text, stream: heard.append((text, stream)),
    )
    await asyncio.to_thread(lambda: None)  # a pool's thread that waits is not worth a word
    running = asyncio.create_task(run.run())
    while not reached.is_set():  # in no thread: a pool may start another one for it
        await asyncio.sleep(0.001)
    run.cancel()
    outcome = await running
    release.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert outcome.state is RunState.STOPPED
    assert heard == [("Waiting for 1 thread of orders.py to return\n", "stderr")]
