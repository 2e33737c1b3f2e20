"""Earned autonomy, as a pure state machine: gate evaluations and labels in, live level out.

It starts by asking always, widens as the anytime-valid evidence allows, keeps its spot-check floor,
and goes back to asking always on any alarm: then all evidence is void and the next generation
starts with less delta; after the third alarm a person signs first. Every move is a `Move`: a policy
decision for the trail. `hitl.lab.autonomy.entering` says which logged rows enter, and in which
order; `hitl.lab.autonomy.story` plays a whole stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hitl.lab.autonomy.alarms import Alarms
from hitl.lab.autonomy.evidence import Evidence
from hitl.lab.autonomy.looks import Calls, Looks, Move
from hitl.lab.autonomy.promise import Level, Promise
from hitl.lab.autonomy.reviewing import Reviewing
from hitl.lab.columns import Bools, Floats

ALARMS_BEFORE_SIGNATURE = 3
PROBATION = 100.0
"""Spot-check rate after n unasked rows since the last widening: PROBATION/(PROBATION + n)."""

Counts = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Autonomy:
    """The state of one scope; `begin` makes the first."""

    promise: Promise
    levels: tuple[Level, ...]
    reviewing: Reviewing
    evidence: Evidence
    alarms: Alarms
    inside: Counts
    """Per level, (wrong, all) of the entering rows above its threshold."""
    outside: Counts
    """Per level, (wrong, all) of the asked rows at or below its threshold."""
    live: int = 0
    """0: ask always; g: act above the threshold of the gth level."""
    on_offer: int = 0
    """A level that waits for a signature; 0 for none."""
    unasked: int = 0
    """Rows acted on since the last widening."""
    generation: int = 1
    locked: bool = False
    """True after the third alarm, until a person signs."""
    seq: int = 0

    @property
    def threshold(self) -> float:
        """Act iff confidence > this; inf asks always."""
        return self.levels[self.live - 1].threshold if self.live else float("inf")

    @property
    def limit(self) -> float:
        """Return a = alpha s_L: the rate of upheld noes that is certified against."""
        return self.promise.error_at_most * self.reviewing.sensitivity

    def calls(self, confidence: Floats, u: Floats) -> Calls:
        """Return what the gate says about rows at the live level, one after another.

        Args:
            confidence: Shape (n,), in [0, 1].
            u: Shape (n,), the kept coin of each gate evaluation, in [0, 1).
        """
        acted: Bools = confidence > self.threshold
        before = self.unasked + np.cumsum(acted) - acted
        falling = np.maximum(self.promise.floor, PROBATION / (PROBATION + before))
        rate = falling if self.live else np.ones_like(falling)
        return Calls(acted, u < rate, rate)

    def called(self, acted: int) -> "Autonomy":
        """Return the state after so many more rows were acted on."""
        return replace(self, unasked=self.unasked + acted)

    def observe(self, looks: Looks) -> "tuple[Autonomy, tuple[Move, ...]]":
        """Return the state and its moves after labelled rows, each with the flags it was logged with."""
        state, moves, start = self, [], 0
        while start < looks.size:
            state, used, move = state.step(looks.part(start))
            start += used
            if move is not None:
                moves.append(move)
        return state, tuple(moves)

    def step(self, looks: Looks) -> "tuple[Autonomy, int, Move | None]":
        """Return (state, rows used, move): rows enter up to and with the first that proves or alarms.

        A proof need not move the live level; the rest of the rows is for the next call either way.
        """
        if self.locked or not self.reviewing.ready:
            return self, looks.size, None
        delta = self.promise.generation_delta(self.generation)
        capital, ends = self.evidence.path(looks, self.limit)
        proof = self.evidence.first_proof(capital, delta)
        proven_at = looks.size if proof is None else int(ends[proof])
        bell = self.alarms.first(looks) if self.live else None
        if bell is not None and bell[0] <= proven_at:
            state, move = self.revoked(bell[1])
            return state, bell[0] + 1, move
        used = min(proven_at + 1, looks.size)
        state = self._entered(looks.part(0, used))
        units = capital.shape[0] if proof is None else proof + 1
        if units:
            state = replace(state, evidence=state.evidence.at(capital[units - 1]).settled(delta))
        widened, widening = state._widened()
        return widened, used, widening

    def item(self, *, caught: bool) -> "tuple[Autonomy, Move | None]":
        """Return the state after one known-wrong item was shown to the reviewers.

        Args:
            caught: It was denied and the denial upheld, through the whole path of a real review.
        """
        reviewing, rings = self.reviewing.item(caught=caught)
        if not rings:
            return replace(self, reviewing=reviewing), None
        state = replace(self, reviewing=reviewing.restarted())
        return state.revoked("Reviewers miss more known-answer items than at the start.")

    def signed(self) -> "tuple[Autonomy, Move | None]":
        """Return the state after a person signed: a widening on offer goes live, a lock opens."""
        if self.on_offer:
            return self._live_at(self.on_offer)
        return replace(self, locked=False), None

    def revoked(self, sentence: str) -> "tuple[Autonomy, Move]":
        """Return the state after an alarm: ask always, all evidence void, the next generation."""
        state = replace(
            begin(self.promise, self.levels, reviewing=self.reviewing),
            generation=self.generation + 1,
            locked=self.generation >= ALARMS_BEFORE_SIGNATURE,
            seq=self.seq + 1,
        )
        return state, Move(state.seq, "revoked", 0, state.generation, sentence)

    def _widened(self) -> "tuple[Autonomy, Move | None]":
        level = self.evidence.widest
        if level <= max(self.live, self.on_offer):
            return self, None
        if not self.promise.sign_off:
            return self._live_at(level)
        sentence = self._sentence(level) + " It waits for a signature."
        state = replace(self, on_offer=level)
        return state, Move(state.seq, "offered", level, state.generation, sentence)

    def _live_at(self, level: int) -> "tuple[Autonomy, Move]":
        alarms = self.alarms.widened(
            self.promise.error_at_most,
            inside=self.inside[level - 1],
            outside=self.outside[level - 1],
        )
        state = replace(self, alarms=alarms, live=level, on_offer=0, unasked=0, seq=self.seq + 1)
        return state, Move(state.seq, "widened", level, state.generation, self._sentence(level))

    def _sentence(self, level: int) -> str:
        wrong, rows = self.inside[level - 1]
        coverage = self.levels[level - 1].coverage
        return (
            f"{wrong} of {rows} checked steps were wrong: acting alone on the surest"
            f" {coverage:.0%} keeps errors at or below {self.promise.error_at_most:g}."
        )

    def _entered(self, looks: Looks) -> "Autonomy":
        return replace(
            self,
            alarms=self.alarms.after(looks) if self.live else self.alarms,
            inside=self._counted(self.inside, looks, looks.coin, above=True),
            outside=self._counted(self.outside, looks, ~looks.acted, above=False),
        )

    def _counted(self, counts: Counts, looks: Looks, rows: Bools, *, above: bool) -> Counts:
        held = looks.confidence[rows, None] > np.asarray(self.evidence.thresholds)
        within = (held if above else ~held).astype(np.float64)
        wrong = np.rint(looks.wrong[rows] @ within).astype(int).tolist()
        total = within.sum(axis=0).astype(int).tolist()
        return tuple((k + a, n + b) for (k, n), a, b in zip(counts, wrong, total, strict=True))


def begin(
    promise: Promise, levels: Sequence[Level], *, reviewing: Reviewing | None = None
) -> Autonomy:
    """Return the state of a new scope: it asks always, and knows nothing.

    Args:
        promise: What is to be earned.
        levels: From `grid`, before the first row enters.
        reviewing: What is known of the reviewers; None for nothing yet.
    """
    none = ((0, 0),) * len(levels)
    return Autonomy(
        promise=promise,
        levels=tuple(levels),
        reviewing=reviewing or Reviewing(promise.reviewers_delta),
        evidence=Evidence.none(levels),
        alarms=Alarms.none(promise.error_at_most),
        inside=none,
        outside=none,
    )
