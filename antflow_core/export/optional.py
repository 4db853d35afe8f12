"""Optional packages: said in one sentence where one is needed and missing."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from antflow_core.exceptions import RunFileError


def need(package: str, purpose: str, extra: str, path: Path) -> None:
    """Make sure that a package is installed.

    Args:
        purpose: What it is needed for, in the plural.
        extra: Which extra of this distribution brings it.
        path: The file it is needed for.

    Raises:
        RunFileError: It is not.
    """
    if find_spec(package) is None:
        raise RunFileError(
            f"{purpose} need {package}, which is not installed: pip install 'antflow-desk[{extra}]'", path
        )
