"""PipelineBuilder: a pipeline stage by stage, or one stage a task, with the usual settings."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any, Literal

from antflow_core.engine.displays import DashboardKind
from antflow_core.pipeline import Pipeline
from antflow_core.stage import Stage, task_name
from antflow_core.tracker import StatusTracker
from antflow_core.types import PipelineResult, TaskFunc


class PipelineBuilder:
    """Collects stages and makes a pipeline of them; all but `build` and `run` give the builder back."""

    def __init__(self) -> None:
        self._stages: list[Stage] = []
        self._tracker: StatusTracker | None = None
        self._collect_results = True

    def add(
        self,
        name: str,
        *tasks: TaskFunc,
        workers: int = 5,
        retries: int = 3,
        retry_policy: Literal["per_task", "per_stage"] = "per_task",
    ) -> PipelineBuilder:
        """Add a stage.

        Args:
            retries: Attempts in all, at each task or at the stage, as `retry_policy` says.
        """
        stage = Stage(
            name, workers, list(tasks), retry=retry_policy, task_attempts=retries, stage_attempts=retries
        )
        self._stages.append(stage)
        return self

    def with_tracker(self, tracker: StatusTracker | None) -> PipelineBuilder:
        """Let `tracker` follow every item."""
        self._tracker = tracker
        return self

    def collect_results(self, enabled: bool = True) -> PipelineBuilder:
        """Whether results are kept."""
        self._collect_results = enabled
        return self

    def build(self) -> Pipeline:
        """Make the pipeline.

        Raises:
            PipelineError: No stage was added, or one cannot work.
        """
        return Pipeline(self._stages, self._collect_results, self._tracker)

    async def run(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        progress: bool = False,
        dashboard: DashboardKind | None = None,
    ) -> list[PipelineResult]:
        """Make the pipeline and run it over `items`."""
        return await self.build().run(items, progress=progress, dashboard=dashboard)


def quick_stages(tasks: TaskFunc | Iterable[TaskFunc], *, workers: int, retries: int) -> list[Stage]:
    """A stage for each task, named after it in CamelCase."""
    return [
        Stage(_camel_case(task_name(task)), workers, [task], task_attempts=retries) for task in _listed(tasks)
    ]


def _listed(tasks: TaskFunc | Iterable[TaskFunc]) -> list[TaskFunc]:
    """One task, or all of them; what can be called is one, also where it can be gone through."""
    return list(tasks) if isinstance(tasks, Iterable) and not callable(tasks) else [tasks]


def _camel_case(name: str) -> str:
    """``fetch_page`` → ``FetchPage``, as AntFlow names the stages of its quick pipelines."""
    return "".join(word.title() for word in name.split("_"))
