"""Checks an installed wheel from inside its environment: what is importable, and where the resources are."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys

import antflow_core
from antflow_core.resources import example_path, resource_path

DISTRIBUTION = "antflow-desk"
EXAMPLE = "stdlib_sources.py"


def main(what: str) -> int:
    """Check the ``core`` alone or the ``gui`` too, or print the path of the bundled ``example``."""
    example = example_path(EXAMPLE)
    if what == "example":
        print(example)
        return 0
    has_qt = importlib.util.find_spec("PySide6") is not None
    assert has_qt == (what == "gui"), f"PySide6 importable: {has_qt}"
    assert importlib.metadata.version(DISTRIBUTION) == antflow_core.__version__
    for path in (example, *resource_path("help").iterdir()):
        assert "site-packages" in path.parts, path
    assert any(resource_path("help").glob("*.md"))
    if has_qt:
        check_icon()
    return 0


def check_icon() -> None:
    """The app's icon comes from the wheel and is a picture."""
    from PySide6.QtGui import QImage

    from antflow_gui.resources import icon_path

    assert "site-packages" in icon_path().parts, icon_path()
    assert not QImage(str(icon_path())).isNull()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
