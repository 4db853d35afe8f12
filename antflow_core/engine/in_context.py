"""In context: awaits a coroutine in a context of its own, without a task of its own."""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from contextvars import Context
from typing import Any, TypeVar

R = TypeVar("R")


@types.coroutine
def in_context(context: Context, coroutine: Coroutine[Any, Any, R]) -> Generator[Any, Any, R]:
    """Await `coroutine`; what it reads and sets of context variables is in `context`.

    A task of its own would do that too; making one costs more than all else that an executor does.
    """
    run, send = context.run, coroutine.send
    try:
        awaited = run(send, None)
        while True:
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001  it is the coroutine's, a cancellation for example
                awaited = run(coroutine.throw, error)
            else:
                awaited = run(send, None)
    except StopIteration as end:
        result: R = end.value
        return result
