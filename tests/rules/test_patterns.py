"""What a checkpoint may stand for: globs, tags, tools; which of several counts; the dry run."""

from collections.abc import Callable

import pytest

from hitl.errors import ConfigurationError
from hitl.models import Place
from hitl.policy import (
    Answer,
    Checkpoint,
    Escalate,
    EscalationPolicy,
    GateFacts,
    Pass,
    Step,
    Stop,
    Tool,
    gate,
)

Facts = Callable[..., GateFacts]

STEPS = (
    Step("plan"),
    Step("send_note", tags=frozenset({"effect"})),
    Step("mail/send_letter", tags=frozenset({"effect", "slow"})),
    Step(
        "tools",
        tools=(
            Tool("search"),
            Tool("send_mail", frozenset({"effect"})),
            Tool("send_fax"),
        ),
    ),
)


def policy(*checkpoints: Checkpoint, **changes: object) -> EscalationPolicy:
    return EscalationPolicy("p", checkpoints=checkpoints, **changes)  # type: ignore[arg-type] # by key


@pytest.mark.parametrize(
    ("pattern", "steps", "tools"),
    [
        ("plan", ("plan",), ()),
        ("*/send_*", ("mail/send_letter",), ()),
        ("*send_*", ("send_note", "mail/send_letter"), ()),
        ("mail/*", ("mail/send_letter",), ()),
        ("[ps]*", ("plan", "send_note"), ()),
        ("tag:effect", ("send_note", "mail/send_letter"), ()),
        ("tag:s*", ("mail/send_letter",), ()),
        ("tool:send_*", ("tools",), ("send_fax", "send_mail")),
        ("tool:search", ("tools",), ("search",)),
        ("tool:tag:effect", ("tools",), ("send_mail",)),
    ],
)
def test_a_dry_run_lists_what_each_checkpoint_stands_at(
    pattern: str, steps: tuple[str, ...], tools: tuple[str, ...]
) -> None:
    (match,) = policy(Checkpoint(pattern)).matches(STEPS)

    assert (match.steps, match.tools, match.overruled) == (steps, tools, ())


def test_an_exact_path_wins_over_patterns_of_steps_and_the_dry_run_says_so() -> None:
    rules = policy(Checkpoint("*send_*", always=True), Checkpoint("send_note", spot_check=0.1))

    pattern, exact = rules.matches(STEPS)

    assert rules.on(STEPS).at("send_note", Place.AFTER) == (exact.checkpoint,)
    assert pattern.steps == ("mail/send_letter",)
    assert pattern.overruled == ("send_note",)
    assert exact.steps == ("send_note",)


def test_an_exact_path_wins_only_at_its_own_place() -> None:
    rules = policy(Checkpoint("tag:effect", place="before"), Checkpoint("send_note")).on(STEPS)

    assert [c.step for c in rules.at("send_note", Place.BEFORE)] == ["tag:effect"]
    assert [c.step for c in rules.at("send_note", Place.AFTER)] == ["send_note"]


def test_two_patterns_at_one_step_record_all_triggers_and_follow_the_first(facts: Facts) -> None:
    first = Checkpoint("tag:effect", confidence_below=0.9, on_deny=[Answer()], risk="high")
    second = Checkpoint("*send_*", always=True, on_deny=[Stop()])

    verdict = gate(policy(first, second).on(STEPS), facts("send_note", p=0.5))

    assert isinstance(verdict, Escalate)
    assert [t.kind for t in verdict.triggers] == ["confidence", "always"]
    assert verdict.checkpoint == first


def test_a_pattern_of_tools_asks_only_about_calls_of_such_tools(facts: Facts) -> None:
    rules = policy(Checkpoint("tool:send_*", always=True)).on(STEPS)
    ask = {
        calls: gate(rules, facts("tools", Place.BEFORE, calls=calls))
        for calls in [("search",), ("send_mail",), ("search", "send_fax"), ()]
    }

    assert isinstance(ask["search",], Pass)
    assert isinstance(ask[()], Pass)
    assert isinstance(ask["send_mail",], Escalate)
    assert isinstance(ask["search", "send_fax"], Escalate)


