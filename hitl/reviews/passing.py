"""Not me, or not now: finding a review, putting it off, handing it to a colleague.

None of it changes what a decision needs: who opens such a review by hand may still decide it.
"""

from collections.abc import Mapping
from datetime import datetime

from hitl.audit import entry
from hitl.errors import InvalidAnswer, NotAllowed
from hitl.lifecycle import claim_refusal, not_allowed
from hitl.models import PutOff, Review, ReviewSearch
from hitl.ports import Clock, Store, Transaction
from hitl.reviews.history import History
from hitl.reviews.users import barred

_MOST_PUT_OFF = 20
"""People who can have put one review off at a time; the oldest is forgotten."""
_LONGEST_NAME = 100


class PassingOn(History):
    """What people do with a review that they do not decide."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        super().__init__(store)
        self._clock = clock

    def find(
        self, wanted: ReviewSearch, *, limit: int = 50, after: str | None = None
    ) -> list[Review]:
        """Return the reviews that fit; `after` is the id of the last one already seen."""
        now = self._clock()
        return self._store.read(lambda r: r.find_reviews(wanted, now=now, limit=limit, after=after))

    def put_off(self, review_id: str, *, by: str, until: datetime) -> Review:
        """Have `claim_next` leave a review out for one person until then; others still get it.

        It gives that person's claim up. Its due time and its expiry stand.

        Raises:
            ReviewRefusal: Somebody else holds it, it is over, or this person may not decide it.
        """
        now = self._clock()
        return self._store.write(lambda t: put_off(t, review_id, by=by, until=until, now=now))

    def hand_over(self, review_id: str, *, by: str, to: str) -> Review:
        """Give a review to a colleague: `claim_next` offers it to nobody else from now on.

        Raises:
            ReviewRefusal: 409 somebody else holds it, or it is over; 403 `by` or `to` may not
                decide it; 422 `to` is empty, too long, or `by` themselves.
        """
        now = self._clock()
        return self._store.write(lambda t: hand_over(t, review_id, by=by, to=to, now=now))


def is_put_off(review: Review, *, by: str, now: datetime) -> bool:
    """Whether this person does not want it yet."""
    return any(each.by == by and now < each.until for each in review.put_off)


def is_for(review: Review, person: str) -> bool:
    """Whether it is for this person to take next: it was handed to nobody else."""
    return review.handed_to in (None, person)


def put_off(t: Transaction, review_id: str, *, by: str, until: datetime, now: datetime) -> Review:
    """See `PassingOn.put_off`."""
    review = _own(t, review_id, by=by, now=now)
    others = [p for p in review.put_off if p.by != by and now < p.until]
    kept = (*others, PutOff(by=by, until=until))[-_MOST_PUT_OFF:]
    return _freed(t, review, {"put_off": kept}, "review.put_off", by, now, until=until.isoformat())


def hand_over(t: Transaction, review_id: str, *, by: str, to: str, now: datetime) -> Review:
    """See `PassingOn.hand_over`."""
    review, name = _own(t, review_id, by=by, now=now), to.strip()
    if not name or len(name) > _LONGEST_NAME or name == by:
        why = f"Name the colleague to hand it to, in at most {_LONGEST_NAME} characters."
        raise InvalidAnswer(review_id, why)
    problem: NotAllowed | None = not_allowed(review, name) or barred(t, review, name)
    if problem is not None:
        raise problem
    kept = tuple(p for p in review.put_off if p.by != name)
    changes = {"handed_to": name, "put_off": kept}
    return _freed(t, review, changes, "review.handed_over", by, now, to=name)


def _own(t: Transaction, review_id: str, *, by: str, now: datetime) -> Review:
    """Return a review that this person could decide."""
    review = t.review(review_id)
    problem = claim_refusal(review, by=by, now=now, live_intent=t.intent(review_id)) or barred(
        t, review, by
    )
    if problem is not None:
        raise problem
    return review


def _freed(
    t: Transaction,
    review: Review,
    changes: Mapping[str, object],
    action: str,
    by: str,
    now: datetime,
    **facts: str,
) -> Review:
    """Write the changes, the end of the claim, and the event."""
    free = {"holder": None, "claim_fence": None, "claimed_until": None, "taken_over_at": None}
    changed = review.model_copy(update={**free, **changes})
    t.set_review(changed)
    body = entry(action, at=now, actor=by, run_id=review.run_id, subject=review.id, **facts)
    t.append_audit(review.run_id, body)
    return changed
