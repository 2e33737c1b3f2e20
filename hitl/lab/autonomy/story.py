"""What earned autonomy would do with a whole stream of steps: for charts, simulations and what-ifs.

The stream has a label for every step, which only a simulation or a fully reviewed log has; the
process sees just those it would have asked about or spot-checked. Assumes that acting alone does
not change later steps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hitl.lab.autonomy.looks import Looks, Move
from hitl.lab.autonomy.process import Autonomy, begin
from hitl.lab.autonomy.promise import GRID_ROWS, Promise, grid
from hitl.lab.autonomy.reviewing import ITEMS_BEFORE_START
from hitl.lab.columns import Bools, Floats, Ints, aligned, flags, fractions

_PACE = 4_000
"""Rows looked at in one go; bounds memory, changes no result."""
ITEM_EVERY = 33
"""Looks between two known-answer items: 3 %."""


@dataclass(frozen=True, slots=True)
class Story:
    """What happened to each step of a stream; shape (n,) each."""

    acted: Bools
    """The agent acted alone."""
    looked: Bools
    """A person looked: asked, or spot-checked."""
    live: Ints
    """Live level at that step; 0 asks always."""
    moves: tuple[tuple[int, Move], ...]
    """(step, move) in order."""
    end: Autonomy
    """State after the last step."""

    def first_autonomy(self) -> int | None:
        """Return the step from which the agent may first act alone; None for never."""
        return next((at for at, move in self.moves if move.kind == "widened"), None)


def tell(
    promise: Promise,
    confidence: ArrayLike,
    wrong: ArrayLike,
    u: ArrayLike,
    *,
    run: ArrayLike | None = None,
    items: ArrayLike | None = None,
) -> Story:
    """Return what earned autonomy does with a stream of steps, from an empty scope.

    The first 100 steps are asked about and fix the grid.

    Args:
        promise: What is to be earned.
        confidence: Shape (n,), in [0, 1], n >= 100.
        wrong: Shape (n,), 0/1: what reviewers would say after second looks.
        u: Shape (n,), the kept coin of each gate evaluation, in [0, 1).
        run: Shape (n,), integers, the rows of one run together; None: every step is its own unit.
        items: Shape (m,), 0/1: outcome of each known-answer item in the order they would be shown,
            1 = caught. 60 come before the start, then one in 33 looks; needed unless the promise
            trusts its labels. When they run out no more are shown.
    """
    score, bad, coin = fractions(confidence, "confidence"), flags(wrong, "wrong"), fractions(u, "u")
    aligned(confidence=score, wrong=bad, u=coin)
    units = None if run is None else np.asarray(run, dtype=np.int64)
    queue = [] if items is None else list(flags(items, "items"))
    state = begin(promise, grid(score[:GRID_ROWS]))
    telling = _Telling(state, score, bad.astype(np.float64), coin, units, queue)
    return telling.told()


class _Telling:
    """The loop over a stream: gate, look, learn, until the end."""

    def __init__(
        self,
        state: Autonomy,
        score: Floats,
        wrong: Floats,
        u: Floats,
        run: Ints | None,
        items: list[np.bool_],
    ) -> None:
        self.state, self.score, self.wrong, self.u, self.run = state, score, wrong, u, run
        self.items, self.looks_since_item = items, 0
        self.acted = np.zeros(score.size, dtype=np.bool_)
        self.looked = np.ones(score.size, dtype=np.bool_)
        self.live = np.zeros(score.size, dtype=np.int64)
        self.moves: list[tuple[int, Move]] = []

    def told(self) -> Story:
        at = GRID_ROWS
        self._show(ITEMS_BEFORE_START if self.state.promise.reviewers_delta else 0, at)
        while at < self.score.size:
            at = self._advance(at)
        return Story(self.acted, self.looked, self.live, tuple(self.moves), self.state)

    def _advance(self, start: int) -> int:
        """Gate and learn from `start` to the next move, or for one pace; return where it stopped."""
        stop = min(start + (_PACE if not self.items else 20 * ITEM_EVERY), self.score.size)
        here = slice(start, stop)
        calls = self.state.calls(self.score[here], self.u[here])
        looked = ~calls.acted | calls.coin
        rows = np.flatnonzero(looked)
        looks = Looks(
            self.score[here][rows],
            self.wrong[here][rows],
            calls.acted[rows],
            calls.coin[rows],
            None if self.run is None else self.run[here][rows],
        )
        state, used, move = self.state.step(looks)
        if used < looks.size or move is not None:
            stop = start + int(rows[used - 1]) + 1
        length = stop - start
        self.acted[start:stop], self.looked[start:stop] = calls.acted[:length], looked[:length]
        self.live[start:stop] = self.state.live
        if move is None:
            self.state = state.called(int(calls.acted[:length].sum()))
        else:
            self.state = state
            self.moves.append((stop, move))
        self._learn_reviewers(int(looked[:length].sum()), stop)
        return stop

    def _learn_reviewers(self, looks: int, at: int) -> None:
        self.looks_since_item += looks
        due, self.looks_since_item = divmod(self.looks_since_item, ITEM_EVERY)
        self._show(due, at)
        if not self.state.reviewing.ready:
            self._show(ITEMS_BEFORE_START - self.state.reviewing.shown, at)

    def _show(self, count: int, at: int) -> None:
        for _ in range(min(count, len(self.items))):
            self.state, move = self.state.item(caught=bool(self.items.pop(0)))
            if move is not None:
                self.moves.append((at, move))
