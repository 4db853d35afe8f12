"""A script's wish to exit, as an exception that may travel through an event loop."""

from __future__ import annotations


class ScriptExit(Exception):  # noqa: N818 - the script wished to end, which is no error
    """The script called ``sys.exit`` or stopped the loop; it may come out of a task, unlike ``SystemExit``.

    Attributes:
        code: The exit code as Python would give it: 0, the number, or 1 for a text.
        text: The text it exited with; None for a number.
    """

    def __init__(self, code: int, text: str | None = None) -> None:
        self.code = code
        self.text = text
        super().__init__(text if text is not None else f"exit code {code}")

    @classmethod
    def of(cls, error: SystemExit) -> ScriptExit:
        """What a ``SystemExit`` means: None is 0, a number itself, anything else a text and code 1."""
        if error.code is None:
            return cls(0)
        if isinstance(error.code, int):
            return cls(int(error.code))
        try:
            return cls(1, str(error.code))
        except Exception:  # noqa: BLE001 - a class of the script's may raise anything
            return cls(1, f"<{type(error.code).__name__} without a text>")
