"""What the terminal dashboards show, on a terminal and where none is."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from rich.text import Text

from antflow_core import Pipeline, Stage
from antflow_core.display import (
    BaseDashboard,
    CompactDashboard,
    DetailedDashboard,
    FullDashboard,
    ProgressDisplay,
    create_display,
)
from antflow_core.display.meter import Meter
from antflow_core.display.parts import Bar
from antflow_core.types import (
    DashboardProtocol,
    DashboardSnapshot,
    ErrorSummary,
    FailedItem,
    PipelineResult,
    PipelineStats,
    StageStats,
    WorkerMetrics,
    WorkerState,
)
from tests.support.gates import Gate, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from antflow_core.display.choice import DisplayKind
    from antflow_core.display.terminal import TerminalDashboard

ROOT = Path(__file__).parents[2]
KINDS: tuple[DisplayKind, ...] = ("progress", "compact", "detailed", "full")
PIPELINE: Any = None  # the displays look at snapshots only
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Screen:
    """A terminal of 100 × 40 cells, or a pipe."""

    def __init__(self, *, terminal: bool = True, height: int = 40) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file,
            force_terminal=terminal,
            width=100,
            height=height,
            color_system=None,
            legacy_windows=False,
        )

    @property
    def raw(self) -> str:
        return self.file.getvalue()

    @property
    def text(self) -> str:
        """What was written, without the control codes."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def summary(failed: int = 0) -> ErrorSummary:
    items = [
        FailedItem(f"item-{number}", f"bad [value] {number}", "ValueError", "Parse", 1, 1000.0)
        for number in range(failed)
    ]
    counts = (failed, {"ValueError": failed}, {"Parse": failed}) if failed else (0, {}, {})
    return ErrorSummary(*counts, items)


def snapshot(
    done: int = 0,
    total: int | None = 200,
    failed: int = 0,
    at: float = 1000.0,
    item: object = "item-7",
    workers: int = 2,
    *,
    paused: bool = False,
) -> DashboardSnapshot:
    """Two stages, Read and Parse; `done` items came through both, `failed` failed in Parse."""
    stages = {
        "Read": StageStats("Read", 3, 1, done + failed, 0),
        "Parse": StageStats("Parse", 5, 2, done, failed, skipped_items=0, retried=4),
    }
    states = {f"Read-W{n}": WorkerState(f"Read-W{n}", "Read", "idle") for n in range(workers)}
    for n in range(workers):
        states[f"Parse-W{n}"] = WorkerState(f"Parse-W{n}", "Parse", "busy", item, "parse it", at - 1.5 - n)
    metrics = {name: WorkerMetrics(name, state.stage) for name, state in states.items()}
    stats = PipelineStats(done, failed, 11, {"Read": 3, "Parse": 5}, stages, total)
    return DashboardSnapshot(states, metrics, stats, summary(failed), at, paused)


def display(kind: DisplayKind, screen: Screen, clock: Callable[[], float]) -> TerminalDashboard:
    match kind:
        case "progress":
            return ProgressDisplay(None, console=screen.console, clock=clock)
        case "compact":
            return CompactDashboard(console=screen.console, clock=clock)
        case "detailed":
            return DetailedDashboard(console=screen.console, clock=clock)
        case "full":
            return FullDashboard(console=screen.console, clock=clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


# --- what scripts rely on


@pytest.mark.parametrize(
    ("kind", "expected"),
    list(zip(KINDS, (ProgressDisplay, CompactDashboard, DetailedDashboard, FullDashboard), strict=True)),
)
def test_a_name_stands_for_a_display_that_fulfils_the_protocol(
    kind: DisplayKind, expected: type[TerminalDashboard]
) -> None:
    made = create_display(kind, 12)
    assert isinstance(made, expected)
    assert isinstance(made, DashboardProtocol)
    assert made.total == 12
    assert made.start_time is None


def test_an_unknown_name_is_refused_with_the_three_that_there_are() -> None:
    unknown: Any = "huge"
    with pytest.raises(ValueError, match=r"'huge'.*'compact', 'detailed' and 'full'"):
        create_display(unknown, 1)


def test_attributes_have_the_documented_defaults() -> None:
    assert CompactDashboard().refresh_rate == 4.0
    assert DetailedDashboard(refresh_rate=2.0).refresh_rate == 2.0
    assert FullDashboard().max_items_shown == 20
    assert FullDashboard(8.0, 5).max_items_shown == 5
    assert ProgressDisplay(10).width == 30


def test_the_console_may_be_used_and_replaced_as_in_antflow(capsys: pytest.CaptureFixture[str]) -> None:
    class Polite(CompactDashboard):
        def on_finish(self, results: list[PipelineResult], summary: ErrorSummary) -> None:
            super().on_finish(results, summary)
            self.console.print("Goodbye")

    screen, polite = Screen(terminal=False), Polite()
    polite.on_start(PIPELINE, 1)
    polite.on_finish([], summary())
    assert capsys.readouterr().out.endswith("Goodbye\n")
    polite.console = screen.console
    polite.on_start(PIPELINE, 1)
    polite.on_update(snapshot(done=1, total=1))
    polite.on_finish([], summary())
    assert "1 of 1 items" in screen.text
    assert screen.text.endswith("Goodbye\n")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("rate", [0, -1.0, float("nan")])
def test_a_refresh_rate_of_nothing_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="refresh_rate"):
        CompactDashboard(refresh_rate=rate)


