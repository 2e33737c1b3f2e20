"""How often an agent asks for nothing, with an ask gate and without.

A step reads who a letter is from and asks about each, sure or not. A person answers, and says "use your
judgement" where the letterhead makes it plain. A question costs 3, a wrong payee 100: the gate lets a
question through from P(wrong) 0.03 on, and no more than one for each run.

Run it with `python examples/questions_worth_asking.py`; it needs no key and no network.
"""

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

import hitl
from hitl import AskGate, EscalationPolicy

SURE = (0.70, 0.90, 0.96, 0.98, 0.99) * 5
MISREAD = (0, 10, 16)
"""Letters whose best guess is wrong: among those the step is least sure of."""
QUESTION, WRONG = 3, 100
PLAIN = 0.95
"""From this confidence on, a person finds the question needless."""

ANSWER: dict[str, Any] = {"verdict": "approve", "answer": "Alba"}
PLAIN_ANSWER: dict[str, Any] = {"verdict": "deny", "remedy": "judgement"}


class Letter(TypedDict, total=False):
    """What the step sees, and what it says."""

    confidence: float
    guess: str
    payee: str


def read_payee(state: Letter) -> Letter:
    """Ask about every letter, as eager agents do."""
    hitl.report(confidence=state["confidence"])
    said = hitl.ask("Who is it from?", options=["Alba", "Bolt"], default=state["guess"])
    return {"payee": said}


def measure(name: str, gate: AskGate | None) -> None:
    """Run all letters under one policy, and print what was asked for nothing."""
    graph = StateGraph(Letter)
    graph.add_node("read_payee", read_payee)
    graph.add_edge(START, "read_payee")
    graph.add_edge("read_payee", END)
    policy = EscalationPolicy(name, questions=gate)
    app = hitl.wrap(graph, policy, store="sqlite://", name="letters")
    wrong = 0
    for number, sure in enumerate(SURE):
        guess = "Bolt" if number in MISREAD else "Alba"  # every letter is from Alba
        run = app.start({"confidence": sure, "guess": guess})
        for review in run.reviews():
            said = PLAIN_ANSWER if sure >= PLAIN else ANSWER
            app.queue.decide(review.id, by="ana", proposal_hash=review.proposal_hash, **said)
            run.wait(timeout=0)
        wrong += run.value["payee"] != "Alba"
    told = app.ask_report()
    cost = QUESTION * told.to_people + WRONG * wrong
    print(
        f"{name:<9} {told.asked:>6} {told.to_people:>10} {told.judgement_by_people:>12}"
        f" {told.over_asked:>11} {wrong:>6} {cost:>5}"
    )
    app.close()


def main() -> None:
    """Measure both policies on the same letters."""
    print("policy     asked  to people  for nothing  over-asked  wrong  cost")
    measure("no gate", None)
    measure("ask gate", AskGate(budget=1, review_cost=QUESTION, silent_error_cost=WRONG))


if __name__ == "__main__":
    main()
