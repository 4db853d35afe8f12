"""Recording: runs, trackers and whole processes into run files, beside the run and without harming it."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sqlite3
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from antflow_core import Pipeline, PipelineError, Stage, StatusTracker
from antflow_core.engine.recordings import RECORD_VARIABLE
from antflow_core.exceptions import FileIsThereError, RunFileError
from antflow_core.history.standing import Standings
from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.link import InProcessRun, RunState
from antflow_core.recorded_run import RecordedRun, open_run
from antflow_core.recording import Recorder, ValueCapture, followed, record
from antflow_core.recording.environment import process_recording
from antflow_core.run_files import tables
from antflow_core.run_files.file_lock import lock_path
from antflow_core.run_files.run_records import Outcome, RecordedStage
from tests.bench.run_file import filled_log
from tests.support.events import STAGES, play_item, played_tracker
from tests.support.messages import Expect
from tests.support.processes import run_python
from tests.support.recorded import story
from tests.support.scripts import RAISES, SEVERAL_PIPELINES


async def double(value: int) -> int:
    await asyncio.sleep(0)
    if value % 10 == 7:
        raise ValueError(f"{value} is not welcome")
    return value * 2


async def text_of(value: int) -> str:
    return f"<{value}>"


def make_stages() -> list[Stage]:
    return [Stage("Double", 3, [double], task_attempts=1), Stage("Text", 2, [text_of])]


def make_pipeline(tracker: StatusTracker | None = None) -> Pipeline:
    return Pipeline(make_stages(), status_tracker=tracker)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.antflow"


@pytest.fixture
def precious(path: Path) -> Iterator[Path]:
    """A file that is there already, and must be afterwards."""
    path.write_text("precious")
    yield path
    assert path.read_text() == "precious"


def written(script: Path, source: str) -> Path:
    script.write_text(source)
    return script


def remove(path: Path) -> None:
    path.unlink()


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def until(condition: Any) -> None:
    """Wait for something that the recorder's thread will do."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


# A run


async def test_a_run_is_recorded_with_its_outcome(path: Path) -> None:
    tracker = StatusTracker()
    results = await make_pipeline(tracker).run(range(100), record=path)
    assert len(results) == 90
    run = open_run(path)
    assert story(run) == story(tracker)
    assert run.info.outcome is Outcome.FINISHED
    assert run.info.ended_at is not None and run.info.ended_at >= run.info.started_at
    assert (run.remarks, run.is_whole) == ((), True)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_without_a_tracker_one_is_made(path: Path) -> None:
    pipeline = make_pipeline()
    await pipeline.run(range(20), record=path)
    assert open_run(path).get_stats()["completed"] == 18
    assert pipeline.status_tracker is not None
    await pipeline.run(range(20))
    assert pipeline.status_tracker is None


async def test_a_file_has_its_own_run_only_though_the_tracker_has_more(tmp_path: Path) -> None:
    tracker = StatusTracker()
    pipeline = make_pipeline(tracker)
    for number in range(3):
        await pipeline.run(
            [{"id": f"{number}-{item}", "value": item} for item in range(20)], record=tmp_path / f"{number}"
        )
    for number in range(3):
        run = open_run(tmp_path / f"{number}")
        assert {str(item_id)[0] for item_id in run.get_tracked_ids()} == {str(number)}
        assert story(run) == story(tracker, f"run:{number + 1}")
        assert run.get_error_summary().errors_by_type == {"ValueError": 2}
        assert len(run.log.runs) == 1
        assert set(run.log.workers) == {"Double-W0", "Double-W1", "Double-W2", "Text-W0", "Text-W1"}


async def test_runs_at_the_same_time_go_into_files_of_their_own(tmp_path: Path) -> None:
    tracker = StatusTracker()
    pipelines = [make_pipeline(tracker) for _ in range(3)]
    await asyncio.gather(
        *(pipeline.run(range(200), record=tmp_path / f"{n}") for n, pipeline in enumerate(pipelines))
    )
    for number, pipeline in enumerate(pipelines):
        run = open_run(tmp_path / f"{number}")
        assert story(run) == story(tracker, f"run:{pipeline.run_number}")
        assert run.get_stats()["failed"] == 20


async def test_a_run_that_was_fed_before_is_recorded_from_its_beginning(path: Path) -> None:
    tracker = StatusTracker()
    pipeline = make_pipeline(tracker)
    await pipeline.feed(range(5))
    await pipeline.run(range(5, 20), record=path)
    assert story(open_run(path)) == story(tracker)


