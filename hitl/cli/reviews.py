"""`hitl reviews`: the list, and one review as its reviewer must see it."""

import json
from collections.abc import Iterator, Sequence

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from hitl.cli.opened import reading
from hitl.cli.terminal import console, print_json, say, share, table, visible, when
from hitl.cli.words import statuses
from hitl.client import ReviewDetail, ReviewPage
from hitl.models import (
    Denial,
    Evidence,
    FieldChange,
    Presentation,
    Review,
    ReviewStatus,
    Signal,
    Vouched,
    Workspace,
)

_LONGEST = 600
"""Characters of one value that are shown."""


def list_all(
    url: str,
    *,
    workflow: str | None,
    run_id: str | None,
    status: Sequence[str],
    limit: int,
    as_json: bool,
) -> None:
    """Print reviews, those due first."""
    wanted = statuses(ReviewStatus, status)
    with reading(url) as queue:
        found = queue.reviews(workflow=workflow, run_id=run_id, status=wanted, limit=limit)
    if as_json:
        following = found[-1].id if len(found) == limit else None
        print_json(ReviewPage(reviews=tuple(found), next=following))
    elif not found:
        say("Nothing waits." if wanted == [ReviewStatus.PENDING] else "No such reviews.")
    else:
        columns = ("review", "question", "status", "reliability", "due")
        console().print(table(columns, map(_row, found), wraps=("question", "status")))
        if len(found) == limit:
            say(f"The first {limit} are shown; --limit shows more.")


def show(url: str, review_id: str, *, as_json: bool) -> None:
    """Print one review in full."""
    with reading(url) as queue:
        review = queue.get(review_id)
    if as_json:
        decided = () if review.decision is None else (review.decision,)
        print_json(ReviewDetail(**dict(review), decisions=decided))
    else:
        print_review(review, console())


def print_review(review: Review, on: Console) -> None:
    """Print all that a decision about the review rests on."""
    said = review.presentation
    on.print(Text(visible(said.title), style="bold"))
    for line in _facts(review):
        on.print(Text(visible(line)), soft_wrap=True)
    for heading, lines in _sections(review):
        if lines:
            on.print()
            on.print(Text(heading, style="bold"))
            for line in lines:
                on.print(Text("  " + visible(line, limit=_LONGEST)), soft_wrap=True)
    on.print()
    on.print(Text(f"hash {review.proposal_hash}"), soft_wrap=True)


def _facts(review: Review) -> Iterator[str]:
    name, said = review.name, review.presentation
    yield f"Review {review.id} is {review.status.value}; run {review.run_id}; risk {review.risk}."
    yield f"Step {name.step}, {name.place.value}, visit {name.visit}, attempt {review.attempt}."
    p = share(said.confidence)
    sure = "not known" if p is None else f"{p} ({said.confidence_kind.value})"
    floor = share(said.reliability_floor)
    below = "" if floor is None else f" (floor {floor})"
    yield (
        f"This step's confidence is {sure}. Reliability was {share(said.reliability_before)}, with"
        f" this step {share(said.reliability_now)}{below}; a yes makes it {share(said.reset_to)}"
        f" ({said.reset_basis})."
    )
    for what, moment in (("Due", review.due_at), ("Expires", review.expires_at)):
        if moment is not None:
            yield f"{what} {when(moment)}."
    if review.decision is not None:
        decision = review.decision
        yield f"{decision.verdict.value} by {decision.by}, {when(decision.decided_at)}."
        yield from decision.reasons
    elif review.closed_reason:
        yield review.closed_reason


def _sections(review: Review) -> Iterator[tuple[str, list[str]]]:
    said, proposal = review.presentation, review.proposal
    yield "Why you are asked", list(said.why)
    yield f"What {proposal.action} wants to commit", _arguments(review)
    yield "What will change", [_change(change) for change in said.changes]
    yield "Evidence", [_evidence(each) for each in said.evidence]
    yield "Signals", [_signal(each) for each in said.signals]
    yield "You vouch for these", [_vouched(each) for each in said.vouched]
    yield "Denied before", [_denied(each) for each in said.denials]
    yield "If you take over", [] if said.workspace is None else [*_workspace(said.workspace)]
    yield "What follows", list(_consequences(review, said))


def _arguments(review: Review) -> list[str]:
    lines = list(flat(review.proposal.arguments))
    if review.proposal.elided:
        lines.append(f"({review.proposal.elided} parts are too large to be shown)")
    return lines


def flat(value: JsonValue, path: str = "") -> Iterator[str]:
    """Yield one line for each leaf of a JSON value: its path, and it as JSON."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from flat(inner, f"{path}[{index}]")
    else:
        yield f"{path}: {_json(value)}" if path else _json(value)


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)


def _change(change: FieldChange) -> str:
    if change.appends:
        return f"{change.field}: + {_json(change.after)}"
    return f"{change.field}: {_json(change.before)} → {_json(change.after)}"


def _evidence(evidence: Evidence) -> str:
    parts = [evidence.claim]
    if evidence.quote:
        parts.append(f'"{evidence.quote}"')
    if evidence.source:
        parts.append(f"({evidence.source})")
    if evidence.image_png is not None:
        parts.append("[a picture: look at it on the page]")
    return " ".join(parts)


def _signal(signal: Signal) -> str:
    found = {True: "passed", False: "failed", None: "no verdict"}[signal.passed]
    score = "" if signal.score is None else f", score {signal.score:.2f}"
    detail = f": {signal.detail}" if signal.detail else ""
    return f"{signal.name} ({signal.kind}) {found}{score}{detail}"


def _vouched(vouched: Vouched) -> str:
    return f"{vouched.step}, p {share(vouched.p) or 'not known'}: {vouched.summary}"


def _denied(denial: Denial) -> str:
    said = ", ".join((*denial.reasons, *([denial.note] if denial.note else [])))
    return f"{denial.step}, attempt {denial.attempt}, by {denial.by}: {said or 'no reason given'}"


def _workspace(work: Workspace) -> Iterator[str]:
    yield f"Fields to hand in: {', '.join(_fields(work)) or 'the whole value'}"
    if work.missing:
        yield f"Of the run's result these are still empty: {', '.join(work.missing)}"
    if work.left:
        yield f"These steps will not run any more: {', '.join(work.left)}"


def _fields(work: Workspace) -> Iterator[str]:
    known = work.answer_schema.get("properties")
    for key in known if isinstance(known, dict) else ():
        yield f"{key} (is added)" if key in work.appends else key


def _consequences(review: Review, said: Presentation) -> Iterator[str]:
    if said.if_approved:
        yield f"On a yes: {said.if_approved}"
    if said.if_denied:
        yield f"On a no: {said.if_denied}"
    if review.rungs:
        offers = "; ".join(f"{rung.kind.value} ({rung.label})" for rung in review.rungs)
        yield f"A no may lead to: {offers}"
    if said.reasons:
        yield f"Reasons for a no: {', '.join(said.reasons)}"


def _row(review: Review) -> tuple[object, ...]:
    decision = review.decision
    by = "" if decision is None else f" by {decision.by}"
    return (
        review.id,
        review.presentation.title,
        f"{review.status.value}{by}",
        share(review.presentation.reliability_now),
        when(review.due_at),
    )
