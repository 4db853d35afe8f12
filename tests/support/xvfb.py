"""A real X server without a screen, for tests of the app on the platform that users have."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import NoReturn

import pytest

REQUIRED = "ANTFLOW_REQUIRE_XVFB"
"""Set to 1, a missing Xvfb fails a test instead of skipping it."""


@pytest.fixture(scope="session")
def x_display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a display of our own, as for DISPLAY, 1440 × 900 in true colour."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        _leave_out("Xvfb is not installed (apt install xvfb)")
    # With -displayfd the server looks for a free number itself and says it when it is ready.
    command = [xvfb, "-displayfd", "1", "-screen", "0", "1440x900x24", "-nolisten", "tcp", "-noreset"]
    errors = tmp_path_factory.mktemp("xvfb") / "errors.txt"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as server,
    ):
        assert server.stdout is not None
        number = server.stdout.readline().strip()
        try:
            if not number:
                pytest.fail(f"Xvfb did not start: {errors.read_text()}")
            yield f":{number}"
        finally:
            server.terminate()


@pytest.fixture
def x_environment(x_display: str) -> dict[str, str]:
    """What a process needs in its environment to open its windows on that display."""
    return {"DISPLAY": x_display, "QT_QPA_PLATFORM": "xcb", "WAYLAND_DISPLAY": ""}


def _leave_out(reason: str) -> NoReturn:
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{reason}, and {REQUIRED}=1 forbids to skip")
    pytest.skip(reason)
