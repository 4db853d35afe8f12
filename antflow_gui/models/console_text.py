"""What a program wrote to a terminal, as plain lines: escape codes gone, carriage returns obeyed."""

from __future__ import annotations

import re

# CSI sequences (colours, cursor), OSC sequences (titles, links), then any two-character escape. ECMA-48, 5.4.
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\^_=>78]")
_UNFINISHED_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?)?$")
_STEP = re.compile(r"\x1b\[[0-2]?K|[\n\r\b]|[^\n\r\b\x1b]+|\x1b")
_UNPRINTABLE = re.compile(r"[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
_ERASE_TO_END, _ERASE_LINE = ("\x1b[K", "\x1b[0K"), ("\x1b[1K", "\x1b[2K")
_LONGEST_LINE = 10_000


class TerminalLines:
    """Turns one stream's pieces of text into finished lines and the line still being written.

    Attributes:
        open_line: The line that has no end yet, as it stands now.
    """

    def __init__(self) -> None:
        self.open_line = ""
        self._column = 0
        self._unfinished = ""

    def feed(self, text: str) -> list[str]:
        """Take a piece of text in; returns the lines it finished."""
        text, self._unfinished = self._unfinished + text, ""
        if "\x1b" in text:
            text = self._without_escapes(text)
        text = _UNPRINTABLE.sub("", text)
        finished: list[str] = []
        for step in _STEP.findall(text):
            if step == "\n":
                finished.append(self.open_line)
                self.open_line, self._column = "", 0
            else:
                self._write(step)
        return finished

    def _without_escapes(self, text: str) -> str:
        """Drop every escape sequence but "erase in line", and keep back one that is not complete yet."""
        cut = _UNFINISHED_ESCAPE.search(text)
        if cut is not None and len(text) - cut.start() < _LONGEST_LINE:
            self._unfinished, text = cut.group(), text[: cut.start()]
        return _ESCAPE.sub(_kept_escape, text)

    def _write(self, step: str) -> None:
        if step == "\r":
            self._column = 0
        elif step == "\b":
            self._column = max(0, self._column - 1)
        elif step in _ERASE_TO_END:
            self.open_line = self.open_line[: self._column]
        elif step in _ERASE_LINE:
            self.open_line = " " * self._column
        elif not step.startswith("\x1b"):
            self._overwrite(step)

    def _overwrite(self, words: str) -> None:
        line, column = self.open_line, self._column
        if column + len(words) > _LONGEST_LINE:
            words = words[: max(0, _LONGEST_LINE - column)]
            self.open_line, self._column = line[:column] + words + "…", _LONGEST_LINE + 1
            return
        self.open_line = line[:column] + words + line[column + len(words) :]
        self._column = column + len(words)


def _kept_escape(found: re.Match[str]) -> str:
    sequence = found.group()
    return sequence if sequence in _ERASE_TO_END or sequence in _ERASE_LINE else ""
