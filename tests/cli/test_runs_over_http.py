"""Runs over HTTP, between processes: a served workflow, a sink, and clients with keys."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import JsonValue

from hitl.client import QueueClient, RunDetail
from hitl.errors import NotFound, RequestRefused
from tests.cli.conftest import Command
from tests.cli.serving import ROOT, serving

PROPOSAL: dict[str, JsonValue] = {"eur": 120, "to": "Alba"}


class Sink:
    """What the effects of a run reach: remembers what it was told, and can refuse it."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.is_down = False
        self.address = ""


@pytest.fixture
def sink() -> Iterator[Sink]:
    kept = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kept.heard.append({"path": self.path, **said})
            self.send_response(503 if kept.is_down else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kept.address = f"http://127.0.0.1:{server.server_address[1]}"
        yield kept
        server.shutdown()


def until(look: Callable[[], Any]) -> Any:
    """Return what `look` finds, as soon as it is something."""
    ends = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < ends
        time.sleep(0.05)
    return found


def told(origin: str, key: str, run_id: str) -> RunDetail:
    answer = httpx.get(
        f"{origin}/v1/runs/{run_id}", headers={"Authorization": f"Bearer {key}"}, trust_env=False
    )
    return RunDetail.model_validate_json(answer.raise_for_status().content)


def test_a_run_is_started_decided_killed_and_done_over_http(
    hitl: Command, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HITL_DATABASE_URL", f"sqlite:///{tmp_path / 'hitl.db'}")
    monkeypatch.setenv("SINK", sink.address)
    keys = {
        role: hitl("user", "add", name, "--role", role, "--print-key").out.strip()
        for name, role in (("buyer", "agent"), ("ana", "reviewer"))
    }
    sink.is_down = True

    with serving("--app", "examples.chaos_graph:app") as first:
        with QueueClient(first.origin, api_key=keys["agent"]) as agent:
            inputs: JsonValue = {"proposal": PROPOSAL}
            run = agent.start("chaos", inputs, key="order-7")
            again = agent.start("chaos", inputs, key="order-7")
            with pytest.raises(RequestRefused, match="another body"):
                agent.start("chaos", {"proposal": {}}, key="order-7")
            with pytest.raises(NotFound, match="no workflow 'other'; it serves 'chaos'"):
                agent.start("other", inputs)
        waiting = until(lambda: told(first.origin, keys["agent"], run.id).reviews)
        with QueueClient(first.origin, api_key=keys["reviewer"]) as ana:
            review = ana.get(waiting[0].id)
            ana.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
        until(lambda: len(sink.heard) > 1)
        ready = httpx.get(f"{first.origin}/readyz", trust_env=False)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    sink.is_down = False
    with serving("--app", "examples.chaos_graph:app") as second:
        done = until(
            lambda: (r := told(second.origin, keys["agent"], run.id)).status.value == "done" and r
        )

    assert (again.id, run.initiator) == (run.id, "agent:buyer")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "problems": []})
    assert (done.value, done.reliability) == ({"proposal": PROPOSAL}, 1.0)
    assert [r.decision.by for r in done.reviews if r.decision] == ["ana"]
    assert {h["path"] for h in sink.heard} == {"/effect"}
    assert {(len(h["key"]), h["review"]) for h in sink.heard} == {(64, review.id)}
    assert len({h["key"] for h in sink.heard}) == 1
    assert all(h["proposal"] == PROPOSAL for h in sink.heard)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("HITL_DATABASE_URL", "mysql://here/hitl", "scheme"),
        ("HITL_DATABASE_URL", "sqlite:////no/such/folder/hitl.db", "does not exist"),
        ("HITL_API_TOKEN", "short", "has 5 characters"),
        ("HITL_APP", "examples.no_such:app", "There is no module"),
    ],
)
def test_what_is_configured_wrongly_is_said_and_not_served(
    tmp_path: Path, variable: str, value: str, sentence: str
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), variable: value}

    ended = subprocess.run(
        [sys.executable, "-c", "from hitl.cli import main; main()", "serve", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )

    assert ended.returncode != 0
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
