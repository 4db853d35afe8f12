"""Recording in real processes: killed, on full disks, in folders nobody can write to, several at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from antflow_core.recorded_run import RecordedRun, open_run
from antflow_core.recording import record
from antflow_core.run_files.file_lock import is_locked, lock_path
from antflow_core.run_files.run_records import Outcome
from tests.support.events import played_tracker
from tests.support.processes import run_command, run_python, start_python
from tests.support.scripts import TWO_STAGES

NOBODY = 65_534
LOST_S = 0.5
"""What a killed process may lose at most."""
STALLED_S = 0.2
"""A process that is silent for so long was not let run: by then it may have lost more."""

ENDLESS = """\
import asyncio, itertools, sys, time

from antflow_core import Pipeline, Stage, StatusTracker

tracker = StatusTracker()


async def work(number):
    await asyncio.sleep(float(sys.argv[2]))
    return number


async def tell():
    while True:
        print(time.time(), len(tracker.log), flush=True)
        await asyncio.sleep(0.02)


async def main():
    telling = asyncio.create_task(tell())
    stages = [Stage("Work", 5, [work]), Stage("Check", 5, [work])]
    pipeline = Pipeline(stages, collect_results=False, status_tracker=tracker)
    await pipeline.run(itertools.count(), record=sys.argv[1])


asyncio.run(main())
"""
"""Records into its first argument until it is killed, and tells the time and how many events there are."""

FINITE = """\
import asyncio, os, sys

from antflow_core import Pipeline, Stage, StatusTracker
from antflow_core.recording import record

{setup}

async def work(number):
    await asyncio.sleep(0)
    {at_item}
    return number


async def main():
    pipeline = Pipeline([Stage("Work", 5, [work])], status_tracker=StatusTracker())
    results = await pipeline.run(range({items}), record=sys.argv[1])
    print(len(results), "results")


asyncio.run(main())
"""
"""Records a run of so many items into its first argument."""

AS_NOBODY = f"if os.getuid() == 0: os.setgid({NOBODY}); os.setuid({NOBODY})"
"""Root may write into any folder."""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can come to."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        folder.chmod(0o777)


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system of its own; skips the test where none can be mounted."""
    with tempfile.TemporaryDirectory() as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", name]
        if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", name], check=True)


def finite(items: int, *, setup: str = "", at_item: str = "") -> str:
    return FINITE.format(items=items, setup=setup, at_item=at_item)


def killed(path: Path, *, pause_s: float, events: int = 1) -> tuple[float, int]:
    """Kill a process that records, after so many events, and once some of them are in its file.

    It has run for a second before without being held up by a busy machine.

    Returns:
        The time and the number of events that it told last.
    """
    with start_python("-c", ENDLESS, str(path), str(pause_s), cwd=path.parent) as process:
        assert process.stdout is not None
        began = before = 0.0
        for line in process.stdout:
            moment, count = float(line.split()[0]), int(line.split()[1])
            if not count or moment - before > STALLED_S:
                began = moment
            before = moment
            if count >= events and moment - began > 2 * LOST_S and has_events(path):
                break
        process.kill()
        said = [line, *process.stdout]
    last = next(line for line in reversed(said) if line.endswith("\n")).split()
    return float(last[0]), int(last[1])


def has_events(path: Path) -> bool:
    """Whether the file of a recording that goes on has come so far that events are in it."""
    return path.exists() and len(open_run(path, whole=False).log) > 0


@pytest.mark.parametrize(("pause_s", "events"), [(0.001, 3_000), (0, 60_000)])
def test_a_killed_process_loses_half_a_second_at_most(pause_s: float, events: int, tmp_path: Path) -> None:
    path = tmp_path / "run.antflow"
    moment, count = killed(path, pause_s=pause_s, events=events)
    run = open_run(path)
    assert run.log.event(run.log.next_row - 1).time >= moment - LOST_S
    assert len(run.log) in range(1, 2 * count)
    assert run.info.outcome is Outcome.UNEXPECTED
    assert "ended unexpectedly" in run.remarks[0]
    assert run.structure()[0].stats is not None
    assert [file.name for file in tmp_path.iterdir()] == ["run.antflow"]
    assert open_run(path).info.outcome is Outcome.UNEXPECTED


