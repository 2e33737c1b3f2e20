"""`hitl questions`, and a question decided from the command line."""

import json
from pathlib import Path

import pytest

import hitl as library
from hitl.models import RemedyKind
from hitl.reviews import AskReport
from tests.cli.conftest import Command
from tests.runtime.stage import Cheque, line, only


def body(state: Cheque) -> Cheque:
    said = library.ask("Which Alba?", options=["A", "B"], default="own")
    return {"payee": f"{said} {library.ask('Sure?', schema=bool, confidence=1.0)}"}


def wrapped(url: str) -> library.Workflow:
    gate = library.AskGate(review_cost=1, silent_error_cost=10)
    rules = library.EscalationPolicy("p", questions=gate)
    return library.wrap(line(ask=body), rules, store=url, name="desk")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with a run that asks."""
    url = f"sqlite:///{tmp_path / 'hitl.db'}"
    app = wrapped(url)
    app.start({"amount": 1}, run_id="run_1")
    app.close()
    return url


@pytest.mark.parametrize("remedy", [(), ("--remedy", "judgement")])
def test_a_question_is_left_to_its_step_and_counted(
    hitl: Command, url: str, remedy: tuple[str, ...]
) -> None:
    assert "No step has asked" in hitl("questions", "--store", url, "--workflow", "other").out
    (review,) = json.loads(hitl("reviews", "--store", url, "--json").out)["reviews"]
    shown = hitl("reviews", review["id"], "--store", url)
    assert "Which Alba?" in shown.out

    said = hitl("decide", review["id"], "deny", *remedy, "--by", "ana", "-y", "--store", url)
    assert said.code == 0
    assert "Left to the step by ana." in said.out

    app = wrapped(url)
    run = app.run("run_1")
    run.wait(0.0)
    assert run.value["payee"] == "own None"
    app.close()
    told = hitl("questions", "--store", url)
    assert "Workflow desk: 2 questions in 1 runs, 1 put before people (0 waiting)." in told.out
    assert "Over-asked: 2 (100%)." in told.out
    (report,) = json.loads(hitl("questions", "--store", url, "--json").out)["reports"]
    assert AskReport.model_validate(report).judgement_by_people == 1


def test_an_answer_from_the_command_line_is_checked(hitl: Command, url: str) -> None:
    app = wrapped(url)
    review = only(app.run("run_1"))
    app.close()
    words = ("decide", review.id, "approve", "--by", "ana", "-y", "--store", url)

    assert "'C' is not one of ['A', 'B']" in hitl(*words, "--answer", '"C"').err
    assert "no answer was given" in hitl(*words).err
    assert hitl(*words, "--answer", '"A"').code == 0


def test_a_proposal_takes_no_judgement() -> None:
    assert RemedyKind.JUDGEMENT not in [r.kind for r in library.Checkpoint("a").on_deny]


def test_a_question_is_erased_with_its_run(hitl: Command, url: str) -> None:
    app = wrapped(url)
    app.stop("run_1", by="ana")
    question = app.run("run_1").reviews(pending=False)[0].question
    app.close()
    assert question is not None
    assert hitl("audit", "erase", "run_1", "--by", "dpo", "--store", url).code == 0

    file = Path(url.removeprefix("sqlite:///"))
    raw = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    assert [w for w in ("Which Alba?", question.sha256) if w.encode() in raw] == []
