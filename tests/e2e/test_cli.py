"""The real command as a process: exit codes, what goes to stdout and stderr, arguments, the alias, Ctrl+C."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from antflow_core import __version__
from tests.e2e.harms import HARMS
from tests.support.processes import Finished, run_command, start_python
from tests.support.scripts import NO_PIPELINE, RAISES, SYNTAX_ERROR, TWO_STAGES

Run = Callable[..., Finished]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a script given as text or bytes, with options before it and arguments after it."""

    def run(
        source: str | bytes, *args: str, options: tuple[str, ...] = (), name: str = "orders.py"
    ) -> Finished:
        script = tmp_path / name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_bytes(source if isinstance(source, bytes) else dedent(source).encode())
        return run_command("run", *options, name, *args, cwd=tmp_path)

    return run


def test_a_run_ends_with_the_summary_line_and_failed_items_are_no_failure(run: Run) -> None:
    done = run(TWO_STAGES)
    assert (done.code, done.err) == (0, "")
    printed, summary = done.out.splitlines()
    assert printed == "priced 90 orders"
    assert re.fullmatch(r"completed 90, failed 10, skipped 0 in \d+\.\d s", summary)


def test_a_script_that_raises_shows_a_traceback_from_its_own_first_frame(run: Run, tmp_path: Path) -> None:
    done = run(RAISES)
    assert done.code == 1
    assert "Traceback" not in done.out
    assert done.out.startswith("completed 3, failed 0, skipped 0 in ")
    first, *frames = done.err.splitlines()
    assert first == "Traceback (most recent call last):"
    assert frames[0] == f'  File "{tmp_path / "orders.py"}", line 14, in main'
    assert frames[-1] == "LookupError: no such warehouse"
    assert "antflow_core" not in done.err


@pytest.mark.parametrize(
    ("call", "code", "err"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(0)", 0, ""),
        ("sys.exit(3)", 1, "orders.py exited with code 3\n"),
        ("sys.exit('no stock')", 1, "orders.py: no stock\n"),
    ],
)
def test_an_exit_of_the_script_counts(run: Run, call: str, code: int, err: str) -> None:
    done = run(f"import sys\nasync def main(): {call}")
    assert (done.code, done.err) == (code, err)
    assert done.out.startswith("completed 0, failed 0, skipped 0 in ")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (NO_PIPELINE, "orders.py has nothing to run: add `async def main()`"),
        (SYNTAX_ERROR, "orders.py, line 1"),
        (b"\x7fELF\0\0\1", "orders.py is not a Python file"),
        (b"x = 1\0", "orders.py is not a Python file"),
        ("caf\xe9 = 1".encode("latin-1"), "orders.py, line 1: not valid UTF-8"),
        ("import asyncio\nasync def main(): ...\nasyncio.run(main())", "orders.py, line 3"),
        ("async def main(items): ...", "needs items"),
        ("def main(): ...", "async def main()"),
        ("def make(): return 1\nx = make()", "nothing to run"),
    ],
)
def test_nothing_to_run_is_said_in_one_line_on_stderr(run: Run, source: str | bytes, words: str) -> None:
    done = run(source)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert done.err.count("\n") == 1


def test_an_unreadable_script_is_named(tmp_path: Path) -> None:
    missing = run_command("run", "missing.py", cwd=tmp_path)
    assert (missing.code, missing.out) == (2, "")
    assert "missing.py does not exist" in missing.err
    folder = run_command("run", str(tmp_path), cwd=tmp_path)
    assert folder.code == 2
    assert "is a folder" in folder.err


def test_everything_after_the_script_is_the_scripts(run: Run) -> None:
    done = run(
        "import sys\nasync def main(): print(sys.argv)",
        "--dashboard",
        "x",
        "--help",
        "--",
        "-v",
        name="my job.py",
    )
    assert done.out.splitlines()[0] == "['my job.py', '--dashboard', 'x', '--help', '--', '-v']"


def test_the_alias_holds_where_another_antflow_lies_in_the_way(run: Run, tmp_path: Path) -> None:
    (tmp_path / "antflow.py").write_text("raise ImportError('the wrong one')")
    done = run(
        "import antflow, antflow.types\nasync def main(): print(antflow.__name__, antflow.types.__name__)"
    )
    assert done.out.splitlines()[0] == "antflow_core antflow_core.types", done.err


