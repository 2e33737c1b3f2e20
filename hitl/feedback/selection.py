"""What goes into a dataset, in which split, and what of it is blacked out."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, Field, JsonValue, ValidationError, field_validator

from hitl.errors import ConfigurationError
from hitl.feedback.examples import Kind, LabelledExample, LabelSource
from hitl.models import Record

REDACTED = "[redacted]"
_SHORTEST = 3
"""Characters a value must have to be looked for in texts; shorter ones would black out half of them."""

GroupBy = Literal["run", "task", "customer"]


class Selection(Record):
    """Which examples are wanted. Known-answer items never are: they measure reviewers, not agents."""

    workflow: str | None = None
    steps: tuple[str, ...] = ()
    """Only these; none for all."""
    kinds: tuple[Kind, ...] = ()
    """Only these; none for all."""
    label_sources: tuple[LabelSource, ...] = ("human",)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    """Labelled at or after `since`, and before `until`."""
    not_wrong: tuple[str, ...] = ()
    """Reasons for a deny that do not mean wrong."""

    def problem(self, example: LabelledExample) -> str | None:
        """Return why an example is not wanted, or None."""
        if example.kind == "known_answer":
            return "known answer"
        if example.label_source not in self.label_sources:
            return f"label of {example.label_source}"
        if self.steps and example.step not in self.steps:
            return "other step"
        if self.kinds and example.kind not in self.kinds:
            return "other kind"
        early = self.since is not None and example.labelled_at < self.since
        late = self.until is not None and example.labelled_at >= self.until
        if early or late:
            return "other time"
        return "no propensity" if example.weight == 0.0 else None


class Splits(Record):
    """Into which parts a dataset is divided. A group is never divided, so nothing leaks across."""

    shares: dict[str, float] = Field(default_factory=lambda: {"all": 1.0})
    """Per split, its share of the groups; together 1."""
    by: GroupBy = "run"
    """`run`; `task`: all runs that were given the same; `customer`: the run key."""
    seed: str = ""
    """Another seed, another division."""

    @field_validator("shares")
    @classmethod
    def _together_one(cls, shares: dict[str, float]) -> dict[str, float]:
        if not shares or min(shares.values()) <= 0 or abs(sum(shares.values()) - 1.0) > 1e-9:
            raise ValueError(f"shares are above 0 and together 1; these are {shares}")
        return shares

    def of(self, example: LabelledExample) -> str:
        """Return the split an example belongs to.

        It depends on seed and group alone: what was in the test split stays there as data grows.
        """
        key = {"run": example.run_id, "task": example.task_key, "customer": example.run_key}[
            self.by
        ]
        at = uniform(f"{self.seed}|{self.by}|{key}")
        below = 0.0
        for name, share in self.shares.items():
            below += share
            if at < below:
                return name
        return name


def uniform(key: str) -> float:
    """Return a number in [0, 1) that depends on the key alone: BLAKE2b, 64 bits of it."""
    drawn = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(drawn) / 2**64


# -- redaction ------------------------------------------------------------------------------------

_TEXTS = ("reviewer", "note", "reasons", "input", "proposal", "correction", "shown", "signals")
"""The fields of an example that hold text of people and agents; the others are looked at in no case."""


def redacted(
    examples: Iterable[LabelledExample], fields: Iterable[str]
) -> Iterator[LabelledExample]:
    """Yield the examples with what is in the named fields blacked out, wherever it is repeated.

    A name is that of a key, at any depth of input, proposal, correction and what was shown; or
    `reviewer`, `note`, `reasons`. Its text is blacked out in titles, evidence and notes, too.

    Raises:
        ConfigurationError: A name is that of a field datasets cannot do without.
    """
    names = frozenset(fields)
    fixed = sorted(names & (set(LabelledExample.model_fields) - set(_TEXTS)))
    if fixed:
        raise ConfigurationError(
            f"The field {fixed[0]!r} cannot be redacted: a dataset needs it. Nothing was written;"
            " name keys of inputs and proposals, or 'reviewer', 'note', 'reasons'."
        )
    for example in examples:
        yield _blacked_out(example, names) if names else example


def _blacked_out(example: LabelledExample, names: frozenset[str]) -> LabelledExample:
    plain = example.model_dump(mode="json", include=set(_TEXTS))
    secrets: set[str] = set()
    _collect(plain, names, secrets, inside=False)
    longest_first = sorted(secrets, key=len, reverse=True)
    hidden = {name: _hide(value, names, longest_first) for name, value in plain.items()}
    for name in names & plain.keys():
        hidden[name] = [REDACTED] * bool(plain[name]) if name == "reasons" else _black(plain[name])
    try:
        return LabelledExample.model_validate({**example.model_dump(), **hidden})
    except ValidationError as problem:
        told = ", ".join(sorted(names))
        raise ConfigurationError(
            f"One of the fields {told} cannot be redacted: it is also the name of a figure or a word"
            f" that examples need ({problem.errors()[0]['loc']}). Nothing was written."
        ) from problem


def _collect(value: Any, names: frozenset[str], found: set[str], *, inside: bool) -> None:
    if isinstance(value, Mapping):
        named = value.get("field") in names and "after" in value
        for key, item in value.items():
            _collect(
                item, names, found, inside=inside or key in names or (named and key != "field")
            )
    elif isinstance(value, list):
        for item in value:
            _collect(item, names, found, inside=inside)
    elif inside and value is not None and not isinstance(value, bool):
        text = str(value)
        if len(text) >= _SHORTEST:
            found.add(text)


def _hide(value: JsonValue, names: frozenset[str], secrets: list[str]) -> JsonValue:
    if isinstance(value, dict):
        named = value.get("field") in names and "after" in value
        return {
            key: _black(item)
            if key in names or (named and key in ("before", "after"))
            else _hide(item, names, secrets)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_hide(item, names, secrets) for item in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, REDACTED)
    return value


def _black(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _black(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_black(item) for item in value]
    return value if value is None else REDACTED
