"""What must be true after any fault, checked on plain data from outside: I1 to I10.

Nothing here imports hitl: the hash chain is recomputed with its own few lines, and what was observed
may come from a store, from HTTP or from an export.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import rfc8785

Json = dict[str, Any]

ENDED = frozenset({"done", "failed", "stopped", "needs_attention"})
FINAL = frozenset({"approved", "denied", "expired", "cancelled", "superseded", "executed"})


def shown_input(review: Json) -> Any:
    """Return what the approver of an effect was shown, as the effect reports it."""
    return review["proposal"]["arguments"].get("input")


@dataclass
class Observed:
    """Everything that was seen from outside, after the faults are over and time was given to drain."""

    acks: list[Json] = field(default_factory=list)
    """What callers were told, one line per 2xx or returned call: `op` says which."""
    reviews: list[Json] = field(default_factory=list)
    runs: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    """The trail, in order."""
    effects: list[Json] = field(default_factory=list)
    """What reached the outside world: `run`, `key`, `proposal`."""
    outcomes: list[Json] = field(default_factory=list)
    heads: list[Json] = field(default_factory=list)
    """Heads over the trail that were kept elsewhere: `seq`, `events`, `head`."""
    texts: dict[str, str] = field(default_factory=dict)
    """Logs and exports, by name."""
    canaries: tuple[str, ...] = ()
    """Secrets that stand in proposals only."""
    most_attempts: int = 3
    shown: Callable[[Json], Any] = shown_input
    failed_runs_allowed: bool = False
    drained: bool = True
    """Whether time was given to bring everything to its end; what must end is not asked before."""

    def acked(self, op: str) -> list[Json]:
        """Return what callers were told about one kind of call."""
        return [ack for ack in self.acks if ack["op"] == op]


def violations(seen: Observed) -> list[str]:
    """Return every broken promise, one sentence each, the invariant's name first."""
    checks = (
        _nothing_lost,
        _one_request_per_key,
        _decisions_stand,
        _effects_were_approved,
        _effects_happened_once,
        _chain_is_whole,
        _heads_fit,
        _trail_agrees,
        _everything_ended,
        _labels_are_people,
        _secrets_stay,
        _budgets_hold,
    )
    return [problem for check in checks for problem in check(seen)]


def _nothing_lost(seen: Observed) -> Iterator[str]:
    reviews, runs = {r["id"] for r in seen.reviews}, {r["id"] for r in seen.runs}
    for ack in seen.acked("request"):
        if ack["review"] not in reviews:
            yield f"I1: request {ack['key']!r} was acknowledged and its review is gone"
    for ack in seen.acked("start"):
        if ack["run"] not in runs:
            yield f"I1: run {ack['run']!r} was acknowledged and is gone"


def _one_request_per_key(seen: Observed) -> Iterator[str]:
    told: dict[str, set[str]] = defaultdict(set)
    for ack in seen.acked("request"):
        told[ack["key"]].add(ack["review"])
    made = Counter(
        review["proposal"]["arguments"].get("key")
        for review in seen.reviews
        if review["by_request"]
    )
    for key, ids in told.items():
        if len(ids) > 1:
            yield f"I2: key {key!r} was told as {len(ids)} reviews"
    for key, count in made.items():
        if key is not None and count > 1:
            yield f"I2: key {key!r} opened {count} reviews"


def _decisions_stand(seen: Observed) -> Iterator[str]:
    by_id = {review["id"]: review for review in seen.reviews}
    sent = seen.acked("decide") + (seen.acked("intend") if seen.drained else [])
    for ack in sent:
        review = by_id.get(ack["review"])
        made = review["decision"] if review is not None else None
        if made is None:
            yield f"I3: the decision on {ack['review']!r} was acknowledged and is gone"
        elif made["decision_id"] != ack["decision_id"] or made["verdict"] != ack["verdict"]:
            yield f"I3: {ack['review']!r} was acknowledged as {ack['verdict']}, and another stands"
        elif made["proposal_hash"] != ack["hash"]:
            yield f"I3: the decision on {ack['review']!r} stands on another hash than was shown"


