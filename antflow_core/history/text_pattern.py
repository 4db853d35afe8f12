"""What a text has to look like: exact, with wildcards, containing words, or fitting a regular expression."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any, Final, Protocol

SEPARATOR: Final = b"\xff"
"""Stands between joined texts; it occurs in no UTF-8 text."""


class Pattern(Protocol):
    """What tells of one text whether it fits."""

    def matches(self, text: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class TextPattern:
    """Pieces that must follow one another in a text; the first may have to begin it, the last to end it."""

    pieces: tuple[str, ...]
    at_start: bool = False
    at_end: bool = False

    @classmethod
    def exact(cls, text: str) -> TextPattern:
        """The pattern of just this text."""
        return cls((text,), at_start=True, at_end=True)

    @classmethod
    def wildcard(cls, text: str) -> TextPattern:
        """The pattern where each ``*`` stands for any text."""
        if "*" not in text:
            return cls.exact(text)
        pieces = tuple(piece for piece in text.split("*") if piece)
        return cls(pieces, at_start=not text.startswith("*"), at_end=not text.endswith("*"))

    @classmethod
    def containing(cls, text: str) -> TextPattern:
        """The pattern of texts with this one somewhere in them, where each ``*`` stands for any text."""
        return cls(tuple(piece for piece in text.split("*") if piece))

    @property
    def only_text(self) -> str | None:
        """The one text that fits, None where there are more."""
        if self.at_start and self.at_end and len(self.pieces) == 1:
            return self.pieces[0]
        return None

    def matches(self, text: str) -> bool:
        """Whether one text fits; linear in its length, unlike a regular expression."""
        pieces = self.pieces
        start, stop = 0, len(text)
        if self.at_start and pieces:
            if self.at_end and len(pieces) == 1:
                return text == pieces[0]
            if not text.startswith(pieces[0]):
                return False
            start, pieces = len(pieces[0]), pieces[1:]
        if self.at_end and pieces:
            if not text.endswith(pieces[-1]):
                return False
            stop, pieces = stop - len(pieces[-1]), pieces[:-1]
        for piece in pieces:
            start = text.find(piece, start, stop)
            if start < 0:
                return False
            start += len(piece)
        return start <= stop

    def needles(self) -> list[bytes]:
        """What must follow one another in a text that has a separator behind it."""
        needles = [encoded(piece) for piece in self.pieces]
        if self.at_end and needles:
            needles[-1] += SEPARATOR
        return [needle for needle in needles if needle]


class BadRegexError(Exception):
    """A regular expression cannot be understood; `place` counts characters in it."""

    def __init__(self, message: str, place: int | None) -> None:
        super().__init__(message)
        self.place = place


class SlowRegexError(Exception):
    """A regular expression took longer than it may."""


class RegexPattern:
    """A regular expression that is looked for in texts, with a limit on the time this may take.

    A pattern can backtrack for minutes, and nothing else runs meanwhile; so `regex` is used, which can stop.

    Args:
        source: The expression, in the syntax of Python's `re`.
        ignore_case: Whether case makes no difference; ``(?-i:…)`` in the expression does make it one.
        limit_s: Seconds of processor time for all texts between two calls of `restart`.

    Raises:
        BadRegexError: The expression cannot be understood.
    """

    def __init__(self, source: str, *, ignore_case: bool, limit_s: float) -> None:
        self.limit_s = limit_s
        self._compiled = _compiled(source, ignore_case=ignore_case)
        self._ends_at = 0.0
        self.restart()

    def restart(self) -> None:
        """Give it its whole time again."""
        self._ends_at = time.perf_counter() + self.limit_s

    def matches(self, text: str) -> bool:
        """Whether the expression is found in a text.

        Raises:
            SlowRegexError: The time is over.
        """
        left_s = self._ends_at - time.perf_counter()
        if left_s <= 0:
            raise SlowRegexError
        try:
            return bool(self._compiled.search(text, timeout=left_s))
        except TimeoutError:
            raise SlowRegexError from None


def encoded(text: str) -> bytes:
    """A text as it stands among joined ones."""
    return text.encode("utf-8", "surrogatepass")


def _compiled(source: str, *, ignore_case: bool) -> Any:
    # Imported here because few queries have one. It ships no types.
    import regex  # type: ignore[import-untyped]

    with warnings.catch_warnings():
        # It warns of what a later syntax might mean, which tells who searches nothing.
        warnings.simplefilter("ignore")
        try:
            return regex.compile(source, regex.IGNORECASE if ignore_case else 0, cache_pattern=False)
        except regex.error as error:
            raise BadRegexError(error.msg, error.pos) from None
        except (RecursionError, OverflowError) as error:
            raise BadRegexError(str(error), None) from None
