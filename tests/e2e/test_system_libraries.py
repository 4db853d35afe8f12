"""The check before the app starts: real Qt libraries, one of them made to need what nobody has."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from antflow_gui import system_libraries
from tests.support.processes import run_python

pytest.importorskip("PySide6")

linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems bring Qt's libraries"
)


@pytest.mark.parametrize(
    ("soname", "package"),
    [
        ("libEGL.so.1", "libegl1"),
        ("libGL.so.1", "libgl1"),
        ("libX11-xcb.so.1", "libx11-xcb1"),
        ("libX11.so.6", "libx11-6"),
        ("libbrotlidec.so.1", "libbrotli1"),
        ("libdbus-1.so.3", "libdbus-1-3"),
        ("libfontconfig.so.1", "libfontconfig1"),
        ("libgcc_s.so.1", "libgcc-s1"),
        ("libglib-2.0.so.0", "libglib2.0-0"),
        ("libwayland-client.so.0", "libwayland-client0"),
        ("libxcb-cursor.so.0", "libxcb-cursor0"),
        ("libxcb-icccm.so.4", "libxcb-icccm4"),
        ("libxcb-image.so.0", "libxcb-image0"),
        ("libxcb-keysyms.so.1", "libxcb-keysyms1"),
        ("libxcb-randr.so.0", "libxcb-randr0"),
        ("libxcb-render-util.so.0", "libxcb-render-util0"),
        ("libxcb-shape.so.0", "libxcb-shape0"),
        ("libxcb-xinerama.so.0", "libxcb-xinerama0"),
        ("libxcb-xkb.so.1", "libxcb-xkb1"),
        ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
        ("libxkbcommon.so.0", "libxkbcommon0"),
        ("libz.so.1", "zlib1g"),
    ],
)
def test_a_library_is_in_this_package(soname: str, package: str) -> None:
    assert system_libraries.debian_package(soname) == package


def _broken_copy(folder: Path, library: str, needs: bytes, instead: bytes) -> Path:
    """Qt's libraries as links, one of them a copy that needs a library of another name, as long."""
    assert len(needs) == len(instead)
    qt = system_libraries.qt_folder()
    if qt is None or not (qt / "lib" / library).is_file():
        pytest.skip("this PySide6 brings no Qt of its own")
    (folder / "lib").mkdir(parents=True)
    for path in (qt / "lib").glob("*.so*"):
        (folder / "lib" / path.name).symlink_to(path)
    code = (qt / "lib" / library).read_bytes()
    assert needs in code
    (folder / "lib" / library).unlink()
    (folder / "lib" / library).write_bytes(code.replace(needs, instead))
    return folder


@linux_only
@pytest.mark.skipif(shutil.which("ldd") is None, reason="ldd is not installed")
def test_every_missing_library_is_found_at_once(tmp_path: Path) -> None:
    qt = _broken_copy(tmp_path / "Qt", "libQt6Gui.so.6", b"libEGL.so.1", b"libEGX.so.1")
    code = (qt / "lib" / "libQt6Gui.so.6").read_bytes()
    (qt / "lib" / "libQt6Gui.so.6").write_bytes(code.replace(b"libfontconfig.so.1", b"libfontconfiX.so.1"))
    files = system_libraries.needed_files(qt, {})
    assert [file.name for file in files] == ["libQt6Core.so.6", "libQt6Gui.so.6", "libQt6Widgets.so.6"]
    missing = system_libraries.missing_libraries(files)
    assert {"libEGX.so.1", "libfontconfiX.so.1"} <= set(missing)


@linux_only
def test_without_ldd_the_linkers_own_message_names_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fault = "libEGL.so.1: cannot open shared object file: No such file or directory"
    assert system_libraries.missing_libraries([tmp_path], [fault]) == ["libEGL.so.1"]


def test_the_advice_is_one_line_to_type() -> None:
    text = system_libraries.advice(["libEGL.so.1", "libgio-2.0.so.0", "libglib-2.0.so.0"], [])
    assert "libEGL.so.1" in text
    assert text.endswith("apt-get install --no-install-recommends libegl1 libglib2.0-0")


def test_a_fault_that_is_no_missing_library_is_shown_as_it_is() -> None:
    assert "GLIBC_2.99" in system_libraries.advice([], ["libQt6Core.so.6: version `GLIBC_2.99' not found"])


@linux_only
def test_without_a_display_only_the_offscreen_plugin_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qt = system_libraries.qt_folder()
    if qt is None:
        pytest.skip("this PySide6 brings no Qt of its own")
    monkeypatch.setenv("PATH", str(tmp_path))
    names = {file.name for file in system_libraries.needed_files(qt, {})}
    assert {"libqoffscreen.so", "libQt6Gui.so.6"} <= names
    assert "libqxcb.so" not in names
    assert "libqxcb.so" in {file.name for file in system_libraries.needed_files(qt, {"DISPLAY": ":0"})}


@linux_only
def test_here_qt_loads_and_the_check_is_silent(tmp_path: Path) -> None:
    """The tests of the app run here, so what they need is installed."""
    environment = {"PATH": str(tmp_path), "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    done = run_python("-m", "antflow_gui.system_libraries", cwd=tmp_path, env=environment)
    assert (done.code, done.out, done.err) == (0, "", "")


@linux_only
def test_without_apt_get_nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not system_libraries.install(["libegl1"])


def test_the_check_loads_no_qt_through_python(tmp_path: Path) -> None:
    code = (
        "import sys; from antflow_gui import system_libraries; system_libraries.check();"
        "print([name for name in sys.modules if name.startswith(('PySide6', 'shiboken6'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path.cwd()
    )
    assert done.stdout.strip() == "[]"
