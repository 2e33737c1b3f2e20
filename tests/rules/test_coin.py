"""The spot check's draw: uniform, reproducible, and blind to how LangGraph calls the task."""

import inspect
from typing import Any

import pytest

from hitl.models import Place, StepName
from hitl.policy import coin, run_coin

SECRET = b"a secret of the store"
READ = StepName(step="read", place=Place.AFTER, visit=1)


GOLDEN_DRAW = 0.7017857083372655
GOLDEN_RUN_DRAW = 0.8471269029139392
"""Pinned: a draw that changes between versions would be a redraw of every live run."""


def draw(**changes: Any) -> float:
    given: dict[str, Any] = {"run_id": "run_1", "branch": 0, "name": READ, "attempt": 1}
    secret = changes.pop("secret", SECRET)
    return coin(secret, **{**given, **changes})


def test_the_draw_is_the_same_whenever_it_is_asked_for() -> None:
    assert draw() == draw()
    assert draw() == pytest.approx(GOLDEN_DRAW, abs=1e-15)
    assert run_coin(SECRET, "run_1") == pytest.approx(GOLDEN_RUN_DRAW, abs=1e-15)


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "run_2"},
        {"branch": 1},
        {"attempt": 2},
        {"rollout": 1},
        {"secret": b"another secret"},
        {"name": READ.model_copy(update={"step": "write"})},
        {"name": READ.model_copy(update={"place": Place.BEFORE})},
        {"name": READ.model_copy(update={"visit": 2})},
        {"name": READ.model_copy(update={"shard": 1})},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_thing_that_names_an_evaluation_changes_the_draw(change: dict[str, Any]) -> None:
    assert draw(**change) != draw()


def test_names_that_read_alike_when_joined_are_told_apart() -> None:
    one = draw(run_id="run_1,0", branch=1)
    other = draw(run_id="run_1", branch=0)

    assert one != other


def test_no_task_id_enters_the_draw() -> None:
    assert set(inspect.signature(coin).parameters) == {
        "secret",
        "run_id",
        "branch",
        "name",
        "attempt",
        "rollout",
    }


def test_draws_are_uniform() -> None:
    n, bins = 4_000, 20
    counts = [0] * bins
    for i in range(n):
        counts[int(draw(run_id=f"run_{i}") * bins)] += 1

    chi_square = sum((count - n / bins) ** 2 / (n / bins) for count in counts)

    assert chi_square < 43.8  # 99.9 % quantile of chi-square with 19 degrees of freedom


@pytest.mark.parametrize("other", [{"attempt": 2}, {"branch": 1}, {"rollout": 1}], ids=str)
def test_draws_of_one_step_say_nothing_about_each_other(other: dict[str, Any]) -> None:
    n = 2_000
    pairs = [(draw(run_id=f"run_{i}"), draw(run_id=f"run_{i}", **other)) for i in range(n)]

    correlation = 12 * sum((a - 0.5) * (b - 0.5) for a, b in pairs) / n

    assert abs(correlation) < 3.3 / n**0.5


def test_a_runs_draw_says_nothing_about_its_steps() -> None:
    n = 2_000
    pairs = [(run_coin(SECRET, f"run_{i}"), draw(run_id=f"run_{i}")) for i in range(n)]

    assert abs(12 * sum((a - 0.5) * (b - 0.5) for a, b in pairs) / n) < 3.3 / n**0.5
    assert all(0.0 <= u < 1.0 for pair in pairs for u in pair)


def test_a_secret_of_any_length_will_do_but_not_none() -> None:
    assert 0.0 <= draw(secret=b"x" * 500) < 1.0

    with pytest.raises(ValueError, match="The coin needs a secret"):
        draw(secret=b"")
