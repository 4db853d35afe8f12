"""Measure every module of the Python standard library that runs this script.

Each source file goes through five stages:

    Walk     look the file up: its size
    Read     load it, find out its encoding, decode it
    Parse    build its syntax tree
    Measure  count what is in the tree
    Save     write one row into a SQLite file

Python's own tests hold files that are broken on purpose: unknown encodings, syntax of Python 2, characters
that may not be in a name. They fail in Read or in Parse as any file of yours would, and the others go on.
Read tries twice, because a disk or a network may answer the second time; a syntax error stays one, so Parse
tries once.

No task here is ``async``: a plain function runs in a thread, so the event loop stays free for the rest.

    antflow-core run stdlib_sources.py
    antflow-core run stdlib_sources.py --limit 200 --out modules.sqlite
    antflow-core run stdlib_sources.py --root ~/my_project
"""

import argparse
import ast
import asyncio
import io
import os
import sqlite3
import sysconfig
import tempfile
import tokenize
import warnings
from collections import Counter
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from antflow import Pipeline, Stage

LEFT_OUT = {"__pycache__", "dist-packages", "site-packages"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMMIT_EVERY = 100

TABLE = """
CREATE TABLE IF NOT EXISTS modules (
    name TEXT PRIMARY KEY, size INTEGER, lines INTEGER, functions INTEGER, classes INTEGER, imports INTEGER,
    nodes INTEGER, longest_function INTEGER
)
"""


@dataclass(frozen=True)
class File:
    """A source file: its path below the root, where it is, its size in bytes."""

    name: str
    path: Path
    size: int = 0


@dataclass(frozen=True)
class Source:
    """A file's text."""

    file: File
    text: str


@dataclass(frozen=True)
class Module:
    """A source's syntax tree."""

    source: Source
    tree: ast.Module


@dataclass(frozen=True)
class Figures:
    """What is known of a module in the end: a row of the table."""

    name: str
    size: int
    lines: int
    functions: int
    classes: int
    imports: int
    nodes: int
    longest_function: int


def find_files(root: Path, limit: int | None) -> list[dict[str, object]]:
    """The files to measure, as items whose id is the path below `root`."""
    items: list[dict[str, object]] = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(set(subfolders) - LEFT_OUT)
        for name in sorted(names):
            if name.endswith(".py"):
                path = Path(folder, name)
                short = path.relative_to(root).as_posix()
                items.append({"id": short, "value": File(short, path)})
    return items[:limit]


def look_up(file: File) -> File:
    """Walk: the file's size; fails for a link to nowhere."""
    return replace(file, size=file.path.stat().st_size)


def load(file: File) -> tuple[File, bytes]:
    """Read, first task: the file's bytes."""
    return file, file.path.read_bytes()


def decode(loaded: tuple[File, bytes]) -> Source:
    """Read, second task: the text, in the encoding that the file says it has."""
    file, content = loaded
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return Source(file, io.TextIOWrapper(io.BytesIO(content), encoding).read())


def parse(source: Source) -> Module:
    """Parse: the syntax tree."""
    return Module(source, ast.parse(source.text, source.file.name))


def measure(module: Module) -> Figures:
    """Measure: what is in the tree, counted."""
    nodes = list(ast.walk(module.tree))
    kinds = Counter(map(type, nodes))
    lengths = [(node.end_lineno or 0) - node.lineno + 1 for node in nodes if isinstance(node, FUNCTIONS)]
    file = module.source.file
    return Figures(
        name=file.name,
        size=file.size,
        lines=module.source.text.count("\n"),
        functions=sum(kinds[kind] for kind in FUNCTIONS),
        classes=kinds[ast.ClassDef],
        imports=kinds[ast.Import] + kinds[ast.ImportFrom],
        nodes=len(nodes),
        longest_function=max(lengths, default=0),
    )


class Table:
    """The SQLite file; Save has one worker, so one connection is never used by two threads at once."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, check_same_thread=False)
        self.connection.execute(TABLE)
        self.waiting = 0

    def save(self, figures: Figures) -> str:
        """Save: write the row; a transaction for many rows, because each one waits for the disk."""
        self.connection.execute(
            "INSERT OR REPLACE INTO modules VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(figures)
        )
        self.waiting += 1
        if self.waiting == COMMIT_EVERY:
            self.connection.commit()
            self.waiting = 0
        return figures.name

    def print_longest(self, count: int = 5) -> None:
        """Print the longest modules."""
        query = "SELECT lines, functions, classes, name FROM modules ORDER BY lines DESC LIMIT ?"
        print(f"{'lines':>8}{'functions':>11}{'classes':>9}  module")
        for lines, functions, classes, name in self.connection.execute(query, (count,)):
            print(f"{lines:>8,}{functions:>11,}{classes:>9,}  {name}")

    def close(self) -> None:
        """Write what waits and let go of the file."""
        self.connection.commit()
        self.connection.close()


def build(table: Table) -> Pipeline:
    """The five stages.

    Parse and Measure have most to do, but only one thread at a time runs Python code, so more workers would
    get in each other's way. A tree is many times as large as its source; so few of them may wait for Measure.
    """
    return Pipeline(
        stages=[
            Stage(name="Walk", workers=1, tasks=[look_up], task_attempts=1),
            Stage(name="Read", workers=4, tasks=[load, decode], task_attempts=2, task_wait_seconds=0.2),
            Stage(name="Parse", workers=2, tasks=[parse], task_attempts=1),
            Stage(name="Measure", workers=1, tasks=[measure], task_attempts=1, queue_capacity=2),
            Stage(name="Save", workers=1, tasks=[table.save], task_attempts=3, task_wait_seconds=0.2),
        ]
    )


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        prog="stdlib_sources.py", description="Measure the modules of the Python standard library."
    )
    standard_library = Path(sysconfig.get_path("stdlib"))
    parser.add_argument("--root", type=Path, default=standard_library, help="folder to measure instead")
    parser.add_argument("--limit", type=int, help="measure only so many files")
    parser.add_argument("--out", type=Path, help="SQLite file; a new one in a temporary folder if left out")
    return parser.parse_args()


async def main() -> None:
    """Measure, then print the longest modules and what went wrong."""
    options = arguments()
    root = options.root.expanduser()
    out = options.out or Path(tempfile.mkdtemp(prefix="stdlib_sources_")) / "modules.sqlite"
    items = await asyncio.to_thread(find_files, root, options.limit)
    print(f"{len(items):,} source files in {root}")

    with closing(Table(out)) as table, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the parser's remarks on test files that are odd on purpose
        pipeline = build(table)
        results = await pipeline.run(items)
        print(f"{len(results):,} modules measured, in {out}")
        table.print_longest()
    print(pipeline.get_error_summary())
