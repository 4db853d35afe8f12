"""The recording of a process that cannot be changed: all its pipelines go into one run file."""

from __future__ import annotations

import threading

from antflow_core.recording.recorder import Recorder
from antflow_core.tracker import StatusTracker


class ProcessRecording:
    """At most one recording at a time, from a pipeline's start to the process's end; for any thread."""

    def __init__(self) -> None:
        self._recorder: Recorder | None = None
        self._wanted = ""
        self._lock = threading.Lock()

    def begin(self, wanted: str, script: str | None = None, arguments: tuple[str, ...] | None = None) -> None:
        """Have it going; nothing changes where it is.

        Args:
            wanted: A file or a folder, as for `record`; another one than before begins another recording.
            script: What is recorded, as for `Recorder`.
            arguments: What follows it on the command line.

        Raises:
            RunFileError: There is such a file already, or no such folder.
        """
        with self._lock:
            if self._recorder is not None and self._recorder.is_open and wanted == self._wanted:
                return
            self.close()
            self._recorder = Recorder(wanted, script=script, arguments=arguments)
            self._wanted = wanted

    def share(self, recorder: Recorder, wanted: str) -> None:
        """Have one going that somebody else has begun, and ends.

        Args:
            wanted: What it was begun with.
        """
        with self._lock:
            self.close()
            self._recorder, self._wanted = recorder, wanted

    def follow(self, tracker: StatusTracker | None) -> StatusTracker | None:
        """Record a pipeline's tracker; for one that has none, give it one."""
        with self._lock:
            if self._recorder is None:
                return tracker
            if tracker is None:
                tracker = self._recorder.make_tracker()
            self._recorder.follow(tracker, copies=False, weakly=True)
            return tracker

    def close(self) -> None:
        """End the recording before the process ends; a pipeline that starts after that begins another one."""
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None


process_recording = ProcessRecording()
"""One for all, as the process is."""
