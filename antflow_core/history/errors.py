"""Exceptions as they are recorded: type, message and traceback text each stored once and each cut at a size.

A traceback is stored as a template whose message places are slots, so a million failures at one line of code
with a million messages share one text. The causes and the members of an exception group are part of the
template; their messages are stored together as the error's details.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Final

from antflow_core.history.dictionaries import safe_text
from antflow_core.history.endings import is_ending
from antflow_core.history.records import ErrorRecord
from antflow_core.history.tracebacks import Link, links_of

MESSAGE_CHARS: Final = 2_000
TRACEBACK_CHARS: Final = 16_000
DETAILS_CHARS: Final = 8_000
"""Messages of causes and group members, and notes, together."""
MAX_NOTES: Final = 10
"""Notes shown of one exception."""

_SLOT: Final = "\x00"
_OUTER: Final = "\x01"


@dataclass(frozen=True, slots=True)
class ErrorParts:
    """An error as it is stored: the texts that a file or another log needs to hold the same error."""

    type_name: str
    message: str
    template: str
    details: str


def filled_traceback(parts: ErrorParts) -> str:
    """A traceback as readers see it: the template with every message in its place."""
    pieces = parts.template.split(_SLOT)
    return "".join(f"{piece}{text}" for piece, text in zip(pieces, [*_filling(parts)[0], ""], strict=False))


def marked_traceback(parts: ErrorParts) -> tuple[str, list[int]]:
    """A traceback as readers see it, and where messages stand in it, for `parts_of_traceback`.

    Returns:
        The text; and the number of the exception's own message, then begin and end of each. Nothing for a
        text that was not made from messages.
    """
    text = filled_traceback(parts).replace(_SLOT, "\ufffd")
    filled, own = _filling(parts)
    pieces = parts.template.split(_SLOT)
    if len(pieces) != len(filled) + 1:
        return text, []
    places, at = [own], 0
    for piece, message in zip(pieces, filled, strict=False):
        at += len(piece)
        places += (at, at + len(message))
        at += len(message)
    found = parts_of_traceback(parts.type_name, parts.message, text, places)
    return text, places if found == parts else []


def parts_of_traceback(type_name: str, message: str, traceback: str, places: Sequence[int]) -> ErrorParts:
    """The stored texts of an error from what `marked_traceback` gave.

    Raises:
        ValueError: The places are not those of a traceback.
    """
    if not places:
        # Two empty details, so that no message is put behind a text that may have it already.
        return ErrorParts(type_name, message, traceback.replace(_SLOT, "\ufffd"), _SLOT)
    own, *bounds = places
    cuts = [0, *bounds, len(traceback)]
    if len(cuts) % 2 or sorted(cuts) != cuts or own >= len(bounds) // 2:
        raise ValueError("messages are not where they should be in a traceback")
    details = [traceback[begin:end] for begin, end in zip(bounds[::2], bounds[1::2], strict=True)]
    if own >= 0:
        details[own] = _OUTER + details[own].removeprefix(_colon(message))
    template = _SLOT.join(traceback[begin:end] for begin, end in zip(cuts[::2], cuts[1::2], strict=True))
    joined = _SLOT.join(details)
    return ErrorParts(type_name, message, template, "" if joined == _OUTER else joined)


class _Texts(dict[str, int]):
    """Distinct texts with an index each.

    Attributes:
        texts: Each at its index; empty where it was forgotten.
        chars: How long they are together.
    """

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.chars = 0
        self._uses = array("i")

    def __missing__(self, text: str) -> int:
        index = self[text] = len(self.texts)
        self.texts.append(text)
        self.chars += len(text)
        self._uses.append(0)
        return index

    def use(self, index: int) -> None:
        """One more error has the text."""
        self._uses[index] += 1

    def give_up(self, index: int) -> None:
        """One error less has the text; with the last it is forgotten."""
        self._uses[index] -= 1
        if not self._uses[index]:
            text, self.texts[index] = self.texts[index], ""
            self.chars -= len(text)
            del self[text]


class ErrorTable:
    """Every distinct error with an index, its four texts shared with the others.

    Attributes:
        endings: The indexes of those that an item ends with which has not failed, see `endings`.
    """

    def __init__(self) -> None:
        self._columns = (_Texts(), _Texts(), _Texts(), _Texts())
        self._rows = tuple(array("i") for _ in self._columns)
        self.endings: list[int] = []
        self._indexes: dict[tuple[int, int, int, int], int] = {}
        self._templates: dict[tuple[object, ...], str] = {}
        # A key names code objects by id; holding them keeps the ids from being given away.
        self._codes: list[list[CodeType]] = []

    def __len__(self) -> int:
        return len(self._rows[0])

    def index(self, error: BaseException) -> int:
        """The index under which an exception is recorded; the exception itself is not kept."""
        links = links_of(error)
        room = DETAILS_CHARS // len(links)
        details = _SLOT.join([_detail(link.error, room, is_outer=link.error is error) for link in links])
        return self.add(
            ErrorParts(
                type(error).__name__,
                _cut(_message(error), MESSAGE_CHARS),
                self._template(links),
                "" if details == _OUTER else details,
            )
        )

    def add(self, parts: ErrorParts) -> int:
        """The index of an error given by its stored texts."""
        types, messages, templates, details = self._columns
        key = (
            types[parts.type_name],
            messages[parts.message],
            templates[parts.template],
            details[parts.details],
        )
        index = self._indexes.get(key)
        if index is None:
            index = self._indexes[key] = len(self)
            self._add_row(key)
        return index

    def append(self, parts: ErrorParts) -> None:
        """Add an error with the next index, also where one like it is there."""
        texts = (parts.type_name, parts.message, parts.template, parts.details)
        types, messages, templates, details = (
            column[text] for column, text in zip(self._columns, texts, strict=True)
        )
        key = (types, messages, templates, details)
        self._indexes.setdefault(key, len(self))
        self._add_row(key)

    def forget(self, index: int) -> None:
        """Let go of an error's texts, except its type; should it come again it gets another index."""
        key = self._row(index)
        if self._indexes.get(key) != index:
            return  # it has been forgotten already
        del self._indexes[key]
        for column, text in zip(self._columns[1:], key[1:], strict=True):
            column.give_up(text)

    def parts(self, index: int) -> ErrorParts:
        """The stored texts of an error."""
        if not 0 <= index < len(self):
            raise IndexError(f"no error {index}; there are {len(self)}")
        return ErrorParts(
            *(column.texts[at] for column, at in zip(self._columns, self._row(index), strict=True))
        )

    def record(self, index: int) -> ErrorRecord:
        """An error as readers see it, its messages put back into the traceback."""
        parts = self.parts(index)
        return ErrorRecord(parts.type_name, parts.message, filled_traceback(parts))

    def type_name(self, index: int) -> str:
        """An error's class."""
        return self._columns[0].texts[self._rows[0][index]]

    def search_texts(self, first: int, stop: int) -> list[str]:
        """What a search for words looks at of a range of errors: type and message."""
        types, messages = (
            map(column.texts.__getitem__, row[first:stop])
            for column, row in zip(self._columns[:2], self._rows[:2], strict=True)
        )
        return [*map("{}: {}".format, types, messages)]

    @property
    def type_names(self) -> Sequence[str]:
        """The distinct type names, in the order they were first seen; the sequence grows with the table."""
        return self._columns[0].texts

    def type_indexes(self, first: int, stop: int) -> Sequence[int]:
        """For each error of a range its index in `type_names`."""
        return self._rows[0][first:stop]

    def memory_bytes(self) -> int:
        """Texts with about 160 bytes of string head and dictionary entry each, and 180 for an error.

        Of one that was forgotten its indexes stay, about 40 bytes.
        """
        texts = sum(column.chars + 160 * len(column) + 12 * len(column.texts) for column in self._columns)
        return texts + 180 * len(self._indexes) + 24 * len(self)

    def _row(self, index: int) -> tuple[int, int, int, int]:
        """Where the four texts of an error are."""
        types, messages, templates, details = self._rows
        return types[index], messages[index], templates[index], details[index]

    def _add_row(self, key: tuple[int, int, int, int]) -> None:
        types, messages, *_ = self._columns
        if is_ending(types.texts[key[0]], messages.texts[key[1]]):
            self.endings.append(len(self))
        for column, row, text in zip(self._columns, self._rows, key, strict=True):
            row.append(text)
            column.use(text)

    def _template(self, links: list[Link]) -> str:
        codes: list[CodeType] = []
        key: list[object] = []
        for link in links:
            key += (link.heading, link.type_name, link.frames.left_out)
            for entry in link.frames.shown:
                code = entry.tb_frame.f_code
                codes.append(code)
                key += (id(code), entry.tb_lineno)
        found = self._templates.get(tuple(key))
        if found is None:
            found = self._templates[tuple(key)] = _format_template(links)
            self._codes.append(codes)
        return found