def test_a_dashboard_of_ones_own_needs_only_render() -> None:
    seen: list[DashboardSnapshot] = []

    class Mine(BaseDashboard):
        def __init__(self) -> None:
            """Without the base's, as scripts have it."""

        def render(self, snapshot: DashboardSnapshot) -> None:
            seen.append(snapshot)

    mine = Mine()
    assert (mine.total, mine.start_time) == (None, None)
    mine.on_start(PIPELINE, 4)
    first = snapshot()
    mine.on_update(first)
    mine.on_finish([], summary())
    assert seen == [first]
    assert mine.total == 4
    assert mine.start_time is not None


def test_the_base_cannot_be_made_without_render() -> None:
    with pytest.raises(TypeError, match="render"):
        BaseDashboard()  # type: ignore[abstract]


def test_importing_the_core_loads_no_rich() -> None:
    code = "import sys, antflow_core; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- where no terminal is


@pytest.mark.parametrize("kind", KINDS)
def test_plain_lines_name_stages_counts_and_total(kind: DisplayKind, clock: Clock) -> None:
    pipe = Screen(terminal=False)
    shown = display(kind, pipe, clock)
    shown.on_start(PIPELINE, 200)
    shown.on_update(snapshot())
    clock.now += 2
    shown.on_update(snapshot(done=90, failed=10))
    clock.now += 2
    shown.on_update(snapshot(done=190, failed=10))
    shown.on_finish([], summary(10))
    assert pipe.lines == [
        "2 stages: Read, Parse; 200 items",
        "50 %, 100 of 200 items, 10 failed, 50.0/s, 2 s left; Read 100, Parse 100",
        "100 %, 200 of 200 items, 10 failed, 50.0/s; Read 200, Parse 200",
        "Completed 190 of 200, failed 10, skipped 0 in 4.0 s",
        "      10  ValueError in Parse, first item-0: bad [value] 0",
    ]
    assert "\x1b" not in pipe.raw


def test_plain_lines_are_no_flood(clock: Clock) -> None:
    pipe = Screen(terminal=False)
    shown = display("compact", pipe, clock)
    shown.on_start(PIPELINE, 100_000)
    for done in range(0, 100_001, 100):
        clock.now += 0.001
        shown.on_update(snapshot(done=done, total=100_000))
    shown.on_finish([], summary())
    assert len(pipe.lines) == 1 + 10 + 1


def test_a_slow_run_says_every_few_seconds_that_it_lives_and_more_seldom_as_hours_pass(clock: Clock) -> None:
    pipe = Screen(terminal=False)
    shown = display("compact", pipe, clock)
    shown.on_start(PIPELINE, 1_000_000)
    shown.on_update(snapshot(total=1_000_000))
    for _ in range(30):
        clock.now += 1
        shown.on_update(snapshot(done=1, total=1_000_000))
    first_half_minute = len(pipe.lines)
    for _ in range(8 * 3600):
        clock.now += 1
        shown.on_update(snapshot(done=2, total=1_000_000))
    assert first_half_minute == 1 + 6
    assert len(pipe.lines) < 200


