"""Brings unhandled errors of every kind to one place: a log file, and a signal for the window."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    QStandardPaths,
    Qt,
    QTimer,
    QtMsgType,
    Signal,
    Slot,
    qInstallMessageHandler,
)

FaultSource = Literal["slot", "thread", "loop", "qt", "unraisable"]

_LOG_BYTES, _LOG_FILES = 1_000_000, 3
_KINDS_REMEMBERED = 200
"""So many different faults are told apart; an older one that comes again counts from 1."""

_PAUSE_MS = 1000
"""Between two tellings: what comes meanwhile is told together, each fault once, with its count."""

_TEXT_LENGTH = 500
"""Where the text of an object is cut."""

_HARMLESS = {
    "This plugin does not support ": "the offscreen platform has neither window manager nor input focus",
    "QStandardPaths: XDG_RUNTIME_DIR not set": "usual in containers; Qt takes a temporary folder",
    "QStandardPaths: runtime directory ": "usual under sudo; Qt takes a temporary folder",
    "Qt: Session management error": "X11 without a session manager; the app saves its state itself",
    "QFontDatabase: Cannot find font directory": "the wheels bring no fonts; the app registers its own",
    "Wayland does not support QWindow::requestActivate()": "the compositor decides what is in front",
    "QXcbConnection: XCB error": "the X server answers about a window that has just been closed",
}
"""Qt's messages that nobody can act upon, by their beginning, each with its reason."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One unhandled error.

    Attributes:
        source: Where it surfaced: a Qt slot (or the main thread outside of the loop), another thread, a
            callback or task of the loop, Qt itself, or a place that cannot raise, such as ``__del__``.
        summary: One line; a fault that came before ends with how often it has come by now: ``×12``.
        detail: The traceback and what else is known.
        when: In local time, when it came last.
        count: How often it has come.
    """

    source: FaultSource
    summary: str
    detail: str
    when: datetime
    count: int = 1


class FaultReporter(QObject):
    """Takes the place of every hook for unhandled errors.

    Args:
        log_path: The log file; None for ``logs/antflow-desk.log`` in the app's own folder.

    Signals:
        reported(Fault): On the GUI thread, from Qt's loop; at once, unless another has been told just now.
        interrupt_requested(): Ctrl+C arrived as an exception outside of the loop; the app should quit.
    """

    reported = Signal(object)
    interrupt_requested = Signal()
    _arrived = Signal()

    def __init__(self, log_path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.log_path = log_path or default_log_path()
        self._log = _FaultLog(self.log_path)
        self._lock = threading.RLock()  # the garbage collector may report a fault at any point
        self._faults: OrderedDict[tuple[FaultSource, str, str], Fault] = OrderedDict()
        self._untold: dict[tuple[FaultSource, str, str], Fault] = {}
        self._interrupted = False
        self._reporting = threading.local()
        self._hooks: list[Callable[[], None]] = []
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._pause.timeout.connect(self._tell)
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    # --- hooks

    def install(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Take over the hooks; those of `loop` too."""
        if self._hooks:
            return
        self._hooks = [
            _hook(sys, "excepthook", self._on_exception),
            _hook(threading, "excepthook", self._on_thread_exception),
            _hook(sys, "unraisablehook", self._on_unraisable),
            _hook_qt(self._on_qt_message),
        ]
        if loop is not None:
            before = loop.get_exception_handler()
            loop.set_exception_handler(self._on_loop_error)
            self._hooks.append(lambda: loop.set_exception_handler(before))

    def uninstall(self) -> None:
        """Put back what was there before, and close the log file."""
        while self._hooks:
            self._hooks.pop()()
        self._tell()
        self._pause.stop()
        self._log.close()

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._interrupted = True
            self._announce()
        else:
            self._report_exception("slot", error.with_traceback(trace))

    def _on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            name = args.thread.name if args.thread is not None else "unknown"
            self._report_exception("thread", args.exc_value, f"In thread {name}\n")

    def _on_unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        place = f"{unraisable.err_msg or 'Exception ignored in'}: {_text_of(unraisable.object)}\n"
        error = unraisable.exc_value
        if error is None:
            self.report("unraisable", unraisable.exc_type.__name__, place)
        else:
            self._report_exception("unraisable", error, place)

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        message = str(context.get("message") or "Unhandled exception in the event loop")
        known = [
            f"{key}: {_text_of(context[key])}\n"
            for key in sorted(context)
            if key not in {"message", "exception"}
        ]
        place = f"{message}\n{''.join(known)}"
        error = context.get("exception")
        if isinstance(error, BaseException):
            self._report_exception("loop", error, place)
        else:
            self.report("loop", message, place)

    def _on_qt_message(self, kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
        if kind in {QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg}:
            _print_on_terminal(message)
        elif not message.startswith(tuple(_HARMLESS)):
            place = (
                f"{context.category}, {context.file}:{context.line}"
                if context.file
                else f"{context.category}"
            )
            self.report("qt", message.partition("\n")[0], f"{message}\n({place})\n")

    # --- reporting

    def report(self, source: FaultSource, summary: str, detail: str, place: str = "") -> None:
        """Log a fault and tell of it; from any thread.

        Args:
            place: Where in the code it came from: with `source` and `summary` it tells a repeated fault.
        """
        if getattr(self._reporting, "here", False):
            _print_on_terminal(detail)  # reporting has failed itself
            return
        self._reporting.here = True
        try:
            with self._lock:
                self._count((source, summary, place), detail)
            self._announce()
        finally:
            self._reporting.here = False

    def _report_exception(self, source: FaultSource, error: BaseException, known: str = "") -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        summary = traceback.format_exception_only(error)[-1].strip().partition("\n")[0]
        self.report(source, summary, known + "".join(traceback.format_exception(error)), place)

    def _count(self, key: tuple[FaultSource, str, str], detail: str) -> None:
        source, summary, _ = key
        now = datetime.now().astimezone()
        before = self._faults.pop(key, None)
        if before is None:
            fault = Fault(source, summary, detail, now)
            self._log.write(fault)
        else:
            count = before.count + 1
            fault = replace(before, summary=f"{summary} ×{count}", when=now, count=count)
        self._faults[key] = self._untold[key] = fault
        if len(self._faults) > _KINDS_REMEMBERED:
            self._faults.popitem(last=False)

    def _announce(self) -> None:
        with suppress(RuntimeError):  # Qt's part is gone already: the interpreter is shutting down
            self._arrived.emit()

    # --- telling, on the GUI thread

    @Slot()
    def _deliver(self) -> None:
        if self._interrupted:
            self._interrupted = False
            self.interrupt_requested.emit()
        if not self._pause.isActive():
            self._tell()

    @Slot()
    def _tell(self) -> None:
        with self._lock:
            told, self._untold = self._untold, {}
        for fault in told.values():
            if fault.count > 1:
                self._log.write_count(fault)
            self.reported.emit(fault)
        if told:
            self._pause.start()


class _FaultLog:
    """A rotating file, and the terminal where there is one; neither is touched before the first fault."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._logger: logging.Logger | None = None

    def write(self, fault: Fault) -> None:
        self._opened().error("[%s] %s\n%s", fault.source, fault.summary, fault.detail.rstrip())

    def write_count(self, fault: Fault) -> None:
        self._opened().error("[%s] %s", fault.source, fault.summary)

    def close(self) -> None:
        if self._logger is not None:
            for handler in self._logger.handlers:
                handler.close()
            self._logger = None

    def _opened(self) -> logging.Logger:
        if self._logger is None:
            # Outside of logging's tree, which a script may set up as it likes.
            self._logger = logging.Logger("antflow_gui.faults")  # noqa: LOG001 - see above
            for handler in self._handlers():
                handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
                self._logger.addHandler(handler)
        return self._logger

    def _handlers(self) -> list[logging.Handler]:
        handlers: list[logging.Handler] = []
        if sys.__stderr__ is not None:
            handlers.append(logging.StreamHandler(sys.__stderr__))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(
                RotatingFileHandler(self._path, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8")
            )
        except OSError as error:
            _print_on_terminal(f"The log file cannot be written: {error}")
        return handlers


def default_log_path() -> Path:
    """``logs/antflow-desk.log`` in the folder that the platform gives to the app."""
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppLocalDataLocation)
    return Path(folder) / "logs" / "antflow-desk.log"


def _hook(owner: object, name: str, ours: Callable[..., None]) -> Callable[[], None]:
    """Set a hook; gives a function that puts the old one back unless someone has replaced ours."""
    before = getattr(owner, name)
    setattr(owner, name, ours)

    def restore() -> None:
        if getattr(owner, name) == ours:
            setattr(owner, name, before)

    return restore


def _hook_qt(ours: Callable[[QtMsgType, QMessageLogContext, str], None]) -> Callable[[], None]:
    before = qInstallMessageHandler(ours)

    def restore() -> None:
        qInstallMessageHandler(before)

    return restore


def _text_of(value: object) -> str:
    """Its repr, cut; for objects that may be half destroyed."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - any object's own code
        text = object.__repr__(value)
    return text if len(text) <= _TEXT_LENGTH else f"{text[:_TEXT_LENGTH]}…"


def _print_on_terminal(text: str) -> None:
    if sys.__stderr__ is not None:
        with suppress(OSError, ValueError):  # closed, or its reader has gone
            sys.__stderr__.write(f"{text}\n")
