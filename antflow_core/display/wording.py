"""How a dashboard words its figures: amounts, shares, time left, what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antflow_core.units import format_count, format_duration, format_percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from antflow_core.types import ErrorSummary, FailedItem

_GROUPS_SHOWN = 10
_MESSAGE_WIDTH = 100


def amount(done: int, total: int | None) -> str:
    """``1,904 of 3,084``, or ``1,904`` where the total is not known."""
    return format_count(done) if total is None else f"{format_count(done)} of {format_count(total)}"


def share(done: int, total: int | None) -> str:
    """``62 %``; nothing where the total is not known."""
    if total is None:
        return ""
    return format_percent(min(done, total), total) if total else "100 %"


def left(remaining_s: float) -> str:
    """``7 s left``, ``3 min 12 s left``, ``< 1 s left``."""
    if remaining_s < 1:
        return "< 1 s left"
    return f"{format_duration(remaining_s) if remaining_s >= 59.5 else f'{remaining_s:.0f} s'} left"


def one_line(value: object, width: int = _MESSAGE_WIDTH) -> str:
    """Any value as one printable line, cut at `width`: an item's id or an error must not move the cursor."""
    printable = "".join(char if char.isprintable() else " " for char in str(value)[: width * 4])
    line = " ".join(printable.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def most_frequent(counts: Mapping[str, int], shown: int) -> str:
    """``SyntaxError 11, UnicodeDecodeError 3 and 2 more``."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    listed = ", ".join(f"{one_line(name, 40)} {format_count(count)}" for name, count in ordered[:shown])
    more = len(ordered) - shown
    return listed if more <= 0 else f"{listed} and {format_count(more)} more"


def outcome_line(completed: int, failed: int, skipped: int, total: int | None, elapsed_s: float) -> str:
    """``Completed 3,071 of 3,084, failed 13, skipped 0 in 9.8 s``."""
    counts = f"Completed {amount(completed, total)}, failed {format_count(failed)}"
    return f"{counts}, skipped {format_count(skipped)} in {format_duration(elapsed_s)}"


def error_lines(summary: ErrorSummary) -> list[str]:
    """A line for each kind of error and stage, the most frequent first, with the first item it struck."""
    groups: dict[tuple[str, str], list[FailedItem]] = {}
    for item in summary.failed_items:
        groups.setdefault((item.error_type, item.stage), []).append(item)
    ordered = sorted(groups.values(), key=len, reverse=True)
    lines = [_group_line(items) for items in ordered[:_GROUPS_SHOWN]]
    if len(ordered) > _GROUPS_SHOWN:
        lines.append(f"  and {format_count(len(ordered) - _GROUPS_SHOWN)} more kinds of error")
    return lines


def _group_line(items: list[FailedItem]) -> str:
    first = items[0]
    told = f"{one_line(first.item_id, 60)}: {one_line(first.error)}"
    label = "" if len(items) == 1 else "first "
    return f"  {format_count(len(items)):>6}  {first.error_type} in {first.stage}, {label}{told}"
