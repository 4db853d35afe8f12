"""Carried: what an executor is given to run in a task's place; another process loads only this."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pickle
import traceback
from collections.abc import Awaitable, Callable
from typing import Any


def run_plain(function: Callable[[Any], Any], value: Any) -> Any:
    """Call a function where a StopIteration would break the future that carries its outcome."""
    try:
        return function(value)
    except StopIteration as error:
        raise RuntimeError(f"the task raised StopIteration({error})") from error


def run_anywhere(function: Callable[[Any], Any], value: Any) -> Any:
    """Call a function, async or not, on a thread or in a process without a loop."""
    result = run_plain(function, value)
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


def run_packed(packed: bytes) -> bytes | str:
    """Call a function with a value, both packed, and pack the result.

    Returns:
        The packed result; or text that says why there is none, where the task is not to blame.

    Raises:
        BaseException: What the function raises; one that could not be made anew over there is told instead.
    """
    try:
        function, value = pickle.loads(packed)  # noqa: S301  from the process that made the pool
    except Exception as error:  # noqa: BLE001  it is told
        return f"or its value could not be read in the other process: {described(error)}"
    try:
        result = run_anywhere(function, value)
    except Exception as error:
        if _can_be_made_anew(error):
            raise
        stand_in = _stand_in(error)
    else:
        return _packed_or_told(result, pack)
    raise stand_in  # not while the error is handled: where tblib is loaded, it would go along


def run_for_dask(function: Callable[[Any], Any], value: Any) -> bytes | str:
    """Call a function and pack its result as Dask would.

    A worker that cannot send a result lets the client wait for ever.
    """
    pickler = importlib.import_module("cloudpickle")  # late, and by name: it comes with Dask, without types
    return _packed_or_told(run_anywhere(function, value), pickler.dumps)


def pack(value: Any) -> bytes:
    """Pickle a value as a pool of processes does, which can send more than pickle can."""
    from multiprocessing.reduction import ForkingPickler  # late: only who has such a pool needs it

    return bytes(ForkingPickler.dumps(value))


def described(error: BaseException) -> str:
    """An exception's kind and text, also where making the text raises."""
    try:
        return f"{type(error).__qualname__}: {error}"
    except Exception:  # noqa: BLE001  a class of the script's may raise anything
        return type(error).__qualname__


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _packed_or_told(result: Any, dumps: Callable[[Any], bytes]) -> bytes | str:
    try:
        return dumps(result)
    except Exception as error:  # noqa: BLE001  it is told
        return f"gave a {type(result).__qualname__}, which cannot leave its process: {described(error)}"


def _stand_in(error: Exception) -> RuntimeError:
    """What is raised instead of an exception that cannot be made anew, with its traceback as a note."""
    stand_in = RuntimeError(described(error))
    stand_in.add_note("".join(traceback.format_exception(error)))
    return stand_in


def _can_be_made_anew(error: Exception) -> bool:
    """Whether an exception survives the way; one that does not would break the whole pool."""
    try:
        pickle.loads(pack(error))  # noqa: S301  just packed
    except Exception:  # noqa: BLE001  that is the answer
        return False
    return True
