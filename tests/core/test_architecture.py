"""The rules of the design that import-linter cannot see: late imports, names, maps, what may stand where."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import run_python

CORE, GUI = "antflow_core", "antflow_gui"
QT = {"PySide6", "shiboken6", "qasync", "pyqtgraph", GUI}
HEAVY = {
    "numpy",
    "rich",
    "typer",
    "lark",
    "regex",
    "aiolimiter",
    "opentelemetry",
    "uvloop",
    "distributed",
    "duckdb",
    "pyarrow",
}


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)))


def _modules(package: str) -> Iterator[tuple[str, Path]]:
    """Every module of a package as (``runs.ticker``, its file), the packages themselves left out."""
    folder = _folder(package)
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[0] != "_resources" and parts[-1] != "__init__":
            yield ".".join(parts), path


def _files(package: str) -> list[tuple[str, Path]]:
    """Every file of a package as (its path inside the package, the file)."""
    folder = _folder(package)
    return [
        (path.relative_to(folder).as_posix(), path)
        for path in sorted(folder.rglob("*.py"))
        if "_resources" not in path.parts
    ]


def _imported(path: Path) -> Iterator[str]:
    """The dotted names a file imports, at any depth, types included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _importers(package: str, *wanted: str) -> dict[str, list[str]]:
    """The files of a package that import one of these modules, with what they import."""
    found = {
        name: [item for item in _imported(path) if any(f"{item}.".startswith(f"{part}.") for part in wanted)]
        for name, path in _files(package)
    }
    return {name: items for name, items in found.items() if items}


def _stray(importers: dict[str, list[str]], *allowed: str) -> dict[str, list[str]]:
    return {name: items for name, items in importers.items() if not name.startswith(allowed)}


def test_importing_the_core_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys, antflow_core; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    done = run_python("-c", code, cwd=tmp_path)
    assert done.code == 0, done.err
    assert set(done.out.split()) & (QT | HEAVY | {"sqlite3", "multiprocessing"}) == set()


def test_the_core_never_imports_qt_not_even_late() -> None:
    assert _importers(CORE, *QT) == {}


def test_the_core_names_no_qt_module_in_a_string() -> None:
    """`importlib.import_module("PySide6…")` would be an import too."""
    named = {
        name
        for name, path in _files(CORE)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and str(node.value).partition(".")[0] in QT
    }
    assert named == set()


def test_sqlite_is_used_for_run_files_and_exports_only() -> None:
    assert _stray(_importers(CORE, "sqlite3"), "run_files/", "export/") == {}
    assert _importers(GUI, "sqlite3") == {}


def test_pyqtgraph_is_used_in_plots_only() -> None:
    assert _stray(_importers(GUI, "pyqtgraph"), "plots/") == {}


def test_qasync_is_used_by_the_loop_and_the_composition_root_only() -> None:
    assert _stray(_importers(GUI, "qasync"), "app.py", "event_loop.py", "event_loop/") == {}


def test_models_runs_and_actions_know_no_widgets() -> None:
    importers = _importers(GUI, "PySide6.QtWidgets")
    known = {name for name in importers if name.startswith(("models/", "runs/", "actions/"))}
    assert known == set()


def test_nothing_opens_a_nested_loop() -> None:
    """`exec` on a dialog or menu re-enters the event loop inside a coroutine; `open` and `popup` do not."""
    calls = [
        f"{name}:{node.lineno}"
        for name, path in _files(GUI)
        if not name.startswith("event_loop")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"exec", "exec_", "processEvents"}
    ]
    assert calls == []


def test_nobody_keeps_a_drawer_of_odds_and_ends() -> None:
    odd = {"utils", "util", "misc", "helpers", "helper", "common", "manager"}
    drawers = [name for package in (CORE, GUI) for name, _ in _modules(package) if odd & set(name.split("."))]
    # The one name that scripts written for AntFlow import from.
    assert [name for name in drawers if name != "utils"] == []


@pytest.mark.parametrize("package", [CORE, GUI])
def test_every_module_begins_with_its_sentence(package: str) -> None:
    silent = [
        name
        for name, path in _files(package)
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def _first_level(folder: Path) -> set[str]:
    """What a package's map has to name: its modules, and the folders that hold some."""
    folders = {path.name for path in folder.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    modules = {path.stem for path in folder.glob("*.py")}
    return (folders | modules) - {"__init__", "__main__", "_version", "_resources"}


def _mapped() -> list[Path]:
    """The packages whose one sentence cannot say it all."""
    folders = [
        path.parent for package in (CORE, GUI) for _, path in _files(package) if path.name == "__init__.py"
    ]
    return [folder for folder in folders if len(_first_level(folder)) > 2]


@pytest.mark.parametrize("folder", _mapped(), ids=lambda folder: str(folder.name))
def test_the_map_of_a_package_names_every_module(folder: Path) -> None:
    """The package's docstring names each module and folder on its first level, and nothing that is gone."""
    drawn = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    words = set(drawn.replace("/", " ").replace(",", " ").replace("`", " ").split())
    names = _first_level(folder)
    assert {name for name in names if not {name, f"{name}.py"} & words} == set()
    gone = {word for word in words if word.endswith(".py") and word.removesuffix(".py") not in names}
    assert gone - {"__main__.py", "_version.py"} == set()


def _all_of(path: Path) -> list[str] | None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def _declared() -> list[str]:
    """The core's packages and modules that say what is public."""
    return [
        ".".join((CORE, *Path(name).with_suffix("").parts)).removesuffix(".__init__")
        for name, path in _files(CORE)
        if _all_of(path) is not None
    ]


def test_the_core_says_what_is_public() -> None:
    assert CORE in _declared()


@pytest.mark.parametrize("module", _declared())
def test_public_names_are_sorted_and_there(module: str) -> None:
    loaded = importlib.import_module(module)
    names = list(loaded.__all__)
    assert names == sorted(set(names))
    assert [name for name in names if not hasattr(loaded, name)] == []


def test_the_public_names_of_the_core_are_complete() -> None:
    """What the package's `__init__` binds without an underscore is what it lists, modules aside."""
    core = importlib.import_module(CORE)
    source = ast.parse((_folder(CORE) / "__init__.py").read_text(encoding="utf-8"))
    bound = {
        alias.asname or alias.name
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{CORE}.")
        for alias in node.names
    }
    bound |= {node.name for node in source.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    public = {name for name in bound if not name.startswith("_")} | {"__version__"}
    assert public <= set(core.__all__)
