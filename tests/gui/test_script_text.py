"""Texts from scripts are shown as they are, whatever is in them."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QTextDocument

from antflow_gui.models.script_text import breakable, plain_tip, shown_name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("order 17", "order 17"),
        ("שלום 12", "שלום 12"),
        ("two\nlines\tand more", "two lines and more"),
        ("", "''"),
        ("  ", "'  '"),
        ("\n", "'\\n'"),
        ("a\u202ecod.exe", "a\\u202ecod.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("bell\x07", "bell\\x07"),
        ("family \U0001f469\u200d\U0001f467", "family \U0001f469\u200d\U0001f467"),
    ],
)
def test_an_id_is_one_line_in_which_everything_can_be_seen(text: str, shown: str) -> None:
    assert shown_name(text) == shown


def test_a_tip_shows_markup_as_text_and_is_cut_at_a_size() -> None:
    assert plain_tip("order 17\nfailed") == "order 17\nfailed"
    document = QTextDocument()
    document.setHtml(plain_tip("<b>7</b> & co"))
    assert document.toPlainText() == "<b>7</b> & co"
    assert len(plain_tip("x" * 1_000_000)) < 2_000


def test_a_long_word_can_be_broken_and_a_short_one_stays_whole() -> None:
    text = f"short {'x' * 100} words"
    assert max(len(word) for line in [breakable(text)] for word in line.replace("\u200b", " ").split()) == 30
    assert breakable(text).replace("\u200b", "") == text
    assert breakable("order 17") == "order 17"
