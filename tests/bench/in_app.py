"""The same pipeline inside the app, all panels in sight, beside `antflow-core run`, and how late its loop is.

The script takes the CPU time of its thread from its pipeline's start to its end: in the app that holds all
that the window costs meanwhile, and it says the same on a busy machine. A heartbeat every 10 ms tells how
late the app's loop is while the run lasts; that does depend on what else the machine does. What the views
cost at each tick is told for some other pipelines too, which ask more of them.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.child import in_child, run_process
from tests.bench.rounds import Spread, Table, at_least, at_most, interleave, read_options, stopwatch

if TYPE_CHECKING:
    from antflow_gui.command_line import Options
    from antflow_gui.context import AppContext
    from antflow_gui.windows.main_window import MainWindow

BEAT_MS = 10
_SETTLE_S = 0.5
_FIRST_TICKS = 2
"""Before a run shows its stages, and when it does."""
_TICK_MS = 20
"""Four times a second: a twelfth of the time, and nothing anybody sees."""
_OTHER_ROUNDS = 3

SCRIPT = """
import asyncio
import sys
import time
from pathlib import Path

from antflow import Pipeline, Stage


async def suspend_once(value):
    await asyncio.sleep(0)
    return value


async def fail_one_in_ten(value):
    await asyncio.sleep(0)
    if value % 10 == 9:
        raise ValueError(f"order {value} has no address")
    return value


