"""``python -m antflow_core``: the same command as ``antflow-core``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # -m puts the working directory first; from there typer would import a script called typing_extensions.py.
    if sys.path and sys.path[0] == str(Path.cwd()):
        del sys.path[0]

    from antflow_core.cli import main

    main()