async def test_a_pipeline_started_without_a_tracker_cannot_be_recorded_later(path: Path) -> None:
    pipeline = make_pipeline()
    await pipeline.start()
    with pytest.raises(PipelineError, match=r"record= comes too late.*give it one"):
        await pipeline.run(range(5), record=path)
    await pipeline.shutdown()


async def test_what_ends_a_run_stands_in_its_file(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise LookupError("no more orders")

    with pytest.raises(LookupError):
        await make_pipeline().run(broken(), record=tmp_path / "broken")
    info = open_run(tmp_path / "broken").info
    assert (info.outcome, info.message) == (Outcome.FAILED, "LookupError: no more orders")


async def test_a_cancelled_run_is_stopped_in_its_file(path: Path) -> None:
    never = asyncio.Event()

    async def wait(value: int) -> None:
        await never.wait()

    tracker = StatusTracker()
    task = asyncio.create_task(
        Pipeline([Stage("Wait", 2, [wait])], status_tracker=tracker).run(range(10), record=path)
    )
    await until(lambda: tracker.get_stats()["in_progress"] == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not lock_path(path).exists())
    assert open_run(path).info.outcome is Outcome.STOPPED


async def test_a_stream_is_recorded(path: Path) -> None:
    tracker = StatusTracker()
    async for _ in make_pipeline(tracker).stream(range(50), record=path):
        pass
    run = open_run(path)
    assert story(run) == story(tracker)
    assert run.info.outcome is Outcome.FINISHED


async def test_a_stream_that_is_left_is_stopped_in_its_file(path: Path) -> None:
    stream = make_pipeline(StatusTracker()).stream(range(1_000), record=path)
    async for _ in stream:
        break
    await stream.aclose()
    assert open_run(path).info.outcome is Outcome.STOPPED


# The file


async def test_a_file_that_is_there_is_an_error_before_anything_runs(precious: Path) -> None:
    pipeline = make_pipeline(tracker := StatusTracker())
    with pytest.raises(RunFileError, match="exists already; choose another name, or a folder"):
        await pipeline.run(range(5), record=precious)
    assert len(tracker.log) == 0
    assert len(await pipeline.run(range(5))) == 5


async def test_each_way_tells_how_a_file_that_is_there_could_be_replaced_by_it(
    precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileIsThereError, match=r"in it, or pass overwrite=True to replace it$"):
        record(StatusTracker(), precious)
    with pytest.raises(FileIsThereError, match=r"in it, or delete it first$"):
        await make_pipeline().run(range(5), record=precious)
    with pytest.raises(FileIsThereError, match=r"in it, or delete it first$"):
        await anext(make_pipeline().stream(range(5), record=precious))
    monkeypatch.setenv(RECORD_VARIABLE, str(precious))
    with pytest.raises(FileIsThereError, match=r"in it, or delete it first \(ANTFLOW_RECORD names it\)$"):
        await make_pipeline().run(range(5))


@pytest.mark.parametrize("suffix", [".csv", ".JSONL", ".parquet", ".sqlite", ".py"])
async def test_a_recording_is_not_called_what_it_is_not(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"orders{suffix}"
    sentence = rf"cannot be called orders\{suffix}; record into orders\.antflow"
    with pytest.raises(RunFileError, match=sentence):
        record(StatusTracker(), path)
    with pytest.raises(RunFileError, match=sentence):
        await make_pipeline().run(range(5), record=path)
    monkeypatch.setenv(RECORD_VARIABLE, str(path))
    with pytest.raises(RunFileError, match=sentence):
        await make_pipeline().run(range(5))
    assert names_in(tmp_path) == []


async def test_a_name_that_is_too_long_costs_the_recording_only(tmp_path: Path, expect_log: Expect) -> None:
    results = await make_pipeline().run(range(5), record=tmp_path / f"{'x' * 300}.antflow")
    assert len(results) == 5
    expect_log("cannot be written, file name too long; the run goes on")


def test_a_run_file_is_replaced_where_that_is_said(path: Path) -> None:
    for items in (5, 3):
        with record(played_tracker(items), path, overwrite=True):
            pass
    assert len(open_run(path).get_tracked_ids()) == 3


def test_what_is_no_run_file_is_never_replaced(precious: Path) -> None:
    with pytest.raises(RunFileError, match="is no run file, so it is not replaced"):
        record(StatusTracker(), precious, overwrite=True)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        RunFileError, match=r"There is no folder .*runs to put today\.antflow into; create it"
    ):
        record(StatusTracker(), tmp_path / "runs" / "today.antflow")
    with pytest.raises(RunFileError, match=r"There is no folder .*runs to record into; create it first"):
        record(StatusTracker(), f"{tmp_path / 'runs'}/")


def test_in_a_folder_each_recording_gets_a_file_named_after_script_and_time(tmp_path: Path) -> None:
    paths = []
    for _ in range(3):
        with Recorder(tmp_path, script="/home/somebody/price_orders.py") as recorder:
            paths.append(recorder.path)
    assert len(set(paths)) == 3
    for made in paths:
        assert made.parent == tmp_path
        assert made.match("price_orders-20[0-9][0-9]*-*.antflow")
        assert open_run(made).info.script == "/home/somebody/price_orders.py"


def test_a_link_to_a_file_that_is_recorded_is_not_replaced(path: Path) -> None:
    link = path.with_name("newest.antflow")
    link.symlink_to(path)
    with (
        record(StatusTracker(), path),
        pytest.raises(RunFileError, match=r"newest\.antflow is being recorded by process \d+"),
    ):
        record(StatusTracker(), link, overwrite=True)
    assert link.is_symlink()


def test_two_recorders_on_one_file_are_refused(path: Path) -> None:
    with record(played_tracker(3), path):
        for overwrite in (False, True):
            with pytest.raises(RunFileError, match=r"is being recorded by process \d+; choose another name"):
                record(StatusTracker(), path, overwrite=overwrite)
    assert len(open_run(path).get_tracked_ids()) == 3


def test_a_file_tells_where_it_came_from(path: Path) -> None:
    with Recorder(path, script="orders.py", arguments=("--limit", "ü")):
        pass
    info = open_run(path).info
    assert (info.script, info.arguments) == ("orders.py", ("--limit", "ü"))
    assert (info.folder, info.script_path) == (str(Path.cwd()), Path("orders.py").absolute())
    assert all((info.host, info.system, info.python, info.antflow, info.process_id))


def test_a_file_that_does_not_tell_the_folder_of_its_script_is_read(path: Path) -> None:
    with Recorder(path, script="orders.py"):
        pass
    with closing(sqlite3.connect(path)) as older:
        older.execute("DELETE FROM info WHERE name = 'folder'")
        older.commit()
    info = open_run(path).info
    assert (info.script, info.folder, info.script_path) == ("orders.py", None, None)
    assert replace(info, script="/home/ann/orders.py").script_path == Path("/home/ann/orders.py")
    assert replace(info, script=None, folder="/home/ann").script_path is None


def test_a_recorded_run_tells_what_it_is(path: Path) -> None:
    tracker = StatusTracker()
    filled_log(tracker.log, 40_000)
    with Recorder(path) as recorder:
        assert repr(open_run(path)) == "<RecordedRun: run.antflow, 0 runs, 0 events, still being recorded>"
        recorder.follow(tracker)
    run = open_run(path, whole=False)
    assert repr(run) == "<RecordedRun: run.antflow, 1 run, 16,384 of 39,600 events, finished>"
    run.update()
    assert repr(run) == "<RecordedRun: run.antflow, 1 run, 39,600 events, finished>"


# A tracker


async def test_a_tracker_is_recorded_with_all_its_pipelines(path: Path) -> None:
    tracker = StatusTracker()
    with record(tracker, path) as recorder:
        await make_pipeline(tracker).run(range(30))
        await make_pipeline(tracker).run(range(30))
        assert recorder.fault is None
    run = open_run(path)
    assert story(run) == story(tracker)
    assert [pipeline.run for pipeline in run.structure()] == [1, 2]
    assert run.get_stats() == tracker.get_stats()


async def test_what_a_tracker_holds_already_can_be_saved(path: Path) -> None:
    tracker = StatusTracker()
    await make_pipeline(tracker).run(range(30))
    async with record(tracker, path):
        pass
    assert story(open_run(path)) == story(tracker)


def test_events_that_come_where_no_loop_runs_are_written_at_the_end(path: Path) -> None:
    tracker = StatusTracker()
    with record(tracker, path):
        played_tracker(20, tracker=tracker)
    assert story(open_run(path)) == story(tracker)


def test_an_exception_in_the_body_stands_in_the_file(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), record(StatusTracker(), path):
        _ = 1 / 0
    info = open_run(path).info
    assert (info.outcome, info.message) == (Outcome.FAILED, "ZeroDivisionError: division by zero")


def test_several_loops_one_after_the_other_go_into_one_file(path: Path) -> None:
    tracker = StatusTracker()
    with record(tracker, path):
        for _ in range(3):
            asyncio.run(make_pipeline(tracker).run(range(30)))
    assert story(open_run(path)) == story(tracker)


async def test_a_limited_tracker_loses_nothing_in_its_file(path: Path) -> None:
    limited, whole = StatusTracker(max_events=2 * CHUNK_ROWS), StatusTracker()
    async with record(limited, path) as recorder:
        for tracker in (limited, whole):
            record_ = tracker.begin_run(STAGES)
            for item in range(5_000):
                fails_in = item % 30 if item % 30 < 3 else None
                play_item(record_, item, fails_in=fails_in, message=f"{item % 500}")
                if tracker is limited and item in (2_000, 4_000):
                    await until(lambda: recorder._held[0]._source.written_row > 2_000)
                elif not item % 500:
                    await asyncio.sleep(0)
    assert limited.log.first_row > 0
    run = open_run(path)
    assert run.log.next_row == whole.log.next_row
    assert run.get_stats() == whole.get_stats()
    await asyncio.sleep(0)
    assert [event[:4] for event in story(run, "item:1*7")] == [
        event[:4] for event in story(whole, "item:1*7")
    ]
    assert run.get_error_summary().errors_by_stage == whole.get_error_summary().errors_by_stage


async def test_an_item_that_failed_and_was_dropped_is_one_item_of_the_file_when_it_is_tried_again(
    path: Path,
) -> None:
    """The log gives it a new index each time; beside it another tracker's items take indexes of the file."""
    limited, tries = StatusTracker(max_events=2 * CHUNK_ROWS), 2
    trackers = limited, StatusTracker()
    async with Recorder(path) as recorder:
        for tracker in trackers:
            recorder.follow(tracker)
        source = recorder._held[0]._source
        pipelines = [tracker.begin_run(["A"]) for tracker in trackers]
        for attempt in range(1, tries + 1):
            for item in ("late", "never"):
                pipelines[0].status(item, 0, "in_progress", attempt=attempt)
                pipelines[0].status(item, 0, "failed", attempt=attempt, error=ValueError(f"{attempt}"))
            for number in range(3 * CHUNK_ROWS):
                pipelines[number % 500 == 0].status((attempt, number), 0, "completed")
                if number % CHUNK_ROWS == 0:
                    await until(lambda: source.written_row == limited.log.next_row)
            assert limited.get_status("late") is None
        pipelines[0].status("late", 0, "completed", attempt=tries + 1)
    run = open_run(path)
    stats = [tracker.get_stats() for tracker in trackers]
    assert run.get_stats() == {status: sum(each[status] for each in stats) for status in stats[0]}
    assert [(item.item_id, item.error) for item in run.get_failed_items()] == [("never", f"{tries}")]
    assert [event.status for event in run.get_history("late")] == [
        *("in_progress", "failed") * tries,
        "completed",
    ]
    in_flight = [standing.stats.items_in_flight for standing in Standings(run.log).runs()]
    assert in_flight == [0, 0]


async def test_an_item_that_had_been_dropped_before_a_recording_is_new_to_it(path: Path) -> None:
    tracker = StatusTracker(max_events=2 * CHUNK_ROWS)
    pipeline = tracker.begin_run(["A"])
    pipeline.status("late", 0, "failed", error=ValueError("boom"))
    for number in range(3 * CHUNK_ROWS):
        pipeline.status(number, 0, "completed")
    with record(tracker, path):
        pipeline.status("late", 0, "completed")
    assert [event.status for event in open_run(path).get_history("late")] == ["completed"]


async def test_a_recording_tells_what_its_tracker_had_dropped_before(path: Path) -> None:
    tracker = StatusTracker(max_events=2 * CHUNK_ROWS)
    pipeline = tracker.begin_run(["A"])
    with record(tracker, path):
        pipeline.status("first", 0, "completed")
    assert open_run(path).remarks == ()
    for number in range(3 * CHUNK_ROWS):
        pipeline.status(number, 0, "completed")
    with record(tracker, path, overwrite=True):
        pipeline.status("last", 0, "completed")
    [remark] = open_run(path).remarks
    assert remark == (
        f"Not from the beginning: {2 * CHUNK_ROWS:,} events had been dropped before the recording began."
    )


async def test_a_disk_that_hangs_holds_up_nothing_and_loses_nothing(path: Path) -> None:
    tracker = StatusTracker(max_events=2 * CHUNK_ROWS)
    record_ = tracker.begin_run(["A"])
    async with record(tracker, path) as recorder:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # as long as this lasts, nobody else can write
            for item in range(60_000):
                record_.status(item, 0, "queued")
                record_.status(item, 0, "completed")
                if item == 10_000:
                    await until(lambda: not recorder.has_written_all())
            assert tracker.log.first_row == 0
            assert not recorder.has_written_all()
            other.execute("ROLLBACK")
        await until(recorder.has_written_all)
    assert len(open_run(path).log) == 120_000


async def test_pipelines_that_run_already_are_told_of_too(path: Path) -> None:
    tracker, go_on = StatusTracker(), asyncio.Event()

    async def wait(value: int) -> int:
        await go_on.wait()
        return value

    pipeline = Pipeline([Stage("Wait", 2, [wait])], status_tracker=tracker)
    task = asyncio.create_task(pipeline.run(range(4)))
    await until(lambda: tracker.get_stats()["in_progress"] == 2)
    async with record(tracker, path):
        go_on.set()
        await task
    (pipeline_told,) = open_run(path).structure()
    assert pipeline_told.stages[0].name == "Wait"
    assert pipeline_told.stats is not None
    assert pipeline_told.stats.items_processed == 4


async def test_a_run_that_goes_on_after_its_end_is_recorded_on(path: Path) -> None:
    tracker, broken = StatusTracker(), True

    async def flaky(value: int) -> int:
        if broken:
            raise OSError("down")
        return value

    pipeline = Pipeline([Stage("A", 1, [flaky], task_attempts=1)], status_tracker=tracker)
    async with record(tracker, path):
        await pipeline.run(range(3))
        broken = False
        assert len(await pipeline.retry_failed()) == 3
    run = open_run(path)
    assert story(run) == story(tracker)
    assert run.get_stats()["completed"] == 3
    (told,) = run.structure()
    assert told.stats is not None
    assert (told.stats.items_processed, told.stats.items_failed) == (3, 0)


async def test_what_is_retried_after_a_run_is_in_the_file_of_the_process_and_not_in_that_of_the_run(
    environment: Path, tmp_path: Path
) -> None:
    broken = True

    async def flaky(value: int) -> int:
        if broken:
            raise OSError("down")
        return value

    pipeline = Pipeline([Stage("A", 1, [flaky], task_attempts=1)])
    await pipeline.run(range(3), record=tmp_path / "own")
    broken = False
    assert len(await pipeline.retry_failed()) == 3
    process_recording.close()
    assert open_run(tmp_path / "own").get_stats()["failed"] == 3
    assert open_run(environment).get_stats()["completed"] == 3


async def test_nothing_is_left_when_a_recording_has_ended(path: Path) -> None:
    tracker = StatusTracker()
    with record(tracker, path) as recorder:
        await make_pipeline(tracker).run(range(30))
    recorder.close()
    assert (tracker.watchers, tracker.value_listeners, tracker.running) == ([], [], {})
    assert not tracker.log._needed
    assert not tracker.log._announcer._subscriptions
    loop = asyncio.get_running_loop()
    assert [timer for timer in getattr(loop, "_scheduled", []) if not timer.cancelled()] == []


async def test_no_timer_waits_while_nothing_happens(path: Path) -> None:
    tracker = StatusTracker()
    loop = asyncio.get_running_loop()
    async with record(tracker, path):
        await make_pipeline(tracker).run(range(30))
        assert [timer for timer in getattr(loop, "_scheduled", []) if not timer.cancelled()] == []


async def test_a_watcher_that_fails_harms_nobody(expect_log: Expect) -> None:
    class Broken:
        def run_started(self, run: int, pipeline: Pipeline) -> None:
            raise OSError("no")

        def run_ended(self, run: int) -> None:
            raise OSError("no")

    expect_log("Who watches a tracker failed")
    tracker = StatusTracker()
    tracker.watchers.append(Broken())
    assert len(await make_pipeline(tracker).run(range(10))) == 9


# What pipelines tell


async def test_the_pipeline_is_described(path: Path) -> None:
    stages = [
        Stage("Fetch", 3, [double, text_of], retry="per_stage", stage_attempts=5, timeout=9.0),
        Stage("Keep", 2, [text_of], queue_capacity=0),
        Stage("Send", 1, [text_of], pull=True, task_attempts=2),
    ]
    await Pipeline(stages).run([1], record=path)
    (pipeline,) = open_run(path).structure()
    assert pipeline.name == "Fetch → Keep → Send"
    assert pipeline.stages == (
        RecordedStage("Fetch", 3, 30, ("double", "text_of"), "per_stage", 5, 9.0),
        RecordedStage("Keep", 2, None, ("text_of",), "per_task", 3),
        RecordedStage("Send", 1, 0, ("text_of",), "per_task", 2),
    )
    assert [worker.worker_name for worker in pipeline.workers][:2] == ["Fetch-W0", "Fetch-W1"]
    assert sum(worker.items_processed for worker in pipeline.workers) == 3
    assert pipeline.ended_at is not None


async def test_the_last_numbers_are_the_pipelines_own(path: Path) -> None:
    pipeline = make_pipeline(StatusTracker())
    await pipeline.run(range(200), record=path)
    run = open_run(path)
    assert run.structure()[0].stats == pipeline.get_stats()
    assert run.snapshots()[-1].stats == pipeline.get_stats()
    assert run.snapshots(run=1) == run.snapshots()
    assert run.snapshots(run=2) == run.snapshots(after=run.snapshots()[-1].time) == []


async def test_numbers_over_time_are_kept_for_plots(path: Path) -> None:
    async def slowly(value: int) -> int:
        await asyncio.sleep(0.05)
        return value

    await Pipeline([Stage("A", 2, [slowly])]).run(range(60), record=path)
    snapshots = open_run(path).snapshots()
    done = [snapshot.stats.stage_stats["A"].completed_items for snapshot in snapshots]
    assert len(snapshots) >= 3
    assert done == sorted(done)
    assert any(0 < count < 60 for count in done)
    assert all(later.time > earlier.time for earlier, later in itertools.pairwise(snapshots))


def test_the_snapshots_of_a_long_run_stay_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_SNAPSHOTS", 16)
    thinning, kept = tables.Thinning(), list[int]()
    for offered in range(1_000):
        if thinning.is_full():
            thinning.thin_out()
            kept = [number for number in kept if number % thinning.step == 0]
        number = thinning.next_number()
        if number is not None:
            assert number == offered
            kept.append(number)
        assert len(kept) <= 16
    assert len(kept) >= 8
    assert kept[-1] >= 1_000 - thinning.step


# Values


async def test_values_are_not_kept_unless_asked_for(path: Path) -> None:
    await make_pipeline().run([4], record=path)
    assert open_run(path).values_of(0) == []


async def recorded_values(path: Path, values: ValueCapture, items: Any) -> RecordedRun:
    tracker = StatusTracker()
    async with record(tracker, path, values=values):
        await make_pipeline(tracker).run(items)
    return open_run(path)


async def test_values_are_kept_at_every_stage_and_at_the_end(path: Path) -> None:
    run = await recorded_values(path, ValueCapture(), [4, 17])
    assert [(value.stage, value.text) for value in run.values_of(0)] == [
        ("Double", "4"),
        ("Text", "8"),
        (None, "'<8>'"),
    ]
    assert [(value.stage, value.text) for value in run.values_of(1)] == [("Double", "17")]
    assert run.values_of("nobody") == []


async def test_values_are_redacted_before_anything_is_kept(path: Path) -> None:
    def redact(stage: str | None, value: Any) -> Any:
        if stage is None:
            raise KeyError(value)
        return {"password": "***"} if stage == "Double" else value

    run = await recorded_values(path, ValueCapture(redact=redact), [4])
    assert [value.text for value in run.values_of(0)] == [
        "{'password': '***'}",
        "8",
        "<not kept: redact raised KeyError>",
    ]


LONG = ["x" * 1_000, ["ü"] * 100_000, 7**90_000, {"a": {"b": list(range(1_000))}}, b"\xff" * 500]


async def test_values_that_come_faster_than_they_are_handed_over_are_left_out_and_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "MAX_WAITING_BYTES", 0)  # one may wait
    run = await recorded_values(path, ValueCapture(), [4, 17])
    assert run.info.left_out_values > 1
    assert run.remarks == (f"{run.info.left_out_values} values of items came too fast to be kept.",)