def test_plain_lines_tell_at_once_of_a_pause_and_of_its_end(clock: Clock) -> None:
    pipe = Screen(terminal=False)
    shown = display("compact", pipe, clock)
    shown.on_start(PIPELINE, 200)
    for done, paused in ((0, False), (2, True), (3, True), (3, False), (4, False)):
        shown.on_update(snapshot(done=done, paused=paused))
        clock.now += 0.5
    shown.on_finish([], summary())
    assert pipe.lines[1:4] == [
        "1 %, 2 of 200 items, paused; Read 2, Parse 2",
        "1 %, 3 of 200 items, 2.0/s, 1 min 38 s left; Read 3, Parse 3",
        "2 %, 4 of 200 items, 2.0/s, 1 min 38 s left; Read 4, Parse 4",
    ]
    assert len(pipe.lines) == 5


def test_plain_lines_tell_of_a_run_that_begins_paused(clock: Clock) -> None:
    pipe = Screen(terminal=False)
    shown = display("progress", pipe, clock)
    shown.on_start(PIPELINE, 200)
    shown.on_update(snapshot(paused=True))
    assert pipe.lines[1:] == ["0 %, 0 of 200 items, paused; Read 0, Parse 0"]


async def test_a_dashboard_shows_a_pause_of_the_pipeline_that_it_is_given(clock: Clock) -> None:
    gate, pipe = Gate(), Screen(terminal=False)
    pipeline = Pipeline([Stage("Read", 1, [gate])])
    shown = display("compact", pipe, clock)
    running = asyncio.create_task(
        pipeline.run(range(3), custom_dashboard=shown, dashboard_update_interval=0.01)
    )
    await gate.wait_begun(1)
    pipeline.pause()
    gate.open()
    await until(lambda: "1 of 3 items, paused" in pipe.text)
    pipeline.resume()
    await running
    assert pipe.lines[-1].startswith("Completed 3 of 3")


def test_plain_lines_count_where_the_total_is_not_known(clock: Clock) -> None:
    pipe = Screen(terminal=False)
    shown = display("detailed", pipe, clock)
    shown.on_start(PIPELINE, 0)
    shown.on_update(snapshot(total=None))
    clock.now += 10
    shown.on_update(snapshot(done=1500, total=None))
    shown.on_finish([], summary())
    assert pipe.lines == [
        "2 stages: Read, Parse; number of items not known",
        "1,500 items, 150/s; Read 1,500, Parse 1,500",
        "Completed 1,500, failed 0, skipped 0 in 10.0 s",
    ]


def test_an_empty_run_is_complete(clock: Clock) -> None:
    pipe = Screen(terminal=False)
    shown = display("progress", pipe, clock)
    shown.on_start(PIPELINE, 0)
    shown.on_update(snapshot(total=0))
    shown.on_finish([], summary())
    assert pipe.lines == [
        "2 stages: Read, Parse; 0 items",
        "100 %, 0 of 0 items; Read 0, Parse 0",
        "Completed 0 of 0, failed 0, skipped 0 in 0 µs",
    ]


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_finishing_without_any_update_still_tells_the_outcome(
    kind: DisplayKind, terminal: bool, clock: Clock
) -> None:
    screen = Screen(terminal=terminal)
    shown = display(kind, screen, clock)
    shown.on_start(PIPELINE, 2)
    clock.now += 1
    shown.on_finish([PipelineResult(0, "a", 0)], summary(1))
    assert "Completed 1 of 2, failed 1, skipped 0 in 1.0 s" in screen.text
    assert "ValueError in Parse, item-0: bad [value] 0" in screen.text


def test_output_that_cannot_write_a_character_gets_another(clock: Clock) -> None:
    raw = io.BytesIO()
    console = Console(
        file=io.TextIOWrapper(raw, encoding="ascii", newline="\n", write_through=True), width=100
    )
    shown = CompactDashboard(console=console, clock=clock)
    shown.on_start(PIPELINE, 1)
    failed = FailedItem("été", "naïve", "ValueError", "Parse", 1, 1000.0)
    shown.on_finish([], ErrorSummary(1, {"ValueError": 1}, {"Parse": 1}, [failed]))
    assert b"?t?: na?ve" in raw.getvalue()


def test_one_odd_item_cannot_break_the_lines(clock: Clock) -> None:
    pipe = Screen(terminal=False)
    shown = display("compact", pipe, clock)
    shown.on_start(PIPELINE, 1)
    failed = FailedItem("a\nb\x1b[2J", "first\nsecond\t[bold]" + "x" * 500, "ValueError", "Parse", 1, 1000.0)
    shown.on_finish([], ErrorSummary(1, {"ValueError": 1}, {"Parse": 1}, [failed]))
    assert "\x1b" not in pipe.raw
    assert len(pipe.lines) == 2
    assert "a b [2J: first second [bold]xxx" in pipe.lines[1]
    assert pipe.lines[1].endswith("…")


