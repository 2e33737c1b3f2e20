"""A policy as a file: YAML text in, the arguments of an `EscalationPolicy` out, and back.

Keys are looked at before anything is built, so that a slip of the pen is answered with the key, the
place and what is known there.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import yaml

from hitl.errors import ConfigurationError, NotBuilt
from hitl.models import JsonObject, RemedyKind
from hitl.policy.checkpoint import Checkpoint
from hitl.policy.doubt import Critic, Doubt, Judge, Rollouts
from hitl.policy.questions import AskGate
from hitl.policy.remedies import Answer, Remedy, Retry, Rollback, Stop, Takeover
from hitl.policy.reviewer import Reviewer

POLICY_KEYS = (
    "name",
    "version",
    "timezone",
    "reliability_below",
    "spot_check",
    "spot_check_runs",
    "checkpoints",
    "accuracy",
    "reviewer",
    "questions",
)
LATER_KEYS = frozenset({"tags", "tools", "autonomy", "error_at_most", "sure"})
"""Keys of features that are not built yet, of a policy or of a checkpoint."""
CHECKPOINT_KEYS = tuple(key for key in Checkpoint.model_fields if key not in LATER_KEYS)
REVIEWER_KEYS = tuple(Reviewer.model_fields)
QUESTION_KEYS = tuple(AskGate.model_fields)

_REMEDIES: dict[str, type[Remedy]] = {
    RemedyKind.RETRY.value: Retry,
    RemedyKind.ANSWER.value: Answer,
    RemedyKind.TAKEOVER.value: Takeover,
    RemedyKind.ROLLBACK.value: Rollback,
    RemedyKind.STOP.value: Stop,
}
_DOUBTS: dict[str, type[Doubt]] = {
    RemedyKind.RETRY.value: Retry,
    "critic": Critic,
    "judge": Judge,
    "rollouts": Rollouts,
}
_SHORT = {"critic": "function", "judge": "function", "takeover": "scope"}
"""What a bare value after a remedy's name is; `attempts` for the others."""


class _Loader(yaml.SafeLoader):
    """YAML without its surprises: no dates, no base-60 numbers, no key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the signature is PyYAML's
        """See `yaml.SafeLoader`; refuses a key that is given twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, text) for tag, text in known if not tag.endswith((":timestamp", ":int"))]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)


