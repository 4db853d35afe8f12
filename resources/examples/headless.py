"""Run a pipeline inside your own program: callbacks, a dashboard of your own, questions afterwards.

No window and no Qt; all of it is `antflow_core`.

    python headless.py
"""

import asyncio

from antflow_core import DashboardProtocol, Pipeline, Stage, StatusTracker, install_fast_loop


async def double(number):
    """Take its time, and refuse every fiftieth number."""
    await asyncio.sleep(0.01)
    if number % 50 == 0:
        raise ValueError(f"{number} is not welcome")
    return number * 2


def report_failure(event):
    """Called at once when a task has failed for good; may be ``async`` too."""
    print(f"Failed: item {event.item_id} in {event.stage}, {event.error}")


class PercentLine(DashboardProtocol):
    """Prints how far the run is; looks at a snapshot now and then, so it costs the run nothing."""

    def on_start(self, pipeline, total_items):
        """The run begins."""
        self.total = total_items
        print(f"Starting {total_items} items")

    def on_update(self, snapshot):
        """Some time has passed."""
        stats = snapshot.pipeline_stats
        ended = stats.items_processed + stats.items_failed
        print(f"{ended / self.total:.0%}, {stats.items_in_flight} in flight")

    def on_finish(self, results, summary):
        """The run is over."""
        print(f"Done: {len(results)} results, {summary.total_failed} failed")


async def main():
    """Run, then ask the tracker what happened."""
    tracker = StatusTracker(on_task_fail=report_failure)
    pipeline = Pipeline(
        stages=[Stage(name="Double", workers=20, tasks=[double], task_attempts=1)],
        status_tracker=tracker,
    )

    await pipeline.run(range(1, 201), custom_dashboard=PercentLine(), dashboard_update_interval=0.05)

    print(pipeline.get_error_summary())
    print(f"Now: {tracker.get_stats()}")
    for event in tracker.get_history(item_id=49):
        print(f"{event.timestamp:.3f}  {event.status} @ {event.stage}")


if __name__ == "__main__":
    install_fast_loop()  # uvloop, on Windows winloop, where it is installed; else the loop stays as it is
    asyncio.run(main())
