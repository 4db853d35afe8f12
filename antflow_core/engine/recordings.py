"""Recordings: the run files that a pipeline's runs go into: one that was asked for, and the process's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from antflow_core.arguments import run_file_path
from antflow_core.exceptions import FileIsThereError

if TYPE_CHECKING:
    from antflow_core.recording.environment import ProcessRecording
    from antflow_core.recording.recorder import Recorder

RECORD_VARIABLE = "ANTFLOW_RECORD"
"""In the environment: a run file, or a folder for one, to record all pipelines of the process into."""
_DELETE = "delete it first"


def begin_file(path: str | os.PathLike[str]) -> Recorder:
    """Make a run file for one run.

    Args:
        path: The file; in a folder one is made that is named after script and time.

    Raises:
        RunFileError: There is such a file already, or no such folder.
        TypeError: `path` is no path.
    """
    run_file_path("record", path)
    # Late: it loads numpy and SQLite, which few runs need.
    from antflow_core.recording.recorder import Recorder

    try:
        return Recorder(path)
    except FileIsThereError as error:
        raise error.with_remedy(_DELETE) from None


def process_recording(
    script: str | None = None, arguments: tuple[str, ...] | None = None
) -> ProcessRecording | None:
    """The recording of this process, going on, where the environment wants one.

    Args:
        script: What is recorded, should it begin now; the program of this process if None.
        arguments: What follows it on the command line.

    Raises:
        RunFileError: The file is there already, or the folder for it is not.
    """
    wanted = os.environ.get(RECORD_VARIABLE)
    if not wanted:
        return None
    from antflow_core.recording.environment import process_recording as recording  # late, as above

    try:
        recording.begin(wanted, script, arguments)
    except FileIsThereError as error:
        raise error.with_remedy(f"{_DELETE} ({RECORD_VARIABLE} names it)") from None
    return recording


def share_with_process(recorder: Recorder, wanted: str | os.PathLike[str]) -> None:
    """Let a recording be that of the process too, where the environment wants the same file or folder."""
    if os.fspath(wanted) == os.environ.get(RECORD_VARIABLE):
        from antflow_core.recording.environment import process_recording as recording  # late, as above

        recording.share(recorder, os.fspath(wanted))
