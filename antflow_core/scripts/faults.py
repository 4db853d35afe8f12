"""The sentences for a script that has nothing to run, the same whether it was only read or executed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from antflow_core.exceptions import ScriptError
from antflow_core.scripts.exits import ScriptExit
from antflow_core.scripts.loop_starts import LoopStart


def nothing_to_run(path: Path) -> ScriptError:
    """Neither an entry point nor a pipeline."""
    remedy = "add `async def main()`, or a module-level Pipeline with `items` or `get_items()`"
    return ScriptError(f"{path.name} has nothing to run: {remedy}", path)


def main_is_plain(path: Path, line: int | None) -> ScriptError:
    """``def main()`` where ``async def main()`` is called for."""
    return ScriptError(
        f"{_at(path, line)}: `main` is not a coroutine function; make it `async def main()`", path, line
    )


def main_yields(path: Path, line: int | None) -> ScriptError:
    """``async def main()`` with a ``yield`` in it."""
    message = (
        f"{_at(path, line)}: `main` is an async generator; make it a coroutine function, without `yield`"
    )
    return ScriptError(message, path, line)


def needs_arguments(path: Path, line: int | None, function: str, missing: Iterable[str]) -> ScriptError:
    """``main`` or ``get_items`` with parameters that have no default."""
    names = ", ".join(missing)
    remedy = "give them defaults, or read sys.argv"
    message = f"{_at(path, line)}: `{function}` is called without arguments but needs {names}; {remedy}"
    return ScriptError(message, path, line)


def no_items(path: Path, pipeline: str) -> ScriptError:
    """A module-level pipeline that nothing is fed to."""
    remedy = "add a module-level `items = [...]` or `def get_items()`, or an `async def main()` that runs it"
    return ScriptError(f"{path.name}: `{pipeline}` has no items to work on; {remedy}", path)


def items_not_iterable(path: Path, source: str, value: object) -> ScriptError:
    """``items`` that cannot be gone through."""
    kind = type(value).__name__
    return ScriptError(f"{path.name}: `{source}` gives {kind}, which holds no items; make it a list", path)


def several_pipelines(path: Path, names: Iterable[str]) -> ScriptError:
    """More than one module-level pipeline, none of them called ``pipeline``."""
    found = ", ".join(names)
    remedy = "name the one to run `pipeline`, or add `async def main()`"
    return ScriptError(f"{path.name} has several pipelines ({found}); {remedy}", path)


def runs_a_loop(path: Path, line: int | None) -> ScriptError:
    """``asyncio.run(...)`` at the top level, where a loop runs already."""
    remedy = 'move this call under `if __name__ == "__main__":` or into `async def main()`'
    return ScriptError(
        f"{_at(path, line)}: an event loop runs already when the script is loaded; {remedy}", path, line
    )


def only_runs_a_loop(path: Path, start: LoopStart) -> ScriptError:
    """``asyncio.run(...)``, at the top level or under a guard, and no ``async def main()`` to be run."""
    if start.guarded:
        fault = 'what stands under `if __name__ == "__main__":` is not run here'
    else:
        fault = f"`{start.function}` starts an event loop, but one runs already when a script is run here"
    awaited = f"`await {start.awaited}`" if start.awaited else "what it runs"
    remedy = f"put {awaited} into an `async def main()` instead, which is run without being called"
    return ScriptError(f"{_at(path, start.line)}: {fault}; {remedy}", path, start.line)


def loop_stopped(path: Path, line: int | None) -> ScriptExit:
    """``loop.stop()`` on the loop that the script shares with its host."""
    remedy = "return from `main`, or call sys.exit(), to end the script"
    return ScriptExit(1, f"{_at(path, line)}: the script stopped the event loop before its end; {remedy}")


def _at(path: Path, line: int | None) -> str:
    return f"{path.name}, line {line}" if line else path.name
