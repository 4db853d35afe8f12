"""Measures how late the app's loop is, and finds out who held it while the window could not paint."""

from __future__ import annotations

import asyncio
import contextvars
import math
import sys
import sysconfig
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from antflow_core.context import worker_state_var
from antflow_core.resources import resource_path
from antflow_gui.event_loop import BatchedEventLoop

_WINDOW_S = 10.0
"""How far back the lateness looks."""

_SHORTEST_LOOK_S, _LONGEST_LOOK_S = 0.05, 1.0
"""How often the watchdog looks: at first, and at last where the loop stays held."""


_RUNNER = BatchedEventLoop._run_slice.__code__  # noqa: SLF001 - the two modules belong together
_TOP = "<module>"
_OURS = frozenset({"antflow_core", "antflow_gui"})
_PARTS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<lambda>"})
"""Frames that only a part of a function stands in; the function around them says more."""


@dataclass(frozen=True, slots=True)
class LoopHold:
    """One callback that kept the loop, and with it the window, from everything else.

    Attributes:
        function: The script's innermost function that was running, without its module.
        line: Where it stood.
        stage: The stage whose worker called it; None outside of a pipeline.
        item: The id of the worker's item, as text.
    """

    duration_s: float
    function: str
    filename: str
    line: int
    stage: str | None
    item: str | None

    @property
    def place(self) -> str:
        """For people: ``fetch() of Fetch``, or ``orders.py, line 2`` outside of any function."""
        if self.function == _TOP:
            return f"{Path(self.filename).name}, line {self.line}"
        return f"{self.function}() of {self.stage}" if self.stage else f"{self.function}()"


