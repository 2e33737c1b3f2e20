"""A run of two days in compressed time: five processes, three versions of the code, two policies.

A watch looks at something once an hour and publishes what it saw. The clock is moved by hand, by an
hour in each step and by more between the processes, so that nothing waits for real.
"""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph

from hitl import Answer, Checkpoint, Retry, Stop, Workflow
from hitl.errors import InvalidAnswer
from hitl.models import DecidedBy, RunStatus
from hitl.policy import EscalationPolicy, Remedy
from hitl.testing import FakeClock
from tests.runtime.stage import approve, deny, go_on, only, opened, policy, rows, trail

HOUR = timedelta(hours=1)
HOURS = 40
RUN = "watch"
LADDER: list[Remedy] = [Retry(3, until="tomorrow 09:00"), Answer(), Stop()]


class Watch(TypedDict, total=False):
    hour: int
    seen: Annotated[list[str], operator.add]
    published: str


class Office:
    """What outlives the processes: the database, the clock, and what really happened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock(datetime(2026, 3, 2, 9, tzinfo=UTC))  # a Monday
        self.done: list[str] = []
        self.sent: list[str] = []

    @contextmanager
    def process(self, version: str, rules: EscalationPolicy) -> Iterator[Workflow]:
        """A process with this version of the code."""

        def look(state: Watch) -> Watch:
            hour = state.get("hour", 0) + 1
            self.done.append(f"{hour} by {version}")
            self.clock.advance(HOUR)
            return {"hour": hour, "seen": [f"{hour}:{version}"]}

        def publish(state: Watch) -> Watch:
            self.sent.append(f"{len(state['seen'])} by {version}")
            return {"published": self.sent[-1]}

        graph = StateGraph(Watch)
        graph.add_node("look", look)
        graph.add_node("publish", publish)
        graph.add_edge(START, "look")
        graph.add_conditional_edges("look", lambda s: "look" if s["hour"] < HOURS else "publish")
        graph.add_edge("publish", END)
        with opened(self.folder, graph, rules, clock=self.clock) as app:
            yield app

    def now(self) -> str:
        return f"{self.clock():%a %H:%M}"


def rules(version: str, *, every: int) -> EscalationPolicy:
    return policy(
        Checkpoint("look", every=every, on_deny=LADDER),
        Checkpoint("publish", place="before", always=True, expires_in="3h", on_expiry=Stop()),
        version=version,
        timezone="UTC",
    )


def test_two_days_of_restarts_and_deploys_lose_and_repeat_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path)
    first, second = rules("1", every=8), rules("2", every=16)

    with office.process("v1", first) as app:
        run = app.start({"seen": []}, run_id=RUN, recursion_limit=1000)
        assert (run.status, office.now()) == (RunStatus.WAITING, "Mon 17:00")
    office.clock.advance(3 * HOUR)
    with office.process("v2", second) as app:  # its policy would not have asked, its code differs
        run = go_on(app.run(RUN))
        asked = only(run)
        assert (asked.policy_version, asked.proposal.policy_hash) == ("1", first.content_hash)
        assert office.done == [f"{n} by v1" for n in range(1, 9)]
        approve(app, asked)
        go_on(run)
        assert (only(run).policy_version, office.now()) == ("2", "Tue 12:00")
        assert office.done[8:] == [f"{n} by v2" for n in range(9, 25)]
    with office.process("v2", second) as app:  # a restart: it says no, and the step tries again
        run = app.run(RUN)
        deny(app, only(run), "retry", reasons=["unclear"])
        go_on(run)
        again = only(run)
        assert (again.attempt, office.now()) == (2, "Tue 13:00")
    office.clock.advance(21 * HOUR)
    with office.process("v3", second) as app:  # the tries were until Wednesday at nine
        run = go_on(app.run(RUN))
        assert only(run).id == again.id
        assert [rung.ends_at for rung in again.rungs][:1] == [datetime(2026, 3, 4, 9, tzinfo=UTC)]
        with pytest.raises(InvalidAnswer, match="retry"):
            deny(app, again, "retry")
        deny(app, again, "answer", answer={"hour": 24, "seen": ["24:ana"]})
        go_on(run)
        assert (only(run).name.visit, office.now()) == (25, "Wed 11:00")  # ana vouched for one step
        approve(app, only(run))
        go_on(run)
        assert (only(run).name.step, office.now()) == ("publish", "Thu 02:00")
        assert office.sent == []
    with office.process("v3", second) as app:
        run = app.run(RUN)
        approve(app, only(run))
        assert go_on(run).status is RunStatus.DONE
        _check_what_is_left(app, office, [first.content_hash, second.content_hash])


def _check_what_is_left(app: Workflow, office: Office, policies: list[str]) -> None:
    run = app.run(RUN)
    versions = ["v1"] * 8 + ["v2"] * 15 + ["ana"] + ["v3"] * 16
    assert run.value["seen"] == [f"{n}:{v}" for n, v in enumerate(versions, 1)]
    assert office.sent == ["40 by v3"]
    looked = [int(line.split()[0]) for line in office.done]
    assert looked == [*range(1, 25), 24, *range(25, 41)]  # one try again, for the one no
    assert (run.status, office.now()) == (RunStatus.DONE, "Thu 02:00")
    gates = rows(app, run)
    assert {row.policy_hash for row in gates} == set(policies)
    assert sum(row.committed_at is not None for row in gates) == HOURS + 1
    decisions = [r.decision for r in app.queue.timeline(RUN).reviews if r.decision is not None]
    assert [d.made_by for d in decisions] == [DecidedBy.PERSON] * 5
    assert trail(app, run).count("step.committed") == 4
    assert app.queue.verify(RUN) is None


def test_a_night_without_an_answer_ends_as_the_policy_says_not_as_a_no(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with office.process("v1", rules("1", every=100)) as app:
        run = app.start({"seen": []}, run_id=RUN, recursion_limit=1000)
        asked = only(run)
        assert asked.name.step == "publish"
    office.clock.advance(12 * HOUR)
    with office.process("v2", rules("2", every=100)) as app:
        run = go_on(app.run(RUN))

        assert run.status is RunStatus.STOPPED
        decision = app.queue.get(asked.id).decision
        assert decision is not None
        assert (decision.made_by, office.sent) == (DecidedBy.POLICY, [])
