"""What somebody said about a review, made into a decision, or refused with a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue, ValidationError

from hitl.canonical import canonical_json
from hitl.errors import InvalidAnswer
from hitl.ids import new_id
from hitl.lifecycle import NO_ANSWER, NoAnswer
from hitl.models import Decision, JsonObject, Place, RemedyKind, Review, RungOffer, Verdict

MAX_REASONS = 20
MAX_REASON_LENGTH = 200
MAX_NOTE_LENGTH = 10_000
MAX_ANSWER_BYTES = 256 * 1024
MAX_ANSWER_DEPTH = 32
_NOT_HANDED_IN = (
    "The remedy 'takeover' needs the work itself as the answer, `{}` where there is nothing to hand"
    " in. To work on it first, take it over: `queue.take_over`, or T on its page."
)

_NO_WORD = (
    "The step asks a question, and no answer was given; give one, or deny with the remedy 'judgement'"
    " to leave it to the step."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What somebody said about a review, as it came in."""

    verdict: Verdict | str
    by: str
    proposal_hash: str
    decision_id: str | None = None
    reasons: Sequence[str] = ()
    note: str = ""
    remedy: RemedyKind | str | None = None
    answer: JsonValue | NoAnswer = NO_ANSWER
    surface: str = "python"
    shown_ms: int | None = None
    fence: str | None = None


def decision_from(review: Review, said: Said, *, now: datetime) -> Decision:
    """Return what was said as a decision, its remedy filled in; whether it is allowed comes later.

    Raises:
        InvalidAnswer: A word is not one of ours, or a value is of another type.
    """
    has_answer = not isinstance(said.answer, NoAnswer)
    verdict = _verdict(review, said.verdict)
    try:
        return Decision(
            decision_id=said.decision_id or new_id("dec", now),
            review_id=review.id,
            verdict=verdict,
            by=said.by,
            decided_at=now,
            reasons=(said.reasons,) if isinstance(said.reasons, str) else tuple(said.reasons),
            note=said.note,
            remedy=_remedy(review, verdict, said, has_answer=has_answer, now=now),
            answer=None if isinstance(said.answer, NoAnswer) else said.answer,
            has_answer=has_answer,
            proposal_hash=said.proposal_hash,
            surface=said.surface,
            shown_ms=said.shown_ms,
        )
    except ValidationError as problem:
        raise _not_understood(review, problem) from problem


def same_answer(first: Decision, second: Decision) -> bool:
    """Whether two decisions say the same, whenever and wherever they were said."""
    aside = {"decided_at", "surface", "shown_ms", "made_by"}
    return first.model_dump(exclude=aside) == second.model_dump(exclude=aside)


def misfit(review: Review, decision: Decision) -> InvalidAnswer | None:
    """Return why the decision's remedy, words or answer do not fit this review, or None."""
    sentence = (
        _wordy(decision)
        or _remedy_misfit(review, decision)
        or _answer_misplaced(review, decision)
        or _answer_misfit(review, decision)
    )
    return InvalidAnswer(review.id, f"{sentence} Nothing was saved.") if sentence else None


def _verdict(review: Review, verdict: Verdict | str) -> Verdict:
    try:
        return Verdict(verdict)
    except ValueError:
        raise InvalidAnswer(
            review.id, f"{verdict!r} is not a verdict; say 'approve' or 'deny'. Nothing was saved."
        ) from None


def _remedy(
    review: Review, verdict: Verdict, said: Said, *, has_answer: bool, now: datetime
) -> RemedyKind | None:
    if said.remedy is not None:
        return _remedy_kind(review, said.remedy)
    if verdict is Verdict.APPROVE or not review.blocking:
        return None
    if has_answer:
        answers = any(rung.kind is RemedyKind.ANSWER for rung in review.rungs)
        by_hand = review.takeover is not None and not answers
        return RemedyKind.TAKEOVER if by_hand else RemedyKind.ANSWER
    open_still = (rung.kind for rung in review.rungs if not _is_over(rung, now))
    return next(open_still, RemedyKind.STOP)


def _is_over(rung: RungOffer, now: datetime) -> bool:
    return rung.ends_at is not None and now >= rung.ends_at


def _remedy_kind(review: Review, remedy: RemedyKind | str) -> RemedyKind:
    try:
        return RemedyKind(remedy)
    except ValueError:
        names = ", ".join(repr(kind.value) for kind in RemedyKind)
        raise InvalidAnswer(
            review.id, f"{remedy!r} is not a remedy; there are {names}. Nothing was saved."
        ) from None


def _not_understood(review: Review, problem: ValidationError) -> InvalidAnswer:
    first = problem.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return InvalidAnswer(review.id, f"Field {field!r}: {first['msg']}. Nothing was saved.")


def _wordy(decision: Decision) -> str | None:
    if len(decision.reasons) > MAX_REASONS:
        return f"There are {len(decision.reasons)} reasons; at most {MAX_REASONS} are kept."
    if any(not 0 < len(reason.strip()) <= MAX_REASON_LENGTH for reason in decision.reasons):
        return f"A reason is a short text of 1 to {MAX_REASON_LENGTH} characters."
    if len(decision.note) > MAX_NOTE_LENGTH:
        return f"The note has {len(decision.note)} characters; at most {MAX_NOTE_LENGTH} are kept."
    if not 0 < len(decision.decision_id) <= MAX_REASON_LENGTH:
        return f"A decision id has 1 to {MAX_REASON_LENGTH} characters."
    return None if _is_text(decision) else "A text holds characters that are not Unicode text."


