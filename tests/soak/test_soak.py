"""SIGKILL at random moments: what was shown is what was committed, every time, and nothing is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hitl
from hitl.models import Review, RunStatus, Verdict
from tests.soak.workload import POLICY, graph

RUNS = int(os.environ.get("SOAK_RUNS", "60"))
KILLS = int(os.environ.get("SOAK_KILLS", "100"))
LONGEST = 0.2
"""Seconds a worker lives at most once its store is open: by then it has started runs and decided some."""


def lives() -> Iterator[float]:
    """Yield how long each worker lives: all of them differently, spread evenly, in a drawn order.

    Evenly spread moments meet as many places in the code as twice as many drawn at random.
    """
    chance = random.Random(20261124)
    while True:
        slots = list(range(KILLS))
        chance.shuffle(slots)
        yield from (LONGEST * (slot + chance.random()) / KILLS for slot in slots)


class Nursery:
    """The forking parent of the workers."""

    def __init__(self, url: str, folder: Path) -> None:
        env = os.environ | {
            "SOAK_SINK": str(folder / "sink.jsonl"),
            "SOAK_SHOWN": str(folder / "shown.jsonl"),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.nursery", url, str(RUNS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
            cwd=Path(__file__).parents[2],
        )

    def worker(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        pid, ready = self.process.stdout.readline().split()
        assert ready == "ready"
        return int(pid)

    def exit_status(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.slow
def test_what_was_shown_is_what_was_committed_over_100_kills(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'soak.db'}"
    nursery = Nursery(url, tmp_path)
    kills, finished = 0, False
    for seconds in lives():
        if kills == KILLS or finished:
            break
        pid = nursery.worker()
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        status = nursery.exit_status()
        assert status in (-signal.SIGKILL, 0), f"a worker ended by itself with {status}"
        kills += status == -signal.SIGKILL
        finished = status == 0
    nursery.worker()
    assert nursery.exit_status() == 0
    nursery.close()

    app = hitl.wrap(graph(), POLICY, store=url, name="soak")
    shown = {line["review"]: line for line in lines(tmp_path / "shown.jsonl")}
    sink = lines(tmp_path / "sink.jsonl")
    runs = app.queue.runs(limit=1000)
    assert len(runs) == RUNS
    for run in runs:
        check_run(app, run.id, shown, [line for line in sink if line["run"] == run.id])
    assert app.queue.verify() is None
    app.close()
    assert kills >= KILLS, f"the workload ended after {kills} kills; give it more runs"
    print(f"\nsoak: {kills} kills, {len(runs)} runs, {len(shown)} reviews decided, 0 violations")


def check_run(
    app: hitl.Workflow, run_id: str, shown: dict[str, dict[str, Any]], effects: list[dict[str, Any]]
) -> None:
    run = app.run(run_id)
    assert run.status is RunStatus.DONE
    value = run.value
    reviews = run.reviews(pending=False)
    assert not [r for r in reviews if r.blocking and r.decision is None and r.status == "pending"]
    for review in reviews:
        if review.decision is not None and review.blocking:
            seen = shown[review.id]
            assert seen["hash"] == review.decision.proposal_hash == review.proposal_hash
            assert seen["arguments"] == review.proposal.arguments
    trace = {entry.split(":")[0]: entry.split(":")[1] for entry in value["trace"]}
    assert sorted(entry.split(":")[0] for entry in value["trace"]) == ["draft", "paid", "plan"]
    assert trace["draft"] == value["draft"] == update_of(yes(reviews, "draft"))["draft"]
    assert value["amount"] == committed_amount(reviews)
    assert trace["paid"] == str(value["amount"])
    approved = yes(reviews, "pay").proposal.arguments["input"]
    assert isinstance(approved, dict)
    assert {e["amount"] for e in effects} == {value["amount"]} == {approved["amount"]}
    assert len({e["key"] for e in effects}) == 1


def yes(reviews: list[Review], step: str) -> Review:
    """Return the last committed yes on a step: an earlier one was undone by a rollback."""
    found = [
        r
        for r in reviews
        if r.name.step == step
        and r.blocking
        and r.decision
        and r.decision.verdict is Verdict.APPROVE
    ]
    return max(found, key=lambda r: r.opened_at)


def update_of(review: Review) -> dict[str, Any]:
    update = review.proposal.arguments["update"]
    assert isinstance(update, dict)
    return update


def committed_amount(reviews: list[Review]) -> Any:
    last = max(
        (r for r in reviews if r.name.step == "price" and r.blocking and r.decision),
        key=lambda r: r.opened_at,
    )
    assert last.decision is not None
    if last.decision.verdict is Verdict.APPROVE:
        return update_of(last)["amount"]
    assert isinstance(last.decision.answer, dict)
    return last.decision.answer["amount"]
