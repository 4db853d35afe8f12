"""Scripts run afresh, find what Python would give them, and leave the process as it was."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest

import antflow_core
import antflow_core.tracker
from antflow_core.exceptions import PipelineError, ScriptError
from antflow_core.pipeline import Pipeline
from antflow_core.scripts import ScriptExit, ScriptHost, run_script, script_traceback
from antflow_core.tracker import StatusTracker

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file, by default the script orders.py, and gives its path."""

    def write(source: str, name: str = "orders.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source), encoding="utf-8")
        return path

    return write


async def _value(path: Path, *args: str) -> Any:
    return (await run_script(path, args)).value


# --- what a script finds


async def test_a_script_finds_its_arguments_its_folder_and_the_working_directory(write: Write) -> None:
    script = write("""
        import os, sys
        async def main():
            here = sys.modules[__name__].__dict__ is globals()
            return __name__, __file__, sys.argv, sys.path[0], os.getcwd(), here
    """)
    found = await _value(script, "--limit", "3")
    folder = str(script.parent.resolve())
    assert found == ("orders", str(script), [str(script), "--limit", "3"], folder, str(Path.cwd()), True)


async def test_the_process_is_as_before_when_the_script_is_over(write: Write, tmp_path: Path) -> None:
    write("", "beside.py")
    script = write("""
        import logging, os, sys
        import antflow, antflow.tracker, beside
        sys.argv = ["other"]
        sys.path.append("/nowhere")
        sys.stdout = None
        os.chdir("/")
        logging.getLogger().addHandler(logging.StreamHandler())
        logging.getLogger("orders").addHandler(logging.FileHandler(os.devnull))
        async def main(): raise LookupError("gone")
    """)
    argv, path, stdout, folder = list(sys.argv), list(sys.path), sys.stdout, Path.cwd()
    finders, handlers = list(sys.meta_path), list(logging.root.handlers)

    with pytest.raises(LookupError):
        await run_script(script)

    assert (sys.argv, sys.path, sys.stdout, Path.cwd()) == (argv, path, stdout, folder)
    assert (sys.meta_path, logging.root.handlers) == (finders, handlers)
    assert not logging.getLogger("orders").handlers
    assert not {"orders", "beside", "antflow", "antflow.tracker"} & sys.modules.keys()


async def test_the_alias_gives_the_very_same_modules(write: Write) -> None:
    script = write("""
        import antflow, antflow.tracker as tracker, antflow.types
        from antflow.pipeline import Pipeline
        from antflow import StatusTracker
        async def main():
            return antflow, tracker, Pipeline, StatusTracker, antflow.types.StatusEvent
    """)
    spec = antflow_core.tracker.__spec__
    package, module, pipeline, tracker, event = await _value(script)
    assert package is antflow_core
    assert module is antflow_core.tracker
    assert (pipeline, tracker, event) == (Pipeline, StatusTracker, antflow_core.types.StatusEvent)
    assert antflow_core.tracker.__spec__ is spec


async def test_the_alias_takes_precedence_over_the_real_package_and_gives_it_back(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("REAL = True", "site/antflow/__init__.py")
    write("REAL = True", "site/antflow/tracker.py")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    loaded = ModuleType("antflow")
    monkeypatch.setitem(sys.modules, "antflow", loaded)
    script = write("import antflow, antflow.tracker as t\nasync def main(): return antflow, t")

    assert await _value(script) == (antflow_core, antflow_core.tracker)
    assert sys.modules["antflow"] is loaded


async def test_a_module_that_the_alias_lacks_is_missed_by_the_name_the_script_used(write: Write) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"antflow\.nonsense"):
        await run_script(write("import antflow.nonsense\nasync def main(): ..."))


async def test_a_main_guard_is_not_entered(write: Write) -> None:
    script = write("""
        import asyncio
        async def main(): return "ran once"
        if __name__ == "__main__":
            asyncio.run(main())
    """)
    assert await _value(script) == "ran once"


async def test_edits_of_the_script_and_of_what_it_imports_are_seen_by_the_next_run(write: Write) -> None:
    write("VALUE = 1", "shop/prices.py")
    write("", "shop/__init__.py")
    write("VALUE = 1", "beside.py")
    script = write("""
        import beside
        from shop import prices
        async def main(): return beside.VALUE, prices.VALUE
    """)
    assert await _value(script) == (1, 1)
    write("VALUE = 2", "beside.py")
    write("VALUE = 2", "shop/prices.py")
    assert await _value(script) == (2, 2)


async def test_module_state_does_not_survive_a_run(write: Write) -> None:
    script = write("calls = []\nasync def main():\n    calls.append(1)\n    return len(calls)")
    assert [await _value(script), await _value(script)] == [1, 1]


async def test_dataclasses_and_pickles_of_the_scripts_classes_work(write: Write) -> None:
    script = write("""
        from __future__ import annotations
        import pickle
        from dataclasses import dataclass, field
        from typing import ClassVar
        @dataclass
        class Order:
            kind: ClassVar[str] = "order"
            lines: list[int] = field(default_factory=list)
        async def main():
            return pickle.loads(pickle.dumps(Order([1]))) == Order([1])
    """)
    assert await _value(script) is True


@pytest.mark.parametrize(
    "name", ["queue.py", "json.py", "asyncio.py", "colorsys.py", "numpy.py", "antflow.py", "winreg.py"]
)
async def test_a_script_named_like_another_module_never_stands_in_for_it(write: Write, name: str) -> None:
    script = write(
        """
        import colorsys, json, queue
        import antflow
        async def main():
            try:
                import winreg
            except ModuleNotFoundError:
                pass
            return __name__, queue.Queue, json.dumps, colorsys.rgb_to_hsv, antflow.Pipeline
        """,
        name,
    )
    known = sys.modules.get(script.stem)
    module, *_, pipeline = await _value(script)
    assert module == f"{script.stem}_script"
    assert pipeline is Pipeline
    assert known is None or sys.modules[script.stem] is known


@pytest.mark.parametrize(
    "name", ["orders", "my orders (neu) – 注文.py", "deep/er/orders.v2.py", "2024.py", ".hidden"]
)
async def test_any_file_name_will_do(write: Write, name: str) -> None:
    script = write("import pickle\nclass A: pass\nasync def main(): return bool(pickle.dumps(A()))", name)
    assert await _value(script) is True


async def test_one_script_at_a_time_is_hosted_in_a_process(write: Write) -> None:
    script = write("async def main(): ...")
    with ScriptHost(script), pytest.raises(ScriptError, match="another script runs"):
        ScriptHost(script).__enter__()
    await run_script(script)


# --- what is run


async def test_a_module_level_pipeline_is_fed_with_items(write: Write) -> None:
    script = write("""
        from antflow import Pipeline, Stage
        async def double(x): return 2 * x
        orders = Pipeline([Stage("Double", 2, [double])])
        items = range(3)
    """)
    outcome = await run_script(script)
    assert outcome.entry.name == "orders"
    assert [result.value for result in outcome.value] == [0, 2, 4]


@pytest.mark.parametrize(
    "items",
    [
        "items = (i for i in range(3))",
        "def get_items(): return [0, 1, 2]",
        "def get_items():\n    yield from range(3)",
        "async def get_items(): return [0, 1, 2]",
        "async def get_items():\n    for i in range(3): yield i",
        "items = None\ndef get_items(): return {0: 'a', 1: 'b', 2: 'c'}",
    ],
)
async def test_a_builder_runs_with_any_kind_of_items(write: Write, items: str) -> None:
    script = write(
        "from antflow import Pipeline\nasync def double(x): return 2 * x\n"
        f"orders = Pipeline.create().add('Double', double)\n{items}"
    )
    assert [result.value for result in await _value(script)] == [0, 2, 4]


async def test_a_pipeline_that_shows_only_at_run_time_is_run(write: Write) -> None:
    write(
        "from antflow import Pipeline\nasync def f(x): return x\nmade = Pipeline.create().add('F', f)",
        "shop.py",
    )
    script = write("from shop import made\npipeline = made.build()\nitems = [1]")
    assert [result.value for result in await _value(script)] == [1]


async def test_main_goes_before_a_pipeline_and_may_be_wrapped(write: Write) -> None:
    script = write("""
        import functools
        from antflow import Pipeline
        def logged(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper
        pipeline = Pipeline.create().add("F", print)
        @logged
        async def main(limit=5): return limit
    """)
    assert await _value(script) == 5


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def make(): return 1\npipeline = make()", "nothing to run"),
        ("def make(): return 1\nx = make()\ndef main(): ...", "async def main()"),
        ("from functools import partial\nasync def work(x): ...\nmain = partial(work)", "needs x"),
        ("from antflow import Pipeline as P\np = P.create().add('F', print)\nitems = 3", "int"),
        (
            "from antflow import Pipeline as P\np = P.create().add('F', print)\ndef get_items(n): ...",
            "needs n",
        ),
        ("def make():\n    from antflow import Pipeline as P\n    return P.create()\np = make()", "no items"),
        (
            "def make():\n    import antflow\n    return antflow.Pipeline.create()\np, q = make(), make()",
            "p, q",
        ),
    ],
)
async def test_a_script_found_empty_at_run_time_is_told_what_would_be_right(
    write: Write, source: str, words: str
) -> None:
    with pytest.raises(ScriptError) as caught:
        await run_script(write(source))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "call", ["asyncio.run(main())", "asyncio.get_event_loop().run_until_complete(main())", "go()"]
)
async def test_a_loop_started_at_the_top_level_is_explained_with_its_line(write: Write, call: str) -> None:
    script = write(f"import asyncio\nasync def main(): ...\ndef go(): asyncio.run(main())\n\n{call}\n")
    with pytest.raises(ScriptError) as caught:
        await run_script(script)
    assert "orders.py, line 5" in str(caught.value)
    assert "__main__" in str(caught.value)
    gc.collect()  # a coroutine that nobody awaited would warn here, and warnings are errors


