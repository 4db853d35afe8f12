"""The bundled examples and the README's own run as real processes, as a newcomer would run them."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "resources" / "examples"
SUMMARY = re.compile(r"completed ([\d,]+), failed ([\d,]+), skipped ([\d,]+) in .+")
TIME_LIMIT_S = 100.0


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """A Python process in a folder of its own, with every warning shown and no settings of ours."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANTFLOW", "COV"))
    }
    environment.update(PYTHONPATH=str(ROOT), PYTHONUTF8="1", PYTHONWARNINGS="default", TMPDIR=str(folder))
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=TIME_LIMIT_S,
        check=False,
    )


def run_script(script: Path, *arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return run("-m", "antflow_core", "run", script, *arguments, folder=folder)


def counts(ended: subprocess.CompletedProcess[str]) -> tuple[int, int, int]:
    """Completed, failed and skipped, from the last line."""
    found = SUMMARY.fullmatch(ended.stdout.splitlines()[-1])
    assert found is not None, ended.stdout + ended.stderr
    completed, failed, skipped = (int(count.replace(",", "")) for count in found.groups())
    return completed, failed, skipped


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A small tree: three sound modules, three that are broken in different ways, two that are left out."""
    root = tmp_path / "sources"
    for folder in ("package", "site-packages", "__pycache__"):
        (root / folder).mkdir(parents=True)
    (root / "long.py").write_text("import os\n\n\ndef first():\n    return os\n\n\nclass Second:\n    pass\n")
    (root / "short.py").write_text("x = 1\n")
    (root / "package" / "latin.py").write_bytes("# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"))
    (root / "package" / "syntax.py").write_text("def broken(:\n")
    (root / "package" / "unknown.py").write_text("# -*- coding: uft-8 -*-\n")
    (root / "package" / "bytes.py").write_bytes(b"x = 1\n" * 3000 + b"name = '\xff'\n")
    (root / "odd.py").write_text("pattern = '\\d' if 1 is 1 else 0\n")
    (root / "site-packages" / "other.py").write_text("x = 1\n")
    (root / "__pycache__" / "other.py").write_text("x = 1\n")
    return root


def test_the_bundled_example_measures_a_tree_and_survives_its_broken_files(
    sources: Path, tmp_path: Path
) -> None:
    out = tmp_path / "modules.sqlite"
    ended = run_script(EXAMPLES / "stdlib_sources.py", "--root", sources, "--out", out, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert counts(ended) == (4, 3, 0)
    assert "7 source files" in ended.stdout
    assert str(out) in ended.stdout
    assert "SyntaxError: 2" in ended.stdout
    assert "UnicodeDecodeError: 1" in ended.stdout
    assert "SyntaxWarning" not in ended.stderr
    assert "DeprecationWarning" not in ended.stderr
    with closing(sqlite3.connect(out)) as connection:
        rows = connection.execute(
            "SELECT name, lines, functions, classes, imports, longest_function FROM modules ORDER BY name"
        ).fetchall()
    assert rows == [
        ("long.py", 9, 1, 1, 1, 2),
        ("odd.py", 1, 0, 0, 0, 0),
        ("package/latin.py", 2, 0, 0, 0, 0),
        ("short.py", 1, 0, 0, 0, 0),
    ]


def test_the_bundled_example_measures_the_real_library_and_says_where(tmp_path: Path) -> None:
    ended = run_script(EXAMPLES / "stdlib_sources.py", "--limit", "60", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    completed, failed, skipped = counts(ended)
    assert completed + failed == 60
    assert skipped == 0
    assert f"{completed:,} modules measured, in {tmp_path}" in ended.stdout
    table = ended.stdout.partition("module\n")[2].splitlines()
    assert len([line for line in table if line.endswith(".py")]) >= 5


def test_the_bundled_example_can_be_run_into_the_same_file_again(sources: Path, tmp_path: Path) -> None:
    arguments = ("--root", sources, "--out", tmp_path / "modules.sqlite")
    for _ in range(2):
        ended = run_script(EXAMPLES / "stdlib_sources.py", *arguments, folder=tmp_path)
        assert counts(ended) == (4, 3, 0)


def test_the_bundled_example_explains_its_arguments(tmp_path: Path) -> None:
    ended = run_script(EXAMPLES / "stdlib_sources.py", "--help", folder=tmp_path)
    assert ended.returncode == 0
    assert "--root" in ended.stdout
    assert "--limit" in ended.stdout
    assert "--out" in ended.stdout


def test_first_steps_prices_the_orders_and_has_a_few_failures(tmp_path: Path) -> None:
    ended = run_script(EXAMPLES / "first_steps.py", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    completed, failed, _ = counts(ended)
    assert completed + failed == 200
    assert failed >= 5
    assert f"{completed} of 200 orders priced" in ended.stdout


@pytest.mark.parametrize("hosted", [True, False])
def test_headless_runs_hosted_and_by_itself(hosted: bool, tmp_path: Path) -> None:
    script = EXAMPLES / "headless.py"
    ended = run_script(script, folder=tmp_path) if hosted else run(script, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("Starting 200 items\n")
    assert "Done: 196 results, 4 failed" in ended.stdout
    assert "Failed: item 49 in Double, 50 is not welcome" in ended.stdout
    assert "failed @ Double" in ended.stdout
    if hosted:
        assert counts(ended) == (196, 4, 0)


SAYINGS = {
    "cancel_item.py": [
        "page 29 is not wanted any more: True\npage 30 was never asked for: False\n",
        "waited for page 23 long enough",
        "26 pages, 4 cancelled, 0 failed\npage 3: failed, cancelled by cancel_item()",
    ],
    "dashboards.py": [
        "--- progress\n2 stages: Fetch, Store; 100 items\n",
        "--- full\n2 stages: Fetch, Store; 100 items\n",
        "Completed 96 of 100, failed 4, skipped 10 in ",
        "       4  LookupError in Fetch, first 24: page 24 is gone\n",
    ],
    "dask_executor.py": ["4 words: or not to be"],
    "executor.py": [
        "page 1 to page 20, in 21 calls",
        "at most 3 at the service",
        "the near mirror answered, 1 did not yet\n- near\n- far\n",
        "the first checksum with an f: f1510527",
        "a failure: TypeError",
    ],
    "feeding.py": [
        "crawled: archive, basket, home, news, shop",
        "stored in the order b, express, c, d",
        "9 results in all",
        "again: ONCE MORE",
    ],
    "limits.py": [
        "40 orders placed, the last: 39 for customer 4",
        "at most 3 in the database, 2 in the search",
        "the shop's rate was kept",
    ],
    "pause_and_workers.py": [
        "too many calls, come back later: pausing",
        "paused: 0 calls, 4 pages wait to be stored",
        "going on with Fetch-W0, Fetch-W1, Fetch-W2",
        "never more than 3 calls at once; from now on 12",
        "120 pages, at most 12 calls at once",
    ],
    "process_pool.py": [
        "3,994 primes in 19 ranges",
        "counted elsewhere",
        "failed: ValueError, nobody counts from 10,000 on",
    ],
    "record_and_inspect.py": [
        "orders.antflow: finished, 616 events, 57 orders sent",
        "Fetch: 4 workers, at most 3 attempts\nCheck: 2 workers, at most 1 attempts\n",
        "order 20 failed in Check: order 20 has no address",
        "8 attempts were repeated",
        "order 15: queued in Fetch\norder 15: in_progress in Fetch\norder 15: completed in Fetch\n",
    ],
    "retries.py": [
        "32 orders sent",
        "Ask: 80 attempts repeated, 0 failed",
        "Send: 4 attempts repeated, 4 failed",
        "TimeoutError: 4",
    ],
    "retry_failed.py": [
        "10 sent; 20 failed items\nBy type:\n  ConnectionError: 19\n  ValueError: 1\n",
        "north is open: 9 more sent, 11 still failed\nwith an address: order 9 from north\n",
        "south is open: 10 more sent, 0 still failed\n30 orders, 30 prices asked, the first is order 1\n",
        "failed @ Send  order 9 has no address\nqueued @ Send\nin_progress @ Send\ncompleted @ Send\n",
    ],
    "streaming.py": [
        "page 50 has 50 words, on shelf 2",
        "5 pages are gone",
        "the source was not read ahead",
    ],
    "telemetry.py": [
        "antflow.pipeline.run  ",
        "\n    antflow.task.fetch  ",
        " ms  ConnectionError: the shop is busy\n      GET /orders/2  ",
        "\n    antflow.task.price  ",
    ],
    "watch_workers.py": [
        "Convert: Convert-W0, Convert-W1, Convert-W2; Upload: Upload-W0, Upload-W1\n",
        "Convert-W0 has had 'the long one' for 0.1 s: scene 3 of 90\n",
        "Convert-W0: ",
        "Convert: 30 completed, 0 failed\nUpload: 29 completed, 1 failed\nbusy now: 0\n",
    ],
}
"""What each example prints, whoever runs it."""
NEEDS = {"dask_executor.py": "distributed", "telemetry.py": "opentelemetry.sdk"}
"""What an example needs beside the engine."""


@pytest.mark.parametrize("hosted", [True, False], ids=["hosted", "alone"])
@pytest.mark.parametrize("name", sorted(SAYINGS))
def test_examples_say_what_they_are_about(name: str, hosted: bool, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    script = EXAMPLES / name
    ended = run_script(script, folder=tmp_path) if hosted else run(script, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    for saying in SAYINGS[name]:
        assert saying in ended.stdout


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_examples_say_what_they_miss(name: str, tmp_path: Path) -> None:
    missing = NEEDS[name].partition(".")[0]
    code = "import runpy, sys; _, missing, path = sys.argv; sys.modules[missing] = None"
    code += "; runpy.run_path(path, run_name='__main__')"
    ended = run("-c", code, missing, EXAMPLES / name, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "is not installed; it comes with: pip install" in ended.stdout
    assert ended.stdout.count("\n") == 1


def test_every_example_is_run_by_a_test() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in source] == []


def readme_examples() -> list[str]:
    """The README's blocks of Python that are whole programs."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in blocks if "async def main" in block]


def test_the_readme_has_programs() -> None:
    assert readme_examples()


@pytest.mark.parametrize("number", range(len(readme_examples())))
def test_the_programs_in_the_readme_run_as_they_stand(number: int, tmp_path: Path) -> None:
    program = readme_examples()[number]
    script = tmp_path / f"program_{number}.py"
    script.write_text(program, encoding="utf-8")
    ended = run(script, folder=tmp_path) if "asyncio.run(" in program else run_script(script, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "failed" in ended.stdout
