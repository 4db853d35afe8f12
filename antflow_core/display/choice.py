"""Which display a name stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from antflow_core.display.compact import CompactDashboard
from antflow_core.display.detailed import DetailedDashboard
from antflow_core.display.full import FullDashboard
from antflow_core.display.progress import ProgressDisplay

if TYPE_CHECKING:
    from antflow_core.types import DashboardProtocol

DisplayKind = Literal["progress", "compact", "detailed", "full"]


def create_display(kind: DisplayKind, total: int | None) -> DashboardProtocol:
    """The display that ``Pipeline.run`` uses for ``progress=True`` or ``dashboard=kind``.

    Args:
        kind: Its name.
        total: How many items there will be; None where that is not known.

    Raises:
        ValueError: There is no display of that name.
    """
    match kind:
        case "progress":
            return ProgressDisplay(total)
        case "compact":
            return CompactDashboard(total=total)
        case "detailed":
            return DetailedDashboard(total=total)
        case "full":
            return FullDashboard(total=total)
    raise ValueError(f"Unknown dashboard {kind!r}; there are 'compact', 'detailed' and 'full'")
