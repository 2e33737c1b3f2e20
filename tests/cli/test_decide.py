"""`hitl decide`, with nobody else at the store."""

import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from examples.first_approval import make_app
from hitl import Checkpoint, EscalationPolicy, Takeover, current, wrap
from hitl.models import Decision, ReviewStatus
from hitl.reviews import ReviewQueue
from hitl.stores import open_store
from tests.cli.conftest import Command, Shop


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Return what stands for the keyboard; empty unless a test writes to it."""
    keyboard = io.StringIO()
    monkeypatch.setattr("sys.stdin", keyboard)
    return keyboard


def answer(keyboard: io.StringIO, text: str) -> None:
    keyboard.write(text)
    keyboard.seek(0)


def test_with_the_hash_it_is_decided_at_once(hitl: Command, shop: Shop) -> None:
    review = shop.plain

    said = hitl(
        *("decide", review.id, "deny", "--by", "ana", "--hash", review.proposal_hash),
        *("--reason", "wrong amount", "--note", "It is a 3.", "--store", shop.url, "--json"),
    )

    decision = Decision.model_validate_json(said.out)
    assert said.code == 0
    assert (decision.by, decision.surface) == ("ana", "cli")
    assert (decision.reasons, decision.note) == (("wrong amount",), "It is a 3.")
    assert shop.review(review.id).status is ReviewStatus.DENIED


def test_without_the_hash_it_shows_and_asks(hitl: Command, shop: Shop, typed: io.StringIO) -> None:
    answer(typed, "y\n")

    said = hitl("decide", shop.plain.id, "approve", "--by", "ana", "--store", shop.url)

    assert said.code == 0
    assert 'update.amount: "EUR 48.00"' in said.out
    assert "Approve this as 'ana'?" in said.err
    decision = shop.review(shop.plain.id).decision
    assert decision is not None
    assert decision.proposal_hash == shop.plain.proposal_hash
    assert decision.shown_ms is not None


@pytest.mark.parametrize("typed_words", ["n\n", "\n", ""])
def test_anything_but_a_yes_decides_nothing(
    hitl: Command, shop: Shop, typed: io.StringIO, typed_words: str
) -> None:
    answer(typed, typed_words)

    said = hitl("decide", shop.plain.id, "approve", "--by", "ana", "--store", shop.url)

    assert said.code == 1
    assert f"Nothing was decided; review {shop.plain.id!r} still waits." in said.err
    assert shop.review(shop.plain.id).status is ReviewStatus.PENDING


def test_yes_decides_on_what_it_shows(hitl: Command, shop: Shop) -> None:
    said = hitl("decide", shop.plain.id, "approve", "--by", "ana", "-y", "--store", shop.url)

    assert said.code == 0
    assert f"hash {shop.plain.proposal_hash}" in said.out
    assert "Nothing serves this store now" in said.out
    assert shop.review(shop.plain.id).status is ReviewStatus.APPROVED


def test_as_json_the_proposal_goes_to_standard_error(hitl: Command, shop: Shop) -> None:
    words = ("decide", shop.plain.id, "approve", "--by", "ana", "-y", "--json")

    said = hitl(*words, "--store", shop.url)

    assert json.loads(said.out)["verdict"] == "approve"
    assert "EUR 48.00" in said.err


def test_an_answer_is_committed_in_the_place_of_the_proposal(hitl: Command, shop: Shop) -> None:
    own = json.dumps({"amount": "EUR 43.00", "payee": "Alba & Sons"})

    said = hitl(
        *("decide", shop.plain.id, "deny", "--by", "ana", "-y", "--answer", own),
        *("--store", shop.url, "--json"),
    )

    decision = Decision.model_validate_json(said.out)
    assert decision.remedy == "answer"
    assert decision.answer == {"amount": "EUR 43.00", "payee": "Alba & Sons"}


def test_the_run_goes_on_when_its_program_serves_it(hitl: Command, shop: Shop) -> None:
    hitl("decide", shop.plain.id, "approve", "--by", "ana", "-y", "--store", shop.url)

    app = make_app(shop.url)
    run = app.run(shop.plain.run_id)
    run.wait(timeout=0)
    assert [review.name.step for review in run.reviews()] == ["pay"]
    app.close()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("approve", "--by", "ina"), 1, "who started a run may not decide"),
        (("approve", "--by", "ana", "--hash", "0" * 64), 1, "changed since it was shown"),
        (("deny", "--by", "ana", "--remedy", "rollback"), 1, "rollback"),
        (("deny", "--by", "ana", "--remedy", "pray"), 1, "'pray' is no remedy"),
        (("deny", "--by", "ana", "--answer", "{"), 2, "--answer is not JSON"),
        (("deny", "--by", "ana", "--answer", "NaN"), 2, "NaN is not a JSON number"),
        (
            ("deny", "--by", "ana", "--answer", '{"amount": "3"}'),
            1,
            "'payee' is a required property",
        ),
        (("maybe", "--by", "ana"), 2, "maybe"),
        (("approve",), 2, "--by"),
    ],
)
def test_a_refusal_is_a_sentence_and_saves_nothing(
    hitl: Command, shop: Shop, words: tuple[str, ...], code: int, sentence: str
) -> None:
    said = hitl("decide", shop.plain.id, *words, "-y", "--store", shop.url)

    assert said.code == code
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert shop.review(shop.plain.id).status is ReviewStatus.PENDING


def test_the_second_decision_hears_whose_was_first(hitl: Command, shop: Shop) -> None:
    hitl("decide", shop.plain.id, "deny", "--by", "ana", "-y", "--store", shop.url)

    said = hitl("decide", shop.plain.id, "approve", "--by", "bo", "-y", "--store", shop.url)

    assert said.code == 1
    assert "was already decided by ana (deny). The first decision stands." in said.err


def test_a_writer_that_serves_no_queue_is_named(hitl: Command, shop: Shop) -> None:
    store = open_store(shop.url)
    try:
        said = hitl("decide", shop.plain.id, "deny", "--by", "ana", "-y", "--store", shop.url)
    finally:
        store.close()

    assert said.code == 1
    assert "which serves no queue" in said.err
    assert "Use that process's queue, stop it first" in said.err


def test_work_is_handed_in_from_a_file_and_another_attempt_is_chosen(
    hitl: Command, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'hitl.db'}"
    rules = EscalationPolicy(
        "p",
        checkpoints=[
            Checkpoint("draft", always=True, rollouts=3),
            Checkpoint("send", always=True, on_deny=[Takeover(scope="run")]),
        ],
    )
    app = wrap(two_steps(), rules, store=url)
    run = app.start({"text": ""})
    chosen, work = '{"choice": 2, "wrong": [1]}', tmp_path / "work.json"
    work.write_text('{"text": "by hand"}')
    by = ("--by", "ana", "--yes", "--store", url)
    app.close()

    (drafted,) = run_reviews(url, run.id)
    assert hitl("decide", drafted, "approve", "--answer", chosen, *by).code == 0
    app = wrap(two_steps(), rules, store=url)
    app.run(run.id).wait(5.0)
    app.close()
    (sent,) = run_reviews(url, run.id)
    shown = hitl("reviews", sent, "--store", url).out
    assert "Fields to hand in: text" in shown
    missing = hitl("decide", sent, "deny", "--answer", f"@{tmp_path / 'none'}", *by)
    assert (missing.code, "cannot be read" in missing.err) == (2, True)
    said = ("deny", "--remedy", "takeover", "--answer", f"@{work}")
    assert hitl("decide", sent, *said, *by).code == 0
    app = wrap(two_steps(), rules, store=url)
    app.run(run.id).wait(5.0)
    assert app.run(run.id).value == {"text": "by hand"}
    app.close()


class Letter(TypedDict):
    """What the two steps write."""

    text: str


def two_steps() -> Any:
    graph = StateGraph(Letter)
    graph.add_node("draft", lambda _: {"text": f"draft {current().rollout}"})
    graph.add_node("send", lambda _: {"text": "sent"})
    graph.add_edge(START, "draft")
    graph.add_edge("draft", "send")
    return graph


def run_reviews(url: str, run_id: str) -> list[str]:
    with closing(open_store(url)) as store:
        return [
            r.id for r in ReviewQueue(store).reviews(run_id=run_id, status=[ReviewStatus.PENDING])
        ]
