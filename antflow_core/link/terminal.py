"""A run in this process whose pipelines are shown in the terminal while they run."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from antflow_core.display import create_display
from antflow_core.link.inproc import InProcessRun

if TYPE_CHECKING:
    from antflow_core.display import DisplayKind
    from antflow_core.link.protocol import RunOutcome
    from antflow_core.pipeline import Pipeline
    from antflow_core.tracker import StatusTracker
    from antflow_core.types import DashboardProtocol

_INTERVAL_S = 0.25
_log = logging.getLogger(__name__)


class ShownRun(InProcessRun):
    """Gives each pipeline of the script a display of its own.

    Args:
        path: The script.
        args: Its arguments.
        kind: Which display.
        record: As for `InProcessRun`.
        overwrite: So too.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        args: Sequence[str] = (),
        *,
        kind: DisplayKind,
        record: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
    ) -> None:
        super().__init__(path, args, record=record, overwrite=overwrite)
        self._kind = kind
        self._shown: list[tuple[Pipeline, DashboardProtocol]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> RunOutcome:
        """Run the script; the terminal is given back when it ends, however it ends."""
        self._refresh()
        try:
            return await super().run()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            for pipeline, _ in list(self._shown):
                self._finish(pipeline)

    def pipeline_starting(self, pipeline: Pipeline) -> StatusTracker | None:
        """Begin to show the pipeline."""
        tracker = super().pipeline_starting(pipeline)
        total = pipeline.total_items
        display = create_display(self._kind, total)
        self._shown.append((pipeline, display))
        _safely(display.on_start, pipeline, total or 0)
        return tracker

    def pipeline_ended(self, pipeline: Pipeline) -> None:
        """Show how the pipeline came out."""
        self._finish(pipeline)
        super().pipeline_ended(pipeline)

    def _refresh(self) -> None:
        for pipeline, display in self._shown:
            _safely(display.on_update, pipeline.get_dashboard_snapshot())
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL_S, self._refresh)

    def _finish(self, pipeline: Pipeline) -> None:
        for shown in [shown for shown in self._shown if shown[0] is pipeline]:
            self._shown.remove(shown)
            _safely(shown[1].on_update, pipeline.get_dashboard_snapshot())
            _safely(shown[1].on_finish, pipeline.results, pipeline.get_error_summary())


def _safely(show: Callable[..., None], *args: object) -> None:
    """A terminal that cannot be drawn on must not fail the script."""
    try:
        show(*args)
    except Exception:  # noqa: BLE001 - a display is not worth a run
        _log.exception("The terminal display failed")
