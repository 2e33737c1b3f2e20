"""`hitl decide`: a yes or a no from the command line, about what was shown."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer
from pydantic import JsonValue

from hitl.authority import May
from hitl.cli.opened import check_name, deciding, reading
from hitl.cli.reviews import print_review
from hitl.cli.terminal import console, print_json, say
from hitl.client import QueueClient
from hitl.errors import HitlError, InvalidAnswer
from hitl.models import Decision, RemedyKind, Review, ReviewStatus
from hitl.reviews import NO_ANSWER, NoAnswer


@dataclass(frozen=True, slots=True)
class Said:
    """What was said on the command line."""

    verdict: Literal["approve", "deny"]
    by: str
    reasons: tuple[str, ...] = ()
    note: str = ""
    remedy: str | None = None
    answer: JsonValue | NoAnswer = NO_ANSWER


class NotConfirmed(HitlError):
    """The proposal was shown and nobody said yes to deciding on it."""

    def __init__(self, review_id: str) -> None:
        self.review_id = review_id
        super().__init__(f"Nothing was decided; review {review_id!r} still waits.")


def read_answer(text: str | None) -> JsonValue | NoAnswer:
    """Return the value that `--answer` writes as JSON; `NO_ANSWER` when it was not given.

    Args:
        text: The JSON, or `@file` for what is in that file.

    Raises:
        typer.BadParameter: It is not JSON, or the file cannot be read.
    """
    if text is None:
        return NO_ANSWER
    if text.startswith("@"):
        text = _in_file(text[1:])
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as problem:
        raise typer.BadParameter(
            f"--answer is not JSON ({problem}). A text stands in double quotes: --answer '\"Alba\"'."
        ) from problem
    return value


def _in_file(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise typer.BadParameter(
            f"--answer names {name!r}, which cannot be read: {problem}."
        ) from problem


def decide(
    url: str,
    review_id: str,
    said: Said,
    *,
    proposal_hash: str | None,
    sure: bool,
    as_json: bool,
) -> None:
    """Decide on the review, and tell what follows.

    Args:
        url: The store.
        review_id: The review.
        said: The verdict and what belongs to it.
        proposal_hash: The hash of what was shown elsewhere; None to show the proposal here first.
        sure: Decide on what is shown here without asking.
        as_json: Print the decision as JSON, and the proposal to standard error.
    """
    with reading(url) as queue:
        review = queue.get(review_id)
    shown_ms = None
    if proposal_hash is None:
        shown_ms = _shown(review, said, sure=sure, aside=as_json)
    _check_remedy(review_id, said.remedy)
    with deciding(url) as queue_or_client:
        check_name(queue_or_client, said.by, May.DECIDE)
        served = isinstance(queue_or_client, QueueClient)
        decision = queue_or_client.decide(
            review_id,
            said.verdict,
            by=said.by,
            proposal_hash=proposal_hash or review.proposal_hash,
            reasons=said.reasons,
            note=said.note,
            remedy=said.remedy,
            answer=said.answer,
            surface="cli",
            shown_ms=shown_ms,
        )
    if as_json:
        print_json(decision)
    else:
        say(_told(review, decision, served=served))


def _shown(review: Review, said: Said, *, sure: bool, aside: bool) -> int | None:
    """Show the review, and return how many milliseconds it was looked at; None when nobody was asked."""
    print_review(review, console(err=aside))
    if review.status is not ReviewStatus.PENDING or sure:
        return None  # the queue says why it takes no decision
    shown_at = time.monotonic()
    verb = {"approve": "Approve", "deny": "Deny"}[said.verdict]
    try:
        confirmed = typer.confirm(f"\n{verb} this as {said.by!r}?", err=True)
    except typer.Abort:
        confirmed = False
        typer.echo(err=True)
    if not confirmed:
        raise NotConfirmed(review.id)
    return int((time.monotonic() - shown_at) * 1000)


def _check_remedy(review_id: str, remedy: str | None) -> None:
    if remedy is not None and remedy not in list(RemedyKind):
        known = ", ".join(repr(kind.value) for kind in RemedyKind)
        raise InvalidAnswer(review_id, f"{remedy!r} is no remedy; there are {known}.")


def _told(review: Review, decision: Decision, *, served: bool) -> str:
    word = {"approve": "Approved", "deny": "Denied"}[decision.verdict.value]
    remedy = f", {decision.remedy.value}" if decision.remedy else ""
    if decision.remedy is RemedyKind.JUDGEMENT:
        word, remedy = "Left to the step", ""
    if not review.blocking:
        return f"{word} by {decision.by}. It was a spot check: its run had gone on."
    if served:
        return f"{word} by {decision.by}{remedy}. Run {review.run_id!r} goes on where it is served."
    return (
        f"{word} by {decision.by}{remedy}. Nothing serves this store now; run {review.run_id!r} goes"
        " on when `hitl serve --app module:name`, or the program it belongs to, does."
    )


def _refuse_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is not a JSON number")
