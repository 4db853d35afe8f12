"""Crew: a stage's workers within a run: who is wanted, who works, who has yet to go, what each has done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antflow_core.context import WorkerContext
from antflow_core.stage import Stage

if TYPE_CHECKING:
    from antflow_core.engine.worker import Worker


class Crew:
    """A stage's workers, by name and in the order of their numbers.

    Those with the highest numbers are sent away. Each finishes the item in hand, and counts among the present
    until then; who is taken on under a name that was there before goes on with its counts.

    Args:
        stage: Says how many are wanted, at first and at each `resize`.
        run: What the workers belong to.

    Attributes:
        present: Who is wanted, started or not, and who has yet to go.
    """

    __slots__ = ("_known", "_run", "_stage", "_working", "present")

    def __init__(self, stage: Stage, run: object) -> None:
        self._stage = stage
        self._run = run
        self._known: dict[str, WorkerContext] = {}  # those too who have gone
        self._working: dict[str, Worker] = {}
        self.present: dict[str, WorkerContext] = {}
        self.resize()

    def resize(self) -> None:
        """Send away who is too many by the stage's number, and call back who is wanted after all."""
        wanted = dict.fromkeys(self._stage.worker_names())
        for name in wanted:
            if name not in self._known:
                self._known[name] = WorkerContext(name, self._stage.name, self._run)
        for name, worker in self._working.items():
            if name in wanted:
                worker.stay()
            else:
                worker.retire()
        self.present = {
            name: context for name, context in self._known.items() if name in wanted or name in self._working
        }

    def missing(self) -> list[WorkerContext]:
        """Who is wanted and does not work."""
        return [context for name, context in self.present.items() if name not in self._working]

    def working(self) -> list[Worker]:
        """Who works."""
        return list(self._working.values())

    def go_on_from(self, other: Crew) -> None:
        """Count on from what those of the same names did in a run that this one continues."""
        for name, before in other._known.items():
            if name not in self._known:
                self._known[name] = WorkerContext(name, self._stage.name, self._run)
            self._known[name].count_on_from(before)

    def enter(self, name: str, worker: Worker) -> None:
        """A worker begins under this name."""
        self._working[name] = worker

    def leave(self, name: str, worker: Worker) -> None:
        """A worker has ended; one that was sent away is not there any more. Only the first call counts."""
        if self._working.get(name) is worker:
            del self._working[name]
            if worker.retiring:
                del self.present[name]
