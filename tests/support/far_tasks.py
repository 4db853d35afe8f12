"""Tasks that other processes run; they load this module and little else."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Any


class NeedsTwoError(Exception):
    """Can be pickled, but not made anew: what is pickled is the one text it has."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} in {where}")


class OneWay:
    """Can be pickled, but not made anew."""

    def __reduce__(self) -> tuple[Any, ...]:
        return refuse, ("it cannot be made anew",)


class OnlyThere:
    """Can be made anew in other processes than the one it is named after."""

    def __init__(self) -> None:
        self.home = os.getpid()

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["home"] != os.getpid():
            raise ValueError("far from home")
        self.__dict__ = state


def refuse(text: str) -> None:
    raise ValueError(text)


def double(value: int) -> int:
    return value * 2


async def double_later(value: int) -> int:
    await asyncio.sleep(0)
    return value * 2


def add(left: int, right: int) -> int:
    return left + right


def process_number(_: Any) -> int:
    return os.getpid()


def fail(value: Any) -> None:
    raise LookupError(f"nothing at {value}")


def fail_oddly(value: Any) -> None:
    raise NeedsTwoError(str(value), "the drawer")


def leave(_: Any) -> None:
    raise SystemExit(3)


def die(_: Any) -> None:
    os._exit(1)


def give_lock(_: Any) -> Any:
    return threading.Lock()


def give_only_there(_: Any) -> OnlyThere:
    return OnlyThere()


def note(folder: str) -> int:
    """Leave a trace of having been called; gives how many there are."""
    path = Path(folder)
    (path / f"{time.monotonic_ns()}").touch()
    return len(list(path.iterdir()))


def fail_the_first_time(folder: str) -> int:
    count = note(folder)
    if count == 1:
        raise LookupError("once")
    return count


def wait_for_file(name: str) -> str:
    """Say that it has begun, and block until a file is there or its folder is gone."""
    path = Path(name)
    Path(f"{name}.begun").touch()
    while path.parent.exists() and not path.exists():
        time.sleep(0.005)
    return name
