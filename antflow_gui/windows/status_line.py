"""The status bar: how late the loop is, what held it, events, their recording, and unexpected errors."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QLabel, QPushButton, QStatusBar, QWidget

from antflow_core.history.event_log import EventLog
from antflow_core.link.protocol import Recording
from antflow_core.units import format_bytes, format_count, format_duration, plural
from antflow_gui.faults import Fault
from antflow_gui.loop_monitor import LoopHold, LoopMonitor
from antflow_gui.theme import set_kind


class StatusLine(QStatusBar):
    """Quiet facts at the foot of the window.

    Args:
        monitor: Where the loop's lateness comes from.

    Signals:
        recording_requested: The user wants to see where the recording is.
        fault_requested(Fault): The user wants to see the newest unexpected error.
    """

    recording_requested = Signal()
    fault_requested = Signal(object)

    def __init__(self, monitor: LoopMonitor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._fault: Fault | None = None
        self._fault_counts: dict[tuple[str, str], int] = {}
        self.lateness = self._label(widest="Loop late p99 8,888 ms")
        self.events = self._label(widest="88,888,888 events in 8.88 GB")
        self.dropped = self._label(widest="888,888,888 older ones dropped")
        self.dropped.hide()
        self.recording_button = QPushButton()
        set_kind(self.recording_button, "link")
        self.addWidget(self.recording_button)
        self.recording_button.hide()
        self.hold = self._label()
        self.fault_button = QPushButton()
        set_kind(self.fault_button, "link")
        self.fault_button.hide()
        self.addPermanentWidget(self.fault_button)
        self.times = self._label("times since start", permanent=True)
        self.fault_button.clicked.connect(self._request_fault)
        self.recording_button.clicked.connect(self._request_recording)
        monitor.loop_held.connect(self.show_hold)

    def _label(self, text: str = "", *, widest: str = "", permanent: bool = False) -> QLabel:
        """A label; one whose text changes at each tick has a fixed size, or each lays out the window."""
        label = QLabel(text)
        set_kind(label, "secondary")
        if widest:
            label.ensurePolished()
            label.setFixedSize(label.fontMetrics().horizontalAdvance(widest), label.sizeHint().height())
        if permanent:
            self.addPermanentWidget(label)
        else:
            self.addWidget(label)
        return label

    def refresh(self, history: EventLog | None) -> None:
        """Show the figures of this moment."""
        self.lateness.setText(f"Loop late p99 {self._monitor.p99_ms:.0f} ms")
        if history is not None:
            memory = format_bytes(history.memory_bytes)
            self.events.setText(f"{plural(len(history), 'event')} in {memory}")
        else:
            self.events.setText("")
        dropped = history.dropped_events if history is not None else 0
        self.dropped.setText(f"{format_count(dropped)} older ones dropped" if dropped else "")
        self.dropped.setVisible(dropped > 0)

    def show_recording(self, recording: Recording | None, *, going_on: bool) -> None:
        """Say what is recorded, or was; a press shows where."""
        button = self.recording_button
        button.setVisible(recording is not None)
        if recording is None:
            return
        if recording.fault is not None:
            button.setText("Recording stopped" if recording.path.is_file() else "Not recorded")
        else:
            button.setText(f"{'Recording to' if going_on else 'Recorded in'} {recording.path.name}")
        button.setToolTip(recording.fault or f"{recording.path}\nShow it in the file manager")

    def clear_hold(self) -> None:
        """Forget what held the loop; a new run begins."""
        self.hold.setText("")

    @Slot(object)
    def show_hold(self, hold: LoopHold) -> None:
        """Say how long the window could not paint, and whose doing it was."""
        self.hold.setText(f"{hold.place} held the loop for {format_duration(hold.duration_s)}")
        item = f", item {hold.item}" if hold.item else ""
        self.hold.setToolTip(
            f"{hold.filename}:{hold.line}{item}\nA blocking call keeps the window from painting: "
            "make the task a plain function, which runs in a thread, or await asyncio.to_thread(...)."
        )

    @Slot(object)
    def show_fault(self, fault: Fault) -> None:
        """Offer an unexpected error quietly; details are one click away."""
        self._fault = fault
        self._fault_counts[fault.source, fault.detail] = fault.count
        count = sum(self._fault_counts.values())
        words = "An unexpected error" if count == 1 else f"{format_count(count)} unexpected errors"
        self.fault_button.setText(f"{words} – details")
        self.fault_button.setToolTip(fault.summary)
        self.fault_button.show()

    @Slot()
    def _request_recording(self) -> None:
        self.recording_requested.emit()

    @Slot()
    def _request_fault(self) -> None:
        self.fault_button.hide()
        self._fault_counts.clear()
        if self._fault is not None:
            self.fault_requested.emit(self._fault)
