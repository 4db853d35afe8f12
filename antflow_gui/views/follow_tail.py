"""Keeps a scrolling view at its end while new lines arrive, until the user scrolls away from it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QAbstractScrollArea


class FollowTail(QObject):
    """Follows the end of a scroll area.

    Only what the user does changes the switch: wheel, bar and keys; a filter or a resized window does not.

    Args:
        area: The area to keep at its end; owns this object.

    Signals:
        changed(bool): Following was switched on or off.
    """

    changed = Signal(bool)

    def __init__(self, area: QAbstractScrollArea) -> None:
        super().__init__(area)
        self._bar = area.verticalScrollBar()
        self._following = True
        self._bar.actionTriggered.connect(self._obey_user)
        self._bar.rangeChanged.connect(self._keep_up)

    @property
    def following(self) -> bool:
        """Whether new lines scroll into view."""
        return self._following

    @Slot(bool)
    def set_following(self, following: bool) -> None:
        """Switch following on, which goes to the end, or off."""
        if following:
            self._bar.setValue(self._bar.maximum())
        if following != self._following:
            self._following = following
            self.changed.emit(following)

    @Slot(int)
    def _obey_user(self, _action: int) -> None:
        """The bar's slider has moved already, its value has not (documented for `actionTriggered`)."""
        at_end = self._bar.sliderPosition() >= self._bar.maximum()
        if at_end != self._following:
            self._following = at_end
            self.changed.emit(at_end)

    @Slot(int, int)
    def _keep_up(self, _minimum: int, maximum: int) -> None:
        if self._following:
            self._bar.setValue(maximum)