def _approved_effects(seen: Observed) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = defaultdict(list)
    for review in seen.reviews:
        decision = review["decision"]
        acts = review["name"]["place"] == "before" and not review["by_request"]
        if acts and decision and decision["verdict"] == "approve":
            found[review["run_id"]].append(review)
    return found


def _effects_were_approved(seen: Observed) -> Iterator[str]:
    approved = _approved_effects(seen)
    acked = {ack["review"]: ack for ack in seen.acked("decide")}
    for effect in seen.effects:
        reviews = approved.get(effect["run"], [])
        if not reviews:
            yield f"I4: run {effect['run']!r} acted and nobody approved it"
            continue
        shown = [acked.get(r["id"], {}).get("shown", seen.shown(r)) for r in reviews]
        if effect["proposal"] not in shown:
            yield f"I4: run {effect['run']!r} did {effect['proposal']}, and {shown} was approved"
    for review in seen.reviews:
        if _hash_of(review["proposal"]) != review["proposal_hash"]:
            yield f"I4: review {review['id']!r} does not have the hash of what it shows"


def _effects_happened_once(seen: Observed) -> Iterator[str]:
    keys: dict[str, set[str]] = defaultdict(set)
    for effect in seen.effects:
        keys[effect["run"]].add(effect["key"])
    runs = {run["id"]: run for run in seen.runs}
    for run_id, reviews in _approved_effects(seen).items():
        if len(keys[run_id]) > len(reviews):
            yield f"I5: run {run_id!r} acted under {len(keys[run_id])} keys for {len(reviews)} approvals"
        status = runs.get(run_id, {}).get("status")
        if (
            seen.drained
            and not keys[run_id]
            and status not in ("failed", "needs_attention", "stopped")
        ):
            yield f"I5: what was approved in run {run_id!r} never happened, and the run is {status}"


def _chain_is_whole(seen: Observed) -> Iterator[str]:
    heads: dict[str, tuple[int, str]] = {}
    last = 0
    for event in seen.events:
        number, head = heads.get(event["run_id"], (0, "0" * 64))
        linked = {"prev": head, "chain_seq": number + 1, "body": event["body"]}
        if event["seq"] <= last or event["chain_seq"] != number + 1 or event["prev"] != head:
            yield f"I6: event {event['seq']} does not follow the one before it"
        elif event["hash"] != hashlib.sha256(rfc8785.dumps(linked)).hexdigest():
            yield f"I6: event {event['seq']} is not what was written"
        heads[event["run_id"]] = (event["chain_seq"], event["hash"])
        last = event["seq"]


def _heads_fit(seen: Observed) -> Iterator[str]:
    for kept in seen.heads:
        head, covered = "0" * 64, [e for e in seen.events if e["seq"] <= kept["seq"]]
        for event in covered:
            head = hashlib.sha256(f"{head}{event['hash']}".encode()).hexdigest()
        if (len(covered), head) != (kept["events"], kept["head"]):
            yield f"I6: the trail does not fit the head kept elsewhere at event {kept['seq']}"


def _trail_agrees(seen: Observed) -> Iterator[str]:
    said: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for event in seen.events:
        said[event["body"]["subject"], event["body"]["action"]].append(event["body"])
    for review in seen.reviews:
        opened = len(said[review["id"], "review.opened"])
        if opened != 1:
            yield f"I6: review {review['id']!r} was opened {opened} times on the trail"
        yield from _decided_once(review, said)
    for ack in seen.acked("cancel"):
        if len(said[ack["review"], "review.cancelled"]) != 1:
            yield f"I6: the cancelling of {ack['review']!r} is not on the trail"
    for run in seen.runs:
        if run["workflow"] == "requests":
            continue
        begun = sum(len(said[run["id"], f"run.{word}"]) for word in ("started", "adopted"))
        if begun != 1:
            yield f"I6: run {run['id']!r} began {begun} times on the trail"
        if run["status"] == "done" and not said[run["id"], "run.done"]:
            yield f"I6: run {run['id']!r} is done and the trail does not say so"