@pytest.mark.parametrize("guard", ["", "if __name__ == '__main__': "])
async def test_a_loop_started_by_what_shows_only_at_run_time_is_explained_too(
    write: Write, guard: str
) -> None:
    script = write(
        f"import asyncio, math\nasync def go(): ...\npart = vars(math)['pi']\n{guard}asyncio.run(go())\n"
    )
    with pytest.raises(ScriptError) as caught:
        await run_script(script)
    assert "orders.py, line 4" in str(caught.value)
    assert "put `await go()` into an `async def main()` instead" in str(caught.value)
    gc.collect()


async def test_nothing_is_executed_where_there_is_certainly_nothing_to_run(
    write: Write, tmp_path: Path
) -> None:
    trace = tmp_path / "executed"
    with pytest.raises(ScriptError, match="nothing to run"):
        await run_script(write(f"open({str(trace)!r}, 'w')"))
    assert not trace.exists()


# --- how it ends


@pytest.mark.parametrize(
    ("call", "code", "text"),
    [
        ("sys.exit()", 0, None),
        ("sys.exit(0)", 0, None),
        ("sys.exit(3)", 3, None),
        ("sys.exit('no stock')", 1, "no stock"),
        ("raise SystemExit(True)", 1, None),
    ],
)
@pytest.mark.parametrize("place", ["top", "main", "task"])
async def test_an_exit_comes_out_as_an_exception_that_a_loop_survives(
    write: Write, call: str, code: int, text: str | None, place: str
) -> None:
    sources = {
        "top": f"import sys\n{call}\nasync def main(): ...",
        "main": f"import sys\nasync def main(): {call}",
        "task": (
            f"import asyncio, sys\nasync def leave(): {call}\nasync def main():\n"
            "    task = asyncio.create_task(leave())\n    await asyncio.Event().wait()"
        ),
    }
    with pytest.raises(ScriptExit) as caught:
        await run_script(write(sources[place]))
    assert (caught.value.code, caught.value.text) == (code, text)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_the_script_left_running_is_cancelled_and_what_others_run_is_not(write: Write) -> None:
    async def of_the_host() -> str:
        await release.wait()
        return "undisturbed"

    release = asyncio.Event()
    other = asyncio.create_task(of_the_host())
    script = write("""
        import asyncio
        trace = []
        async def background():
            try:
                await asyncio.Event().wait()
            finally:
                trace.append("task ended")
        async def numbers():
            try:
                while True: yield 1
            finally:
                trace.append("generator closed")
        kept = []
        async def main():
            asyncio.create_task(background(), name="mine")
            asyncio.create_task(background())
            kept.append(numbers())
            async for _ in kept[0]:
                break
            await asyncio.sleep(0)
            asyncio.create_task(background())
            return trace
    """)
    factory = asyncio.get_running_loop().get_task_factory()
    hooks = sys.get_asyncgen_hooks()

    trace = await _value(script)

    assert sorted(trace) == ["generator closed", "task ended", "task ended"]
    assert asyncio.get_running_loop().get_task_factory() is factory
    assert sys.get_asyncgen_hooks() == hooks
    release.set()
    assert await other == "undisturbed"