def _format_template(links: list[Link]) -> str:
    room = TRACEBACK_CHARS // len(links)
    return "".join(
        f"{link.heading}{_cut_middle(link.frames.text(), room)}{link.type_name}{_SLOT}" for link in links
    )


def _detail(error: BaseException, size: int, *, is_outer: bool) -> str:
    """What stands in an exception's slot; of the recorded one its notes, for its message is apart."""
    noted = "".join(f"\n{note}" for note in _notes(error))
    if is_outer:
        return _OUTER + _cut_middle(noted, size)
    return _cut_middle(_colon(_message(error)) + noted, size)


def _notes(error: BaseException) -> list[str]:
    """The first notes, which the raising code wrote, and the last; one exception may gather thousands."""
    notes = getattr(error, "__notes__", None)
    if not isinstance(notes, list):
        return []
    left_out = len(notes) - MAX_NOTES
    if left_out <= 0:
        return [safe_text(note) for note in notes]
    half = MAX_NOTES // 2
    shown = [safe_text(note) for note in notes[:half] + notes[-half:]]
    return [*shown[:half], f"… {left_out:,} more notes …", *shown[half:]]


def _filling(parts: ErrorParts) -> tuple[list[str], int]:
    """What stands in each slot, and which of them is the recorded exception's own."""
    details = (parts.details or _OUTER).split(_SLOT)
    own = next((place for place, detail in enumerate(details) if detail.startswith(_OUTER)), -1)
    filled = [*details]
    if own >= 0:
        filled[own] = _colon(parts.message) + details[own][1:]
    return filled, own


def _message(error: BaseException) -> str:
    return safe_text(error).replace(_SLOT, "\ufffd")


def _colon(message: str) -> str:
    return f": {message}" if message else ""


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"


def _cut_middle(text: str, size: int) -> str:
    """A text cut so that its end, which says most in a traceback, stays longest."""
    if len(text) <= size:
        return text
    head = size // 4
    return f"{text[:head]}\n  …\n{text[len(text) - (size - head - 5) :]}"
