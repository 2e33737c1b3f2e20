"""A long run: CPU and bytes of each stretch of steps, beside plain LangGraph with the same saver.

    python -m tests.benchmarks.long_runs [--steps 10000] [--stretch 1000] [--asked 100] [--json]

Plain and gated take turns in one process, a stretch each, so that what else the machine does meets
both. Linear is a last stretch that costs what the first did. A third run is asked about at every
`--asked` steps, covers all since the last yes, and is measured by its own first stretch.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

import hitl
from hitl import Checkpoint, EscalationPolicy
from hitl.graph.lg import CHANNEL
from hitl.models import RunStatus
from tests.benchmarks.overhead import Pair, cpu_ms, loop


@dataclass(frozen=True, slots=True)
class Stretch:
    """What some steps cost, per step."""

    steps: int
    """Of the run so far."""
    plain_ms: float
    """CPU of the process, all threads."""
    gated_ms: float
    plain_bytes: float
    """Of the database."""
    gated_bytes: float
    channel_bytes: int
    """What hitl keeps in the newest snapshot."""
    asked_ms: float
    """Of the run that is asked about: deciding is in it."""


class Side:
    """One long run, a stretch at a time, on a database of its own."""

    def __init__(self, folder: Path, name: str, steps: int) -> None:
        self.pair = Pair(f"sqlite:///{folder / name}.db", steps)
        gated = name == "gated"
        self._config = self.pair.gated_config() if gated else self.pair.plain_config()
        graph: Any = self.pair.app if gated else self.pair.plain
        self._walk: Iterator[Any] = graph.stream(
            {"n": 0}, self._config, stream_mode="updates", durability="sync"
        )

    def go(self, steps: int) -> tuple[float, float]:
        """Go on by some steps; return CPU milliseconds and bytes per step."""
        size = self._size()
        spent = cpu_ms(lambda: list(islice(self._walk, steps)), steps)
        return spent, (self._size() - size) / steps

    def channel_bytes(self) -> int:
        """Return the size of hitl's own value in the newest snapshot."""
        saver = self.pair.app.graph.checkpointer
        newest = saver.get_tuple({"configurable": {"thread_id": "g1", "checkpoint_ns": ""}})
        return len(saver.serde.dumps_typed(newest.checkpoint["channel_values"][CHANNEL])[1])

    def close(self) -> None:
        """Let the run end first: a stream that is left open gives its run back when it goes."""
        for _ in self._walk:
            pass
        self.pair.app.close()

    def _size(self) -> int:
        """Return the bytes of the database's pages, those that wait in its log included."""
        query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        found = self.pair.app.store.read(lambda r: r.connection.execute(query).fetchone())
        return int(found[0])


class Asked:
    """A long run that a person says yes to every few steps."""

    def __init__(self, folder: Path, steps: int, every: int) -> None:
        policy = EscalationPolicy("bench", checkpoints=[Checkpoint("inc", every=every)])
        self._app = hitl.wrap(loop(steps), policy, store=f"sqlite:///{folder / 'asked'}.db")
        self._every = every
        self._start: Callable[[], Any] = lambda: self._app.start(
            {"n": 0}, run_id="asked", recursion_limit=steps + 10
        )

    def go(self, steps: int) -> float:
        """Go on by some steps; return CPU milliseconds per step."""
        return cpu_ms(lambda: self._questions(steps // self._every), steps)

    def close(self) -> None:
        self._app.close()

    def _questions(self, count: int) -> None:
        for _ in range(count):
            self._question()

    def _question(self) -> None:
        """Go to the next question, and say yes."""
        run = self._start()
        self._start = lambda: self._app.run("asked")
        run.wait(timeout=0)
        if run.status is RunStatus.WAITING:
            (review,) = run.reviews()
            self._app.queue.decide(
                review.id, "approve", by="bench", proposal_hash=review.proposal_hash
            )


def stretches(*, steps: int, stretch: int, every: int) -> Iterator[Stretch]:
    """Yield what each stretch costs, as it is measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, gated = Side(folder, "plain", steps), Side(folder, "gated", steps)
        asked = Asked(folder, steps, every)
        for done in range(stretch, steps + 1, stretch):
            plain_ms, plain_bytes = plain.go(stretch)
            gated_ms, gated_bytes = gated.go(stretch)
            yield Stretch(
                steps=done,
                plain_ms=plain_ms,
                gated_ms=gated_ms,
                plain_bytes=plain_bytes,
                gated_bytes=gated_bytes,
                channel_bytes=gated.channel_bytes(),
                asked_ms=asked.go(stretch),
            )
        for each in (plain, gated, asked):
            each.close()


def ratios(found: list[Stretch]) -> dict[str, float]:
    """Return the last third of the run as multiples of its first third, and gated of plain."""
    third = max(1, len(found) // 3)

    def growth(of: Callable[[Stretch], float]) -> float:
        last, first = (statistics.median(map(of, part)) for part in (found[-third:], found[:third]))
        return last / first

    return {
        "plain CPU, last third to first": growth(lambda s: s.plain_ms),
        "gated CPU, last third to first": growth(lambda s: s.gated_ms),
        "gated to plain, last third to first": growth(lambda s: s.gated_ms / s.plain_ms),
        "asked CPU, last third to first": growth(lambda s: s.asked_ms),
        "gated bytes, last third to first": growth(lambda s: s.gated_bytes),
        "gated CPU to plain": statistics.median(s.gated_ms / s.plain_ms for s in found),
        "gated bytes to plain": statistics.median(s.gated_bytes / s.plain_bytes for s in found),
        "channel bytes, most": max(s.channel_bytes for s in found),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--stretch", type=int, default=1_000, help="steps measured together")
    parser.add_argument(
        "--asked", type=int, default=100, help="steps from one question to the next"
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    began = time.perf_counter()
    found = []
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("steps, three runs", total=args.steps)
        for each in stretches(steps=args.steps, stretch=args.stretch, every=args.asked):
            found.append(each)
            bar.update(task, completed=each.steps)
    seconds = time.perf_counter() - began
    if args.json:
        told = {
            "stretches": [asdict(s) for s in found],
            "ratios": ratios(found),
            "seconds": seconds,
        }
        print(json.dumps(told, indent=1))
        return
    print("  steps  plain ms  gated ms  asked ms  plain B  gated B  channel B")
    for s in found:
        print(
            f"{s.steps:7,}{s.plain_ms:10.3f}{s.gated_ms:10.3f}{s.asked_ms:10.3f}"
            f"{s.plain_bytes:9,.0f}{s.gated_bytes:9,.0f}{s.channel_bytes:11}"
        )
    for name, value in ratios(found).items():
        print(f"{name:40}{value:8.2f}")
    print(f"{'seconds':40}{seconds:8.0f}")


if __name__ == "__main__":
    main()
