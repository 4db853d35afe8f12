"""The values of items at stages as short texts, for recordings that are asked to keep them."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from antflow_core.arguments import whole_number

_MOST_BYTES: Final = 1_000_000
_DEPTH: Final = 6


@dataclass(frozen=True, slots=True)
class ValueCapture:
    """What a recording keeps of items' values: the repr of each that comes to a stage or out of the last one.

    Args:
        max_bytes: Where a text is cut, in UTF-8; long lists and strings are shortened before that.
        redact: Called with the stage's name (None for what comes out) and the value; what it returns stands
            in the value's stead. An exception in it keeps the value out of the file.

    Raises:
        ValueError: `max_bytes` is out of range.
        TypeError: `max_bytes` is no whole number, or `redact` cannot be called.
    """

    max_bytes: int = 200
    redact: Callable[[str | None, Any], Any] | None = None

    def __post_init__(self) -> None:
        if not 1 <= whole_number("max_bytes", self.max_bytes) <= _MOST_BYTES:
            raise ValueError(f"max_bytes must be from 1 to {_MOST_BYTES:,}, got {self.max_bytes!r}")
        if self.redact is not None and not callable(self.redact):
            raise TypeError(f"redact must be a function of stage name and value, got {self.redact!r}")

    def text(self, stage: str | None, value: Any) -> str:
        """What is kept of a value."""
        try:
            if self.redact is not None:
                value = self.redact(stage, value)
        except Exception as error:  # noqa: BLE001  the caller's function may raise anything
            return f"<not kept: redact raised {type(error).__name__}>"
        try:
            return self._cut(_brief(self.max_bytes).repr(value))
        except Exception:  # noqa: BLE001  the caller's __repr__ may raise anything
            return f"<unprintable {type(value).__name__}>"

    def _cut(self, text: str) -> str:
        octets = text.encode("utf-8", "backslashreplace")
        if len(octets) <= self.max_bytes:
            return octets.decode()
        return octets[: max(self.max_bytes - len("…".encode()), 0)].decode("utf-8", "ignore") + "…"


def _brief(size: int) -> reprlib.Repr:
    """What makes reprs that are about so long at most: a list of a million rows must not be written out."""
    brief = reprlib.Repr()
    brief.maxlevel = _DEPTH
    for name in ("maxtuple", "maxlist", "maxarray", "maxdict", "maxset", "maxfrozenset", "maxdeque"):
        setattr(brief, name, max(size // 2, 1))
    for name in ("maxstring", "maxlong", "maxother"):
        setattr(brief, name, max(size, 8))
    return brief
