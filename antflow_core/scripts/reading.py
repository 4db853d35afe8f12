"""Evaluates the part of Python that pipelines are described in, on the syntax tree and without guessing."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable

from antflow_core.scripts.values import (
    FOREIGN,
    MAYBE,
    PLAIN,
    Api,
    Constant,
    Definition,
    Method,
    PipelineLiteral,
    Sequence,
    StageOutline,
    Value,
)

_DYNAMIC = frozenset({"globals", "locals", "vars", "exec", "eval", "setattr", "__import__", "import_module"})
"""Whoever uses these can bind names that the tree does not show."""

_PACKAGES = frozenset({"antflow", "antflow_core"})


class ScopeReader:
    """Reads statements in order and keeps what each name stands for.

    Attributes:
        names: What is bound so far.
        pipelines: Every pipeline and builder met, in order.
        is_open: Whether names may be bound that the tree does not show.
    """

    def __init__(self, names: dict[str, Value] | None = None) -> None:
        self.names: dict[str, Value] = dict(names or {})
        self.pipelines: list[PipelineLiteral] = []
        self.is_open = False
        self._written: dict[str, ast.expr] = {}

    def within(self, definition: Definition) -> ScopeReader:
        """The scope of a function's body, read after the module is."""
        inner = ScopeReader(self.names)
        inner._written = dict(self._written)
        inner.read(definition.node.body)
        return inner

    def read(self, body: Iterable[ast.stmt]) -> None:
        """Go through statements, into every branch that an import would run."""
        for statement in body:
            try:
                self._statement(statement)
            except RecursionError:  # an expression deeper than the stack; Python itself can run it
                self.is_open = True

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self.names[node.name] = Definition(node)
            self.is_open |= any(
                isinstance(inner, ast.Global) or (isinstance(inner, ast.Name) and inner.id in _DYNAMIC)
                for inner in ast.walk(node)
            )
        elif isinstance(node, ast.Import):
            self._import(node)
        elif isinstance(node, ast.ImportFrom):
            self._import_from(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            self._assign(node)
        elif isinstance(node, ast.If) and is_main_guard(node.test):
            self.read(node.orelse)
        else:
            self._compound(node)

    def _compound(self, node: ast.stmt) -> None:
        """Any other statement: its expressions, the names it binds, then the statements in it."""
        bound: dict[str, Value] = {}
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.withitem):
                value = self.value(child.context_expr)
                if isinstance(child.optional_vars, ast.Name):
                    bound[child.optional_vars.id] = value
            elif isinstance(child, ast.expr):
                if isinstance(getattr(child, "ctx", None), ast.Store):
                    bound.update(dict.fromkeys(_stored(child), MAYBE))
                else:
                    self.value(child)
        self.names.update(bound)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self._statement(child)
            elif isinstance(child, ast.ExceptHandler | ast.match_case):
                self.read(child.body)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            self.names[alias.asname or top] = _module(top)

    def _import_from(self, node: ast.ImportFrom) -> None:
        top = (node.module or "").partition(".")[0]
        for alias in node.names:
            name = alias.asname or alias.name
            if node.level == 0 and top in _PACKAGES:
                self.names[name] = Api(alias.name)
            elif node.level == 0 and top in sys.stdlib_module_names:
                self.names[name] = MAYBE if alias.name in _DYNAMIC else PLAIN
            elif alias.name == "*":
                self.is_open = True
            else:
                self.names[name] = MAYBE

    def _assign(self, node: ast.Assign | ast.AnnAssign) -> None:
        if node.value is None:
            return
        value = self.value(node.value)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                self.names[target.id] = value
                self._written[target.id] = node.value
            elif isinstance(target, ast.Subscript | ast.Attribute):
                self.value(target)
            else:
                part = PLAIN if value is PLAIN or isinstance(value, Constant) else MAYBE
                self.names.update(dict.fromkeys(_stored(target), part))

    # --- expressions

    def value(self, node: ast.expr) -> Value:
        """What an expression stands for."""
        match node:
            case ast.Constant(value=value):
                return Constant(value)
            case ast.Name(id=name):
                return self._name(name)
            case ast.Await(value=inner):
                return self.value(inner)
            case ast.NamedExpr(target=ast.Name(id=name), value=inner):
                self.names[name] = self.value(inner)
                return self.names[name]
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return Sequence(tuple(self.value(part) for part in parts))
            case ast.Attribute(value=owner, attr=name):
                return _attribute(self.value(owner), name)
            case ast.Call():
                return self._call(node)
            case ast.Lambda() | ast.JoinedStr():
                return PLAIN
            case _:
                return self._other(node)

    def _name(self, name: str) -> Value:
        if name in self.names:
            return self.names[name]
        if name in _DYNAMIC:
            self.is_open = True
            return MAYBE
        return PLAIN if hasattr(builtins, name) or name.startswith("__") else MAYBE

    def _other(self, node: ast.expr) -> Value:
        """An operator, a comprehension, a subscript…: plain if a collection, or made of plain things only."""
        parts = [self.value(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        collection = (
            ast.Set | ast.Dict | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Compare
        )
        return PLAIN if isinstance(node, collection) or all(map(_is_plain, parts)) else MAYBE

    def _call(self, node: ast.Call) -> Value:
        function = self.value(node.func)
        arguments = [self.value(argument) for argument in node.args]
        keywords = {keyword.arg or "**": self.value(keyword.value) for keyword in node.keywords}
        if isinstance(function, Method):
            return self._method(function, node, arguments, keywords)
        if isinstance(function, Api):
            return self._made(function.name, node, arguments, keywords)
        plain = function is PLAIN and all(map(_is_plain, (*arguments, *keywords.values())))
        return PLAIN if plain else MAYBE

    def _made(self, name: str, node: ast.Call, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        if name == "Stage":
            return self._stage(node, arguments, keywords)
        if name == "PipelineBuilder":
            return self._met(PipelineLiteral("builder"))
        if name != "Pipeline":
            return PLAIN
        stages = arguments[0] if arguments else keywords.get("stages", MAYBE)
        return self._met(
            PipelineLiteral("pipeline", list(stages.values) if isinstance(stages, Sequence) else [MAYBE])
        )

    def _method(
        self, method: Method, node: ast.Call, arguments: list[Value], keywords: dict[str, Value]
    ) -> Value:
        owner, name = method.owner, method.name
        if isinstance(owner, Api):
            if name == "create":
                return self._met(PipelineLiteral("builder"))
            if name == "quick" and len(node.args) > 1:
                self._met(PipelineLiteral("pipeline", self._quick_stages(node, keywords)))
            return PLAIN
        if owner.kind == "pipeline" or name == "run":
            return PLAIN
        if name == "add":
            owner.stages.append(self._added_stage(node, arguments, keywords))
        if name == "build":
            return self._met(PipelineLiteral("pipeline", list(owner.stages)))
        return owner

    def _met(self, pipeline: PipelineLiteral) -> PipelineLiteral:
        self.pipelines.append(pipeline)
        return pipeline

    def _stage(self, node: ast.Call, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        name = arguments[0] if arguments else keywords.get("name", MAYBE)
        workers = arguments[1] if len(arguments) > 1 else keywords.get("workers", MAYBE)
        tasks = node.args[2] if len(node.args) > 2 else _keyword(node, "tasks")
        return _outlined(name, _number(workers), self._task_names([tasks] if tasks is not None else []))

    def _added_stage(self, node: ast.Call, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        """``builder.add(name, *tasks, workers=5)``."""
        name = arguments[0] if arguments else keywords.get("name", MAYBE)
        workers = _number(keywords["workers"]) if "workers" in keywords else 5
        return _outlined(name, workers, self._task_names(node.args[1:]))

    def _quick_stages(self, node: ast.Call, keywords: dict[str, Value]) -> list[Value]:
        """``Pipeline.quick(items, task_or_list, workers=5)``: a stage a task, named after it in CamelCase."""
        workers = _number(self.value(node.args[2])) if len(node.args) > 2 else 5
        if "workers" in keywords:
            workers = _number(keywords["workers"])
        names = self._task_names([node.args[1]])
        return [StageOutline(_camel_case(name), workers, (name,)) for name in names] or [MAYBE]

    def _task_names(self, nodes: list[ast.expr]) -> tuple[str, ...]:
        names: list[str] = []
        for node in nodes:
            written = self._written.get(node.id, node) if isinstance(node, ast.Name) else node
            parts = written.elts if isinstance(written, ast.List | ast.Tuple) else [node]
            found = [_task_name(part) for part in parts]
            if None in found:
                return ()
            names.extend(name for name in found if name is not None)
        return tuple(names)


def is_main_guard(test: ast.expr) -> bool:
    """``__name__ == "__main__"``, either way round."""
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)):
        return False
    sides = [test.left, test.comparators[0]]
    names = [side.id for side in sides if isinstance(side, ast.Name)]
    values = [side.value for side in sides if isinstance(side, ast.Constant)]
    return names == ["__name__"] and values == ["__main__"]


def _stored(target: ast.expr) -> list[str]:
    return [
        node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def _attribute(owner: Value, name: str) -> Value:
    if isinstance(owner, Api) and owner.name in ("Pipeline", "PipelineBuilder"):
        return Method(owner, name)
    if isinstance(owner, Api):
        return Api(name)
    if isinstance(owner, PipelineLiteral):
        return Method(owner, name)
    return MAYBE if owner in (MAYBE, FOREIGN) or name in _DYNAMIC else PLAIN


def _module(top: str) -> Value:
    if top in _PACKAGES:
        return Api(top)
    return PLAIN if top in sys.stdlib_module_names else FOREIGN


def _is_plain(value: Value) -> bool:
    if isinstance(value, Sequence):
        return all(map(_is_plain, value.values))
    return value is PLAIN or isinstance(value, Constant | StageOutline)


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)


def _number(value: Value) -> int | None:
    if not isinstance(value, Constant) or isinstance(value.value, bool):
        return None
    return value.value if isinstance(value.value, int) else None


def _outlined(name: Value, workers: int | None, tasks: tuple[str, ...]) -> Value:
    if not (isinstance(name, Constant) and isinstance(name.value, str)):
        return MAYBE
    return StageOutline(name.value, workers, tasks)


def _task_name(node: ast.expr) -> str | None:
    """The name a task will have: a function's, also through ``partial``."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Lambda():
            return "<lambda>"
        case ast.Call(func=ast.Name(id="partial") | ast.Attribute(attr="partial"), args=[inner, *_]):
            return _task_name(inner)
        case _:
            return None


def _camel_case(name: str) -> str:
    return "".join(word.title() for word in name.split("_"))
