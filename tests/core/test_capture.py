"""What a script prints is handed on, and the host's own lines stay lines of their own."""

from __future__ import annotations

import sys

import pytest

from antflow_core.link.capture import captured_output


@pytest.mark.parametrize(
    ("printed", "seen"), [("whole\n", "whole\nsummary\n"), ("cut", "cut\nsummary\n"), ("", "summary\n")]
)
def test_an_unfinished_line_is_ended_before_the_host_goes_on(
    printed: str, seen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    texts: list[str] = []
    with captured_output(lambda text, _: texts.append(text)):
        sys.stdout.write(printed)
    sys.stdout.write("summary\n")
    assert capsys.readouterr().out == seen
    assert "".join(texts) == printed
