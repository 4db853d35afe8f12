"""How a run looks to OpenTelemetry: spans for the run, its items at each stage, and every attempt at a task.

Run it with ``python telemetry.py``, or open it in the app. It needs ``pip install opentelemetry-sdk``.
"""

import asyncio

from antflow_core import Pipeline, Stage

try:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
except ImportError:
    trace = None

tried = set()


async def fetch(number):
    """A span that a task opens itself becomes a part of the attempt."""
    with trace.get_tracer("shop").start_as_current_span(f"GET /orders/{number}"):
        await asyncio.sleep(0.01)
    if number == 2 and number not in tried:
        tried.add(number)
        raise ConnectionError("the shop is busy")
    return number


def price(number):
    """A plain function runs in a thread, and is a part of the run all the same."""
    return number * 9.99


def set_up():
    """What a program does once; real ones send the spans to a collector instead of keeping them."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider())
    kept = InMemorySpanExporter()
    trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(kept))
    return kept


def show(spans, parent=None, depth=0):
    """Print the spans as the tree they are."""
    for span in sorted(spans, key=lambda span: span.start_time):
        if (span.parent and span.parent.span_id) == parent:
            error = f"  {span.status.description}" if span.status.description else ""
            print(f"{'  ' * depth}{span.name}  {(span.end_time - span.start_time) / 1e6:.0f} ms{error}")
            show(spans, span.context.span_id, depth + 1)


async def main():
    """The engine needs no word about it: it tells whoever listens when a run starts."""
    if trace is None:
        print("OpenTelemetry's SDK is not installed; it comes with: pip install opentelemetry-sdk")
        return
    kept = set_up()
    await Pipeline([Stage("Fetch", 1, [fetch], task_wait_seconds=0.01), Stage("Price", 1, [price])]).run(
        range(1, 4)
    )
    show(kept.get_finished_spans())
    kept.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
