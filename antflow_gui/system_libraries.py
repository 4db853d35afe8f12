"""Checks that Qt's system libraries load; names the missing Debian packages, or installs them when asked.

Runs as a command before the app: `python -m antflow_gui.system_libraries [--install]`. It loads no Qt through
Python, so that a missing library is a sentence and not an ImportError or an abort.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

# Where the rule of `debian_package` does not lead to the package's name.
_PACKAGES = {
    "libGLdispatch.so.0": "libglvnd0",
    "libbrotlicommon.so.1": "libbrotli1",
    "libbrotlidec.so.1": "libbrotli1",
    "libc.so.6": "libc6",
    "libdl.so.2": "libc6",
    "libm.so.6": "libc6",
    "libpthread.so.0": "libc6",
    "libresolv.so.2": "libc6",
    "libgio-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libz.so.1": "zlib1g",
}
_LIBRARIES = ("libQt6Core.so.6", "libQt6Gui.so.6", "libQt6Widgets.so.6")
_NOT_FOUND = re.compile(r"^\s*(?P<soname>\S+) => not found", re.MULTILINE)
_CANNOT_OPEN = re.compile(r"^(?P<soname>[^\s/:]+): cannot open shared object file")


def debian_package(soname: str) -> str:
    """Name the Debian and Ubuntu package of a shared library.

    By Debian's policy (chapter 8.1) a library package is called by its soname: `libxcb-cursor.so.0` is in
    `libxcb-cursor0`, and `libdbus-1.so.3`, whose name ends in a digit, in `libdbus-1-3`.
    """
    if soname in _PACKAGES:
        return _PACKAGES[soname]
    stem, _, version = soname.lower().replace("_", "-").partition(".so")
    version = version.removeprefix(".")
    return f"{stem}-{version}" if stem[-1:].isdigit() and version else f"{stem}{version}"


def qt_folder() -> Path | None:
    """Find the folder with the `lib` and `plugins` that PySide6 brings; None where it brings none.

    Raises:
        ModuleNotFoundError: PySide6 is not installed.
    """
    spec = importlib.util.find_spec("PySide6")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("PySide6 is not installed; run: pip install 'antflow-desk[gui]'")
    folder = Path(next(iter(spec.submodule_search_locations))) / "Qt"
    return folder if folder.is_dir() else None


def needed_files(qt: Path, environment: Mapping[str, str]) -> list[Path]:
    """The Qt libraries and platform plugins that are loaded on this machine, as far as this PySide6 has them.

    A machine without a display, and without an Xvfb to make one, needs only the offscreen plugin.
    """
    plugins = ["libqoffscreen.so"]
    if environment.get("DISPLAY") or shutil.which("Xvfb"):
        plugins.append("libqxcb.so")
    if environment.get("WAYLAND_DISPLAY"):
        plugins.append("libqwayland.so")
    files = [qt / "lib" / name for name in _LIBRARIES]
    files += [qt / "plugins" / "platforms" / name for name in plugins]
    return [file for file in files if file.is_file()]


def load_faults(files: Iterable[Path]) -> list[str]:
    """Load each file into this process, and return what the dynamic linker says where it cannot."""
    faults = []
    for file in files:
        try:
            ctypes.CDLL(str(file))
        except OSError as error:
            faults.append(str(error))
    return faults


def missing_libraries(files: Sequence[Path], faults: Iterable[str] = ()) -> list[str]:
    """The sonames nothing on this system provides, sorted.

    The linker's own message names only the first one; `ldd`, where there is one, names all of them at once.
    """
    missing = {match["soname"] for fault in faults if (match := _CANNOT_OPEN.match(fault))}
    ldd = shutil.which("ldd")
    if ldd is not None and files:
        answer = subprocess.run(  # noqa: S603  # ldd over PySide6's own files
            [ldd, *map(str, files)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        missing.update(match["soname"] for match in _NOT_FOUND.finditer(answer.stdout))
    return sorted(missing)


def advice(missing: Sequence[str], faults: Sequence[str]) -> str:
    """Say what does not load and what to type."""
    if not missing:
        return "\n".join(["Qt's libraries do not load:", *(f"  {fault}" for fault in faults)])
    packages = " ".join(packages_of(missing))
    return (
        f"Qt needs system libraries that are not installed: {', '.join(missing)}\n"
        f"On Debian or Ubuntu install them with:\n"
        f"  sudo apt-get update && sudo apt-get install --no-install-recommends {packages}"
    )


def packages_of(sonames: Iterable[str]) -> list[str]:
    """The packages of these libraries, each once, sorted."""
    return sorted({debian_package(soname) for soname in sonames})


def install(packages: Sequence[str]) -> bool:
    """Install packages with apt-get, without a question; False where it fails or cannot be tried."""
    apt_get = shutil.which("apt-get")
    if apt_get is None or os.geteuid() != 0:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = (["update", "-qq"], ["install", "-qq", "--yes", "--no-install-recommends", *packages])
    for command in commands:
        answer = subprocess.run(  # noqa: S603  # names come from the linker and from the table above
            [apt_get, "-o", "Acquire::Retries=3", *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if answer.returncode != 0:
            print(f"apt-get {command[0]} failed:\n{answer.stdout}{answer.stderr}", file=sys.stderr)
            return False
    return True


def check(*, may_install: bool = False) -> int:
    """Check, install where allowed, and print what is wrong to stderr; 0 when everything loads."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        qt = qt_folder()
    except ModuleNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    files = needed_files(qt, os.environ) if qt is not None else []
    faults = load_faults(files)
    if not faults:
        return 0
    missing = missing_libraries(files, faults)
    packages = packages_of(missing)
    if may_install and packages and os.geteuid() == 0:
        print(f"Installing the system libraries that Qt needs: {' '.join(packages)}", flush=True)
        if install(packages):
            # A new process, because the linker may have kept what it looked up.
            command = [sys.executable, "-m", "antflow_gui.system_libraries"]
            return subprocess.run(command, check=False).returncode  # noqa: S603  # this module again
    print(advice(missing, faults), file=sys.stderr)
    return 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the check as a command."""
    parser = argparse.ArgumentParser(
        prog="python -m antflow_gui.system_libraries",
        description="Check that Qt's system libraries load; name the Debian packages that are missing.",
    )
    parser.add_argument("--install", action="store_true", help="as root, install them with apt-get")
    return check(may_install=parser.parse_args(argv).install)


if __name__ == "__main__":
    sys.exit(main())
