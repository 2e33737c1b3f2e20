"""The evaluation's tables and sentences, the same in a terminal and on a page."""

from collections.abc import Iterator

from hitl.lab.reports.evaluation import Evaluation, Slice
from hitl.lab.reports.people import Person

Cells = tuple[object, ...]

COLUMNS = (
    "checkpoint",
    "steps",
    "asked",
    "spot checks",
    "silent errors",
    "interval",
    "at most",
    "ask precision",
    "recall",
    "F1",
    "over-asked",
    "under-asked",
)


def slice_rows(found: Evaluation) -> list[Cells]:
    """Return one row per slice, and one for all of them."""
    return [slice_row(each) for each in (*found.slices, found.total)]


def slice_row(each: Slice) -> Cells:
    """Return one slice as the cells of `COLUMNS`; None where nothing can be known."""
    silent, ask = each.silent, each.asking
    estimate = silent.estimate
    return (
        each.name,
        f"{each.rows:,}",
        f"{ask.questions:,}",
        f"{silent.answered} of {silent.spot_checks}",
        None if estimate is None else f"{estimate.value:.2%}",
        None if estimate is None else f"{estimate.low:.2%} to {estimate.high:.2%}",
        percent(silent.bound),
        percent(ask.precision),
        percent(ask.recall),
        percent(ask.f1),
        percent(ask.over),
        percent(ask.under),
    )


def percent(value: float | None) -> str | None:
    """Return a share as text; None stays None."""
    return None if value is None else f"{value:.1%}"


def sentences(found: Evaluation) -> tuple[str, ...]:
    """Return what the numbers mean, and why some are missing; nothing twice."""
    return tuple(dict.fromkeys(_sentences(found)))


def _sentences(found: Evaluation) -> Iterator[str]:
    for each in (*found.slices, found.total):
        if each.silent.refusal:
            yield f"{each.name}: {each.silent.refusal}"
    yield from _about_asking(found.total)
    yield from _about_lag(found.total)
    runs = found.runs
    if runs.rate is None:
        yield runs.refusal
    else:
        yield (
            f"{runs.rate.value:.2%} of runs held an unasked wrong step ({runs.rate.low:.2%} to"
            f" {runs.rate.high:.2%}, from {runs.runs} runs of which every step was looked at)."
        )
    work = found.work
    minutes = work.minutes_per_100_runs
    took = (
        "no review was timed; --review-minutes turns them into minutes"
        if minutes is None
        else f"{minutes:.1f} human minutes per 100 runs"
    )
    yield f"{work.reviews} reviews in {work.runs} runs, {work.reviews_per_100_runs:.1f} per 100 runs: {took}."
    for each in found.slices:
        if each.ranking is not None:
            yield from (f"{each.name}: {said}" for said in each.ranking.warnings)
            if each.ranking.augrc is not None:
                yield (
                    f"{each.name}: AUGRC {each.ranking.augrc:.4f}"
                    f"{_also('AUROC', each.ranking.auroc)}{_also('ECE', each.ranking.ece)},"
                    f" from {each.ranking.labels} labels."
                )
    yield from found.warnings


def person_row(person: Person) -> Cells:
    """Return a reviewer as (name, answered, denied, seconds, catches wrong, lets right pass)."""
    card = person.card
    caught = card.sensitivity if card is not None else None
    passed = card.specificity if card is not None else None
    return (
        person.name,
        person.answered,
        person.denied,
        None if person.median_seconds is None else f"{person.median_seconds:.1f} s",
        None if caught is None else f"{caught.value:.1%} ({caught.low:.1%} to {caught.high:.1%})",
        None if passed is None else f"{passed.value:.1%} ({passed.low:.1%} to {passed.high:.1%})",
    )


PERSON_COLUMNS = (
    "reviewer",
    "answered",
    "denied",
    "median time",
    "catches wrong",
    "lets right pass",
)


def _about_asking(total: Slice) -> Iterator[str]:
    ask = total.asking
    if ask.answered == 0:
        yield "No question was answered."
        return
    yield f"{ask.answered} questions were answered: {ask.denied} denied, {ask.approved} approved."
    if ask.bought is not None:
        yield (
            "Approved unchanged is not needless: each yes bought a reset, on average"
            f" {ask.bought:+.3f} reliability of its run."
        )


def _about_lag(total: Slice) -> Iterator[str]:
    lag = total.lag
    if lag.steps is None:
        return
    time = "" if lag.minutes is None else f", {lag.minutes:.1f} minutes"
    yield (
        f"A wrong step was {lag.steps:.2f} steps{time} away from the next question of its run on"
        f" average; after {lag.never:.1%} of them nobody was asked any more."
    )


def _also(name: str, value: float | None) -> str:
    return "" if value is None else f", {name} {value:.3f}"
