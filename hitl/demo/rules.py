"""When the cheque desk asks a person: its escalation policy."""

from typing import Any

from pydantic import JsonValue

from hitl.demo.cheques import KNOWN_PAYEES, money
from hitl.models import JsonObject
from hitl.policy import Answer, Checkpoint, EscalationPolicy, Retry, Reviewer, Stop

READ, CHECK, PAY = "read_digit", "check", "pay"
"""The steps of the three agents."""
LARGE = 980_000
"""Amounts from here on are shown to a person before they are paid, in cents."""


def payment(state: Any) -> JsonObject:
    """Return what the payer would do with this state, in the words a person decides on."""
    against: list[JsonValue] = list(state["findings"])
    return {
        "cheque": state["number"],
        "payee": state["payee"],
        "amount": money(state["amount"]),
        "cents": state["amount"],
        "findings": against,
    }


def why_ask_before_paying(arguments: JsonObject) -> str | None:
    """Return why a person must see this payment first, or None."""
    against = arguments.get("findings")
    if not isinstance(against, list):
        return "What the checker found cannot be read."
    return " ".join(map(str, against)) or None


def findings(payee: str, amount: int, *, difference: int | None) -> list[str]:
    """Return what the checker has against a payment, in sentences; empty when nothing.

    Args:
        payee: Whom the cheque is made out to.
        amount: In cents.
        difference: Cents by which the cheques of the finished bundle miss their slip's total; None
            while the bundle is not finished.
    """
    found = []
    if payee not in KNOWN_PAYEES:
        found.append(f"{payee!r} is not on the list of payees.")
    if amount >= LARGE:
        found.append(f"{money(amount)} is a large amount.")
    if difference:
        more = "more" if difference > 0 else "less"
        found.append(f"The bundle adds up to {money(abs(difference))} {more} than its slip says.")
    return found


def desk_policy(threshold: float, *, reviewer_accuracy: float = 1.0) -> EscalationPolicy:
    """Return the policy of the desk.

    Args:
        threshold: Digits whose calibrated p is below it are reviewed.
        reviewer_accuracy: P(the reviewer reads a digit right), in [0, 1]. A reviewer who reads
            wrong takes one of the nine other digits, each as often, and so agrees with a wrong
            proposal in a ninth of these cases: sensitivity 1 - (1 - A) / 9, specificity A.
    """
    wrong = 1.0 - reviewer_accuracy
    return EscalationPolicy(
        "cheque-desk",
        checkpoints=[
            Checkpoint(
                READ,
                confidence_below=threshold,
                on_deny=[Answer(), Retry(1), Stop()],
                title="The framed digit is a {digit}",
                if_approved="The digit is written down as read.",
                if_denied="The digit you give is written down instead.",
                reasons=["another digit", "not a digit"],
            ),
            Checkpoint(
                PAY,
                place="before",
                rule=why_ask_before_paying,
                shows=payment,
                on_deny=[Stop()],
                risk="high",
                reversible=False,
                title="Pay {amount} to {payee}",
                if_approved="The bank pays it today.",
                if_denied="Nothing is paid; the cheque goes back.",
                reasons=["wrong amount", "wrong payee"],
            ),
        ],
        accuracy={CHECK: 1.0, PAY: 1.0},
        reviewer=None if wrong == 0.0 else Reviewer(1.0 - wrong / 9.0, reviewer_accuracy),
    )