class _Dumper(yaml.SafeDumper):
    """Writes texts so that `_Loader` reads the same texts."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Escape what PyYAML would write bare and read back as a space."""
    style = '"' if _LINE_BREAKS & set(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_LINE_BREAKS = frozenset("\r\x85\u2028\u2029")
_Dumper.add_representer(str, _text)


def read_yaml(text: str) -> object:
    """Return what the text says, as plain data.

    Raises:
        ConfigurationError: The text is not YAML, or gives a key twice.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader, see above
    except yaml.YAMLError as problem:
        raise ConfigurationError(" ".join(str(problem).split())) from problem


def write_yaml(body: JsonObject) -> str:
    """Return `body` as YAML, in the order of its keys."""
    return yaml.dump(body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def policy_arguments(data: object) -> dict[str, Any]:
    """Return the keyword arguments of an `EscalationPolicy` for plain data.

    Raises:
        ConfigurationError: A key is not known, missing, or has no value that can be read.
        NotBuilt: A key belongs to a feature that this version does not have.
    """
    given = _mapping(data, "the policy", POLICY_KEYS)
    if "name" not in given:
        raise ConfigurationError("the policy has no 'name'; give it one.")
    given["version"] = _version(given.get("version", "1"))
    given["checkpoints"] = [
        _checkpoint(item, f"checkpoints[{n}]")
        for n, item in enumerate(_list(given.get("checkpoints", []), "'checkpoints'"))
    ]
    if given.get("reviewer") is not None:
        given["reviewer"] = _reviewer(given["reviewer"])
    if given.get("questions") is not None:
        given["questions"] = AskGate(**_mapping(given["questions"], "'questions'", QUESTION_KEYS))
    if "accuracy" in given:
        given["accuracy"] = _mapping(given["accuracy"], "'accuracy'", None)
    return given


def _reviewer(data: object) -> Reviewer:
    given = _mapping(data, "'reviewer'", REVIEWER_KEYS)
    for key in REVIEWER_KEYS:
        if key not in given:
            raise ConfigurationError(f"'reviewer' has no {key!r}; both are needed.")
    return Reviewer(**given)


def _checkpoint(data: object, place: str) -> Checkpoint:
    step = data.get("step") if isinstance(data, dict) else None
    what = f"checkpoint {step!r} ({place})" if step else place
    given = _mapping(data, what, CHECKPOINT_KEYS)
    if not step:
        raise ConfigurationError(f"{place} has no 'step'; name the step it belongs to.")
    if "on_deny" in given:
        rungs = _list(given["on_deny"], f"'on_deny' of {what}")
        given["on_deny"] = [_remedy(rung, f"'on_deny' of {what}") for rung in rungs]
    if "on_doubt" in given:
        rungs = _list(given["on_doubt"], f"'on_doubt' of {what}")
        given["on_doubt"] = [_rung(each, f"'on_doubt' of {what}", _DOUBTS) for each in rungs]
    if "on_expiry" in given:
        given["on_expiry"] = _remedy(given["on_expiry"], f"'on_expiry' of {what}")
    return Checkpoint(**given)


def _remedy(data: object, where: str) -> Remedy:
    remedy: Remedy = _rung(data, where, _REMEDIES)
    return remedy


def _rung(data: object, where: str, among: Mapping[str, type[Any]]) -> Any:
    """Return the remedy written as `stop`, `retry: 3`, `retry: {attempts: 3}` or `kind: retry`."""
    kind, given = _remedy_parts(data)
    if not isinstance(kind, str) or kind not in among:
        known = ", ".join(repr(name) for name in among)
        raise ConfigurationError(f"{where} has {data!r}, which is no remedy; there are {known}.")
    made = among[kind]
    known_keys = [key for key in made.model_fields if key != "kind"]
    arguments = _mapping(given, f"{kind!r} in {where}", known_keys)
    try:
        return made(**arguments)
    except (ConfigurationError, TypeError) as problem:
        raise ConfigurationError(f"{where}: {problem}") from problem


def _remedy_parts(data: object) -> tuple[object, object]:
    if not isinstance(data, dict):
        return data, {}
    if "kind" in data:
        return data["kind"], {key: value for key, value in data.items() if key != "kind"}
    if len(data) != 1:
        return None, {}
    (kind, given), *_ = data.items()
    if given is None:
        return kind, {}
    return kind, given if isinstance(given, dict) else {_SHORT.get(str(kind), "attempts"): given}


def _mapping(data: object, what: str, known: Collection[str] | None) -> dict[str, Any]:
    """Return `data` if it is a mapping with known keys only; None for any keys."""
    if not isinstance(data, dict):
        raise ConfigurationError(f"{what} is {data!r}; it must be keys with values.")
    if known is not None:
        _check_keys(data, what, known)
    return dict(data)


def _check_keys(keys: Iterable[object], what: str, known: Collection[str]) -> None:
    for key in keys:
        if key in LATER_KEYS:
            raise NotBuilt(f"{key!r} in {what}")
        if key not in known:
            raise ConfigurationError(_unknown_key(str(key), what, known))


def _unknown_key(key: str, what: str, known: Collection[str]) -> str:
    near = get_close_matches(key, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    names = ", ".join(repr(name) for name in sorted(known))
    there = f"the known keys are {names}" if names else "it takes none"
    return f"unknown key {key!r} in {what}; {there}.{hint}"


def _list(data: object, what: str) -> list[Any]:
    if not isinstance(data, list):
        raise ConfigurationError(f"{what} is {data!r}; it must be a list.")
    return data


def _version(version: object) -> str:
    if isinstance(version, float):
        raise ConfigurationError(f"version {version!r} is a number; put it in quotes.")
    return str(version)
