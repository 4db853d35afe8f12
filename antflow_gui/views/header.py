"""The line above everything: what runs, how far it is, how fast, how long still, and the next act."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from antflow_core.link.protocol import RunState
from antflow_core.units import format_clock, format_count, plural
from antflow_gui.runs.progress import RunProgress
from antflow_gui.theme import Theme, set_kind, ui_font
from antflow_gui.views.icon_label import IconLabel
from antflow_gui.views.parts_bar import PartsBar
from antflow_gui.views.recorded_words import RecordedFacts
from antflow_gui.views.run_words import progress_tip, progress_words, range_words, rate_words, state_words
from antflow_gui.views.status_count import StatusCount
from antflow_gui.views.text_cell import TextCell

_COUNTED = ("completed", "failed", "retrying", "skipped")
_RIGHT = Qt.AlignmentFlag.AlignRight
_HEIGHT = 44
_GAP, _ROOMY_GAP = 8, 12
_ROOMY = 1200
"""A header as wide as this has room for wider gaps, and for a count on the button."""
_SCRIPT_WIDTH, _PROGRESS_WIDTH, _NAME_WIDTH = 123, 306, 44
"""The least of each; a window 1,024 wide has no more. Four counts of millions fit in, to three digits."""
_BUTTON_PADDING = 24
_SETTLED_S = 0.6
_RETRY = "Retry failed"


class RunHeader(QWidget):
    """Shows a run in one line; nothing in it moves when a number changes.

    Args:
        theme: Where colours come from.

    Signals:
        run_requested: Run, or Run again, was pressed.
        pause_requested: Pause was pressed, or Resume while the run is paused.
        retry_requested: The items that failed are to be tried again.
        stop_requested: Stop was pressed; once more, as Stop now, while the run is stopping.
        script_requested: The script of a recorded run is to be opened.
    """

    run_requested = Signal()
    pause_requested = Signal()
    retry_requested = Signal()
    stop_requested = Signal()
    script_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._name = ""
        self.state_icon = IconLabel(theme, 13)
        self.state_text = TextCell(theme, ui_font(13, 600))
        self.name_text = TextCell(theme, ui_font(15, 600), elide=Qt.TextElideMode.ElideMiddle)
        self.note_text = TextCell(theme, ui_font(12), "text_secondary")
        self.share_text = TextCell(theme, ui_font(15, 600))
        self.items_text = TextCell(theme, ui_font(13), "text_secondary")
        self.counts = {status: StatusCount(status, theme, px=13) for status in _COUNTED}
        self.bar = PartsBar(theme)
        self.rate_text, self.mean_text = self._figure("88.8k/s", "now · 88.8k/s mean", "88.8k/s mean")
        self.elapsed_text, self._elapsed_caption = self._figure("88:88:88", "elapsed")
        self.left_text, self._left_caption = self._figure("88–88 min", "left")
        self.pause_button = QPushButton("Resume")
        self.stop_button = QPushButton("Stop now")
        self.run_button = QPushButton("Run again")
        self.again_button = QPushButton("Run again")
        self.retry_button = QPushButton("Retry 8,888 failed")
        self.script_button = QPushButton("Open script")
        self._first_place, self._last_place = QStackedWidget(), QStackedWidget()
        self._offered_at = 0.0
        self._failed = 0
        self._elapsed_caption.set_text("elapsed")
        self._left_caption.set_text("left")
        self._row, self._figures = QHBoxLayout(self), QHBoxLayout()
        self._state = QWidget()
        self._script_lines = QHBoxLayout(), QHBoxLayout()
        self._last_widths = self._set_up_buttons()
        self._lay_out()
        theme.changed.connect(self._repaint)
        self.show_run("", "", RunState.READY, None)

    def show_run(
        self,
        name: str,
        note: str,
        state: RunState,
        progress: RunProgress | None,
        *,
        shorter_notes: Sequence[str] = (),
        paused: bool = False,
        can_retry: bool = True,
        given_up: int | None = 0,
        recorded: RecordedFacts | None = None,
    ) -> None:
        """Show a run.

        Args:
            name: The file name of the script or of the recorded run.
            note: How it runs: ``in the app · started 14:02:31``.
            state: Where the run stands.
            progress: Its figures; None before there are any.
            shorter_notes: The same as the note in fewer words, for narrow windows.
            paused: No item is taken until it is resumed.
            can_retry: Items that failed can be tried again now.
            given_up: Items that were cancelled, or given up with the run: neither completed nor failed; None
                while they are still counted.
            recorded: It is a recorded run, with which nothing can be done but to open its script.
        """
        if name != self._name:
            self._name = name
            for count in self.counts.values():
                count.reset()
        words = recorded.words if recorded is not None else state_words(state, progress, paused=paused)
        self.state_icon.set_icon(words.icon, words.role)
        self.state_text.set_role(words.role)
        if words.word != self.state_text.text:
            short = words.short or words.word
            self.state_text.set_text(words.word, short)
            self.state_text.reserve(words.word)
            self.state_text.give_way(self.state_text.text_width(short))
        self.name_text.set_text(name)
        self.note_text.set_text(note, *shorter_notes, "")
        for cell in (self.name_text, self.note_text):
            cell.set_tip(recorded.tip if recorded is not None else "")
        self._show_progress(progress, given_up or 0, is_over=state.is_over and given_up is not None)
        self._show_figures(progress, paused=paused)
        self._show_buttons(state, progress, paused=paused)
        self._show_retry(state, progress.failed if progress is not None and can_retry else 0)
        self._show_recorded(recorded)

    def _show_progress(self, progress: RunProgress | None, given_up: int, *, is_over: bool) -> None:
        nothing: tuple[str, tuple[str, ...]] = ("", ("",))
        share, items = (
            progress_words(progress, given_up, is_over=is_over) if progress is not None else nothing
        )
        self.share_text.set_text(share)
        self.share_text.setVisible(bool(share))
        self.items_text.set_text(*items)
        self.items_text.set_tip(progress_tip(items[0]))
        for status, count in _counts(progress).items():
            self.counts[status].set_count(count)
        self.bar.set_parts(_parts(progress), progress.total if progress is not None else None)
        self.bar.setAccessibleName(f"Progress: {share} {items[0]}".strip())

    def _show_figures(self, progress: RunProgress | None, *, paused: bool) -> None:
        if progress is None:
            self.rate_text.set_text("–")
            self.mean_text.set_text("items a second", "items/s")
            self.elapsed_text.set_text("–")
            self.left_text.set_text("–")
            return
        rate, *captions = rate_words(progress)
        self.rate_text.set_text(rate)
        self.mean_text.set_text(*captions)
        self.elapsed_text.set_text(format_clock(progress.elapsed_s), f"{progress.elapsed_s / 3600:.0f} h")
        self.left_text.set_text(range_words(None if paused else progress.remaining_s))

    def _show_buttons(self, state: RunState, progress: RunProgress | None, *, paused: bool) -> None:
        running = state in (RunState.RUNNING, RunState.STOPPING)
        self.pause_button.setEnabled(state is RunState.RUNNING)
        self.pause_button.setText("Resume" if paused else "Pause")
        self.pause_button.setToolTip(
            "Let the workers take items again"
            if paused
            else "Finish the items in hand and take no more for now"
        )
        self.run_button.setEnabled(bool(self._name) and not running)
        self.run_button.setText("Run" if state is RunState.READY or progress is None else "Run again")
        self.stop_button.setEnabled(running)
        stopping = state is RunState.STOPPING
        self.stop_button.setText("Stop now" if stopping else "Stop")
        self.stop_button.setToolTip(
            "Cancel the items in hand" if stopping else "Finish the items in hand, drop those that wait"
        )

    def _show_retry(self, state: RunState, failed: int) -> None:
        """Offer what failed to be tried again; it is then the next sensible act, and looks like it."""
        offered = bool(failed) and state is not RunState.STOPPING
        if offered:
            self._failed = failed
            self._fit_retry()
            self.retry_button.setToolTip(
                f"Try {plural(failed, 'failed item')} again, from the stage that failed"
            )
        self._last_place.setCurrentWidget(self.retry_button if offered else self.run_button)
        running = state in (RunState.RUNNING, RunState.STOPPING)
        first = self.again_button if offered and not running else self.pause_button
        if first is not self._first_place.currentWidget():
            self._first_place.setCurrentWidget(first)
            self._offered_at = time.monotonic()

    def _fit_retry(self) -> None:
        """Name the count where it fits; one that does not leaves the words whole, and is in the tool tip."""
        words = f"Retry {format_count(self._failed)} failed"
        room = self._last_place.width() - _BUTTON_PADDING
        fits = QFontMetrics(self.retry_button.font()).horizontalAdvance(words) <= room
        self.retry_button.setText(words if fits else _RETRY)

    def _show_recorded(self, recorded: RecordedFacts | None) -> None:
        """A recorded run can be neither stopped nor tried again; what made it can be run anew."""
        for live_part in (self._first_place, self.stop_button, self.left_text, self._left_caption):
            live_part.setVisible(recorded is None)
        if recorded is not None:
            self._last_place.setCurrentWidget(self.script_button)
            self.script_button.setEnabled(not recorded.hindrance)
            self.script_button.setToolTip(recorded.hindrance or "Open the script of this run to run it again")

    def _figure(
        self, widest: str, widest_caption: str, shorter_caption: str = ""
    ) -> tuple[TextCell, TextCell]:
        """A number above its caption, both right-aligned in a column as wide as the wider of them.

        With a shorter caption the column may be narrowed to that, where the window is.
        """
        number = TextCell(self._theme, ui_font(17, 600), "text", _RIGHT)
        caption = TextCell(self._theme, ui_font(11), "text_secondary", _RIGHT)
        number.reserve(widest)
        caption.reserve(widest_caption)
        width = max(number.width(), caption.width())
        number.setFixedWidth(width)
        caption.setFixedWidth(width)
        if shorter_caption:
            least = max(number.text_width(widest), caption.text_width(shorter_caption))
            number.give_way(least)
            caption.give_way(least)
        return number, caption

    def _set_up_buttons(self) -> tuple[int, int]:
        """Returns how wide the last place is to be in a narrow header and in a roomy one."""
        set_kind(self.run_button, "primary")
        set_kind(self.retry_button, "primary")
        set_kind(self.script_button, "primary")
        for place, buttons in self._places():
            # The longest of their words are in them now: the place keeps that width.
            width = max(button.sizeHint().width() for button in buttons)
            for button in buttons:
                button.setFixedHeight(28)
                if isinstance(place, QStackedWidget):
                    place.addWidget(button)
            place.setFixedSize(width, 28)
        roomy = self._last_place.width()
        self.retry_button.setText(_RETRY)
        last_buttons = (self.run_button, self.retry_button, self.script_button)
        for button in (self.run_button, self.again_button):
            button.setToolTip("Run the script from the start")
        self.pause_button.clicked.connect(self._request_pause)
        self.retry_button.clicked.connect(self._request_retry)
        self.run_button.clicked.connect(self._request_run)
        self.again_button.clicked.connect(self._request_again)
        self.stop_button.clicked.connect(self._request_stop)
        self.script_button.clicked.connect(self._request_script)
        return max(button.sizeHint().width() for button in last_buttons), roomy

    def _places(self) -> list[tuple[QWidget, tuple[QPushButton, ...]]]:
        """The places for buttons, each with those that take turns in it."""
        return [
            (self._first_place, (self.pause_button, self.again_button)),
            (self.stop_button, (self.stop_button,)),
            (self._last_place, (self.run_button, self.retry_button, self.script_button)),
        ]

    def _lay_out(self) -> None:
        row, figures = self._row, self._figures
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._script_block(), 4)
        row.addWidget(self._progress_block(), 5)
        for number, caption in (
            (self.rate_text, self.mean_text),
            (self.elapsed_text, self._elapsed_caption),
            (self.left_text, self._left_caption),
        ):
            figures.addLayout(_column(number, caption))
        row.addLayout(figures)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for place, _ in self._places():
            buttons.addWidget(place)
        row.addLayout(buttons)
        self.setFixedHeight(_HEIGHT)
        self._be_roomy(False)

    def _be_roomy(self, is_roomy: bool) -> None:
        """Give gaps and the last button all the room they like, or as little as they can do with."""
        for row in (self._row, self._figures):
            row.setSpacing(_ROOMY_GAP if is_roomy else _GAP)
        self._last_place.setFixedWidth(self._last_widths[int(is_roomy)])
        line = self._script_lines[0 if is_roomy else 1]  # where it is narrow the name has a line of its own
        if line.indexOf(self._state) < 0:
            line.insertWidget(0, self._state)
        if self._failed:
            self._fit_retry()

    def _script_block(self) -> QWidget:
        block = QWidget()
        block.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        block.setMinimumWidth(_SCRIPT_WIDTH)
        state = QHBoxLayout(self._state)
        state.setContentsMargins(0, 0, 0, 0)
        state.setSpacing(4)
        state.addWidget(self.state_icon)
        state.addWidget(self.state_text)
        column = QVBoxLayout(block)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for line, text in zip(self._script_lines, (self.name_text, self.note_text), strict=True):
            line.setSpacing(10)
            line.addWidget(text, 1)
            column.addLayout(line)
        self.name_text.setMinimumWidth(_NAME_WIDTH)
        return block

    def _progress_block(self) -> QWidget:
        block = QWidget()
        block.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        block.setMinimumWidth(_PROGRESS_WIDTH)
        line = QHBoxLayout()
        line.setSpacing(4)
        self.share_text.reserve("100 %")
        line.addWidget(self.share_text)
        line.addWidget(self.items_text, 1)
        for count in self.counts.values():
            line.addSpacing(2)
            line.addWidget(count)
        column = QVBoxLayout(block)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(line)
        column.addWidget(self.bar)
        return block

    @Slot()
    def _request_pause(self) -> None:
        self.pause_requested.emit()

    @Slot()
    def _request_retry(self) -> None:
        self.retry_requested.emit()

    @Slot()
    def _request_run(self) -> None:
        self.run_requested.emit()

    @Slot()
    def _request_again(self) -> None:
        """Run again, unless the click was meant for the button that stood there a moment ago."""
        if time.monotonic() - self._offered_at > _SETTLED_S:
            self.run_requested.emit()

    @Slot()
    def _request_stop(self) -> None:
        self.stop_requested.emit()

    @Slot()
    def _request_script(self) -> None:
        self.script_requested.emit()

    @Slot()
    def _repaint(self) -> None:
        self.update()

    def minimumSizeHint(self) -> QSize:
        """What it can do with, however roomy it is now: else a window could not be made narrow at once."""
        least = super().minimumSizeHint()
        gaps = self._row.count() - 1 + self._figures.count() - 1
        spare = self._last_place.width() - self._last_widths[0] + gaps * (self._row.spacing() - _GAP)
        return QSize(least.width() - spare, least.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._be_roomy(event.size().width() >= _ROOMY)


def _counts(progress: RunProgress | None) -> dict[str, int]:
    if progress is None:
        return dict.fromkeys(_COUNTED, 0)
    return {
        "completed": progress.completed,
        "failed": progress.failed,
        "retrying": progress.retried,
        "skipped": progress.skipped,
    }


def _parts(progress: RunProgress | None) -> list[tuple[str, int]]:
    if progress is None:
        return []
    return [
        ("completed", progress.completed),
        ("failed", progress.failed),
        ("in_progress", progress.in_hand),
    ]


def _column(number: TextCell, caption: TextCell) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(0)
    column.addWidget(number)
    column.addWidget(caption)
    return column
