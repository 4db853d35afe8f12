"""What the settings ask of each run that the app starts: a recording of it, and a limit of its events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from antflow_core.link.protocol import Recording
from antflow_gui.settings import Settings


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How the next run is to be started.

    Attributes:
        record: The folder its run file is made in; None for no recording.
        max_events: How many events the app holds of it at most; None for no limit.
        refused: The recording that was asked for and cannot be made; None where there is no such thing.
    """

    record: Path | None = None
    max_events: int | None = None
    refused: Recording | None = None


def options_from(settings: Settings) -> RunOptions:
    """What the settings ask for now; the folder for recordings is made where it is not there yet."""
    if not settings.record_runs:
        return RunOptions(max_events=settings.max_events)
    folder = settings.record_folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        reason = (fault.strerror or str(fault)).lower()
        sentence = f"Nothing is recorded: the folder {folder} cannot be made, {reason}; the run goes on"
        return RunOptions(max_events=settings.max_events, refused=Recording(folder, sentence))
    return RunOptions(folder, settings.max_events)
