"""Why a decision, claim or undo was refused; nothing was saved."""

from hitl.errors.sentences import HitlError


class ReviewRefusal(HitlError):
    """A decision, claim or undo was refused; nothing was saved.

    Attributes:
        review_id: The review.
        status_code: The HTTP status this refusal maps to.
    """

    status_code = 409

    def __init__(self, review_id: str, sentence: str) -> None:
        self.review_id = review_id
        super().__init__(sentence)


class AlreadyDecided(ReviewRefusal):
    """Somebody else's decision won. The first decision stands."""

    def __init__(self, review_id: str, by: str, verdict: str) -> None:
        self.by = by
        self.verdict = verdict
        super().__init__(
            review_id,
            f"Review {review_id!r} was already decided by {by} ({verdict}). The first decision stands.",
        )


class ReviewClosed(ReviewRefusal):
    """The review ended without a person's decision: cancelled, superseded or executed."""

    def __init__(self, review_id: str, status: str) -> None:
        self.status = status
        super().__init__(
            review_id, f"Review {review_id!r} is {status}; it takes no decision. Nothing was saved."
        )


class ReviewExpired(ReviewRefusal):
    """The review's time ran out before this decision."""

    status_code = 410

    def __init__(self, review_id: str, expired_at: str) -> None:
        self.expired_at = expired_at
        super().__init__(
            review_id,
            f"Review {review_id!r} expired at {expired_at}; what the policy names was done.",
        )


class ProposalChanged(ReviewRefusal):
    """The proposal is not the one that was shown."""

    status_code = 412

    def __init__(self, review_id: str) -> None:
        super().__init__(
            review_id,
            f"The proposal of review {review_id!r} changed since it was shown."
            " Nothing was saved; look at it again.",
        )


class NotAllowed(ReviewRefusal):
    """This actor may not decide this review."""

    status_code = 403

    def __init__(self, review_id: str, actor: str, why: str) -> None:
        self.actor = actor
        super().__init__(review_id, f"{actor!r} may not decide review {review_id!r}: {why}")


class ClaimLost(ReviewRefusal):
    """Somebody else holds the review, or the hold ran out."""

    def __init__(self, review_id: str, holder: str | None) -> None:
        self.holder = holder
        held = f"is held by {holder}" if holder else "is no longer held by you"
        super().__init__(review_id, f"Review {review_id!r} {held}. Nothing was saved.")


class InvalidAnswer(ReviewRefusal):
    """The answer, remedy or reason given does not fit what this review allows."""

    status_code = 422


class TooLateToUndo(ReviewRefusal):
    """The undo window is over: the decision was sent."""

    def __init__(self, review_id: str) -> None:
        super().__init__(
            review_id, f"The decision on review {review_id!r} was already sent; it stands."
        )


class DecisionIdReused(ReviewRefusal):
    """The decision id names another answer; ids make one answer safe to send again, nothing else."""

    def __init__(self, review_id: str, decision_id: str) -> None:
        self.decision_id = decision_id
        super().__init__(
            review_id,
            f"Decision id {decision_id!r} was already used for another answer. Nothing was saved;"
            " send this one with an id of its own.",
        )
