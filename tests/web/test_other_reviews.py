"""Pages of reviews that are no single step's: a run's end, a program's request, several attempts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import hitl
from hitl import Checkpoint, Workflow
from hitl.models import ReviewRequest
from review_ui import create_app
from review_ui.charts import Curve, CurveStep, sawtooth
from tests.runtime.stage import always, approve, go_on, line, only, opened, policy


def draft(state: Any) -> Any:
    number = hitl.current().rollout
    hitl.report(confidence=(0.5, 0.8, 0.7)[number])
    return {"payee": ("Alba", "Alba & Sons", "Albert")[number]}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Workflow]:
    rules = policy(Checkpoint("draft", rollouts=3, always=True), always("done"))
    with opened(tmp_path, line(draft=draft), rules) as app:
        yield app


@pytest.fixture
def pages(app: Workflow) -> TestClient:
    return TestClient(create_app(app.queue), base_url="http://127.0.0.1")


def test_the_end_of_a_run_withholds_nothing_and_has_no_p(app: Workflow, pages: TestClient) -> None:
    run = app.start({})
    approve(app, only(run))
    review = only(go_on(run))

    shown = pages.get(f"/reviews/{review.id}").text
    story = pages.get(f"/runs/{run.id}").text

    assert "the run&#39;s output; its steps are committed" in shown
    assert "withheld" not in shown
    assert "The run is done, with this result." in shown
    assert "unknown" not in shown
    assert "unknown" not in story


def test_a_programs_request_says_who_is_told_what(app: Workflow, pages: TestClient) -> None:
    review, _ = app.queue.request(
        ReviewRequest(action="pay", arguments={"eur": 120}, why=("The IBAN is new.",), by="agent:a")
    )

    shown = pages.get(f"/reviews/{review.id}").text

    assert "The IBAN is new." in shown
    assert "The program is told yes, to exactly these arguments." in shown
    assert "The program is told no." in shown
    assert "it has not run yet" in shown
    assert pages.get(f"/runs/{review.run_id}").status_code == 200


def test_of_several_attempts_the_others_stand_beside_the_best(
    app: Workflow, pages: TestClient
) -> None:
    shown = pages.get(f"/reviews/{only(app.start({})).id}").text

    assert "3 attempts; a yes commits one" in shown
    assert "The attempt that is chosen is committed, as shown." in shown
    for claim in ("p 0.80, the best", "p 0.70", "p 0.50"):
        assert claim in shown


@pytest.mark.parametrize(("after", "dy"), [(0.9, 17), (0.62, -8)])
def test_a_label_never_stands_on_the_axis(after: float, dy: int) -> None:
    step = CurveStep("a", before=1.0, unchecked=after, after=after, p=after, unaided=0.62)

    drawn = sawtooth(Curve((step,)), id="c", title="t")

    assert f'dy="{dy}" text-anchor="end">now {after:.2f}' in drawn
