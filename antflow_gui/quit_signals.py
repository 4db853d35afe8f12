"""Lets Ctrl+C and a process manager's SIGTERM end the app while Qt sleeps."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from PySide6.QtCore import QObject, QSocketNotifier, Slot

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def install_quit_signals(callback: Callable[[], object]) -> Callable[[], None]:
    """Call `callback` from Qt's loop when the process is asked to end; for the main thread.

    Python runs signal handlers between two of its own instructions, and a Qt loop that sleeps has none. So
    the interpreter's own handler writes into a socket that Qt watches. A second signal has its usual effect,
    because the first may have met a loop that is held.

    Returns:
        A function that puts back what was there before; it may be called again.
    """
    return _QuitSignals(callback).restore


class _QuitSignals(QObject):
    def __init__(self, callback: Callable[[], object]) -> None:
        super().__init__()
        self._callback = callback
        self._asked = False
        self._noted: set[int] = set()
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._notifier = QSocketNotifier(self._receiver.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._receive)
        self._fd_before = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        self._before: dict[signal.Signals, Any] = {
            number: signal.signal(number, self._note) for number in _SIGNALS
        }

    def restore(self) -> None:
        if self._receiver.fileno() == -1:
            return
        for number in _SIGNALS:
            if signal.getsignal(number) == self._note:
                signal.signal(number, self._before[number])
        fd_now = signal.set_wakeup_fd(self._fd_before)
        if fd_now != self._sender.fileno():
            signal.set_wakeup_fd(fd_now)  # another's by now
        with suppress(RuntimeError):  # Qt's part is gone already
            self._notifier.setEnabled(False)
        self._receiver.close()
        self._sender.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Python's handler: it may come in the middle of anything, so it only leaves a note.

        It stays in place: the host of a script, which puts back what it found, may do so at any time.
        """
        if number in self._noted or self._receiver.fileno() == -1:
            signal.signal(number, self._before[signal.Signals(number)])
            signal.raise_signal(number)
            return
        self._noted.add(number)
        self._asked = True
        with suppress(OSError):
            self._sender.send(b"\0")  # the script may have made the wakeup descriptor its own

    @Slot()
    def _receive(self) -> None:
        with suppress(BlockingIOError):
            while self._receiver.recv(4096):
                pass
        if self._asked:
            self._asked = False
            self._callback()
