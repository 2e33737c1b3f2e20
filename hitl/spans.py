"""Spans for OpenTelemetry: `hitl.decide` and `hitl.advance`, linked across the pause between them.

Only the API is used, and only where the program has loaded it: without it nothing is imported, and
nothing happens. A run may wait two days for a person, so what goes on after a decision is a trace of
its own that links to the decision; it is not its child. Attributes are ids, names and hashes.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from hitl.models import Mail, RunRecord

T = TypeVar("T")

KEY = "traceparent"
"""Where an order to go on carries the span it comes from, in the form of W3C Trace Context."""
_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_carried: ContextVar[str] = ContextVar("hitl_traceparent", default="")


@contextmanager
def deciding(review_id: str, verdict: str, proposal_hash: str) -> Iterator[str]:
    """Make `hitl.decide` the current span; give its traceparent, empty without OpenTelemetry."""
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        yield ""
        return
    facts = {
        "hitl.review.id": review_id,
        "hitl.decision": str(verdict),
        "hitl.proposal.hash": proposal_hash,
    }
    with api.get_tracer("hitl").start_as_current_span("hitl.decide", attributes=facts) as span:
        yield _written(span.get_span_context())


def carrying(traceparent: str, work: Callable[[], T]) -> T:
    """Do `work`, whose orders then carry `traceparent`; for work that another thread does."""
    token = _carried.set(traceparent)
    try:
        return work()
    finally:
        _carried.reset(token)


def carried() -> dict[str, Any]:
    """Return what an order that is given now carries; empty for nothing."""
    found = _carried.get()
    return {KEY: found} if found else {}


@contextmanager
def advancing(run: RunRecord, orders: Iterable[Mail]) -> Iterator[None]:
    """Make a span `hitl.advance` while a run is advanced, linked to the decisions it goes on from.

    It is not the current span: an advance is a generator, whose caller may go on in another context.

    Args:
        run: The run.
        orders: The orders it goes on by.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        yield
        return
    before = [_read(api, order.payload.get(KEY)) for order in orders]
    links = [api.Link(context) for context in before if context is not None]
    where: Any = {"context": sys.modules["opentelemetry.context"].Context()} if links else {}
    facts = {"hitl.run.id": run.id, "hitl.workflow": run.workflow}
    tracer = api.get_tracer("hitl")
    span = tracer.start_span("hitl.advance", attributes=facts, links=links, **where)
    try:
        yield
    finally:
        span.end()


def _written(context: Any) -> str:
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def _read(api: Any, order: object) -> Any:
    """Return the span context that an order carries, or None."""
    found = _FORM.fullmatch(order) if isinstance(order, str) else None
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    return api.SpanContext(trace_id, span_id, is_remote=True, trace_flags=api.TraceFlags(flags))
