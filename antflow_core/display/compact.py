"""One panel: progress, pace, the stage that is busiest, the counts by outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from antflow_core.display.parts import framed, headline, outcomes, pace
from antflow_core.display.terminal import TerminalDashboard
from antflow_core.units import format_count

if TYPE_CHECKING:
    from rich.console import RenderableType

    from antflow_core.display.meter import Reading, StageReading


class CompactDashboard(TerminalDashboard):
    """A panel of four lines; what ``dashboard="compact"`` shows."""

    def frame(self, reading: Reading) -> RenderableType:
        """The panel."""
        return framed(reading, headline(reading), pace(reading), _busiest(reading), outcomes(reading))


def _busiest(reading: Reading) -> Text:
    """The stage with most to do: a full crew first, then the longest queue."""
    busy = [stage for stage in reading.stages if stage.busy or stage.queued]
    if not busy:
        return Text("No stage is busy", style="dim")
    stage = max(busy, key=_load)
    workers = f"{stage.busy} of {stage.workers} workers busy"
    words = f"Busiest: {stage.name}, {workers}, {format_count(stage.queued)} queued"
    return Text(words, no_wrap=True, overflow="ellipsis")


def _load(stage: StageReading) -> tuple[float, int]:
    return stage.busy / stage.workers if stage.workers else 0.0, stage.queued
