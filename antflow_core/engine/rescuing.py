"""Rescuing: failed entries go again from the stage that failed, and somebody waits for how they end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from antflow_core.context import WorkerContext, worker_state_var
from antflow_core.engine.callers import give_up_places
from antflow_core.engine.failures import Choice, Failure
from antflow_core.engine.feeding import ENTRIES_PER_TURN, Entry, let_in
from antflow_core.exceptions import PipelineError
from antflow_core.types import PipelineResult

if TYPE_CHECKING:
    from antflow_core.engine.run import Run
    from antflow_core.engine.stage_run import StageRun


class Rescues:
    """The failed entries of one run that go again, each with who waits for it.

    From the moment they are chosen they are no longer failed but in flight, and can be cancelled. Those that
    the run does not let in any more, because it stops, are failed as before.

    Args:
        run: Where they failed.
    """

    __slots__ = ("_of_entry", "_rescues", "_run")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rescues: list[_Rescue] = []
        self._of_entry: dict[Entry, _Rescue] = {}

    async def rescue(self, choice: Choice, *, inside: bool) -> list[PipelineResult]:
        """Let the chosen entries go again and wait until all of them have ended, or the run has.

        Args:
            inside: Who asks is a task or a callback of the run, and does not wait for room.

        Returns:
            The results of those that came through, in input order.

        Raises:
            PipelineError: A task asks that keeps from them the last worker, or the last place in a task.
        """
        failures = [] if self._run.stopping else self._run.failures.chosen(choice)
        if not failures:
            return []
        first_stage = min(stage.index for _, stage in self._with_stages(failures))
        worker = self._own_worker()
        if worker is not None and (fault := self._fault(worker, first_stage)) is not None:
            raise fault
        give_up_places()
        rescue = self._begin(_Rescue(failures, worker, first_stage, inside=inside))
        try:
            with self._run.output.let_out_for_caller():
                await self._let_in(rescue)
                await rescue.ended
        finally:
            self._finish(rescue)
        return sorted(rescue.results, key=lambda result: result.sequence_id)

    def note_end(self, entry: Entry, result: PipelineResult | None) -> None:
        """An entry ended, and came through if there is a result."""
        rescue = self._of_entry.pop(entry, None)
        if rescue is not None:
            rescue.note_end(result)
            self._attend()

    def give_back(self) -> None:
        """The run takes nothing more: what has not been let in again is failed as before."""
        for rescue in self._rescues:
            self._give_back(rescue)

    def release_inside(self) -> None:
        """The run finishes what is in hand: who waits there goes on with what has come through."""
        for rescue in self._rescues:
            if rescue.inside:
                rescue.end()

    def check_workers(self) -> None:
        """Workers have gone: a task that waits for items which nobody can take any more is told so."""
        for rescue in self._rescues:
            if rescue.worker is not None and rescue.is_waiting:
                fault = self._fault(rescue.worker, rescue.first_stage)
                if fault is not None:
                    rescue.ended.set_exception(fault)

    def end(self) -> None:
        """The run has ended: nobody waits any more."""
        for rescue in self._rescues:
            rescue.end()

    def _begin(self, rescue: _Rescue) -> _Rescue:
        run, failures = self._run, list(rescue.at_door)
        self._rescues.append(rescue)
        run.failures.remove(failures)
        run.outstanding += len(failures)
        for failure, stage in self._with_stages(failures):
            stage.failed -= 1
            failure.entry.attempt = 1
            run.cancels.at_door[failure.entry] = stage
            self._of_entry[failure.entry] = rescue
        self._attend()
        return rescue

    async def _let_in(self, rescue: _Rescue) -> None:
        """Let the entries in one by one, as room appears."""
        run, at_door = self._run, rescue.at_door
        turn = ENTRIES_PER_TURN
        while at_door:
            entry = at_door[0].entry
            stage = run.cancels.at_door.get(entry)
            if stage is None:  # it has been cancelled
                at_door.popleft()
            elif rescue.inside or stage.channel.has_room():
                at_door.popleft()
                await self._bring(entry, stage, inside=rescue.inside)
            else:
                run.start_if_needed()
                await stage.channel.wait_room()
                if entry not in run.cancels.at_door:
                    stage.channel.pass_room_on()
            turn -= 1
            if not turn:
                turn = ENTRIES_PER_TURN
                await asyncio.sleep(0)

    async def _bring(self, entry: Entry, stage: StageRun, *, inside: bool) -> None:
        """Let an entry in; whoever gives up waiting then, it has been told of as queued, and goes."""
        run = self._run
        try:
            if not await let_in(run, entry, stage, past_capacity=inside):
                run.drop(1)
        except BaseException:
            if run.cancels.at_door.pop(entry, None) is not None:
                run.drop(1) if run.stopping else stage.put(entry)
            raise

    def _finish(self, rescue: _Rescue) -> None:
        """Nobody waits for it any more; what is under way goes on."""
        self._give_back(rescue)
        self._rescues.remove(rescue)
        for entry in [entry for entry, its_rescue in self._of_entry.items() if its_rescue is rescue]:
            del self._of_entry[entry]
        self._attend()

    def _give_back(self, rescue: _Rescue) -> None:
        run, door = self._run, self._run.cancels.at_door
        back = [failure for failure in rescue.at_door if door.pop(failure.entry, None) is not None]
        rescue.at_door.clear()
        if not back:
            return
        for failure, stage in self._with_stages(back):
            stage.failed += 1
            del self._of_entry[failure.entry]
        run.failures.put_back(back)
        rescue.note_ends(len(back))
        run.end_outstanding(len(back))

    def _attend(self) -> None:
        self._run.output.attend(bool(self._of_entry))

    def _with_stages(self, failures: list[Failure]) -> Iterator[tuple[Failure, StageRun]]:
        stages = {stage.name: stage for stage in self._run.stages}
        for failure in failures:
            yield failure, stages[failure.note.stage]

    def _own_worker(self) -> WorkerContext | None:
        """The worker of this run whose task asks; None for anybody else."""
        worker = worker_state_var.get()
        return worker if worker is not None and worker.run is self._run else None

    def _fault(self, worker: WorkerContext, first_stage: int) -> PipelineError | None:
        """Why a worker cannot wait for items from a stage on: it and others that wait are all there are."""
        waiting = {
            rescue.worker.worker_name for rescue in self._rescues if rescue.is_waiting and rescue.worker
        }
        waiting.add(worker.worker_name)
        for stage in self._run.stages[first_stage:]:
            if waiting.issuperset(stage.stage.worker_names()):
                return _waits_for_itself(
                    worker, f"no worker of stage {stage.name!r} is left to take the items", "worker"
                )
            for task in stage.tasks:
                if task.limit is not None and task.limit.is_full_of(waiting):
                    return _waits_for_itself(
                        worker, f"no place in task {task.name!r} of stage {stage.name!r} is left", "place"
                    )
        return None


def _waits_for_itself(worker: WorkerContext, why: str, lacking: str) -> PipelineError:
    return PipelineError(
        f"retry_failed() in a task of stage {worker.stage!r} would wait for itself: {why}; "
        f"give that {'stage' if lacking == 'worker' else 'task'} another {lacking}, "
        "or call it outside the tasks"
    )


class _Rescue:
    """Some failed entries for which somebody waits.

    Attributes:
        worker: The worker whose task it is that waits; None for others.
        first_stage: Index of the first stage that they go through.
        inside: Who waits is a task or a callback of the run, which cannot end before.
        at_door: Those not let in yet.
        results: Of those that came through.
        ended: Done when nothing is to be waited for any more.
    """

    def __init__(
        self, failures: list[Failure], worker: WorkerContext | None, first_stage: int, *, inside: bool
    ) -> None:
        self.worker = worker
        self.first_stage = first_stage
        self.inside = inside
        self.at_door = deque(failures)
        self.results: list[PipelineResult] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = len(failures)

    @property
    def is_waiting(self) -> bool:
        """Whether there still is something to wait for."""
        return not self.ended.done()

    def note_end(self, result: PipelineResult | None) -> None:
        """One entry has ended."""
        if result is not None:
            self.results.append(result)
        self.note_ends(1)

    def note_ends(self, count: int) -> None:
        """So many entries have ended."""
        self._left -= count
        if not self._left:
            self.end()

    def end(self) -> None:
        """Wait no longer."""
        if not self.ended.done():
            self.ended.set_result(None)
