"""A store on disk, and a reviewer who decides until the run ends."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hitl import Run, Workflow
from hitl.models import Review
from hitl.runtime.runs import ENDED

DecideAll = Callable[..., list[Review]]


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'hitl.db'}"


@pytest.fixture
def decide_all() -> DecideAll:
    """Return a reviewer: `decide_all(app, run, deny_first=False, answers=())`."""
    return decide_until_it_ends


def decide_until_it_ends(
    app: Workflow,
    run: Run,
    *,
    deny_first: bool = False,
    answers: Sequence[Any] = (),
    remedy: str = "retry",
    by: str = "ana",
    timeout: float = 30.0,
) -> list[Review]:
    """Decide every review of `run` as it comes, until the run ends; return them as decided.

    Args:
        app: The workflow.
        run: A run of it.
        deny_first: Deny each first attempt, with `remedy`; else approve everything.
        answers: What questions are answered with, in the order they come; a plain yes after that.
        remedy: What follows a deny.
        by: Who decides.
        timeout: Seconds the run gets between two decisions.
    """
    left = list(answers)
    decided: list[Review] = []
    while waiting := run.reviews():
        for review in waiting:
            decide(app, review, deny_first=deny_first, answers=left, remedy=remedy, by=by)
            decided.append(app.queue.get(review.id))
        until_it_stands(run, timeout)
    return decided


def until_it_stands(run: Run, timeout: float = 30.0) -> None:
    """Let the run go on until it asks again or ends; who advances it does not matter."""
    give_up = time.monotonic() + timeout
    while run.wait(0.0) not in ENDED and not run.reviews() and time.monotonic() < give_up:
        time.sleep(0.01)


def decide(
    app: Workflow,
    review: Review,
    *,
    deny_first: bool = False,
    answers: list[Any] | None = None,
    remedy: str = "retry",
    by: str = "ana",
) -> None:
    """Decide one review: a question is answered with the first of `answers`, which is taken out."""
    said: dict[str, Any] = {"by": by, "proposal_hash": review.proposal_hash}
    verdict = "approve"
    if review.name.place == "question":
        if answers:
            said["answer"] = answers.pop(0)
    elif deny_first and review.attempt == 1:
        verdict = "deny"
        said |= {"remedy": remedy, "reasons": [f"wrong: {review.name.step}"]}
    app.queue.decide(review.id, verdict, **said)


@pytest.fixture(params=["postgres", "sqlite"])
def home(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store: each test runs on both."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{request.getfixturevalue('tmp_path') / 'hitl.db'}"
