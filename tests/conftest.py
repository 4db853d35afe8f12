"""What holds for every test: no screen, no traces in the user's folders, nothing left behind, no complaints.

A test that expects a complaint says so: `expect_log("part of it")` for a log record of WARNING or above,
`expect_qt_message("part of it")` for a message of Qt's. A test that asks for `caplog` judges the log itself.
"""

from __future__ import annotations

import importlib.util
import os

HAS_QT = importlib.util.find_spec("PySide6") is not None

# Set before Qt is loaded; whoever wants to watch the tests sets the variable to another platform.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

pytest_plugins = [
    "tests.support.folders",
    "tests.support.leftovers",
    "tests.support.loops",
    "tests.support.messages",
    "tests.support.xvfb",
]
# Without Qt the core is tested alone; tests in e2e that need the app skip themselves.
collect_ignore = [] if HAS_QT else ["gui"]


def pytest_report_collectionfinish() -> list[str]:
    """Say what is left out, so that a green run is not mistaken for a full one."""
    return [] if HAS_QT else ["PySide6 is not installed: tests/gui is left out"]
