"""The axes of the plots: seconds before now, or since the start, below; round numbers at the left."""

from __future__ import annotations

import math

_SPANS_S = (10.0, 20.0, 30.0, 60.0)
_ELAPSED_STEPS_S = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
_MOST_ELAPSED_TICKS = 8
_MINUTE_S, _HOUR_S = 60.0, 3600.0
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_TICKS = 5


def span_for(elapsed_s: float) -> float:
    """Seconds the time axis covers: the least of a few spans that holds the run so far, at most a minute."""
    return next((span for span in _SPANS_S if elapsed_s <= span), _SPANS_S[-1])


def time_ticks(span_s: float) -> list[tuple[float, str]]:
    """Two or three labelled places on the time axis, ``now`` at its right end."""
    step = 5.0 if span_s <= 10 else 10.0 if span_s <= 30 else 20.0
    places = [-step * turn for turn in range(1, math.ceil(span_s / step))]
    return [(0.0, "now"), *((place, f"−{-place:.0f} s") for place in places)]


def elapsed_ticks(begin_s: float, end_s: float) -> list[tuple[float, str]]:
    """Round moments between two, in seconds since the start; clock times once they reach a minute."""
    step = _elapsed_step(end_s - begin_s)
    turns = range(math.ceil(begin_s / step - 1e-9), math.floor(end_s / step + 1e-9) + 1)
    return [(turn * step, _elapsed_words(turn * step, end_s)) for turn in turns]


def _elapsed_step(span_s: float) -> float:
    """The least round distance that leaves room between the ticks."""
    raw = span_s / _MOST_ELAPSED_TICKS
    if raw <= _ELAPSED_STEPS_S[0]:
        return min(value_step(span_s), 1.0)
    fitting = (step for step in _ELAPSED_STEPS_S if step >= raw)
    return next(fitting, math.ceil(raw / _HOUR_S) * _HOUR_S)


def _elapsed_words(at_s: float, end_s: float) -> str:
    if end_s < _MINUTE_S:
        return f"{at_s:g} s" if at_s >= 1e-3 or not at_s else f"{at_s * 1e3:g} ms"
    minutes, seconds = divmod(round(at_s), 60)
    return (
        f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
        if end_s >= _HOUR_S
        else f"{minutes}:{seconds:02d}"
    )


def value_step(top: float) -> float:
    """A round distance between ticks, so that at most five of them reach `top`."""
    raw = max(top, 1e-9) / _MOST_TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    return next(step * power for step in _STEPS if step * power >= raw * (1 - 1e-9))


def value_ticks(step: float, top: float, most: int = _MOST_TICKS) -> list[tuple[float, str]]:
    """Ticks up to `top`, one a step, or fewer where so many are too many; zero, the base line, has none."""
    steps = int(top / step + 1e-6)
    stride = max(1, math.ceil(steps / max(1, most)))
    return [(step * turn, _short(step * turn)) for turn in range(stride, steps + 1, stride)]


def _short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 10_000 else f"{value:,g}"
