"""How well reviewers judge, as the policy's owner declares it."""

from pydantic import BaseModel

from hitl.models import Record
from hitl.policy.fields import Chance, built


class Reviewer(Record):
    """What a yes is worth until it is measured: `Reviewer(0.9, 0.95)` catches 9 of 10 errors."""

    sensitivity: Chance
    """P(deny | the proposal is wrong)."""
    specificity: Chance
    """P(approve | the proposal is right)."""

    def __init__(self, sensitivity: float, specificity: float) -> None:
        with built("Reviewer"):
            BaseModel.__init__(self, sensitivity=sensitivity, specificity=specificity)