def test_a_process_that_is_killed_before_anything_happened_leaves_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "run.antflow"
    script = f"""
import os, signal
from antflow_core import StatusTracker
from antflow_core.recording import record
record(StatusTracker(), {str(path)!r})
os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
"""
    assert run_python("-c", script, cwd=tmp_path).code != 0
    run = open_run(path)
    assert (len(run.log), run.info.outcome) == (0, Outcome.UNEXPECTED)
    assert run.remarks == ("The recording ended unexpectedly: up to its last half second may be missing.",)


def test_the_file_of_a_killed_process_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run.antflow"
    killed(path, pause_s=0.001)
    assert lock_path(path).exists()
    assert not is_locked(path)
    with record(played_tracker(3), path, overwrite=True):
        pass
    assert open_run(path).info.outcome is Outcome.FINISHED
    assert [file.name for file in tmp_path.iterdir()] == ["run.antflow"]


def test_a_full_disk_stops_the_recording_only(tmp_path: Path) -> None:
    with small_disk("16m") as disk:
        path = disk / "run.antflow"
        done = run_python("-c", finite(150_000), str(path), cwd=tmp_path)
        assert (done.code, done.out) == (0, "150000 results\n"), done.err
        (warning,) = done.err.splitlines()
        assert warning == (
            f"Recording into {path} stopped, the disk is full; what came before stays there, the run goes on"
        )
        run = open_run(path)
        assert 100_000 < len(run.log) < 750_000
        assert run.get_history(0)
        assert run.info.outcome is Outcome.CUT_SHORT
        assert run.remarks == ("Only the beginning is here: the recording stopped, the disk is full.",)
        assert not lock_path(path).exists()


