from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench.__main__ import benchmark_names
from tests.bench.child import ROOT, ChildError, in_child, run_process
from tests.bench.rounds import Rounds, Spread, Table, at_least, at_most, interleave

NEEDS_QT = {"event_loop"}


def double(number: int) -> int:
    return 2 * number


def fail() -> None:
    raise ValueError("a contestant that falls over")


def test_every_contestant_is_measured_once_a_round_and_begins_one_in_turn() -> None:
    order: list[str] = []

    def contestant(name: str) -> Callable[[], float]:
        def measure() -> float:
            order.append(name)
            return len(order)

        return measure

    interleave({name: contestant(name) for name in "abc"}, 3)
    assert "".join(order) == "abc" + "bca" + "cab"


def test_a_ratio_is_the_median_of_the_ratios_within_rounds() -> None:
    rounds = Rounds([{"a": 2, "b": 1}, {"a": 30, "b": 10}, {"a": 100, "b": 1}])
    assert rounds.ratio("a", "b") == Spread(3, 2, 100)
    assert rounds.spread("b") == Spread(1, 1, 10)


def test_a_bar_is_met_from_its_own_value_on() -> None:
    assert at_least(3).met_by(3) and not at_least(3).met_by(2.99)
    assert at_most(3).met_by(3) and not at_most(3).met_by(3.01)


def test_a_table_says_which_bars_are_met_on_paper_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paper = tmp_path / "figures.md"
    table = Table("Speed", paper)
    table.add("ours beside theirs", Spread(16, 14, 17), "×", at_least(15))
    table.add("late", 120.0, "ms", at_most(100))
    Table("More", paper).add("only told", 0.25)
    table.detail("not on paper", 7)
    assert paper.read_text(encoding="utf-8").splitlines()[2:] == [
        "| ours beside theirs | 16.0 × | ≥ 15 | yes |",
        "| late | 120 ms | ≤ 100 | no |",
        "| only told | 0.25 |  |  |",
    ]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Speed"
    assert lines[1].split() == ["ours", "beside", "theirs", "16.0", "×", "14.0–17.0", "≥", "15", "met"]
    assert lines[2].endswith("MISSED")


def test_a_child_hands_back_what_the_function_returns() -> None:
    assert in_child(double, 21) == 42


def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(ChildError, match="a contestant that falls over"):
        in_child(fail)


@pytest.mark.parametrize("name", benchmark_names())
def test_every_benchmark_says_what_it_measures(name: str) -> None:
    if name in NEEDS_QT:
        pytest.importorskip("PySide6")
    words = run_process([sys.executable, "-m", f"tests.bench.{name}", "--help"])
    assert "--quick" in words and "--markdown" in words


def test_a_benchmark_that_fails_does_not_hide_the_others() -> None:
    options = ["--quick", "--rounds", "nonsense"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "footprint", "growth", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "failed: footprint, growth" in done.stdout


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ChildError, match=r"no benchmark 'speed'; there are .*engine"):
        run_process([sys.executable, "-m", "tests.bench", "speed"])
