"""Whether a window can be shown at all: Qt aborts the process where its display does not answer."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterator

_X11_NAME = re.compile(r"^(?P<host>[^:/]*)(?:/unix)?:(?P<number>\d+)(?:\.\d+)?$")
_X11_SOCKET = "/tmp/.X11-unix/X{}"  # noqa: S108 - where every X server listens
_X11_PORT = 6000
_PATIENCE_S = 2.0


def why_no_display() -> str | None:
    """Why no window can be shown, as the start of a sentence; None where one can, or Qt was told."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM") or os.environ.get("WAYLAND_DISPLAY"):
        return None
    name = os.environ.get("DISPLAY")
    if not name:
        return "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    return None if _answers(name) else f"the display {name} (DISPLAY) does not answer"


def _answers(name: str) -> bool:
    """Whether an X server accepts connections; a name of another form is left for Qt to judge."""
    match = _X11_NAME.match(name)
    if match is None:
        return True
    return any(
        _connects(family, address) for family, address in _addresses(match["host"], int(match["number"]))
    )


def _addresses(host: str, number: int) -> Iterator[tuple[socket.AddressFamily, str | tuple[str, int]]]:
    if host in ("", "unix"):
        path = _X11_SOCKET.format(number)
        yield socket.AF_UNIX, path
        yield socket.AF_UNIX, f"\0{path}"  # Linux's abstract namespace
    else:
        yield socket.AF_INET, (host, _X11_PORT + number)


def _connects(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with socket.socket(family) as probe:
        probe.settimeout(_PATIENCE_S)
        try:
            probe.connect(address)
        except OSError:
            return False
        return True
