"""Rounds: contestants measured in turn, because machines vary, and the table that says which bars are met.

A benchmark reads its options, measures in rounds, and adds its figures to a table::

    options = read_options(__doc__, rounds=(7, 3), items=(100_000, 20_000))
    table = Table("Throughput", options.markdown)
    rounds = interleave({"naive": measure_naive, "ours": measure_ours}, options.rounds)
    table.add("ours beside naive queues, items a second", rounds.ratio("naive", "ours"), "×", at_least(0.4))

What depends on the state of the heap or of the loop is measured in a process of its own, see
`tests.bench.child`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MARKDOWN_HEAD = "| what | measured | bar | met |\n|---|---|---|---|\n"
MET, MISSED = "yes", "no"
_JUDGEMENTS = {"": "", MET: "met", MISSED: "MISSED"}


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure is held to; made by `at_least` and `at_most`."""

    limit: float
    is_least: bool

    def met_by(self, value: float) -> bool:
        """Whether a value is good enough."""
        return value >= self.limit if self.is_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {self.limit:,g}"


def at_least(limit: float) -> Bar:
    """A bar that more is better for."""
    return Bar(limit, is_least=True)


def at_most(limit: float) -> Bar:
    """A bar that less is better for."""
    return Bar(limit, is_least=False)


@dataclass(frozen=True, slots=True)
class Spread:
    """What the rounds gave: the median, and how far they lay apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some values."""
        return cls(statistics.median(values), min(values), max(values))

    def times(self, factor: float) -> Spread:
        """The same in another unit."""
        return Spread(self.median * factor, self.least * factor, self.most * factor)


class Rounds:
    """What contestants measured, round by round.

    Args:
        measured: Each round's figures by contestant.
    """

    def __init__(self, measured: Sequence[Mapping[str, float]]) -> None:
        self._measured = measured

    def spread(self, name: str) -> Spread:
        """What one contestant measured."""
        return Spread.of([figures[name] for figures in self._measured])

    def ratio(self, name: str, beside: str) -> Spread:
        """How many times as much one measured as another in the same round."""
        return Spread.of([figures[name] / figures[beside] for figures in self._measured])


def interleave(contestants: Mapping[str, Callable[[], float]], rounds: int) -> Rounds:
    """Measure every contestant once a round; each round begins with the next one."""
    names = list(contestants)
    measured = []
    for number in range(rounds):
        first = number % len(names)
        measured.append({name: contestants[name]() for name in names[first:] + names[:first]})
    return Rounds(measured)


@contextmanager
def stopwatch(clock: Callable[[], float] = time.perf_counter) -> Iterator[Callable[[], float]]:
    """Gives what tells the seconds since the beginning; after the end, how long all took.

    Args:
        clock: ``time.process_time`` for what only computes, on one thread: then it does not count how busy
            the machine is with other work.
    """
    began = clock()
    ended: float | None = None
    yield lambda: (clock() if ended is None else ended) - began
    ended = clock()


def best_seconds(action: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of some goes at something that leaves nothing behind."""
    times = []
    for _ in range(repeats):
        with stopwatch() as elapsed:
            action()
        times.append(elapsed())
    return min(times)


def read_options(description: str | None, **sizes: tuple[int, int]) -> argparse.Namespace:
    """Read a benchmark's command line.

    Args:
        description: The module's docstring.
        **sizes: Numbers that can be given, by name: each with its value if none is, and the ``--quick`` one.

    Returns:
        The sizes by name, and ``markdown``, a path or None.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, for a first impression")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="add the figures to FILE as rows of a Markdown table"
    )
    for name, (full, quick) in sizes.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=_count, metavar="N", help=f"{full:,} if not given, quick {quick:,}")
    options = parser.parse_args()
    for name, values in sizes.items():
        if getattr(options, name) is None:
            setattr(options, name, values[options.quick])
    return options


class Table:
    """Prints each figure as it comes, beside its bar.

    Args:
        title: What is measured.
        markdown: A file that gets the figures too.
    """

    def __init__(self, title: str, markdown: Path | None = None) -> None:
        self._markdown = markdown
        if markdown is not None and not (markdown.exists() and markdown.stat().st_size):
            markdown.write_text(MARKDOWN_HEAD, encoding="utf-8")
        print(title, flush=True)

    def add(self, what: str, value: float | Spread, unit: str = "", bar: Bar | None = None) -> None:
        """Show a figure.

        Args:
            what: In words, with what it was measured by.
            value: One with a spread is shown and judged by its median.
            unit: ``×`` for ratios.
            bar: None for what is only told.
        """
        shown = _in_unit(value, unit)
        limit, met = "", ""
        if bar is not None:
            limit, met = str(bar), MET if bar.met_by(_median(value)) else MISSED
        print(f"{_line(what, value, unit)}{limit:>10}  {_JUDGEMENTS[met]}".rstrip(), flush=True)
        if self._markdown is not None:
            with self._markdown.open("a", encoding="utf-8") as file:
                file.write(f"| {what} | {shown} | {limit} | {met} |\n")

    def detail(self, what: str, value: float | Spread, unit: str = "") -> None:
        """Show a figure that is one of many, and does not belong among the results."""
        print(_line(what, value, unit).rstrip(), flush=True)

    def note(self, text: str) -> None:
        """Say something that is no figure."""
        print(f"  {text}", flush=True)


def _count(text: str) -> int:
    """A number as people write large ones: ``1e6``, ``100_000``."""
    return int(float(text))


def _median(value: float | Spread) -> float:
    return value.median if isinstance(value, Spread) else value


def _line(what: str, value: float | Spread, unit: str) -> str:
    between = f"{_shown(value.least)}–{_shown(value.most)}" if isinstance(value, Spread) else ""
    return f"  {what:<80}{_in_unit(value, unit):>13}{between:>16}"


def _in_unit(value: float | Spread, unit: str) -> str:
    return f"{_shown(_median(value))} {unit}".strip()


def _shown(value: float) -> str:
    """Three digits that count, or all before the point."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 1 else f"{value:.3g}"
