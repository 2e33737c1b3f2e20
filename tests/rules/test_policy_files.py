"""What a policy file may not say, and the sentence it is answered with."""

from pathlib import Path

import pytest

from hitl.errors import NotBuilt, PolicyFileError
from hitl.policy import EscalationPolicy


def refusal(text: str) -> str:
    with pytest.raises(PolicyFileError) as refused:
        EscalationPolicy.from_yaml(text, source="policy.yaml")
    assert refused.value.source == "policy.yaml"
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: p\ncheckpoint: []", "unknown key 'checkpoint' in the policy; the known keys are"),
        (
            "name: p\ncheckpoints: [{step: read, confidense_below: .9}]",
            "unknown key 'confidense_below' in checkpoint 'read' (checkpoints[0]); the known keys",
        ),
        (
            "name: p\ncheckpoints: [{step: a}, {step: b, on_deny: [{retry: {tries: 3}}]}]",
            "unknown key 'tries' in 'retry' in 'on_deny' of checkpoint 'b' (checkpoints[1]);"
            " the known keys are 'attempts', 'until', 'within'.",
        ),
        (
            "name: p\ncheckpoints: [{step: a, on_deny: [{stop: {now: true}}]}]",
            "unknown key 'now' in 'stop' in 'on_deny' of checkpoint 'a' (checkpoints[0]);"
            " it takes none.",
        ),
        ("name: p\nreviewer: {sens: 1}", "unknown key 'sens' in 'reviewer'; the known keys are"),
        ("name: p\n7: 8", "unknown key '7' in the policy"),
    ],
)
def test_an_unknown_key_is_answered_with_its_place_and_the_known_keys(
    text: str, sentence: str
) -> None:
    assert refusal(text).startswith("Policy 'policy.yaml': ")
    assert sentence in refusal(text)


def test_a_slip_of_the_pen_is_answered_with_the_key_that_was_meant() -> None:
    said = refusal("name: p\ncheckpoints: [{step: read, confidense_below: .9}]")

    assert said.endswith("Did you mean 'confidence_below'?")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the policy is None; it must be keys with values."),
        ("- a", "the policy is ['a']; it must be keys with values."),
        ("version: '1'", "the policy has no 'name'; give it one."),
        ("name: p\nname: q", "key 'name' is given twice"),
        ("name: p\ncheckpoints: [{step: a, step: b}]", "key 'step' is given twice"),
        ("name: [", "while parsing a flow node"),
        ("name: !!python/object:os.system x", "could not determine a constructor"),
        ("name: p\nversion: 1.10", "version 1.1 is a number; put it in quotes."),
        ("name: p\ncheckpoints: {step: a}", "'checkpoints' is {'step': 'a'}; it must be a list."),
        ("name: p\ncheckpoints:", "'checkpoints' is None; it must be a list."),
        ("name: p\ncheckpoints: [a]", "checkpoints[0] is 'a'; it must be keys with values."),
        ("name: p\ncheckpoints: [{always: true}]", "checkpoints[0] has no 'step'; name the step"),
        ("name: p\ncheckpoints: [{step: a, on_deny: stop}]", "is 'stop'; it must be a list."),
        (
            "name: p\ncheckpoints: [{step: a, on_deny: [retri]}]",
            "'on_deny' of checkpoint 'a' (checkpoints[0]) has 'retri', which is no remedy; there"
            " are 'retry', 'answer', 'takeover', 'rollback', 'stop'.",
        ),
        ("name: p\ncheckpoints: [{step: a, on_deny: [{retry: 1, stop: }]}]", "which is no remedy"),
        ("name: p\ncheckpoints: [{step: a, on_deny: [3]}]", "has 3, which is no remedy"),
        (
            "name: p\ncheckpoints: [{step: a, on_deny: [{retry: 0}]}]",
            "'on_deny' of checkpoint 'a' (checkpoints[0]): Retry: attempts is 0; it must be a whole",
        ),
        ("name: p\ncheckpoints: [{step: a, on_expiry: answer}]", "cannot have Answer as on_expiry"),
        ("name: p\nreviewer: 0.9", "'reviewer' is 0.9; it must be keys with values."),
        ("name: p\nreviewer: {sensitivity: 1}", "'reviewer' has no 'specificity'; both are needed"),
        ("name: p\naccuracy: 0.9", "'accuracy' is 0.9; it must be keys with values."),
        ("name: p\nspot_check: 1.5", "spot_check is 1.5; it must be a probability in [0, 1]."),
        ("name: p\nspot_check: .nan", "spot_check is nan; it must be a probability in [0, 1]."),
        ("name: p\nspot_check: yes", "spot_check is True; it must be a probability in [0, 1]."),
        ("name: p\ntimezone: Mars/Olympus", "Timezone 'Mars/Olympus' is not known"),
        ("name: 7", "Policy 7: name is 7; it should be a valid string."),
        ("name: p\ncheckpoints: [{step: a}, {step: a}]", "has two checkpoints after step 'a'"),
        ("name: p\ncheckpoints: [{step: a, rule: 5}]", "Checkpoint 'a': rule is 5; it should be"),
    ],
)
def test_what_does_not_say_a_policy_is_answered_with_a_sentence(text: str, sentence: str) -> None:
    assert sentence in refusal(text)
    assert "\n" not in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "name: p\nautonomy: earned",
        "name: p\ncheckpoints: [{step: a, tags: [effect]}]",
        "name: p\ncheckpoints: [{step: a, autonomy: earned}]",
    ],
)
def test_a_feature_that_is_not_built_is_refused_at_load(text: str) -> None:
    with pytest.raises(NotBuilt, match="is not built in this version of hitl; leave it out"):
        EscalationPolicy.from_yaml(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing, torn = tmp_path / "missing.yaml", tmp_path / "torn.yaml"
    torn.write_bytes(b"name: \xff")

    for file in (missing, torn, tmp_path):
        with pytest.raises(PolicyFileError, match="it cannot be read") as refused:
            EscalationPolicy.load(file)
        assert str(file) in str(refused.value)
