"""Commands as data (id, menu, title, shortcut, when, what) and the `QAction` objects made from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction, QKeySequence


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a user can do.

    Attributes:
        id: Stable name, ``run.start``.
        menu: The menu it stands in.
        title: Its words, with an ``&`` before the mnemonic letter.
        call: What it does.
        shortcuts: Key sequences in Qt's portable form, the first one is shown.
        when: Whether it can be done now; asked again at each `CommandSet.update`.
        starts_group: A separator stands before it.
        hint: A sentence for the status bar and the keys page.
    """

    id: str
    menu: str
    title: str
    call: Callable[[], object]
    shortcuts: tuple[str, ...] = ()
    when: Callable[[], bool] = _always
    starts_group: bool = False
    hint: str = ""


class CommandSet(QObject):
    """The commands with their `QAction`; enabled as their `when` says.

    Args:
        commands: In the order in which the menus show them.
        parent: Owner of the actions.
    """

    def __init__(self, commands: Sequence[Command], parent: QObject) -> None:
        super().__init__(parent)
        self.commands = tuple(commands)
        self.actions = {command.id: self._make_action(command) for command in commands}
        self.update()

    def menus(self) -> Iterator[tuple[str, list[Command]]]:
        """Each menu's name with its commands, in order."""
        names = dict.fromkeys(command.menu for command in self.commands)
        for name in names:
            yield name, [command for command in self.commands if command.menu == name]

    @Slot()
    def update(self) -> None:
        """Enable what can be done now."""
        for command in self.commands:
            self.actions[command.id].setEnabled(command.when())

    def _make_action(self, command: Command) -> QAction:
        action = QAction(command.title, self)
        action.setObjectName(command.id)
        action.setShortcuts([QKeySequence(keys) for keys in command.shortcuts])
        action.setStatusTip(command.hint)
        action.triggered.connect(_Trigger(command.call, action).fire)
        return action


class _Trigger(QObject):
    """Calls a command without the `checked` argument of `triggered`; lives as long as its action."""

    def __init__(self, call: Callable[[], object], action: QAction) -> None:
        super().__init__(action)
        self._call = call

    @Slot()
    def fire(self) -> None:
        self._call()
