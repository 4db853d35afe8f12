"""Makes ``import antflow`` give the very modules of `antflow_core`, for as long as a script is hosted."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import antflow_core

ALIAS = "antflow"
_REAL = antflow_core.__name__


class AntFlowAlias(MetaPathFinder):
    """A finder for ``antflow`` and everything below it; `install` and `remove` keep what was there before."""

    def __init__(self) -> None:
        self._before: dict[str, ModuleType] = {}

    def install(self) -> None:
        """Put `antflow_core` in the place of whatever ``antflow`` is."""
        self._before = _take_aliased()
        sys.modules[ALIAS] = antflow_core
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Give the name back to whoever had it."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        _take_aliased()
        sys.modules.update(self._before)
        self._before = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for the alias only; None for a module that `antflow_core` does not have either."""
        top, dot, rest = fullname.partition(".")
        if top != ALIAS:
            return None
        real = importlib.util.find_spec(_REAL + dot + rest)
        if real is None:
            return None
        return ModuleSpec(
            fullname, _RealModule(real.name), is_package=real.submodule_search_locations is not None
        )


class _RealModule(Loader):
    """Loads nothing: hands out the module that has the real name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has just set it to the alias


def _take_aliased() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == ALIAS]
    return {name: sys.modules.pop(name) for name in names}
