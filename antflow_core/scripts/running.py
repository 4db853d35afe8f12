"""Runs a script from its first line to its last task."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from antflow_core.builder import PipelineBuilder
from antflow_core.context import observer_var
from antflow_core.exceptions import ScriptError
from antflow_core.pipeline import Pipeline
from antflow_core.scripts import faults
from antflow_core.scripts.exits import ScriptExit
from antflow_core.scripts.host import ScriptHost
from antflow_core.scripts.outline import Entry, EntryKind, ScriptOutline, outline_script
from antflow_core.scripts.tasks import ScriptTasks

if TYPE_CHECKING:
    from antflow_core.context import PipelineObserver

_LOOP_RUNS_ALREADY = (
    "cannot be called from a running event loop",
    "event loop is already running",
    "another loop is",
)


@dataclass(frozen=True, slots=True)
class ScriptOutcome:
    """What a script was and gave.

    Attributes:
        value: What ``main()`` returned, or the results of the module-level pipeline.
    """

    entry: Entry
    value: Any


async def run_script(
    path: str | os.PathLike[str], args: Sequence[str] = (), *, observer: PipelineObserver | None = None
) -> ScriptOutcome:
    """Execute a script afresh and run what it is there to run; see `ScriptHost` for what it finds around it.

    Args:
        path: Any Python file.
        args: Its arguments, ``sys.argv[1:]``.
        observer: Is told of every pipeline that the script starts.

    Raises:
        ScriptError: There is nothing to run; nothing was executed where that shows in the script's tree.
        ScriptExit: The script called ``sys.exit``.
        BaseException: Whatever the script raises, as it is.
    """
    outline = outline_script(path)
    token = observer_var.set(observer)
    try:
        with ScriptHost(path, args) as host:
            async with ScriptTasks(host.path):
                module = _load(host, outline)
                return await _run_module(module, outline)
    except SystemExit as error:
        raise ScriptExit.of(error) from None
    finally:
        observer_var.reset(token)


def _load(host: ScriptHost, outline: ScriptOutline) -> ModuleType:
    try:
        return host.load()
    except RuntimeError as error:
        if not any(words in str(error) for words in _LOOP_RUNS_ALREADY):
            raise
        line = _discard_coroutines(error.__traceback__, host.path)
        start = outline.loop_start
        if outline.entry.name != "main" and start is not None and not start.guarded:
            raise faults.only_runs_a_loop(host.path, start) from error
        raise faults.runs_a_loop(host.path, line) from error


def _discard_coroutines(trace: TracebackType | None, path: Path) -> int | None:
    """Close what `asyncio.run` was given, which would warn that nobody awaits it; gives the script's line."""
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = line or trace.tb_lineno
        elif trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "asyncio":
            for value in trace.tb_frame.f_locals.values():
                if inspect.iscoroutine(value):
                    value.close()
        trace = trace.tb_next
    return line


async def _run_module(module: ModuleType, outline: ScriptOutline) -> ScriptOutcome:
    names, path = vars(module), outline.path
    main = names.get("main")
    if main is not None and _is_coroutine_function(main):
        if missing := _required(main):
            raise faults.needs_arguments(path, _line(main), "main", missing)
        return ScriptOutcome(Entry("main", "main"), await main())
    kind, name = _find_pipeline(names, outline)
    return ScriptOutcome(Entry(kind, name), await names[name].run(await _items(names, name, path)))


def _find_pipeline(names: dict[str, Any], outline: ScriptOutline) -> tuple[EntryKind, str]:
    """The only pipeline at module level, or that called ``pipeline``; a builder if there is none."""
    kinds: dict[EntryKind, type] = {"pipeline": Pipeline, "builder": PipelineBuilder}
    for kind, wanted in kinds.items():
        found = {name: value for name, value in names.items() if isinstance(value, wanted)}
        if "pipeline" in found:
            return kind, "pipeline"
        if len({id(value) for value in found.values()}) > 1:
            raise faults.several_pipelines(outline.path, found)
        if found:
            return kind, next(iter(found))
    raise _nothing_found(names.get("main"), outline)


def _nothing_found(main: Any, outline: ScriptOutline) -> ScriptError:
    path = outline.path
    if inspect.isasyncgenfunction(main):
        return faults.main_yields(path, _line(main))
    if outline.loop_start is not None:
        return faults.only_runs_a_loop(path, outline.loop_start)
    if inspect.isroutine(main):
        return faults.main_is_plain(path, _line(main))
    return faults.nothing_to_run(path)


async def _items(names: dict[str, Any], pipeline: str, path: Path) -> Iterable[Any] | AsyncIterable[Any]:
    source, items = "items", names.get("items")
    if items is None:
        get_items = names.get("get_items")
        if not callable(get_items):
            raise faults.no_items(path, pipeline)
        if missing := _required(get_items):
            raise faults.needs_arguments(path, _line(get_items), "get_items", missing)
        source, items = "get_items", get_items()
        if inspect.isawaitable(items):
            items = await items
    if not isinstance(items, Iterable | AsyncIterable):
        raise faults.items_not_iterable(path, source, items)
    return items


def _is_coroutine_function(value: Any) -> bool:
    """Also through ``functools.wraps`` and ``partial``: a plain wrapper hands out the coroutine it wraps."""
    return callable(value) and inspect.iscoroutinefunction(inspect.unwrap(value))


def _required(function: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a callable that does not tell
        return []
    fixed = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )
    return [
        each.name for each in parameters if each.kind in fixed and each.default is inspect.Parameter.empty
    ]


def _line(function: Any) -> int | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code is not None else None
