"""What a script's syntax tree tells before anything of it runs."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from antflow_core.exceptions import ScriptError
from antflow_core.scripts import Entry, ScriptOutline, StageOutline, outline_script
from antflow_core.scripts.loop_starts import LoopStart, loop_start
from antflow_core.scripts.source import LARGEST_SCRIPT_B

Outline = Callable[[str], ScriptOutline]


@pytest.fixture
def outline(tmp_path: Path) -> Outline:
    """Outlines a script given as text."""

    def outline(source: str) -> ScriptOutline:
        path = tmp_path / "orders.py"
        path.write_text(dedent(source), encoding="utf-8")
        return outline_script(path)

    return outline


def test_docstring_entry_and_literal_stages_are_read(outline: Outline) -> None:
    found = outline('''
        """Fetch the orders."""
        from functools import partial
        from antflow import Pipeline, Stage

        WORKERS = 10
        async def fetch(x): ...
        async def parse(x): ...

        async def main():
            pipeline = Pipeline(stages=[
                Stage(name="Fetch", workers=WORKERS, tasks=[fetch]),
                Stage("Parse", 4, [partial(parse, 1), lambda x: x]),
            ])
            await pipeline.run(range(10))
    ''')

    assert found.docstring == "Fetch the orders."
    assert found.entry == Entry("main", "main")
    assert found.stages == (
        StageOutline("Fetch", 10, ("fetch",)),
        StageOutline("Parse", 4, ("parse", "<lambda>")),
    )


def test_nothing_of_the_script_is_executed(outline: Outline, tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    outline(f"open({str(trace)!r}, 'w')\nasync def main(): ...")
    assert not trace.exists()


def test_a_builder_is_followed_over_statements(outline: Outline) -> None:
    found = outline("""
        import antflow as af
        async def fetch(x): ...
        builder = af.Pipeline.create()
        builder.add("Fetch", fetch, workers=3)
        builder = builder.add("Again", fetch, fetch).with_tracker(None)
        orders = builder.build()
        items = [1]
    """)
    assert found.entry == Entry("pipeline", "orders")
    assert found.stages == (
        StageOutline("Fetch", 3, ("fetch",)),
        StageOutline("Again", 5, ("fetch", "fetch")),
    )


def test_a_builder_that_is_never_built_is_an_entry_itself(outline: Outline) -> None:
    found = outline("""
        from antflow import Pipeline
        orders = Pipeline.create().add("Fetch", print)
        def get_items(): return [1]
    """)
    assert found.entry == Entry("builder", "orders")


def test_stages_are_found_through_names_lists_and_other_functions(outline: Outline) -> None:
    found = outline("""
        from antflow_core.pipeline import Pipeline as P, Stage
        async def load(x): ...
        tasks = [load]
        first = Stage(name="Load", workers=2, tasks=tasks)
        stages = [first]
        async def work():
            async with P(stages) as pipeline:
                pass
        async def main():
            await work()
    """)
    assert found.stages == (StageOutline("Load", 2, ("load",)),)


def test_a_list_with_one_computed_stage_is_not_shown_by_half(outline: Outline) -> None:
    found = outline("""
        from antflow import Pipeline, Stage
        name = input
        pipeline = Pipeline([Stage("A", 1, [print]), Stage(name(), 1, [print])])
        items = []
    """)
    assert found.entry == Entry("pipeline", "pipeline")
    assert found.stages == ()


def test_quick_names_a_stage_after_each_task(outline: Outline) -> None:
    found = outline("""
        from antflow import Pipeline
        async def fetch_page(x): ...
        async def main():
            print(len(await Pipeline.quick(range(3), [fetch_page], workers=7)))
    """)
    assert found.stages == (StageOutline("FetchPage", 7, ("fetch_page",)),)


@pytest.mark.parametrize(
    "source",
    [
        "from shop import pipeline",
        "from shop import main",
        "from shop import *",
        "def make(): ...\npipeline = make()",
        "import shop\norders = shop.orders",
        "def make():\n    global pipeline\n    pipeline = 1\nmake()",
        "globals()['pipeline'] = 1",
        "@decorate\ndef main(): ...",
    ],
)
def test_what_shows_only_at_run_time_is_left_to_it(outline: Outline, source: str) -> None:
    assert outline(source).entry.kind == "module"


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("x = 1\n", None, ("orders.py has nothing to run", "async def main()")),
        ("import logging\nlog = logging.getLogger(__name__)\n", None, ("nothing to run",)),
        ("", None, ("nothing to run",)),
        ("def main():\n    pass\n", 1, ("orders.py, line 1", "async def main()")),
        ("async def main(items, limit=1): ...", 1, ("needs items", "default")),
        ("async def main(*, items): ...", 1, ("needs items",)),
        ("async def main():\n    yield 1\n", 1, ("async generator",)),
        ("from antflow import Pipeline\np = Pipeline([])\n", None, ("`p` has no items", "get_items")),
        (
            "from antflow import Pipeline\na = Pipeline([])\nb = Pipeline([])\nitems = []\n",
            None,
            ("several pipelines (a, b)", "`pipeline`"),
        ),
        ("if __name__ == '__main__':\n    async def main(): ...\n", None, ("nothing to run",)),
        ("x = (\n", 1, ("orders.py, line 1", "never closed")),
        ("\nif True\n    pass\n", 2, ("orders.py, line 2", "expected ':'")),
        ("x = 1\nreturn x\n", 2, ("line 2", "outside function")),
        ("def f():\npass\n", 2, ("line 2", "indented block")),
    ],
)
def test_a_script_without_anything_to_run_is_told_what_would_be_right(
    outline: Outline, source: str, line: int | None, words: tuple[str, ...]
) -> None:
    with pytest.raises(ScriptError) as caught:
        outline(source)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("import asyncio\nasync def go(): ...\nasyncio.run(go())\n", 3, ("`asyncio.run`", "`await go()`")),
        (
            "import asyncio\nasync def go(n): ...\nif __name__ == '__main__':\n    asyncio.run(go(5))\n",
            4,
            ('under `if __name__ == "__main__":` is not run here', "`await go(5)`"),
        ),
        ("from asyncio import run as go\ngo(print)\n", 2, ("`go` starts an event loop", "put what it runs")),
        ("import asyncio as a\ndef main():\n    a.run(go())\nmain()\n", 3, ("`a.run`", "`await go()`")),
        ("import asyncio\ndef main():\n    return asyncio.run(go())\n", 3, ("`asyncio.run`",)),
        (
            "import asyncio\nwith open('x') as f:\n    asyncio.get_event_loop().run_until_complete(go())\n",
            3,
            ("`run_until_complete`", "`await go()`"),
        ),
        (
            "import asyncio\nfrom antflow import Pipeline\np = Pipeline([])\nasyncio.run(p.run([1]))\n",
            4,
            ("`await p.run([1])`",),
        ),
        ("import asyncio\ndef a(): b()\ndef b(): a(); asyncio.run(go())\na()\n", 3, ("`await go()`",)),
        (
            f"import asyncio\nasyncio.run(go({'1' * 80}))\n",
            2,
            ("put what it runs into an `async def main()`",),
        ),
    ],
)
def test_a_script_that_only_starts_a_loop_is_told_what_to_do_instead(
    outline: Outline, source: str, line: int, words: tuple[str, ...]
) -> None:
    with pytest.raises(ScriptError) as caught:
        outline(source)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert f"orders.py, line {line}: " in str(caught.value) and caught.value.line == line
    assert "`async def main()` instead" in str(caught.value)


def test_a_loop_that_is_started_where_nothing_leads_is_not_spoken_of(outline: Outline) -> None:
    with pytest.raises(ScriptError, match="has nothing to run"):
        outline("import asyncio\ndef in_a_thread():\n    asyncio.run(go())\n")
    source = "import asyncio\nasync def main(): ...\nif __name__ == '__main__':\n    asyncio.run(main())\n"
    assert outline(source).entry == Entry("main", "main")


def test_what_is_too_deep_to_be_quoted_is_not_quoted() -> None:
    start = loop_start(ast.parse(f"import asyncio\nasyncio.run(go({'+'.join('1' * 900)}))\n"))
    assert start == LoopStart(2, "asyncio.run", "", guarded=False)


def test_of_several_pipelines_the_one_called_pipeline_is_run(outline: Outline) -> None:
    source = "from antflow import Pipeline\na = Pipeline([])\npipeline = Pipeline([])\nitems = []\n"
    assert outline(source).entry == Entry("pipeline", "pipeline")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0", ("binary",)),
        (b"x = 1\0", ("binary",)),
        ("async def main(): ...".encode("utf-16"), ("UTF-16", "UTF-8")),
        (b"x = 1\nname = 'caf\xe9'\n", ("line 2", "UTF-8")),
        (b"# -*- coding: klingon -*-\n", ("encoding", "utf-8")),
        (b"# -*- coding: ascii -*-\n\n# caf\xc3\xa9\n", ("line 3", "ASCII")),
        (b"(" * 500 + b")" * 500, ("orders.py",)),
    ],
)
def test_what_is_not_python_is_refused_in_one_sentence(
    tmp_path: Path, content: bytes, words: tuple[str, ...]
) -> None:
    path = tmp_path / "orders.py"
    path.write_bytes(content)
    with pytest.raises(ScriptError) as caught:
        outline_script(path)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_declared_encoding_and_a_byte_order_mark_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "orders.py"
    path.write_bytes(b"# -*- coding: latin-1 -*-\n'''caf\xe9'''\nasync def main(): ...")
    assert outline_script(path).docstring == "café"
    path.write_bytes(b"\xef\xbb\xbf'''caf\xc3\xa9'''\nasync def main(): ...")
    assert outline_script(path).docstring == "café"


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"missing\.py does not exist"):
        outline_script(tmp_path / "missing.py")
    with pytest.raises(ScriptError, match="is a folder"):
        outline_script(tmp_path)


def test_what_may_never_end_is_not_read(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no named pipes here")
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(ScriptError, match=r"pipe\.py is not a file that ends"):
        outline_script(tmp_path / "pipe.py")


def test_a_data_file_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "data.py"
    with path.open("wb") as file:
        file.truncate(LARGEST_SCRIPT_B + 1)
    with pytest.raises(ScriptError, match="a script at most 20"):
        outline_script(path)


def test_a_long_sum_does_not_keep_a_script_from_being_read(outline: Outline) -> None:
    many = "+".join("1" * 700)
    assert outline(f"total = {many}\nasync def main():\n    return {many}\n").entry == Entry("main", "main")
    assert outline(f"total = {many}\n").entry.kind == "module"


def test_reading_a_script_gives_no_warnings(outline: Outline) -> None:
    outline("pattern = '\\d'\nasync def main(): ...")
    assert outline("assert (1, 'x')\nasync def main(): ...").entry.name == "main"
