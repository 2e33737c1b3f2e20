"""EA1 to EA3, EA6, EA7 and their mutants: the promise holds over many agents, continuously looked at.

The design runs 2,000 agents of 20,000 steps; here fewer and shorter, each gate with the design's
pass rule at its own B and with a mutant that must break it, so that it keeps its teeth.
"""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hitl.lab.autonomy import Promise, Story, process, story, tell
from tests.lab.agents import (
    ALPHA,
    EDGES,
    INFORMATIVE,
    REVIEWED,
    TRUSTED,
    Agent,
    steps_above,
)
from tests.lab.mutation import mutants
from tests.lab.populations import allowed

Array = NDArray[np.float64]
DELTA = 0.05
FLAT, _, LATE_EDGE, _ = EDGES


def through_looks(s: float, t: float) -> tuple[float, float]:
    """Return (s, t) of the whole path: a deny, a blind second look, a third when they differ."""

    def upheld(p: float) -> float:
        return p * (p + (1 - p) * p)

    return upheld(s), 1 - upheld(1 - t)


def broke(told: Story, agent: Agent) -> bool:
    return steps_above(told, agent.risk) > 0


@pytest.mark.parametrize("agent", EDGES, ids=lambda a: a.name)
def test_ea1_the_promise_holds_at_the_edge_under_continuous_looking(agent: Agent) -> None:
    """B = 150 agents of 4,000 steps: allowed .103 at delta = .05."""
    rng, agents = np.random.default_rng(1), 150
    broken = 0
    for _ in range(agents):
        confidence, wrong = agent.stream(rng, 4000)
        broken += broke(tell(TRUSTED, confidence, wrong, rng.random(4000)), agent)
    assert broken / agents <= allowed(DELTA, agents)


@pytest.mark.parametrize(("s", "t"), [(0.7, 1.0), (0.9, 0.97)])
def test_ea2_the_promise_holds_with_fallible_reviewers(s: float, t: float) -> None:
    """B = 80 agents at the flat edge and of 4,000 steps: allowed .123. Believed, s = .7 is red."""
    rng, agents = np.random.default_rng(2), 80
    caught, cleared = through_looks(s, t)
    broken = believed = 0
    for _ in range(agents):
        confidence, wrong = FLAT.stream(rng, 4000)
        says = rng.random(4000)
        denied = np.where(wrong == 1.0, says < caught, says > cleared).astype(float)
        u, items = rng.random(4000), rng.random(300) < caught
        broken += broke(tell(REVIEWED, confidence, denied, u, items=items), FLAT)
        believed += broke(tell(TRUSTED, confidence, denied, u), FLAT)
    assert broken / agents <= allowed(DELTA, agents)
    if s == 0.7:
        assert believed / agents > 0.3


def test_ea2_honest_agents_still_earn_it_with_fallible_reviewers() -> None:
    """s = .9, t = .97 with second looks: autonomy comes, some 2,000 steps in; without, never."""
    rng, firsts = np.random.default_rng(3), []
    for _ in range(20):
        confidence, wrong = INFORMATIVE.stream(rng, 8000)
        caught, cleared = through_looks(0.9, 0.97)
        says, u = rng.random(8000), rng.random(8000)
        denied = np.where(wrong == 1.0, says < caught, says > cleared).astype(float)
        items = rng.random(400) < caught
        first = tell(REVIEWED, confidence, denied, u, items=items).first_autonomy()
        firsts.append(8000 if first is None else first)
        single = np.where(wrong == 1.0, says < 0.9, says > 0.97).astype(float)
        once = tell(REVIEWED, confidence, single, u, items=rng.random(400) < 0.9)
        assert once.first_autonomy() is None
    assert float(np.median(firsts)) < 3500


def test_ea3_steps_of_one_run_count_once() -> None:
    """B = 100 agents of 600 runs of six, intra-run correlation .36, at the edge: allowed .115.

    Rows counted one by one are red.
    """
    rng, agents, runs = np.random.default_rng(6), 100, 600
    size = 1 / 0.36 - 1
    as_runs = as_rows = 0
    for _ in range(agents):
        rate = rng.beta(ALPHA * size, (1 - ALPHA) * size, runs)
        wrong = (rng.random((runs, 6)) < rate[:, None]).astype(float).ravel()
        confidence = rng.random(runs * 6)
        u, run = rng.random(runs * 6), np.repeat(np.arange(runs), 6)
        as_runs += broke(tell(TRUSTED, confidence, wrong, u, run=run), FLAT)
        as_rows += broke(tell(TRUSTED, confidence, wrong, u), FLAT)
    assert as_runs / agents <= allowed(DELTA, agents)
    assert as_rows / agents > allowed(DELTA, agents)


