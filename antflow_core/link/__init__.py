"""How a viewer meets a run: one protocol, whether the run is in this process, in another, or recorded."""

from __future__ import annotations

from antflow_core.link.inproc import InProcessRun
from antflow_core.link.protocol import PipelineView, RunOutcome, RunSource, RunState, StageView

__all__ = ["InProcessRun", "PipelineView", "RunOutcome", "RunSource", "RunState", "StageView"]