async def test_a_traceback_begins_at_the_scripts_own_first_frame_and_shows_none_of_ours(write: Write) -> None:
    script = write("""
        from antflow import Pipeline, Stage
        def items():
            yield 1
            raise LookupError("no such warehouse")
        async def work(x): return x
        async def main():
            try:
                await Pipeline([Stage("Work", 1, [work])]).run(items())
            except LookupError as error:
                raise ValueError("bad order") from error
    """)
    with pytest.raises(ValueError, match="bad order") as caught:
        await run_script(script)
    text = script_traceback(caught.value, script)
    assert "antflow_core" not in text
    frames = [line for line in text.splitlines() if line.startswith("  File ")]
    assert all(str(script) in frame for frame in frames)
    assert "LookupError: no such warehouse" in text
    assert text.endswith("ValueError: bad order\n")


async def test_an_error_of_ours_is_shown_at_the_scripts_line(write: Write) -> None:
    script = write("from antflow import Pipeline\nasync def main():\n    Pipeline([])\n")
    with pytest.raises(PipelineError) as caught:
        await run_script(script)
    frames = [
        line for line in script_traceback(caught.value, script).splitlines() if line.startswith("  File ")
    ]
    assert frames == [f'  File "{script}", line 3, in main']


async def test_groups_are_trimmed_too(write: Write) -> None:
    script = write("""
        import asyncio
        async def fail(): raise LookupError("one")
        async def main():
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
    """)
    with pytest.raises(ExceptionGroup) as caught:
        await run_script(script)
    text = script_traceback(caught.value, script)
    assert "antflow_core" not in text
    assert "LookupError: one" in text


