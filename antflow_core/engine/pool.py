"""Pool: the workers of an executor: begun when something waits for them, gone when nothing does."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from antflow_core.engine.in_context import in_context
from antflow_core.engine.raised import trim_traceback
from antflow_core.engine.work import Job, Work, note_attempt
from antflow_core.exceptions import ExecutorShutdownError
from antflow_core.telemetry import Spans, begin_spans

logger = logging.getLogger("antflow.executor")

R = TypeVar("R")

_JOBS_PER_TURN = 64
"""Tasks that never suspend would let one worker do all of them while the loop waits; so it gets a turn."""


class Pool:
    """Does jobs in the order in which they come, at most so many at a time.

    A worker is an asyncio task that does job after job. One that is cancelled from outside ends, and so does
    its job; another takes its place if more jobs wait.

    Args:
        size: How many workers there may be.
        when_left: Called each time a worker has left.
    """

    def __init__(self, size: int, when_left: Callable[[], None]) -> None:
        self.size = size
        self._when_left = when_left
        self._waiting: deque[Job] = deque()
        self._pausing: dict[Job, Exception] = {}  # with what their last attempt raised
        self._workers: dict[int, asyncio.Task[None] | None] = {}  # None as long as one is being started
        self._free_numbers: list[int] = []  # of workers that have left
        self._busy: set[int] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._spans: Spans | None = None
        self._gives_up = False
        self._worker_left = asyncio.Event()
        self._stays = 0  # workers whose own job waits for the others to leave

    def __str__(self) -> str:
        return f"{len(self._busy)} of {self.size} workers busy, {len(self._waiting)} tasks waiting"

    @property
    def is_empty(self) -> bool:
        """Whether there is no worker."""
        return not self._workers

    def enter_loop(self) -> None:
        """Work on the loop that runs; on another one than before only where nothing is left there.

        Raises:
            RuntimeError: The loop before has work of this pool.
        """
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        if self._loop is None:
            self._spans = begin_spans()
        elif self._workers and not self._loop.is_closed():
            raise RuntimeError("this AsyncExecutor is at work on another event loop; make one for each loop")
        self._loop = loop
        self._workers.clear()
        self._free_numbers.clear()
        self._busy.clear()
        self._worker_left = asyncio.Event()
        self.drop_waiting()

    def add(self, job: Job) -> None:
        """Have a job done."""
        self._waiting.append(job)
        self._staff()

    def drop_waiting(self) -> None:
        """End the jobs that have not begun."""
        dropped, self._waiting = self._waiting, deque()
        for job in dropped:
            if not job.done():
                job.set_exception(ExecutorShutdownError("Executor shutdown"))
                job.exception()  # nobody has to ask for it

    def give_up(self) -> None:
        """End the jobs that have not begun, and those that wait for another attempt."""
        self._gives_up = True
        self.drop_waiting()
        for job, error in self._pausing.items():
            if not job.done():
                job.set_exception(error)

    def cancel(self) -> None:
        """Give up, and cancel what is under way."""
        self.give_up()
        for worker in self._workers.values():
            if worker is not None and worker is not asyncio.current_task():
                worker.cancel()

    async def wait_left(self) -> None:
        """Wait until all workers have left but those whose own job waits for that."""
        stays = asyncio.current_task() in self._workers.values()
        self._stays += stays
        self._worker_left.set()
        try:
            while len(self._workers) > self._stays:
                self._worker_left.clear()
                await self._worker_left.wait()
        finally:
            self._stays -= stays

    # Workers

    def _staff(self) -> None:
        """Start workers for what waits, if those between two jobs are not enough."""
        while len(self._waiting) > len(self._workers) - len(self._busy) and len(self._workers) < self.size:
            number = self._free_numbers.pop() if self._free_numbers else len(self._workers)
            self._workers[number] = None  # it counts at once: there are loops whose tasks begin at once
            worker = asyncio.create_task(self._work(number), name=f"antflow executor worker {number}")
            self._workers[number] = worker
            worker.add_done_callback(functools.partial(self._note_leaving, number))

    async def _work(self, number: int) -> None:
        """Do what waits, until nothing does."""
        me = asyncio.current_task()
        assert me is not None
        turn = _JOBS_PER_TURN
        while self._waiting:
            if not turn:
                turn = _JOBS_PER_TURN
                await asyncio.sleep(0)
                continue
            turn -= 1
            job = self._waiting.popleft()
            if job.done():  # by whoever has it
                continue
            work, args, kwargs, context = job.take()
            cancels_seen = me.cancelling()
            self._busy.add(number)
            try:
                if work.is_simple:
                    running = work.call(*args, **kwargs)
                else:
                    running = self._attempt(job, work, args, kwargs)
                if self._spans is not None:
                    running = _traced(self._spans, number, job.sequence_id, running)
                result = await in_context(context, running)
                self._busy.discard(number)
                if not job.done():
                    job.set_result(result)
            except BaseException as error:
                self._busy.discard(number)
                trim_traceback(error)
                if work.is_simple:
                    note_attempt(error, job.sequence_id, work, 1)
                if not job.done():
                    job.set_exception(error)
                if _is_meant_for(me, error, cancels_seen):
                    raise
            finally:
                # An error that is kept refers to this frame, and must not be referred to by it.
                running = result = None
                del job, args, kwargs, context
            if me.cancelling() > cancels_seen:
                await _meet_own_cancel(me, cancels_seen)

    async def _attempt(self, job: Job, work: Work, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function that may be plain, or is limited, as often as it may be tried."""
        attempt = 1
        try:
            while True:
                try:
                    async with work.limit:
                        return await work.call(*args, **kwargs)
                except Exception as error:
                    note_attempt(error, job.sequence_id, work, attempt)
                    if attempt > work.retries or not await self._pause(job, error, work.pause_s(attempt)):
                        raise
                attempt += 1
        finally:
            del job  # the error refers to this frame

    async def _pause(self, job: Job, error: Exception, pause_s: float) -> bool:
        """Wait before another attempt; false when there is to be none."""
        self._pausing[job] = error
        try:
            if not self._gives_up:
                await (job.wait_done(pause_s) if pause_s else asyncio.sleep(0))
            return not (self._gives_up or job.done())
        finally:
            del self._pausing[job], job, error

    def _note_leaving(self, number: int, worker: asyncio.Task[None]) -> None:
        del self._workers[number]
        self._free_numbers.append(number)
        if worker.cancelled():
            if self._waiting and _everybody_is_cancelled():
                self.drop_waiting()  # the loop ends: who took it up would be left behind
        elif worker.exception() is not None:
            logger.error(
                "executor worker %d failed; another takes its place", number, exc_info=worker.exception()
            )
        self._staff()
        self._worker_left.set()
        self._when_left()


async def _traced(spans: Spans, number: int, task_id: int, running: Awaitable[R]) -> R:
    with spans.executor_task(number, task_id):
        return await running


async def _meet_own_cancel(worker: asyncio.Task[None], cancels_seen: int) -> None:
    """A job cancelled its own task as it ended: have done with that before the next job begins."""
    cancels = worker.cancelling()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    if worker.cancelling() > cancels:
        raise asyncio.CancelledError  # this one came from outside
    while worker.cancelling() > cancels_seen:
        worker.uncancel()


def _is_meant_for(worker: asyncio.Task[None], error: BaseException, cancels_seen: int) -> bool:
    """Whether what came out of a job was meant for its worker: a cancellation, or the end of its loop."""
    if isinstance(error, asyncio.CancelledError):
        return worker.cancelling() > cancels_seen
    return isinstance(error, GeneratorExit) and _current_task() is not worker


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs any more
        return None


def _everybody_is_cancelled() -> bool:
    """Whether every task of the loop is being cancelled, as `asyncio.run` does at its end."""
    return all(task.cancelling() for task in asyncio.all_tasks())