def _is_text(decision: Decision) -> bool:
    try:
        "".join((decision.by, decision.note, decision.decision_id, *decision.reasons)).encode()
    except UnicodeEncodeError:
        return False
    return True


def _remedy_misfit(review: Review, decision: Decision) -> str | None:
    remedy = decision.remedy
    if remedy is None:
        return None
    if decision.verdict is Verdict.APPROVE:
        return f"An approve takes no remedy, and {remedy.value!r} was given."
    if not review.blocking:
        return f"A spot check takes no remedy, and {remedy.value!r} was given: the run went on."
    allowed = [rung.kind.value for rung in review.rungs] or [RemedyKind.STOP.value]
    if remedy.value not in allowed:
        names = ", ".join(repr(name) for name in allowed)
        return f"The remedy {remedy.value!r} is not offered here; there are {names}."
    for rung in review.rungs:
        if rung.kind is remedy and rung.ends_at and _is_over(rung, decision.decided_at):
            ended = rung.ends_at.isoformat(timespec="seconds")
            return f"The remedy {remedy.value!r} is over since {ended}; choose another."
    return None


def _answer_misplaced(review: Review, decision: Decision) -> str | None:
    is_question = review.name.place is Place.QUESTION
    if decision.remedy is RemedyKind.TAKEOVER and not decision.has_answer:
        return _NOT_HANDED_IN
    if not decision.has_answer:
        # A plain no is an answer to a question; to a proposal it is not.
        if review.question is not None and decision.verdict is Verdict.APPROVE:
            return _NO_WORD
        wanted = decision.remedy is RemedyKind.ANSWER and not is_question
        return "The remedy 'answer' needs an answer." if wanted else None
    if decision.verdict is Verdict.APPROVE and review.presentation.choices:
        return None
    if decision.verdict is Verdict.APPROVE and not is_question:
        return "An approve takes what is proposed, and an answer was given; deny to give your own."
    if decision.remedy is RemedyKind.TAKEOVER:
        return None
    if decision.verdict is Verdict.DENY and decision.remedy not in (None, RemedyKind.ANSWER):
        given = decision.remedy.value
        return (
            f"An answer was given with the remedy {given!r}; it goes with 'answer' or 'takeover'."
        )
    if review.presentation.answer_schema is None and not is_question:
        return "This review takes no answer of yours."
    return None


def _answer_misfit(review: Review, decision: Decision) -> str | None:
    if not decision.has_answer:
        return None
    if depth(decision.answer) > MAX_ANSWER_DEPTH:
        return f"The answer is more than {MAX_ANSWER_DEPTH} levels deep."
    try:
        size = len(canonical_json(decision.answer))
    except ValueError:
        return "The answer holds a number or a text that JSON cannot carry exactly."
    if size > MAX_ANSWER_BYTES:
        return f"The answer has {size} bytes; at most {MAX_ANSWER_BYTES} are kept."
    schema = review.presentation.answer_schema
    if decision.verdict is Verdict.APPROVE and review.presentation.choices:
        schema = _choice_schema(review.presentation.choices)
    if decision.remedy is RemedyKind.TAKEOVER and review.presentation.workspace is not None:
        schema = review.presentation.workspace.answer_schema
    return None if schema is None else _schema_misfit(schema, decision.answer)


def _choice_schema(choices: int) -> JsonObject:
    """Return the schema of a yes to one of several alternatives, with labels for the others."""
    number: JsonObject = {"type": "integer", "minimum": 1, "maximum": choices}
    numbers: JsonObject = {"type": "array", "items": number}
    return {
        "type": "object",
        "properties": {"choice": number, "right": numbers, "wrong": numbers},
        "additionalProperties": False,
    }


def depth(value: JsonValue) -> int:
    """Return how many containers stand inside each other in `value`; 0 for a plain value."""
    level, nodes = 0, [value]
    while any(isinstance(node, dict | list) for node in nodes):
        level += 1
        nodes = [child for node in nodes for child in _children(node)]
    return level


def _children(node: JsonValue) -> list[JsonValue]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _schema_misfit(schema: JsonObject, answer: JsonValue) -> str | None:
    # The library takes 0.1 s to import, and most processes never see an answer.
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415
    from jsonschema.exceptions import best_match  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(schema)
        # An empty registry: a schema never makes this process fetch an address.
        validator = Draft202012Validator(
            schema, registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        worst = best_match(validator.iter_errors(answer))
    except (SchemaError, Unresolvable):
        return "The answer cannot be checked, because the step's answer schema is not usable."
    if worst is None:
        return None
    field = ".".join(str(part) for part in worst.absolute_path)
    where = f"The answer's field {field!r}" if field else "The answer"
    return f"{where} does not fit: {_shortened(worst.message)}."


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_REASON_LENGTH else f"{text[:MAX_REASON_LENGTH]}…"
