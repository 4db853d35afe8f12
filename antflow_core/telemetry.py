"""Telemetry: the switch for OpenTelemetry, and the spans by which the engine tells it what happens.

Nothing here loads OpenTelemetry before somebody listens: the program has set a tracer or meter provider.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ContextDecorator, contextmanager
from contextvars import Token
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from antflow_core._version import __version__

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Span, Tracer

    Attributes = Mapping[str, str | int | float | list[str]]

__all__ = [
    "configure_telemetry",
    "get_meter",
    "get_tracer",
    "is_enabled",
    "telemetry_enabled",
]

SCOPE = "antflow"
"""By this name dashboards find the spans and metrics, as they do AntFlow's."""

_PROVIDER_VARIABLES = ("OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER")
_OWN_PROVIDERS = ("opentelemetry.trace", "opentelemetry.metrics")
"""Where the API's own providers live; they stand in until a program sets one, and do nothing."""

logger = logging.getLogger("antflow.telemetry")


class _Switch:
    """Whether the process wants telemetry."""

    enabled = True


def configure_telemetry(enabled: bool = True) -> None:
    """Switch telemetry on or off for the runs and executors that start from now on; it is on from the start.

    On, it still costs nothing until the program sets a tracer or meter provider of OpenTelemetry's.
    """
    _Switch.enabled = bool(enabled)


def telemetry_enabled() -> bool:
    """Whether telemetry is switched on and OpenTelemetry installed."""
    return _Switch.enabled and _is_installed()


is_enabled = telemetry_enabled  # AntFlow's name for it in this module


@contextmanager
def kept_telemetry() -> Iterator[None]:
    """Leave the switch as it was, whatever the body does to it."""
    before = _Switch.enabled
    try:
        yield
    finally:
        _Switch.enabled = before


def get_tracer() -> Tracer:
    """The tracer the engine uses, for spans of your own; one that does nothing where telemetry is off."""
    if not telemetry_enabled():
        return cast("Tracer", _Silence())
    from opentelemetry import trace  # late: nobody else needs it

    return trace.get_tracer(SCOPE, __version__)


def get_meter() -> Meter:
    """The meter the engine uses, for metrics of your own; one that does nothing where telemetry is off."""
    if not telemetry_enabled():
        return cast("Meter", _Silence())
    from opentelemetry import metrics  # late: nobody else needs it

    return metrics.get_meter(SCOPE, __version__)


def begin_spans() -> Spans | None:
    """What a run or an executor opens its spans with; asked for once, when it starts.

    Returns:
        None where nobody listens.
    """
    try:
        return Spans() if _somebody_listens() else None
    except Exception:
        logger.exception("OpenTelemetry could not be set up; nothing is traced")
        return None


class Spans:
    """Opens the spans of one run or one executor.

    A fault of the listener's is logged, ends the telling for this run or executor, and harms nothing else.

    Example:
        An executor asks `begin_spans` when it starts and keeps the answer. Where that is not None it notes
        `here()` when a task is submitted, and its worker does the whole task, its retries included, inside
        ``with spans.executor_task(worker_id, task_id, submitted_here): ...``
    """

    def __init__(self) -> None:
        from opentelemetry import context, trace  # late: it takes a tenth of a second

        self.attach = context.attach
        self.detach = context.detach
        self.here = context.get_current
        self.inside = trace.set_span_in_context
        self.failed_status = trace.StatusCode.ERROR
        self.tracer: Tracer | None = trace.get_tracer(SCOPE, __version__)

    def around(self, name: str, attributes: Attributes, within: Context | None = None) -> OpenSpan:
        """A context manager: its body is a span, and the current one.

        Args:
            within: What it is part of; the current span if None.
        """
        return OpenSpan(self, name, attributes, within)

    def executor_task(self, worker_id: int, task_id: int, submitted_in: Context | None = None) -> OpenSpan:
        """A context manager for one task of an executor, all its attempts included.

        Args:
            worker_id: The number of the worker that does it.
            task_id: The number of the task, in order of submission.
            submitted_in: What `here` gave when it was submitted: the span is part of that.
        """
        attributes = {"antflow.executor.worker_id": worker_id, "antflow.executor.task_id": task_id}
        return self.around("antflow.executor.task", attributes, submitted_in)

    def give_up(self, fault: Exception) -> None:
        """Tell nothing more, because the listener raised."""
        if self.tracer is not None:
            logger.error("OpenTelemetry raised; what comes is not traced any more", exc_info=fault)
        self.tracer = None