class LoopMonitor(QObject):
    """A heartbeat on the loop's thread, and a thread that looks at it when it fails to come.

    Args:
        loop: Made in the thread that makes the monitor.
        interval_ms: Between two beats.
        threshold_s: How long a callback may take before it counts as holding the loop.

    Signals:
        loop_held(LoopHold): A callback held the loop; it has ended, and the window paints again.
    """

    loop_held = Signal(object)

    def __init__(
        self,
        loop: BatchedEventLoop,
        *,
        interval_ms: int = 50,
        threshold_s: float = 0.25,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._loop = loop
        self._interval_ms = interval_ms
        self._threshold_s = threshold_s
        self._lateness_ms: deque[float] = deque(maxlen=max(1, round(_WINDOW_S * 1000 / interval_ms)))
        self._due = math.inf
        self._watchdog: _Watchdog | None = None
        # One shot, started anew at each beat: a repeating one makes up for lost time, which hides lateness.
        self._timer = QTimer(self, singleShot=True, interval=interval_ms, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    @property
    def p99_ms(self) -> float:
        """The lateness that one beat in a hundred exceeded lately."""
        ordered = sorted(self._lateness_ms)
        return ordered[math.ceil(len(ordered) * 0.99) - 1] if ordered else 0.0

    @property
    def max_ms(self) -> float:
        """The latest beat lately."""
        return max(self._lateness_ms, default=0.0)

    def start(self) -> None:
        """Begin to measure and to watch."""
        if self._watchdog is None:
            self._watchdog = _Watchdog(self._loop, threading.get_ident(), self._threshold_s)
            self._watchdog.start()
            self._await_beat()

    def stop(self) -> None:
        """End both; returns when the watchdog's thread has ended."""
        if self._watchdog is not None:
            self._timer.stop()
            self._watchdog.stop()
            self._watchdog = None

    def _await_beat(self) -> None:
        self._due = time.perf_counter() + self._interval_ms / 1000
        self._timer.start()

    @Slot()
    def _beat(self) -> None:
        now = time.perf_counter()
        self._lateness_ms.append(max(0.0, (now - self._due) * 1000))
        watchdog = self._watchdog
        if watchdog is None:
            return
        watchdog.last_beat = now
        self._await_beat()
        sighting = watchdog.take_sighting()
        if sighting is not None:
            self.loop_held.emit(sighting.hold(now - sighting.started))


@dataclass(frozen=True, slots=True)
class Culprit:
    """What was running when the watchdog looked."""

    function: str
    filename: str
    line: int
    stage: str | None
    item: str | None


@dataclass(slots=True)
class _Sighting:
    """What the watchdog saw during one hold: for how long each function, and where it stood first."""

    started: float
    seen: dict[tuple[str, str], tuple[float, Culprit]] = field(default_factory=dict)

    def add(self, culprit: Culprit, duration_s: float) -> None:
        key = (culprit.filename, culprit.function)
        before, first = self.seen.get(key, (0.0, culprit))
        self.seen[key] = (before + duration_s, first)

    def hold(self, duration_s: float) -> LoopHold:
        _, worst = max(self.seen.values(), key=lambda entry: entry[0])
        return LoopHold(duration_s, worst.function, worst.filename, worst.line, worst.stage, worst.item)


class _Watchdog(threading.Thread):
    """Looks at the loop's thread from outside, more seldom the longer a hold lasts.

    Attributes:
        last_beat: Written by the loop's thread; while beats come, a nested Qt loop keeps the window alive.
    """

    def __init__(self, loop: BatchedEventLoop, watched: int, threshold_s: float) -> None:
        super().__init__(name="antflow loop watchdog", daemon=True)
        self.last_beat = time.perf_counter()
        self._loop = loop
        self._watched = watched
        self._threshold_s = threshold_s
        self._pause_s = _SHORTEST_LOOK_S
        self._stopped = threading.Event()
        self._sighting: _Sighting | None = None
        self._told: float | None = None

    def run(self) -> None:
        while not self._stopped.wait(self._pause_s):
            self._pause_s = min(2 * self._pause_s, _LONGEST_LOOK_S) if self._look() else _SHORTEST_LOOK_S

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def take_sighting(self) -> _Sighting | None:
        """What was seen of a hold that is over now; for the loop's thread."""
        sighting, self._sighting = self._sighting, None
        if sighting is None or sighting.started == self._told:
            return None  # seen once more in the moment when it was told
        self._told = sighting.started
        return sighting

    def _look(self) -> bool:
        """Note who holds the loop; False where nobody does."""
        started = self._loop.slice_started
        if started is None or time.perf_counter() - max(started, self.last_beat) < self._threshold_s:
            return False
        handle, frame = self._loop.running_handle, sys._current_frames().get(self._watched)  # noqa: SLF001 - public
        culprit = None if frame is None or handle is None else find_culprit(frame, handle)
        if culprit is None or self._loop.slice_started != started:
            return False  # it ended meanwhile
        sighting = self._sighting
        if sighting is None or sighting.started != started:
            sighting = self._sighting = _Sighting(started)
        sighting.add(culprit, self._pause_s)
        return True


def find_culprit(innermost: FrameType, handle: asyncio.Handle) -> Culprit | None:
    """Who to name for a callback that takes long.

    Args:
        innermost: Where the loop's thread stands.
        handle: The callback's.

    Returns:
        The innermost function that is neither a library's nor ours; where all are, the outermost one of the
        callback that is not asyncio's. None where the thread is in no callback.
    """
    frames = _frames_of_callback(innermost)
    if not frames:
        return None
    own = [frame for frame in frames if _is_of_script(frame)]
    stage, item = _stage_and_item(handle)
    if not own and stage is None and any(_package(f) in _OURS for f in frames if f.f_code is not _RUNNER):
        return None  # our own work: no fault of the script's, and nothing its author could mend
    foreign = [frame for frame in frames if _package(frame) != "asyncio"] or frames
    frame = _named(own) if own else foreign[-1]
    name = frame.f_code.co_name if frame.f_code is not _RUNNER else _name_of_callback(handle)
    return Culprit(name, frame.f_code.co_filename, frame.f_lineno, stage, item)


def _frames_of_callback(innermost: FrameType) -> list[FrameType]:
    """The frames inside the loop's own, innermost first; empty where the loop is not among them.

    A callback written in C has none: then the loop's frame stands for it.
    """
    frames: list[FrameType] = []
    frame: FrameType | None = innermost
    while frame is not None:
        if frame.f_code is _RUNNER:
            return frames or [frame]
        frames.append(frame)
        frame = frame.f_back
    return []


def _named(frames: list[FrameType]) -> FrameType:
    return next((frame for frame in frames if frame.f_code.co_name not in _PARTS), frames[0])


def _name_of_callback(handle: asyncio.Handle) -> str:
    callback: object = handle._callback  # type: ignore[attr-defined]  # noqa: SLF001
    return getattr(callback, "__name__", None) or type(callback).__name__


def _stage_and_item(handle: asyncio.Handle) -> tuple[str | None, str | None]:
    """The stage and item of the worker whose callback it is; a worker leaves its state in its context."""
    context: contextvars.Context = handle._context  # type: ignore[attr-defined]  # noqa: SLF001
    worker = context.get(worker_state_var)
    if worker is None:
        return None, None
    item = worker.current_item_id
    return worker.stage, None if item is None else str(item)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_of_script(frame: FrameType) -> bool:
    filename = frame.f_code.co_filename
    if _package(frame) in _OURS or filename.startswith("<frozen "):
        return False
    if _is_below(filename, _examples()):
        return True  # in an installed app they are in site-packages
    folders = filename.replace("\\", "/").split("/")
    if "site-packages" in folders or "dist-packages" in folders:
        return False
    return not any(_is_below(filename, sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


def _examples() -> str:
    try:
        return str(resource_path("examples"))
    except FileNotFoundError:
        return ""


def _is_below(filename: str, folder: str) -> bool:
    return bool(folder) and Path(filename).is_relative_to(folder)
