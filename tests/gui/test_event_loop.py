"""The event loop: asyncio's promises hold on Qt's loop, and Qt stays alive beside it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QObject, QPoint, QTimer
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from antflow_gui.event_loop import SLICE_S, BatchedEventLoop

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


@pytest.fixture
def loop(qapp: QApplication) -> Iterator[BatchedEventLoop]:
    loop = BatchedEventLoop(qapp)
    yield loop
    if not loop.is_closed():
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def count_drains(loop: BatchedEventLoop, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The times at which Qt woke the loop."""
    drains: list[float] = []
    drain = loop.drain

    def counted() -> None:
        drains.append(time.perf_counter())
        drain()

    monkeypatch.setattr(loop, "drain", counted)
    return drains


# --- order and context


def test_callbacks_run_in_the_order_they_were_registered(loop: BatchedEventLoop) -> None:
    ran: list[int] = []
    for number in range(1000):
        loop.call_soon(ran.append, number)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == list(range(1000))


def test_the_order_holds_over_many_slices(loop: BatchedEventLoop) -> None:
    ran: list[int] = []

    def take(number: int) -> None:
        ran.append(number)
        end = time.perf_counter() + SLICE_S / 4
        while time.perf_counter() < end:
            pass

    for number in range(40):
        loop.call_soon(take, number)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == list(range(40))


def test_a_cancelled_callback_does_not_run(loop: BatchedEventLoop) -> None:
    ran: list[int] = []
    loop.call_soon(ran.append, 1)
    loop.call_soon(ran.append, 2).cancel()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == [1]


def test_a_callback_runs_in_the_context_it_was_given(loop: BatchedEventLoop) -> None:
    context = contextvars.copy_context()
    context.run(tenant.set, "acme")
    seen: list[str] = []
    loop.call_soon(lambda: seen.append(tenant.get()), context=context)
    loop.call_soon_threadsafe(lambda: seen.append(tenant.get()), context=context)
    loop.call_soon(lambda: seen.append(tenant.get()))
    loop.call_later(0.001, lambda: seen.append(tenant.get()), context=context)
    loop.call_later(0.002, loop.stop)
    loop.run_forever()
    assert seen == ["acme", "acme", "nobody", "acme"]


def test_a_callback_without_a_context_runs_in_the_one_where_it_was_registered(loop: BatchedEventLoop) -> None:
    async def main() -> str:
        tenant.set("acme")
        seen = asyncio.get_running_loop().create_future()
        loop.call_later(0.001, lambda: seen.set_result(tenant.get()))
        return str(await seen)

    assert loop.run_until_complete(main()) == "acme"


# --- timers


def test_timers_run_in_the_order_of_their_deadlines(loop: BatchedEventLoop) -> None:
    ran: list[str] = []
    now = loop.time()
    for name, delay in (("c", 0.03), ("a", 0.01), ("d", 0.03), ("b", 0.02)):
        loop.call_at(now + delay, ran.append, name)
    loop.call_at(now + 0.04, loop.stop)
    loop.run_forever()
    assert ran == ["a", "b", "c", "d"]


def test_a_timer_never_runs_early_and_knows_its_deadline(loop: BatchedEventLoop) -> None:
    async def main() -> None:
        for delay in (0.0, 0.0004, 0.0011, 0.0105):
            ran = loop.create_future()
            handle = loop.call_later(delay, lambda done=ran: done.set_result(loop.time()))
            assert isinstance(handle, asyncio.TimerHandle)
            assert await ran >= handle.when() - loop._clock_resolution

    loop.run_until_complete(main())


def test_a_nearer_timer_overtakes_the_one_that_is_waited_for(loop: BatchedEventLoop) -> None:
    async def main() -> None:
        far = loop.call_later(3600, lambda: None)
        await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)
        assert loop.time() < far.when()

    loop.run_until_complete(main())


