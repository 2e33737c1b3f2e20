"""A payment run that asks three times, and pays the right amount because of it.

The reader takes 48.00 for 43.00 and is 62 % sure, so the run stops. A person says no, with a reason.
The reader tries again knowing the reason; after a no, the next try is always shown, and the person
says yes. Before the payment the run stops again, whatever the confidence: money leaves the house.

Run it with `python examples/first_approval.py`; it needs no network and leaves nothing behind.
"""

from pathlib import Path
from typing import TypedDict

from langgraph.graph import END, START, StateGraph

import hitl
from hitl import EscalationPolicy, Workflow

POLICY = Path(__file__).with_name("payments.yaml")


class Invoice(TypedDict, total=False):
    """What is known about one invoice."""

    text: str
    amount: str
    payee: str
    receipt: str


def read_invoice(state: Invoice) -> Invoice:
    """Read the amount: badly at first, better once somebody said what was wrong."""
    denials = hitl.current().denials
    payee, amount = state["text"].split(": ")
    hitl.report(confidence=0.98 if denials else 0.62)
    return {"payee": payee, "amount": amount if denials else amount.replace("3", "8")}


def pay(state: Invoice) -> Invoice:
    """Send the money; runs only after a yes."""
    return {"receipt": f"paid {state['amount']} to {state['payee']}"}


def make_app(store: str = "sqlite://") -> Workflow:
    """Return the workflow; `hitl serve --app examples.first_approval:make_app` serves it."""
    graph = StateGraph(Invoice)
    graph.add_node("read_invoice", read_invoice)
    graph.add_node("pay", pay)
    graph.add_edge(START, "read_invoice")
    graph.add_edge("read_invoice", "pay")
    graph.add_edge("pay", END)
    return hitl.wrap(graph, EscalationPolicy.load(POLICY), store=store, name="payments")


def decide(app: Workflow, verdict: str, reasons: list[str]) -> None:
    """Show the review that waits, and decide it as a person would on the page."""
    (review,) = app.queue.pending()
    print(f"asked:   {review.presentation.title}? {' '.join(review.presentation.why)}")
    app.queue.decide(
        review.id, verdict, by="ana", reasons=reasons, proposal_hash=review.proposal_hash
    )
    print(f"decided: {verdict} {', '.join(reasons)}".rstrip())


def main() -> None:
    """Run one invoice through all questions."""
    app = make_app()
    run = app.start({"text": "Alba & Sons: EUR 43.00"})
    for verdict, reasons in (("deny", ["wrong amount"]), ("approve", []), ("approve", [])):
        decide(app, verdict, reasons)
        run.wait(timeout=0)  # goes on until it ends, or waits again
    print(f"run:     {run.status.value}, {run.value['receipt']}")
    app.close()


if __name__ == "__main__":
    main()
