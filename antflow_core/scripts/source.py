"""Reads and compiles a script's file without running it; every fault is a `ScriptError` that says where."""

from __future__ import annotations

import ast
import codecs
import os
import stat
import tokenize
import warnings
from io import BytesIO
from pathlib import Path
from types import CodeType

from antflow_core.exceptions import ScriptError
from antflow_core.units import format_bytes

LARGEST_SCRIPT_B = 20_000_000
"""No program is written that long, and a mistaken data file must not fill the memory."""


def absolute_script_path(path: str | os.PathLike[str]) -> Path:
    """The path that the script's code carries in ``__file__`` and in tracebacks."""
    return Path(path).absolute()


def parse_script(path: str | os.PathLike[str]) -> ast.Module:
    """The script's syntax tree.

    Raises:
        ScriptError: It cannot be read, is not Python, or has a syntax error.
    """
    tree, _ = _read(absolute_script_path(path))
    return tree


def compile_script(path: str | os.PathLike[str]) -> CodeType:
    """The script's code, as `parse_script` judges it."""
    _, code = _read(absolute_script_path(path))
    return code


def _read(path: Path) -> tuple[ast.Module, CodeType]:
    text = _decode(_read_bytes(path), path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            tree = ast.parse(text, str(path))
            code = compile(text, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise _syntax_fault(error, path) from error
    except (RecursionError, MemoryError) as error:
        raise ScriptError(
            f"{path.name} is nested too deeply for Python to read; split the expression", path
        ) from error
    return tree, code


def _read_bytes(path: Path) -> bytes:
    try:
        kind = path.stat()
        if not stat.S_ISDIR(kind.st_mode):
            _refuse_odd_files(kind, path)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ScriptError(f"{path.name} does not exist: there is no file {path}", path) from error
    except IsADirectoryError as error:
        raise ScriptError(
            f"{path.name} is a folder; name the Python file in it that is to run", path
        ) from error
    except OSError as error:
        if os.path.isdir(path):  # noqa: PTH112 - never raises; Windows answers PermissionError for a folder
            raise ScriptError(
                f"{path.name} is a folder; name the Python file in it that is to run", path
            ) from error
        reason = (error.strerror or str(error)).lower()
        raise ScriptError(f"{path.name} cannot be read: {reason} ({path})", path) from error


def _refuse_odd_files(kind: os.stat_result, path: Path) -> None:
    """A pipe or a device may never end, and a file of such a size is data."""
    if not stat.S_ISREG(kind.st_mode):
        raise ScriptError(f"{path.name} is not a file that ends, but a pipe or a device ({path})", path)
    if kind.st_size > LARGEST_SCRIPT_B:
        size, most = format_bytes(kind.st_size), format_bytes(LARGEST_SCRIPT_B)
        raise ScriptError(f"{path.name} is not a Python file: it has {size}, a script at most {most}", path)


def _decode(source: bytes, path: Path) -> str:
    """The text of the file in the encoding it names (PEP 263), UTF-8 where it names none."""
    if source.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ScriptError(
            f"{path.name} is saved as UTF-16, which Python does not read; save it as UTF-8", path
        )
    if b"\0" in source:
        raise ScriptError(f"{path.name} is not a Python file: it holds binary data", path)
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(source).readline)
    except SyntaxError as error:
        if "unknown encoding" in str(error):
            raise ScriptError(
                f"{path.name} names an encoding that Python does not know; use utf-8", path
            ) from error
        raise _encoding_fault(source, "utf-8", path) from error
    try:
        return source.decode(encoding)
    except UnicodeDecodeError as error:
        raise _encoding_fault(source, encoding, path) from error


def _encoding_fault(source: bytes, encoding: str, path: Path) -> ScriptError:
    line = None
    try:
        source.decode(encoding)
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
    where = f"{path.name}, line {line}" if line else path.name
    remedy = "save the file as UTF-8, or name its encoding in the first line: # -*- coding: latin-1 -*-"
    return ScriptError(f"{where}: not valid {encoding.upper().removesuffix('-SIG')}; {remedy}", path, line)


def _syntax_fault(error: SyntaxError, path: Path) -> ScriptError:
    """Python's own words: since 3.10 they say what is missing where that can be told."""
    where = f"{path.name}, line {error.lineno}" if error.lineno else path.name
    culprit = (error.text or "").strip()
    quoted = f": {culprit}" if culprit and len(culprit) <= 80 else ""
    return ScriptError(f"{where}: {error.msg}{quoted}", path, error.lineno)
