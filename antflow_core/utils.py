"""Three functions that scripts written for AntFlow import from here; nothing else belongs in it."""

from __future__ import annotations

import logging

from antflow_core.stage import task_name as get_task_name

__all__ = ["extract_exception", "get_task_name", "setup_logger"]


def extract_exception(error: Exception) -> Exception:
    """The exception behind tenacity's RetryError; any other as it is."""
    attempt = getattr(error, "last_attempt", None)
    try:
        original = attempt.exception() if attempt is not None else None
    except Exception:  # noqa: BLE001  a cancelled attempt has none to give
        return error
    return original if isinstance(original, Exception) else error


def setup_logger(name: str, level: int = logging.INFO) -> logging.Logger:
    """A logger that writes to standard error; one that has a handler is given back as it is."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s | %(levelname)s | %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(level)
    return logger
