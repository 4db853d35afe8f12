"""What is shown of an exception: the chain or group it belongs to, and a bounded part of each traceback."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

MAX_LINKS: Final = 12
"""Exceptions shown of one chain or group."""
FIRST_FRAMES: Final = 12
"""Frames shown before a gap: how the task was entered, or the latest of many raises of one exception."""
LAST_FRAMES: Final = 36
"""Frames shown after a gap."""
MAX_FRAMES: Final = 1_200
"""Frames looked at; more than a recursion that Python stops by itself."""
UNCOUNTED: Final = -1
"""Stands for the number of frames left out of a traceback with more than `MAX_FRAMES`."""

_CAUSE: Final = "\n\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\n\nDuring handling of the above exception, another exception occurred:\n\n"
_MEMBER: Final = "\n\nMember {number} of {count} of the group:\n\n"

_CORE: Final = f"{Path(__file__).resolve().parent.parent}{os.sep}"
# Examples ship inside the package once it is installed, and they are the user's code as far as an error goes.
_EXAMPLES: Final = f"{_CORE}_resources{os.sep}"
_CARRIERS: Final = (
    _CORE,
    f"{Path(asyncio.__file__).parent}{os.sep}",
    f"{Path(concurrent.futures.__file__).parent}{os.sep}",
)


@dataclass(frozen=True, slots=True)
class ShownFrames:
    """The entries of a traceback that are shown; a gap follows the first ones where some are left out.

    Attributes:
        shown: The entries, outermost first.
        left_out: How many are missing after the first `FIRST_FRAMES`, or `UNCOUNTED` missing at the end.
    """

    shown: list[TracebackType]
    left_out: int = 0

    def text(self) -> str:
        """The frames as Python prints them, from the user's first one on; all where none is the user's."""
        entries = self.shown
        first = FIRST_FRAMES if self.left_out > 0 else len(entries)
        lines = _format(_users(entries[:first]) or entries[:first])
        if self.left_out:
            count = "more" if self.left_out == UNCOUNTED else f"{self.left_out:,}"
            lines += [f"  … {count} frames left out …\n", *_format(entries[first:])]
        return "Traceback (most recent call last):\n" + "".join(lines) if lines else ""


@dataclass(frozen=True, slots=True)
class Link:
    """One exception of a chain or group, and the words that lead to it."""

    error: BaseException
    heading: str
    type_name: str
    frames: ShownFrames


def links_of(error: BaseException) -> list[Link]:
    """The exceptions to show for one, in the order Python prints them; of a long chain the end."""
    links: list[Link] = []
    _collect(error, "", links, set())
    return links


def _collect(error: BaseException, lead: str, links: list[Link], seen: set[int]) -> None:
    room = MAX_LINKS - len(links)
    chain: list[tuple[BaseException, str]] = []
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(chain) < room:
        seen.add(id(current))
        if current.__cause__ is not None:
            chain.append((current, _CAUSE))
            current = current.__cause__
        else:
            chain.append((current, _CONTEXT))
            current = None if current.__suppress_context__ else current.__context__
    for position, (link, heading) in enumerate(reversed(chain)):
        links.append(_link(link, heading if position else lead))
    if isinstance(error, BaseExceptionGroup):
        count = len(error.exceptions)
        for number, member in enumerate(error.exceptions[: MAX_LINKS - len(links)], 1):
            _collect(member, _MEMBER.format(number=number, count=count), links, seen)


def _link(error: BaseException, heading: str) -> Link:
    return Link(error, heading, _qualified_name(error), _shown_frames(error.__traceback__))


def _shown_frames(entry: TracebackType | None) -> ShownFrames:
    """Every raise of one exception object makes its traceback longer, so the way through it must end."""
    entries: list[TracebackType] = []
    for _ in range(MAX_FRAMES):
        if entry is None:
            break
        entries.append(entry)
        entry = entry.tb_next
    if entry is not None:
        return ShownFrames(entries[: FIRST_FRAMES + LAST_FRAMES], UNCOUNTED)
    left_out = len(entries) - FIRST_FRAMES - LAST_FRAMES
    if left_out <= 0:
        return ShownFrames(entries)
    return ShownFrames(entries[:FIRST_FRAMES] + entries[-LAST_FRAMES:], left_out)


def _users(entries: list[TracebackType]) -> list[TracebackType]:
    """The entries without the leading ones that only carry the user's code."""
    leading = 0
    while leading < len(entries) and _carries(entries[leading].tb_frame.f_code.co_filename):
        leading += 1
    return entries[leading:]


def _carries(filename: str) -> bool:
    """Whether a frame only carries the user's code: the engine, and what it awaits it with."""
    return filename.startswith(_CARRIERS) and not filename.startswith(_EXAMPLES)


def _format(entries: list[TracebackType]) -> list[str]:
    """Entries that follow each other, as Python prints them."""
    if not entries:
        return []
    return traceback.extract_tb(entries[0], len(entries)).format()


def _qualified_name(error: BaseException) -> str:
    kind = type(error)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