# --- on a terminal


@pytest.mark.parametrize("kind", KINDS)
def test_a_terminal_shows_share_amounts_and_rate(kind: DisplayKind, clock: Clock) -> None:
    screen = Screen()
    shown = display(kind, screen, clock)
    shown.on_start(PIPELINE, 200)
    clock.now += 2
    shown.on_update(snapshot(done=90, failed=10))
    assert "50 %" in screen.text
    assert "100 of 200" in screen.text
    assert "50.0/s" in screen.text
    assert "2 s left" in screen.text
    assert "10 failed" in screen.text
    shown.on_finish([], summary(10))


@pytest.mark.parametrize("kind", KINDS)
def test_a_terminal_shows_that_the_run_is_paused_in_place_of_its_pace(
    kind: DisplayKind, clock: Clock
) -> None:
    screen = Screen()
    shown = display(kind, screen, clock)
    shown.on_start(PIPELINE, 200)
    clock.now += 2
    shown.on_update(snapshot(done=90, failed=10, paused=True))
    assert "paused" in screen.text
    assert "100 of 200" in screen.text
    assert "50.0/s" not in screen.text.partition("Stage")[0]
    assert "left" not in screen.text
    shown.on_update(snapshot(done=91, failed=10))
    assert screen.text.count("paused") == 1
    shown.on_finish([], summary(10))


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_total_gives_counts_and_no_percentage(kind: DisplayKind, clock: Clock) -> None:
    screen = Screen()
    shown = display(kind, screen, clock)
    shown.on_start(PIPELINE, 0)
    clock.now += 2
    shown.on_update(snapshot(done=1234, total=None))
    shown.on_finish([], summary())
    assert "1,234 items" in screen.text
    assert "%" not in screen.text
    assert "left" not in screen.text


def test_a_total_that_becomes_known_is_taken_from_the_snapshot(clock: Clock) -> None:
    screen = Screen()
    shown = display("compact", screen, clock)
    shown.on_start(PIPELINE, 0)
    shown.on_update(snapshot(done=1, total=None))
    assert shown.total is None or shown.total == 0
    clock.now += 1
    shown.on_update(snapshot(done=50, total=100))
    assert shown.total == 100
    assert "50 of 100" in screen.text
    shown.on_finish([], summary())


@pytest.mark.parametrize("kind", KINDS)
async def test_who_feeds_bit_by_bit_and_informs_the_display_himself_tells_the_total(
    kind: DisplayKind, clock: Clock
) -> None:
    async def same(value: int) -> int:
        return value

    screen = Screen(terminal=False)
    shown, pipeline = display(kind, screen, clock), Pipeline([Stage("Parse", 1, [same])])
    async with pipeline:
        shown.on_start(pipeline, 4)
        shown.on_update(pipeline.get_dashboard_snapshot())
        for items in ([1, 2], [3, 4, 5]):
            await pipeline.feed(items)
            await pipeline.join()
            shown.on_update(pipeline.get_dashboard_snapshot())
    shown.on_finish(pipeline.results, pipeline.get_error_summary())
    assert "1 stage: Parse; 4 items" in screen.text
    assert "50 %, 2 of 4 items" in screen.text
    assert "Completed 5 of 5" in screen.text


def test_detailed_has_a_row_for_each_stage(clock: Clock) -> None:
    screen = Screen()
    shown = display("detailed", screen, clock)
    shown.on_start(PIPELINE, 200)
    clock.now += 2
    shown.on_update(snapshot(done=90, failed=10))
    row = next(line for line in screen.lines if "│ Parse" in line)
    # done, queued, busy of all, failed, retried, rate
    assert row.strip("│ ").split()[-6:] == ["100", "5", "2/2", "10", "4", "50.0/s"]
    shown.on_finish([], summary(10))


def test_full_shows_the_workers_what_they_do_and_the_errors(clock: Clock) -> None:
    screen = Screen()
    shown = display("full", screen, clock)
    shown.on_start(PIPELINE, 200)
    shown.on_update(snapshot(done=90, failed=10, item="orders/[7]\x1b[2J"))
    row = next(line for line in screen.lines if "Parse-W0" in line)
    assert "orders/[7] [2J" in row
    assert "parse it" in row
    assert "1.5 s" in row
    assert "ValueError 10" in screen.text
    assert "in Parse 10" in screen.text
    shown.on_finish([], summary(10))


