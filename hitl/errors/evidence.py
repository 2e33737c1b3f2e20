"""Why the data do not allow a number: a sentence stands in its place."""

from hitl.errors.sentences import HitlError


class EvidenceRefusal(HitlError):
    """The data do not allow the number that was asked for: a sentence stands in its place."""


class UnusableColumn(EvidenceRefusal):
    """A column of the data is not what the estimate needs.

    Attributes:
        column: The column, e.g. `"confidence"`.
    """

    def __init__(self, column: str, problem: str) -> None:
        self.column = column
        super().__init__(f"Column {column!r} {problem}")


class NotIdentifiable(EvidenceRefusal):
    """No amount of computing gets this number out of these data.

    Attributes:
        estimate: What was asked for, e.g. `"error rate of the acting rows"`.
    """

    def __init__(self, estimate: str, why: str, remedy: str) -> None:
        self.estimate = estimate
        super().__init__(f"The {estimate} is not identifiable: {why}; {remedy}")


class TooFewLabels(EvidenceRefusal):
    """There are labels, but not enough for this number.

    Attributes:
        labels: How many there are.
        needed: How many it takes at least.
    """

    def __init__(self, estimate: str, labels: int, needed: int, *, unit: str = "labels") -> None:
        self.estimate = estimate
        self.labels = labels
        self.needed = needed
        super().__init__(
            f"The {estimate} needs at least {needed} {unit}; there are {labels}."
            f" Collect {needed - labels} more."
        )
