"""The loop monitor: how late the loop is, and whose blocking call made it so."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from antflow_core import Pipeline, Stage
from antflow_core.resources import resource_path
from antflow_core.scripts import run_script
from antflow_gui.event_loop import BatchedEventLoop
from antflow_gui.loop_monitor import LoopHold, LoopMonitor, find_culprit

_PATIENCE_S = 30.0


@pytest.fixture
def loop(qapp: QApplication) -> Iterator[BatchedEventLoop]:
    loop = BatchedEventLoop(qapp)
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture
def monitor(loop: BatchedEventLoop) -> Iterator[LoopMonitor]:
    monitor = LoopMonitor(loop, interval_ms=10, threshold_s=0.05)
    monitor.start()
    yield monitor
    monitor.stop()


@pytest.fixture
def holds(monitor: LoopMonitor) -> list[LoopHold]:
    """What the monitor has told."""
    told: list[LoopHold] = []
    monitor.loop_held.connect(told.append)
    return told


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


def seen(monitor: LoopMonitor) -> bool:
    """Whether the watchdog has noticed the hold that is going on."""
    watchdog = monitor._watchdog
    return watchdog is not None and watchdog._sighting is not None


# --- who held it


def test_a_blocking_task_is_named_with_its_stage_and_item(
    loop: BatchedEventLoop, monitor: LoopMonitor, holds: list[LoopHold]
) -> None:
    async def fetch(row: str) -> str:
        while row == "slow" and not seen(monitor):
            time.sleep(0.001)  # noqa: ASYNC251 - the mistake that is to be found
        return row

    async def main() -> None:
        pipeline = Pipeline([Stage("Fetch", 1, [fetch]), Stage("Save", 1, [_save])])
        await pipeline.run([{"id": "row 1", "value": "fast"}, {"id": "row 2", "value": "slow"}])
        await until(lambda: holds)

    loop.run_until_complete(main())
    (hold,) = holds
    assert (hold.function, hold.stage, hold.item) == ("fetch", "Fetch", "row 2")
    assert hold.place == "fetch() of Fetch"
    assert hold.filename == __file__
    assert hold.duration_s >= 0.05


async def _save(row: object) -> object:
    return row


def test_a_helper_of_the_script_is_named_rather_than_the_task_or_a_library(
    loop: BatchedEventLoop, monitor: LoopMonitor, holds: list[LoopHold]
) -> None:
    def parse_badly() -> None:
        with contextlib.suppress(TimeoutError):
            threading.Event().wait(0.001)

    async def task() -> None:
        while not seen(monitor):
            parse_badly()
        await until(lambda: holds)

    loop.run_until_complete(task())
    assert holds[0].function in {"parse_badly", "task", "seen"}
    assert holds[0].filename == __file__
    assert holds[0].stage is None
    assert holds[0].item is None


def test_a_script_that_blocks_at_its_top_is_named_by_its_file(
    loop: BatchedEventLoop, holds: list[LoopHold], tmp_path: Path
) -> None:
    script = tmp_path / "orders.py"
    script.write_text("import time\ntime.sleep(0.3)\nasync def main(): pass\n", encoding="utf-8")

    async def main() -> None:
        await run_script(script)
        await until(lambda: holds)

    loop.run_until_complete(main())
    assert holds[0].place == "orders.py, line 2"


def test_a_callback_written_in_c_is_told_too(loop: BatchedEventLoop, holds: list[LoopHold]) -> None:
    async def main() -> None:
        loop.call_soon(time.sleep, 0.3)
        await until(lambda: holds)

    loop.run_until_complete(main())
    assert holds[0].duration_s >= 0.3
    assert holds[0].place == "sleep()"


def test_every_hold_is_told_once(loop: BatchedEventLoop, monitor: LoopMonitor, holds: list[LoopHold]) -> None:
    def block() -> None:
        while not seen(monitor):
            time.sleep(0.001)

    def told(number: int) -> bool:
        return len(holds) >= number

    async def main() -> None:
        for number in range(1, 4):
            loop.call_soon(block)
            await until(partial(told, number))
        await asyncio.sleep(0.1)

    loop.run_until_complete(main())
    assert [hold.function for hold in holds].count("block") == len(holds) == 3


def test_a_callback_with_a_nested_qt_loop_holds_nothing(
    loop: BatchedEventLoop, holds: list[LoopHold]
) -> None:
    """A dialog that a callback opened: the window paints all the time."""

    def open_dialog() -> None:
        nested = QEventLoop()
        QTimer.singleShot(300, nested.quit)
        nested.exec()
        closed.append(True)

    async def main() -> None:
        loop.call_soon(open_dialog)
        await until(lambda: closed)
        await asyncio.sleep(0.05)

    closed: list[bool] = []
    loop.run_until_complete(main())
    assert holds == []


def test_many_short_callbacks_hold_nothing(loop: BatchedEventLoop, holds: list[LoopHold]) -> None:
    async def main() -> None:
        end = loop.time() + 0.3
        while loop.time() < end:
            await asyncio.sleep(0)

    loop.run_until_complete(main())
    assert holds == []


def test_the_bundled_examples_count_as_scripts(loop: BatchedEventLoop) -> None:
    """An installed app has them in site-packages, where libraries are."""
    frames = run_as(loop, str(resource_path("examples") / "shop.py"))
    culprit = find_culprit(*frames)
    assert culprit is not None
    assert culprit.function == "blocking"


def test_a_library_without_a_script_is_named_by_its_outermost_function(loop: BatchedEventLoop) -> None:
    culprit = find_culprit(*run_as(loop, "/opt/venv/lib/python3.11/site-packages/requests/api.py"))
    assert culprit is not None
    assert culprit.function == "outer"


def run_as(loop: BatchedEventLoop, filename: str) -> tuple[FrameType, asyncio.Handle]:
    """A frame of code that was compiled as that file, as a callback of the loop."""
    source = "def outer(look): blocking(look)\ndef blocking(look): look()\n"
    names: dict[str, Any] = {"__name__": "shop"}
    exec(compile(source, filename, "exec"), names)
    found: list[tuple[FrameType, asyncio.Handle]] = []

    def look() -> None:
        import inspect

        frame = inspect.currentframe()
        assert frame is not None and frame.f_back is not None and loop.running_handle is not None
        found.append((frame.f_back, loop.running_handle))

    loop.call_soon(names["outer"], look)
    loop.call_soon(loop.stop)
    loop.run_forever()
    return found[0]


# --- lateness


def test_a_blocked_loop_shows_in_the_lateness(loop: BatchedEventLoop, monitor: LoopMonitor) -> None:
    async def main() -> None:
        await until(lambda: monitor._lateness_ms)
        time.sleep(0.1)  # noqa: ASYNC251 - the lateness that is to be measured
        await until(lambda: monitor.max_ms >= 80)

    loop.run_until_complete(main())
    assert monitor.p99_ms <= monitor.max_ms


def test_the_lateness_is_zero_before_the_first_beat(loop: BatchedEventLoop) -> None:
    monitor = LoopMonitor(loop)
    assert (monitor.p99_ms, monitor.max_ms) == (0.0, 0.0)


def test_one_late_beat_in_two_hundred_is_no_p99(loop: BatchedEventLoop) -> None:
    monitor = LoopMonitor(loop, interval_ms=50)
    monitor._lateness_ms.extend([1.0] * 199 + [500.0])
    assert monitor.p99_ms == 1.0
    monitor._lateness_ms.extend([400.0] * 2)
    assert monitor.p99_ms == 400.0


def test_old_beats_are_forgotten(loop: BatchedEventLoop) -> None:
    monitor = LoopMonitor(loop, interval_ms=50)
    monitor._lateness_ms.extend([500.0] + [1.0] * 200)
    assert monitor.max_ms == 1.0


# --- start and stop


def test_starting_and_stopping_twice_is_the_same_as_once(loop: BatchedEventLoop) -> None:
    before = threading.active_count()
    monitor = LoopMonitor(loop, interval_ms=10)
    monitor.start()
    monitor.start()
    assert threading.active_count() == before + 1
    monitor.stop()
    monitor.stop()
    assert threading.active_count() == before


def test_a_stopped_monitor_can_start_again(loop: BatchedEventLoop) -> None:
    monitor = LoopMonitor(loop, interval_ms=10)
    monitor.start()
    monitor.stop()
    monitor.start()
    loop.run_until_complete(until(lambda: monitor._lateness_ms))
    monitor.stop()
