"""Finding a text among many short ones, such as all item ids, in numpy instead of one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SEGMENT_TEXTS: Final = 8_192
_SEPARATOR: Final = b"\xff"  # occurs in no UTF-8 text


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
        """What must occur in joined texts for this to match: the pieces, with separators at anchored ends."""
        needles = [_encode(piece) for piece in self.pieces]
        if self.at_start and needles:
            needles[0] = _SEPARATOR + needles[0]
        if self.at_end and needles:
            needles[-1] += _SEPARATOR
        return needles


class TextIndex:
    """Texts by index, searched in joined segments; a text once looked at must not change.

    Args:
        text_of: The text of an index, already in the case to be searched.
    """

    def __init__(self, text_of: Callable[[int], str]) -> None:
        self._text_of = text_of
        self._segments: list[_Segment] = []

    def find(self, pattern: TextPattern, first: int, stop: int) -> NDArray[np.bool_]:
        """For each text of a range of indexes whether it fits."""
        if stop - first < SEGMENT_TEXTS:
            return self._find_singly(pattern, first, stop)
        found = np.zeros(stop - first, np.bool_)
        needles = pattern.needles()
        for number in range(first // SEGMENT_TEXTS, stop // SEGMENT_TEXTS):
            start = number * SEGMENT_TEXTS
            hits = self._segment(number).find(needles)
            if len(needles) > 1:
                self._confirm(pattern, hits, start)
            skip = max(first - start, 0)
            found[start + skip - first : start + SEGMENT_TEXTS - first] = hits[skip:]
        rest = stop - stop % SEGMENT_TEXTS
        found[rest - first :] = self._find_singly(pattern, rest, stop)
        return found

    def memory_bytes(self) -> int:
        """What the segments hold."""
        return sum(segment.memory_bytes() for segment in self._segments)

    def _segment(self, number: int) -> _Segment:
        while len(self._segments) <= number:
            start = len(self._segments) * SEGMENT_TEXTS
            self._segments.append(_Segment([*map(self._text_of, range(start, start + SEGMENT_TEXTS))]))
        return self._segments[number]

    def _find_singly(self, pattern: TextPattern, first: int, stop: int) -> NDArray[np.bool_]:
        texts = map(self._text_of, range(first, stop))
        return np.fromiter(map(pattern.matches, texts), np.bool_, stop - first)

    def _confirm(self, pattern: TextPattern, hits: NDArray[np.bool_], start: int) -> None:
        """Look singly at texts that have all pieces, for the pieces must also be in order."""
        for at in np.flatnonzero(hits).tolist():
            hits[at] = pattern.matches(self._text_of(start + at))


class _Segment:
    """Texts joined to one run of bytes, each with a separator on both sides."""

    def __init__(self, texts: list[str]) -> None:
        encoded = [*map(_encode, texts)]
        self._joined = _SEPARATOR + _SEPARATOR.join(encoded) + _SEPARATOR
        self._bytes = np.frombuffer(self._joined, np.uint8)
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        self._starts = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]])
        self._frequency = np.bincount(self._bytes, minlength=256)

    def find(self, needles: list[bytes]) -> NDArray[np.bool_]:
        """For each text whether all needles occur in it."""
        found = np.ones(len(self._starts), np.bool_)
        for needle in needles:
            # Most segments hold no hit, and this look is several times as fast as the arrays.
            if self._joined.find(needle) < 0:
                return np.zeros(len(self._starts), np.bool_)
            here = np.zeros(len(self._starts), np.bool_)
            here[np.searchsorted(self._starts, self._positions(needle), "right") - 1] = True
            found &= here
        return found

    def memory_bytes(self) -> int:
        return len(self._joined) + self._starts.nbytes + self._frequency.nbytes

    def _positions(self, needle: bytes) -> NDArray[np.int64]:
        """Where the needle occurs, beginning with its rarest byte so that few places remain to compare."""
        order = sorted(range(len(needle)), key=lambda at: self._frequency[needle[at]])
        places = np.flatnonzero(self._bytes == needle[order[0]]) - order[0]
        places = places[(places >= 0) & (places <= len(self._bytes) - len(needle))]
        for at in order[1:]:
            places = places[self._bytes[places + at] == needle[at]]
        return places


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
