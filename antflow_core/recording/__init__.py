"""Recording: what trackers are told goes into a run file, beside the run and without holding it up.

::

    recorder      a run file and the trackers that go into it; `record`
    followed      one of these trackers: what is new in it, handed over now and then
    process       how the program was called, and how the process ended
    place         the file that was asked for, or a free name in a folder
    values        the values of items, where they are asked for
    environment   ``ANTFLOW_RECORD``: the recording of a process that cannot be changed
"""

from __future__ import annotations

from antflow_core.recording.recorder import Recorder, record
from antflow_core.recording.values import ValueCapture

__all__ = ["Recorder", "ValueCapture", "record"]