def test_ea6_an_informative_agent_earns_its_autonomy() -> None:
    """30 agents of 20,000 steps: first autonomy, share acted alone, asks and spot checks per 100."""
    rng, told = np.random.default_rng(6), []
    for _ in range(30):
        confidence, wrong = INFORMATIVE.stream(rng, 20_000)
        told.append(tell(TRUSTED, confidence, wrong, rng.random(20_000)))
    assert float(np.median([one.first_autonomy() or 20_000 for one in told])) <= 1200
    assert float(np.mean([one.acted.mean() for one in told])) >= 0.52
    assert float(np.mean([one.looked.mean() for one in told])) <= 0.52
    assert not any(broke(one, INFORMATIVE) for one in told)


def quadrupled(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return (confidence, wrong, u): the error rate is four times as large from step 6,000 on."""
    confidence, wrong = INFORMATIVE.stream(rng, 12_000)
    p = 4 * INFORMATIVE.p_wrong(1 - confidence[6000:])
    wrong[6000:] = rng.random(6000) < p
    return confidence, wrong, rng.random(12_000)


def after_the_change(told: Any) -> tuple[int, int]:
    """Return (steps at a level that breaks the promise, steps until it was revoked)."""
    above = steps_above(told, lambda x: 4 * INFORMATIVE.risk(x), start=6000)
    revoked = [at for at, move in told.moves if move.kind == "revoked" and at > 6000]
    return above, (revoked[0] if revoked else 12_000) - 6000


def test_ea7_a_change_is_noticed() -> None:
    """30 agents, error x4 at step 6,000: at most 200 steps above alpha and 350 steps of delay."""
    rng = np.random.default_rng(7)
    seen = [after_the_change(tell(TRUSTED, *quadrupled(rng))) for _ in range(30)]
    above, delay = zip(*seen, strict=True)
    assert float(np.mean(above)) <= 200
    assert float(np.median(delay)) <= 350


def mutated_tell(changes: dict[str, str]) -> Any:
    """Return `tell` on a mutated process."""
    wired = {"from hitl.lab.autonomy.process import": "from mutant_process import"}
    with mutants((process, changes), (story, wired)) as (_, changed):
        return changed.tell


def test_without_alarms_a_change_goes_unnoticed() -> None:
    deaf = mutated_tell({"bell = self.alarms.first(looks) if self.live else None": "bell = None"})
    rng = np.random.default_rng(7)
    seen = [after_the_change(deaf(TRUSTED, *quadrupled(rng))) for _ in range(10)]
    assert float(np.mean([above for above, _ in seen])) > 1500


def test_evidence_kept_after_an_alarm_is_red() -> None:
    """What was earned before a change would be earned again at once."""
    keeping = mutated_tell(
        {
            "            begin(self.promise, self.levels, reviewing=self.reviewing),\n": (
                "            begin(self.promise, self.levels, reviewing=self.reviewing),\n"
                "            evidence=self.evidence,\n"
            )
        }
    )
    rng = np.random.default_rng(7)
    seen = [after_the_change(keeping(TRUSTED, *quadrupled(rng))) for _ in range(10)]
    assert float(np.mean([above for above, _ in seen])) > 200


def test_spot_checks_raised_only_where_it_acts_are_red() -> None:
    """S15: rows of a wider level would enter mostly where they are sure; alpha at coverage .8."""
    unequal = mutated_tell(
        {
            "return Calls(acted, u < rate, rate)": (
                "floor = self.promise.floor if self.live else 1.0\n"
                "        return Calls(acted, u < np.where(acted, rate, floor), rate)"
            ),
            "PROBATION = 100.0": "PROBATION = 1000.0",
        }
    )
    rng, agents = np.random.default_rng(8), 40
    red = green = 0
    for _ in range(agents):
        confidence, wrong = LATE_EDGE.stream(rng, 12_000)
        u = rng.random(12_000)
        red += steps_above(unequal(TRUSTED, confidence, wrong, u), LATE_EDGE.risk) > 0
        green += broke(tell(TRUSTED, confidence, wrong, u), LATE_EDGE)
    assert green / agents <= allowed(DELTA, agents)
    assert red / agents > allowed(DELTA, agents)


def test_a_looser_promise_is_kept_at_its_own_rate() -> None:
    """Alpha = .05, delta = .1 at the flat edge, 100 agents: allowed .19."""
    promise = Promise(error_at_most=0.05, sure=0.9, trusted=True)
    rng, agents = np.random.default_rng(9), 100
    broken = 0
    for _ in range(agents):
        confidence = rng.random(3000)
        wrong = (rng.random(3000) < 0.05).astype(float)
        broken += bool(tell(promise, confidence, wrong, rng.random(3000)).live.any())
    assert broken / agents <= allowed(0.1, agents)
