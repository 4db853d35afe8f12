"""What a question in SQL gave: as a table, as CSV, or as JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from antflow_core.reports.screen import COLUMN_GAP, add_column, cell, make_table, one_line

_NUMBERS = (int, float, Decimal)
_TEXT_CELLS = 12
"""A text may be cut to so many cells."""


def answer_report(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int) -> RenderableType:
    """A table, or a paragraph a row where a table of so many columns would show next to nothing of them."""
    shown = [_Column(name, [row[place] for row in rows]) for place, name in enumerate(columns)]
    needed = sum(column.least_width for column in shown) + COLUMN_GAP * (len(shown) - 1)
    return _table(shown) if needed <= width else Group(*_paragraphs(shown, len(rows)))


class _Column:
    """What an answer has in one column, as text."""

    def __init__(self, name: str, values: Sequence[Any]) -> None:
        there = [value for value in values if value is not None]
        self.name = one_line(name)
        self.is_number = bool(there) and all(type(value) in _NUMBERS for value in there)
        self.is_text = any(isinstance(value, str | list | dict) for value in there)
        self.texts = [one_line(_text(value)) for value in values]

    @property
    def least_width(self) -> int:
        """How many cells it needs to be of use."""
        width = max(map(cell_len, (self.name, *self.texts)))
        return min(width, max(_TEXT_CELLS, cell_len(self.name))) if self.is_text else width


def _table(columns: Sequence[_Column]) -> Table:
    """A line a row; columns of numbers stand to the right."""
    table = make_table()
    for column in columns:
        add_column(table, column.name, right=column.is_number, cut=column.is_text)
    for texts in zip(*(column.texts for column in columns), strict=True):
        table.add_row(*map(cell, texts))
    return table


def _paragraphs(columns: Sequence[_Column], count: int) -> Iterator[RenderableType]:
    """A line a value; what a row does not have is left out."""
    widest = max(cell_len(column.name) for column in columns)
    for row in range(count):
        if row:
            yield Text()
        for column in columns:
            if column.texts[row]:
                yield Text.assemble((f"{column.name:<{widest}}  ", "bold"), column.texts[row])


def answer_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """A line of names, then a line a row."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")

    def line(values: Iterable[Any]) -> str:
        target.seek(0)
        target.truncate()
        writer.writerow(values)
        return target.getvalue()

    yield line(columns)
    yield from (line(map(_field, row)) for row in rows)


def answer_json_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """An object a row; of names that come again the further ones get a number."""
    names = _different(columns)
    for row in rows:
        values = dict(zip(names, map(_plain, row), strict=True))
        yield f"{json.dumps(values, ensure_ascii=False, separators=(',', ':'))}\n"


WRITERS: dict[str, Callable[[Sequence[str], Iterable[Sequence[Any]]], Iterator[str]]] = {
    "csv": answer_csv,
    "jsonl": answer_json_lines,
}


def _different(columns: Sequence[str]) -> list[str]:
    names: list[str] = []
    for column in columns:
        name, number = column, 0
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return names


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(_field(value) if isinstance(value, list | dict | bytes) else value)


def _field(value: Any) -> Any:
    """A value as CSV shows it: nothing for NULL, JSON for lists and structures."""
    plain = _plain(value)
    if isinstance(plain, list | dict):
        return json.dumps(plain, ensure_ascii=False)
    return str(plain).lower() if isinstance(plain, bool) else plain


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: moments in ISO 8601, intervals in seconds, what else there is as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value - value == 0 else None  # neither NaN nor infinite, which JSON has not
        case Decimal():
            return float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case list() | tuple():
            return [*map(_plain, value)]
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case bytes():
            return value.hex()
    return str(value)
