"""Plain values: moments, durations and ids as texts that other programs read, and back without a loss."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.dictionaries import OVERFLOW_NAME, safe_text
from antflow_core.run_files.stored_values import GONE

_FLOAT_DIGITS: Final = "{:.7g}".format
"""Enough for most numbers in single precision; the others are given nine."""
_FIRST_DATE: Final = 2.0**29
_LAST_DATE: Final = 2.0**33
"""Between the two, 1987 and 2242, seven digits tell a number from its neighbours: they are 1.2e-7 apart."""
_KEPT_SECONDS: Final = 1_000
_MAX_BITS: Final = 10_000
"""Python refuses to write larger numbers in decimal."""


class UtcTexts:
    """Unix times as ISO 8601 in UTC, with digits enough to be read back as they were.

    Moments that follow each other share the second they are in, so it is put into words once.
    """

    def __init__(self) -> None:
        self._seconds: dict[int, str] = {}

    def of(self, times: NDArray[np.float64]) -> list[str]:
        """The text of each; a number that is no date of our days stays one."""
        if not len(times):
            return []
        if not (times.min() >= _FIRST_DATE and times.max() < _LAST_DATE):
            return [*map(self._odd, times.tolist())]
        seconds = np.floor(times)
        fractions = np.rint((times - seconds) * 1e7).astype(np.int64)
        different, places = np.unique(seconds, return_inverse=True)
        words = [self._second(int(second)) for second in different.tolist()]
        return [
            f"{words[place]}.{fraction:07}Z"
            for place, fraction in zip(places.tolist(), fractions.tolist(), strict=True)
        ]

    def _second(self, second: int) -> str:
        text = self._seconds.get(second)
        if text is None:
            if len(self._seconds) > _KEPT_SECONDS:
                self._seconds.clear()
            moment = datetime.fromtimestamp(second, UTC)
            text = self._seconds[second] = moment.strftime("%Y-%m-%dT%H:%M:%S")
        return text

    def _odd(self, time: float) -> str:
        second, _, fraction = repr(time).partition(".")
        if not fraction.isdigit() or second.startswith("-") or time >= _LAST_DATE:
            return repr(time)
        return f"{self._second(int(second))}.{fraction}Z"


def unix_time(text: str) -> float:
    """What `UtcTexts` was given.

    Raises:
        ValueError: It is no such text.
    """
    second, dot, fraction = text.removesuffix("Z").partition(".")
    if "T" not in second or not text.endswith("Z"):
        return float(text)
    whole = int(datetime.fromisoformat(f"{second}+00:00").timestamp())
    return float(f"{whole}{dot}{fraction}")


def duration_texts(durations: NDArray[np.float32], timed: str = "%s", not_timed: str = "") -> list[str]:
    """Seconds in single precision with no more digits than they have.

    Args:
        timed: What takes such a text.
        not_timed: What stands where nothing was timed.
    """
    texts = [not_timed] * len(durations)
    places = np.flatnonzero(~np.isnan(durations))
    values = durations[places]
    short = [*map(_FLOAT_DIGITS, values.tolist())]
    exact = np.fromiter(map(float, short), np.float32, len(short)) == values
    for at in np.flatnonzero(~exact).tolist():
        short[at] = f"{values[at]:.9g}"
    for place, text in zip(places.tolist(), map(timed.__mod__, short), strict=True):
        texts[place] = text
    return texts


def json_text(value: Any) -> str:
    """A value as JSON in one line; characters that no UTF-8 has are escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if is_unicode(text) else json.dumps(value, separators=(",", ":"))


def item_json(item_id: object) -> str:
    """A stored id as JSON; what JSON has no value for becomes an object that names its type."""
    match item_id:
        case str():
            return json_text(item_id)
        case bool() | None:
            return json.dumps(item_id)
        case int() if item_id.bit_length() > _MAX_BITS:
            return json.dumps({"int": hex(item_id)})
        case float() if not math.isfinite(item_id):
            return json.dumps({"float": repr(item_id)})
        case int() | float():
            return json.dumps(item_id)
        case bytes():
            return json.dumps({"bytes": base64.b64encode(item_id).decode("ascii")})
    return '{"gone":true}'


def item_of_json(value: Any) -> object:
    """What `item_json` was given.

    Raises:
        ValueError: It is no such value.
    """
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise ValueError("an item's id is a list")  # noqa: TRY004  the file is faulty, not its reader
        return value
    match value:
        case {"int": str(text)}:
            return int(text, 16)
        case {"float": str(text)}:
            return float(text)
        case {"bytes": str(text)}:
            return base64.b64decode(text)
        case {"gone": True}:
            return GONE
    raise ValueError(f"no type of item ids is {next(iter(value), 'empty')}")


def item_text(item_id: object) -> str:
    """A stored id as text, for where there is one type only."""
    return OVERFLOW_NAME if item_id is GONE else safe_text(item_id)


def item_type(item_id: object) -> str:
    """What a stored id was before it became a text."""
    return "gone" if item_id is GONE else type(item_id).__name__


def clean(text: str) -> str:
    """A text with characters that no UTF-8 has replaced by question marks in a diamond."""
    return text if is_unicode(text) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def per_item(items: NDArray[np.int32], texts: Callable[[NDArray[np.int32]], list[str]]) -> list[str]:
    """A text for each item, made once for each that is different."""
    different, places = np.unique(items, return_inverse=True)
    made = texts(different)
    return [made[place] for place in places.tolist()]
