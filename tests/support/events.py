"""Events for tests of the history: errors that were raised, and trackers filled with all kinds of events."""

from __future__ import annotations

import random

from antflow_core.tracker import RunRecorder, StatusTracker

STAGES = ("Fetch", "Parse", "Save")


def raised(error: BaseException) -> BaseException:
    """The error after it went through a frame, so that it has a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


def play_item(
    record: RunRecorder, item_id: object, *, fails_in: int | None = None, message: str = "boom"
) -> None:
    """One item's way through `STAGES`, with a retry before the failure where it is to fail."""
    for stage, name in enumerate(STAGES):
        worker = f"{name}-W{len(str(item_id)) % 2}"
        record.status(item_id, stage, "queued")
        record.status(item_id, stage, "in_progress", worker, attempt=1)
        record.task(item_id, stage, name.lower(), worker, "start", 1)
        if stage == fails_in:
            error = raised(ValueError(message))
            record.task(item_id, stage, name.lower(), worker, "retry", 1, duration=0.5, error=error)
            record.status(item_id, stage, "retrying", worker, attempt=2, duration=0.5, error=error)
            record.task(item_id, stage, name.lower(), worker, "start", 2)
            record.task(item_id, stage, name.lower(), worker, "fail", 2, duration=0.25, error=error)
            record.status(item_id, stage, "failed", worker, attempt=2, duration=0.25, error=error)
            return
        record.task(item_id, stage, name.lower(), worker, "complete", 1, duration=0.125)
        record.status(item_id, stage, "completed", worker, attempt=1, duration=0.125)


def played_tracker(items: int = 30, seed: int = 1, tracker: StatusTracker | None = None) -> StatusTracker:
    """A tracker after one run of some items, a third of them failed, ids of several kinds."""
    chance = random.Random(seed)
    tracker = tracker or StatusTracker()
    record = tracker.begin_run(STAGES, name=f"run {seed}")
    for number in range(items):
        item_id: object = chance.choice([number, f"Page-{number}", (number, "x"), f"ünï {number}"])
        fails_in = chance.choice([None, None, chance.randrange(3)])
        play_item(record, item_id, fails_in=fails_in, message=f"no route to {number % 4}")
    record.end()
    return tracker
