import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from hitl.errors import InvalidAnswer
from hitl.models import Decision, Place, RemedyKind
from hitl.reviews.answers import depth
from tests.decisions.desk import Desk


def answer(desk: Desk, value: Any, *, verdict: str = "deny", **changes: Any) -> Decision:
    review = desk.open(**changes)
    return desk.queue.decide(
        "rev_1", verdict, by="ana", proposal_hash=review.proposal_hash, answer=value
    )


def test_an_answer_is_the_remedy_and_is_kept(desk: Desk) -> None:
    decision = answer(desk, {"amount": 1234, "payee": "Alba"})

    assert decision.remedy is RemedyKind.ANSWER
    assert decision.has_answer
    assert desk.queue.get("rev_1").decision == decision
    assert decision.answer == {"amount": 1234, "payee": "Alba"}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"amount": "many"}, "field 'amount' does not fit: 'many' is not of type 'integer'"),
        ({}, "'amount' is a required property"),
        ({"amount": 1, "tip": 2}, "'tip'"),  # unknown fields are refused
        (None, "does not fit"),  # null is an answer, and not of this schema
        ({"amount": float("nan")}, "JSON cannot carry"),
        ({"amount": 2**53 + 1}, "JSON cannot carry"),
        ({"amount": 1, "payee": "\ud800"}, "JSON cannot carry"),
        ({"amount": 1, "payee": "x" * 300_000}, "at most 262144"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_by_its_field(
    desk: Desk, value: Any, sentence: str
) -> None:
    with pytest.raises(InvalidAnswer) as refused:
        answer(desk, value)

    assert sentence in str(refused.value)
    assert len(str(refused.value)) < 500
    assert desk.actions() == ["review.opened"]


def test_null_is_an_answer(desk: Desk) -> None:
    decision = answer(desk, None, answer_schema={"type": ["null", "integer"]})

    assert decision.has_answer
    assert decision.answer is None


def test_an_answer_nested_too_deep_is_refused(desk: Desk) -> None:
    value: object = 1
    for _ in range(33):
        value = [value]

    with pytest.raises(InvalidAnswer, match="32 levels deep"):
        answer(desk, value, answer_schema={})


@pytest.mark.parametrize(
    ("value", "levels"), [(1, 0), ([], 1), ({"a": [1]}, 2), ([{}, [[]]], 3), ("x", 0)]
)
def test_depth_counts_containers(value: Any, levels: int) -> None:
    assert depth(value) == levels


def test_no_answer_where_none_is_allowed(desk: Desk) -> None:
    with pytest.raises(InvalidAnswer, match="takes no answer"):
        answer(desk, 1, answer_schema=None)


def test_an_unusable_schema_refuses_every_answer(desk: Desk) -> None:
    with pytest.raises(InvalidAnswer, match="schema is not usable"):
        answer(desk, 1, answer_schema={"type": 5})


class AnythingGoes(BaseHTTPRequestHandler):
    """Serves a schema that fits every answer, and counts who asked for it."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


def test_a_schema_never_makes_the_process_fetch_an_address(desk: Desk) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), AnythingGoes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/any.json"

        with pytest.raises(InvalidAnswer, match="schema is not usable"):
            answer(desk, 1, answer_schema={"$ref": address})

        server.shutdown()
    assert AnythingGoes.asked == []


def test_a_question_is_answered_by_an_approve(desk: Desk) -> None:
    decision = answer(
        desk, "the one in Bari", verdict="approve", place=Place.QUESTION, answer_schema=None
    )

    assert (decision.verdict, decision.answer) == ("approve", "the one in Bari")


def test_a_questions_answer_is_validated_where_it_has_a_schema(desk: Desk) -> None:
    with pytest.raises(InvalidAnswer, match="'amount'"):
        answer(desk, {"amount": "?"}, verdict="approve", place=Place.QUESTION)


def test_a_spot_checks_deny_may_carry_the_right_value(desk: Desk) -> None:
    decision = answer(desk, {"amount": 7}, blocking=False)

    assert decision.remedy is None
    assert decision.answer == {"amount": 7}
