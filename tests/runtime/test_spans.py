"""A decision and the advance it leads to are two traces with a link, not one trace of two days."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import json, sys
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, Tracer, TracerProvider

class Recorder(TracerProvider, Tracer):
    def __init__(self):
        self.spans = []
    def get_tracer(self, *args, **kwargs):
        return self
    def start_span(self, name, context=None, kind=None, attributes=None, links=(), **rest):
        parent = trace.get_current_span(context).get_span_context()
        number = len(self.spans) + 1
        trace_id = parent.trace_id if parent.is_valid else number << 64
        span = NonRecordingSpan(SpanContext(trace_id, number, False, TraceFlags(1)))
        self.spans.append(dict(name=name, trace=trace_id, id=number, facts=dict(attributes),
                               links=[l.context.span_id for l in links]))
        return span
    def start_as_current_span(self, name, context=None, **rest):
        return trace.use_span(self.start_span(name, context, **rest))

recorder = Recorder()
trace.set_tracer_provider(recorder)
from examples.first_approval import make_app
app = make_app("sqlite://")
with trace.use_span(recorder.start_span("request", attributes={})):
    run = app.start({"text": "Alba & Sons: EUR 43.00"})
    review = run.reviews()[0]
with trace.use_span(recorder.start_span("click", attributes={})):
    app.queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
with trace.use_span(recorder.start_span("poll", attributes={})):
    run.wait(0)
app.close()
print(json.dumps(dict(run=run.id, review=review.id, hash=review.proposal_hash, spans=recorder.spans)))
"""


def test_what_goes_on_after_a_decision_links_to_it() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    told = json.loads(ended.stdout)
    request, first, click, decide, poll, second = told["spans"]

    assert [s["name"] for s in (first, decide, second)] == [
        "hitl.advance",
        "hitl.decide",
        "hitl.advance",
    ]
    assert (first["trace"], decide["trace"]) == (request["trace"], click["trace"])
    assert second["trace"] not in (request["trace"], click["trace"], poll["trace"])
    assert (first["links"], second["links"]) == ([], [decide["id"]])
    assert decide["facts"] == {
        "hitl.review.id": told["review"],
        "hitl.decision": "approve",
        "hitl.proposal.hash": told["hash"],
    }
    assert second["facts"]["hitl.run.id"] == told["run"]
