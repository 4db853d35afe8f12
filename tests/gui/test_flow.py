"""The stage cards, their queues and the bottleneck."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtWidgets import QScrollArea
from pytestqt.qtbot import QtBot

from antflow_gui.runs.progress import Bottleneck
from antflow_gui.theme import Theme, ThemeMode
from antflow_gui.views.flow import FlowView
from antflow_gui.views.queue_gauge import QueueGauge
from tests.gui.invented_progress import stage, stages

NAMES = ("Fetch", "Parse", "Save")


@pytest.fixture
def flow(qtbot: QtBot) -> Iterator[FlowView]:
    flow = FlowView(Theme(ThemeMode.LIGHT))
    qtbot.addWidget(flow)
    flow.resize(1400, 220)
    flow.show()
    qtbot.waitExposed(flow)
    yield flow
    flow.hide()


def test_a_card_says_how_its_stage_goes(flow: FlowView) -> None:
    flow.show_stages([stage("Parse", done=60, failed=2, retried=5, busy=3, rate=318.0)], None)
    card = flow.cards[0]
    assert (card.name_text.text, card.rate_text.text) == ("Parse", "318/s")
    assert (card.count_text.text, card.share_text.text) == ("62 of 100", "62 %")
    assert card.workers_text.text == "3/8"
    assert (card.failed.count, card.retried.count) == (2, 5)
    assert not card.no_failures.isVisible()


def test_a_card_without_a_known_total_counts_only(flow: FlowView) -> None:
    flow.show_stages([stage(done=60, total=None)], None)
    assert (flow.cards[0].count_text.text, flow.cards[0].share_text.text) == ("60 done", "")
    assert flow.cards[0].no_failures.isVisible()


def test_a_stage_that_is_done_has_no_rate_and_one_that_stalls_has_zero(flow: FlowView) -> None:
    flow.show_stages([stage("Fetch", 0, done=100, rate=0.0), stage("Parse", 1, done=99, rate=0.0)], None)
    assert [card.rate_text.text for card in flow.cards] == ["–", "0/s"]


def test_cards_are_updated_in_place_while_the_structure_stays(flow: FlowView) -> None:
    flow.show_stages(stages(*NAMES), None)
    before = list(flow.cards)
    flow.show_stages(stages(*NAMES, done=5, rate=2.0), None)
    assert flow.cards == before
    flow.show_stages(stages("Fetch", "Save"), None)
    assert [card.name_text.text for card in flow.cards] == ["Fetch", "Save"]
    assert len(flow.gauges) == 1


def test_a_curve_grows_with_each_rate_and_starts_anew_with_the_next_run(flow: FlowView) -> None:
    for done in (5, 9, 12):
        flow.show_stages(stages(*NAMES, done=done, rate=2.0), None)
    flow.show_stages(stages(*NAMES, done=12, rate=None), None)
    assert len(flow.cards[0].sparkline) == 3
    flow.show_stages(stages(*NAMES, done=0, rate=1.0), None)
    assert len(flow.cards[0].sparkline) == 1


def test_the_bottleneck_wears_a_frame_a_word_and_a_sentence(flow: FlowView) -> None:
    flow.show_stages(stages(*NAMES), Bottleneck(1, "Parse is the bottleneck."))
    assert [card.is_bottleneck for card in flow.cards] == [False, True, False]
    assert flow.cards[1].bottleneck_word.isVisible()
    assert flow.sentence.text == "Parse is the bottleneck."
    flow.show_stages(stages(*NAMES), None)
    assert not any(card.is_bottleneck for card in flow.cards)
    assert flow.sentence.text == ""


def test_a_bottleneck_that_comes_and_goes_moves_nothing(flow: FlowView) -> None:
    flow.show_stages(stages(*NAMES), None)
    before = [card.geometry() for card in flow.cards], flow.sizeHint()
    flow.show_stages(stages(*NAMES), Bottleneck(1, "Parse is the bottleneck."))
    assert ([card.geometry() for card in flow.cards], flow.sizeHint()) == before


def test_the_queue_between_two_cards_is_that_of_the_second(flow: FlowView) -> None:
    first, second = stage("Fetch", 0, queued=7), stage("Parse", 1, queued=16)
    flow.show_stages([first, second], None)
    assert [gauge.is_full for gauge in flow.gauges] == [True]
    assert flow.gauges[0].accessibleName() == "16 items wait for Parse; its queue holds 16 items"
    assert flow.cards[0].queued_text.text == "7 queued"
    assert flow.cards[1].queued_text.text == ""


def test_more_stages_than_fit_are_scrolled_not_squeezed(flow: FlowView) -> None:
    flow.show_stages(stages(*(f"Stage {number}" for number in range(12))), None)
    assert min(card.width() for card in flow.cards) >= 190
    scroll = flow.findChild(QScrollArea)
    assert isinstance(scroll, QScrollArea)
    assert scroll.horizontalScrollBar().maximum() > 0
    assert scroll.viewport().height() >= flow.cards[0].height()


def test_without_stages_the_view_says_what_will_come(flow: FlowView) -> None:
    flow.show_stages(stages(*NAMES), None)
    flow.clear("The stages appear here")
    assert flow.cards == []
    assert flow.empty_label.isVisible()
    assert flow.empty_label.text() == "The stages appear here"


def test_a_change_of_theme_recolours_the_cards(qtbot: QtBot) -> None:
    theme = Theme(ThemeMode.LIGHT)
    flow = FlowView(theme)
    qtbot.addWidget(flow)
    flow.show_stages(stages(*NAMES, done=40, failed=2, busy=4, rate=3.0), None)
    flow.resize(1400, 220)
    light = flow.cards[0].grab().toImage()
    theme.set_mode(ThemeMode.DARK)
    assert flow.cards[0].grab().toImage() != light


@pytest.mark.parametrize(
    ("queued", "capacity", "words", "full"),
    [
        (0, 0, "Parse takes its items straight from the stage before it", False),
        (1, None, "1 item waits for Parse", False),
        (23000, None, "23,000 items wait for Parse", False),
        (8, 10, "8 items wait for Parse; its queue holds 10 items", False),
    ],
)
def test_a_gauge_tells_its_queue_in_words(
    qtbot: QtBot, queued: int, capacity: int | None, words: str, full: bool
) -> None:
    gauge = QueueGauge("Parse", Theme(ThemeMode.LIGHT))
    qtbot.addWidget(gauge)
    gauge.set_queue(queued, capacity)
    assert (gauge.toolTip(), gauge.is_full) == (words, full)
    assert not gauge.grab().isNull()


@pytest.mark.parametrize("workers", [0, 1, 8, 400])
def test_workers_are_told_however_many_there_are(flow: FlowView, workers: int) -> None:
    busy = stage(workers=workers, busy=workers // 2)
    flow.show_stages([busy], None)
    card = flow.cards[0]
    idle = card.cells.grab().toImage()
    assert card.workers_text.text == (f"{workers // 2}/{workers}" if workers else "–")
    flow.show_stages([replace(busy, busy=workers)], None)
    assert (card.cells.grab().toImage() != idle) == (workers > 0)


def test_the_sentence_offers_its_remedy_while_workers_can_be_changed(flow: FlowView, qtbot: QtBot) -> None:
    held_up = stages(*NAMES, workers=4)
    bottleneck = Bottleneck(1, "Parse is the bottleneck.")
    flow.show_stages(held_up, bottleneck)
    assert not flow.remedy.isVisible()
    flow.set_can_change_workers(True)
    flow.show_stages(held_up, bottleneck)
    with qtbot.waitSignal(flow.workers_requested) as asked:
        flow.remedy.click()
    assert asked.args == ["Parse", 5]
    assert flow.remedy.x() <= flow.sentence.x() + flow.sentence.width() + 8
    flow.show_stages(held_up, None)
    assert not flow.remedy.isVisible()


def test_a_card_offers_more_and_fewer_workers_down_to_one(flow: FlowView, qtbot: QtBot) -> None:
    flow.set_can_change_workers(True)
    flow.show_stages([stage("Parse", workers=2)], None)
    card = flow.cards[0]
    for action, wanted in ((card.add_action, 3), (card.remove_action, 1)):
        with qtbot.waitSignal(flow.workers_requested) as asked:
            action.trigger()
        assert asked.args == ["Parse", wanted]
    flow.show_stages([stage("Parse", workers=1)], None)
    assert flow.cards[0] is card
    assert card.workers_text.text.endswith("/1")
    assert not card.remove_action.isEnabled()
