"""The commands that look at recordings as real processes: pipes, terminals, full disks, Ctrl+C, memory."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.cells import cell_len

from antflow_core.history.storage import CHUNK_ROWS
from antflow_core.recorded_run import open_run
from antflow_core.tracker import StatusTracker
from tests.bench.run_file import filled_log
from tests.support.processes import run_command, run_python, start_python
from tests.support.recorded import written
from tests.support.scripts import TWO_STAGES
from tests.support.small_log import small_tracker
from tests.support.terminals import run_in_terminal

_EVENTS = 500_000
_MOST_BYTES = 10_000_000
"""How much more they may take than a few chunks: their records alone are 16 MB, the ids 3 MB."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(small_tracker(), tmp_path_factory.mktemp("small") / "small.antflow")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tracker = StatusTracker()
    filled_log(tracker.log, _EVENTS)
    return written(tracker, tmp_path_factory.mktemp("large") / "large.antflow")


def test_a_script_is_recorded_and_its_recording_looked_at(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(TWO_STAGES, encoding="utf-8")
    (tmp_path / "runs").mkdir()
    done = run_command("run", "--record", "runs", "orders.py", cwd=tmp_path)
    assert done.code == 0
    (path,) = (tmp_path / "runs").iterdir()
    assert done.err == f"Recorded into {path}\n"
    shown = run_command("show", str(path), cwd=tmp_path)
    assert (shown.code, shown.err) == (0, "")
    assert "orders.py  finished" in shown.out
    assert "completed 90 · failed 10" in shown.out
    assert "\x1b" not in shown.out
    again = run_command("run", "--record", str(path), "orders.py", cwd=tmp_path)
    assert (again.code, again.out) == (2, "")
    assert "exists already" in again.err and "--overwrite" in again.err and again.err.count("\n") == 1


def test_where_nothing_can_be_recorded_no_file_is_named(tmp_path: Path) -> None:
    if not Path("/proc/self").exists():
        pytest.skip("there is no folder here that nobody can write to")
    (tmp_path / "orders.py").write_text(TWO_STAGES, encoding="utf-8")
    done = run_command("run", "--record", "/proc", "orders.py", cwd=tmp_path)
    assert done.code == 0
    assert "Nothing is recorded" in done.err and "Recorded into" not in done.err


# Pipes


def test_head_ends_a_listing_without_a_word(large: Path) -> None:
    with start_python(
        "-m", "antflow_core", "events", large.name, "--format", "csv", cwd=large.parent
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("row,time,item")
        process.stdout.close()
        process.stdout = None
        err = process.stderr.read()
        assert process.wait(60) == 0
    assert err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device here that is always full")
@pytest.mark.parametrize("args", ["show small.antflow", "events small.antflow --format csv", "--help"])
def test_a_full_device_is_told_in_a_sentence(small: Path, args: str) -> None:
    done = shell(f"{args} > /dev/full", small.parent)
    assert done.returncode == 1
    assert done.stderr == "The output cannot be written: No space left on device\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no shell that closes the output")
def test_a_closed_output_is_told_in_a_sentence(small: Path) -> None:
    done = shell("show small.antflow >&-", small.parent)
    assert (done.returncode, done.stderr) == (
        1,
        "The output cannot be written: there is no standard output\n",
    )


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        f"{sys.executable} -m antflow_core {line}",
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_encoding_that_lacks_characters_does_no_harm(small: Path) -> None:
    done = run_command("item", small.name, "ünï 🐜", cwd=small.parent, env={"PYTHONIOENCODING": "ascii"})
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Item ?n? ?")


# Terminals


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_gets_colours_and_lines_that_fit(small: Path, columns: int) -> None:
    seen = run_in_terminal("show", small.name, columns=columns, cwd=small.parent)
    assert seen.code == 0
    assert "\x1b[31m" in seen.raw
    assert "p99" in seen.text
    assert max(map(cell_len, seen.text.splitlines())) <= columns


def test_a_narrow_terminal_gets_every_number_whole(small: Path) -> None:
    seen = run_in_terminal("show", small.name, columns=50, cwd=small.parent)
    assert seen.code == 0
    lines = [line.split() for line in seen.text.splitlines()]
    assert ["Stage", "Completed", "Failed", "Skipped", "Retried"] in lines
    assert ["Stage", "Rate", "p50", "p95", "p99"] in lines
    assert ["Fetch", "1", "1", "1", "1"] in lines
    assert ["Fetch", "2.4/s", "100", "ms", "100", "ms", "100", "ms"] in lines
    assert max(map(cell_len, seen.text.splitlines())) <= 50


def test_a_terminal_shows_where_a_query_is_faulty(small: Path) -> None:
    seen = run_in_terminal("events", small.name, "run:1 stauts:failed", columns=80, cwd=small.parent)
    assert seen.code == 2
    assert seen.text.splitlines() == [
        "Faulty query: unknown field `stauts`; did you mean `status`?",
        "  run:1 stauts:failed",
        "        ^^^^^^",
    ]


def test_a_long_export_shows_a_bar_on_a_terminal(large: Path, tmp_path: Path) -> None:
    seen = run_in_terminal("export", str(large), "out.csv", columns=80, cwd=tmp_path)
    assert seen.code == 0
    assert re.search(r"Writing out\.csv .* [\d,]+ of 499,950 events", seen.text)
    assert seen.text.splitlines()[-1].startswith("499,950 events exported into out.csv, ")


# Ctrl+C

_INTERRUPTED = """
import os, signal, sys

module = sys.argv.pop(1)

class Presses:
    def find_spec(self, name, *_):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Presses())
from antflow_core.cli import main
main()
"""
"""The command, with Ctrl+C pressed where it begins to load a module, its first argument."""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for one process alone")
@pytest.mark.parametrize(
    "module", ["typer", "antflow_core.cli.listing", "rich.text", "antflow_core.recorded_run"]
)
def test_ctrl_c_while_the_command_is_being_loaded_ends_it_without_a_word(small: Path, module: str) -> None:
    done = run_python("-c", _INTERRUPTED, module, "show", small.name, cwd=small.parent)
    assert (done.code, done.out, done.err) == (130, "", "")


# Exports


_MEASURED = """
import sys
from pathlib import Path
from antflow_core.cli.command import app
app(sys.argv[1:], standalone_mode=False)
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
"""Not getrusage, whose figure begins with that of the process that started this one."""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured otherwise here")
def test_an_export_takes_as_much_memory_for_many_events_as_for_a_few(large: Path, tmp_path: Path) -> None:
    tracker = StatusTracker()
    filled_log(tracker.log, 4 * CHUNK_ROWS)
    taken = []
    for path in (written(tracker, tmp_path / "few.antflow"), large):
        done = run_python("-c", _MEASURED, "export", str(path), f"{path.stem}.jsonl", cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
        taken.append(1_024 * int(done.out.splitlines()[-1]))
    assert taken[1] - taken[0] < _MOST_BYTES
    assert open_run(tmp_path / "large.jsonl", whole=False).total_events == 499_950


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals to send to another process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_of_an_export_that_is_told_to_end(
    large: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with start_python("-m", "antflow_core", "export", str(large), "out.sqlite", cwd=tmp_path) as process:
        while not [*tmp_path.iterdir()]:
            time.sleep(0.005)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, "", "")
    assert [*tmp_path.iterdir()] == []
