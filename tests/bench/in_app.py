"""The same pipeline inside the app, all panels in sight, beside `antflow-core run`, and how late its loop is.

The script takes the CPU time of its thread from its pipeline's start to its end: in the app that holds all
that the window costs meanwhile, and it says the same on a busy machine. A heartbeat every 10 ms tells how
late the app's loop is while the run lasts; that does depend on what else the machine does.
"""

from __future__ import annotations

import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.child import in_child, run_process
from tests.bench.rounds import Spread, Table, at_least, at_most, interleave, read_options

if TYPE_CHECKING:
    from antflow_gui.command_line import Options
    from antflow_gui.context import AppContext
    from antflow_gui.windows.main_window import MainWindow

BEAT_MS = 10
_SETTLE_S = 0.5

SCRIPT = """
import asyncio
import sys
import time
from pathlib import Path

from antflow import Pipeline, Stage


async def suspend_once(value):
    await asyncio.sleep(0)
    return value


async def main():
    pipeline = Pipeline([Stage(f"Stage {index}", 10, [suspend_once]) for index in range(3)])
    began = time.thread_time()
    await pipeline.run(range(int(sys.argv[1])))
    Path(sys.argv[2]).write_text(str(time.thread_time() - began))
"""


@contextmanager
def a_home() -> Iterator[dict[str, str]]:
    """The environment of an app that meets no settings of its user's, and leaves none."""
    with tempfile.TemporaryDirectory() as home:
        folders = dict.fromkeys(
            ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"), home
        )
        yield {"QT_QPA_PLATFORM": "offscreen", **folders}


def headless(items: int) -> float:
    """What the pipeline takes under the command, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        script, answer = _write_script(folder)
        run_process([sys.executable, "-m", "antflow_core", "run", str(script), str(items), str(answer)])
        return float(answer.read_text(encoding="utf-8"))


def in_app(items: int, lateness_ms: list[dict[str, float]]) -> float:
    """What the pipeline takes in the app, in seconds; adds what the heartbeat told."""
    with tempfile.TemporaryDirectory() as folder, a_home() as env:
        script, answer = _write_script(folder)
        lateness_ms.append(in_child(run_app, str(script), str(items), str(answer), env=env))
        return float(answer.read_text(encoding="utf-8"))


def _write_script(folder: str) -> tuple[Path, Path]:
    script = Path(folder, "suspend_once.py")
    script.write_text(SCRIPT, encoding="utf-8")
    return script, Path(folder, "answer.txt")


def run_app(script: str, *args: str) -> dict[str, float]:
    """Run a script in the real app, in this process, with all panels in sight.

    Returns:
        By how many milliseconds the heartbeat came too late: ``p99`` and ``max``.
    """
    from antflow_gui import app  # late, as in the app itself: the other process loads no Qt

    late_ms: list[float] = []
    obey = app._obey

    async def obey_watched(
        window: MainWindow, context: AppContext, options: Options, closed: asyncio.Event
    ) -> int:
        window.open_script(Path(script), args)
        open_all_panels(window)
        await asyncio.sleep(_SETTLE_S)  # no run starts before its window has been painted
        context.ticker.ticked.connect(partial(_choose_an_item, window, context))
        with _heartbeat(context, late_ms):
            return await obey(window, context, options, closed)

    app._obey = obey_watched
    code = app.main(["--exit-when-done", script, *args])
    assert code == 0, f"the app ended with {code}"
    late_ms.sort()
    return {"p99": late_ms[math.ceil(len(late_ms) * 0.99) - 1], "max": late_ms[-1], "beats": len(late_ms)}


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
    late: list[dict[str, float]] = []
    rounds = interleave(
        {"headless": partial(headless, options.items), "in app": partial(in_app, options.items, late)},
        options.rounds,
    )
    table.add("in the app, items/s beside headless", rounds.ratio("headless", "in app"), "×", at_least(0.8))
    for name, words, limit in (("p99", "1 in 100 later than", 33), ("max", "latest", 100)):
        spread = Spread.of([figures[name] for figures in late])
        table.add(f"meanwhile, a 10 ms heartbeat: {words}", spread, "ms", at_most(limit))
    for name in ("headless", "in app"):
        each = rounds.spread(name).times(1e6 / options.items / 3)
        table.add(f"{name}, an item and stage", each, "µs")


if __name__ == "__main__":
    main()