def test_a_tool_the_step_does_not_declare_has_unknown_tags_so_a_person_is_asked(
    facts: Facts,
) -> None:
    rules = policy(Checkpoint("tool:tag:effect", always=True)).on(STEPS)

    assert isinstance(gate(rules, facts("tools", Place.BEFORE, calls=("made_up",))), Escalate)
    assert isinstance(gate(rules, facts("tools", Place.BEFORE, calls=("send_fax",))), Pass)


def test_an_exact_path_does_not_silence_a_pattern_of_tools_and_the_tools_lead(facts: Facts) -> None:
    node = Checkpoint("tools", place="before", spot_check=0.5)
    sends = Checkpoint("tool:send_*", always=True, risk="high")
    rules = policy(node, sends).on(STEPS)

    assert rules.applying("tools", Place.BEFORE, calls=["send_mail"]) == (sends, node)
    assert rules.applying("tools", Place.BEFORE, calls=["search"]) == (node,)


def test_tool_calls_are_asked_about_before_they_run_and_cannot_be_retried() -> None:
    checkpoint = Checkpoint("tool:send_*")

    assert checkpoint.place is Place.BEFORE
    assert checkpoint.on_deny == (Stop(),)
    assert EscalationPolicy.from_yaml(policy(checkpoint).to_yaml()) == policy(checkpoint)
    assert EscalationPolicy.from_yaml("name: p\ncheckpoints: [{step: 'tool:send_*'}]") == policy(
        checkpoint
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Checkpoint("tag:"), "Checkpoint 'tag:' does not say which; write it like"),
        (lambda: Checkpoint("tool:tag:"), "Checkpoint 'tool:tag:' does not say which"),
        (
            lambda: Checkpoint("tool:a", place="after"),
            "Checkpoint 'tool:a' stands for tool calls, which are asked about before they run",
        ),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(
    make: Callable[[], object], sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make()

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        (
            "*/sned_note",
            "Checkpoint '*/sned_note' matches no step; the graph's steps are: 'mail/send_letter',"
            " 'plan', 'send_note', 'tools'. Nearest: 'send_note'",
        ),
        ("tag:efect", "matches no step tag; the graph's step tags are: 'effect', 'slow'. Nearest"),
        ("tool:sned_mail", "matches no tool; the graph's tools are: 'search', 'send_fax', 'send_m"),
        ("tool:tag:slow", "matches no tool tag; the graph's tool tags are: 'effect'. Change the"),
    ],
)
def test_a_pattern_that_matches_nothing_is_refused_with_the_nearest_names(
    pattern: str, sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        policy(Checkpoint(pattern)).check(STEPS)

    assert sentence in str(refused.value)


def test_patterns_that_match_can_be_used() -> None:
    policy(Checkpoint("*/send_*"), Checkpoint("tag:effect"), Checkpoint("tool:*")).check(STEPS)


def test_knowing_the_steps_changes_neither_the_policy_nor_its_hash() -> None:
    rules = policy(Checkpoint("tag:effect"), Checkpoint("plan"))
    known = rules.on(STEPS)

    assert known == rules
    assert known.content_hash == rules.content_hash
    assert rules.at("send_note", Place.AFTER) == ()
    assert known.at("send_note", Place.AFTER) == (rules.checkpoints[0],)
    assert known.model_copy(update={"version": "2"}).at("send_note", Place.AFTER)


def test_a_policy_written_before_patterns_keeps_its_hash() -> None:
    rules = policy(Checkpoint("pay", place="before", always=True), Checkpoint("plan"))

    assert rules.content_hash == "5314e4cb690ce81c3faac612e52f114faf897c4798052521306529797082e7e8"


def test_accuracy_of_a_pattern_gives_way_to_an_exact_path_and_goes_before_a_glob() -> None:
    rules = policy(Checkpoint("*send_*", accuracy=0.8), accuracy={"send_note": 0.7, "*": 0.6}).on(
        STEPS
    )

    said = [rules.declared_accuracy(s) for s in ("send_note", "mail/send_letter", "plan")]
    assert said == [0.7, 0.8, 0.6]
