"""Finds where a script starts an event loop of its own, which it cannot do while its host's loop runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from antflow_core.scripts.reading import is_main_guard

_LOOPS = frozenset({"asyncio", "uvloop", "winloop", "anyio"})
_LOOP_METHOD = "run_until_complete"
_LONGEST = 60
"""What is run is quoted in a sentence up to this many characters."""


@dataclass(frozen=True, slots=True)
class LoopStart:
    """A call such as ``asyncio.run(go())``.

    Attributes:
        line: Where it stands.
        function: What is called, ``asyncio.run``.
        awaited: What it runs, ``go()``; empty where that is not a call, or too long to be quoted.
        guarded: It stands under ``if __name__ == "__main__":``, and so is not reached here.
    """

    line: int
    function: str
    awaited: str
    guarded: bool


def loop_start(tree: ast.Module) -> LoopStart | None:
    """The first such call at the script's top level, in a function called there, or in ``main``."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    runners = {name for node in ast.walk(tree) for name in _imported_runners(node)}
    main = functions.pop("main", None)
    # Not by recursion: a tree may be deeper than Python's stack.
    pending = [_Place(node) for node in reversed([*tree.body, *(main.body if main is not None else ())])]
    while pending:
        node, guarded = pending.pop()
        if isinstance(node, ast.Call):
            name = _called(node)
            if name in runners or name == _LOOP_METHOD:
                return LoopStart(node.lineno, name, _awaited(node), guarded)
            followed = functions.pop(name, None)
            pending += [_Place(inner) for inner in reversed(followed.body if followed is not None else [])]
        pending += reversed(_parts(node, guarded=guarded))
    return None


class _Place(NamedTuple):
    """A node that is reached, and whether only by way of the guard."""

    node: ast.AST
    guarded: bool = False


def _parts(node: ast.AST, *, guarded: bool) -> list[_Place]:
    """What is reached with a node, in order; not what a function does that it defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return []
    if isinstance(node, ast.If) and is_main_guard(node.test):
        return [_Place(each, True) for each in node.body] + [_Place(each, guarded) for each in node.orelse]
    return [_Place(each, guarded) for each in ast.iter_child_nodes(node)]


def _called(call: ast.Call) -> str:
    """What a call calls, by its name in the script; of a loop's method that runs something only its own."""
    function = call.func
    if isinstance(function, ast.Attribute):
        owner = function.value.id if isinstance(function.value, ast.Name) else ""
        return _LOOP_METHOD if function.attr == _LOOP_METHOD else f"{owner}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def _imported_runners(node: ast.AST) -> Iterator[str]:
    """What an import makes ``asyncio.run`` and its like known as."""
    if isinstance(node, ast.Import):
        yield from (f"{alias.asname or alias.name}.run" for alias in node.names if alias.name in _LOOPS)
    elif isinstance(node, ast.ImportFrom) and node.module in _LOOPS:
        yield from (alias.asname or alias.name for alias in node.names if alias.name == "run")


def _awaited(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    if not isinstance(first, ast.Call) or len([*islice(ast.walk(first), _LONGEST)]) == _LONGEST:
        return ""  # what has that many parts is no shorter, and may be too deep to be written out
    text = ast.unparse(first)
    return text if len(text) <= _LONGEST and "\n" not in text else ""
