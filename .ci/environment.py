"""Makes the virtual environment with every extra of pyproject.toml; `make` calls it when that has changed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

USABLE = "import sys, pip; sys.exit(sys.version_info < (3, 11))"


def main(folder: Path) -> int:
    """Make `folder` a usable environment and install the checkout into it, editable."""
    python = folder / "bin" / "python"
    if not is_usable(python) and run(sys.executable, "-m", "venv", "--clear", str(folder)) != 0:
        print("A virtual environment cannot be made; try: apt install python3-venv", file=sys.stderr)
        return 1
    print(f"Installing AntFlow Desk into {folder} (the first time takes a minute or two)", flush=True)
    wanted = f".[{','.join(extras(Path('pyproject.toml')))}]"
    # Twice quiet: errors only, no warnings about where packages are looked for.
    quietly = ("--quiet", "--quiet", "--disable-pip-version-check", "--no-input")
    return run(str(python), "-m", "pip", "install", *quietly, "--editable", wanted)


def extras(pyproject: Path) -> list[str]:
    """The names of all extras, so that a new one needs no change here."""
    return sorted(tomllib.loads(pyproject.read_text())["project"]["optional-dependencies"])


def is_usable(python: Path) -> bool:
    """Whether an interpreter is there, runs, is new enough and has pip."""
    try:
        return subprocess.run([python, "-c", USABLE], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(*command: str) -> int:
    """Run a command that may ask nothing."""
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
