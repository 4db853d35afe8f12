"""Hands on what a script prints, and only that, while it still goes where it went before."""

from __future__ import annotations

import codecs
import io
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

OutputListener = Callable[[str, str], None]
"""Gets text and the stream's name, ``stdout`` or ``stderr``; may be called from any thread."""

_captured: ContextVar[object] = ContextVar("antflow_captured", default=None)
_log = logging.getLogger(__name__)


@contextmanager
def captured_output(listener: OutputListener) -> Iterator[None]:
    """Everything printed in the body, and in tasks and threads started there, is the script's."""
    capture = _Capture(listener)
    streams = sys.stdout, sys.stderr
    token = _captured.set(capture)
    sys.stdout = CapturedStream(capture, "stdout", streams[0])
    sys.stderr = CapturedStream(capture, "stderr", streams[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        _captured.reset(token)
        capture.is_open = False
        if capture.in_line and streams[0] is not None:
            with suppress(OSError, ValueError):  # its reader has gone, or the script has closed it
                streams[0].write("\n")  # the host's next line is one of its own


class _Capture:
    """Knows whose output is the script's.

    Tasks inherit the context variable, threads do not; on a thread that is new since then, everything counts.
    """

    def __init__(self, listener: OutputListener) -> None:
        self.is_open = True
        self.in_line = False  # whether what stdout got last has no line end
        self._listener = listener
        self._others = weakref.WeakSet(threading.enumerate())

    def takes(self) -> bool:
        return self.is_open and (_captured.get() is self or threading.current_thread() not in self._others)

    def hand_on(self, text: str, stream: str) -> None:
        if not text or not self.takes():
            return
        if stream == "stdout":
            self.in_line = not text.endswith("\n")
        try:
            self._listener(text, stream)
        except Exception:  # noqa: BLE001 - the listener is not the script's
            self.is_open = False  # first, because a log handler may print
            _log.exception("The listener for a script's output failed and is not called again")


class CapturedStream(io.TextIOBase):
    """Stands in for ``sys.stdout`` or ``sys.stderr``; no terminal, so that dashboards print lines.

    Args:
        capture: Where the text goes.
        name: The stream's name.
        real: Where it goes as well; None where the process has no such stream.
    """

    def __init__(self, capture: _Capture, name: str, real: TextIO | None) -> None:
        self._capture = capture
        self._name = name
        self._real = real
        self.buffer = CapturedBytes(self)

    @property
    def name(self) -> str:
        return f"<{self._name}>"

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute in the stubs
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]  # a plain attribute in the stubs
        return "backslashreplace"

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._pass_through(text)
        self._capture.hand_on(text, self._name)
        return len(text)

    def flush(self) -> None:
        if self._real is not None:
            _quietly(self._real.flush)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        if self._real is None:
            raise io.UnsupportedOperation("fileno")
        return self._real.fileno()

    def reconfigure(self, **_: Any) -> None:
        """Scripts ask for UTF-8 or line buffering; they have both."""

    def close(self) -> None:
        """Not the script's to close."""

    def _pass_through(self, text: str) -> None:
        if self._real is not None:
            _quietly(self._real.write, text)


class CapturedBytes(io.RawIOBase):
    """``sys.stdout.buffer``: bytes become text as they come, characters that arrive in halves too."""

    def __init__(self, stream: CapturedStream) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def write(self, data: ReadableBuffer) -> int:
        octets = bytes(data)
        self._stream.write(self._decoder.decode(octets))
        return len(octets)

    def flush(self) -> None:
        self._stream.flush()

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """Not the script's to close."""


def _quietly(act: Callable[..., object], *args: object) -> None:
    """A terminal that was closed, or cannot show a character, must not fail the script."""
    with suppress(OSError, ValueError):
        act(*args)
