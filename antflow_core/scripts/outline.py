"""Tells from a script's syntax tree what it would run: docstring, entry point, literal stages."""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from antflow_core.scripts import faults
from antflow_core.scripts.loop_starts import LoopStart, loop_start
from antflow_core.scripts.reading import ScopeReader
from antflow_core.scripts.source import absolute_script_path, parse_script
from antflow_core.scripts.values import MAYBE, Definition, PipelineLiteral, StageOutline, Value

EntryKind = Literal["main", "pipeline", "builder", "module"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a run begins with.

    Attributes:
        kind: ``main``: an ``async def main()``; ``pipeline``, ``builder``: a module-level object;
            ``module``: something that shows only when the script is executed.
        name: Its name in the module; None where that is not known either.
    """

    kind: EntryKind
    name: str | None


@dataclass(frozen=True, slots=True)
class ScriptOutline:
    """A script before it runs.

    Attributes:
        stages: Of the first pipeline that stands literally in the script; empty where none does.
        loop_start: Where it starts an event loop of its own; None where that does not show.
    """

    path: Path
    docstring: str | None
    entry: Entry
    stages: tuple[StageOutline, ...]
    loop_start: LoopStart | None


def outline_script(path: str | os.PathLike[str]) -> ScriptOutline:
    """Read a script without running any of it.

    Raises:
        ScriptError: It cannot be read, is not Python, has a syntax error, or certainly has nothing to run.
    """
    script = absolute_script_path(path)
    tree = parse_script(script)
    module = ScopeReader()
    module.read(tree.body)
    start = loop_start(tree)
    entry = _entry(module, script, start)
    return ScriptOutline(script, ast.get_docstring(tree), entry, _stages(module, entry), start)


def _entry(module: ScopeReader, path: Path, start: LoopStart | None) -> Entry:
    main = module.names.get("main")
    if isinstance(main, Definition) and main.is_coroutine:
        _check_main(main, path)
        return Entry("main", "main")
    if main is MAYBE or (isinstance(main, Definition) and main.decorated):
        return Entry("module", "main")
    return _pipeline_entry(module, main, path, start)


def _check_main(main: Definition, path: Path) -> None:
    """Judge a ``main`` that is what it looks like; a decorator may have made anything of it."""
    if main.decorated:
        return
    if main.yields:
        raise faults.main_yields(path, main.line)
    if main.required:
        raise faults.needs_arguments(path, main.line, "main", main.required)


def _pipeline_entry(module: ScopeReader, main: Value | None, path: Path, start: LoopStart | None) -> Entry:
    found = {name: value for name, value in module.names.items() if isinstance(value, PipelineLiteral)}
    kind: EntryKind = "pipeline" if any(value.kind == "pipeline" for value in found.values()) else "builder"
    names = [name for name, value in found.items() if value.kind == kind]
    distinct = {id(found[name]) for name in names}
    if module.names.get("pipeline") is MAYBE:
        return Entry("module", "pipeline")
    if not names:
        return _nothing_visible(module, main, path, start)
    if len(distinct) > 1 and "pipeline" not in names:
        if module.is_open:
            return Entry("module", None)
        raise faults.several_pipelines(path, names)
    name = "pipeline" if "pipeline" in names else names[0]
    if "items" not in module.names and "get_items" not in module.names and not module.is_open:
        raise faults.only_runs_a_loop(path, start) if start is not None else faults.no_items(path, name)
    return Entry(kind, name)


def _nothing_visible(module: ScopeReader, main: Value | None, path: Path, start: LoopStart | None) -> Entry:
    if module.is_open or any(value is MAYBE for value in module.names.values()):
        return Entry("module", None)
    if start is not None:
        raise faults.only_runs_a_loop(path, start)
    if isinstance(main, Definition) and not main.is_class:
        raise faults.main_is_plain(path, main.line)
    raise faults.nothing_to_run(path)


def _stages(module: ScopeReader, entry: Entry) -> tuple[StageOutline, ...]:
    """Those of the entry itself, else of the first pipeline in the script's functions."""
    value = module.names.get(entry.name or "")
    if isinstance(value, PipelineLiteral):
        return value.outline()
    main = [value] if isinstance(value, Definition) else []
    others = [value for value in module.names.values() if isinstance(value, Definition)]
    for definition in main:
        if stages := _first_stages(module.within(definition).pipelines):
            return stages
    if stages := _first_stages(module.pipelines):
        return stages
    for definition in others:
        if stages := _first_stages(module.within(definition).pipelines):
            return stages
    return ()


def _first_stages(pipelines: list[PipelineLiteral]) -> tuple[StageOutline, ...]:
    return next((stages for pipeline in pipelines if (stages := pipeline.outline())), ())
