"""How fast a trail is appended to, sealed and verified: `python -m tests.benchmarks.trail --events 1000000`."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from hitl.audit import entry
from hitl.cli import run
from hitl.ports import Store, Transaction
from hitl.reviews import Sealer
from hitl.stores import open_store

_TOGETHER = 5000
_RUNS = 1000
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fill(store: Store, events: int) -> None:
    """Append events as decisions do, over many runs."""
    for first in range(0, events, _TOGETHER):
        numbers = range(first, min(first + _TOGETHER, events))

        def work(t: Transaction, numbers: range = numbers) -> None:
            for number in numbers:
                run_id = f"run_{number % _RUNS}"
                body = entry(
                    "review.decided",
                    at=_NOW,
                    actor="ana",
                    run_id=run_id,
                    subject=f"rev_{number}",
                    verdict="approve",
                    proposal_hash="a" * 64,
                    reasons=["wrong amount"],
                    shown_ms=number,
                )
                t.append_audit(run_id, body)

        store.write(work)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print the seconds as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    events: int = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'hitl.db'}"
        file = str(Path(folder) / "trail.jsonl")
        with closing(open_store(url)) as store:
            told = {"append": timed(lambda: fill(store, events))}
            told["seal"] = timed(Sealer(store, clock=lambda: _NOW).seal)
        told["verify_store"] = timed(lambda: run(["audit", "verify", "--store", url]))
        told["export"] = timed(lambda: run(["audit", "export", file, "--store", url]))
        told["verify_file"] = timed(lambda: run(["audit", "verify", "--file", file]))
    sys.stdout.write(json.dumps({"events": events, "seconds": told}) + "\n")


if __name__ == "__main__":
    main()
