"""The road to the terminal: no faster than asked, plain lines where no terminal is, a summary at the end."""

from __future__ import annotations

import math
import sys
import time
import weakref
from abc import abstractmethod
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live

from antflow_core.arguments import check_function, check_number, whole_number
from antflow_core.display.base import BaseDashboard
from antflow_core.display.meter import Meter, Reading
from antflow_core.display.plain import PlainLines
from antflow_core.display.wording import error_lines, outcome_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from antflow_core.pipeline import Pipeline
    from antflow_core.types import DashboardSnapshot, ErrorSummary, PipelineResult


class TerminalDashboard(BaseDashboard):
    """Draws frames in place on a terminal and prints plain lines anywhere else.

    Args:
        refresh_rate: At most this many redraws a second.
        total: Items to expect where the pipeline does not know.
        console: Where to draw; the process's standard output if None.
        clock: Seconds that only go forward.

    Raises:
        TypeError: An argument is of another kind.
        ValueError: `refresh_rate` is not above 0.
    """

    def __init__(
        self,
        refresh_rate: float = 4.0,
        *,
        total: int | None = None,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_number("refresh_rate", refresh_rate)
        if refresh_rate <= 0:
            raise ValueError(f"refresh_rate must be more than 0 redraws a second, got {refresh_rate}")
        if total is not None:
            whole_number("total", total)
        _check_console(console)
        check_function("clock", clock, "no arguments")
        self.refresh_rate = refresh_rate
        self.total = total
        self._expected = total
        self._given_console = console
        self._clock = clock
        self._begin()

    @property
    def console(self) -> Console:
        """Where it draws; another one counts from the next start."""
        return self._console

    @console.setter
    def console(self, console: Console) -> None:
        _check_console(console)
        self._given_console = console
        if self._live is None:
            self._console = console

    def on_start(self, pipeline: Pipeline, total_items: int | None) -> None:
        """Take the terminal, if there is one and no other dashboard holds it."""
        self._release()
        super().on_start(pipeline, total_items or self._expected)
        self._begin()
        self._announced = _beyond_what_is_fed(pipeline, total_items)
        if _can_redraw(self._console, given=self._given_console is not None):
            self._take(Live(console=self._console, auto_refresh=False))

    def on_update(self, snapshot: DashboardSnapshot) -> None:
        """Note the snapshot, and draw it if the last drawing is long enough ago."""
        reading = self._read(snapshot)
        if self._live is None:
            self._plain.update(reading)
        elif self._clock() - self._drawn_at >= 1 / self.refresh_rate:
            self._draw(reading)

    def on_finish(self, results: list[PipelineResult], summary: ErrorSummary) -> None:
        """Draw the last state, give the terminal back and print the summary."""
        try:
            self._draw_last()
        finally:
            self._release()
        for line in [self._outcome(results, summary), *error_lines(summary)]:
            self._write(line)

    def render(self, snapshot: DashboardSnapshot) -> None:
        """Draw the snapshot now."""
        self._draw(self._read(snapshot))

    @abstractmethod
    def frame(self, reading: Reading) -> RenderableType:
        """The picture of one moment."""

    def _begin(self) -> None:
        self._console = self._given_console or Console(highlight=False)
        self._meter = Meter()
        self._plain = PlainLines(self._write)
        self._live: Live | None = None
        self._stop_live: Callable[[], object] | None = None
        self._last: Reading | None = None
        self._announced = 0
        self._began = self._clock()
        self._drawn_at = -math.inf

    def _take(self, live: Live) -> None:
        live.start()
        self._live = live
        # A run that dies may never call on_finish; the cursor must come back, at the latest at exit.
        self._stop_live = weakref.finalize(self, live.stop)

    def _release(self) -> None:
        if self._stop_live is not None:
            self._stop_live()
        self._live = self._stop_live = None

    def _read(self, snapshot: DashboardSnapshot) -> Reading:
        elapsed_s = self._clock() - self._began
        reading = self._meter.read(snapshot, elapsed_s, self.total, at_least=self._announced)
        self.total = reading.total
        self._last = reading
        return reading

    def _draw(self, reading: Reading) -> None:
        picture = self.frame(reading)
        self._drawn_at = self._clock()
        if self._live is None:
            self._console.print(picture)
        else:
            self._live.update(picture, refresh=True)

    def _draw_last(self) -> None:
        if self._last is None:
            return
        if self._live is None:
            self._plain.finish(self._last)
        else:
            self._draw(self._last)

    def _outcome(self, results: list[PipelineResult], summary: ErrorSummary) -> str:
        """The summary's first line; counted from the results where no snapshot ever came."""
        completed, skipped = sum(result.is_success for result in results), 0
        if self._last is not None:
            completed, skipped = self._last.completed, self._last.skipped
        elapsed_s = self._clock() - self._began
        return outcome_line(completed, summary.total_failed, skipped, self.total, elapsed_s)

    def _write(self, line: str) -> None:
        """Print one line, whatever its characters and the output's encoding.

        Not with the console: that writes past another display's stand-in for sys.stdout, into its picture.
        """
        stream = sys.stdout if self._given_console is None else self._given_console.file
        if stream is None:
            return
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()


def _check_console(console: object) -> None:
    if console is not None and not isinstance(console, Console):
        raise TypeError(f"console must be a rich.console.Console or None, got {console!r}")


def _beyond_what_is_fed(pipeline: Pipeline, total_items: int | None) -> int:
    """The total told by who will feed more than the pipeline knows of; 0 where the pipeline knows it all."""
    known = getattr(pipeline, "total_items", None)
    return total_items if total_items is not None and known is not None and total_items > known else 0


def _can_redraw(console: Console, *, given: bool) -> bool:
    """Whether frames can replace one another here.

    rich also calls a pipe a terminal when FORCE_COLOR is set, and gives sys.stdout a stand-in while some
    other display is drawing in place; two of them would draw over each other.
    """
    if not console.is_terminal or console.is_dumb_terminal or not console.encoding.startswith("utf"):
        return False
    return given or (sys.stdout.isatty() and not hasattr(sys.stdout, "rich_proxied_file"))
