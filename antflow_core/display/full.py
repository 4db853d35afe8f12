"""Everything: the whole, the stages, what each worker has in hand, the errors by kind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from antflow_core.arguments import check_number
from antflow_core.display.parts import error_groups, framed, overview, stage_table, worker_table
from antflow_core.display.terminal import TerminalDashboard

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from antflow_core.display.meter import Reading

_ROWS_BESIDE = 13
"""Rows that are neither a stage's nor a worker's: borders, headings, the overview, the errors."""
_FEWEST_WORKERS = 2


class FullDashboard(TerminalDashboard):
    """The whole, stages, workers and errors; what ``dashboard="full"`` shows.

    Args:
        refresh_rate: At most this many redraws a second.
        max_items_shown: At most this many workers with the items in their hands.
    """

    def __init__(
        self,
        refresh_rate: float = 4.0,
        max_items_shown: int = 20,
        *,
        total: int | None = None,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(refresh_rate, total=total, console=console, clock=clock)
        check_number("max_items_shown", max_items_shown)
        self.max_items_shown = max_items_shown

    def frame(self, reading: Reading) -> RenderableType:
        """The panel."""
        workers = worker_table(reading.snapshot, self._workers_shown(reading))
        errors = error_groups(reading.snapshot.error_summary)
        return framed(reading, overview(reading), "", stage_table(reading.stages), "", workers, "", errors)

    def _workers_shown(self, reading: Reading) -> int:
        """As many as asked for, if the terminal has the rows: what does not fit is cut off at the bottom."""
        room = self._console.size.height - _ROWS_BESIDE - len(reading.stages)
        return min(self.max_items_shown, max(_FEWEST_WORKERS, room))
