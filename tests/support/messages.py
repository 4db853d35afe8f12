"""Fails a test on log records of WARNING and above and on messages of Qt's that it does not expect."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

Expect = Callable[[str], None]

_SERIOUS = ("QtWarningMsg", "QtCriticalMsg", "QtFatalMsg", "QtSystemMsg")
_PLATFORM_LIMITS = ("This plugin does not support",)
"""The offscreen platform has no window manager and says so; on a screen the same call works."""


class Expectations:
    """What a test says it will hear, against what was heard."""

    def __init__(self) -> None:
        self._expected: list[str] = []

    def expect(self, part: str) -> None:
        """At least one message holds this part; such messages are in order."""
        self._expected.append(part)

    def check(self, kind: str, heard: list[str]) -> None:
        """Fail where something unexpected was heard, or something expected was not."""
        surprises = [text for text in heard if not any(part in text for part in self._expected)]
        if surprises:
            pytest.fail("\n".join([f"Unexpected {kind}:", *surprises]), pytrace=False)
        silent = [part for part in self._expected if not any(part in text for text in heard)]
        if silent:
            pytest.fail(f"Expected {kind} that did not come: {silent}; heard: {heard}", pytrace=False)


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@pytest.fixture(autouse=True)
def _log(request: pytest.FixtureRequest) -> Iterator[Expectations]:
    expectations = Expectations()
    collector = _Collector()
    logging.getLogger().addHandler(collector)
    yield expectations
    logging.getLogger().removeHandler(collector)
    if "caplog" not in request.fixturenames:
        expectations.check("log records", collector.texts)


@pytest.fixture
def expect_log(_log: Expectations) -> Expect:
    """Say that a log record of WARNING or above with this part in it will come."""
    return _log.expect


@pytest.fixture(autouse=True)
def _qt_messages(request: pytest.FixtureRequest) -> Iterator[Expectations]:
    expectations = Expectations()
    # pytest-qt takes its capture off the test before the fixtures end.
    capture = getattr(request.node, "qt_log_capture", None)
    yield expectations
    records = capture.records if capture is not None else []
    serious = [record.message for record in records if record.type_name in _SERIOUS]
    heard = [text for text in serious if not text.startswith(_PLATFORM_LIMITS)]
    expectations.check("messages of Qt", heard)


@pytest.fixture
def expect_qt_message(_qt_messages: Expectations) -> Expect:
    """Say that a warning of Qt's with this part in it will come."""
    return _qt_messages.expect