def _decided_once(review: Json, said: dict[tuple[str, str], list[Json]]) -> Iterator[str]:
    told = said[review["id"], "review.decided"] + said[review["id"], "review.expired"]
    decision = review["decision"]
    if len(told) != (decision is not None):
        yield f"I6: review {review['id']!r} is decided {len(told)} times on the trail"
    if len(said[review["id"], "step.committed"]) > 1:
        yield f"I6: review {review['id']!r} was committed more than once"
    for body in told:
        same = decision is not None and all(
            body[name] == decision[name] for name in ("decision_id", "verdict", "proposal_hash")
        )
        if "decision_id" in body and not same:
            yield f"I6: the trail tells another decision on {review['id']!r} than the review"


def _everything_ended(seen: Observed) -> Iterator[str]:
    if not seen.drained:
        return
    for review in seen.reviews:
        if review["status"] not in FINAL:
            yield f"I7: review {review['id']!r} is {review['status']} after the drain"
    for run in seen.runs:
        if run["status"] not in ENDED:
            yield f"I7: run {run['id']!r} is {run['status']} after the drain"
        elif run["status"] in ("failed", "needs_attention") and not seen.failed_runs_allowed:
            yield f"I7: run {run['id']!r} is {run['status']}: {run['reason']}"
    for review in seen.reviews:
        if review["status"] == "approved" and review["blocking"] and not review["by_request"]:
            yield f"I7: review {review['id']!r} was approved and never carried out"


def _labels_are_people(seen: Observed) -> Iterator[str]:
    for review in seen.reviews:
        decision = review["decision"]
        if decision is None:
            continue
        is_policy = decision["by"] == "policy" or decision["surface"] == "policy"
        if is_policy != (decision["made_by"] == "policy"):
            yield f"I8: the decision on {review['id']!r} by {decision['by']!r} is labelled wrongly"
    told = Counter(ack["run"] for ack in seen.acked("outcome"))
    kept = Counter(outcome["run_id"] for outcome in seen.outcomes)
    for run_id in told.keys() | kept.keys():
        if kept[run_id] != 1 and (seen.drained or kept[run_id] > 1 or told[run_id]):
            yield f"I8: run {run_id!r} has {kept[run_id]} labels"


def _secrets_stay(seen: Observed) -> Iterator[str]:
    told = "\n".join(rfc8785.dumps(event["body"]).decode() for event in seen.events)
    for name, text in {**seen.texts, "the trail": told}.items():
        for canary in seen.canaries:
            if canary in text:
                yield f"I9: a secret of a proposal stands in {name}"


def _budgets_hold(seen: Observed) -> Iterator[str]:
    spent: dict[tuple[Any, ...], int] = Counter()
    for review in seen.reviews:
        if review["by_request"]:
            continue
        name = review["name"]
        key = (review["run_id"], name["step"], name["place"], name["visit"], name["shard"])
        spent[key] = max(spent[key], review["attempt"])
    for key, attempts in spent.items():
        if attempts > seen.most_attempts:
            yield f"I10: step {key[1]!r} of run {key[0]!r} was tried {attempts} times"


def _hash_of(proposal: Json) -> str:
    names = ("action", "arguments", "target", "policy_hash", "review_id", "blob_sha256")
    return hashlib.sha256(rfc8785.dumps({name: proposal[name] for name in names})).hexdigest()


def told(problems: Iterable[str]) -> str:
    """Return violations as lines to print."""
    return "\n".join(f"  {problem}" for problem in problems)
