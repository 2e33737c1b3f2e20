"""Pairs and sequences: the formats that stand on the examples of one run together."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby, product
from typing import Any, Literal

from hitl.feedback.examples import LabelledExample
from hitl.feedback.exports.rows import Rows, provenance, whole
from hitl.feedback.exports.texts import completion_of, prompt_of

Source = Literal["retry", "rollout", "edit"]
Examples = list[LabelledExample]


def _by_run(examples: Iterable[LabelledExample]) -> Iterator[Examples]:
    """Yield the examples of each run: they come together, from a store and from a snapshot."""
    for _, own in groupby(examples, key=lambda example: example.run_id):
        yield list(own)


# -- preference -----------------------------------------------------------------------------------


def preference(examples: Iterable[LabelledExample], left_out: Counter[str]) -> Rows:
    """Yield TRL's preference: `prompt`, `chosen`, `rejected`.

    Pairs are of one input: an attempt that was denied and a later one of the same task that was
    approved (`pair` is `retry`; `reason_seen` says whether that one was told why); a right and a wrong
    rollout; a proposal and the version a person put in its place. k right and m wrong ones make k·m
    pairs of weight 1/(k·m), so that one decision counts once.
    """
    for run in _by_run(whole(examples, left_out)):
        yield from _pairs(run, "retry", _attempts(run), left_out)
        yield from _pairs(run, "rollout", _rollouts(run), left_out)
        yield from _pairs(run, "edit", _edits(run), left_out)


def _attempts(run: Examples) -> Iterator[tuple[Examples, Examples]]:
    tasks: defaultdict[tuple[object, ...], Examples] = defaultdict(list)
    for example in run:
        if example.kind in ("decision", "rollout") and example.task_id:
            place = (example.step, example.place, example.visit, example.shard)
            tasks[(*place, example.turn, example.task_id)].append(example)
    for own in tasks.values():
        for right in own:
            earlier = [e for e in own if e.attempt < right.attempt and not e.label]
            same = [e for e in earlier if e.input == right.input]
            if right.label and right.stands and same:
                yield [right], same


def _rollouts(run: Examples) -> Iterator[tuple[Examples, Examples]]:
    for own in _by_review(run, ("rollout",)):
        yield [e for e in own if e.label], [e for e in own if not e.label]


def _edits(run: Examples) -> Iterator[tuple[Examples, Examples]]:
    for own in _by_review(run, ("decision", "spot_check", "edit", "takeover")):
        edited = [e for e in own if e.is_edit]
        denied = [e for e in own if not e.is_edit and not e.label]
        yield (
            edited,
            [e for e in denied if edited and e.proposal.keys() == edited[0].proposal.keys()],
        )


def _by_review(run: Examples, kinds: tuple[str, ...]) -> Iterator[Examples]:
    reviews: defaultdict[str, Examples] = defaultdict(list)
    for example in run:
        if example.review_id is not None and example.kind in kinds:
            reviews[example.review_id].append(example)
    yield from reviews.values()


def _pairs(
    run: Examples,
    source: Source,
    groups: Iterator[tuple[Examples, Examples]],
    left_out: Counter[str],
) -> Rows:
    for right, wrong in groups:
        for chosen, rejected in product(right, wrong):
            good, bad = completion_of(chosen), completion_of(rejected)
            if good == bad:
                left_out["pair of equal texts"] += 1
                continue
            weight = max(chosen.weight, rejected.weight) / (len(right) * len(wrong))
            yield {
                "prompt": prompt_of(chosen, with_reasons=False),
                "chosen": good,
                "rejected": bad,
                "pair": source,
                "reason_seen": source == "retry" and chosen.reason_seen,
                **provenance(chosen),
                "weight": weight,
                "id": f"{chosen.id}>{rejected.id}",
            }


# -- stepwise -------------------------------------------------------------------------------------


def stepwise(examples: Iterable[LabelledExample], left_out: Counter[str]) -> Rows:
    """Yield TRL's stepwise supervision (process reward models): `prompt`, `completions`, `labels`.

    A row begins with its turn's first step. It ends with a step that is wrong, or before the first one
    that passed without a label: what nobody looked at is not called right. Its weight is the largest
    of `weights`, those of its steps: exact where they were drawn together.
    """
    for run in _by_run(whole(examples, left_out)):
        turns: defaultdict[int, Examples] = defaultdict(list)
        for example in run:
            if example.position is not None and example.kind not in ("answer", "outcome"):
                turns[example.turn].append(example)
        for own in turns.values():
            yield from _of_turn(own, left_out)


def _of_turn(own: Examples, left_out: Counter[str]) -> Rows:
    standing = {e.position: e for e in own if e.label and e.stands}
    path: Examples = []
    while len(path) in standing:
        path.append(standing[len(path)])
    for wrong in (e for e in own if not e.label):
        if wrong.position is not None and wrong.position <= len(path):
            yield _sequence([*path[: wrong.position], wrong])
        else:
            left_out["after an unlabelled pass"] += 1
    beyond = sum(e.label and e.stands for e in own) - len(path)
    if beyond:
        left_out["after an unlabelled pass"] += beyond
    if path:
        yield _sequence(path)


def _sequence(steps: Examples) -> dict[str, Any]:
    first, last = steps[0], steps[-1]
    return {
        "prompt": prompt_of(first, with_reasons=False),
        "completions": [completion_of(each) for each in steps],
        "labels": [each.label for each in steps],
        "weights": [each.weight for each in steps],
        "steps": [each.step for each in steps],
        **provenance(last),
        "weight": max(each.weight for each in steps),
        "id": f"{last.id}@{len(steps)}",
    }
