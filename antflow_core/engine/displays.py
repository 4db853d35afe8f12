"""Displays: which dashboards are to be informed of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from antflow_core.types import DashboardProtocol

DashboardKind = Literal["compact", "detailed", "full"]


def choose_displays(
    items: object,
    progress: bool = False,
    dashboard: DashboardKind | None = None,
    custom: DashboardProtocol | None = None,
) -> list[DashboardProtocol]:
    """The dashboards that a caller asks for.

    Args:
        items: What the run is to be fed with; a display may want their number.
        progress: The line of progress.
        dashboard: The dashboard of this name.
        custom: The caller's own.

    Raises:
        ValueError: Two displays want the terminal, there is none of that name, or `custom` is no dashboard.
    """
    if progress and dashboard is not None:
        raise ValueError("Cannot use both 'progress' and 'dashboard': they would draw on the same terminal")
    if dashboard is not None and dashboard not in get_args(DashboardKind):
        raise _unknown(dashboard)
    if custom is not None and not isinstance(custom, DashboardProtocol):
        raise ValueError(f"custom_dashboard needs on_start, on_update and on_finish, got {custom!r}")
    kind: Literal["progress", "compact", "detailed", "full"] | None = "progress" if progress else dashboard
    displays = []
    if kind is not None:
        from antflow_core.display import create_display  # late: it loads rich, which few runs need

        displays.append(create_display(kind, len(items) if isinstance(items, Sequence) else None))
    if custom is not None:
        displays.append(custom)
    return displays


def _unknown(dashboard: object) -> ValueError:
    if isinstance(dashboard, DashboardProtocol):
        kind = type(dashboard).__name__
        return ValueError(
            f"dashboard= takes 'compact', 'detailed' or 'full'; give a {kind} to custom_dashboard="
        )
    return ValueError(f"Unknown dashboard {dashboard!r}; use 'compact', 'detailed' or 'full'")