class OpenSpan:
    """A span while its body runs; an exception that leaves the body is recorded."""

    __slots__ = ("_attributes", "_name", "_span", "_spans", "_token", "_within", "context")

    def __init__(self, spans: Spans, name: str, attributes: Attributes, within: Context | None) -> None:
        self._spans = spans
        self._name = name
        self._attributes = attributes
        self._within = within
        self._span: Span | None = None
        self._token: Token[Context] | None = None
        self.context = within
        """For what is part of the span and runs elsewhere."""

    def __enter__(self) -> Self:
        self.begin()
        if self._span is not None and self.context is not None:
            self._token = self._spans.attach(self.context)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.fail(error)
        if self._token is not None:
            self._spans.detach(self._token)
        self.end()

    def begin(self) -> None:
        """Begin the span without making it the current one."""
        spans = self._spans
        if spans.tracer is None:
            return
        try:
            self._span = spans.tracer.start_span(self._name, self._within, attributes=self._attributes)
            self.context = spans.inside(self._span, self._within)
        except Exception as fault:  # noqa: BLE001  it is logged there
            spans.give_up(fault)

    def note(self, attributes: Attributes) -> None:
        """Add attributes that were not known at the beginning."""
        if self._span is not None:
            try:
                self._span.set_attributes(attributes)
            except Exception as fault:  # noqa: BLE001  it is logged there
                self._spans.give_up(fault)

    def fail(self, error: BaseException) -> None:
        """Record what went wrong."""
        span = self._span
        if span is None or not span.is_recording():
            return
        try:
            span.set_status(self._spans.failed_status, f"{type(error).__name__}: {text_of(error)}")
            _record(span, error)
        except Exception as fault:  # noqa: BLE001  it is logged there
            self._spans.give_up(fault)

    def end(self) -> None:
        """End the span; what was not begun or has ended already stays as it is."""
        span, self._span = self._span, None
        if span is not None:
            try:
                span.end()
            except Exception as fault:  # noqa: BLE001  it is logged there
                self._spans.give_up(fault)


def _record(span: Span, error: BaseException) -> None:
    """Record an exception, also one whose text cannot be made: its class may be a script's."""
    try:
        span.record_exception(error)
    except Exception:  # noqa: BLE001  the class is worth telling even so
        span.add_event("exception", {"exception.type": type(error).__qualname__})


def text_of(value: object) -> str:
    """A value's text for an attribute, also where making it raises."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001  a class of the script's may raise anything
        return f"<{type(value).__name__} without a text>"


def _somebody_listens() -> bool:
    """Whether there is a provider that does something with what it is told."""
    if not (_may_have_provider() and telemetry_enabled()):
        return False
    from opentelemetry import metrics, trace  # late: loaded already, or the environment names a provider

    providers = (trace.get_tracer_provider(), metrics.get_meter_provider())
    return not all(type(provider).__module__.startswith(_OWN_PROVIDERS) for provider in providers)


def _may_have_provider() -> bool:
    """Whether a provider can be set: who sets one loads the API first, or names one in the environment."""
    loaded = any(name in sys.modules for name in _OWN_PROVIDERS)
    return loaded or any(map(os.environ.get, _PROVIDER_VARIABLES))


@functools.cache
def _is_installed() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.trace") is not None
    except (ImportError, ValueError):  # no such package; a module without a spec
        return False


class _Silence(ContextDecorator):
    """Stands for tracer, span, meter and instrument where there is no telemetry: every call is in order."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._ignore

    def _ignore(self, *_: object, **__: object) -> Self:
        return self


class _StatusCode(Enum):
    """OpenTelemetry's, where it is not installed."""

    UNSET = 0
    OK = 1
    ERROR = 2


def __getattr__(name: str) -> Any:
    """The three names of OpenTelemetry's that scripts import from here."""
    homes = {
        "StatusCode": "opentelemetry.trace",
        "Tracer": "opentelemetry.trace",
        "Meter": "opentelemetry.metrics",
    }
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _is_installed():
        return getattr(importlib.import_module(homes[name]), name)
    return _StatusCode if name == "StatusCode" else _Silence
