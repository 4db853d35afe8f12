"""Every error this package raises on purpose.

::

    AntFlowError
    ├── PipelineError            the caller used a pipeline in a way it cannot work
    │   └── StageValidationError a stage is described wrongly
    ├── TaskFailedError          a task of the user's raised; the original is kept
    ├── ExecutorShutdownError    work was given to an executor that is shut down
    ├── ScriptError              a pipeline script cannot be read, run or used
    ├── RunFileError             a run file cannot be made, opened or read
    │   └── FileIsThereError     a file was not to be replaced
    └── QueryError               a search query is faulty (also a ValueError)
"""

from __future__ import annotations

from pathlib import Path


class AntFlowError(Exception):
    """The root: catch this to catch everything this package raises on purpose."""


class PipelineError(AntFlowError):
    """A pipeline was used in a way it cannot work."""


class StageValidationError(PipelineError):
    """A stage is described wrongly; the message names stage, field, value and what would be right."""


class TaskFailedError(AntFlowError):
    """A task raised; for scripts that wrap errors themselves.

    As in AntFlow nothing here raises it: results, callbacks and the error summary show what the task raised,
    and one that a task raises is an error like any other.

    Args:
        task_name: Name of the task that failed.
        original_exception: What it raised.
    """

    def __init__(self, task_name: str, original_exception: Exception) -> None:
        self.task_name = task_name
        self.original_exception = original_exception
        super().__init__(f"Task '{task_name}' failed: {original_exception}")


class ExecutorShutdownError(AntFlowError):
    """Work was given to an executor that is shut down."""


class ScriptError(AntFlowError):
    """A pipeline script cannot be read, run or used; the message names file, place and remedy.

    Attributes:
        path: The script.
        line: Line number from 1 where the fault is, None where it has no place.
    """

    def __init__(self, message: str, path: Path, line: int | None = None) -> None:
        self.path = path
        self.line = line
        super().__init__(message)


class RunFileError(AntFlowError):
    """A run file cannot be made, opened or read; the message names the file, what is wrong and a remedy.

    Attributes:
        path: The file.
    """

    def __init__(self, message: str, path: Path) -> None:
        self.path = path
        super().__init__(message)


class FileIsThereError(RunFileError):
    """There is a file already, and nobody said that it is to be replaced.

    Args:
        path: The file.
        choices: What else could be done.
        remedy: How whoever asked has it replaced.
    """

    def __init__(self, path: Path, choices: str, remedy: str = "pass overwrite=True to replace it") -> None:
        self._choices = choices
        super().__init__(f"{path} exists already; {choices}, or {remedy}", path)

    def with_remedy(self, remedy: str) -> FileIsThereError:
        """The same for somebody who has another way to have it replaced."""
        return FileIsThereError(self.path, self._choices, remedy)


class QueryError(AntFlowError, ValueError):
    """A search query is faulty.

    Attributes:
        position: Index of the first faulty character in the query.
        end: Index after the last one.
        suggestion: What probably was to stand there, None where nothing is close.
    """

    def __init__(
        self, message: str, position: int, suggestion: str | None = None, end: int | None = None
    ) -> None:
        self.position = position
        self.suggestion = suggestion
        self.end = position if end is None else end
        super().__init__(message)

    def mended(self, query: str) -> str | None:
        """The query with the suggestion in it, None where there is none."""
        if self.suggestion is None:
            return None
        return query[: self.position] + self.suggestion + query[self.end :]
