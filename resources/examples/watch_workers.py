"""What each worker does now, and what it has done: states, figures, and the whole in one snapshot.

Run it with ``python watch_workers.py``, or open it in the app.
"""

import asyncio
import time

from antflow_core import Pipeline, Stage, set_task_status

watched = asyncio.Event()


async def convert(film):
    """A long task says how far it is; who looks at its worker sees that instead of the task's name."""
    if film == "the long one":
        set_task_status("scene 3 of 90")
        await watched.wait()
    await asyncio.sleep(0.002)
    return film


async def upload(film):
    """Refuses one."""
    await asyncio.sleep(0.001)
    if film == "film 7":
        raise PermissionError("not in this country")
    return film


pipeline = Pipeline([Stage("Convert", 3, [convert]), Stage("Upload", 2, [upload], task_attempts=1)])


async def watch():
    """Look at all workers now and then; that costs the run next to nothing."""
    while not watched.is_set():
        await asyncio.sleep(0.02)
        for name, worker in pipeline.get_worker_states().items():
            if worker.status == "busy" and time.time() - worker.processing_since > 0.1:
                print(f"{name} has had {worker.current_item_id!r} for 0.1 s: {worker.current_task}")
                watched.set()


async def main():
    """Watch while it runs, count afterwards."""
    print("; ".join(f"{stage}: {', '.join(names)}" for stage, names in pipeline.get_worker_names().items()))
    films = [{"id": film, "value": film} for film in ["the long one", *(f"film {n}" for n in range(1, 30))]]
    await asyncio.gather(pipeline.run(films), watch())

    for name, worker in pipeline.get_worker_metrics().items():
        mean_ms = worker.avg_processing_time * 1000
        print(f"{name}: {worker.items_processed} done, {worker.items_failed} failed, {mean_ms:.0f} ms each")

    snapshot = pipeline.get_dashboard_snapshot()
    for stage in snapshot.pipeline_stats.stage_stats.values():
        print(f"{stage.stage_name}: {stage.completed_items} completed, {stage.failed_items} failed")
    print(f"busy now: {sum(worker.status == 'busy' for worker in snapshot.worker_states.values())}")


if __name__ == "__main__":
    asyncio.run(main())
