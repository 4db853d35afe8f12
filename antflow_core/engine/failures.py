"""Failures: the entries of a run that failed for good, kept with what it takes to try them again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from antflow_core.engine.feeding import Entry
from antflow_core.engine.statistics import error_text
from antflow_core.types import ErrorSummary, FailedItem

ErrorType = type[BaseException] | str
"""A class, which stands for its subclasses too, or the name of one, as error summaries show it."""

_SEVERAL = (list, tuple, set, frozenset)


class FailureNote(NamedTuple):
    """What is told of a failed item; the fields of `FailedItem`."""

    item_id: Any
    error: str
    error_type: str
    stage: str
    attempts: int
    timestamp: float


class Failure(NamedTuple):
    """One entry that failed.

    Attributes:
        number: Its place in the order of failing.
        entry: It has the value that it came to its stage with.
        kind: The error's class; the error itself would keep its frames.
    """

    number: int
    entry: Entry
    kind: type[BaseException]
    note: FailureNote


class FailureList:
    """The entries that are failed now, in the order they failed."""

    __slots__ = ("_by_stage", "_by_type", "_failures", "_notes", "_numbers")

    def __init__(self) -> None:
        self._failures: list[Failure] = []
        # Beside the failures, because who keeps a summary must not keep the values of items.
        self._notes: list[FailureNote] = []
        self._by_type: Counter[str] = Counter()
        self._by_stage: Counter[str] = Counter()
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._failures)

    def add(self, entry: Entry, error: BaseException, stage: str, attempts: int) -> None:
        """Note that an entry failed."""
        kind = type(error)
        note = FailureNote(entry.id, error_text(error), kind.__name__, stage, attempts, time.time())
        self._failures.append(Failure(self._numbers, entry, kind, note))
        self._notes.append(note)
        self._numbers += 1
        self._by_type[note.error_type] += 1
        self._by_stage[stage] += 1

    def chosen(self, choice: Choice) -> list[Failure]:
        """What fits a choice."""
        return [failure for failure in self._failures if choice.includes(failure)]

    def remove(self, failures: Iterable[Failure]) -> None:
        """Take out what is no longer failed."""
        numbers = {failure.number for failure in failures}
        self._replace(failure for failure in self._failures if failure.number not in numbers)

    def put_back(self, failures: Iterable[Failure]) -> None:
        """Have again, in its old place, what was taken out and not tried."""
        self._replace(sorted((*self._failures, *failures), key=lambda failure: failure.number))

    def summary(self) -> ErrorSummary:
        """What is failed now; the list is made when it is looked at."""
        notes, count = self._notes, len(self._notes)
        return ErrorSummary.deferred(
            count,
            dict(self._by_type),
            dict(self._by_stage),
            lambda: [FailedItem(*note) for note in notes[:count]],
        )

    def _replace(self, failures: Iterable[Failure]) -> None:
        """Have other failures, in lists of their own: summaries made before look at the old ones."""
        self._failures = list(failures)
        self._notes = [failure.note for failure in self._failures]
        self._by_type = Counter(note.error_type for note in self._notes)
        self._by_stage = Counter(note.stage for note in self._notes)


class Choice:
    """Which of the failed items are meant: those that fit everything given.

    Args:
        stage: Name of the stage where they failed.
        error_type: What they failed with; one class or name, or several in a list, tuple or set.
        ids: Their ids.

    Raises:
        TypeError: `error_type` or `ids` is of another kind.
    """

    def __init__(
        self,
        stage: str | None = None,
        error_type: ErrorType | Collection[ErrorType] | None = None,
        ids: Iterable[Any] | None = None,
    ) -> None:
        self._stage = stage
        self._kinds = None if error_type is None else _kinds(error_type)
        self._ids = None if ids is None else Ids(ids)

    def includes(self, failure: Failure) -> bool:
        """Whether a failed entry is meant."""
        if self._stage is not None and failure.note.stage != self._stage:
            return False
        if self._kinds is not None and not any(_is_a(failure.kind, kind) for kind in self._kinds):
            return False
        return self._ids is None or failure.entry.id in self._ids


class Ids:
    """Item ids to look others up in; they compare as Python compares them, hashable or not.

    Raises:
        TypeError: They are no collection of ids, or a text, which is one id and no collection.
    """

    def __init__(self, ids: Iterable[Any]) -> None:
        given: object = ids
        if isinstance(given, str | bytes) or not isinstance(given, Iterable):
            raise TypeError(f"ids must be a list or another iterable of item ids, got {given!r}")
        self._hashable: set[Any] = set()
        self._others: list[Any] = []
        for item_id in ids:
            try:
                self._hashable.add(item_id)
            except Exception:  # noqa: BLE001  the caller's __hash__ may raise anything
                self._others.append(item_id)

    def __contains__(self, item_id: Any) -> bool:
        try:
            if item_id in self._hashable:
                return True
            candidates = self._others
        except Exception:  # noqa: BLE001  the caller's __hash__ may raise anything
            candidates = [*self._others, *self._hashable]
        return any(_is_same(item_id, other) for other in candidates)


def _is_same(one: Any, other: Any) -> bool:
    try:
        return one is other or bool(one == other)
    except Exception:  # noqa: BLE001  what does not compare to a truth is not the same: arrays, say
        return False


def _kinds(error_type: ErrorType | Collection[ErrorType]) -> tuple[ErrorType, ...]:
    kinds: tuple[Any, ...] = tuple(error_type) if isinstance(error_type, _SEVERAL) else (error_type,)
    for kind in kinds:
        if not isinstance(kind, str) and not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError(
                f"error_type must be an exception class, its name, or a list of these, got {kind!r}"
            )
    return kinds


def _is_a(kind: type[BaseException], wanted: ErrorType) -> bool:
    return kind.__name__ == wanted if isinstance(wanted, str) else issubclass(kind, wanted)
