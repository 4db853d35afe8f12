"""Finding a text among millions of short ones, such as all item ids, a segment of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.text_columns import TextColumns
from antflow_core.history.text_pattern import SEPARATOR, Pattern, TextPattern, encoded

SEGMENT_TEXTS: Final = 8_192
_FEW: Final = 512
"""So many texts are looked at one by one, which takes as long as laying them out."""
_SEGMENT_BYTES: Final = SEGMENT_TEXTS // 8
_PATTERNS_KEPT: Final = 64

Mask = NDArray[np.bool_]


class TextIndex:
    """Texts by index, searched in segments; a text once looked at must not change.

    What a pattern found in whole segments is remembered, for a query that is being typed is searched for
    again and again with one word changed.

    Args:
        texts: The texts of a range of indexes.
    """

    def __init__(self, texts: Callable[[int, int], list[str]]) -> None:
        self._texts = texts
        self._segments: dict[tuple[int, bool], TextColumns] = {}
        self._hits: dict[tuple[TextPattern, bool], _Hits] = {}

    def find(self, pattern: Pattern, first: int, stop: int, *, ignore_case: bool = False) -> Mask:
        """For each text of a range of indexes whether it fits.

        Args:
            pattern: What is looked for, already without its case where that is ignored.
        """
        if not isinstance(pattern, TextPattern):  # a regular expression has no pieces to look for
            return self._find_singly(pattern, first, stop, ignore_case=ignore_case)
        whole = range(-(-first // SEGMENT_TEXTS), stop // SEGMENT_TEXTS)
        before = min(whole.start * SEGMENT_TEXTS, stop)
        behind = max(whole.stop * SEGMENT_TEXTS, before)
        found = (
            [self._find_in_part(pattern, first, before, ignore_case=ignore_case)] if first < before else []
        )
        if whole:
            found.append(self._find_in_whole(pattern, whole, ignore_case=ignore_case))
        if behind < stop:
            found.append(self._find_in_part(pattern, behind, stop, ignore_case=ignore_case))
        return np.concatenate(found) if found else np.zeros(0, np.bool_)

    def prepare(self, first: int, stop: int, *, segments: int) -> bool:
        """Lay out some more of the whole segments in a range, so that the first search need not do it.

        Returns:
            Whether there was anything left to do.
        """
        for number in range(-(-first // SEGMENT_TEXTS), stop // SEGMENT_TEXTS):
            segment = self._segments.get((number, True))
            if segment is None or len(segment) < SEGMENT_TEXTS:
                if not segments:
                    return True
                segments -= 1
                self._segment(number, SEGMENT_TEXTS, ignore_case=True)
        return False

    def forget_before(self, first: int) -> None:
        """Let go of texts that nobody will ask for again."""
        for number, case in [*self._segments]:
            if (number + 1) * SEGMENT_TEXTS <= first:
                del self._segments[number, case]
        for hits in self._hits.values():
            hits.forget_before(first // SEGMENT_TEXTS)

    def memory_bytes(self) -> int:
        """What the segments hold, and what is remembered of them."""
        segments = {id(segment): segment for segment in self._segments.values()}
        remembered = sum(hits.bits.nbytes for hits in self._hits.values())
        return remembered + sum(segment.memory_bytes() for segment in segments.values())

    def _segment(self, number: int, count: int, *, ignore_case: bool) -> TextColumns:
        """A segment laid out as far as `count` texts; while it grows, nearly so far."""
        segment = self._segments.get((number, ignore_case))
        enough = count if count == SEGMENT_TEXTS else count - _FEW
        if segment is None or len(segment) < enough:
            start = number * SEGMENT_TEXTS
            segment, has_case = self._laid_out(start, start + count, ignore_case=ignore_case)
            self._segments[number, ignore_case] = segment
            if not has_case:
                self._segments[number, not ignore_case] = segment
        return segment

    def _laid_out(self, first: int, stop: int, *, ignore_case: bool) -> tuple[TextColumns, bool]:
        """Texts in their case, or without it, and whether that makes a difference."""
        joined = self._joined(first, stop)
        folded = _casefolded(joined)
        return TextColumns.of_joined(join_texts(folded if ignore_case else joined)), folded != joined

    def _joined(self, first: int, stop: int) -> str | list[str]:
        """The texts of a range as the lines of one; as a list where one of them has several lines itself."""
        texts = self._texts(first, stop)
        lines = "\n".join(texts)
        return lines if lines.count("\n") == len(texts) - 1 else texts

    def _find_in_whole(self, pattern: TextPattern, numbers: range, *, ignore_case: bool) -> Mask:
        """For each text of whole segments whether it fits."""
        key = pattern, ignore_case
        hits = self._hits.pop(key, None)
        if hits is None or not hits.first <= numbers.start <= hits.stop:
            hits = _Hits(numbers.start)
        self._hits[key] = hits  # the last in line to be forgotten
        if len(self._hits) > _PATTERNS_KEPT:
            del self._hits[next(iter(self._hits))]
        hits.extend(
            self._segment(number, SEGMENT_TEXTS, ignore_case=ignore_case).find(pattern)
            for number in range(hits.stop, numbers.stop)
        )
        return hits.of(numbers)

    def _find_in_part(self, pattern: TextPattern, first: int, stop: int, *, ignore_case: bool) -> Mask:
        """For each text of a part of a segment whether it fits."""
        number, start = divmod(first, SEGMENT_TEXTS)
        start = first - start
        known = self._segments.get((number, ignore_case))
        laid_out = start + (len(known) if known is not None else 0)
        if stop - max(first, laid_out) > _FEW:
            known = self._segment(number, stop - start, ignore_case=ignore_case)
            laid_out = start + len(known)
        if known is None or first >= laid_out:
            return self._find_singly(pattern, first, stop, ignore_case=ignore_case)
        hits = known.find(pattern)[first - start : stop - start]
        if laid_out >= stop:
            return hits
        rest = self._find_singly(pattern, laid_out, stop, ignore_case=ignore_case)
        return np.concatenate([hits, rest])

    def _find_singly(self, pattern: Pattern, first: int, stop: int, *, ignore_case: bool) -> Mask:
        texts = self._texts(first, stop)
        if ignore_case and isinstance(pattern, TextPattern):
            texts = [*map(str.casefold, texts)]
        return np.fromiter(map(pattern.matches, texts), np.bool_, stop - first)


class _Hits:
    """What a pattern found in whole segments that follow one another, a bit for each text.

    Attributes:
        first: The number of the first segment.
        bits: Those of all segments.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self.bits = np.zeros(0, np.uint8)

    @property
    def stop(self) -> int:
        """The number of the segment after the last one."""
        return self.first + len(self.bits) // _SEGMENT_BYTES

    def extend(self, found: Iterable[Mask]) -> None:
        """Add segments."""
        new = [np.packbits(mask) for mask in found]
        if new:
            self.bits = np.concatenate([self.bits, *new])

    def of(self, numbers: range) -> Mask:
        """For each text of some of the segments whether it was found."""
        start = (numbers.start - self.first) * _SEGMENT_BYTES
        return np.unpackbits(self.bits[start : start + len(numbers) * _SEGMENT_BYTES]).view(np.bool_)

    def forget_before(self, number: int) -> None:
        """Let go of segments before one."""
        if number > self.first:
            self.bits = self.bits[(number - self.first) * _SEGMENT_BYTES :].copy()
            self.first = number


def join_texts(texts: str | list[str]) -> bytes:
    """Texts, or the lines of one, with a separator before, between and after them."""
    if isinstance(texts, str):
        # Encoded at once, which takes a tenth of the time of one after the other.
        return SEPARATOR + encoded(texts).replace(b"\n", SEPARATOR) + SEPARATOR
    return SEPARATOR + SEPARATOR.join(map(encoded, texts)) + SEPARATOR


def _casefolded(texts: str | list[str]) -> str | list[str]:
    return texts.casefold() if isinstance(texts, str) else [*map(str.casefold, texts)]
