"""Imports from the script's own folder: always from the source as it is now, forgotten after the run."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


class FreshSourceLoader(SourceFileLoader):
    """Compiles the source each time: a ``.pyc`` goes by whole seconds and size, which an edit may keep."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class ScriptFolder(MetaPathFinder):
    """Finds what lies beside the script, except the script itself where its name belongs to another module.

    Args:
        folder: The script's folder, as it stands in ``sys.path[0]``.
        hidden: A module name that is not to be looked for there; None to hide none.
    """

    def __init__(self, folder: str, hidden: str | None) -> None:
        self._folder = folder
        self._hidden = hidden
        self._before: frozenset[str] = frozenset()

    def install(self) -> None:
        """Begin to answer for the folder."""
        importlib.invalidate_caches()
        self._before = frozenset(sys.modules)
        sys.meta_path.insert(_before_path_finder(), self)

    def remove(self) -> None:
        """Stop answering, and forget what was imported from the folder since `install`."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        for name in _loaded_from(self._folder, self._before):
            sys.modules.pop(name, None)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for a source file of the folder or of a package in it; None leaves it to others."""
        if path is None and fullname == self._hidden:
            return self._elsewhere(fullname)
        places = [self._folder] if path is None else [place for place in path if self._holds(place)]
        spec = PathFinder.find_spec(fullname, places) if places else None
        if spec is None or spec.origin is None or type(spec.loader) is not SourceFileLoader:
            return None
        spec.loader = FreshSourceLoader(fullname, spec.origin)
        return spec

    def _elsewhere(self, fullname: str) -> ModuleSpec:
        entries = [entry for entry in sys.path if os.path.realpath(entry) != self._folder]
        spec = PathFinder.find_spec(fullname, entries)
        if (
            spec is None
        ):  # None would let the next finder offer the script: winreg.py where there is no winreg
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return spec

    def _holds(self, place: str) -> bool:
        return Path(place).is_relative_to(self._folder)


def _before_path_finder() -> int:
    """Built-in and frozen modules come first, as they do for Python."""
    return next(
        (index for index, finder in enumerate(sys.meta_path) if finder is PathFinder), len(sys.meta_path)
    )


def _loaded_from(folder: str, before: frozenset[str]) -> list[str]:
    """New modules whose top level lies directly in the folder, but for compiled ones: they load once."""
    trees: dict[str, list[str]] = {}
    for name in sys.modules.keys() - before:
        trees.setdefault(name.partition(".")[0], []).append(name)
    return [
        name
        for top, names in trees.items()
        if top not in before and _lies_in(sys.modules.get(top), folder) and not any(map(_is_compiled, names))
        for name in names
    ]


def _lies_in(module: ModuleType | None, folder: str) -> bool:
    spec = getattr(module, "__spec__", None)
    if spec is None:
        return False
    locations = list(spec.submodule_search_locations or [])
    places = locations or ([spec.origin] if spec.origin else [])
    return any(str(Path(place).resolve().parent) == folder for place in places)


def _is_compiled(name: str) -> bool:
    return isinstance(getattr(sys.modules.get(name), "__loader__", None), ExtensionFileLoader)
