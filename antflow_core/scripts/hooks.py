"""Hooks of the process that a script may set for itself: each is put back when the script is over."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_HOOKS = ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook"))


@contextmanager
def kept_hooks() -> Iterator[None]:
    """Put back the hooks for unhandled errors, the handlers of signals and the environment variables."""
    hooks = [(owner, name, getattr(owner, name)) for owner, name in _HOOKS]
    environment = dict(os.environ)
    try:
        with _kept_signals():
            yield
    finally:
        for owner, name, hook in hooks:
            setattr(owner, name, hook)
        _restore_environment(environment)


def _restore_environment(before: dict[str, str]) -> None:
    for name in [name for name in os.environ if name not in before]:
        del os.environ[name]
    os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


@contextmanager
def _kept_signals() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # where no script can change them either
        return
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    wakeup = _wakeup_fd()
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) != handler:  # None: not Python's to set
                signal.signal(number, handler)
        _restore_wakeup_fd(*wakeup)


def _wakeup_fd() -> tuple[int, os.stat_result | None]:
    """The descriptor that signals are told to, and what it is: its number may be another's later."""
    fd = signal.set_wakeup_fd(-1)
    if fd == -1:
        return fd, None
    signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
    return fd, _status(fd)


def _restore_wakeup_fd(fd: int, before: os.stat_result | None) -> None:
    now = _status(fd)
    if before is None or (now is not None and os.path.samestat(before, now)):
        with suppress(OSError, ValueError):
            signal.set_wakeup_fd(fd, warn_on_full_buffer=False)


def _status(fd: int) -> os.stat_result | None:
    try:
        return os.fstat(fd)
    except OSError:
        return None
