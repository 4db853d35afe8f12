"""Continuing: a run that goes on where one has ended, so that its failed entries can be tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antflow_core.exceptions import PipelineError

if TYPE_CHECKING:
    from antflow_core.engine.run import Run


def go_on_from(ended: Run, run: Run) -> None:
    """Have a fresh run count, collect and record on from where another ended.

    Raises:
        PipelineError: It has other stages.
    """
    names, wanted = ([stage.name for stage in each.stages] for each in (run, ended))
    if names != wanted:
        raise PipelineError(f"The failed items belong to the stages {wanted}; the pipeline has {names} now")
    run.reopened = True
    run.ends_when_drained = True
    run.output.collect = ended.output.collect and ended.output.delivery is None
    run.output.results = ended.output.results
    run.output.processed = ended.output.processed
    run.failures = ended.failures
    run.fed, run.dropped = ended.fed, ended.dropped
    run.cancels.count = ended.cancels.count
    for before, stage in zip(ended.stages, run.stages, strict=True):
        stage.completed, stage.failed = before.completed, before.failed
        stage.skipped, stage.retried = before.skipped, before.retried
        stage.crew.go_on_from(before.crew)
    if ended.recorder is not None:
        run.report_to(ended.recorder)


def remains_of(ended: Run, run: Run) -> None:
    """Have a fresh run stand for one that has ended, but for its results: only its failed items can go on."""
    go_on_from(ended, run)
    run.output.results = []
    run.output.collect = False
    run.started = run.stopping = run.ended = True
