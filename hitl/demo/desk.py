"""The cheque desk: three agents in a LangGraph workflow, one run per cheque.

The reader reads one digit per step and says how sure it is; the checker compares the payee with the
list and, when a bundle is complete, its total with the slip; the payer pays, behind a gate.
"""

from pathlib import Path
from typing import Annotated, Any, Protocol, TypedDict

import numpy as np
from langgraph.channels.binop import BinaryOperatorAggregate
from langgraph.graph import END, START, StateGraph
from pydantic import Field

import hitl
from hitl.demo.book import Book
from hitl.demo.cheques import Batch, Cheque
from hitl.demo.digits import DIGITS_PER_CHEQUE, DigitReader, Lesson
from hitl.demo.pictures import Face, cheque_picture
from hitl.demo.rules import CHECK, PAY, READ, desk_policy, findings
from hitl.errors import NotFound
from hitl.ports import Store

WORKFLOW = "cheque-desk"


def _written(digits: list[int], digit: int) -> list[int]:
    return [*digits, digit]


Digit = Annotated[int, Field(ge=0, le=9), BinaryOperatorAggregate(list, _written)]
"""A step writes one digit, so a reviewer's answer is one digit; the state keeps the list of them."""


class ChequeState(TypedDict, total=False):
    """What the desk knows of one cheque."""

    number: int
    payee: str
    bundle: int
    bundle_size: int
    control_total: int
    """What the slip says the bundle adds up to, in cents."""
    boxes: list[list[int]]
    """The handwriting: 64 ink values per box of the amount."""
    digit: Digit
    amount: int
    """In cents, once every digit is read."""
    findings: list[str]
    """What the checker has against paying, in sentences."""
    paid: bool


def first_state(cheque: Cheque) -> ChequeState:
    """Return a run's input: the cheque as it comes in."""
    return {
        "number": cheque.face.number,
        "payee": cheque.face.payee,
        "bundle": cheque.bundle,
        "bundle_size": cheque.bundle_size,
        "control_total": cheque.control_total,
        "boxes": [list(ink) for ink in cheque.face.boxes],
    }


def desk_graph(reader: DigitReader, book: Book) -> StateGraph[ChequeState]:
    """Return the workflow: read_digit, six times over; check; pay."""
    graph = StateGraph(ChequeState)
    graph.add_node(READ, reading_agent(reader))
    graph.add_node(CHECK, checking_agent(book))
    graph.add_node(PAY, paying_agent(book), metadata={"effect": True})
    graph.add_edge(START, READ)
    graph.add_conditional_edges(READ, _read_on, [READ, CHECK])
    graph.add_edge(CHECK, PAY)
    graph.add_edge(PAY, END)
    return graph


def read_so_far(state: Any) -> list[int]:
    """Return the digits written down so far."""
    return list(state.get("digit", []))


def _read_on(state: ChequeState) -> str:
    return READ if len(read_so_far(state)) < DIGITS_PER_CHEQUE else CHECK


class Agent(Protocol):
    """A step of the workflow: from the state to what changes in it."""

    def __call__(self, state: ChequeState) -> dict[str, Any]:
        """Do the step."""
        ...


def reading_agent(reader: DigitReader) -> Agent:
    """Return the agent that reads the next digit; asked again, it gives its next best reading."""

    def read_digit(state: ChequeState) -> dict[str, Any]:
        position = len(read_so_far(state)) + 1
        ink = np.array(state["boxes"][position - 1], dtype=np.float64)
        reading = reader.read(ink, guess=min(hitl.current().attempt, 10))
        boxes = tuple(tuple(box) for box in state["boxes"])
        face = Face(state["number"], state["payee"], boxes)
        hitl.report(
            confidence=reading.confidence,
            evidence=[
                hitl.Evidence(
                    claim=f"Digit {position} of {DIGITS_PER_CHEQUE} reads {reading.digit}.",
                    source=f"Cheque No. {state['number']:04d}",
                    image_png=cheque_picture(face, position),
                )
            ],
        )
        return {"digit": reading.digit}

    return read_digit


def checking_agent(book: Book) -> Agent:
    """Return the agent that adds the amount up and looks for reasons not to pay."""

    def check(state: ChequeState) -> dict[str, Any]:
        amount = int("".join(map(str, read_so_far(state))))
        done, total = book.check(state["number"], bundle=state["bundle"], cents=amount)
        complete = done == state["bundle_size"]
        difference = total - state["control_total"] if complete else None
        against = findings(state["payee"], amount, difference=difference)
        hitl.report(
            signals=[
                hitl.Signal(
                    name="control total",
                    kind="trusted",
                    passed=None if difference is None else difference == 0,
                    detail=f"{done} of {state['bundle_size']} cheques of the bundle are read.",
                ),
                hitl.Signal(name="payee list and limit", kind="trusted", passed=not against),
            ]
        )
        return {"amount": amount, "findings": against}

    return check


def paying_agent(book: Book) -> Agent:
    """Return the agent that pays."""

    def pay(state: ChequeState) -> dict[str, Any]:
        book.pay(
            hitl.current().idempotency_key,
            cheque=state["number"],
            payee=state["payee"],
            cents=state["amount"],
        )
        return {"paid": True}

    return pay


class Desk:
    """The wrapped workflow over one batch of cheques, with its book.

    Attributes:
        app: The wrapped graph.
        batch: The cheques, with the truth.
        lesson: What the reader learned.
        book: What was checked and paid.
    """

    def __init__(
        self,
        lesson: Lesson,
        batch: Batch,
        *,
        budget: float,
        store: str | Store,
        book: Path,
        reviewer_accuracy: float = 1.0,
    ) -> None:
        self.lesson = lesson
        self.batch = batch
        self.book = Book(book)
        self.app = hitl.wrap(
            desk_graph(lesson.reader, self.book),
            desk_policy(lesson.threshold(budget), reviewer_accuracy=reviewer_accuracy),
            store=store,
            name=WORKFLOW,
            calibrators={READ: lesson.reader.calibrator},
        )

    def run_id(self, number: int) -> str:
        """Return the id of the run that processes cheque `number`: the same after a restart."""
        return f"cheque-{self.batch.seed}-{number:04d}"

    def start(self, cheque: Cheque) -> hitl.Run:
        """Process one cheque; return when its run ends or parks. One begun before is not begun again."""
        begun = self.begun(cheque.face.number)
        if begun is not None:
            return begun
        return self.app.start(
            first_state(cheque), run_id=self.run_id(cheque.face.number), by="the mail room"
        )

    def begun(self, number: int) -> hitl.Run | None:
        """Return the run of cheque `number`, or None if it was not started yet."""
        try:
            return self.app.run(self.run_id(number))
        except NotFound:
            return None
