"""What ends an advance from inside a gate.

These derive from LangGraph's `GraphBubbleUp`: a node's retry policy and error handler must not
swallow a person's no. Each is recorded in the store before it is raised.
"""

from langgraph.errors import GraphBubbleUp

from hitl.models import Review


class Halt(GraphBubbleUp):
    """The advance ends here, by decision.

    Attributes:
        review_id: The review whose decision did it.
        sentence: What the run's record says.
    """

    def __init__(self, review_id: str, sentence: str) -> None:
        self.review_id = review_id
        self.sentence = sentence
        super().__init__(sentence)


class StopRun(Halt):
    """A no whose remedy is Stop."""


class RollBack(Halt):
    """A no that goes back: to the last verified point, or to before the last superstep.

    Attributes:
        one_superstep: Whether it is only that: a Retry of what ended the run.
    """

    def __init__(self, review_id: str, sentence: str, *, one_superstep: bool = False) -> None:
        self.one_superstep = one_superstep
        super().__init__(review_id, sentence)


class CompleteRun(Halt):
    """A no whose remedy is a takeover after which nothing of the graph runs any more."""


class NeedsAttention(Halt):
    """What was approved is not what would be committed, or cannot be decided by itself."""


class Leaving(GraphBubbleUp):
    """The process is going down: the run is given back before its next step, and nothing is recorded."""


def no_sentence(review: Review) -> str:
    """Return what a run's record says of a no: who, where and why."""
    decision = review.decision
    assert decision is not None  # noqa: S101 - a no is a decision
    reasons = "; ".join([*decision.reasons, decision.note]).strip("; ") or "no reason given"
    return f"{decision.by} denied step {review.name.step!r} ({reasons})."
