"""Vector registers: what Qt's painting leaves in them is cleared, as the processor itself tells."""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from pytestqt.qtbot import QtBot

from antflow_gui.vector_registers import release_vector_registers

_READ_STATE = bytes.fromhex("b901000000 0f01d0 c3")  # mov ecx, 1; xgetbv; ret
_UPPER_HALVES = 1 << 2  # Intel's manual, volume 1, 13.1: AVX state, if it is not in its first configuration


def _has_xgetbv1() -> bool:
    cpu_info = Path("/proc/cpuinfo")
    return (
        platform.machine() == "x86_64"
        and cpu_info.exists()
        and {"avx2", "xgetbv1"} <= set(cpu_info.read_text(encoding="utf-8").split())
    )


@pytest.fixture
def in_use() -> Iterator[Callable[[], bool]]:
    if not _has_xgetbv1():
        pytest.skip("only some x86-64 processors tell, and only Linux says which")
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(_READ_STATE)
    read_state = ctypes.PYFUNCTYPE(ctypes.c_uint32)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    yield lambda: bool(read_state() & _UPPER_HALVES)
    del code  # kept until here, for it is what runs


def test_what_painting_leaves_in_use_is_released(qtbot: QtBot, in_use: Callable[[], bool]) -> None:
    pixmap = QPixmap(500, 500)
    pixmap.fill(Qt.GlobalColor.transparent)
    if not in_use():
        pytest.skip("this Qt leaves nothing behind; is the workaround still needed?")
    release_vector_registers()
    assert not in_use()
