"""Reporting: keeps dashboards informed while a run lasts; what one raises is logged and harms nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from antflow_core.arguments import check_seconds
from antflow_core.engine import statistics
from antflow_core.types import DashboardProtocol, DashboardSnapshot, PipelineResult

if TYPE_CHECKING:
    from antflow_core.engine.run import Run
    from antflow_core.engine.succession import Succession
    from antflow_core.pipeline import Pipeline

logger = logging.getLogger("antflow.pipeline")


class Reporter:
    """Calls dashboards at the start, at once, at every interval, and at the end.

    Args:
        dashboards: Whom to inform; nothing is done for none.
        pipeline: Whom to ask for snapshots, as a script may have methods of its own for that.
        runs: Its runs; once another one has begun, the pipeline's answers are about that.
        interval_s: Between two updates.
    """

    def __init__(
        self,
        dashboards: Sequence[DashboardProtocol],
        pipeline: Pipeline,
        runs: Succession,
        interval_s: float = 0.5,
    ) -> None:
        check_seconds("dashboard_update_interval", interval_s)
        if interval_s <= 0:
            raise ValueError(f"dashboard_update_interval must be more than 0 seconds, got {interval_s}")
        self._dashboards = dashboards
        self._pipeline = pipeline
        self._runs = runs
        self._interval_s = interval_s
        self._run: Run
        self._timer: asyncio.TimerHandle | None = None
        self._faulty: set[str] = set()

    def begin(self, run: Run) -> None:
        """The run is about to be fed; its own figures are shown, though another may begin before the end."""
        self._run = run
        if not self._dashboards:
            return
        total = statistics.total_items(run) or 0
        for dashboard in self._dashboards:
            self._call(dashboard.on_start, self._pipeline, total)
        self._update_and_go_on()

    def end(self, results: Sequence[PipelineResult]) -> None:
        """The run is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._dashboards:
            return
        self._update()
        summary = self._pipeline.get_error_summary() if self._is_current() else self._run.failures.summary()
        for dashboard in self._dashboards:
            self._call(dashboard.on_finish, list(results), summary)

    def _update_and_go_on(self) -> None:
        self._update()
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._update_and_go_on)

    def _update(self) -> None:
        for dashboard in self._dashboards:
            self._call(dashboard.on_update, self._snapshot())

    def _snapshot(self) -> DashboardSnapshot:
        return (
            self._pipeline.get_dashboard_snapshot() if self._is_current() else statistics.snapshot(self._run)
        )

    def _is_current(self) -> bool:
        return self._runs.run is self._run

    def _call(self, method: Callable[..., object], *arguments: Any) -> None:
        try:
            method(*arguments)
        except Exception:
            name = getattr(method, "__qualname__", repr(method))
            if name not in self._faulty:  # once: an update fails again at every interval
                self._faulty.add(name)
                logger.exception("Error in dashboard method %s; the run goes on", name)
