"""CPU a gated, un-escalated step costs over plain LangGraph with the same saver, and resume latency.

    python -m tests.benchmarks.overhead [--steps 300] [--rounds 5] [--json]

Plain and gated runs alternate in one process; the figure is the median of the differences. CPU is
the process's, all threads: the writer thread's share is in it.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

import hitl
from hitl.graph.lg import EPOCH_KEY
from hitl.graph.savers import fenced_saver
from hitl.models import RunRecord
from hitl.reviews import utcnow


class Count(TypedDict):
    n: int


def loop(steps: int) -> Any:
    """Return a graph whose one node runs `steps` times."""
    graph = StateGraph(Count)
    graph.add_node("inc", lambda s: {"n": s["n"] + 1})
    graph.add_edge(START, "inc")
    graph.add_conditional_edges("inc", lambda s: "inc" if s["n"] < steps else END)
    return graph


class Pair:
    """A plain and a gated graph on the same store."""

    def __init__(self, url: str, steps: int) -> None:
        self.app = hitl.wrap(loop(steps), hitl.EscalationPolicy("bench"), store=url, name="bench")
        self.plain = loop(steps).compile()
        self.plain.checkpointer = fenced_saver(self.app.store, serde=self.app._wiring.serde)
        self.steps = steps
        self.runs = 0

    def gated_config(self) -> dict[str, Any]:
        self.runs += 1
        return {"configurable": {"thread_id": f"g{self.runs}"}, "recursion_limit": self.steps + 10}

    def plain_config(self) -> dict[str, Any]:
        self.runs += 1
        run_id, now = f"p{self.runs}", utcnow()
        run = RunRecord(
            id=run_id,
            workflow="plain",
            workflow_version="1",
            policy_hash="0",
            created_at=now,
            updated_at=now,
        )
        store = self.app.store
        store.write(lambda t: t.add_run(run, None))
        epoch = store.write(
            lambda t: t.claim_run(run_id, "bench", now=now, lease=timedelta(hours=1))
        )
        return {
            "configurable": {"thread_id": run_id, EPOCH_KEY: epoch},
            "recursion_limit": self.steps + 10,
        }


def cpu_ms(work: Callable[[], object], steps: int) -> float:
    """Return the process CPU milliseconds per step of `work`."""
    before = time.process_time()
    work()
    return (time.process_time() - before) / steps * 1000


def overhead(url: str, *, steps: int, rounds: int, asynchronous: bool) -> dict[str, float]:
    """Return median CPU ms per step: plain, gated, and the median difference."""
    pair = Pair(url, steps)

    def run(graph: Any, config: dict[str, Any]) -> Callable[[], object]:
        if asynchronous:
            return lambda: asyncio.run(graph.ainvoke({"n": 0}, config, durability="sync"))
        return lambda: graph.invoke({"n": 0}, config, durability="sync")

    plain, gated = [], []
    for _ in range(rounds + 1):
        plain.append(cpu_ms(run(pair.plain, pair.plain_config()), steps))
        gated.append(cpu_ms(run(pair.app.graph, pair.gated_config()), steps))
    pair.app.close()
    pairs = list(zip(plain[1:], gated[1:], strict=True))
    return {
        "plain_ms": statistics.median(p for p, _ in pairs),
        "gated_ms": statistics.median(g for _, g in pairs),
        "added_ms": statistics.median(g - p for p, g in pairs),
    }


def resume_latency(url: str, *, rounds: int) -> dict[str, float]:
    """Return p50 and p95 milliseconds from a committed decision to the next node running."""
    started: list[float] = []

    def reached(state: Count) -> Count:
        started.append(time.perf_counter())
        return {"n": 2}

    graph = StateGraph(Count)
    graph.add_node("ask", lambda s: {"n": 1})
    graph.add_node("next", reached)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "next")
    app = hitl.wrap(
        graph,
        hitl.EscalationPolicy("bench", checkpoints=[hitl.Checkpoint("ask", always=True)]),
        store=url,
    )
    app.start_engine()
    waits = []
    for _ in range(rounds + 3):
        run = app.start({"n": 0})
        review = run.reviews()[0]
        app.queue.decide(review.id, "approve", by="bench", proposal_hash=review.proposal_hash)
        decided = time.perf_counter()
        run.wait(timeout=10)
        waits.append((started[-1] - decided) * 1000)
    app.close()
    kept = sorted(waits[3:])
    return {"p50_ms": statistics.median(kept), "p95_ms": kept[int(len(kept) * 0.95)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("memory", "sqlite"):
            for colour in ("sync", "async"):
                name = f"{kind} {colour}"
                url = "sqlite://" if kind == "memory" else f"sqlite:///{Path(folder) / colour}.db"
                figures[name] = overhead(
                    url, steps=args.steps, rounds=args.rounds, asynchronous=colour == "async"
                )
        figures["resume"] = resume_latency(f"sqlite:///{Path(folder) / 'resume'}.db", rounds=60)
    if args.json:
        print(json.dumps(figures, indent=1))
        return
    for name, values in figures.items():
        print(f"{name:14}", "  ".join(f"{k} {v:.3f}" for k, v in values.items()))


if __name__ == "__main__":
    main()
