"""Commands as data become actions: enabled when they can be done, one menu each, keys that do not clash."""

from __future__ import annotations

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from antflow_gui.actions.commands import Command, CommandSet


def test_triggering_an_action_calls_its_command(qtbot: QtBot) -> None:
    calls: list[str] = []
    owner = QObject()
    commands = CommandSet([Command("run.start", "&Run", "&Run", lambda: calls.append("run"))], owner)
    commands.actions["run.start"].trigger()
    assert calls == ["run"]


def test_an_action_is_enabled_while_its_command_can_be_done(qtbot: QtBot) -> None:
    possible = [False]
    owner = QObject()
    commands = CommandSet([Command("a", "&A", "A", lambda: None, when=lambda: possible[0])], owner)
    assert not commands.actions["a"].isEnabled()
    possible[0] = True
    commands.update()
    assert commands.actions["a"].isEnabled()


def test_menus_keep_the_order_of_the_list(qtbot: QtBot) -> None:
    owner = QObject()
    listed = [
        Command(name, menu, name, lambda: None) for name, menu in (("a", "&F"), ("b", "&R"), ("c", "&F"))
    ]
    menus = [
        (name, [command.id for command in commands]) for name, commands in CommandSet(listed, owner).menus()
    ]
    assert menus == [("&F", ["a", "c"]), ("&R", ["b"])]
