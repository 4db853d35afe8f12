"""What an expression of a script may stand for, as far as the syntax tree alone can tell."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class StageOutline:
    """A stage as it is written in the script.

    Attributes:
        workers: None where it is not a plain number.
        tasks: Task names; empty where they are not written out.
    """

    name: str
    workers: int | None
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A kind of value of which no more is known."""

    name: str


PLAIN: Final = Mark("plain")
"""Certainly no pipeline."""
MAYBE: Final = Mark("maybe")
"""Anything."""
FOREIGN: Final = Mark("foreign")
"""A module that is neither standard nor ours: no pipeline itself, but one may lie in it."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant: text, a number, True."""

    value: object


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list or tuple that is written out."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Api:
    """A name of `antflow`, or the package itself."""

    name: str


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a pipeline, a builder or one of their classes, about to be called."""

    owner: PipelineLiteral | Api
    name: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class of the script."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

    @property
    def line(self) -> int:
        return self.node.lineno

    @property
    def decorated(self) -> bool:
        return bool(self.node.decorator_list)

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @property
    def is_coroutine(self) -> bool:
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def yields(self) -> bool:
        return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(self.node.body))

    @property
    def required(self) -> list[str]:
        """Parameters without a default."""
        if isinstance(self.node, ast.ClassDef):
            return []
        arguments = self.node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        without = positional[: len(positional) - len(arguments.defaults)]
        keyword = [
            name
            for name, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if default is None
        ]
        return [argument.arg for argument in (*without, *keyword)]


@dataclass(slots=True, eq=False)
class PipelineLiteral:
    """A pipeline or builder that the script makes; a builder grows as ``add`` is called."""

    kind: Literal["pipeline", "builder"]
    stages: list[Value] = field(default_factory=list)

    def outline(self) -> tuple[StageOutline, ...]:
        """Its stages; empty unless every one of them is literal, because half a pipeline would mislead."""
        known = [stage for stage in self.stages if isinstance(stage, StageOutline)]
        return tuple(known) if len(known) == len(self.stages) else ()


Value: TypeAlias = "Mark | Constant | Sequence | Api | Method | Definition | PipelineLiteral | StageOutline"


def _own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a function that are not those of a function inside it."""
    pending = [*body]  # not by recursion: a tree may be deeper than Python's stack
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)