def test_a_deadline_beyond_qts_numbers_is_no_trouble(loop: BatchedEventLoop) -> None:
    async def main() -> None:
        ran: list[float] = []
        for delay in (1e6, 1e9, math.inf):
            loop.call_later(delay, ran.append, delay)
            await asyncio.sleep(0.001)
        assert ran == []

    loop.run_until_complete(main())


def test_a_cancelled_timer_does_not_run(loop: BatchedEventLoop) -> None:
    ran: list[str] = []
    loop.call_later(0.001, ran.append, "cancelled").cancel()
    loop.call_later(0.002, ran.append, "kept")
    loop.call_later(0.003, loop.stop)
    loop.run_forever()
    assert ran == ["kept"]


def test_timeouts_that_never_fire_leave_nothing_behind(loop: BatchedEventLoop) -> None:
    async def main() -> int:
        most = 0
        for _ in range(2000):
            async with asyncio.timeout(3600):
                await asyncio.sleep(0)
            most = max(most, len(loop._timers))
        return most

    assert loop.run_until_complete(main()) <= 250


def test_timers_outlive_the_removal_of_many_cancelled_ones(loop: BatchedEventLoop) -> None:
    ran: list[int] = []
    for number in range(300):
        loop.call_later(0.001 + number / 1e6, ran.append, number)
        for _ in range(10):
            loop.call_later(60, lambda: None).cancel()
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    assert ran == list(range(300))


def test_a_cancelled_timer_that_is_already_due_is_not_counted_twice(loop: BatchedEventLoop) -> None:
    victims: list[asyncio.TimerHandle] = []

    def cancel() -> None:
        victims[0].cancel()

    async def main() -> None:
        now = loop.time()
        loop.call_at(now, cancel)
        victims.append(loop.call_at(now, lambda: pytest.fail("it was cancelled")))
        await asyncio.sleep(0.002)

    loop.run_until_complete(main())
    assert loop._timer_cancelled_count == 0


# --- asyncio on top


def test_wait_for_and_timeout_end_what_takes_too_long(loop: BatchedEventLoop) -> None:
    async def main() -> list[str]:
        ended: list[str] = []
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.005)
        except TimeoutError:
            ended.append("wait_for")
        try:
            async with asyncio.timeout(0.005):
                await asyncio.Event().wait()
        except TimeoutError:
            ended.append("timeout")
        return ended

    assert loop.run_until_complete(main()) == ["wait_for", "timeout"]


def test_a_task_group_cancels_its_tasks_when_one_fails(loop: BatchedEventLoop) -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def fail() -> None:
        await asyncio.sleep(0.001)
        raise ValueError("bad row")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait())
            group.create_task(fail())

    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="bad row")):
        loop.run_until_complete(main())
    assert ended == ["cancelled"]


def test_a_runner_cancels_what_is_left_and_closes_the_loop(qapp: QApplication) -> None:
    ended: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    async def numbers() -> Any:
        try:
            while True:
                yield 1
        finally:
            ended.append("generator")

    async def main() -> int:
        generator = numbers()
        await anext(generator)
        task = asyncio.create_task(linger())
        keep.extend([generator, task])
        await asyncio.to_thread(time.monotonic)
        return 42

    keep: list[object] = []
    with asyncio.Runner(loop_factory=lambda: BatchedEventLoop(qapp)) as runner:
        assert runner.run(main()) == 42
        loop = runner.get_loop()
    assert sorted(ended) == ["generator", "task"]
    assert loop.is_closed()


def test_functions_run_in_threads_and_keep_their_context(loop: BatchedEventLoop) -> None:
    async def main() -> tuple[str, bool]:
        tenant.set("acme")
        return await asyncio.to_thread(lambda: (tenant.get(), threading.get_ident() != loop._home))

    assert loop.run_until_complete(main()) == ("acme", True)


def test_the_loop_runs_again_after_it_was_stopped(loop: BatchedEventLoop) -> None:
    async def main(value: int) -> int:
        await asyncio.sleep(0.001)
        return value

    assert [loop.run_until_complete(main(value)) for value in range(3)] == [0, 1, 2]


