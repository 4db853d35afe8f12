"""Optional packages: said in one sentence where one is needed and missing."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from antflow_core.exceptions import RunFileError


def need(package: str, purpose: str, extra: str, path: Path) -> None:
    """Make sure that a package is installed.

    Args:
        purpose: What it is needed for, in the plural.
        extra: Which extra of this distribution brings it.
        path: The file it is needed for.

    Raises:
        RunFileError: It is not, or cannot be loaded.
    """
    try:
        import_module(package)
    except ImportError as fault:
        is_missing = isinstance(fault, ModuleNotFoundError) and fault.name == package
        why = "is not installed" if is_missing else f"cannot be loaded ({fault})"
        raise RunFileError(
            f"{purpose} need {package}, which {why}: pip install 'antflow-desk[{extra}]'", path
        ) from fault
