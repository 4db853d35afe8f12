"""Runs a test file in a process of its own under this suite's watch, to see whether the watch sees."""

from __future__ import annotations

from pathlib import Path

from tests.support.processes import run_python

_ROOT = Path(__file__).parents[2]
_INI = """\
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


def complaints(folder: Path, source: str) -> dict[str, str]:
    """Run the tests in `source`; gives each test that failed, by its name, with the reason pytest sums up."""
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").write_text(_INI, encoding="utf-8")
    done = run_python(
        *("-m", "pytest", "-q", "-rfE", "-p", "tests.support.leftovers", "-p", "tests.support.messages"),
        *("-p", "no:cacheprovider", "test_it.py"),
        cwd=folder,
        # Wide enough that no reason is cut.
        env={"PYTHONPATH": str(_ROOT), "COLUMNS": "500"},
    )
    assert done.code in {0, 1}, done.out + done.err
    found = {}
    for line in done.out.splitlines():
        head, _, reason = line.partition(" - ")
        if head.startswith(("FAILED ", "ERROR ")):
            found[head.partition("::")[2]] = reason
    return found
