"""Noting: tells a tracker the values that come to stages, in a run where somebody wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antflow_core.context import worker_state_var

if TYPE_CHECKING:
    from antflow_core.engine.invoke import Call
    from antflow_core.engine.stage_run import StageRun
    from antflow_core.tracker import RunRecorder


def note_values(stage: StageRun, recorder: RunRecorder) -> None:
    """Have the values that come to a stage told, and those that come out if it is the last one."""
    stage.tasks[0].call = _noting_argument(stage.tasks[0].call, recorder, stage.index)
    if stage.following is None:
        stage.tasks[-1].call = _noting_result(stage.tasks[-1].call, recorder, stage.index + 1)


def _noting_argument(call: Call, recorder: RunRecorder, stage: int) -> Call:
    async def noted(value: Any) -> Any:
        _tell(recorder, stage, value)
        return await call(value)

    return noted


def _noting_result(call: Call, recorder: RunRecorder, stage: int) -> Call:
    async def noted(value: Any) -> Any:
        result = await call(value)
        _tell(recorder, stage, result)
        return result

    return noted


def _tell(recorder: RunRecorder, stage: int, value: Any) -> None:
    worker = worker_state_var.get()
    if worker is not None:
        recorder.value(worker.current_item_id, stage, value)
