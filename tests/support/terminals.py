"""Runs the command in a terminal of a certain width, as a person sees it."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Seen(NamedTuple):
    """How a command ended in a terminal.

    Attributes:
        code: Its exit code.
        raw: All that it wrote, colours and movements of the cursor included.
    """

    code: int
    raw: str

    @property
    def text(self) -> str:
        """What it wrote without those."""
        return _CONTROLS.sub("", self.raw)


def run_in_terminal(*args: str, columns: int, cwd: Path) -> Seen:
    """Run `antflow-core` to its end; skips the test where there are no pseudo-terminals."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    without = ("COLUMNS", "NO_COLOR", "FORCE_COLOR")
    env = {name: value for name, value in os.environ.items() if name not in without}
    with subprocess.Popen(
        [sys.executable, "-m", "antflow_core", *args],
        cwd=cwd,
        env={**env, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        raw = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return Seen(process.returncode, raw.decode().replace("\r\n", "\n"))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # so Linux tells of the end
        return b""
