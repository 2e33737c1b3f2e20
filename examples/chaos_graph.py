"""One effect behind one gate, for harnesses that kill processes and look at what was done.

A run of workflow "chaos" takes `{"proposal": {...}}`, waits for a person, and after a yes POSTs
`{"key", "review", "proposal"}` to `$SINK/effect` until that is answered with 2xx. The key is the same
after every crash, so a sink that remembers keys does it once. Run as a script it brings its own.

    SINK=http://127.0.0.1:9000 hitl serve --app examples.chaos_graph:app
"""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypedDict

import httpx
from langgraph.graph import END, START, StateGraph

import hitl
from hitl import Checkpoint, EscalationPolicy, Stop


class Work(TypedDict):
    """What is to be done."""

    proposal: dict[str, Any]


def effect(state: Work) -> None:
    """Tell the sink, until it has heard it."""
    here, pause = hitl.current(), 0.05
    said = {"key": here.idempotency_key, "review": here.review_id, "proposal": state["proposal"]}
    while not heard(said):
        time.sleep(pause := min(2 * pause, 2.0))


def heard(said: dict[str, Any]) -> bool:
    """Return whether the sink answered with 2xx."""
    try:
        answer = httpx.post(f"{os.environ['SINK']}/effect", json=said, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.is_success


graph = StateGraph(Work)
graph.add_node("effect", effect)
graph.add_edge(START, "effect")
graph.add_edge("effect", END)
gate = Checkpoint("effect", place="before", always=True, on_deny=[Stop()])
store = "sqlite://" if __name__ == "__main__" else None  # served: HITL_DATABASE_URL, or ./hitl.db
app = hitl.wrap(graph, EscalationPolicy("chaos", checkpoints=[gate]), name="chaos", store=store)
heard_keys: list[str] = []


class Sink(BaseHTTPRequestHandler):
    """Remembers keys; its first answer is 503."""

    def do_POST(self) -> None:
        """Take one effect."""
        heard_keys.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["key"])
        self.send_response(503 if len(heard_keys) == 1 else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), Sink) as sink:
        threading.Thread(target=sink.serve_forever, daemon=True).start()
        os.environ["SINK"] = f"http://127.0.0.1:{sink.server_address[1]}"
        run = app.start({"proposal": {"eur": 120}})
        (review,) = run.reviews()
        print(f"{run.status.value}: {review.presentation.title}")
        app.queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
        print(f"{run.wait(timeout=60).value}: {len(heard_keys)} posts, {len(set(heard_keys))} key")
        app.close()
        sink.shutdown()
