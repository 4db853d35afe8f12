"""What the banner says of a run: why it failed, that its recording stopped, what a recording lacks."""

from __future__ import annotations

from antflow_core.exceptions import RunFileError
from antflow_core.link.protocol import RunOutcome, RunState
from antflow_core.link.replay import ReplayedRun
from antflow_core.run_files.run_records import Outcome
from antflow_gui.runs.controller import RunController
from antflow_gui.views.banner import MessageBanner, MessageKind

_NOTHING_TO_RUN = 2


class RunNotices:
    """Shows each notice once, so that one that was closed stays so.

    Args:
        controller: Whose run it is.
        banner: Where it is shown.
    """

    def __init__(self, controller: RunController, banner: MessageBanner) -> None:
        self._controller = controller
        self._banner = banner
        self._told: set[tuple[str, str]] = set()

    def begin(self) -> None:
        """Another run is in view."""
        self._told.clear()
        self.tell_news()

    def tell_news(self) -> None:
        """Say what has come up since the last time."""
        recording, recorded = self._controller.recording, self._controller.recorded
        if recording is not None and recording.fault is not None:
            self._tell("warning", "This run is not recorded any further", recording.fault)
        if recorded is not None:
            self._tell_recorded(recorded)

    def tell_end(self, outcome: RunOutcome) -> None:
        """Say why a run failed, if it did."""
        path = self._controller.path
        if path is None or outcome.state is not RunState.FAILED:
            return
        is_refused = outcome.exit_code == _NOTHING_TO_RUN
        title = f"{path.name} cannot be run" if is_refused else f"{path.name} ended with an error"
        self._banner.show_message("error", title, outcome.message or "", outcome.traceback or "")

    def tell_reading(self, fault: RunFileError | None) -> None:
        """Say why a recorded run cannot be read any further, or what has come up at its end."""
        path = self._controller.path
        if fault is not None and path is not None:
            self._tell("error", f"{path.name} cannot be read any further", str(fault))
        else:
            self.tell_news()

    def _tell_recorded(self, recorded: ReplayedRun) -> None:
        info, remarks = recorded.info, recorded.file.remarks
        if info.outcome is Outcome.FAILED:
            self._tell("error", "The script of this run ended with an error", info.message or "")
        elif remarks:
            self._tell("warning", "This recording is not complete", " ".join(remarks))

    def _tell(self, kind: MessageKind, title: str, text: str) -> None:
        if (title, text) not in self._told:
            self._told.add((title, text))
            self._banner.show_message(kind, title, text)
