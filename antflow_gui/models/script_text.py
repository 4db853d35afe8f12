"""Texts that come from scripts, with anything in them, made fit for one line or a tool tip."""

from __future__ import annotations

import re
from html import escape

_FITS_A_LINE = 240
_LONGEST_TIP = 1_500
_LONGEST_WORD = 30
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""What nobody sees, or what turns the letters after it round: an id could pass for another one."""


def shown_name(text: str) -> str:
    """An id or another name as it can be read in one line; one with nothing to see as Python writes it."""
    if text.isprintable() and text.strip():
        return text
    line = _UNSEEN.sub(_escaped, " ".join(text.split()))
    return line or repr(text)


def breakable(text: str) -> str:
    """The same text with places at which a long word may go on in the next line.

    A label is never narrower than its longest word, and would push what is beside it out of sight.
    """
    return re.sub(rf"\S{{{_LONGEST_WORD}}}(?=\S)", "\\g<0>\u200b", text)


def plain_tip(text: str) -> str:
    """A tool tip that shows a text and nothing else, wrapped, and cut before it fills the screen.

    Qt takes for HTML what looks like it, an id ``<b>7</b>`` too, and does not wrap what does not.
    """
    longest_line = max(map(len, text.splitlines()), default=0)
    if "<" not in text and longest_line <= _FITS_A_LINE and len(text) <= _LONGEST_TIP:
        return text
    shown = text if len(text) <= _LONGEST_TIP else f"{text[:_LONGEST_TIP]}…"
    return f'<p style="white-space: pre-wrap">{escape(breakable(shown))}</p>'


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode()
