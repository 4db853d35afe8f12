"""What dashboards print where nothing can be redrawn: few lines, each whole in itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antflow_core.display.wording import amount, left, share
from antflow_core.units import format_count, format_rate, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from antflow_core.display.meter import Reading

_SHARE_STEP = 10
_FIRST_PAUSE_S = 5.0
_PAUSE_PER_ELAPSED = 20
"""The pause grows to a twentieth of the time elapsed: a night's run must not fill a log with lines."""


class PlainLines:
    """Prints a line at the start, every tenth, a pause and its end, and when there was none for some seconds.

    Args:
        write: Prints one line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._step = -1
        self._printed_at_s = 0.0
        self._printed_done = -1
        self._printed_paused = False

    def update(self, reading: Reading) -> None:
        """Print what there is to say now, if it is time to say something."""
        if self._step < 0:
            self._write(start_line(reading))
            self._step = 0
            if not (reading.done or reading.paused):
                return
        step = reading.done * 100 // reading.total // _SHARE_STEP if reading.total else 0
        pause_s = max(_FIRST_PAUSE_S, reading.elapsed_s / _PAUSE_PER_ELAPSED)
        is_due = step > self._step or reading.elapsed_s - self._printed_at_s >= pause_s
        if is_due or reading.paused != self._printed_paused:
            self._print(reading, step)

    def finish(self, reading: Reading) -> None:
        """Print the last state, unless the last line said it already."""
        if self._step < 0:
            self._write(start_line(reading))
        if reading.done != self._printed_done:
            self._print(reading, self._step)

    def _print(self, reading: Reading, step: int) -> None:
        self._write(progress_line(reading))
        self._step = max(step, self._step)
        self._printed_at_s = reading.elapsed_s
        self._printed_done = reading.done
        self._printed_paused = reading.paused


def start_line(reading: Reading) -> str:
    """``5 stages: Walk, Read, Parse, Measure, Save; 3,084 items``."""
    names = ", ".join(stage.name for stage in reading.stages)
    total = "number of items not known" if reading.total is None else plural(reading.total, "item")
    return f"{plural(len(reading.stages), 'stage')}: {names}; {total}"


def progress_line(reading: Reading) -> str:
    """``31 %, 956 of 3,084 items, 2 failed, 317/s, 7 s left; Walk 3,084, Read 1,204, …``.

    While the run is paused that word stands where the pace would.
    """
    facts = [share(reading.done, reading.total), f"{amount(reading.done, reading.total)} items"]
    if reading.failed:
        facts.append(f"{format_count(reading.failed)} failed")
    facts += _pace(reading)
    stages = ", ".join(f"{stage.name} {format_count(stage.done)}" for stage in reading.stages)
    return f"{', '.join(fact for fact in facts if fact)}; {stages}"


def _pace(reading: Reading) -> Iterator[str]:
    if reading.paused:
        yield "paused"
        return
    if reading.rate is not None:
        yield format_rate(reading.rate)
    if reading.remaining_s is not None and reading.done != reading.total:
        yield left(reading.remaining_s)
