"""Terminal dashboards: one line, a panel, a table of stages, or everything; plain lines where no terminal is.

::

    base       what every dashboard has: total, start time, render
    meter      figures from successive snapshots: rates, time left, stages
    terminal   drawing no faster than asked, plain lines, the summary at the end
    plain      what is printed where nothing can be redrawn
    parts      the pieces the frames are made of
    wording    how figures and errors are put into words
    progress, compact, detailed, full    the four displays
    choice     which display a name stands for
"""

from __future__ import annotations

from antflow_core.display.base import BaseDashboard
from antflow_core.display.choice import DisplayKind, create_display
from antflow_core.display.compact import CompactDashboard
from antflow_core.display.detailed import DetailedDashboard
from antflow_core.display.full import FullDashboard
from antflow_core.display.progress import ProgressDisplay

__all__ = [
    "BaseDashboard",
    "CompactDashboard",
    "DetailedDashboard",
    "DisplayKind",
    "FullDashboard",
    "ProgressDisplay",
    "create_display",
]
