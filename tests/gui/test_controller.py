"""The controller: opens, runs, stops and runs again real scripts on the app's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from antflow_core.exceptions import ScriptError
from antflow_core.link.inproc import InProcessRun
from antflow_core.link.protocol import RunOutcome, RunSource, RunState
from antflow_gui.event_loop import BatchedEventLoop
from antflow_gui.runs.controller import OnOutput, RunController
from antflow_gui.runs.options import RunOptions
from tests.support.scripts import ENDLESS, RAISES, SYNTAX_ERROR, TWO_STAGES

WriteScript = Callable[..., Path]
ExpectLog = Callable[[str], None]


async def _ended(controller: RunController) -> RunOutcome:
    finished: asyncio.Future[RunOutcome] = asyncio.get_running_loop().create_future()

    def finish(outcome: RunOutcome) -> None:
        finished.set_result(outcome)

    controller.run_finished.connect(finish)
    outcome = await asyncio.wait_for(finished, 30)
    controller.run_finished.disconnect(finish)
    return outcome


async def _run(controller: RunController) -> RunOutcome:
    controller.start()
    return await _ended(controller)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def test_opening_reads_the_outline_and_executes_nothing(
    qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    controller = RunController()
    controller.open_script(write_script("raise SystemExit('executed')\n" + TWO_STAGES))
    assert controller.outline is not None
    assert [stage.name for stage in controller.outline.stages] == ["Fetch", "Price"]
    assert controller.state is RunState.READY


def test_a_run_ends_with_its_counts(qt_loop: BatchedEventLoop, write_script: WriteScript) -> None:
    controller = RunController()
    controller.open_script(write_script(TWO_STAGES))
    outcome = qt_loop.run_until_complete(_run(controller))
    assert (outcome.completed, outcome.failed, outcome.exit_code) == (90, 10, 0)
    assert controller.state is RunState.FINISHED
    progress = controller.measure(controller.pipelines())
    assert (progress.completed, progress.failed, progress.total) == (90, 10, 100)
    assert [stage.total for stage in progress.stages] == [100, 90]
    assert controller.history is not None and len(controller.history) > 300


def test_a_second_run_is_fresh_and_sees_the_edited_file(
    qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    controller = RunController()
    path = write_script(TWO_STAGES)
    controller.open_script(path)
    qt_loop.run_until_complete(_run(controller))
    first = controller.history
    path.write_text(TWO_STAGES.replace("range(100)", "range(20)"), encoding="utf-8")
    outcome = qt_loop.run_until_complete(_run(controller))
    assert (outcome.completed, outcome.failed) == (18, 2)
    assert controller.history is not first


def test_what_the_script_prints_arrives_on_the_loop(
    qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    controller = RunController()
    printed: list[tuple[str, str]] = []
    controller.output_written.connect(lambda text, stream: printed.append((text, stream)))
    controller.open_script(write_script(TWO_STAGES))
    qt_loop.run_until_complete(_run(controller))
    assert "".join(text for text, stream in printed if stream == "stdout") == "priced 90 orders\n"


def test_a_script_that_raises_is_an_outcome(qt_loop: BatchedEventLoop, write_script: WriteScript) -> None:
    controller = RunController()
    controller.open_script(write_script(RAISES))
    outcome = qt_loop.run_until_complete(_run(controller))
    assert (outcome.state, outcome.exit_code, outcome.completed) == (RunState.FAILED, 1, 3)
    assert outcome.traceback is not None and "explode" in outcome.traceback


def test_a_script_at_fault_stays_open_to_be_mended(
    qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    controller = RunController()
    path = write_script(SYNTAX_ERROR)
    with pytest.raises(ScriptError, match=r"orders\.py"):
        controller.open_script(path)
    assert (controller.path, controller.state) == (path, RunState.FAILED)
    path.write_text(TWO_STAGES, encoding="utf-8")
    assert qt_loop.run_until_complete(_run(controller)).completed == 90


def test_a_script_that_vanished_is_an_outcome(qt_loop: BatchedEventLoop, write_script: WriteScript) -> None:
    controller = RunController()
    path = write_script(TWO_STAGES)
    controller.open_script(path)
    path.unlink()
    outcome = qt_loop.run_until_complete(_run(controller))
    assert outcome.exit_code == 2
    assert outcome.message is not None and "orders.py" in outcome.message


def test_the_first_stop_finishes_the_items_in_hand(
    qt_loop: BatchedEventLoop, write_script: WriteScript, expect_log: ExpectLog
) -> None:
    expect_log("discarded")

    async def scenario(controller: RunController) -> RunOutcome:
        controller.start()
        await _until(lambda: controller.history is not None and len(controller.history) > 200)
        controller.stop()
        assert controller.state is RunState.STOPPING
        return await _ended(controller)

    controller = RunController()
    controller.open_script(write_script(ENDLESS))
    outcome = qt_loop.run_until_complete(scenario(controller))
    assert outcome.state is RunState.STOPPED
    assert outcome.completed > 0


def test_the_second_stop_cancels(
    qt_loop: BatchedEventLoop, write_script: WriteScript, expect_log: ExpectLog
) -> None:
    expect_log("discarded")

    async def scenario(controller: RunController) -> RunOutcome:
        controller.start()
        await _until(lambda: controller.history is not None and len(controller.history) > 0)
        controller.stop()
        controller.stop()
        return await _ended(controller)

    controller = RunController()
    slow = ENDLESS.replace("asyncio.sleep(0.01)", "asyncio.sleep(3600)")
    controller.open_script(write_script(slow))
    assert qt_loop.run_until_complete(scenario(controller)).state is RunState.STOPPED


def test_closing_cancels_and_waits(qt_loop: BatchedEventLoop, write_script: WriteScript) -> None:
    async def scenario(controller: RunController) -> None:
        controller.start()
        await _until(lambda: controller.history is not None and len(controller.history) > 0)
        await controller.close()

    controller = RunController()
    controller.open_script(write_script(ENDLESS))
    qt_loop.run_until_complete(scenario(controller))
    assert not controller.is_running
    assert not asyncio.all_tasks(qt_loop)


def test_no_other_script_opens_while_one_runs(qt_loop: BatchedEventLoop, write_script: WriteScript) -> None:
    async def scenario(controller: RunController) -> None:
        controller.start()
        with pytest.raises(RuntimeError, match="a run is going on"):
            controller.open_script(write_script(TWO_STAGES, "other.py"))
        await controller.close()

    controller = RunController()
    controller.open_script(write_script(ENDLESS))
    qt_loop.run_until_complete(scenario(controller))


class _Broken(InProcessRun):
    """A run that ends as no run should."""

    error: BaseException

    async def run(self) -> RunOutcome:
        await asyncio.sleep(0)
        raise self.error


class _Mute(Exception):  # noqa: N818 - a script's author names it
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (asyncio.CancelledError(), RunState.STOPPED, None),
        (LookupError("gone"), RunState.FAILED, "The run broke off: LookupError: gone"),
        (_Mute(), RunState.FAILED, "The run broke off: _Mute: <_Mute without a text>"),
    ],
)
def test_a_run_that_breaks_off_has_an_outcome_all_the_same(
    qt_loop: BatchedEventLoop,
    write_script: WriteScript,
    error: BaseException,
    state: RunState,
    message: str | None,
) -> None:
    def make(path: Path, args: Sequence[str], on_output: OnOutput, options: RunOptions) -> RunSource:
        source = _Broken(path, args, on_output=on_output)
        source.error = error
        return source

    controller = RunController(make)
    controller.open_script(write_script(TWO_STAGES))
    outcome = qt_loop.run_until_complete(_run(controller))
    assert (outcome.state, outcome.message, controller.state) == (state, message, state)
    assert controller.outcome is outcome
    assert not controller.is_running


def test_a_paused_run_takes_nothing_and_goes_on_when_resumed(
    qt_loop: BatchedEventLoop, write_script: WriteScript, expect_log: ExpectLog
) -> None:
    expect_log("Shutdown: discarded")
    controller = RunController()
    controller.open_script(write_script(ENDLESS))

    def busy() -> int:
        stats = [view.snapshot.pipeline_stats.stage_stats for view in controller.pipelines()]
        return sum(stage.in_progress_items for stages in stats for stage in stages.values())

    async def scenario() -> None:
        controller.start()
        await _until(lambda: busy() > 0)
        controller.toggle_pause()
        assert controller.is_paused
        await _until(lambda: busy() == 0)
        assert controller.state is RunState.RUNNING
        controller.toggle_pause()
        assert not controller.is_paused
        await _until(lambda: busy() > 0)
        controller.stop()
        controller.stop()
        await _ended(controller)

    qt_loop.run_until_complete(scenario())
    controller.toggle_pause()
    assert not controller.is_paused


def test_a_stage_gets_more_workers_while_it_runs(
    qt_loop: BatchedEventLoop, write_script: WriteScript, expect_log: ExpectLog
) -> None:
    expect_log("Shutdown: discarded")
    controller = RunController()
    controller.open_script(write_script(ENDLESS))

    async def scenario() -> None:
        controller.start()
        await _until(lambda: bool(controller.pipelines()))
        (view,) = controller.pipelines()
        stage = view.stages[0]
        controller.set_workers(stage.name, stage.workers + 2)
        (view,) = controller.pipelines()
        assert view.stages[0].workers == stage.workers + 2
        assert len(view.snapshot.get_worker_names()[stage.name]) == stage.workers + 2
        controller.stop()
        controller.stop()
        await _ended(controller)
        controller.set_workers(stage.name, 1)

    qt_loop.run_until_complete(scenario())


def test_what_failed_goes_again_after_the_run_and_the_run_goes_on(
    qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    controller = RunController()
    controller.open_script(write_script(MENDS_ITSELF))
    resumed: list[RunState] = []
    controller.run_resumed.connect(lambda: resumed.append(controller.state))

    async def scenario() -> None:
        outcome = await _run(controller)
        assert (outcome.completed, outcome.failed) == (16, 4)
        first = controller.elapsed_s
        controller.retry_item(controller.history.items_with_id(5)[0] if controller.history else 0)
        assert controller.is_running
        assert (await _ended(controller)).failed == 3
        controller.retry_alike("Fetch", "ConnectionError")
        outcome = await _ended(controller)
        assert (outcome.completed, outcome.failed, outcome.exit_code) == (20, 0, 0)
        assert controller.elapsed_s >= first

    qt_loop.run_until_complete(scenario())
    assert resumed == [RunState.RUNNING] * 2
    assert controller.state is RunState.FINISHED
    assert len(controller.pipelines()) == 1


MENDS_ITSELF = """\
from antflow import Pipeline, Stage

tried = set()


async def fetch(number):
    if number % 5 == 0 and number not in tried:
        tried.add(number)
        raise ConnectionError("no answer")
    return number


async def main():
    stages = [Stage(name="Fetch", workers=2, tasks=[fetch], task_attempts=1)]
    await Pipeline(stages=stages).run(range(20))
"""
"""Four of twenty items fail the first time."""


def test_an_item_is_given_up_while_the_run_goes_on(
    qt_loop: BatchedEventLoop, write_script: WriteScript
) -> None:
    controller = RunController()
    controller.open_script(
        write_script(
            MENDS_ITSELF.replace("raise ConnectionError", "await asyncio.Event().wait() #").replace(
                "from antflow", "import asyncio\nfrom antflow", 1
            )
        )
    )

    async def scenario() -> None:
        controller.start()
        await _until(lambda: controller.history is not None and controller.history.item_count == 20)
        log = controller.history
        assert log is not None
        for number in (0, 5, 10, 15):
            await _until(lambda number=number: bool(log.items_with_id(number)))  # type: ignore[misc]
            controller.cancel_item(log.items_with_id(number)[0])
        outcome = await _ended(controller)
        assert (outcome.completed, outcome.failed) == (16, 0)

    qt_loop.run_until_complete(scenario())