def test_stop_lets_run_what_is_ready_and_keeps_the_rest_for_the_next_time(loop: BatchedEventLoop) -> None:
    ran: list[str] = []

    def first() -> None:
        ran.append("first")
        loop.stop()
        loop.stop()
        loop.call_soon(ran.append, "later")

    loop.call_soon(first)
    loop.call_soon(ran.append, "second")
    loop.run_forever()
    assert ran == ["first", "second"]
    loop.run_until_complete(asyncio.sleep(0.001))
    assert ran == ["first", "second", "later"]


def test_stop_before_the_run_ends_it_after_one_round(loop: BatchedEventLoop) -> None:
    ran: list[str] = []
    loop.call_soon(ran.append, "ready")
    loop.stop()
    loop.run_forever()
    assert ran == ["ready"]


def test_a_second_run_inside_the_first_is_refused(loop: BatchedEventLoop, qapp: QApplication) -> None:
    other = BatchedEventLoop(qapp)

    async def main() -> None:
        for each in (loop, other):
            with pytest.raises(RuntimeError, match="running"):
                each.run_forever()

    loop.run_until_complete(main())
    other.close()


def test_quitting_the_application_ends_the_run(loop: BatchedEventLoop, qapp: QApplication) -> None:
    task = loop.create_task(asyncio.sleep(3600))
    loop.call_soon(qapp.quit)
    with pytest.raises(RuntimeError, match="stopped before Future completed"):
        loop.run_until_complete(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)


def test_a_closed_loop_takes_nothing_more(loop: BatchedEventLoop) -> None:
    loop.close()
    loop.close()
    for register in (loop.call_soon, loop.call_soon_threadsafe):
        with pytest.raises(RuntimeError, match="closed"):
            register(print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_later(1, print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.run_forever()


def test_a_loop_runs_only_where_it_was_made(loop: BatchedEventLoop) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            loop.run_forever()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "thread" in str(errors[0])


# --- threads


def test_callbacks_arrive_from_many_threads_each_in_order(loop: BatchedEventLoop) -> None:
    arrived: list[tuple[int, int]] = []
    each, senders = 2000, 4

    def send(sender: int) -> None:
        for number in range(each):
            loop.call_soon_threadsafe(arrived.append, (sender, number))

    async def main() -> None:
        threads = [threading.Thread(target=send, args=(sender,)) for sender in range(senders)]
        for thread in threads:
            thread.start()
        await until(lambda: len(arrived) == each * senders)
        for thread in threads:
            thread.join()

    loop.run_until_complete(main())
    for sender in range(senders):
        assert [number for who, number in arrived if who == sender] == list(range(each))


def test_a_thread_wakes_a_sleeping_loop_every_time(loop: BatchedEventLoop) -> None:
    """No call may be lost between the loop's last look at its queue and its sleep."""

    async def main() -> int:
        echoes = 0
        for _ in range(2000):
            echoes += await loop.run_in_executor(None, int, 1)
        return echoes

    assert loop.run_until_complete(main()) == 2000


def test_a_thread_gets_a_handle_it_can_cancel(loop: BatchedEventLoop) -> None:
    ran: list[str] = []

    def send() -> None:
        handle = loop.call_soon_threadsafe(ran.append, "cancelled")
        handle.cancel()
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=send)
    loop.call_later(0, thread.start)
    loop.run_forever()
    thread.join()
    assert ran == []


def test_a_thread_that_forgets_threadsafe_does_not_stop_the_loop(loop: BatchedEventLoop) -> None:
    """A common mistake in scripts that works by luck with asyncio; here it may at least not hang the app."""

    async def main() -> None:
        done, later = asyncio.Event(), asyncio.Event()

        def send() -> None:
            loop.call_soon(done.set)
            loop.call_later(0.001, later.set)

        thread = threading.Thread(target=send)
        thread.start()
        await done.wait()
        await later.wait()
        thread.join()
        assert done.is_set() and later.is_set()

    loop.run_until_complete(main())


# --- sockets, processes, signals


def test_streams_carry_megabytes_both_ways(loop: BatchedEventLoop) -> None:
    payload = os.urandom(3_000_000)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main() -> bytes:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())

            async def send() -> None:
                writer.write(payload)
                await writer.drain()
                writer.write_eof()

            sending = asyncio.create_task(send())
            back = await reader.read(-1)
            await sending
            writer.close()
            await writer.wait_closed()
        return back

    assert loop.run_until_complete(main()) == payload


