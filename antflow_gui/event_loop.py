"""asyncio on Qt's event loop: qasync's loop with a ready queue and a timer heap of its own.

qasync starts one Qt timer per callback. Here one zero timer drains a queue in short slices, and one more Qt
timer stands for the earliest of all delayed calls. Between two slices Qt handles what it has: input, sockets,
painting.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import logging
import math
import sys
import threading
import time
from asyncio import base_events, format_helpers
from collections.abc import Callable
from typing import Any, cast

import qasync
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimerEvent

from antflow_gui.vector_registers import release_vector_registers

logger = logging.getLogger("asyncio")

SLICE_S = 0.004
"""How long callbacks may run before Qt has its turn: a quarter of a frame at 60 Hz."""

_LONGEST_TIMER_S = 24 * 3600.0
"""A later deadline is looked at again then; a Qt timer counts its milliseconds in 32 bits."""

_MANY_CANCELLED = 100
"""So many cancelled timers are removed together, once they are half of all; asyncio's numbers."""


class BatchedEventLoop(qasync.QEventLoop):  # type: ignore[misc]  # qasync has no types
    """An asyncio event loop that runs inside ``QApplication.exec()``.

    Sockets, pipes and subprocesses are watched as qasync does it; executors and error handling are asyncio's.
    A nested Qt loop (a menu, a drag, a native dialog) goes on running callbacks, unless a callback opened it:
    no callback ever runs inside another, so then they wait until it has closed. ``QApplication.quit()`` ends
    `run_forever` too, with whatever is ready left for the next time.

    Args:
        app: The application; the loop runs in its thread. None for the one there is.

    Attributes:
        slice_started: When the callback that runs now began, by ``time.perf_counter()``; None while none
            runs. Any thread may read it.
        running_handle: That callback's handle, likewise.

    Raises:
        RuntimeError: There is no application yet.
    """

    _stopping: bool
    _thread_id: int | None

    def __init__(self, app: QCoreApplication | None = None) -> None:
        self._closed = True  # until asyncio's part is made, so that nobody closes what never was
        self.slice_started: float | None = None
        self.running_handle: asyncio.Handle | None = None
        known = app or QCoreApplication.instance()
        if known is None:
            raise RuntimeError("BatchedEventLoop needs an application: make the QApplication first")
        self._app = known
        self._home = threading.get_ident()
        self._pump = _Pump(self)
        self._timers: list[tuple[float, int, Any]] = []
        self._timer_numbers = itertools.count()  # first come, first served where times are equal
        self._armed_for = -math.inf  # the deadline Qt's timer stands for; -inf: no timer is to be started
        self._awake = True  # somebody is going to look at the queue
        self._posted = False  # an event that wakes the loop is on its way
        self._draining = False
        self._live = False  # inside exec(), and not yet told to leave it
        self._leave_handle: asyncio.Handle | None = None
        self._exit_error: BaseException | None = None
        super().__init__(self._app)

    # WORKAROUND(qasync 0.28): its own know neither get_exception_handler nor shutdown_default_executor, start
    # ten QThreads for one call, and log every callback in debug mode. asyncio's work on every loop.
    run_until_complete = asyncio.BaseEventLoop.run_until_complete
    is_running = asyncio.BaseEventLoop.is_running
    run_in_executor = asyncio.BaseEventLoop.run_in_executor
    set_default_executor = asyncio.BaseEventLoop.set_default_executor
    set_exception_handler = asyncio.BaseEventLoop.set_exception_handler
    default_exception_handler = asyncio.BaseEventLoop.default_exception_handler
    call_exception_handler = asyncio.BaseEventLoop.call_exception_handler
    get_debug = asyncio.BaseEventLoop.get_debug
    set_debug = asyncio.BaseEventLoop.set_debug

    # --- life

    def run_forever(self) -> None:
        """Run Qt and asyncio together until `stop` is called or the application quits.

        Raises:
            SystemExit, KeyboardInterrupt: A callback raised it.
            RuntimeError: A loop runs already in this thread, or this is not the application's.
        """
        self._check_closed()
        self._check_running()
        if threading.get_ident() != self._home:
            raise RuntimeError(
                "BatchedEventLoop runs in the thread that made it: the one of the QApplication"
            )
        hooks = sys.get_asyncgen_hooks()
        self._enter()
        try:
            self._app.exec()
        finally:
            self._leave_qt()
            sys.set_asyncgen_hooks(*hooks)
        error, self._exit_error = self._exit_error, None
        if error is not None:
            raise error

    def stop(self) -> None:
        """End `run_forever` when every callback that is ready now has run."""
        if not self._stopping and not self._closed:
            self._stopping = True
            self._leave_handle = self.call_soon(self._exit)

    def close(self) -> None:
        """Release sockets, timers and the default executor; the loop cannot run again."""
        super().close()
        self._timers.clear()

    def _enter(self) -> None:
        self._set_coroutine_origin_tracking(self._debug)
        self._thread_id = self._home
        sys.set_asyncgen_hooks(
            firstiter=self._asyncgen_firstiter_hook, finalizer=self._asyncgen_finalizer_hook
        )
        asyncio._set_running_loop(self)
        self._before_run_forever()
        self._live = True
        self._wake()

    def _leave_qt(self) -> None:
        self._live = self._stopping = False
        if self._leave_handle is not None:
            self._leave_handle.cancel()
            self._leave_handle = None
        self._pump.rest()
        self._pump.disarm()
        self._armed_for = -math.inf
        self._after_run_forever()
        asyncio._set_running_loop(None)
        self._thread_id = None
        self._set_coroutine_origin_tracking(False)

    def _exit(self, error: BaseException | None = None) -> None:
        """Leave exec(), and with it every nested Qt loop."""
        self._live = False
        self._exit_error = error
        self._app.exit()

    # --- registering

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run `callback` after everything that is ready already."""
        if self._closed or self._debug:
            self._check_call(callback, "call_soon")
        handle = asyncio.Handle(callback, args, self, context)
        if self._debug:
            _forget_last_frame(handle)
        self._ready.append(handle)
        if not self._awake:
            self._wake()
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """As `call_soon`, from any thread or a signal handler."""
        if self._closed or self._debug:
            self._check_call(callback, "call_soon_threadsafe")
        handle = asyncio.Handle(callback, args, self, context)
        if self._debug:
            _forget_last_frame(handle)
        self._ready.append(handle)
        if not self._awake and not self._posted:
            self._post()
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run `callback` in `delay` seconds."""
        if delay is None:
            raise TypeError("delay must not be None")
        timer = self.call_at(self.time() + delay, callback, *args, context=context)
        if self._debug:
            _forget_last_frame(timer)
        return timer

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run `callback` at `when`, by the clock of `time`."""
        if when is None:
            raise TypeError("when cannot be None")
        if self._closed or self._debug:
            self._check_call(callback, "call_at")
        timer: Any = asyncio.TimerHandle(when, callback, args, self, context)
        if self._debug:
            _forget_last_frame(timer)
        timer._scheduled = True
        heapq.heappush(self._timers, (when, next(self._timer_numbers), timer))
        if when < self._armed_for:
            self._arm()
        return cast("asyncio.TimerHandle", timer)

    def _check_call(self, callback: object, method: str) -> None:
        self._check_closed()
        self._check_callback(callback, method)
        if method != "call_soon_threadsafe":
            self._check_thread()

    def _add_callback(self, handle: asyncio.Handle) -> None:
        """How asyncio hands over the handler of a signal."""
        if not handle._cancelled:
            self._ready.append(handle)
            self._wake()

    def _add_reader(self, fd: Any, callback: Callable[..., object], *args: Any) -> None:
        # qasync would run it in the context of whatever Qt event reports the socket.
        super()._add_reader(fd, contextvars.copy_context().run, callback, *args)

    def _add_writer(self, fd: Any, callback: Callable[..., object], *args: Any) -> None:
        super()._add_writer(fd, contextvars.copy_context().run, callback, *args)

    # --- waking

    def _wake(self) -> None:
        if threading.get_ident() != self._home:
            self._post()  # call_soon from a foreign thread, a script's mistake: it may not start Qt's timers
            return
        self._awake = True
        if self._live and not self._draining:
            self._pump.keep_draining()

    def _post(self) -> None:
        self._posted = True
        QCoreApplication.postEvent(self._pump, QEvent(QEvent.Type.User))

    def woken(self) -> None:
        """Another thread has added something; the pump calls this."""
        self._posted = False
        if self._live:
            self._arm()
            self._wake()

    # --- delayed calls

    def _arm(self) -> None:
        """Make ready what is due, and let Qt's timer stand for the next."""
        if threading.get_ident() != self._home:
            self._post()
            return
        self._take_due()
        if not self._timers:
            self._armed_for = math.inf
            self._pump.disarm()
            return
        when = self._timers[0][0]
        if when != self._armed_for:
            self._armed_for = when
            self._pump.arm(min(max(0.0, when - self.time()), _LONGEST_TIMER_S))

    def _take_due(self) -> None:
        timers = self._timers
        due = self.time() + self._clock_resolution
        while timers and (timers[0][0] < due or timers[0][2]._cancelled):
            timer = heapq.heappop(timers)[2]
            timer._scheduled = False
            if timer._cancelled:
                self._timer_cancelled_count -= 1
            else:
                self._ready.append(timer)
                if not self._awake:
                    self._wake()

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """How a timer tells of its cancellation; it stays in the heap until many have."""
        if handle._scheduled:
            self._timer_cancelled_count += 1
            if self._timer_cancelled_count > max(_MANY_CANCELLED, len(self._timers) // 2):
                self._forget_cancelled(handle)

    def _forget_cancelled(self, newest: Any) -> None:
        kept = []
        for entry in self._timers:
            if entry[2]._cancelled or entry[2] is newest:
                entry[2]._scheduled = False
            else:
                kept.append(entry)
        heapq.heapify(kept)
        self._timers = kept
        self._timer_cancelled_count = 0

    def timer_fired(self) -> None:
        """Qt's timer for the earliest deadline has fired; the pump calls this."""
        self._armed_for = -math.inf
        self._arm()
        self.drain()

    # --- running

    def drain(self) -> None:
        """Run for one slice what is ready; the pump calls this.

        Nothing where Qt runs a nested loop inside a callback: the outer drain goes on when that has returned.
        """
        if self._draining or not self._live:
            self._pump.rest()
            return
        self._draining = self._awake = True
        release_vector_registers()
        try:
            if self.time() >= self._armed_for:
                self._arm()
            self._run_slice()
        except (SystemExit, KeyboardInterrupt) as error:
            self._exit(error)
        finally:
            self.slice_started = self.running_handle = None
            self._draining = False
            self._rest_or_go_on()

    def _run_slice(self) -> None:
        ready = self._ready
        clock = time.perf_counter  # on Windows the monotonic clock steps by 16 ms
        now = clock()
        end = now + SLICE_S
        while ready and now < end and self._live:
            handle = ready.popleft()
            if handle._cancelled:
                continue
            self.running_handle = handle
            self.slice_started = now
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as asyncio: it is the handler's
                self._report(handle, error)
            began, now = now, clock()
            if self._debug and now - began >= self.slow_callback_duration:
                _log_slow(handle, now - began)

    def _rest_or_go_on(self) -> None:
        # Before the look at the queue: a thread that adds something after that sees it, and posts an event.
        self._awake = False
        if self._ready:
            self._wake()
        else:
            self._pump.rest()

    def _report(self, handle: Any, error: BaseException) -> None:
        source = format_helpers._format_callback_source(handle._callback, handle._args)
        context = {"message": f"Exception in callback {source}", "exception": error, "handle": handle}
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        self.call_exception_handler(context)


def _forget_last_frame(handle: Any) -> None:
    """Let a handle's origin end where the loop was called, not inside the loop."""
    if handle._source_traceback:
        del handle._source_traceback[-1]


def _log_slow(handle: asyncio.Handle, duration_s: float) -> None:
    # As asyncio's own loop, which names a task rather than its step.
    what = base_events._format_handle(handle)  # type: ignore[attr-defined]  # not in its stubs
    logger.warning("Executing %s took %.3f seconds", what, duration_s)


class _Pump(QObject):
    """The loop's foot in Qt: a timer for what is ready, one for what is due, an event from other threads."""

    def __init__(self, loop: BatchedEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._ready_timer = 0
        self._due_timer = 0

    def keep_draining(self) -> None:
        if not self._ready_timer:
            self._ready_timer = self.startTimer(0)

    def rest(self) -> None:
        if self._ready_timer:
            self.killTimer(self._ready_timer)
            self._ready_timer = 0

    def arm(self, delay_s: float) -> None:
        self.disarm()
        self._due_timer = self.startTimer(math.ceil(delay_s * 1000), Qt.TimerType.PreciseTimer)

    def disarm(self) -> None:
        if self._due_timer:
            self.killTimer(self._due_timer)
            self._due_timer = 0

    def timerEvent(self, event: QTimerEvent) -> None:
        if event.timerId() == self._ready_timer:
            self._loop.drain()
        else:
            self.disarm()
            self._loop.timer_fired()

    def customEvent(self, event: QEvent) -> None:
        self._loop.woken()
