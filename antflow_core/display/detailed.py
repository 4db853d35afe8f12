"""Progress of the whole and a row for each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antflow_core.display.parts import framed, overview, stage_table
from antflow_core.display.terminal import TerminalDashboard

if TYPE_CHECKING:
    from rich.console import RenderableType

    from antflow_core.display.meter import Reading


class DetailedDashboard(TerminalDashboard):
    """The whole and every stage; what ``dashboard="detailed"`` shows."""

    def frame(self, reading: Reading) -> RenderableType:
        """The panel."""
        return framed(reading, overview(reading), "", stage_table(reading.stages))
