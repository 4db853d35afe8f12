"""How numbers read to a person, in the terminal and in the app: counts, durations, rates, sizes."""

from __future__ import annotations

_MINUTE_S = 60.0
_HOUR_S = 3600.0


def format_count(count: int) -> str:
    """A count with thousands separators: ``41,204``."""
    return f"{count:,}"


def short_count(count: int) -> str:
    """A count where there is little room: ``41,204``, ``5.2 M``."""
    return f"{_digits(count / 1e6)} M" if count >= 999_500 else format_count(count)


def format_duration(seconds: float) -> str:
    """A duration in the unit a person would choose: ``87 ms``, ``6.4 s``, ``3 min 12 s``, ``2 h 5 min``."""
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.0995:
        return f"{_digits(seconds * 1e3)} ms"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_clock(seconds: float) -> str:
    """Time elapsed as a clock shows it: ``0:06.4``, ``12:40``, ``1:02:03``."""
    if seconds < _MINUTE_S:
        tenths = int(seconds * 10)
        return f"0:{tenths // 10:02d}.{tenths % 10}"
    whole = int(seconds)
    if whole < _HOUR_S:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def tight_count(count: int) -> str:
    """A count where there is hardly any room: ``41.2k``, ``5.2M``."""
    if count >= 999_500:
        return f"{_digits(count / 1e6)}M"
    return f"{_digits(count / 1e3)}k" if count >= 1_000 else str(count)


def format_rate(per_second: float | None) -> str:
    """A rate with two or three digits: ``317/s``, ``4.2/s``, ``12.3k/s``; ``–`` while there is none."""
    if per_second is None:
        return "–"
    if per_second >= 999_500:
        return f"{_digits(per_second / 1e6)}M/s"
    if per_second >= 9_995:
        return f"{_digits(per_second / 1e3)}k/s"
    if per_second >= 999.5:
        return f"{per_second:,.0f}/s"
    return f"{_digits(per_second)}/s"


def format_bytes(size: float) -> str:
    """A size in memory or on disk, in powers of ten: ``2.1 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" else f"{_digits(size)} {unit}"
        size /= 1000
    return f"{_digits(size)} TB"


def format_percent(part: int, whole: int) -> str:
    """A share as a percentage that reaches 100 only when it is complete: ``62 %``."""
    if whole <= 0:
        return "0 %"
    return f"{part * 100 // whole} %"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """A count with its noun: ``1 item``, ``2,300 items``."""
    return f"{format_count(count)} {noun if count == 1 else many or noun + 's'}"


def _digits(value: float) -> str:
    """Two or three significant digits, never in exponent form."""
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}"