@pytest.mark.parametrize("place", range(len(LONG)))
def test_the_text_of_a_value_is_cut(place: int) -> None:
    text = ValueCapture(max_bytes=50).text("A", LONG[place])
    assert 0 < len(text.encode()) <= 50


def test_a_value_that_cannot_be_printed_is_named_by_its_class() -> None:
    class Shy:
        def __repr__(self) -> str:
            raise OSError

    assert "Shy" in ValueCapture().text("A", Shy())
    assert ValueCapture().text("A", "\ud800") == "'\\ud800'"


def test_a_wrong_capture_is_refused() -> None:
    with pytest.raises(ValueError, match="max_bytes must be from 1 to 1,000,000, got 0"):
        ValueCapture(max_bytes=0)
    with pytest.raises(TypeError, match="redact must be a function"):
        ValueCapture(redact="password")  # type: ignore[arg-type]


# While it is written


async def test_a_file_can_be_followed_while_it_is_written(path: Path) -> None:
    tracker, heard = StatusTracker(), list[range]()
    record_ = tracker.begin_run(STAGES)
    async with record(tracker, path):
        play_item(record_, "a", fails_in=1)
        run = open_run(path)
        assert not run.info.outcome.is_over
        run.subscribe(heard.append)
        stop = run.follow(interval_s=0.01)
        await until(lambda: len(run.log) == len(tracker.log))
        play_item(record_, "b")
        record_.end()
        await until(lambda: len(run.log) == len(tracker.log))
        assert run.get_history("b") == tracker.get_history("b")
    await until(lambda: run.info.outcome is Outcome.FINISHED)
    assert story(run) == story(tracker)
    assert run.log.runs == tracker.log.runs
    assert heard[0].start == 0 and heard[-1].stop == len(tracker.log)
    assert run._timer is None
    stop()


