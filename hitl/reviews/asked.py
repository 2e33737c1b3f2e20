"""The questions that agents ask with `hitl.ask`: how many, who answered, and how many for nothing."""

from collections.abc import Collection, Iterable, Iterator

from hitl.models import DecidedBy, Record, RemedyKind, Review, ReviewStatus
from hitl.ports import Reader

_PAGE = 500
_GONE = (ReviewStatus.SUPERSEDED, ReviewStatus.CANCELLED)


class AskReport(Record):
    """What one workflow's agents asked, and how much of it was over-asking."""

    workflow: str
    runs: int
    """Runs that asked something."""
    asked: int
    """Questions that stood: those that were withdrawn unanswered are left out."""
    to_people: int
    """Put before a person."""
    answered: int
    """Answered by a person."""
    waiting: int
    stopped: int
    """Questions at which a person stopped the run."""
    judgement_by_people: int
    """A person was asked, and said "use your judgement"."""
    judgement_by_policy: int
    """The policy said so, and nobody was asked."""
    not_worth_asking: int
    """Of those: asking would have cost more than it saved."""
    over_budget: int
    """Of those: the run's budget was used up."""
    in_shadow: int
    """Nobody is asked in shadow mode: no over-asking, and not in `judgement_by_policy`."""
    over_asked: int
    """`judgement_by_people + judgement_by_policy`: questions that were not worth a person."""
    over_asked_share: float | None
    """`over_asked` of the questions that were settled; None when none was."""
    people_asked_for_nothing: float | None
    """`judgement_by_people` of the questions people settled; None when they settled none."""

    def __str__(self) -> str:
        """Return the report in sentences."""
        return "\n".join(told(self))


def told(report: AskReport) -> Iterator[str]:
    """Yield a report in sentences."""
    yield (
        f"Workflow {report.workflow}: {_count(report.asked)} in {report.runs} runs,"
        f" {report.to_people} put before people ({report.waiting} waiting)."
    )
    yield (
        f"Over-asked: {report.over_asked}{_share(report.over_asked_share)}. People said"
        f' "use your judgement" {report.judgement_by_people} times'
        f"{_share(report.people_asked_for_nothing)}, the policy {report.judgement_by_policy} times"
        f" ({report.not_worth_asking} not worth asking, {report.over_budget} over budget)."
    )


def ask_reports(r: Reader, *, workflow: str | None = None) -> list[AskReport]:
    """Return a report for each workflow whose agents asked something, by name.

    Args:
        r: The store.
        workflow: Only this one; None for all.
    """
    found: dict[str, list[Review]] = {}
    for review in _questions(r, workflow=workflow):
        found.setdefault(review.workflow, []).append(review)
    return [summed_up(name, reviews) for name, reviews in sorted(found.items())]


def summed_up(workflow: str, reviews: Iterable[Review]) -> AskReport:
    """Return the report on questions of one workflow."""
    stood = [review for review in reviews if _stood(review)]
    by_policy = [_why_unasked(review) for review in stood if _why_unasked(review)]
    people = [review for review in stood if not _why_unasked(review)]
    remedies = [r.decision.remedy for r in people if r.decision is not None]
    judged = remedies.count(RemedyKind.JUDGEMENT)
    unasked = by_policy.count("value") + by_policy.count("budget")
    return AskReport(
        workflow=workflow,
        runs=len({review.run_id for review in stood}),
        asked=len(stood),
        to_people=len(people),
        answered=remedies.count(None),
        waiting=len(people) - len(remedies),
        stopped=remedies.count(RemedyKind.STOP),
        judgement_by_people=judged,
        judgement_by_policy=unasked,
        not_worth_asking=by_policy.count("value"),
        over_budget=by_policy.count("budget"),
        in_shadow=by_policy.count("shadow"),
        over_asked=judged + unasked,
        over_asked_share=_of(judged + unasked, len(remedies) + unasked),
        people_asked_for_nothing=_of(judged, len(remedies)),
    )


def people_asked(r: Reader, run_id: str) -> int:
    """Return how many questions of a run people were asked; withdrawn ones do not count."""
    stood = (review for review in _questions(r, run_id=run_id) if _stood(review))
    return sum(not _why_unasked(review) for review in stood)


def _questions(
    r: Reader,
    *,
    run_id: str | None = None,
    workflow: str | None = None,
    status: Collection[ReviewStatus] = (),
) -> Iterator[Review]:
    after: str | None = None
    while page := r.reviews(
        status=status, run_id=run_id, workflow=workflow, limit=_PAGE, after=after
    ):
        yield from (review for review in page if review.question is not None)
        after = page[-1].id


def _stood(review: Review) -> bool:
    return review.decision is not None or review.status not in _GONE


def _why_unasked(review: Review) -> str | None:
    assert review.question is not None  # noqa: S101 - questions only
    decided = review.decision is not None and review.decision.made_by is DecidedBy.POLICY
    return review.question.unasked if decided else None


def _of(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _share(share: float | None) -> str:
    return "" if share is None else f" ({share:.0%})"


def _count(n: int) -> str:
    return "1 question" if n == 1 else f"{n} questions"
