"""How a viewer meets a run: one protocol, whether the run is in this process, in another, or recorded.

::

    protocol  what every viewer sees of a run, and what can be asked of it
    inproc    a script run in this process
    terminal  the same with dashboards
    watched   a pipeline of this process
    retries   retries that a viewer asks for
    capture   what a script prints
    replay    a recorded run; not imported here, because it loads numpy and SQLite
"""

from __future__ import annotations

from antflow_core.link.inproc import InProcessRun
from antflow_core.link.protocol import PipelineView, RunOutcome, RunSource, RunState, StageView

__all__ = ["InProcessRun", "PipelineView", "RunOutcome", "RunSource", "RunState", "StageView"]
