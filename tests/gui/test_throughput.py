"""The throughput plot: what it keeps, and axes that move only in steps."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from antflow_gui.plots.curve_axes import span_for, time_ticks, value_step, value_ticks
from antflow_gui.plots.throughput import ThroughputPlot
from antflow_gui.theme import Theme, ThemeMode


@pytest.fixture
def theme() -> Theme:
    return Theme(ThemeMode.LIGHT)


@pytest.fixture
def plot(qtbot: QtBot, theme: Theme) -> ThroughputPlot:
    plot = ThroughputPlot(theme)
    qtbot.addWidget(plot)
    plot.resize(700, 180)
    plot.set_stages(["Fetch", "Parse"])
    return plot


def test_before_a_run_the_plot_says_what_will_appear(plot: ThroughputPlot) -> None:
    assert not plot.empty_label.isHidden()
    assert plot.samples == 0


def test_rates_that_are_not_known_yet_are_no_sample(plot: ThroughputPlot) -> None:
    plot.append(0.1, [None, None])
    assert not plot.empty_label.isHidden()
    plot.append(0.2, [3.0, None])
    assert plot.empty_label.isHidden()
    assert plot.samples == 1


def test_the_last_minute_is_kept(plot: ThroughputPlot) -> None:
    for tick in range(400):
        plot.append(tick * 0.25, [10.0, 20.0])
    in_the_window, at_its_left_edge = 60 * 4 + 1, 1
    assert plot.samples == in_the_window + at_its_left_edge
    assert plot.span_s == 60.0


def test_the_time_axis_grows_in_steps_with_the_run(plot: ThroughputPlot) -> None:
    spans = []
    for second in (1, 9, 15, 25, 45, 90):
        plot.append(float(second), [1.0, 1.0])
        spans.append(plot.span_s)
    assert spans == [10.0, 10.0, 20.0, 30.0, 60.0, 60.0]


def test_the_value_axis_grows_at_once_and_shrinks_late(plot: ThroughputPlot) -> None:
    plot.append(0.0, [90.0, 80.0])
    first = plot.top
    assert first >= 90
    plot.append(30.0, [60.0, 50.0])
    assert plot.top == first
    plot.append(31.0, [400.0, 50.0])
    grown = plot.top
    assert grown >= 400
    plot.append(80.0, [100.0, 50.0])
    assert plot.top == grown
    plot.append(92.0, [100.0, 50.0])
    plot.append(145.0, [100.0, 50.0])
    assert 100 <= plot.top < grown


def test_clearing_keeps_the_stages(plot: ThroughputPlot) -> None:
    plot.append(5.0, [3.0, 4.0])
    plot.clear()
    assert plot.samples == 0
    assert not plot.empty_label.isHidden()
    plot.append(0.5, [3.0, 4.0])
    assert plot.samples == 1


def test_other_stages_bring_other_curves(plot: ThroughputPlot) -> None:
    plot.append(1.0, [1.0, 2.0])
    plot.set_stages(["Only"])
    plot.append(1.0, [5.0])
    assert plot.legend.toolTip() == "Only"
    assert plot.samples == 1


def test_rates_of_zero_are_drawn_on_the_base_line(plot: ThroughputPlot) -> None:
    plot.append(1.0, [0.0, 0.0])
    plot.append(2.0, [0.0, 0.0])
    assert plot.top > 0


def test_the_plot_follows_the_theme(plot: ThroughputPlot, theme: Theme) -> None:
    plot.append(1.0, [5.0, 9.0])
    plot.append(9.0, [6.0, 8.0])
    light = plot.grab().toImage()
    theme.set_mode(ThemeMode.DARK)
    assert plot.grab().toImage() != light


def test_a_legend_that_does_not_fit_still_names_all_in_its_tooltip(plot: ThroughputPlot) -> None:
    names = [f"A stage with a long name {number}" for number in range(12)]
    plot.set_stages(names)
    assert plot.legend.toolTip() == ", ".join(names)
    assert not plot.grab().isNull()


def test_the_name_of_one_stage_does_not_take_the_legend_from_all(plot: ThroughputPlot) -> None:
    plot.legend.resize(600, 20)
    plot.set_stages([])
    empty = plot.legend.grab().toImage()
    plot.set_stages(["N" * 500, "Next"])
    assert plot.legend.grab().toImage() != empty


def test_time_ticks_end_with_now() -> None:
    assert time_ticks(60.0) == [(0.0, "now"), (-20.0, "−20 s"), (-40.0, "−40 s")]
    assert time_ticks(10.0) == [(0.0, "now"), (-5.0, "−5 s")]
    assert span_for(0.0) == 10.0


@pytest.mark.parametrize(
    ("top", "words"),
    [
        (430.0, ["100", "200", "300", "400"]),
        (9.0, ["2", "4", "6", "8"]),
        (1.2, ["0.25", "0.5", "0.75", "1"]),
        (120_000.0, ["25k", "50k", "75k", "100k"]),
        (4.6e6, ["1M", "2M", "3M", "4M"]),
    ],
)
def test_value_ticks_are_round(top: float, words: list[str]) -> None:
    assert [word for _, word in value_ticks(value_step(top), top)] == words


def test_a_low_plot_has_fewer_numbers_one_above_the_other() -> None:
    assert [word for _, word in value_ticks(1000.0, 5000.0, most=3)] == ["2,000", "4,000"]
    assert [word for _, word in value_ticks(1000.0, 5000.0, most=0)] == ["5,000"]