def test_a_server_answers_in_the_context_that_started_it(loop: BatchedEventLoop) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(tenant.get().encode())
        writer.close()
        await writer.wait_closed()

    async def main() -> bytes:
        tenant.set("acme")
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            said = await reader.read()
            writer.close()
            await writer.wait_closed()
        return said

    assert loop.run_until_complete(main()) == b"acme"


def test_bare_sockets_and_readers_work(loop: BatchedEventLoop) -> None:
    async def main() -> tuple[bytes, bytes]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            await loop.sock_sendall(ours, b"one")
            first = await loop.sock_recv(theirs, 10)
            heard = loop.create_future()
            loop.add_reader(theirs, lambda: heard.done() or heard.set_result(theirs.recv(10)))
            loop.add_writer(ours, lambda: (loop.remove_writer(ours), ours.send(b"two")))
            second = await heard
            assert loop.remove_reader(theirs)
            assert not loop.remove_reader(theirs)
        return first, second

    assert loop.run_until_complete(main()) == (b"one", b"two")


def test_a_child_process_talks_and_ends(loop: BatchedEventLoop) -> None:
    shout = "import sys; print(sys.stdin.read().upper()); sys.exit(3)"

    async def main() -> tuple[bytes, int | None]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", shout, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate(b"hello")
        return said.strip(), process.returncode

    assert loop.run_until_complete(main()) == (b"HELLO", 3)


@pytest.mark.skipif(os.name == "nt", reason="loops on Windows take no signal handlers")
def test_a_signal_handler_runs_while_the_loop_sleeps(loop: BatchedEventLoop) -> None:
    async def main() -> None:
        heard = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, heard.set)
        sender = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1))
        sender.start()
        await heard.wait()
        sender.join()
        assert loop.remove_signal_handler(signal.SIGUSR1)

    loop.run_until_complete(main())


# --- errors


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_task_that_exits_ends_the_run_with_its_exception(
    loop: BatchedEventLoop, kind: type[BaseException]
) -> None:
    async def leave() -> None:
        await asyncio.sleep(0.001)
        raise kind(7)

    with pytest.raises(kind, match="7"):
        loop.run_until_complete(leave())
    assert not loop.is_running()
    assert loop.run_until_complete(asyncio.sleep(0, "alive")) == "alive"


def test_a_callback_that_exits_leaves_the_rest_for_the_next_run(loop: BatchedEventLoop) -> None:
    ran: list[str] = []

    def leave() -> None:
        raise SystemExit

    loop.call_soon(leave)
    loop.call_soon(ran.append, "later")
    with pytest.raises(SystemExit):
        loop.run_forever()
    assert ran == []
    loop.run_until_complete(asyncio.sleep(0))
    assert ran == ["later"]


def test_an_exit_inside_a_nested_qt_loop_ends_both(loop: BatchedEventLoop) -> None:
    def leave() -> None:
        raise SystemExit(2)

    def open_nested() -> None:
        loop.call_later(0.001, leave)
        QEventLoop().exec()

    QTimer.singleShot(0, open_nested)
    with pytest.raises(SystemExit):
        loop.run_forever()


def test_what_a_callback_raises_goes_to_the_exception_handler(loop: BatchedEventLoop) -> None:
    contexts: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))
    handle = loop.call_soon(int, "seven")
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert loop.get_exception_handler() is not None
    assert isinstance(contexts[0]["exception"], ValueError)
    assert contexts[0]["handle"] is handle
    assert contexts[0]["message"].startswith("Exception in callback int(")


