"""Executors: how a task gets through its stage's executor: threads, processes, a Dask cluster, any other."""

from __future__ import annotations

import contextvars
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from antflow_core.engine.carried import described, pack, run_anywhere, run_for_dask, run_packed
from antflow_core.engine.elsewhere import Way
from antflow_core.exceptions import ExecutorShutdownError

_PROCESSES = {"concurrent.futures.process", "concurrent.futures.interpreter"}
_DASK = "distributed.cfexecutor"


def hopeless_errors(executor: Executor | None) -> tuple[type[BaseException], ...]:
    """What goes wrong between a stage and its executor, and would go wrong at another attempt too."""
    if executor is None:
        return ()
    errors = (BrokenExecutor, ExecutorShutdownError, pickle.PicklingError)
    scheduler = sys.modules.get("distributed.scheduler")
    # By then Dask has given the task to several workers, and each has died of it.
    return errors if scheduler is None else (*errors, scheduler.KilledWorker)


def way_through(executor: Executor, stage_name: str, task_name: str) -> Way:
    """The way of a task's calls through an executor."""
    homes = {kind.__module__ for kind in type(executor).__mro__}
    if _DASK in homes:
        return _ThroughDask(executor, stage_name, task_name)
    if homes & _PROCESSES:
        return _ThroughProcesses(executor, stage_name, task_name)
    return _Through(executor, stage_name, task_name)


class _Through(Way):
    """Through an executor that is given function and value as they are."""

    def __init__(self, executor: Executor, stage_name: str, task_name: str) -> None:
        self._executor = executor
        self._stage_name = stage_name
        self._task_name = task_name

    def submit(self, function: Callable[[Any], Any], value: Any) -> Future[Any]:
        try:
            return self._hand_over(function, value)
        except RuntimeError as error:
            if "shutdown" not in str(error):
                raise
            raise self._shut_down() from error

    def given_up(self) -> Exception:
        return self._shut_down()

    def _hand_over(self, function: Callable[[Any], Any], value: Any) -> Future[Any]:
        if isinstance(self._executor, ThreadPoolExecutor):
            return self._executor.submit(contextvars.copy_context().run, run_anywhere, function, value)
        return self._executor.submit(run_anywhere, function, value)  # a context does not pickle

    def _shut_down(self) -> ExecutorShutdownError:
        return ExecutorShutdownError(
            f"Stage {self._stage_name!r}: its executor is shut down and does not run task "
            f"{self._task_name!r} any more; keep it open until the pipeline has ended"
        )


class _ThroughProcesses(_Through):
    """Through a pool of processes.

    Function, value and result are packed here: the pool itself would break at a value, a result or an
    exception that can be pickled but not made anew, and would not say what could not be pickled.
    """

    def unpack(self, result: Any) -> Any:
        if isinstance(result, str):
            raise self._refused(f"task {self._task_name!r} {result}")
        try:
            return pickle.loads(result)  # noqa: S301  from a process of the stage's own executor
        except Exception as error:
            raise self._refused(
                f"the result of task {self._task_name!r} cannot be read here: {described(error)}"
            ) from error

    def _hand_over(self, function: Callable[[Any], Any], value: Any) -> Future[Any]:
        try:
            packed = pack((function, value))
        except Exception as error:
            raise self._cannot_leave(error) from error
        return self._executor.submit(run_packed, packed)

    def _cannot_leave(self, error: BaseException) -> pickle.PicklingError:
        while error.__cause__ is not None:  # the first of a chain says what it was
            error = error.__cause__
        return self._refused(
            f"the value for task {self._task_name!r} cannot go to another process: {described(error)}"
        )

    def _refused(self, what: str) -> pickle.PicklingError:
        return pickle.PicklingError(f"Stage {self._stage_name!r}: {what}")


class _ThroughDask(_ThroughProcesses):
    """Through a Dask client, which packs functions and values itself."""

    def _hand_over(self, function: Callable[[Any], Any], value: Any) -> Future[Any]:
        # WORKAROUND(distributed 2026.8): a closed client takes a task and leaves who waits for it waiting.
        client = getattr(self._executor, "_client", None)
        if getattr(client, "status", None) in {"closing", "closed"}:
            raise self._shut_down()
        # Without a key of its own, an equal call is the same call: its result, or its failure, would be
        # given again instead of another attempt. The dashboard groups keys by what is before the dash.
        key = f"{self._task_name}-{uuid4().hex}"
        try:
            submit: Callable[..., Future[Any]] = self._executor.submit  # Dask's takes keywords of its own
            return submit(run_for_dask, function, value, key=key)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise self._cannot_leave(error) from error
