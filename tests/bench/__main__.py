"""Every benchmark in turn, each in a process of its own: one that fails does not hide the others.

    python -m tests.bench [--quick] [--markdown FILE] [NAME ...]

Without names all run, which takes about ten minutes, or two with --quick, on a machine that does nothing
else. What is not listed here goes to each of them. Exits with 1 where one failed; missed bars are told at the
end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.child import ROOT
from tests.bench.rounds import MARKDOWN_HEAD, MISSED, stopwatch

_FOLDER = Path(__file__).parent
_HELPERS = frozenset({"__main__", "child", "first_window", "rounds"})
_LONGEST_S = 600


def benchmark_names() -> list[str]:
    """The modules that measure something."""
    names = {path.stem for path in _FOLDER.glob("*.py")} - _HELPERS
    return sorted(name for name in names if not name.startswith("test_"))


def main() -> None:
    """Run what the command line names, and sum up."""
    known = benchmark_names()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write all figures as one table")
    options, passed_on = parser.parse_known_args()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(known)}")
    with tempfile.TemporaryDirectory() as folder, stopwatch() as elapsed:
        table = Path(folder, "figures.md")
        table.write_text(MARKDOWN_HEAD, encoding="utf-8")
        failed = [name for name in options.names or known if not _run(name, table, passed_on)]
        figures = table.read_text(encoding="utf-8")
    if options.markdown is not None:
        options.markdown.write_text(figures, encoding="utf-8")
    _sum_up(figures, failed, elapsed())
    sys.exit(1 if failed else 0)


def _run(name: str, table: Path, passed_on: list[str]) -> bool:
    """Whether the benchmark came through."""
    print(f"== {name}", flush=True)
    command = [sys.executable, "-m", f"tests.bench.{name}", "--markdown", str(table), *passed_on]
    try:
        return subprocess.run(command, cwd=ROOT, timeout=_LONGEST_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"  ended after {_LONGEST_S} s without an end of its own")
        return False


def _sum_up(figures: str, failed: list[str], seconds: float) -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in figures.splitlines()[2:]]
    judged = [row for row in rows if row[3]]
    missed = [row for row in judged if row[3] == MISSED]
    print(f"\n{len(judged) - len(missed)} of {len(judged)} bars met, in {seconds:.0f} s")
    for what, measured, bar, _ in missed:
        print(f"  missed: {what}: {measured}, bar {bar}")
    if failed:
        print(f"  failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
