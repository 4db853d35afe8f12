"""What every part of the app may use, built once by `app` and handed on."""

from __future__ import annotations

from dataclasses import dataclass

from antflow_gui.faults import FaultReporter
from antflow_gui.loop_monitor import LoopMonitor
from antflow_gui.runs.controller import RunController
from antflow_gui.runs.ticker import Ticker
from antflow_gui.settings import Settings
from antflow_gui.theme import Theme


@dataclass(frozen=True, slots=True)
class AppContext:
    """The app's parts that have no window.

    Attributes:
        settings: What is remembered between starts.
        theme: Colours and fonts, followed live.
        controller: The open script and its run.
        ticker: The pace of all views.
        monitor: How late the loop is, and what held it.
        faults: Where unhandled errors arrive.
    """

    settings: Settings
    theme: Theme
    controller: RunController
    ticker: Ticker
    monitor: LoopMonitor
    faults: FaultReporter
