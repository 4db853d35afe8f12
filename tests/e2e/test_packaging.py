"""What is installed: metadata, entry points, resources. The wheel itself is tried by `.ci/run`."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest

import antflow_core
from antflow_core.resources import example_path, resource_path

DISTRIBUTION = "antflow-desk"


@pytest.fixture
def metadata() -> importlib.metadata.PackageMetadata:
    return importlib.metadata.metadata(DISTRIBUTION)


def _requirements(extra: str | None) -> set[str]:
    """The names of what an extra, or the plain installation, asks for."""
    lines = importlib.metadata.requires(DISTRIBUTION) or []
    of_extra = [line for line in lines if ("extra ==" in line) == (extra is not None)]
    wanted = [line for line in of_extra if extra is None or re.search(rf"extra == ['\"]{extra}['\"]", line)]
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in wanted}


def test_the_installed_version_is_that_of_the_code() -> None:
    assert importlib.metadata.version(DISTRIBUTION) == antflow_core.__version__


def test_the_plain_installation_asks_for_no_qt() -> None:
    plain = _requirements(None)
    assert "numpy" in plain
    assert not {name for name in plain if name.startswith(("pyside6", "qasync", "pyqtgraph"))}


def test_the_app_is_an_extra() -> None:
    assert {"pyside6-essentials", "qasync", "pyqtgraph"} <= _requirements("gui")


def test_the_pyside6_that_aborts_below_python_3_12_is_excluded() -> None:
    lines = [line for line in importlib.metadata.requires(DISTRIBUTION) or [] if "pyside6" in line.lower()]
    assert [line for line in lines if "!=6.12.0" in line and "python_version < " in line]


def test_both_commands_are_entry_points() -> None:
    points = importlib.metadata.distribution(DISTRIBUTION).entry_points
    assert {(point.group, point.name, point.value) for point in points} == {
        ("console_scripts", "antflow-core", "antflow_core.cli:main"),
        ("console_scripts", "antflow-gui", "antflow_gui.app:main"),
    }


def test_it_is_typed_and_has_a_licence(metadata: importlib.metadata.PackageMetadata) -> None:
    assert metadata["License-Expression"] == "MIT"
    for package in ("antflow_core", "antflow_gui"):
        assert (Path(antflow_core.__file__).parent.parent / package / "py.typed").is_file()


def test_every_example_is_found() -> None:
    examples = [path.name for path in resource_path("examples").glob("*.py")]
    assert examples
    for name in examples:
        assert example_path(name).is_file()


def test_a_missing_resource_is_named_with_the_folders_that_were_searched() -> None:
    with pytest.raises(FileNotFoundError, match=r"help/nothing\.md is missing; looked in .*_resources"):
        resource_path("help", "nothing.md")
