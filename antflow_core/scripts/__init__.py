"""Loads and runs pipeline scripts: outline, alias for ``antflow``, arguments, surroundings put back.

::

    source      a file to a syntax tree, or a sentence that says why not
    values      what an expression may stand for
    reading     the part of Python that pipelines are described in, on the tree
    loop_starts where a script starts an event loop of its own
    outline     what a script would run
    alias       ``import antflow`` gives `antflow_core`
    in_children the same in processes that the script starts
    folder      imports from beside the script
    hooks       hooks of the process, signals, environment
    host        all of a script's surroundings, and putting them back
    loop        the loop that a script shares with its host
    tasks       the asyncio tasks a script starts
    threads     functions of a script that still run when it is over
    running     from the first line to the last task
    exits       ``sys.exit`` as an exception that may cross a loop
    faults      the sentences for scripts that have nothing to run
    report      tracebacks from the script's own first frame
"""

from __future__ import annotations

from antflow_core.scripts.exits import ScriptExit
from antflow_core.scripts.host import ScriptHost
from antflow_core.scripts.outline import Entry, ScriptOutline, outline_script
from antflow_core.scripts.report import script_line, script_traceback
from antflow_core.scripts.running import ScriptOutcome, run_script
from antflow_core.scripts.values import StageOutline

__all__ = [
    "Entry",
    "ScriptExit",
    "ScriptHost",
    "ScriptOutcome",
    "ScriptOutline",
    "StageOutline",
    "outline_script",
    "run_script",
    "script_line",
    "script_traceback",
]
