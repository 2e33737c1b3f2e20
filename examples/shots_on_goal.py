"""Shots on goal, all night: five tries at once, again every two hours, until a person says yes.

A planner looks for a short round trip, and is never sure of one. The best of five is put before a person.
At night nobody looks, so every two hours the policy has five more tried: ten times at most, and only
until nine. In the morning ana says no with a reason, all of the next five hear it, and she says yes.
"""

from datetime import UTC, datetime, timedelta
from math import dist
from typing import Any, TypedDict

from langgraph.graph import START, StateGraph

import hitl
from hitl import Checkpoint, EscalationPolicy, Retry, Stop
from hitl.testing import FakeClock

TOWNS = {name: (37 * n % 101, 61 * n * n % 101) for n, name in enumerate("ABCDEFGHIJKLMN")}
FOUND: list[tuple[int, str]] = []


class Plan(TypedDict, total=False):
    """What is known about the trip."""

    trip: str


def length(trip: str) -> int:
    """Return how far it is around, in km."""
    return round(sum(dist(TOWNS[trip[i - 1]], TOWNS[trip[i]]) for i in range(len(trip))))


def look(state: Plan) -> Plan:
    """Go on from the best trip so far: turn pieces of it around, and keep what is shorter."""
    now, better = hitl.current(), lambda t: (length(t), t)
    trip = min((t for n, t in FOUND if n < now.attempt), key=better, default="".join(TOWNS))
    for k in range(10):
        n = 100 * now.attempt + 10 * now.rollout + k
        a, b = sorted((n * 7919 % 15, n * 104729 % 1009 % 15))
        trip = min(trip, trip[:a] + trip[a:b][::-1] + trip[b:], key=better)
    starts = [reason[-1] for no in now.denials if no.by == "ana" for reason in no.reasons]
    trip = "".join((trip * 2).partition(starts[-1])[1:])[: len(trip)] if starts else trip
    FOUND.append((now.attempt, trip))
    hitl.report(confidence=0.5)
    return {"trip": trip}


def shorter(arguments: dict[str, Any]) -> int:
    """Rank the tries: the shorter, the better."""
    return -length(arguments["update"]["trip"])


AGAIN = Retry(10, until="tomorrow 09:00")
OVERNIGHT: dict[str, Any] = {"expires_in": "2h", "on_expiry": AGAIN, "on_deny": [AGAIN, Stop()]}
SHOTS = Checkpoint("look", confidence_below=0.9, rollouts=5, rank=shorter, **OVERNIGHT)
POLICY = EscalationPolicy("trips", timezone="UTC", checkpoints=[SHOTS])


def main() -> None:
    """Leave the planner alone for a night."""
    clock, graph = FakeClock(datetime(2026, 3, 2, 21, tzinfo=UTC)), StateGraph(Plan)
    graph.add_node("look", look)
    graph.add_edge(START, "look")
    app = hitl.wrap(graph, POLICY, store="sqlite://", clock=clock)
    run, morning = app.start({}), iter([("deny", ["start in C"]), ("approve", [])])
    while ask := next(iter(run.reviews()), None):
        trip = str(ask.presentation.changes[0].after)
        said, why = next(morning) if 7 <= clock().hour < 9 else ("nobody looks", [])
        print(f"{clock():%a %H:%M}  {trip}, {length(trip)} km: {' '.join([said, *why])}")
        if said == "nobody looks":
            clock.advance(timedelta(hours=2))
        else:
            app.queue.decide(ask.id, said, by="ana", reasons=why, proposal_hash=ask.proposal_hash)
        run.wait(timeout=0)
    print(f"{run.status.value}: {run.value['trip']}, after {len(FOUND)} tries")
    app.close()


if __name__ == "__main__":
    main()