@pytest.mark.parametrize("way", ["run.antflow", "link.antflow", "elsewhere/run.antflow", "x/../run.antflow"])
def test_what_others_do_with_a_file_that_this_process_reads_too_loses_nothing(way: str, path: Path) -> None:
    tracker = StatusTracker()
    (path.parent / "link.antflow").symlink_to(path)
    (path.parent / "elsewhere").symlink_to(path.parent)
    (path.parent / "x").mkdir()
    with record(tracker, path) as recorder:
        played_tracker(10, tracker=tracker)
        tracker.log.flush()
        # Had the file been opened and closed otherwise than by SQLite, its locks would be gone.
        open_run(path.parent / way).close()
        look = (
            f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('SELECT * FROM info'); c.close()"
        )
        assert run_python("-c", look, cwd=path.parent).code == 0
        played_tracker(10, tracker=tracker)
        tracker.log.flush()
        assert path.with_name(path.name + "-wal").exists()
        assert recorder.fault is None
    assert story(open_run(path)) == story(tracker)


async def test_following_ends_when_it_is_told_to_even_by_a_listener(path: Path) -> None:
    tracker = StatusTracker()
    record_ = tracker.begin_run(STAGES)
    async with record(tracker, path):
        run = open_run(path)
        stop = run.follow(interval_s=0.01)
        run.subscribe(lambda rows: stop())
        play_item(record_, "a")
        await until(lambda: len(run.log))
        assert run._timer is None