@pytest.mark.parametrize(
    "name", ["jobs/queue.py", "jobs/json.py", "typing_extensions.py", "no suffix", "sub dir/für.py"]
)
def test_odd_names_and_places_do_no_harm(run: Run, name: str) -> None:
    done = run(
        """
        import json, os, queue
        from antflow import Pipeline
        async def work(x): return json.loads(str(x))
        pipeline = Pipeline.create().add("Work", work).build()
        items = range(4)
        print(os.getcwd())
        """,
        name=name,
    )
    assert done.code == 0, done.err
    assert done.out.splitlines()[1].startswith("completed 4, failed 0")


def test_a_dashboard_is_drawn_on_request_and_the_summary_still_comes_last(run: Run) -> None:
    done = run(TWO_STAGES, options=("--dashboard", "detailed"))
    assert done.code == 0, done.err
    assert "Fetch" in done.out
    assert done.out.splitlines()[-1].startswith("completed 90, failed 10")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to another process")
def test_ctrl_c_finishes_the_items_in_hand_and_a_second_one_cancels(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(
        dedent("""
        import asyncio, itertools
        from antflow import Pipeline, Stage
        async def endless():
            for number in itertools.count():
                yield number
        async def work(x):
            if x == 0:
                print("working", flush=True)
            await asyncio.sleep(0.001)
        async def main():
            await Pipeline([Stage("Work", 2, [work])]).run(endless())
            print("stopped well", flush=True)
            await asyncio.Event().wait()
        """)
    )
    with start_python("-m", "antflow_core", "run", "orders.py", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped well\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(r"completed \d+, failed 0, skipped 0 in .* s\n", out)
    assert err.startswith("Stopping when the items in hand are done; press Ctrl+C again to cancel them\n")
    assert err.splitlines()[-1].startswith("Cancelling")
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to another process")
def test_a_third_ctrl_c_ends_code_that_holds_the_loop(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(
        "async def main():\n    print('holding', flush=True)\n    while True: pass\n"
    )
    with start_python("-m", "antflow_core", "run", "orders.py", cwd=tmp_path) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        for word in ("Stopping", "Cancelling"):
            assert process.stderr.readline().startswith(word)
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert out.startswith("completed 0")


def test_a_reader_that_goes_away_gets_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("import os\nasync def main(): os.read(0, 1)\n")
    with start_python("-m", "antflow_core", "run", "orders.py", cwd=tmp_path) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        process.stdout = None
        err = process.stderr.read()
        process.wait(60)
    assert err == ""


@pytest.mark.parametrize("closed", ["sys.stdout", "sys.stderr"])
def test_a_script_that_closes_a_stream_gets_no_traceback_of_ours(run: Run, closed: str) -> None:
    done = run(f"import sys\nasync def main():\n    {closed}.close()\n    sys.exit('no stock')")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert "completed 0, failed 0, skipped 0 in " in done.out + done.err


@pytest.mark.parametrize(("text", "code", "word"), HARMS)
def test_a_script_can_hurt_only_itself(run: Run, text: str, code: int, word: str) -> None:
    done = run(text)
    assert done.code == code, done.err
    assert done.out.splitlines()[-1].startswith("completed 5, failed 0")
    assert word in done.err and "Traceback" not in done.err


def test_help_teaches_and_the_version_is_told(tmp_path: Path) -> None:
    first = run_command("--help", cwd=tmp_path)
    assert first.code == 0
    assert "antflow-core run squares.py" in first.out
    second = run_command("run", "--help", cwd=tmp_path)
    assert "Exit codes" in second.out
    assert "SCRIPT" in second.out
    assert run_command("--version", cwd=tmp_path).out == f"antflow-core {__version__}\n"


def test_the_example_in_the_help_works(run: Run, tmp_path: Path) -> None:
    lines = run_command("--help", cwd=tmp_path).out.splitlines()
    begin = next(index for index, line in enumerate(lines) if "from antflow import" in line)
    end = next(index for index, line in enumerate(lines) if "and run it" in line)
    assert run("\n".join(lines[begin:end])).out.startswith("completed 10, failed 0, skipped 0")


@pytest.mark.parametrize(
    "args", [("bogus",), ("run",), ("run", "--bogus", "x.py"), ("run", "--dashboard", "x", "y.py")]
)
def test_bad_usage_ends_with_2(tmp_path: Path, args: tuple[str, ...]) -> None:
    done = run_command(*args, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "Usage:" in done.err
    assert "Traceback" not in done.err


def test_the_library_does_not_need_the_command_line_library(tmp_path: Path) -> None:
    script = tmp_path / "check.py"
    script.write_text(
        "import sys, antflow_core.link\nassert 'typer' not in sys.modules and 'rich' not in sys.modules"
    )
    with start_python(str(script), cwd=tmp_path) as process:
        _, err = process.communicate(timeout=60)
    assert err == ""