def test_a_forgotten_tasks_error_goes_to_the_exception_handler(loop: BatchedEventLoop) -> None:
    messages: list[str] = []
    loop.set_exception_handler(lambda _, context: messages.append(context["message"]))

    async def fail() -> None:
        raise ValueError("forgotten")

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(0.001)
        del task
        gc.collect()

    loop.run_until_complete(main())
    assert messages == ["Task exception was never retrieved"]


def test_debug_mode_names_slow_callbacks_and_refuses_nonsense(
    loop: BatchedEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    async def crawl() -> None:
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass

    loop.set_debug(True)
    loop.slow_callback_duration = 0.001
    with caplog.at_level(logging.WARNING, "asyncio"):
        loop.run_until_complete(crawl())
    assert "crawl()" in caplog.text
    assert "took" in caplog.text
    with pytest.raises(TypeError, match="coroutines cannot be used"):
        loop.call_soon(crawl)


def test_debug_mode_says_where_a_callback_was_registered(loop: BatchedEventLoop) -> None:
    loop.set_debug(True)
    handles = [
        loop.call_soon(int),
        loop.call_soon_threadsafe(int),
        loop.call_later(0, int),
        loop.call_at(0, int),
    ]
    assert all(f"created at {__file__}" in repr(handle) for handle in handles)


# --- beside Qt


def test_qt_lives_while_the_queue_never_empties(loop: BatchedEventLoop) -> None:
    beats: list[int] = []
    heartbeat = QTimer(interval=1)
    heartbeat.timeout.connect(lambda: beats.append(1))
    heartbeat.start()

    async def spin() -> None:
        while len(beats) < 20:
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(spin() for _ in range(5)))

    loop.run_until_complete(main())
    heartbeat.stop()
    assert len(beats) >= 20


def test_a_window_paints_while_the_queue_never_empties(loop: BatchedEventLoop, qtbot: Any) -> None:
    class Canvas(QWidget):
        painted = 0

        def paintEvent(self, event: QEvent) -> None:  # noqa: N802
            self.painted += 1

    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.show()

    async def spin() -> None:
        while canvas.painted < 5:
            canvas.update()
            await asyncio.sleep(0)

    loop.run_until_complete(asyncio.wait_for(spin(), 30))


def test_timers_and_threads_are_heard_while_the_queue_never_empties(loop: BatchedEventLoop) -> None:
    async def main() -> None:
        heard = 0

        def hear() -> None:
            nonlocal heard
            heard += 1

        async def spin() -> None:
            while heard < 2:
                await asyncio.sleep(0)

        loop.call_later(0.002, hear)
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(hear,))
        thread.start()
        await spin()
        thread.join()
        assert heard == 2

    loop.run_until_complete(main())


def test_a_flood_from_a_thread_does_not_starve_qt(loop: BatchedEventLoop) -> None:
    beats: list[int] = []
    heartbeat = QTimer(interval=1)
    heartbeat.timeout.connect(lambda: beats.append(1))

    def flood() -> None:
        while len(beats) < 10:
            loop.call_soon_threadsafe(int)

    thread = threading.Thread(target=flood)
    heartbeat.start()
    thread.start()
    loop.run_until_complete(until(lambda: len(beats) >= 10))
    heartbeat.stop()
    thread.join()
    assert len(beats) >= 10


