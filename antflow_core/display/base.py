"""What every dashboard has: the total, the time it began, and one method that draws."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from antflow_core.pipeline import Pipeline
    from antflow_core.types import DashboardSnapshot, ErrorSummary, PipelineResult


class BaseDashboard(ABC):
    """A dashboard of your own: implement ``render`` and hand it to ``Pipeline.run(custom_dashboard=…)``.

    Subclasses need not call ``__init__``; the attributes have their values from the class.

    Attributes:
        total: How many items there will be; None where that is not known.
        start_time: Unix seconds when the run began; None before.
    """

    total: int | None = None
    start_time: float | None = None

    def on_start(self, pipeline: Pipeline, total_items: int | None) -> None:
        """Note when the run began and how many items it has."""
        self.total = total_items
        self.start_time = time.time()

    def on_update(self, snapshot: DashboardSnapshot) -> None:
        """Draw the snapshot."""
        self.render(snapshot)

    def on_finish(  # noqa: B027 - nothing to do is a good answer
        self, results: list[PipelineResult], summary: ErrorSummary
    ) -> None:
        """The run is over; draws nothing more unless a subclass does."""

    @abstractmethod
    def render(self, snapshot: DashboardSnapshot) -> None:
        """Draw the pipeline as it is in `snapshot`."""
