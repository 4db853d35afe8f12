"""Finds the help pages and example scripts, in a checkout as well as in an installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

ResourceKind = Literal["help", "examples"]

_PACKAGE = Path(__file__).parent
# An installed wheel has them inside the package; a checkout, in its top folder.
_ROOTS = (_PACKAGE / "_resources", _PACKAGE.parent / "resources")


def resource_path(kind: ResourceKind, name: str = "") -> Path:
    """Find a bundled file, or the folder of its kind where no name is given.

    Raises:
        FileNotFoundError: There is no such file.
    """
    for root in _ROOTS:
        path = root / kind / name
        if path.exists():
            return path
    raise FileNotFoundError(
        f"The bundled file {kind}/{name} is missing; looked in {', '.join(map(str, _ROOTS))}"
    )


def example_path(name: str) -> Path:
    """Find a bundled example script.

    Raises:
        FileNotFoundError: There is no such example.
    """
    return resource_path("examples", name)
