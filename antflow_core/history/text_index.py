"""Finding a text among many short ones, such as all item ids, in numpy instead of one by one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.text_pattern import SEPARATOR, Pattern, TextPattern, encoded

SEGMENT_TEXTS: Final = 8_192
_FEW: Final = 512
"""So many texts are looked at one by one, which takes as long as joining them."""
_SEPARATOR_BYTE: Final = SEPARATOR[0]
_SAMPLE_BYTES: Final = 4_096


class TextIndex:
    """Texts by index, searched in joined segments; a text once looked at must not change.

    Args:
        texts: The texts of a range of indexes.
    """

    def __init__(self, texts: Callable[[int, int], list[str]]) -> None:
        self._texts = texts
        self._segments: dict[int, Segment] = {}

    def find(
        self, pattern: Pattern, first: int, stop: int, *, ignore_case: bool = False
    ) -> NDArray[np.bool_]:
        """For each text of a range of indexes whether it fits.

        Args:
            pattern: What is looked for, already without its case where that is ignored.
        """
        found = np.zeros(stop - first, np.bool_)
        at = first
        while at < stop:
            number, skipped = divmod(at, SEGMENT_TEXTS)
            until = min(stop, at - skipped + SEGMENT_TEXTS)
            # A regular expression has no pieces to look for, and few texts are not worth joining.
            if isinstance(pattern, TextPattern) and (until - at > _FEW or number in self._segments):
                hits = self._find_in_segment(
                    pattern, number, skipped, until - at + skipped, ignore_case=ignore_case
                )
            else:
                hits = self._find_singly(pattern, at, until, ignore_case=ignore_case)
            found[at - first : until - first] = hits
            at = until
        return found

    def prepare(self, first: int, stop: int, *, segments: int) -> None:
        """Join some more of the whole segments in a range, so that the first search need not do it."""
        for number in range(-(-first // SEGMENT_TEXTS), stop // SEGMENT_TEXTS):
            segment = self._segments.get(number)
            if segment is None or len(segment) < SEGMENT_TEXTS:
                if not segments:
                    return
                segments -= 1
                self._segment(number, SEGMENT_TEXTS)

    def forget_before(self, first: int) -> None:
        """Let go of texts that nobody will ask for again."""
        for number in [number for number in self._segments if (number + 1) * SEGMENT_TEXTS <= first]:
            del self._segments[number]

    def memory_bytes(self) -> int:
        """What the segments hold."""
        return sum(segment.memory_bytes() for segment in self._segments.values())

    def _segment(self, number: int, count: int) -> Segment:
        """A segment joined as far as `count` texts, or nearly; the last one is joined anew as it grows."""
        segment = self._segments.get(number)
        if segment is None or len(segment) + _FEW < count:
            start = number * SEGMENT_TEXTS
            segment = self._segments[number] = self._make_segment(start, start + count)
        return segment

    def _make_segment(self, first: int, stop: int) -> Segment:
        """The segment of a range of texts."""
        return Segment(join_texts(self._texts(first, stop)))

    def _find_in_segment(
        self, pattern: TextPattern, number: int, first: int, stop: int, *, ignore_case: bool
    ) -> NDArray[np.bool_]:
        """For each text from one place in a segment to another whether it fits."""
        start, segment = number * SEGMENT_TEXTS, self._segment(number, stop)
        needles = pattern.needles()
        hits = (segment.folded if ignore_case else segment).find(needles)
        if len(needles) > 1:
            # The texts that have all pieces are looked at singly, for the pieces must also be in order.
            for at in np.flatnonzero(hits).tolist():
                hits[at] = pattern.matches(self._text(start + at, ignore_case=ignore_case))
        if len(hits) >= stop:
            return hits[first:stop]
        rest = self._find_singly(
            pattern, start + max(len(hits), first), start + stop, ignore_case=ignore_case
        )
        return np.concatenate([hits[first:], rest])

    def _find_singly(
        self, pattern: Pattern, first: int, stop: int, *, ignore_case: bool
    ) -> NDArray[np.bool_]:
        texts = self._texts(first, stop)
        if ignore_case and isinstance(pattern, TextPattern):
            texts = [*map(str.casefold, texts)]
        return np.fromiter(map(pattern.matches, texts), np.bool_, stop - first)

    def _text(self, index: int, *, ignore_case: bool) -> str:
        (text,) = self._texts(index, index + 1)
        return text.casefold() if ignore_case else text


class Segment:
    """Texts joined to one run of bytes, each with a separator on both sides.

    Args:
        joined: The run of bytes.
        alphabet: The only bytes that can be in it, none of which has two cases; None where that is not known.
    """

    def __init__(self, joined: bytes, alphabet: bytes | None = None) -> None:
        self._joined = joined
        self._alphabet = alphabet
        self._bytes = np.frombuffer(joined, np.uint8)
        self._starts = np.flatnonzero(self._bytes == _SEPARATOR_BYTE)[:-1].astype(np.int32)

    def __len__(self) -> int:
        return len(self._starts)

    @cached_property
    def folded(self) -> Segment:
        """The same texts without their case; this segment itself where they have none."""
        if self._alphabet is not None:
            return self
        if self._joined.translate(None, SEPARATOR).isascii():
            folded = self._joined.lower()
        else:
            texts = (text.decode("utf-8", "surrogatepass") for text in self._joined[1:-1].split(SEPARATOR))
            folded = join_texts([text.casefold() for text in texts])
        return self if folded == self._joined else Segment(folded)

    @cached_property
    def _frequency(self) -> list[int]:
        """How often each byte occurs, by the first texts."""
        counts: list[int] = np.bincount(self._bytes[:_SAMPLE_BYTES], minlength=256).tolist()
        return counts

    def find(self, needles: list[bytes]) -> NDArray[np.bool_]:
        """For each text whether all needles occur in it."""
        found = np.ones(len(self._starts), np.bool_)
        for needle in needles:
            # Most segments hold no hit, and these looks are several times as fast as the arrays.
            if self._lacks_byte_of(needle) or self._joined.find(needle) < 0:
                return np.zeros(len(self._starts), np.bool_)
            here = np.zeros(len(self._starts), np.bool_)
            here[np.searchsorted(self._starts, self._positions(needle), "right") - 1] = True
            found &= here
        return found

    def _lacks_byte_of(self, needle: bytes) -> bool:
        return self._alphabet is not None and bool(needle.translate(None, self._alphabet))

    def memory_bytes(self) -> int:
        others = self.folded.memory_bytes() if "folded" in vars(self) and self.folded is not self else 0
        return len(self._joined) + self._starts.nbytes + others

    def _positions(self, needle: bytes) -> NDArray[np.int64]:
        """Where the needle occurs, beginning with its rarest byte so that few places remain to compare."""
        order = sorted(range(len(needle)), key=lambda at: self._frequency[needle[at]])
        places = np.flatnonzero(self._bytes == needle[order[0]]) - order[0]
        places = places[(places >= 0) & (places <= len(self._bytes) - len(needle))]
        for at in order[1:]:
            places = places[self._bytes[places + at] == needle[at]]
        return places


def join_texts(texts: list[str]) -> bytes:
    """Texts with a separator before, between and after them."""
    joined = "\n".join(texts)
    if joined.count("\n") == len(texts) - 1:
        # Encoded at once, which takes a tenth of the time of one after the other.
        return join_lines(joined)
    return SEPARATOR + SEPARATOR.join(map(encoded, texts)) + SEPARATOR


def join_lines(lines: str) -> bytes:
    """The same of texts that are the lines of one text."""
    return SEPARATOR + encoded(lines).replace(b"\n", SEPARATOR) + SEPARATOR
