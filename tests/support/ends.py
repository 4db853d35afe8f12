"""How the items of a pipeline ended, counted in every way there is."""

from __future__ import annotations

from antflow_core import Pipeline


def counts(pipeline: Pipeline) -> dict[str, int]:
    """How many items ended how; together they are all that were fed."""
    stats = pipeline.get_stats()
    ends = {
        "processed": stats.items_processed,
        "failed": stats.items_failed,
        "dropped": pipeline.dropped_items,
        "cancelled": pipeline.cancelled_items,
        "in flight": stats.items_in_flight,
    }
    assert sum(ends.values()) == stats.total_items
    assert stats.items_failed == pipeline.get_error_summary().total_failed
    return {name: count for name, count in ends.items() if count}
