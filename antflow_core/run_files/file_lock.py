"""A lock that one recorder holds on its run file, and that the system takes back when its process dies."""

from __future__ import annotations

import os
import sys
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Final

LOCK_SUFFIX: Final = "-lock"

_TRIES: Final = 5
_PAUSE_S: Final = 0.02
"""Who only asks whether a file is locked holds its lock for a moment."""
_PID_BYTES: Final = 20
_RESERVED_BYTES: Final = 1 << 16
"""So much of the disk is kept by a lock for what its holder has to write when the disk is full."""


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()
_held_paths: set[Path] = set()


class FileLockedError(Exception):
    """Another recorder holds the lock; `pid` is its process, None where it does not tell."""

    def __init__(self, pid: int | None) -> None:
        super().__init__()
        self.pid = pid


class FileLock:
    """Held from its making to `release`, on a file of its own beside the one it guards.

    Args:
        path: The file to guard; it need not exist.

    Raises:
        FileLockedError: Somebody else holds it, in this process or in another.
        OSError: The folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = lock_path(path)
        self._real_path = _real(self._path)
        self._descriptor = self._acquire()
        try:
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, b"%-*d" % (_PID_BYTES, os.getpid()) + b" " * _RESERVED_BYTES)
        except BaseException:
            self.release()
            raise
        _held.add(self)
        _held_paths.add(self._real_path)

    def give_room(self) -> None:
        """Let go of the reserved part of the disk."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, _PID_BYTES)

    def release(self) -> None:
        """Let go of the lock; may be called again."""
        if self._descriptor < 0:
            return
        if sys.platform == "win32":
            self._close()  # an open file cannot be deleted there
        with suppress(OSError):  # a folder that became read-only keeps a lock that nobody holds
            self._path.unlink()
        self._close()
        _held.discard(self)
        _held_paths.discard(self._real_path)

    def _acquire(self) -> int:
        for attempt in range(_TRIES):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if _lock(descriptor, shared=False) and _is_at(descriptor, self._path):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
            if attempt < _TRIES - 1:
                time.sleep(_PAUSE_S)
        raise FileLockedError(_pid_in(self._path))

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _close_in_child() -> None:
    """A forked child would hold the locks too, and may outlive this process."""
    for lock in _held:
        lock._close()  # noqa: SLF001
    _held.clear()
    _held_paths.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


def lock_path(path: Path) -> Path:
    """Where the lock of a file is."""
    return path.with_name(path.name + LOCK_SUFFIX)


def is_locked(path: Path) -> bool:
    """Whether a living process records into a file."""
    lock = lock_path(path)
    try:
        descriptor = os.open(lock, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # it cannot be asked, so it may be
    try:
        return not _lock(descriptor, shared=True)
    except OSError:
        return False  # a file system without locks, where nobody can have got one
    finally:
        os.close(descriptor)


def is_recorded_here(path: Path) -> bool:
    """Whether this process records into a file, by whatever path it is given.

    Such a file is to be opened by SQLite only. Who closes it otherwise takes away the locks that keep others
    from clearing it up, since POSIX counts them by process (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    return bool(_held_paths) and lock_path(_real(path)) in _held_paths


def lock_holder(path: Path) -> int | None:
    """The process that records into a file; None where it does not tell."""
    return _pid_in(lock_path(path))


def _real(path: Path) -> Path:
    """The same for all the paths that lead to a file."""
    return Path(os.path.realpath(path))


def _pid_in(lock: Path) -> int | None:
    try:
        return int(lock.read_bytes()[:_PID_BYTES])
    except (OSError, ValueError):
        return None


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at its path: its last holder may have deleted it."""
    if sys.platform == "win32":
        return True
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1_000_000
    """Locked bytes cannot be read by others there, and the process number should be."""

    def _lock(descriptor: int, *, shared: bool) -> bool:  # noqa: ARG001  there are no shared locks there
        """Try to lock an open file; closing it unlocks it."""
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> bool:
        """Try to lock an open file; closing it unlocks it."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
