"""Reading a recorded run on the app's loop: all there is, then what is still being written to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from antflow_core.exceptions import RunFileError
from antflow_core.link.protocol import RunOutcome
from antflow_core.link.replay import ReplayedRun

OnEnd = Callable[[RunFileError | None], None]


class RecordedReading:
    """One recorded run and the task that reads it.

    Args:
        path: The file.
        on_end: Called when there is nothing more to come, with what has put an end to it before its time;
            not called after `give_up`.

    Attributes:
        source: What has been read.
        is_going_on: More may come; not so any more when `on_end` is called.

    Raises:
        RunFileError: It cannot be opened.
    """

    def __init__(self, path: Path, on_end: OnEnd) -> None:
        self.source = ReplayedRun(path)
        self._on_end: OnEnd | None = on_end
        self._task: asyncio.Task[RunOutcome] | None = None
        self.is_going_on = False

    def start(self) -> None:
        """Read on from the first events."""
        self.is_going_on = True
        self._task = asyncio.get_running_loop().create_task(self.source.run(), name="antflow-desk reading")
        self._task.add_done_callback(self._finish)

    def give_up(self) -> None:
        """Read no further; another file is to be shown."""
        self._on_end = None
        self.is_going_on = False
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Read no further, and wait until that is so."""
        self.give_up()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _finish(self, task: asyncio.Task[RunOutcome]) -> None:
        error = None if task.cancelled() else task.exception()
        self.is_going_on = False
        if self._on_end is not None:
            self._on_end(error if isinstance(error, RunFileError) else None)
        if error is not None and not isinstance(error, RunFileError):
            raise error  # to the loop's handler, which reports it