def test_an_idle_loop_is_not_woken(loop: BatchedEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> int:
        await asyncio.sleep(0.01)
        before = len(drains)
        await asyncio.sleep(0.1)
        return len(drains) - before

    drains = count_drains(loop, monkeypatch)
    assert loop.run_until_complete(main()) == 1


def test_an_idle_loop_with_cancelled_timers_only_is_woken_for_the_first_at_most(
    loop: BatchedEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> int:
        for number in range(50):
            loop.call_later(0.02 + number / 1000, int).cancel()
        before = len(drains)
        await asyncio.sleep(0.1)
        return len(drains) - before

    drains = count_drains(loop, monkeypatch)
    assert loop.run_until_complete(main()) <= 2


def test_a_menu_that_an_event_opened_lets_callbacks_run(loop: BatchedEventLoop, qtbot: Any) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    menu = QMenu(window)
    menu.addAction("Close")
    seen: list[bool] = []

    async def main() -> None:
        QTimer.singleShot(0, lambda: menu.exec(QPoint(0, 0)))
        await until(menu.isVisible)
        await asyncio.sleep(0.002)
        seen.append(menu.isVisible())
        menu.close()

    window.show()
    loop.run_until_complete(main())
    assert seen == [True]


def test_callbacks_wait_while_one_of_them_runs_a_nested_qt_loop(
    loop: BatchedEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 30:
            heartbeat.stop()
            nested.quit()

    def open_nested() -> None:
        loop.call_soon(events.append, "soon")
        loop.call_later(0, events.append, "timer")
        heartbeat.start()
        nested.exec()
        events.append("closed")

    nested = QEventLoop()
    heartbeat = QTimer(interval=1)
    heartbeat.timeout.connect(beat)
    drains = count_drains(loop, monkeypatch)
    loop.call_soon(open_nested)
    loop.call_later(0.005, events.append, "later timer")
    loop.call_later(0.006, loop.stop)
    loop.run_forever()
    assert events == ["closed", "soon", "timer", "later timer"]
    assert len(drains) < 20, "the zero timer must rest while nobody may drain"


def test_a_step_of_a_task_may_process_qt_events(loop: BatchedEventLoop) -> None:
    """What asyncio answers with "Cannot enter into task" on loops that drain inside a callback."""
    steps: list[str] = []

    async def other() -> None:
        for _ in range(20):
            steps.append("other")
            await asyncio.sleep(0)

    async def main() -> None:
        task = asyncio.create_task(other())
        for _ in range(10):
            before = len(steps)
            QCoreApplication.processEvents()
            assert len(steps) == before
            await asyncio.sleep(0)
        await task

    loop.run_until_complete(main())
    assert len(steps) == 20


def test_a_drain_after_a_nested_loop_inside_a_timer_callback_goes_on(loop: BatchedEventLoop) -> None:
    async def main() -> None:
        nested_closed = loop.create_future()

        def open_nested() -> None:
            nested = QEventLoop()
            QTimer.singleShot(5, nested.quit)
            nested.exec()
            nested_closed.set_result(None)

        loop.call_later(0.001, open_nested)
        ran_after = asyncio.Event()
        loop.call_later(0.002, ran_after.set)
        await nested_closed
        await asyncio.sleep(0.001)
        assert ran_after.is_set()

    loop.run_until_complete(main())


def test_an_event_handler_may_start_tasks(loop: BatchedEventLoop) -> None:
    tasks: list[asyncio.Task[str]] = []

    async def main() -> str:
        QTimer.singleShot(0, lambda: tasks.append(asyncio.create_task(asyncio.sleep(0.001, "done"))))
        await until(lambda: tasks)
        return await tasks[0]

    assert loop.run_until_complete(main()) == "done"


def test_the_running_callback_can_be_seen_from_another_thread(loop: BatchedEventLoop) -> None:
    def look(started: list[float | None], seen: threading.Event) -> None:
        started.append(loop.slice_started)
        seen.set()

    async def main() -> list[float | None]:
        started: list[float | None] = []
        seen = threading.Event()
        thread = threading.Thread(target=look, args=(started, seen))
        thread.start()
        seen.wait()
        thread.join()
        return started

    began = time.perf_counter()
    (started,) = loop.run_until_complete(main())
    assert started is not None and began < started < time.perf_counter()
    assert loop.slice_started is None
    assert loop.running_handle is None


def test_a_loop_without_an_application_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, qapp: QObject
) -> None:
    monkeypatch.setattr(QCoreApplication, "instance", lambda: None)
    with pytest.raises(RuntimeError, match="make the QApplication first"):
        BatchedEventLoop()