def test_full_shows_no_more_workers_than_asked_and_the_longest_busy_first(clock: Clock) -> None:
    screen = Screen()
    shown = FullDashboard(max_items_shown=3, console=screen.console, clock=clock)
    shown.on_start(PIPELINE, 200)
    shown.on_update(snapshot(workers=50))
    listed = re.findall(r"(?:Read|Parse)-W\d+", screen.text)
    assert listed == ["Parse-W49", "Parse-W48", "Parse-W47"]
    assert "97 more workers, 47 busy" in screen.text
    shown.on_finish([], summary())


def test_full_fits_the_terminal_it_has(clock: Clock) -> None:
    screen = Screen(height=24)
    shown = display("full", screen, clock)
    shown.on_start(PIPELINE, 200)
    shown.on_update(snapshot(workers=50, failed=1))
    assert len(screen.lines) <= 24
    assert "ValueError 1" in screen.text
    shown.on_finish([], summary())


def test_redraws_are_no_more_than_the_refresh_rate(clock: Clock) -> None:
    frames: list[int] = []

    class Counting(CompactDashboard):
        def frame(self, reading: Any) -> Any:
            frames.append(reading.done)
            return super().frame(reading)

    shown = Counting(refresh_rate=4.0, console=Screen().console, clock=clock)
    shown.on_start(PIPELINE, 200)
    for done in range(100):
        shown.on_update(snapshot(done=done))
        clock.now += 0.01
    assert frames == [0, 25, 50, 75]
    shown.on_update(snapshot(done=100, total=200))
    shown.on_finish([], summary())
    assert frames[-1] == 100


@pytest.mark.parametrize("kind", KINDS)
def test_the_cursor_and_the_streams_come_back_at_the_end(kind: DisplayKind, clock: Clock) -> None:
    before = sys.stdout, sys.stderr
    screen = Screen()
    shown = display(kind, screen, clock)
    shown.on_start(PIPELINE, 200)
    shown.on_update(snapshot())
    assert HIDE_CURSOR in screen.raw
    shown.on_finish([], summary())
    assert screen.raw.rindex(SHOW_CURSOR) > screen.raw.rindex(HIDE_CURSOR)
    assert (sys.stdout, sys.stderr) == before


def test_the_same_dashboard_can_show_one_run_after_another(clock: Clock) -> None:
    screen = Screen()
    shown = display("detailed", screen, clock)
    for total in (200, 300):
        shown.on_start(PIPELINE, total)
        shown.on_update(snapshot(done=total, total=total))
        shown.on_finish([], summary())
    assert screen.text.count("Completed 200 of 200") == 1
    assert screen.text.count("Completed 300 of 300") == 1
    assert screen.raw.count(HIDE_CURSOR) == screen.raw.count(SHOW_CURSOR) == 2


def test_a_start_after_a_run_that_never_finished_gives_the_terminal_back_first(clock: Clock) -> None:
    screen = Screen()
    shown = display("compact", screen, clock)
    shown.on_start(PIPELINE, 200)
    shown.on_update(snapshot())
    shown.on_start(PIPELINE, 200)
    shown.on_finish([], summary())
    assert screen.raw.count(HIDE_CURSOR) == screen.raw.count(SHOW_CURSOR) == 2


def test_a_dashboard_that_is_forgotten_gives_the_terminal_back(clock: Clock) -> None:
    before = sys.stdout, sys.stderr
    screen = Screen()
    shown = display("compact", screen, clock)
    shown.on_start(PIPELINE, 200)
    shown.on_update(snapshot())
    del shown
    gc.collect()
    assert screen.raw.rindex(SHOW_CURSOR) > screen.raw.rindex(HIDE_CURSOR)
    assert (sys.stdout, sys.stderr) == before


def test_a_frame_that_cannot_be_drawn_still_gives_the_terminal_back(clock: Clock) -> None:
    class Broken(CompactDashboard):
        def frame(self, reading: Any) -> Any:
            raise RuntimeError("no picture")

    screen = Screen()
    shown = Broken(console=screen.console, clock=clock)
    shown.on_start(PIPELINE, 200)
    with pytest.raises(RuntimeError, match="no picture"):
        shown.on_update(snapshot())
    with pytest.raises(RuntimeError, match="no picture"):
        shown.on_finish([], summary())
    assert screen.raw.rindex(SHOW_CURSOR) > screen.raw.rindex(HIDE_CURSOR)