async def test_a_file_that_vanishes_is_followed_no_longer(path: Path, expect_log: Expect) -> None:
    tracker = StatusTracker()
    async with record(tracker, path):
        run = open_run(path)
    run._reader.info = run.info.__class__.of_here(None, (), 0.0)  # as it was before the end was read
    remove(path)
    expect_log("run.antflow is followed no longer: ")
    run.follow()
    await until(lambda: run._timer is None)


# Faults while it is written


async def test_a_fault_stops_the_recording_with_one_warning_and_the_run_goes_on(
    path: Path, expect_log: Expect
) -> None:
    tracker = StatusTracker()
    expect_log(
        f"Recording into {path} stopped, no such table: items; what came before stays there, the run goes on"
    )
    record_ = tracker.begin_run(STAGES)
    async with record(tracker, path) as recorder:
        play_item(record_, "a")
        await until(lambda: len(tracker.log) and recorder.has_written_all())
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE items")
        play_item(record_, "b")
        await until(lambda: recorder.fault is not None)
        # The app shows it after the end of the run too.
        assert (
            recorder.fault
            == f"Recording into {path} stopped, no such table: items; what came before stays there"
        )
        play_item(record_, "c")
    assert not tracker.log._needed
    assert tracker.get_stats()["completed"] == 3
    assert not lock_path(path).exists()


