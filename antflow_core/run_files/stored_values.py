"""Stored values: what of ids and metadata a file can hold, and how they are written as JSON.

``str, int, float, bool, None`` and ``bytes`` come back as they were; anything else as its `repr`. Nothing is
ever executed in reading.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from numbers import Integral
from types import NoneType
from typing import Any, Final

from antflow_core.history.dictionaries import safe_text

GONE: Final = object()
"""Stands for the id of an item that has left its log."""

_PLAIN: Final = frozenset({str, int, float, bool, NoneType})
"""Types that JSON gives back as they were."""
_STORED: Final = _PLAIN | {bytes}
_MAX_DEPTH: Final = 20
"""Lists and dicts further inside are kept as text; a list may contain itself."""
_MAX_BITS: Final = 10_000
"""Python refuses to write larger numbers in decimal."""


def stored_id(item_id: object) -> object:
    """What is kept of an id: itself, an equal value of a plain type, or its repr."""
    if type(item_id) in _STORED or item_id is GONE:
        return item_id
    try:
        return _plain_equal(item_id)
    except Exception:  # noqa: BLE001  the caller's class may raise anything
        return safe_text(item_id, repr)


def stored_ids(ids: Sequence[object]) -> Sequence[object]:
    """The same for many; plain ones, which are the rule, cost next to nothing."""
    return ids if _STORED.issuperset(map(type, ids)) else [*map(stored_id, ids)]


def encode_ids(ids: Sequence[object]) -> str:
    """Stored ids as a JSON list."""
    if _PLAIN.issuperset(map(type, ids)):
        try:
            return json.dumps(ids, separators=(",", ":"))
        except ValueError:  # a number of thousands of digits
            pass
    return json.dumps([*map(_coded, ids)], separators=(",", ":"))


def decode_ids(text: str) -> list[object]:
    """What `encode_ids` wrote."""
    ids: list[object] = json.loads(text)
    if "[" not in text[1:]:
        return ids
    return [_decoded(coded) if isinstance(coded, list) else coded for coded in ids]


def stored_note(value: Any, depth: int = 0) -> Any:
    """What is kept of an event's metadata: plain values, lists and dicts of them, else its repr."""
    kind = type(value)
    if kind is int and value.bit_length() > _MAX_BITS:
        return hex(value)
    if kind in _PLAIN:
        return value
    if depth < _MAX_DEPTH:
        if kind is dict and all(type(key) is str for key in value):
            return {key: stored_note(each, depth + 1) for key, each in value.items()}
        if kind is list:
            return [stored_note(each, depth + 1) for each in value]
    return safe_text(value, repr)


def stored_text(text: str) -> str | bytes:
    """A text as a database takes it: one that is no valid Unicode as bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def text_of(stored: str | bytes) -> str:
    """What `stored_text` was given."""
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogatepass")


def _plain_equal(item_id: object) -> object:
    """An equal value of a plain type, where the id is of a subclass, or a number of another library."""
    if isinstance(item_id, str):
        return str.__str__(item_id)
    if isinstance(item_id, bytes):
        return memoryview(item_id).tobytes()
    if isinstance(item_id, float):
        return float.__float__(item_id)
    if isinstance(item_id, Integral):
        number = int(item_id)
        if number == item_id and hash(number) == hash(item_id):
            return number
    return repr(item_id)


def _coded(item_id: object) -> object:
    """An id as JSON can hold it; a list where JSON has no such value."""
    if item_id is GONE:
        return []
    if isinstance(item_id, bytes):
        return ["bytes", base64.b64encode(item_id).decode("ascii")]
    if isinstance(item_id, int) and item_id.bit_length() > _MAX_BITS:
        return ["int", hex(item_id)]
    return item_id


def _decoded(coded: list[str]) -> object:
    match coded:
        case ["bytes", text]:
            return base64.b64decode(text)
        case ["int", text]:
            return int(text, 16)
    return GONE
