"""The one service that the runtime, the web pages, the HTTP API and the command line call."""

import logging
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta

from pydantic import JsonValue

from hitl import spans
from hitl.failpoints import reach
from hitl.ids import new_id
from hitl.lifecycle import NO_ANSWER, NoAnswer
from hitl.models import (
    Amendment,
    Decision,
    Intent,
    Mail,
    Outcome,
    RemedyKind,
    Review,
    ReviewRequest,
    ReviewStatus,
    RunRecord,
    Verdict,
)
from hitl.ports import Clock, Store
from hitl.reviews import claims, closing, deciding, intents, requests, stopping, takeover
from hitl.reviews.answers import Said
from hitl.reviews.clock import utcnow
from hitl.reviews.measures import MEASURES
from hitl.reviews.passing import PassingOn
from hitl.reviews.takeover import TAKEN_FOR
from hitl.reviews.users import Users

_log = logging.getLogger(__name__)

_BATCH = 100
LEASE = timedelta(minutes=5)
"""How long a claim lives without being renewed."""


class ReviewQueue(PassingOn):
    """Reviews waiting for people, over a store.

    Every method commits before it returns. Refusals are `ReviewRefusal`s with a sentence and an
    HTTP status; an unknown id is `NotFound`.

        queue = ReviewQueue(open_store("sqlite:///hitl.db"))
        review = queue.pending()[0]
        queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
    """

    def __init__(self, store: Store, *, clock: Clock = utcnow) -> None:
        super().__init__(store, clock=clock)
        self.users = Users(store, clock=clock)

    def pending(
        self,
        *,
        workflow: str | None = None,
        blocking: bool | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> list[Review]:
        """Return pending reviews, those due first; `after` is the id of the last one already seen."""
        return self.reviews(
            status=(ReviewStatus.PENDING,),
            workflow=workflow,
            blocking=blocking,
            limit=limit,
            after=after,
        )

    def reviews(
        self,
        *,
        status: Collection[ReviewStatus] = (),
        run_id: str | None = None,
        workflow: str | None = None,
        blocking: bool | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> list[Review]:
        """Return reviews, those due first; no status means every status."""
        return self._store.read(
            lambda r: r.reviews(
                status=status,
                run_id=run_id,
                workflow=workflow,
                blocking=blocking,
                limit=limit,
                after=after,
            )
        )

    def get(self, review_id: str) -> Review:
        """Return the review, its decision filled in when there is one."""
        return self._store.read(lambda r: r.review(review_id))

    def intent(self, review_id: str) -> Intent | None:
        """Return the answer on this review that can still be undone, or None."""
        return self._store.read(lambda r: r.intent(review_id))

    def counts(self) -> dict[ReviewStatus, int]:
        """Return how many reviews are in each status; statuses with none are left out."""
        return self._store.read(lambda r: r.count_reviews())

    def decide(
        self,
        review_id: str,
        verdict: Verdict | str,
        *,
        by: str,
        proposal_hash: str,
        decision_id: str | None = None,
        reasons: Sequence[str] = (),
        note: str = "",
        remedy: RemedyKind | str | None = None,
        answer: JsonValue | NoAnswer = NO_ANSWER,
        surface: str = "python",
        shown_ms: int | None = None,
        fence: str | None = None,
    ) -> Decision:
        """Decide at once: the first decision wins, and its run goes on.

        Args:
            review_id: The review.
            verdict: `"approve"` or `"deny"`.
            by: Who decides; never the run's initiator, never an agent's key.
            proposal_hash: The hash of what was shown.
            decision_id: Makes sending it twice safe: the same id with the same content returns the
                decision that was written. Without one, each call is a new decision.
            reasons: Short texts, at most 20 of 200 characters.
            note: Free text, at most 10,000 characters.
            remedy: What follows a deny; None takes `answer` if there is one, else the first offer.
            answer: The human's own answer, for a deny with the remedy `answer`, or for a question.
            surface: Where it was clicked.
            shown_ms: How long the proposal was on screen, in milliseconds.
            fence: The claim's fence; then the decision is refused unless the claim is live.

        Raises:
            ReviewRefusal: 409 decided, closed or held; 410 expired; 412 changed since shown; 403 not
                allowed; 422 remedy, words or answer do not fit. Nothing was saved.
            NotFound: There is no such review.
        """
        said = Said(
            verdict=verdict,
            by=by,
            proposal_hash=proposal_hash,
            decision_id=decision_id,
            reasons=reasons,
            note=note,
            remedy=remedy,
            answer=answer,
            surface=surface,
            shown_ms=shown_ms,
            fence=fence,
        )
        now = self._clock()
        span = spans.deciding(review_id, verdict, proposal_hash)
        with MEASURES.answering(said), span as trace:
            decision = self._store.write(
                lambda t: spans.carrying(
                    trace, lambda: deciding.decide(t, review_id, said, now=now)
                )
            )
        reach("decide.after_commit_before_ack")
        return decision

    def intend(
        self,
        review_id: str,
        verdict: Verdict | str,
        *,
        by: str,
        proposal_hash: str,
        undo_window: timedelta,
        decision_id: str | None = None,
        reasons: Sequence[str] = (),
        note: str = "",
        remedy: RemedyKind | str | None = None,
        answer: JsonValue | NoAnswer = NO_ANSWER,
        surface: str = "python",
        shown_ms: int | None = None,
        fence: str | None = None,
    ) -> Intent:
        """Answer as in `decide`, undoable for `undo_window`; then `sweep` sends it.

        It holds the review meanwhile, and is judged at the instant it was answered.

        Raises:
            ReviewRefusal: As in `decide`.
            ValueError: The window is negative.
        """
        if undo_window < timedelta(0):
            raise ValueError(f"An undo window of {undo_window} is negative; give zero or more.")
        said = Said(
            verdict=verdict,
            by=by,
            proposal_hash=proposal_hash,
            decision_id=decision_id,
            reasons=reasons,
            note=note,
            remedy=remedy,
            answer=answer,
            surface=surface,
            shown_ms=shown_ms,
            fence=fence,
        )
        now = self._clock()
        with MEASURES.answering(said):
            return self._store.write(
                lambda t: intents.intend(t, review_id, said, now=now, undo_window=undo_window)
            )

    def undo(self, review_id: str, *, by: str) -> Review:
        """Take one's answer back before it is sent.

        Raises:
            TooLateToUndo: It was sent.
            ClaimLost: It is somebody else's.
        """
        now = self._clock()
        return self._store.write(lambda t: intents.undo(t, review_id, by=by, now=now))

    def request(self, request: ReviewRequest, *, key: str | None = None) -> tuple[Review, bool]:
        """Open a review for a program that runs no graph of ours; return it, and whether it is new.

        The same idempotency `key` with the same request returns the review it opened.

        Raises:
            RequestRefused: It cannot be put before a person, or the key came with another request.
        """
        now = self._clock()
        opened = self._store.write(lambda t: requests.request_review(t, request, key=key, now=now))
        reach("request.after_commit_before_ack")
        return opened

    def amend(self, review_id: str, amendment: Amendment) -> Review:
        """Put other arguments before the reviewer of a program's request; what was answered is void.

        Raises:
            ReviewRefusal: It is not a request's, not pending, or its time is over.
            RequestRefused: The arguments cannot be put before a person.
        """
        now = self._clock()
        return self._store.write(lambda t: requests.amend(t, review_id, amendment, now=now))

    def claim(self, review_id: str, *, by: str, fence: str, lease: timedelta = LEASE) -> Review:
        """Take or renew the claim on a review; nobody gets what another holds.

        Raises:
            ReviewRefusal: Somebody else holds it, it is over, or this person may not decide it.
        """
        now = self._clock()
        return self._store.write(
            lambda t: claims.claim(t, review_id, by=by, fence=fence, now=now, lease=lease)
        )

    def claim_next(
        self, *, by: str, fence: str, workflow: str | None = None, lease: timedelta = LEASE
    ) -> Review | None:
        """Take the first pending review that `by` may decide and nobody holds; None if all is done."""
        now = self._clock()
        return self._store.write(
            lambda t: claims.claim_next(
                t, by=by, fence=fence, workflow=workflow, now=now, lease=lease
            )
        )

    def release(self, review_id: str, *, by: str, fence: str) -> None:
        """Give a claim up.

        Raises:
            ClaimLost: Somebody else, or another tab, holds it.
        """
        now = self._clock()
        self._store.write(lambda t: claims.release(t, review_id, by=by, fence=fence, now=now))

    def take_over(
        self, review_id: str, *, by: str, fence: str | None = None, lease: timedelta = TAKEN_FOR
    ) -> Review:
        """Do the work oneself: the review stays with `by` until it is decided or handed back.

        Decide it with `remedy="takeover"` and the work as `answer`. Doing so at once needs no takeover.

        Args:
            review_id: The review.
            by: Who takes over.
            fence: The tab; None for a name of its own.
            lease: How long it stays with them without a sign of life; the review's expiry stands.

        Raises:
            ReviewRefusal: Somebody else holds it, it is over, or nobody may take it over.
        """
        now = self._clock()
        own = fence or new_id("by_hand", now)
        return self._store.write(
            lambda t: takeover.take_over(t, review_id, by=by, fence=own, now=now, lease=lease)
        )

    def hand_back(self, review_id: str, *, by: str) -> Review:
        """Give back what one took over; it waits for anybody again.

        Raises:
            ClaimLost: Somebody else took it over.
        """
        now = self._clock()
        return self._store.write(lambda t: takeover.hand_back(t, review_id, by=by, now=now))

    def cancel(self, review_id: str, *, by: str, reason: str) -> Review:
        """Close a pending review unanswered; nothing it proposed is committed.

        Raises:
            ReviewRefusal: It is not pending any more, or an agent asks.
        """
        now = self._clock()
        return self._store.write(
            lambda t: closing.cancel(t, review_id, by=by, reason=reason, now=now)
        )

    def stop(self, run_id: str, *, by: str, reason: str = "") -> RunRecord:
        """Stop a run: at once, or at its next step when it is being advanced. See `stopping.stop`.

        Raises:
            RunRefusal: It has ended, or this actor may not stop it.
            NotFound: There is no such run.
        """
        now = self._clock()
        return self._store.write(lambda t: stopping.stop(t, run_id, by=by, reason=reason, now=now))

    def resume(self, run_id: str, *, by: str) -> RunRecord:
        """Let a run go on that the stop button stopped. See `stopping.resume`.

        Raises:
            RunRefusal: It was not stopped so, or this actor may not resume it.
            NotFound: There is no such run.
        """
        now = self._clock()
        return self._store.write(lambda t: stopping.resume(t, run_id, by=by, now=now))

    def outcome(
        self, run_id: str, *, good: bool, step: str | None = None, note: str = "", by: str = ""
    ) -> Outcome:
        """Record whether a run led to something good; silence means unknown.

        Raises:
            NotFound: There is no such run.
        """
        now = self._clock()
        outcome = Outcome(
            id=new_id("out", now), run_id=run_id, step=step, good=good, note=note, known_at=now
        )
        return self._store.write(lambda t: closing.add_outcome(t, outcome, by=by))

    def sweep(self, now: datetime | None = None) -> int:
        """Fire the due timers, and return how many changed something.

        Expiries become decisions made by policy; intents whose window is over are sent. Each fires
        once, whoever sweeps and however often.
        """
        at = now or self._clock()
        changed, seen = 0, set[int]()
        while timers := [t for t in self._due_timers(at) if t.id not in seen]:
            seen.update(timer.id for timer in timers)
            fired = [self._fire(timer, at) for timer in timers]
            changed += sum(map(_changed, timers, fired))
        return changed

    def _due_timers(self, at: datetime) -> list[Mail]:
        return self._store.read(lambda r: r.due_timers(now=at, limit=_BATCH))

    def _fire(self, timer: Mail, at: datetime) -> "Future[bool]":
        reach("timer.claimed_before_fire")
        return self._store.submit(lambda t: closing.fire(t, timer, now=at))


def _changed(timer: Mail, future: "Future[bool]") -> bool:
    try:
        return future.result()
    except Exception:
        _log.exception("a timer could not be fired", extra={"mail_id": timer.id})
        return False
