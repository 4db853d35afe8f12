"""A script as people write them for AntFlow 0.10: what it prints was printed by the real one."""

# A user's script prints, and is written as users write.
# ruff: noqa: PLW0108, T201
import asyncio
import functools
import json
import logging
import weakref

import antflow.pipeline
from antflow import (
    DashboardProtocol,
    Pipeline,
    PipelineError,
    Stage,
    StatusTracker,
    concurrency_limit,
    rate_limit,
    set_task_status,
)
from antflow.context import get_worker_state, worker_state_var
from antflow.executor import logger as executor_logger
from antflow.pipeline import StatusCode, extract_exception, get_meter, get_task_name, get_tracer, is_enabled
from antflow.pipeline import logger as pipeline_logger
from antflow.tracker import logger as tracker_logger
from antflow.utils import setup_logger


async def same(x):
    await asyncio.sleep(0)
    return x


async def refuse_one(x):
    if x == 1:
        raise ValueError("no 1")
    return x


async def add(a, b):
    return a + b


class Logged:
    """Decorates a task, as classes do."""

    def __init__(self, func):
        self.func = func

    async def __call__(self, x):
        return await self.func(x)


class Callable:
    async def __call__(self, x):
        return x


async def values_as_dictionaries():
    """Events go out as JSON, states and statistics into templates."""
    lines = []

    async def log(event):
        lines.append(json.dumps({**vars(event), "timestamp": None}))

    tracker = StatusTracker(on_status_change=log, on_task_complete=log_task)
    pipeline = Pipeline([Stage("A", 1, [same])], status_tracker=tracker)
    await pipeline.run(["x"])
    print("\n".join(lines))
    print(sorted(vars(pipeline.get_worker_states()["A-W0"])))
    print(sorted(vars(pipeline.get_worker_metrics()["A-W0"])))
    print({"items_processed", "items_failed", "items_in_flight"} <= vars(pipeline.get_stats()).keys())
    print("completed_items" in vars(pipeline.get_stats().stage_stats["A"]))
    print("worker_states" in vars(pipeline.get_dashboard_snapshot()))
    event = tracker.get_status(0)
    event.seen = True
    print(event.seen, weakref.ref(event)() is event)


async def log_task(event):
    print(sorted(vars(event)))


async def names_of_tasks():
    named = functools.partial(same)
    named.__name__ = "first"
    tasks = [named, functools.partial(same), Logged(same), Callable(), lambda x: same(x)]
    names = []

    async def note(event):
        names.append(event.task_name)

    stage = Stage("A", 1, tasks, task_concurrency_limits={"first": 1, "same": 1, "Callable": 1})
    await Pipeline([stage], status_tracker=StatusTracker(on_task_start=note)).run([1])
    print(names, [get_task_name(task) for task in tasks])


async def quick_pipelines():
    class Own(Pipeline):
        async def run(self, items, **options):
            print("own run:", [stage.name for stage in self.stages], sorted(options))
            return await super().run(items, **options)

    print([result.value for result in await Own.quick([1, 2], same)])
    print([result.value for result in await Own.quick([1], (task for task in (same, refuse_one)), retries=1)])
    print([result.value for result in await Own.quick([3], {"a": same, "b": Callable()}.values())])


async def limits():
    @rate_limit()
    @concurrency_limit()
    async def call(x):
        return x + 1

    async def task(x):
        return await call(x) + await call(x)

    stage = Stage("A", 2, [task], call_rate=100, call_concurrency=1, task_attempts=1)
    print([result.value for result in await Pipeline([stage]).run([1, 2])])
    bare = Pipeline([Stage("A", 2, [task], task_attempts=1)], status_tracker=StatusTracker())
    await bare.run([1])
    print(bare.get_error_summary().errors_by_type)


async def inside_a_task():
    async def task(x):
        print(set_task_status("one"), set_task_status("two", 9), set_task_status("three", min_interval=9))
        state = get_worker_state()
        print(state.worker_name, state.status, state.current_item_id, state.current_task)
        print(worker_state_var.get() is state)
        return x

    print(set_task_status("outside"), get_worker_state())
    await Pipeline([Stage("A", 1, [task])]).run([{"id": "a", "value": 1}])


async def payloads():
    def told(*facts):
        print(*facts[:2], sorted(facts[2].items()))

    stage = Stage("A", 1, [refuse_one], task_attempts=1, skip_if=lambda value: value == 5)
    stage.on_success = stage.on_failure = stage.on_skip = told
    items = [{"id": "a", "value": 0, "k": 1}, {"id": "b", "value": 1}, 5, {"id": "c", "z": 2}]
    for result in await Pipeline([stage]).run(items):
        print(result)
    unpacking = Pipeline([Stage("A", 1, [add], unpack_args=True)])
    print([result.value for result in await unpacking.run([(1, 2), [3, 4], {"a": 5, "b": 6}])])


async def custom_dashboard():
    class Calls(DashboardProtocol):
        def on_start(self, pipeline, total_items):
            print("start", type(pipeline).__name__, total_items)

        def on_finish(self, results, summary):
            print("finish", len(results), summary.total_failed, summary.errors_by_stage)

    stage = Stage("A", 1, [refuse_one], task_attempts=1)
    await Pipeline([stage], status_tracker=StatusTracker()).run([1, 2], custom_dashboard=Calls())


async def interactive():
    tracker = StatusTracker()
    pipeline = Pipeline([Stage("A", 2, [same]), Stage("B", 1, [same])], status_tracker=tracker)
    await pipeline.feed([1, 2])
    await pipeline.start()
    try:
        await pipeline.start()
    except PipelineError as error:
        print(error)
    await pipeline.feed([3], target_stage="B", priority=1)
    try:
        await pipeline.feed([4], target_stage="C")
    except ValueError as error:
        print("not found" in str(error))
    await pipeline.join()
    print([(result.id, result.value) for result in pipeline.results], tracker.get_stats())
    print([(e.status, e.stage, e.worker_id) for e in tracker.get_history(2)], tracker.get_status(9))
    await pipeline.shutdown()
    stream = pipeline.stream([7, 8, 9])
    print((await anext(stream)).value)
    await stream.aclose()


def modules():
    print([logger.name for logger in (pipeline_logger, executor_logger, tracker_logger)])
    print(antflow.pipeline.Pipeline is Pipeline, antflow.tracker.StatusTracker is StatusTracker)
    print(
        extract_exception(ValueError("itself")), is_enabled() in (True, False), StatusCode.ERROR is not None
    )
    with get_tracer().start_as_current_span("own") as span:
        span.set_attribute("answer", 42)
    get_meter().create_counter("own").add(1)
    print(setup_logger("own", logging.ERROR).level == logging.ERROR)


async def main():
    logging.getLogger("antflow").setLevel(logging.CRITICAL)
    for logger in (pipeline_logger, tracker_logger):
        logger.setLevel(logging.CRITICAL)
    modules()
    for part in (
        values_as_dictionaries,
        names_of_tasks,
        quick_pipelines,
        limits,
        inside_a_task,
        payloads,
        custom_dashboard,
        interactive,
    ):
        print(f"-- {part.__name__}")
        await part()


if __name__ == "__main__":
    asyncio.run(main())
