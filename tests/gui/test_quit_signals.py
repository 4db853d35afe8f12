"""Ctrl+C and SIGTERM end the app while Qt sleeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import shiboken6
from PySide6.QtWidgets import QApplication

from antflow_gui.event_loop import BatchedEventLoop
from antflow_gui.quit_signals import install_quit_signals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals between processes")


@pytest.fixture
def loop(qapp: QApplication) -> Iterator[BatchedEventLoop]:
    loop = BatchedEventLoop(qapp)
    yield loop
    loop.close()


def send_soon(number: signal.Signals) -> threading.Thread:
    """Send it from outside of the main thread, so that it cannot come to pass by the way."""
    thread = threading.Thread(target=os.kill, args=(os.getpid(), number))
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_app_while_the_loop_sleeps(
    loop: BatchedEventLoop, number: signal.Signals
) -> None:
    asked: list[bool] = []

    def stop() -> None:
        asked.append(True)
        loop.stop()

    restore = install_quit_signals(stop)
    threads: list[threading.Thread] = []
    loop.call_soon(lambda: threads.append(send_soon(number)))
    loop.run_forever()
    restore()
    threads[0].join()
    assert asked == [True]


def test_a_script_that_has_taken_the_wakeup_descriptor_changes_nothing(loop: BatchedEventLoop) -> None:
    asked: list[bool] = []

    def stop() -> None:
        asked.append(True)
        loop.stop()

    restore = install_quit_signals(stop)
    loop.add_signal_handler(signal.SIGUSR1, lambda: None)
    threads: list[threading.Thread] = []
    loop.call_soon(lambda: threads.append(send_soon(signal.SIGTERM)))
    loop.run_forever()
    loop.remove_signal_handler(signal.SIGUSR1)
    restore()
    threads[0].join()
    assert asked == [True]


def test_everything_is_put_back(loop: BatchedEventLoop) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    restore = install_quit_signals(loop.stop)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] != handlers
    restore()
    restore()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert signal.set_wakeup_fd(-1) == -1


def test_putting_back_survives_that_qt_has_gone_first(loop: BatchedEventLoop) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    restore = install_quit_signals(loop.stop)
    shiboken6.delete(restore.__self__._notifier)  # type: ignore[attr-defined]
    restore()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_handler_that_comes_back_after_all_was_put_back_hands_on(loop: BatchedEventLoop) -> None:
    """A script's host puts back what it found, which may be ours, when ours has gone already."""
    restore = install_quit_signals(loop.stop)
    ours = signal.getsignal(signal.SIGINT)
    restore()
    before = signal.signal(signal.SIGINT, ours)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


HELD = """
import sys, time
from PySide6.QtWidgets import QApplication
from antflow_gui.event_loop import BatchedEventLoop
from antflow_gui.quit_signals import install_quit_signals

def hold():
    print("held", flush=True)
    time.sleep(60)

app = QApplication([])
loop = BatchedEventLoop(app)
install_quit_signals(loop.stop)
loop.call_soon(hold)
loop.run_forever()
"""


def test_a_second_signal_ends_a_process_whose_loop_is_held() -> None:
    with subprocess.Popen([sys.executable, "-c", HELD], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        assert process.wait(1) == -signal.SIGTERM
