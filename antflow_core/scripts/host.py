"""A script's surroundings while it runs, and the same process as before when it is over."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Self

from antflow_core.exceptions import ScriptError
from antflow_core.scripts.alias import ALIAS, AntFlowAlias
from antflow_core.scripts.folder import FreshSourceLoader, ScriptFolder
from antflow_core.scripts.hooks import kept_hooks
from antflow_core.scripts.source import absolute_script_path, compile_script
from antflow_core.telemetry import kept_telemetry

_IN_CHILDREN = str(Path(__file__).with_name("in_children"))
"""Holds an ``antflow`` for child processes, which get the search path but none of this process's finders."""


class ScriptHost:
    """Executes a script afresh, once; a context manager, on the main thread.

    Inside, ``sys.argv`` is the script and its arguments, ``sys.path[0]`` its folder, ``import antflow`` gives
    `antflow_core`, and the module is in ``sys.modules`` under the file's stem (dots become underscores).
    If that name belongs to another module, a standard one or one that can be imported, the script is called
    ``<stem>_script`` and never stands in for the other.

    Processes that it starts with `multiprocessing` find the same ``antflow`` and, by its name, the script.

    Afterwards all of that is as it was, the working directory, the environment variables, the hooks for
    unhandled errors, the signal handlers and the switch of `configure_telemetry` too; modules from the
    script's folder are forgotten and log handlers that the script added are taken away: the next run begins
    like the first.

    Args:
        path: The script; it need not end in ``.py``.
        args: What follows the script in ``sys.argv``.
    """

    def __init__(self, path: str | os.PathLike[str], args: Sequence[str] = ()) -> None:
        self.path = absolute_script_path(path)
        self._argv = [os.fspath(path), *args]
        self._folder = str(self.path.resolve().parent)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if any(isinstance(finder, AntFlowAlias) for finder in sys.meta_path):
            message = (
                f"{self.path.name} cannot run now: another script runs in this process; wait for its end"
            )
            raise ScriptError(message, self.path)
        stem = self.path.stem.replace(".", "_")
        taken = _is_taken(stem, self.path, self._folder)
        self._name = _free_name(stem) if taken else stem
        with ExitStack() as stack:
            stack.enter_context(_kept_interpreter_state())
            stack.enter_context(_kept_log_handlers())
            stack.enter_context(kept_hooks())
            stack.enter_context(kept_telemetry())
            sys.argv = self._argv
            sys.path[:0] = [self._folder, _IN_CHILDREN]
            for finder in (ScriptFolder(self._folder, stem if taken else None), AntFlowAlias()):
                finder.install()
                stack.callback(finder.remove)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def load(self) -> ModuleType:
        """Execute the script's top level and return its module.

        Raises:
            ScriptError: It cannot be read or is not Python.
            BaseException: Whatever the script raises.
        """
        code = compile_script(self.path)
        loader = FreshSourceLoader(self._name, str(self.path))
        spec = importlib.util.spec_from_file_location(self._name, self.path, loader=loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[self._name] = module
        self._stack.callback(sys.modules.pop, self._name, None)
        exec(code, module.__dict__)  # noqa: S102 - to run the user's script is what this is for
        return module


def _is_taken(name: str, script: Path, folder: str) -> bool:
    """Whether another module has a right to the name."""
    if name in sys.modules or name in sys.stdlib_module_names or name == ALIAS:
        return True
    elsewhere = [
        entry for entry in sys.path if os.path.realpath(entry) != folder
    ]  # '' is the working directory
    spec = PathFinder.find_spec(name, elsewhere)
    return (
        spec is not None
        and spec.origin is not None
        and os.path.realpath(spec.origin) != os.path.realpath(script)
    )


def _free_name(stem: str) -> str:
    name = f"{stem}_script"
    while name in sys.modules:
        name += "_"
    return name


@contextmanager
def _kept_interpreter_state() -> Iterator[None]:
    """Put arguments, search path, streams and working directory back, in the very objects they were in."""
    argv, arguments = sys.argv, list(sys.argv)
    path, entries = sys.path, list(sys.path)
    streams = sys.stdin, sys.stdout, sys.stderr
    folder = _working_directory()
    try:
        yield
    finally:
        argv[:] = arguments
        path[:] = entries
        sys.argv, sys.path = argv, path
        sys.stdin, sys.stdout, sys.stderr = streams
        if folder is not None and _working_directory() != folder:
            with suppress(OSError):
                os.chdir(folder)


def _working_directory() -> str | None:
    """None where it has been deleted."""
    try:
        return str(Path.cwd())
    except OSError:
        return None


@contextmanager
def _kept_log_handlers() -> Iterator[None]:
    """Take away the handlers that the script adds: a second run would log everything twice."""
    level = logging.root.level
    before = {id(handler) for logger in _loggers() for handler in logger.handlers}
    try:
        yield
    finally:
        logging.root.setLevel(level)
        for logger in _loggers():
            for handler in [handler for handler in logger.handlers if id(handler) not in before]:
                if not isinstance(
                    handler, logging.NullHandler
                ):  # those belong to libraries, which stay loaded
                    logger.removeHandler(handler)
                    handler.close()


def _loggers() -> list[logging.Logger]:
    named = [
        logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)
    ]
    return [logging.root, *named]
