"""The pieces that frames are made of: bars, headlines, the tables of stages and of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from antflow_core.display.wording import amount, left, most_frequent, one_line, share
from antflow_core.units import format_clock, format_count, format_duration, format_rate, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from antflow_core.display.meter import Reading, StageReading
    from antflow_core.types import DashboardSnapshot, ErrorSummary, WorkerState

_DONE = Style(color="green")
_FAILED = Style(color="red")
_AHEAD = Style(dim=True)
PAUSED = Style(color="yellow", bold=True)
_TYPES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar as wide as its place: done, failed, still to come; only ground where the total is not known.

    Args:
        width: The cells it takes at most.
    """

    done: int
    failed: int
    total: int | None
    width: int = 400
    fill: str = "━"
    ground: str = "─"

    def cells(self, width: int) -> tuple[int, int]:
        """How many of `width` cells are done well and failed; a failure is never too small to see."""
        if self.total is None:
            return 0, 0
        ended = width if self.done >= self.total else self.done * width // self.total
        failed = min(ended, -(-self.failed * width // self.total)) if self.failed and self.total else 0
        return ended - failed, failed

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(self.width, options.max_width)
        done, failed = self.cells(width)
        yield Segment(self.fill * done, _DONE)
        yield Segment(self.fill * failed, _FAILED)
        yield Segment(self.ground * (width - done - failed), _AHEAD)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(8, self.width), min(self.width, options.max_width))


def headline(reading: Reading) -> Table:
    """The bar over the whole width, with share and amount behind it."""
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(ratio=1)
    line.add_column(justify="right", min_width=5, no_wrap=True)
    line.add_column(justify="right", no_wrap=True)
    words = f"{amount(reading.done, reading.total)} items"
    line.add_row(Bar(reading.done, reading.failed, reading.total), share(reading.done, reading.total), words)
    return line


def overview(reading: Reading) -> Group:
    """Three lines on the whole run: the bar, the pace, the counts by outcome."""
    return Group(headline(reading), pace(reading), outcomes(reading))


def pace(reading: Reading) -> Text:
    """Rate, time elapsed, time left; while it is paused that word, and the time elapsed."""
    elapsed = f"{format_clock(reading.elapsed_s)} elapsed"
    if reading.paused:
        return Text.assemble(("paused", PAUSED), f"   {elapsed}", no_wrap=True, overflow="ellipsis")
    facts = [format_rate(reading.rate), elapsed]
    if reading.total is not None and reading.done < reading.total:
        facts.append("time left –" if reading.remaining_s is None else left(reading.remaining_s))
    return Text("   ".join(facts), no_wrap=True, overflow="ellipsis")


def outcomes(reading: Reading) -> Text:
    """The counts by outcome; a colour only where there is something to see."""
    words = (
        (reading.completed, "completed", "green"),
        (reading.failed, "failed", "red"),
        (reading.retried, "retried", "yellow"),
        (reading.skipped, "skipped", "magenta"),
    )
    line = Text(no_wrap=True, overflow="ellipsis")
    for count, word, colour in words:
        line.append(f"{format_count(count)} {word}", colour if count else "dim")
        line.append("   ")
    line.rstrip()
    return line


def framed(reading: Reading, *pieces: RenderableType) -> Panel:
    """The pieces one above the other in a panel that bears the stages' names."""
    names = Text(" → ".join(stage.name for stage in reading.stages), overflow="ellipsis", no_wrap=True)
    return Panel(Group(*pieces), title=names, title_align="left", border_style="dim", padding=(0, 1))


def stage_table(stages: Sequence[StageReading]) -> Table:
    """A row for each stage: bar, amounts, queue, workers, failures, rate."""
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Stage", no_wrap=True, max_width=24)
    table.add_column("Progress", ratio=1, min_width=6)
    for title in ("Done", "Queued", "Busy", "Failed", "Retried", "Rate"):
        table.add_column(title, justify="right", no_wrap=True)
    for stage in stages:
        table.add_row(
            Text(stage.name),
            Bar(stage.done, stage.failed, stage.total),
            format_count(stage.done),
            format_count(stage.queued),
            _busy(stage),
            _count(stage.failed, "red"),
            _count(stage.retried, "yellow"),
            format_rate(stage.rate),
        )
    return table


def worker_table(snapshot: DashboardSnapshot, shown: int) -> Table:
    """What the workers do; where not all fit, the busy ones that have had their item the longest."""
    workers = list(snapshot.worker_states.values())
    listed = workers if len(workers) <= shown else sorted(workers, key=_longest_first)[:shown]
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Worker", no_wrap=True, max_width=28)
    table.add_column("Item", no_wrap=True, ratio=1, overflow="ellipsis")
    table.add_column("Task", no_wrap=True, ratio=1, overflow="ellipsis")
    table.add_column("For", justify="right", no_wrap=True, min_width=10)
    for worker in listed:
        table.add_row(*_worker_row(worker, snapshot.timestamp))
    if len(listed) < len(workers):
        hidden = len(workers) - len(listed)
        busy = sum(worker.status == "busy" for worker in workers) - sum(w.status == "busy" for w in listed)
        table.add_row(Text(f"{plural(hidden, 'more worker')}, {format_count(busy)} busy", style="dim"))
    return table


def error_groups(summary: ErrorSummary) -> Text:
    """The failures by kind and by stage, in two lines."""
    if not summary.total_failed:
        return Text("No errors", style="dim")
    by_type = most_frequent(summary.errors_by_type, _TYPES_SHOWN)
    by_stage = most_frequent(summary.errors_by_stage, _TYPES_SHOWN)
    return Text(f"{by_type}\nin {by_stage}", style="red", overflow="ellipsis", no_wrap=True)


def _busy(stage: StageReading) -> Text:
    full = 0 < stage.workers <= stage.busy
    return Text(f"{stage.busy}/{stage.workers}", style="cyan" if full else "")


def _count(count: int, colour: str) -> Text:
    return Text(format_count(count), style=colour if count else "dim")


def _longest_first(worker: WorkerState) -> tuple[bool, float]:
    return worker.status != "busy", worker.processing_since or 0.0


def _worker_row(worker: WorkerState, now: float) -> tuple[Text, Text, Text, Text]:
    if worker.status != "busy":
        return Text(worker.worker_name, style="dim"), Text("idle", style="dim"), Text(), Text()
    held_s = max(0.0, now - (worker.processing_since or now))
    item, task = one_line(worker.current_item_id), one_line(worker.current_task or "")
    return Text(worker.worker_name), Text(item), Text(task, style="cyan"), Text(format_duration(held_s))