def test_what_is_printed_meanwhile_stands_above_the_dashboard(clock: Clock) -> None:
    screen = Screen()
    shown = display("compact", screen, clock)
    shown.on_start(PIPELINE, 200)
    shown.on_update(snapshot())
    print("hello from a task")  # noqa: T201 - as tasks do
    shown.on_finish([], summary())
    assert "hello from a task" in screen.lines


TWO_AT_ONCE = """
import asyncio
from antflow_core import Pipeline, Stage

async def task(number):
    await asyncio.sleep(0)
    print(f"task {number} speaks")
    if number == 3:
        raise ValueError("no threes")

async def numbers():
    for number in range(5):
        yield number

def shown(name, **how):
    return Pipeline([Stage(name, 2, [task], task_attempts=1)]).run(numbers(), **how)

async def main():
    await shown("First", progress=True)
    await shown("Second", dashboard="full")
    await asyncio.gather(shown("Third", dashboard="compact"), shown("Fourth", dashboard="detailed"))
    waiting = asyncio.create_task(shown("Fifth", dashboard="compact"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    print("the end")

asyncio.run(main())
"""


def test_on_a_real_terminal_every_run_leaves_it_as_it_was(tmp_path: Path) -> None:
    output = on_a_terminal([sys.executable, "-c", TWO_AT_ONCE], tmp_path)
    assert output.count("Completed 4 of 5, failed 1") == 4
    assert output.count("task 2 speaks") >= 4
    assert "1 stage: Fourth; number of items not known" in output  # plain lines: the terminal is taken
    assert output.count(HIDE_CURSOR) == output.count(SHOW_CURSOR) >= 3
    assert output.rstrip().endswith("the end")


def on_a_terminal(command: list[str], folder: Path) -> str:
    """What a process writes to a terminal of its own."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "PYTHONUTF8": "1"}
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
    finally:
        os.close(theirs)
    written = b""
    with process, contextlib.suppress(OSError):  # Linux reports the end of a terminal as an error
        while part := os.read(ours, 65536):
            written += part
    os.close(ours)
    assert process.returncode == 0, written.decode()
    return written.decode()


# --- figures


def test_a_rate_follows_the_last_seconds_not_the_whole_run() -> None:
    meter = Meter()
    for second in range(1, 11):
        meter.read(snapshot(done=10 * second, total=10_000), float(second), None)
    for second in range(11, 21):
        last = meter.read(snapshot(done=100 + 100 * (second - 10), total=10_000), float(second), None)
    assert last.rate == pytest.approx(100.0)
    assert last.remaining_s == pytest.approx((10_000 - 1_100) / 100)


def test_failures_upstream_do_not_count_against_a_later_stage() -> None:
    stages = {"Read": StageStats("Read", 0, 0, 90, 10), "Parse": StageStats("Parse", 0, 0, 90, 0)}
    stats = PipelineStats(90, 10, 0, {}, stages, 100)
    reading = Meter().read(DashboardSnapshot({}, {}, stats, summary(), 1000.0), 1.0, None)
    assert [(stage.done, stage.total) for stage in reading.stages] == [(100, 100), (90, 90)]


@pytest.mark.parametrize(
    ("bar", "cells"),
    [
        (Bar(0, 0, 10), (0, 0)),
        (Bar(5, 0, 10), (10, 0)),
        (Bar(1000, 1, 1000), (19, 1)),
        (Bar(999, 0, 1000), (19, 0)),
        (Bar(12, 0, 10), (20, 0)),
        (Bar(10, 10, 10), (0, 20)),
        (Bar(0, 0, 0), (20, 0)),
        (Bar(7, 1, None), (0, 0)),
    ],
)
def test_a_bar_is_full_only_at_the_end_and_shows_every_failure(bar: Bar, cells: tuple[int, int]) -> None:
    assert bar.cells(20) == cells


def test_a_bar_can_be_told_from_its_ground_without_colour() -> None:
    screen = Screen()
    screen.console.print(Bar(5, 0, 10, width=10), Text("|"))
    assert "━━━━━─────" in screen.text
