"""Finds the app's icons, in a checkout as well as in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
# An installed wheel has them inside the package; a checkout, in its top folder.
_ROOTS = (_PACKAGE / "_resources", _PACKAGE.parent / "resources")


def icon_path(name: str = "antflow-desk.svg") -> Path:
    """Find an icon's file, by default the app's own.

    Raises:
        FileNotFoundError: There is no such icon.
    """
    for root in _ROOTS:
        path = root / "icons" / name
        if path.is_file():
            return path
    raise FileNotFoundError(f"The icon {name} is missing; looked in {', '.join(map(str, _ROOTS))}")