def test_a_limit_on_the_size_of_files_stops_the_recording_only(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "run.antflow"
    setup = f"import resource; resource.setrlimit({resource.RLIMIT_FSIZE}, (8_000_000, 8_000_000))"
    done = run_python("-c", finite(150_000, setup=setup), str(path), cwd=tmp_path)
    assert (done.code, done.out) == (0, "150000 results\n"), done.err
    (warning,) = done.err.splitlines()
    assert warning.startswith(f"Recording into {path} stopped, ")
    run = open_run(path)
    assert 0 < len(run.log) < 750_000
    assert run.remarks


def test_a_disk_that_is_full_from_the_start_does_not_keep_a_run_from_its_work(tmp_path: Path) -> None:
    with small_disk("64k") as disk:
        (disk / "filled").write_bytes(bytes(60_000))
        path = disk / "run.antflow"
        done = run_python("-c", finite(100), str(path), cwd=tmp_path)
        assert (done.code, done.out) == (0, "100 results\n"), done.err
        assert (
            done.err == f"Nothing is recorded: {path} cannot be written, the disk is full; the run goes on\n"
        )
        assert [file.name for file in disk.iterdir()] == ["filled"]


def test_a_folder_that_cannot_be_written_to_does_not_keep_a_run_from_its_work(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    path = open_folder / "run.antflow"
    done = run_python("-c", finite(100, setup=AS_NOBODY), str(path), cwd=open_folder)
    assert (done.code, done.out) == (0, "100 results\n"), done.err
    assert done.err == f"Nothing is recorded: {path} cannot be written, permission denied; the run goes on\n"
    assert list(open_folder.iterdir()) == []


def test_a_folder_that_cannot_be_looked_into_does_not_keep_a_run_from_its_work(open_folder: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make a folder that is closed to somebody else")
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    path = closed / "run.antflow"
    done = run_python("-c", finite(100, setup=AS_NOBODY), str(path), cwd=open_folder)
    assert (done.code, done.out) == (0, "100 results\n"), done.err
    assert done.err == f"Nothing is recorded: {path} cannot be written, permission denied; the run goes on\n"


def test_a_folder_that_becomes_read_only_harms_nothing(open_folder: Path) -> None:
    path = open_folder / "run.antflow"
    if os.getuid() == 0:
        os.chown(open_folder, NOBODY, NOBODY)
    script = finite(
        20_000, setup=AS_NOBODY, at_item=f"if number == 10_000: os.chmod({str(open_folder)!r}, 0o555)"
    )
    done = run_python("-c", script, str(path), cwd=open_folder)
    assert (done.code, done.out, done.err) == (0, "20000 results\n", "")
    run = open_run(path)
    assert run.get_stats()["completed"] == 20_000
    assert run.info.outcome is Outcome.FINISHED
    assert run.remarks == ()


OPENS = f"""\
import os, sys
from antflow_core.recorded_run import open_run
import antflow_core.search.result, tempfile
{AS_NOBODY}
run = open_run(sys.argv[1])
print(run.info.outcome, run.get_stats()["completed"], *run.remarks)
"""


@pytest.mark.parametrize("ended", [True, False])
def test_a_file_that_nobody_can_write_to_is_opened(ended: bool, open_folder: Path) -> None:
    path = open_folder / "run.antflow"
    if ended:
        with record(played_tracker(40), path):
            pass
    else:
        killed(path, pause_s=0)
    for file in open_folder.iterdir():
        file.chmod(0o444)
    open_folder.chmod(0o555)
    before = {file.name: file.stat().st_size for file in open_folder.iterdir()}
    done = run_python("-c", OPENS, str(path), cwd=open_folder)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("finished " if ended else "ended unexpectedly ")
    assert int(done.out.removeprefix("ended unexpectedly").split()[0 if not ended else 1]) > 10
    assert "are missing" not in done.out
    assert {file.name: file.stat().st_size for file in open_folder.iterdir()} == before


def test_a_file_on_a_read_only_medium_without_its_shared_memory_says_what_is_missing(tmp_path: Path) -> None:
    killed(tmp_path / "run.antflow", pause_s=0)
    with small_disk("64m") as disk:
        for name in ("run.antflow", "run.antflow-wal"):
            shutil.copy(tmp_path / name, disk)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        run = open_run(disk / "run.antflow")
        assert "The newest events are missing: they are in run.antflow-wal" in run.remarks[1]


def test_a_second_process_cannot_record_into_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "run.antflow"
    with start_python("-c", ENDLESS, str(path), "0.001", cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = run_python("-c", finite(10), str(path), cwd=tmp_path)
    assert done.code == 1
    assert done.err.splitlines()[-1] == (
        f"antflow_core.exceptions.RunFileError: {path} is being recorded by process {process.pid}; choose "
        "another name, or a folder to get a new file in it"
    )


def test_a_file_can_be_watched_from_another_process(tmp_path: Path) -> None:
    path = tmp_path / "run.antflow"
    with start_python("-c", ENDLESS, str(path), "0.001", cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        run = open_run(path)
        outcome, sizes = run.info.outcome, set[int]()
        deadline = time.monotonic() + 30
        while len(sizes) < 4 and time.monotonic() < deadline:
            run.update()
            sizes.add(len(run.log))
            process.stdout.readline()
        process.kill()
        process.wait()
        run.update()
    assert outcome is Outcome.RECORDING
    assert len(sizes) >= 4
    assert run.info.outcome is Outcome.UNEXPECTED
    assert run.is_whole


def test_a_child_that_outlives_its_killed_parent_does_not_hold_the_file(tmp_path: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    path, ready = tmp_path / "run.antflow", tmp_path / "ready"
    script = f"""
import os, sys, time
from antflow_core import StatusTracker
from antflow_core.recording import record
recorder = record(StatusTracker(), {str(path)!r})
if os.fork() == 0:
    open({str(ready)!r}, "w").write(str(os.getpid()))
    os.close(1), os.close(2)
time.sleep(60)
"""
    with start_python("-W", "ignore", "-c", script, cwd=tmp_path) as process:
        deadline = time.monotonic() + 30
        while not (ready.exists() and ready.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert is_locked(path)
        process.kill()
        process.wait()
        try:
            assert not is_locked(path)
            assert open_run(path).info.outcome is Outcome.UNEXPECTED
        finally:
            os.kill(int(ready.read_text()), 9)


# A process that cannot be changed

UNCHANGED = (
    TWO_STAGES.replace("from antflow import", "from antflow_core import") + "\n\nasyncio.run(main())\n"
)


def recorded_by_environment(source: str, where: Path, folder: Path) -> tuple[int, str]:
    script = folder / "orders.py"
    script.write_text(source, encoding="utf-8")
    done = run_python(str(script), "--limit", "5", cwd=folder, env={"ANTFLOW_RECORD": str(where)})
    return done.code, done.err


def only_run_in(folder: Path) -> RecordedRun:
    (path,) = folder.glob("*.antflow")
    return open_run(path)


def test_a_script_is_recorded_without_a_change(tmp_path: Path) -> None:
    path = tmp_path / "run.antflow"
    assert recorded_by_environment(UNCHANGED, path, tmp_path) == (0, "")
    run = open_run(path)
    assert run.info.outcome is Outcome.ENDED
    assert run.info.script == str(tmp_path / "orders.py")
    assert run.info.folder == str(tmp_path)
    assert run.info.arguments == ("--limit", "5")
    assert (run.get_stats()["completed"], run.get_stats()["failed"]) == (90, 10)


@pytest.mark.parametrize("script", ["jobs/orders.py", "./jobs/../jobs/orders.py"])
def test_a_script_that_leaves_its_folder_is_found_again(script: str, tmp_path: Path) -> None:
    (tmp_path / "jobs" / "deeper").mkdir(parents=True)
    leaves = "import os\nos.chdir(os.path.join(os.path.dirname(__file__), 'deeper'))\n"
    (tmp_path / "jobs" / "orders.py").write_text(leaves + UNCHANGED, encoding="utf-8")
    env = {"ANTFLOW_RECORD": str(tmp_path / "run.antflow")}
    assert run_python(script, cwd=tmp_path, env=env).code == 0
    info = open_run(tmp_path / "run.antflow").info
    assert (info.script, info.folder) == (script, str(tmp_path))
    assert info.script_path is not None and info.script_path.samefile(tmp_path / "jobs" / "orders.py")


def test_an_exception_that_ends_the_process_stands_in_the_file(tmp_path: Path) -> None:
    source = UNCHANGED + "raise LookupError('no such warehouse')\n"
    code, err = recorded_by_environment(source, tmp_path / "run.antflow", tmp_path)
    assert code == 1
    assert err.endswith("LookupError: no such warehouse\n")
    info = open_run(tmp_path / "run.antflow").info
    assert (info.outcome, info.message) == (Outcome.FAILED, "LookupError: no such warehouse")


@pytest.mark.parametrize(("end", "code"), [("sys.exit(3)", 3), ("sys.exit()", 0), ("raise SystemExit(0)", 0)])
def test_an_exit_code_that_nobody_is_told_is_not_made_up(end: str, code: int, tmp_path: Path) -> None:
    path = tmp_path / "run.antflow"
    assert recorded_by_environment(f"{UNCHANGED}import sys\n{end}\n", path, tmp_path) == (code, "")
    info = open_run(path).info
    assert (info.outcome, info.message) == (Outcome.ENDED, None)
    shown = run_command("show", path.name, cwd=tmp_path)
    assert shown.out.splitlines()[0].endswith("orders.py --limit 5  ended, exit code not known")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to another process")
def test_ctrl_c_is_a_stop_of_the_process(tmp_path: Path) -> None:
    source = f"{UNCHANGED}import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    code, err = recorded_by_environment(source, tmp_path / "run.antflow", tmp_path)
    assert code == -2 and err.endswith("KeyboardInterrupt\n")
    assert open_run(tmp_path / "run.antflow").info.outcome is Outcome.STOPPED


@pytest.mark.parametrize(
    ("end", "outcome", "message"),
    [
        ("sys.exit(3)", Outcome.FAILED, "it exited with 3"),
        ("sys.exit(0)", Outcome.FINISHED, None),
        ("raise LookupError('no such warehouse')", Outcome.FAILED, "LookupError: no such warehouse"),
    ],
)
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_child_process_knows_how_it_ended(
    method: str, end: str, outcome: Outcome, message: str | None, tmp_path: Path
) -> None:
    if method == "fork" and sys.platform == "win32":
        pytest.skip("there is no fork here")
    source = UNCHANGED.replace("\n\nasyncio.run(main())\n", "") + (
        f"\n\ndef work():\n    import sys\n    asyncio.run(main())\n    {end}\n\n\n"
        "if __name__ == '__main__':\n"
        "    import multiprocessing\n"
        f"    child = multiprocessing.get_context('{method}').Process(target=work)\n"
        "    child.start()\n    child.join()\n"
    )
    code, _ = recorded_by_environment(source, tmp_path / "run.antflow", tmp_path)
    info = open_run(tmp_path / "run.antflow").info
    assert (code, info.outcome, info.message) == (0, outcome, message)


def test_a_folder_gets_a_file_for_each_process(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    for _ in range(3):
        assert recorded_by_environment(UNCHANGED, runs, tmp_path) == (0, "")
    paths = list(runs.iterdir())
    assert len(paths) == 3
    assert all(path.match("orders-*.antflow") for path in paths)
    assert {open_run(path).get_stats()["completed"] for path in paths} == {90}


def test_an_existing_file_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "run.antflow"
    path.write_text("precious")
    code, err = recorded_by_environment(UNCHANGED, path, tmp_path)
    assert code == 1
    assert err.splitlines()[-1] == (
        f"antflow_core.exceptions.FileIsThereError: {path} exists already; choose another name, or a folder "
        "to get a new file in it, or delete it first (ANTFLOW_RECORD names it)"
    )
    assert path.read_text() == "precious"


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_child_processes_get_files_of_their_own(method: str, tmp_path: Path) -> None:
    if method == "fork" and sys.platform == "win32":
        pytest.skip("there is no fork here")
    runs = tmp_path / "runs"
    runs.mkdir()
    source = UNCHANGED.replace("\n\nasyncio.run(main())\n", "") + (
        "\n\ndef work():\n    asyncio.run(main())\n\n\n"
        "if __name__ == '__main__':\n"
        "    import multiprocessing, warnings\n"
        "    warnings.simplefilter('ignore')\n"
        "    work()\n"
        f"    child = multiprocessing.get_context('{method}').Process(target=work)\n"
        "    child.start()\n    child.join()\n    work()\n"
    )
    assert recorded_by_environment(source, runs, tmp_path) == (0, "")
    runs_found = [open_run(path) for path in runs.glob("*.antflow")]
    assert sorted(len(run.log.runs) for run in runs_found) == [1, 2]
    outcomes = {len(run.log.runs): run.info.outcome for run in runs_found}
    assert outcomes == {1: Outcome.FINISHED, 2: Outcome.ENDED}
    assert {run.get_stats()["completed"] for run in runs_found} == {90, 180}
    assert len(list(runs.iterdir())) == 2


# The command


def test_the_command_records_a_script(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(TWO_STAGES, encoding="utf-8")
    done = run_command("run", "--record", "run.antflow", "orders.py", "7", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    run = open_run(tmp_path / "run.antflow")
    assert (run.info.script, run.info.arguments) == ("orders.py", ("7",))
    assert (run.info.folder, run.info.script_path) == (str(tmp_path), tmp_path / "orders.py")
    assert run.get_stats()["completed"] == 90
    assert [pipeline.name for pipeline in run.structure()] == ["Fetch → Price"]


@pytest.mark.parametrize(
    ("words", "arguments", "recorded"),
    [
        (("orders.py", "--record", "run.antflow"), (), True),
        (("orders.py", "7", "--record=run.antflow", "--limit", "5"), ("7", "--limit", "5"), True),
        (("--overwrite", "orders.py", "--record", "run.antflow", "--help"), ("--help",), True),
        (("--record", "run.antflow", "orders.py", "--dashboard", "x"), ("--dashboard", "x"), True),
        (("orders.py", "--record", "run.antflow", "--overwrite"), (), True),
        (("orders.py", "--overwrite"), ("--overwrite",), False),
        (("orders.py", "--record", "run.antflow", "--", "--overwrite"), ("--", "--overwrite"), True),
        (("orders.py", "--", "--record", "run.antflow"), ("--", "--record", "run.antflow"), False),
        (("--", "orders.py", "--record", "run.antflow"), ("--record", "run.antflow"), False),
    ],
)
def test_where_to_record_is_said_before_or_after_the_script(
    words: tuple[str, ...], arguments: tuple[str, ...], recorded: bool, tmp_path: Path
) -> None:
    (tmp_path / "orders.py").write_text(TWO_STAGES + "\nimport sys\nprint(sys.argv[1:])\n", encoding="utf-8")
    done = run_command("run", *words, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == str([*arguments])
    assert (tmp_path / "run.antflow").exists() is recorded


def test_an_option_without_its_value_is_named(tmp_path: Path) -> None:
    done = run_command("run", "orders.py", "--record", cwd=tmp_path)
    assert done.code == 2 and "Option '--record' requires an argument." in done.err


@pytest.mark.parametrize(("end", "code"), [("sys.exit(3)", 1), ("sys.exit(0)", 0), ("explode()", 1)])
@pytest.mark.parametrize("way", ["option", "environment"])
def test_the_command_knows_how_the_script_ended(end: str, code: int, way: str, tmp_path: Path) -> None:
    source = TWO_STAGES + f"    import sys\n    {end}\n"
    (tmp_path / "orders.py").write_text(source, encoding="utf-8")
    options = ("--record", "run.antflow") if way == "option" else ()
    env = {} if way == "option" else {"ANTFLOW_RECORD": "run.antflow"}
    assert run_command("run", *options, "orders.py", cwd=tmp_path, env=env).code == code
    run = open_run(tmp_path / "run.antflow")
    assert run.get_stats()["completed"] == 90
    assert run.info.outcome is (Outcome.FAILED if code else Outcome.FINISHED)
    assert bool(run.info.message) == bool(code)
    assert (run.info.script, run.info.folder) == ("orders.py", str(tmp_path))


def test_the_command_takes_its_file_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(TWO_STAGES, encoding="utf-8")
    runs, env = tmp_path / "runs", {"ANTFLOW_RECORD": "runs"}
    runs.mkdir()
    done = run_command("run", "orders.py", cwd=tmp_path, env=env)
    (path,) = runs.iterdir()
    assert (done.code, done.err) == (0, f"Recorded into {path}\n")
    env["ANTFLOW_RECORD"] = str(path)
    again = run_command("run", "orders.py", cwd=tmp_path, env=env)
    assert (again.code, again.out) == (2, "")
    assert again.err == (
        f"{path} exists already; choose another name, or a folder to get a new file in it, or pass "
        "--overwrite to replace it\n"
    )
    assert run_command("run", "--overwrite", "orders.py", cwd=tmp_path, env=env).code == 0
    assert len(open_run(path).log.runs) == 1


def test_the_command_refuses_a_file_of_the_environment_beside_its_own(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("print('begun')\n" + TWO_STAGES, encoding="utf-8")
    (tmp_path / "there.antflow").write_text("precious")
    env = {"ANTFLOW_RECORD": "there.antflow"}
    done = run_command("run", "--record", "run.antflow", "orders.py", cwd=tmp_path, env=env)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"{tmp_path / 'there.antflow'} exists already; ")
    assert done.err.endswith("or delete it first (ANTFLOW_RECORD names it)\n")


@pytest.mark.parametrize(
    ("option", "variable", "code", "err"),
    [(("--record", ""), None, 2, "The path of the run file is empty; name a file\n"), ((), "", 0, "")],
)
def test_the_command_records_nothing_where_no_file_is_named(
    option: tuple[str, ...], variable: str | None, code: int, err: str, tmp_path: Path
) -> None:
    (tmp_path / "orders.py").write_text(TWO_STAGES, encoding="utf-8")
    env = {} if variable is None else {"ANTFLOW_RECORD": variable}
    done = run_command("run", *option, "orders.py", cwd=tmp_path, env=env)
    assert (done.code, done.err) == (code, err)
    assert not list(tmp_path.glob("*.antflow"))


@pytest.mark.parametrize("where", ["runs", "run.antflow"])
def test_a_script_that_cannot_be_run_leaves_no_recording(where: str, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for name, source in (("nothing.py", "x = 1\n"), ("faulty.py", "x = = 1\n")):
        (tmp_path / name).write_text(source, encoding="utf-8")
        done = run_command("run", "--record", where, name, cwd=tmp_path)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(name) and done.err.count("\n") == 1
    assert not [*tmp_path.glob("**/*.antflow")]


def test_an_empty_recording_of_a_script_that_could_not_be_run_is_not_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("async def main(): ...\nimport asyncio\nasyncio.run(main())\n")
    done = run_command("run", "--record", ".", "orders.py", cwd=tmp_path)
    assert done.code == 2
    assert done.err.count("\n") == 1 and "Recorded into" not in done.err


def test_the_command_does_not_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(TWO_STAGES, encoding="utf-8")
    (tmp_path / "run.antflow").write_text("precious")
    done = run_command("run", "--record", "run.antflow", "orders.py", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"{tmp_path / 'run.antflow'} exists already; choose another name, or a folder to get a new file in "
        "it, or pass --overwrite to replace it\n"
    )


def test_the_command_records_into_a_folder_with_a_dashboard(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(TWO_STAGES, encoding="utf-8")
    done = run_command("run", "--record", ".", "--dashboard", "compact", "orders.py", cwd=tmp_path)
    assert done.code == 0
    assert only_run_in(tmp_path).get_stats()["failed"] == 10