# A process


@pytest.fixture
def environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(RECORD_VARIABLE, str(path))
    yield path
    process_recording.close()


async def test_all_pipelines_go_into_the_file_of_the_environment(environment: Path) -> None:
    tracker = StatusTracker()
    await asyncio.gather(make_pipeline().run(range(30)), make_pipeline(tracker).run(range(40)))
    await make_pipeline().run(range(50))
    process_recording.close()
    run = open_run(environment)
    assert [pipeline.name for pipeline in run.structure()] == ["Double → Text"] * 3
    stats = sorted(pipeline.stats.items_failed for pipeline in run.structure() if pipeline.stats is not None)
    assert stats == [3, 4, 5]
    assert run.get_stats()["failed"] == 12


async def test_a_run_can_have_a_file_of_its_own_beside_that_of_its_process(
    environment: Path, tmp_path: Path
) -> None:
    await make_pipeline().run(range(30))
    await make_pipeline().run(range(50), record=tmp_path / "own")
    process_recording.close()
    assert open_run(environment).get_stats()["failed"] == 8
    assert open_run(tmp_path / "own").get_stats()["failed"] == 5


async def test_a_file_of_the_environment_that_is_there_is_an_error(precious: Path, environment: Path) -> None:
    pipeline = make_pipeline()
    for _ in range(2):
        with pytest.raises(RunFileError, match="exists already"):
            await pipeline.run(range(5))


