"""The tracker while a run goes on: callbacks plain and async, their events, and what they may do wrong."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any

import pytest

from antflow_core.tracker import RunRecorder, StatusTracker
from antflow_core.types import StatusEvent, TaskEvent
from tests.support.events import STAGES, play_item, raised


async def settle(waiting: Awaitable[None] | None) -> None:
    """Wait as the engine does."""
    if waiting is not None:
        await waiting


def recorder(tracker: StatusTracker) -> RunRecorder:
    return tracker.begin_run(STAGES)


def test_without_callbacks_there_is_nothing_to_wait_for() -> None:
    record = recorder(StatusTracker())
    assert record.status(1, 0, "queued") is None
    assert record.task(1, 0, "fetch", "Fetch-W0", "start", 1) is None


def test_a_plain_callback_is_called_at_the_event() -> None:
    heard = list[StatusEvent]()
    record = recorder(StatusTracker(on_status_change=heard.append))
    assert record.status("a", 1, "in_progress", "Parse-W3", attempt=1) is None
    (event,) = heard
    assert (event.item_id, event.stage, event.status, event.worker) == (
        "a",
        "Parse",
        "in_progress",
        "Parse-W3",
    )
    assert event.worker_id == 3
    assert event.metadata == {}


def test_a_callback_may_return_anything() -> None:
    record = recorder(StatusTracker(on_status_change=lambda event: 42))
    assert record.status("a", 0, "queued") is None


async def test_an_async_callback_is_waited_for() -> None:
    heard = list[str]()

    async def on_change(event: StatusEvent) -> None:
        heard.append(event.status)

    record = recorder(StatusTracker(on_status_change=on_change))
    waiting = record.status("a", 0, "queued")
    assert waiting is not None
    assert heard == []
    await waiting
    assert heard == ["queued"]


async def test_a_plain_callable_that_returns_an_awaitable_counts_as_async() -> None:
    heard = list[str]()

    async def keep(event: StatusEvent) -> None:
        heard.append(event.status)

    def plain(event: StatusEvent) -> Awaitable[None]:
        return keep(event)

    record = recorder(StatusTracker(on_status_change=plain))
    await settle(record.status("a", 0, "queued"))
    assert heard == ["queued"]


def test_callbacks_can_be_set_and_removed_while_a_run_goes_on() -> None:
    heard = list[Any]()
    tracker = StatusTracker()
    record = recorder(tracker)
    record.status("a", 0, "queued")
    tracker.on_status_change = heard.append
    record.status("a", 0, "in_progress")
    tracker.on_status_change = None
    record.status("a", 0, "completed")
    assert [event.status for event in heard] == ["in_progress"]


def test_each_kind_of_task_event_has_its_callback() -> None:
    heard = list[tuple[str, str]]()

    def keep(name: str) -> Any:
        return lambda event: heard.append((name, event.event_type))

    tracker = StatusTracker(None, keep("s"), keep("c"), keep("r"), keep("f"))
    record = recorder(tracker)
    play_item(record, 1, fails_in=1)
    assert heard == [
        ("s", "start"),
        ("c", "complete"),
        ("s", "start"),
        ("r", "retry"),
        ("s", "start"),
        ("f", "fail"),
    ]


def test_a_task_event_carries_the_exception_itself_and_the_duration() -> None:
    heard = list[TaskEvent]()
    error = raised(ValueError("boom"))
    record = recorder(StatusTracker(on_task_fail=heard.append))
    record.task("a", 2, "save", "Save-W1", "fail", 3, duration=0.1, error=error)
    (event,) = heard
    assert event.error is error
    assert (event.task_name, event.worker, event.attempt, event.duration) == ("save", "Save-W1", 3, 0.1)


def test_a_failed_status_says_why() -> None:
    heard = list[StatusEvent]()
    record = recorder(StatusTracker(on_status_change=heard.append))
    record.status("a", 0, "failed", "Fetch-W0", attempt=3, error=raised(KeyError("k")))
    assert heard[0].metadata == {"error": "'k'", "error_type": "KeyError"}


def test_a_retrying_status_says_which_attempt_comes() -> None:
    heard = list[StatusEvent]()
    record = recorder(StatusTracker(on_status_change=heard.append))
    record.status("a", 0, "retrying", "Fetch-W0", attempt=2, error=raised(OSError("down")))
    assert heard[0].metadata == {"attempt": 2, "retry": True, "error": "down", "error_type": "OSError"}


def test_further_metadata_goes_along_and_stays() -> None:
    heard = list[StatusEvent]()
    tracker = StatusTracker(on_status_change=heard.append)
    recorder(tracker).status("a", 0, "skipped", metadata={"reason": "cached"})
    assert heard[0].metadata == {"reason": "cached"}
    assert tracker.get_status("a") == heard[0]


@pytest.mark.parametrize("fails_in", [None, 0, 2])
def test_the_log_answers_with_the_very_events_that_were_delivered(fails_in: int | None) -> None:
    heard = list[StatusEvent]()
    tracker = StatusTracker(on_status_change=heard.append)
    play_item(recorder(tracker), "a", fails_in=fails_in, message="x" * 5_000)
    assert tracker.get_history("a") == heard


def test_a_plain_callback_that_raises_is_logged_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: StatusEvent) -> None:
        raise RuntimeError("callback broke")

    tracker = StatusTracker(on_status_change=broken)
    assert recorder(tracker).status("a", 0, "queued") is None
    assert [entry.name for entry in caplog.records] == ["antflow.tracker"]
    assert "on_status_change failed for item 'a'" in caplog.text
    assert "callback broke" in caplog.text
    assert tracker.get_stats()["queued"] == 1


async def test_an_async_callback_that_raises_is_logged_and_harms_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(event: TaskEvent) -> None:
        raise RuntimeError("callback broke")

    record = recorder(StatusTracker(on_task_start=broken))
    await settle(record.task("a", 0, "fetch", "Fetch-W0", "start", 1))
    assert "on_task_start failed for item 'a'" in caplog.text


def test_a_plain_callback_that_raises_cancelled_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """As a callback does that asks a future for its result which somebody cancelled."""

    def broken(event: StatusEvent) -> None:
        raise asyncio.CancelledError("somebody else's")

    assert recorder(StatusTracker(on_status_change=broken)).status("a", 0, "queued") is None
    assert "on_status_change failed for item 'a'" in caplog.text


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_cancelled_error_of_a_callback_does_not_reach_the_task_that_reports(
    is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: TaskEvent) -> None:
        raise asyncio.CancelledError

    async def broken_later(event: TaskEvent) -> None:
        broken(event)

    record = recorder(StatusTracker(on_task_start=broken_later if is_async else broken))
    await settle(record.task("a", 0, "fetch", "Fetch-W0", "start", 1))
    assert "on_task_start failed for item 'a'" in caplog.text


async def test_a_task_that_is_cancelled_while_a_callback_is_awaited_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    entered = asyncio.Event()

    async def endless(event: StatusEvent) -> None:
        entered.set()
        await asyncio.Event().wait()

    record = recorder(StatusTracker(on_status_change=endless))
    reporting = asyncio.create_task(settle(record.status("a", 0, "queued")))
    await entered.wait()
    reporting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reporting
    assert caplog.text == ""


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_is_no_exception_travels_up(stop: type[BaseException]) -> None:
    def interrupted(event: StatusEvent) -> None:
        raise stop

    record = recorder(StatusTracker(on_status_change=interrupted))
    with pytest.raises(stop):
        record.status("a", 0, "queued")


def test_a_callback_may_ask_the_tracker_and_record_nothing_twice() -> None:
    seen = list[int]()
    tracker = StatusTracker()
    tracker.on_status_change = lambda event: seen.append(tracker.get_stats()[event.status])
    record = recorder(tracker)
    record.status("a", 0, "queued")
    record.status("b", 0, "queued")
    assert seen == [1, 2]


def test_times_come_from_the_wall_clock_and_never_go_back() -> None:
    import time

    before = time.time()
    tracker = StatusTracker()
    record = recorder(tracker)
    for number in range(200):
        record.status(number, 0, "queued")
    times = [event.time for event in tracker.log.page(range(200))]
    assert times == sorted(times)
    assert before - 1 < times[0] <= times[-1] < time.time() + 1


def test_ending_a_run_twice_keeps_the_first_end() -> None:
    tracker = StatusTracker()
    record = recorder(tracker)
    record.end()
    ended = tracker.log.runs[0].ended_at
    record.end()
    assert ended is not None
    assert tracker.log.runs[0].ended_at == ended


def test_an_unhashable_id_is_tracked_by_its_repr() -> None:
    tracker = StatusTracker()
    record = recorder(tracker)
    record.status({"url": "a"}, 0, "queued")
    record.task({"url": "a"}, 0, "fetch", "Fetch-W0", "start", 1)
    assert tracker.get_tracked_ids() == ["{'url': 'a'}"]
    assert len(tracker.get_task_history({"url": "a"})) == 1


def test_the_callbacks_are_the_five_of_the_contract_in_order() -> None:
    names = ["on_status_change", "on_task_start", "on_task_complete", "on_task_retry", "on_task_fail"]
    assert list(inspect.signature(StatusTracker).parameters)[: len(names)] == names
