"""The suite's own watch: a test that leaves something behind or complains unexpectedly fails."""

from __future__ import annotations

from pathlib import Path

from tests.support.watched import complaints

_FAULTY = """\
import asyncio, logging, threading, warnings

stop = threading.Event()
kept = []

class Broken:
    def __del__(self): raise OSError

async def test_task(): kept.append(asyncio.create_task(asyncio.sleep(60)))
async def test_timer(): asyncio.get_running_loop().call_later(60, print)
def test_thread(): threading.Thread(target=stop.wait, args=(60,), name="T9").start()
def test_stop(): stop.set()
def test_log(): logging.getLogger("a").warning("lost %d", 3)
def test_silence(expect_log): expect_log("never")
def test_warning(): warnings.warn("old")
def test_unraisable(): Broken()
"""

_IN_ORDER = """\
import asyncio, logging, threading

async def test_task(): await asyncio.create_task(asyncio.sleep(0))
async def test_timer(): asyncio.get_running_loop().call_later(60, print).cancel()
def test_thread(): threading.Thread(target=int).start()
def test_log(): logging.getLogger("a").info("fine")
def test_expected_log(expect_log):
    expect_log("lost")
    logging.getLogger("a").error("all lost")
def test_caplog(caplog):
    logging.getLogger("a").error("lost")
    assert "lost" in caplog.text
"""


def test_what_a_test_leaves_or_says_unexpectedly_fails_it(tmp_path: Path) -> None:
    found = complaints(tmp_path, _FAULTY)
    expected = {
        "test_task": "Tasks are left",
        "test_timer": "Timers are left",
        "test_thread": "Threads are left: T9",
        "test_log": "Unexpected log records",
        "test_silence": "that did not come: ['never']",
        "test_warning": "UserWarning: old",
        "test_unraisable": "PytestUnraisableExceptionWarning",
    }
    assert found.keys() == expected.keys()
    assert {name for name, part in expected.items() if part not in found[name]} == set(), found


def test_what_is_in_order_passes(tmp_path: Path) -> None:
    assert complaints(tmp_path, _IN_ORDER) == {}