def test_pipelines_of_several_threads_go_into_the_file_of_the_environment(environment: Path) -> None:
    def work(count: int) -> None:
        asyncio.run(make_pipeline().run(range(count)))

    threads = [threading.Thread(target=work, args=(count,)) for count in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    process_recording.close()
    run = open_run(environment)
    assert (run.get_stats()["completed"], run.get_stats()["failed"]) == (540, 60)
    assert [record_.ended_at is not None for record_ in run.log.runs] == [True] * 3


async def test_a_tracker_that_nobody_needs_any_more_is_freed_with_all_its_events_written(
    environment: Path,
) -> None:
    trackers = [StatusTracker() for _ in range(3)]
    for tracker in trackers:
        await make_pipeline(tracker).run(range(10))
    trackers[0].begin_run(["Late"]).status("late", 0, "queued")
    left = [weakref.ref(tracker) for tracker in trackers]
    del tracker
    trackers.clear()
    await until(lambda: gc.collect() >= 0 and not any(reference() for reference in left))
    process_recording.close()
    run = open_run(environment)
    assert run.get_stats()["completed"] == 27
    assert run.get_status("late") is not None


# A script in this process


async def test_a_script_is_recorded_with_the_trackers_it_has_itself(path: Path, tmp_path: Path) -> None:
    script = written(tmp_path / "orders.py", SEVERAL_PIPELINES)
    source = InProcessRun(script, ["--fast"], record=path)
    outcome = await source.run()
    run = open_run(path)
    assert (run.info.script, run.info.arguments) == (str(script), ("--fast",))
    assert [pipeline.name for pipeline in run.structure()] == ["Load", "Match → Score → Rank"]
    assert run.get_stats()["completed"] == outcome.completed == 12
    assert sorted(map(repr, story(run))) == sorted(map(repr, story_of(source)))


def story_of(source: InProcessRun) -> list[Any]:
    return story(source._tracker)


async def test_a_script_that_raises_says_so_in_its_file(path: Path, tmp_path: Path) -> None:
    script = written(tmp_path / "orders.py", RAISES)
    outcome = await InProcessRun(script, record=path).run()
    info = open_run(path).info
    assert info.outcome is Outcome.FAILED
    assert info.message == outcome.message
    assert "no such warehouse" in str(info.message)


async def test_a_script_does_not_run_where_its_file_is_there_already(precious: Path, tmp_path: Path) -> None:
    script = written(tmp_path / "orders.py", SEVERAL_PIPELINES)
    source = InProcessRun(script, record=precious)
    outcome = await source.run()
    assert (outcome.state, outcome.exit_code, outcome.traceback) == (RunState.FAILED, 2, None)
    assert "exists already" in str(outcome.message)
    assert source.pipelines() == []
