"""The smallest display: one line with a bar, the share, the amounts, the rate and the failures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from antflow_core.arguments import whole_number
from antflow_core.display.parts import PAUSED, Bar
from antflow_core.display.terminal import TerminalDashboard
from antflow_core.display.wording import amount, left, share
from antflow_core.units import format_clock, format_count, format_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

    from antflow_core.display.meter import Reading

_SHORTEST_BAR = 8


class ProgressDisplay(TerminalDashboard):
    """One line; what ``Pipeline.run(progress=True)`` shows.

    Args:
        total: How many items there will be; None where that is not known.
        width: The bar's cells.
        fill_char: What the bar's full part is drawn with.
        empty_char: What its empty part is drawn with.
    """

    def __init__(
        self,
        total: int | None,
        width: int = 30,
        fill_char: str = "█",
        empty_char: str = "░",
        *,
        refresh_rate: float = 10.0,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(refresh_rate, total=total, console=console, clock=clock)
        whole_number("width", width)
        for name, char in (("fill_char", fill_char), ("empty_char", empty_char)):
            if not isinstance(char, str):
                raise TypeError(f"{name} must be text, got {char!r}")
        self.width = width
        self.fill_char = fill_char
        self.empty_char = empty_char

    def frame(self, reading: Reading) -> RenderableType:
        """The line; on a narrow terminal the bar gives way to the words."""
        words = Text("  ".join(self._words(reading)), no_wrap=True, overflow="ellipsis")
        if reading.paused:
            words.append("  paused", PAUSED)
        if reading.failed:
            words.append(f"  {format_count(reading.failed)} failed", "red")
        room = self._console.width - words.cell_len - 2
        line = Table.grid(padding=(0, 2, 0, 0))
        if reading.total is None or room < _SHORTEST_BAR:
            line.add_row(words)
        else:
            width = min(self.width, room)
            line.add_row(
                Bar(reading.done, reading.failed, reading.total, width, self.fill_char, self.empty_char),
                words,
            )
        return line

    def _words(self, reading: Reading) -> Iterator[str]:
        if reading.total is not None:
            yield share(reading.done, reading.total).rjust(5)
        yield f"{amount(reading.done, reading.total)} items"
        if reading.paused:
            return
        yield format_rate(reading.rate).rjust(7)
        if reading.remaining_s is None or reading.done == reading.total:
            yield format_clock(reading.elapsed_s)
        else:
            yield left(reading.remaining_s)