async def test_an_error_whose_class_forbids_a_traceback_is_named_by_its_class(write: Write) -> None:
    script = write("""
        class Odd(Exception):
            def __getattribute__(self, name): raise RuntimeError(name)
        class Mute(Exception):
            def __str__(self): raise RuntimeError("no")
        async def main(): return Odd(), Mute()
    """)
    odd, mute = await _value(script)
    assert script_traceback(odd, script).startswith("Odd: ")
    assert script_traceback(mute, script).startswith("orders.Mute: ")


# --- what it can do to its host


async def test_a_script_that_cancels_every_task_cancels_its_own_only(write: Write) -> None:
    loop = asyncio.get_running_loop()
    other = loop.create_task(asyncio.Event().wait())
    script = write("""
        import asyncio
        from asyncio import all_tasks
        async def main():
            side = asyncio.create_task(asyncio.Event().wait())
            direct = asyncio.ensure_future(asyncio.Event().wait())
            left = [task for task in all_tasks() if task is not asyncio.current_task()]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            assert asyncio.all_tasks(asyncio.get_running_loop()) == {asyncio.current_task()}
            return {side, direct} == set(left)
    """)
    real = asyncio.all_tasks

    assert await _value(script) is True

    assert asyncio.all_tasks is asyncio.tasks.all_tasks is real
    assert other in asyncio.all_tasks()
    assert not other.cancelling()
    other.cancel()


async def test_tasks_that_a_factory_of_the_scripts_makes_are_its_own_too(write: Write) -> None:
    script = write("""
        import asyncio
        def make(loop, coro, **options):
            return asyncio.Task(coro, loop=loop, **options)
        async def main():
            loop = asyncio.get_running_loop()
            assert loop.get_task_factory() is None
            loop.set_task_factory(make)
            assert loop.get_task_factory() is make
            task = asyncio.create_task(asyncio.Event().wait())
            assert task in asyncio.all_tasks()
            return task
    """)
    loop = asyncio.get_running_loop()
    assert (await _value(script)).cancelled()
    assert loop.get_task_factory() is None
    assert not {"get_task_factory", "set_task_factory", "stop"} & vars(loop).keys()


