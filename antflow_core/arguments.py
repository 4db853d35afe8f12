"""Arguments: what callers give, judged where they give it, so that a wrong one gets one sentence."""

from __future__ import annotations

import math
import operator
import os
from numbers import Real
from pathlib import Path
from typing import Any

from antflow_core.exceptions import RunFileError


def is_number(value: object) -> bool:
    """Whether it is a number: no text, not nan, and nothing that a float cannot hold."""
    if not isinstance(value, Real):
        return False
    try:
        return not math.isnan(value)
    except OverflowError:
        return False


def check_number(name: str, value: object, what: str = "a number") -> None:
    """Make sure that a caller gives a number.

    Args:
        what: What is wanted, as the sentence has it.

    Raises:
        TypeError: It is none.
        ValueError: It is nan, or too large.
    """
    if not is_number(value):
        fault = ValueError if isinstance(value, Real) else TypeError
        raise fault(f"{name} must be {what}, got {value!r}")


def check_seconds(name: str, value: object) -> None:
    """Make sure that a caller gives a time; see `check_number`."""
    check_number(name, value, "a number of seconds")


def check_timeout(value: object) -> None:
    """Make sure that a caller gives a time to wait for something, or None for as long as it takes."""
    if value is not None:
        check_number("timeout", value, "a number of seconds or None")


def whole_number(name: str, value: Any, *, least: int | None = None) -> int:
    """A whole number from a caller.

    Raises:
        TypeError: It is none; True is none either.
        ValueError: It is less than `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise _no_whole_number(name, value) from None
    if isinstance(value, bool):
        raise _no_whole_number(name, value)
    if least is not None and number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return number


def check_function(name: str, value: object, of: str) -> None:
    """Make sure that a caller gives something to be called.

    Args:
        of: What it is called with.

    Raises:
        TypeError: It cannot be called.
    """
    if not callable(value):
        raise TypeError(f"{name} must be a function of {of}, got {value!r}")


def is_iterable(value: object) -> bool:
    """Whether `iter` takes it."""
    return hasattr(type(value), "__iter__") or hasattr(type(value), "__getitem__")


def run_file_path(name: str, value: object) -> Path:
    """The path of a run file from a caller.

    Raises:
        TypeError: It is no path.
        RunFileError: It is empty, which would mean the working directory, or no system has such a name.
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(text, str):
        raise TypeError(f"{name} must be the path of a file, got {value!r}")
    if not text:
        raise RunFileError("The path of the run file is empty; name a file", Path())
    if "\0" in text:
        raise RunFileError(f"The path of the run file has a null character in it: {text!r}", Path(text))
    return Path(text)


def _no_whole_number(name: str, value: object) -> TypeError:
    return TypeError(f"{name} must be a whole number, got {value!r}")
