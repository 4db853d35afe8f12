"""``python -m antflow_gui`` is ``antflow-gui``."""

from __future__ import annotations

import sys

from antflow_gui.app import main

sys.exit(main())
