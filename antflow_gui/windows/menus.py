"""The menus of the main window, and the one list of commands that they are made from."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from antflow_gui.actions.commands import Command, CommandSet
from antflow_gui.windows.dialogs import open_help

if TYPE_CHECKING:
    from antflow_gui.windows.main_window import MainWindow


def list_commands(window: MainWindow) -> list[Command]:
    """All that a user can do by menu or key."""
    return [*_file(window), *_run(window), *_view(window), *_help(window)]


def fill_menu_bar(window: MainWindow, commands: CommandSet) -> None:
    """Make the menus, each with its commands and what else belongs there."""
    for name, entries in commands.menus():
        menu = window.menuBar().addMenu(name)
        for command in entries:
            if command.starts_group:
                menu.addSeparator()
            menu.addAction(commands.actions[command.id])
            if command.id == "file.example":
                menu.addMenu(window.opener.recent_menu)
        if name == "&View":
            menu.addSeparator()
            for panel in window.panels:
                menu.addAction(panel.toggleViewAction())


def _file(window: MainWindow) -> list[Command]:
    opener, menu = window.opener, "&File"
    return [
        Command("file.open", menu, "&Open script…", opener.choose_script, ("Ctrl+O",), window.is_idle),
        Command(
            "file.recorded",
            menu,
            "Open recor&ded run…",
            opener.choose_recorded,
            ("Ctrl+Shift+O",),
            window.is_idle,
            hint="A run file, or JSON lines exported from one",
        ),
        Command("file.example", menu, "Open the &example", opener.open_example, (), window.is_idle),
        Command(
            "file.close",
            menu,
            "&Close",
            window.show_welcome,
            ("Ctrl+W",),
            window.can_close,
            starts_group=True,
            hint="Go back to the welcome page",
        ),
        Command(
            "file.own_recording",
            menu,
            "Open this run's recordin&g",
            opener.open_own_recording,
            (),
            opener.has_own_recording,
            starts_group=True,
        ),
        Command(
            "file.recordings",
            menu,
            "Show the &folder of recordings",
            opener.show_recordings,
            (),
            opener.has_recordings,
        ),
        Command(
            "file.settings",
            menu,
            "&Settings…",
            window.preferences.open_dialog,
            ("Ctrl+,",),
            starts_group=True,
        ),
        Command("file.quit", menu, "&Quit", window.close, ("Ctrl+Q",), starts_group=True),
    ]


def _run(window: MainWindow) -> list[Command]:
    controller, menu = window.controller, "&Run"
    return [
        Command("run.start", menu, "&Run", controller.start, ("Ctrl+R", "F5"), window.can_run),
        Command(
            "run.arguments",
            menu,
            "Run with &arguments…",
            window.ask_arguments,
            ("Ctrl+Shift+R",),
            window.can_run,
        ),
        Command(
            "run.pause",
            menu,
            "&Pause or resume",
            controller.toggle_pause,
            ("Ctrl+P",),
            lambda: controller.can_pause,
            hint="Finish the items in hand and take no more, until you press it again",
        ),
        Command(
            "run.retry",
            menu,
            "Retry what &failed",
            controller.retry_failed,
            ("Ctrl+Shift+F",),
            window.can_retry,
            hint="Try all failed items again, from the stage that failed",
        ),
        Command(
            "run.stop",
            menu,
            "&Stop",
            controller.stop,
            ("Ctrl+.",),
            window.is_running,
            hint="Once: finish the items in hand. Twice: cancel them",
        ),
        Command(
            "run.script",
            menu,
            "&Open the script of this recording",
            window.opener.open_recorded_script,
            (),
            window.opener.has_recorded_script,
            starts_group=True,
        ),
    ]


def _view(window: MainWindow) -> list[Command]:
    shown, panels, go = window.shows_file, window.panels, "&Go"
    return [
        Command("view.search", "&View", "&Search events", window.search, ("Ctrl+F",), shown),
        Command("view.follow", "&View", "&Follow the newest event", window.follow, ("Ctrl+End",), shown),
        Command("view.reset", "&View", "Reset the &layout", window.reset_layout, (), shown),
        Command("go.events", go, "&Events", partial(panels.reveal, panels.events), ("Alt+1",), shown),
        Command("go.console", go, "&Console", partial(panels.reveal, panels.console), ("Alt+2",), shown),
        Command("go.item", go, "&Item", partial(panels.reveal, panels.item), ("Alt+3",), shown),
        Command("go.errors", go, "E&rrors", partial(panels.reveal, panels.errors), ("Alt+4",), shown),
    ]


def _help(window: MainWindow) -> list[Command]:
    menu = "&Help"
    return [
        Command("help.keys", menu, "&Keyboard shortcuts", window.open_keys, ("?", "F1")),
        Command(
            "help.search",
            menu,
            "&Searching events",
            partial(open_help, "Searching events", "search.md", window),
        ),
        Command(
            "help.recordings", menu, "&Recordings", partial(open_help, "Recordings", "recordings.md", window)
        ),
        Command("help.about", menu, "&About AntFlow Desk", window.open_about_box),
    ]