async def main():
    answer, first = sys.argv[1:3]
    items, pipelines, stages, workers = map(int, sys.argv[3:])
    tasks = [globals()[first], *[suspend_once] * (stages - 1)]
    made = [
        Pipeline([Stage(f"Stage {at}", workers, [task], task_attempts=1) for at, task in enumerate(tasks)])
        for _ in range(pipelines)
    ]
    began = time.thread_time()
    await asyncio.gather(*(pipeline.run(range(items // pipelines)) for pipeline in made))
    Path(answer).write_text(str(time.thread_time() - began))
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the script is to run; items are shared between the pipelines."""

    items: int
    pipelines: int = 1
    stages: int = 3
    workers: int = 10
    first_task: str = "suspend_once"

    def arguments(self, answer: Path) -> list[str]:
        """The script's."""
        counts = (self.items, self.pipelines, self.stages, self.workers)
        return [str(answer), self.first_task, *map(str, counts)]


_OTHERS = {
    "one item in ten fails, each with a message of its own": Shape(60_000, first_task="fail_one_in_ten"),
    "50 stages × 20 workers": Shape(5_000, stages=50, workers=20),
    "8 pipelines of 4 stages × 10 workers at once": Shape(60_000, pipelines=8, stages=4),
}


@contextmanager
def a_home() -> Iterator[dict[str, str]]:
    """The environment of an app that meets no settings of its user's, and leaves none."""
    with tempfile.TemporaryDirectory() as home:
        folders = dict.fromkeys(
            ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"), home
        )
        yield {"QT_QPA_PLATFORM": "offscreen", **folders}


def headless(shape: Shape) -> float:
    """What the pipeline takes under the command, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        script, answer = _write_script(folder)
        run_process([sys.executable, "-m", "antflow_core", "run", str(script), *shape.arguments(answer)])
        return float(answer.read_text(encoding="utf-8"))


def in_app(shape: Shape, told: list[dict[str, float]]) -> float:
    """What the pipeline takes in the app, in seconds; adds what `run_app` told."""
    with tempfile.TemporaryDirectory() as folder, a_home() as env:
        script, answer = _write_script(folder)
        told.append(in_child(run_app, str(script), *shape.arguments(answer), env=env))
        return float(answer.read_text(encoding="utf-8"))


def _write_script(folder: str) -> tuple[Path, Path]:
    script = Path(folder, "suspend_once.py")
    script.write_text(SCRIPT, encoding="utf-8")
    return script, Path(folder, "answer.txt")


def run_app(script: str, *args: str) -> dict[str, float]:
    """Run a script in the real app, in this process, with all panels in sight.

    Returns:
        By how many milliseconds the heartbeat came too late: ``p99`` and ``max``; and how many the views took
        at a tick, painting included, once they were all there: ``tick``, CPU time.
    """
    from antflow_gui import app  # late, as in the app itself: the other process loads no Qt

    late_ms: list[float] = []
    ticks_ms: list[float] = []
    obey = app._obey

    async def obey_watched(
        window: MainWindow, context: AppContext, options: Options, closed: asyncio.Event
    ) -> int:
        window.open_script(Path(script), args)
        open_all_panels(window)
        await asyncio.sleep(_SETTLE_S)  # no run starts before its window has been painted
        context.ticker.ticked.connect(partial(_choose_an_item, window, context))
        _time_ticks(window, context, ticks_ms)
        with _heartbeat(context, late_ms):
            return await obey(window, context, options, closed)

    app._obey = obey_watched
    code = app.main(["--exit-when-done", script, *args])
    assert code == 0, f"the app ended with {code}"
    late_ms.sort()
    return {
        "p99": late_ms[math.ceil(len(late_ms) * 0.99) - 1],
        "max": late_ms[-1],
        "tick": statistics.median(ticks_ms[_FIRST_TICKS:]),
    }


def open_all_panels(window: Any) -> None:
    """Bring the panels that share a place as tabs side by side."""
    from PySide6.QtCore import Qt

    panels = window.panels
    for shown, hidden in ((panels.events, panels.console), (panels.item, panels.errors)):
        window.removeDockWidget(hidden)
        window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, hidden)
        window.splitDockWidget(shown, hidden, Qt.Orientation.Vertical)
        hidden.show()
    for panel in panels:
        assert not panel.isHidden() and not window.tabifiedDockWidgets(panel)


def _choose_an_item(window: Any, context: AppContext) -> None:
    """Let the panel of one item show the first, as soon as there is one."""
    history = context.controller.history
    if history is not None and history.item_count and not getattr(window, "bench_chose", False):
        window.bench_chose = True
        window._show_item(0)


def _time_ticks(window: MainWindow, context: AppContext, ticks_ms: list[float]) -> None:
    """Note what each refresh of the window takes, with what it leaves to be laid out and painted."""
    from PySide6.QtCore import QCoreApplication

    def refresh() -> None:
        with stopwatch(time.thread_time) as elapsed:
            window.refresh()
            QCoreApplication.sendPostedEvents()
        ticks_ms.append(elapsed() * 1000)

    context.ticker.ticked.disconnect(window.refresh)
    context.ticker.ticked.connect(refresh)


@contextmanager
def _heartbeat(context: AppContext, late_ms: list[float]) -> Iterator[None]:
    """Note how late each beat comes while the run lasts."""
    from PySide6.QtCore import Qt, QTimer

    # One shot, started anew at each beat: a repeating one makes up for lost time.
    timer = QTimer(singleShot=True, interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
    due = 0.0

    def start() -> None:
        nonlocal due
        due = time.perf_counter() + BEAT_MS / 1000
        timer.start()

    def beat() -> None:
        late_ms.append(max(0.0, (time.perf_counter() - due) * 1000))
        start()

    timer.timeout.connect(beat)
    context.controller.run_started.connect(start)
    context.controller.run_finished.connect(timer.stop)
    try:
        yield
    finally:
        timer.stop()


def main() -> None:
    """Measure, and show."""
    options = read_options(__doc__, rounds=(7, 3), items=(200_000, 60_000))
    table = Table("In the app: the same pipeline, all panels open, beside headless", options.markdown)
    told: list[dict[str, float]] = []
    shape = Shape(options.items)
    rounds = interleave(
        {"headless": partial(headless, shape), "in app": partial(in_app, shape, told)}, options.rounds
    )
    table.add("in the app, items/s beside headless", rounds.ratio("headless", "in app"), "×", at_least(0.8))
    for name, words, limit in (("p99", "1 in 100 later than", 33), ("max", "latest", 100)):
        spread = Spread.of([figures[name] for figures in told])
        table.add(f"meanwhile, a 10 ms heartbeat: {words}", spread, "ms", at_most(limit))
    for name in ("headless", "in app"):
        each = rounds.spread(name).times(1e6 / options.items / 3)
        table.add(f"{name}, an item and stage", each, "µs")
    ticks = Spread.of([figures["tick"] for figures in told])
    table.add("CPU time of a tick, painting included: 3 stages × 10 workers", ticks, "ms", at_most(_TICK_MS))
    for words, other in _OTHERS.items():
        told = []
        for _ in range(_OTHER_ROUNDS):
            in_app(other, told)
        ticks = Spread.of([figures["tick"] for figures in told])
        table.add(f"  {words}", ticks, "ms", at_most(_TICK_MS))


if __name__ == "__main__":
    main()
