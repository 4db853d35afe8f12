"""One item can be ended while all others go on: one that hangs, or one that nobody wants any more.

Run it with ``python cancel_item.py``, or open it in the app.
"""

import asyncio
import time

from antflow_core import Pipeline, Stage, StatusTracker

PATIENCE_S = 0.2


async def download(page):
    """A few servers accept the call and then say nothing."""
    await asyncio.sleep(0.01)
    try:
        if page % 10 == 3:
            await asyncio.Event().wait()
    finally:
        # The task is cancelled as asyncio does it: whatever it holds is let go of here.
        await asyncio.sleep(0)
    return page


async def end_what_hangs(pipeline):
    """Look at the workers now and then; a snapshot costs the run nothing."""
    while True:
        await asyncio.sleep(PATIENCE_S / 4)
        for worker in pipeline.get_worker_states().values():
            if worker.status == "busy" and time.time() - worker.processing_since > PATIENCE_S:
                pipeline.cancel_item(worker.current_item_id)
                print(f"{worker.worker_name} waited for page {worker.current_item_id} long enough")


async def main():
    """Four workers, three pages that hang: without help the fourth would do all the rest."""
    tracker = StatusTracker()
    pipeline = Pipeline([Stage("Download", 4, [download])], status_tracker=tracker)
    helper = asyncio.create_task(end_what_hangs(pipeline))
    await pipeline.start()
    await pipeline.feed(range(30))

    # One that still waits in the queue leaves it at once.
    print(f"page 29 is not wanted any more: {pipeline.cancel_item(29)}")
    print(f"page 30 was never asked for: {pipeline.cancel_item(30)}")

    await pipeline.join()
    helper.cancel()

    stats = pipeline.get_stats()
    print(f"{stats.items_processed} pages, {pipeline.cancelled_items} cancelled, {stats.items_failed} failed")
    last = tracker.get_status(3)
    print(f"page 3: {last.status}, {last.metadata['error']}")


if __name__ == "__main__":
    asyncio.run(main())