@pytest.mark.parametrize(
    ("call", "place"),
    [
        ("loop.stop()", "orders.py, line 5"),
        ("loop.call_soon(loop.stop)", "orders.py"),
        ("loop.call_soon(lambda: loop.stop())", "orders.py, line 5"),
        ("threading.Thread(target=lambda: loop.stop()).start()", "orders.py, line 5"),
        ("threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,)).start()", "orders.py"),
    ],
)
async def test_a_script_that_stops_the_loop_ends_itself(write: Write, call: str, place: str) -> None:
    script = write(f"""
        import asyncio, threading
        async def main():
            loop = asyncio.get_running_loop()
            {call}
            await asyncio.Event().wait()
    """)
    with pytest.raises(ScriptExit) as caught:
        await run_script(script)
    assert caught.value.code == 1
    assert str(caught.value).startswith(f"{place}: the script stopped the event loop")
    await asyncio.sleep(0)


def test_a_host_that_ends_while_a_script_runs_is_not_held_back(write: Write) -> None:
    script = write("import asyncio\nasync def main(): await asyncio.Event().wait()")
    running: list[asyncio.Task[Any]] = []

    async def host() -> str:
        running.append(asyncio.create_task(run_script(script)))
        await asyncio.sleep(0)
        return "ended"

    assert asyncio.run(host()) == "ended"
    assert running[0].cancelled()


async def test_hooks_of_the_loop_end_with_the_script(write: Write) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_ignore)
    script = write("""
        import asyncio
        from concurrent.futures import ThreadPoolExecutor
        async def main():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(None)
            loop.set_debug(not loop.get_debug())
            loop.slow_callback_duration = 9
            with ThreadPoolExecutor(1) as pool:
                loop.set_default_executor(pool)
            await loop.shutdown_default_executor()
    """)
    before = loop.get_debug(), loop.slow_callback_duration
    await run_script(script)
    assert loop.get_exception_handler() is _ignore
    assert (loop.get_debug(), loop.slow_callback_duration) == before
    assert await asyncio.to_thread(lambda: "works") == "works"
    await loop.shutdown_default_executor()


def _ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception handler."""


async def test_hooks_of_the_process_and_its_environment_end_with_the_script(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_KEPT", "1")
    monkeypatch.setenv("ORDERS_GONE", "1")
    script = write("""
        import os, sys, threading
        async def main():
            sys.excepthook = sys.unraisablehook = threading.excepthook = print
            os.environ.update(ORDERS_KEPT="2", ORDERS_NEW="1")
            del os.environ["ORDERS_GONE"]
    """)
    before = sys.excepthook, sys.unraisablehook, threading.excepthook, dict(os.environ)
    await run_script(script)
    assert (sys.excepthook, sys.unraisablehook, threading.excepthook, dict(os.environ)) == before


@pytest.mark.skipif(sys.platform == "win32", reason="loops take no signal handlers there")
async def test_signal_handlers_end_with_the_script(write: Write) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    before = signal.set_wakeup_fd(ours.fileno())
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    script = write("""
        import asyncio, signal
        async def main():
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, print)
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    """)
    await run_script(script)
    assert signal.set_wakeup_fd(before) == ours.fileno()
    ours.close()
    theirs.close()
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == handlers
    assert not asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


# --- its processes


@pytest.mark.parametrize(
    "method", [each for each in multiprocessing.get_all_start_methods() if each != "fork"]
)
async def test_processes_of_the_script_find_antflow_and_the_script(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    write("raise ImportError('the installed one')", "site/antflow/__init__.py")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    write("VALUE = 2", "prices.py")
    script = write("""
        import asyncio, multiprocessing, sys
        from concurrent.futures import ProcessPoolExecutor
        import antflow.types
        import prices
        from antflow import Pipeline, Stage
        def double(x):
            same = sys.modules["antflow"].__name__, antflow.types.StatusEvent.__module__
            return x * prices.VALUE, *same, Pipeline.__module__
        async def main():
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(sys.argv[1])) as pool:
                results = await Pipeline([Stage("Double", 1, [double], executor=pool)]).run([21])
            return [result.value for result in results]
    """)
    names = ("antflow_core", "antflow_core.types", "antflow_core.pipeline")
    assert await _value(script, method) == [(42, *names)]
