"""The statements with a fixed shape, as constants; `hitl.stores.line` renders and runs them.

Parameters are named like their columns. An UPDATE's condition uses the prefix `the_`, because its
SET clause has the column's own name.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    String,
    Table,
    and_,
    bindparam,
    case,
    cast,
    func,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.sql.elements import ClauseElement

from hitl.models import DecidedBy, MailKind, Place, ReviewStatus, Verdict
from hitl.stores.line import InsertFactory
from hitl.stores.rows import (
    DECISION,
    DENIED_EFFECT,
    GATE,
    INTENT,
    MAIL,
    OUTCOME,
    POLICY,
    PROPOSAL,
    REVIEW,
    REVIEW_COUNT,
    RUN,
    SETTING,
)


def _p(name: str) -> BindParameter[Any]:
    return bindparam(name)


def _all(table: Table, *without: str) -> dict[str, BindParameter[Any]]:
    names = [column.name for column in table.c if column.name not in without]
    return _these(table, *names)


def _these(table: Table, *names: str) -> dict[str, BindParameter[Any]]:
    return {name: bindparam(name, type_=table.c[name].type) for name in names}


def _is(table: Table, *names: str) -> ColumnElement[bool]:
    return and_(*(table.c[name] == _p(name) for name in names))


def _adding(table: Table, *without: str) -> Callable[[InsertFactory], ClauseElement]:
    """Return how to insert a row unless it collides with one; it returns a column when it is new."""

    def add(insert: InsertFactory) -> ClauseElement:
        new = insert(table).values(_all(table, *without))
        return new.on_conflict_do_nothing().returning(next(iter(table.c)))

    return add


# -- runs ---------------------------------------------------------------------------------------

RUN_BY_ID = select(RUN.c.record).where(_is(RUN, "id"))
COUNT_RUNS = select(RUN.c.status, func.count().label("n")).group_by(RUN.c.status)
RUN_INPUT = select(RUN.c.input_type, RUN.c.input_blob).where(_is(RUN, "id"))
EPOCH = select(RUN.c.epoch).where(_is(RUN, "id"))
add_run = _adding(RUN)
_THE_RUN = RUN.c.id == _p("the_id")
SET_RUN = (
    update(RUN).where(_THE_RUN).values(_these(RUN, "workflow", "status", "created_at", "record"))
)
SET_RUN_INPUT = update(RUN).where(_THE_RUN).values(_these(RUN, "input_type", "input_blob"))
LEASE_IS_FREE = or_(RUN.c.lease_until.is_(None), RUN.c.lease_until <= _p("lease_time"))
CLAIM_RUN = (
    update(RUN)
    .where(_THE_RUN, LEASE_IS_FREE)
    .values(epoch=RUN.c.epoch + 1, **_these(RUN, "owner", "lease_until"))
    .returning(RUN.c.epoch)
)
_HELD = and_(_THE_RUN, RUN.c.epoch == _p("the_epoch"))
RENEW_LEASE = update(RUN).where(_HELD).values(_these(RUN, "lease_until")).returning(RUN.c.id)
RELEASE_RUN = update(RUN).where(_HELD).values(owner=None, lease_until=None)
BREAK_LEASES = (
    update(RUN)
    .where(RUN.c.lease_until.is_not(None), RUN.c.owner != _p("the_owner"))
    .values(owner=None, lease_until=None)
)

# -- reviews and decisions ----------------------------------------------------------------------

REVIEWS = select(REVIEW.c.record, REVIEW.c.status, DECISION.c.record.label("decision")).select_from(
    REVIEW.outerjoin(DECISION, DECISION.c.review_id == REVIEW.c.id)
)
_IN_STATUS = func.sum(REVIEW_COUNT.c.n)
COUNT_REVIEWS = (
    select(REVIEW_COUNT.c.status, _IN_STATUS.label("n"))
    .group_by(REVIEW_COUNT.c.status)
    .having(_IN_STATUS > 0)
)
REVIEW_PLACE = select(REVIEW.c.sort_at).where(_is(REVIEW, "id"))
REVIEW_BY_ID = REVIEWS.where(_is(REVIEW, "id"))
add_review = _adding(REVIEW)
_THE_REVIEW = REVIEW.c.id == _p("the_id")
SET_REVIEW = update(REVIEW).where(_THE_REVIEW).values(_all(REVIEW, "id")).returning(REVIEW.c.id)
SET_REVIEW_IN_STATUS = SET_REVIEW.where(REVIEW.c.status == _p("the_status"))
DECIDE_EXPIRED = (
    update(REVIEW)
    .where(
        _THE_REVIEW,
        REVIEW.c.status == ReviewStatus.PENDING.value,
        REVIEW.c.proposal_hash == _p("the_hash"),
    )
    .values(_these(REVIEW, "status"))
    .returning(REVIEW.c.id)
)
DECIDE = DECIDE_EXPIRED.where(
    or_(REVIEW.c.expires_at.is_(None), REVIEW.c.expires_at > _p("judged_at"))
)
DECISION_OF = select(DECISION.c.record).where(_is(DECISION, "review_id"))
DECISION_BY_ID = select(DECISION.c.record).where(_is(DECISION, "decision_id"))
add_decision = _adding(DECISION, "seq")
_DENIED = DECISION.c.verdict == Verdict.DENY.value
_VISIT = ("run_id", "step", "place", "visit", "shard")
DENIALS = REVIEWS.where(_is(REVIEW, *_VISIT), _DENIED).order_by(DECISION.c.seq)
_UNDOING = select(GATE.c.superseded_by).where(_is(GATE, *_VISIT), GATE.c.undone_at.is_not(None))
UNDOING_DENIALS = REVIEWS.where(DECISION.c.decision_id.in_(_UNDOING), _DENIED).order_by(
    DECISION.c.seq
)

_LIVE_INTENT = and_(INTENT.c.review_id == _p("the_review"), INTENT.c.outcome.is_(None))
LIVE_INTENT = select(INTENT.c.record).where(_LIVE_INTENT)
END_INTENT = update(INTENT).where(_LIVE_INTENT).values(_these(INTENT, "outcome", "ended_at"))
ADD_INTENT = INTENT.insert().values(_these(INTENT, "review_id", "commit_at", "record"))

# -- proposals ----------------------------------------------------------------------------------

_KEY = ("run_id", "task_id", "place", "attempt", "rollout")
PROPOSALS = select(PROPOSAL.c.record, PROPOSAL.c.blob, PROPOSAL.c.settled)
PROPOSAL_BY_KEY = PROPOSALS.where(_is(PROPOSAL, *_KEY))
PROPOSAL_OF = PROPOSALS.where(_is(PROPOSAL, "review_id")).order_by(PROPOSAL.c.seq).limit(1)
OPEN_PROPOSALS = PROPOSALS.where(_is(PROPOSAL, "run_id"), PROPOSAL.c.settled.is_(False)).order_by(
    PROPOSAL.c.seq
)
SETTLE_PROPOSAL = update(PROPOSAL).where(_is(PROPOSAL, *_KEY)).values(settled=True)
_DROP = (
    update(PROPOSAL)
    .where(PROPOSAL.c.settled.is_(False))
    .values(settled=True, task_id=PROPOSAL.c.task_id + ":dropped:" + cast(PROPOSAL.c.seq, String))
)
"""Frees the keys: a task whose state was changed under it asks anew under its own name."""
DROP_PROPOSALS = _DROP.where(_is(PROPOSAL, "run_id"))
DROP_PROPOSAL_OF = _DROP.where(_is(PROPOSAL, "review_id"))


def add_proposal(insert: InsertFactory) -> ClauseElement:
    """Insert a proposal unless its key is taken; return its number when it is new."""
    add = insert(PROPOSAL).values(_all(PROPOSAL, "seq"))
    return add.on_conflict_do_nothing(index_elements=list(_KEY)).returning(PROPOSAL.c.seq)


# -- the gate log -------------------------------------------------------------------------------

GATES = select(GATE.c.record, GATE.c.undone_at, GATE.c.superseded_by)
GATE_BY_ID = GATES.where(_is(GATE, "id"))
NEWEST_GATES = (
    select(GATE.c.record, GATE.c.undone_at, GATE.c.superseded_by, GATE.c.seq)
    .where(_is(GATE, "run_id"), GATE.c.seq < _p("before"))
    .order_by(GATE.c.seq.desc())
    .limit(_p("most"))
)
LAST_VISIT = (
    select(GATE.c.visit, GATE.c.checkpoint_id)
    .where(_is(GATE, "run_id", "step", "place"), GATE.c.undone_at.is_(None))
    .where(GATE.c.shard.between(_p("first"), _p("last")))
    .order_by(GATE.c.visit.desc(), GATE.c.seq.desc())
    .limit(1)
)
UNDO_GATE = (
    update(GATE)
    .where(GATE.c.run_id == _p("the_run"), GATE.c.id == _p("the_id"))
    .values(_these(GATE, "undone_at", "superseded_by"))
)
_RIGHT = func.coalesce(func.sum(case((DECISION.c.verdict == Verdict.APPROVE.value, 1), else_=0)), 0)
LABEL_COUNTS = (
    select(_RIGHT.label("right"), func.count().label("judged"))
    .select_from(GATE.join(DECISION, DECISION.c.review_id == GATE.c.review_id))
    .where(_is(GATE, "workflow", "step"), GATE.c.review_id.is_not(None))
    .where(GATE.c.counts.is_(True), DECISION.c.made_by == DecidedBy.PERSON.value)
    .where(GATE.c.place != Place.QUESTION.value)
)
DENIED_EFFECTS = select(DENIED_EFFECT.c.fingerprint).where(_is(DENIED_EFFECT, "run_id"))


def put_gate(insert: InsertFactory) -> ClauseElement:
    """Insert a gate row, or replace the one with its id."""
    new = insert(GATE).values(_all(GATE, "seq"))
    changed = {name: new.excluded[name] for name in _all(GATE, "seq", "id")}
    return new.on_conflict_do_update(index_elements=[GATE.c.id], set_=changed)


def deny_effect(insert: InsertFactory) -> ClauseElement:
    """Insert a denied effect unless it is known."""
    return insert(DENIED_EFFECT).values(_all(DENIED_EFFECT)).on_conflict_do_nothing()


# -- the mailbox and the rest --------------------------------------------------------

_DUE = and_(MAIL.c.done_at.is_(None), MAIL.c.due_at <= _p("now"))
# A timer is the sweep's: an advance that finished it would lose the expiry it orders.
_IS_TIMER = or_(
    MAIL.c.kind == MailKind.EXPIRY.value,
    MAIL.c.kind == MailKind.COMMIT.value,
)
MAIL_OF_RUN = select(MAIL).where(_is(MAIL, "run_id"), _DUE, not_(_IS_TIMER)).order_by(MAIL.c.id)
DUE_RUNS = (
    select(MAIL.c.run_id)
    .select_from(MAIL.join(RUN, RUN.c.id == MAIL.c.run_id))
    .where(_DUE, not_(_IS_TIMER), LEASE_IS_FREE)
    .group_by(MAIL.c.run_id)
    .order_by(func.min(MAIL.c.due_at), MAIL.c.run_id)
    .limit(_p("most"))
)
NEXT_DUE = select(MAIL.c.due_at).where(MAIL.c.done_at.is_(None)).order_by(MAIL.c.due_at).limit(1)
DUE_TIMERS = (
    select(MAIL).where(_DUE, _IS_TIMER).order_by(MAIL.c.due_at, MAIL.c.id).limit(_p("most"))
)
FINISH_MAIL = (
    update(MAIL)
    .where(MAIL.c.id == _p("the_id"), MAIL.c.done_at.is_(None))
    .values(_these(MAIL, "done_at"))
)


def put_mail(insert: InsertFactory) -> ClauseElement:
    """Insert an order unless its key is taken; return its number when it is new."""
    add = insert(MAIL).values(_all(MAIL, "id", "done_at"))
    return add.on_conflict_do_nothing(index_elements=[MAIL.c.key]).returning(MAIL.c.id)


POLICY_BODY = select(POLICY.c.body).where(_is(POLICY, "policy_hash"))
OUTCOMES = select(OUTCOME.c.record).where(_is(OUTCOME, "run_id")).order_by(OUTCOME.c.seq)
add_outcome = _adding(OUTCOME, "seq")
SETTING_VALUE = select(SETTING.c.value).where(_is(SETTING, "key"))


def save_policy(insert: InsertFactory) -> ClauseElement:
    """Insert a policy unless its hash is known."""
    return insert(POLICY).values(_all(POLICY)).on_conflict_do_nothing()


def set_setting(insert: InsertFactory) -> ClauseElement:
    """Insert a setting unless its key is known."""
    return insert(SETTING).values(_all(SETTING)).on_conflict_do_nothing()
