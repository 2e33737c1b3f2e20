"""`hitl runs` and `hitl reviews`."""

import json

import pytest

from hitl.client import ReviewDetail, ReviewPage, RunPage
from hitl.reviews import RunTimeline
from tests.cli.conftest import Command, Shop

CONTROLS = {chr(c) for c in (*range(0x20), *range(0x7F, 0xA0), 0x202E, 0x200B)} - {"\n"}


def test_runs_are_listed_newest_first(hitl: Command, shop: Shop) -> None:
    said = hitl("runs", "--store", shop.url)

    assert said.code == 0
    newest, oldest = (said.out.index(r.run_id) for r in (shop.hostile, shop.plain))
    assert newest < oldest
    assert said.out.count("waiting") == 2


def test_runs_as_json_are_the_page_of_the_api(hitl: Command, shop: Shop) -> None:
    said = hitl("runs", "--store", shop.url, "--json", "--limit", "1")

    page = RunPage.model_validate_json(said.out)
    assert [run.id for run in page.runs] == [shop.hostile.run_id]
    assert page.next == shop.hostile.run_id


def test_runs_can_be_picked_by_status_and_workflow(hitl: Command, shop: Shop) -> None:
    done = hitl("runs", "--store", shop.url, "--status", "done")
    other = hitl("runs", "--store", shop.url, "--workflow", "refunds", "--json")

    assert done.out == "No such runs.\n"
    assert json.loads(other.out) == {"runs": [], "next": None}


def test_a_run_tells_its_story(hitl: Command, shop: Shop) -> None:
    said = hitl("runs", shop.plain.run_id, "--store", shop.url)

    assert said.code == 0
    assert f"Run {shop.plain.run_id} of payments is waiting." in said.out
    assert "read_invoice" in said.out
    assert "Confidence 0.62 is below 0.90." in said.out
    assert f"pending: {shop.plain.id}" in said.out


def test_a_run_as_json_is_its_timeline(hitl: Command, shop: Shop) -> None:
    said = hitl("runs", shop.plain.run_id, "--store", shop.url, "--json")

    story = RunTimeline.model_validate_json(said.out)
    assert [step.gate.name.step for step in story.steps] == ["read_invoice"]
    assert story.reviews[0].id == shop.plain.id


def test_reviews_that_wait_are_listed_with_their_question(hitl: Command, shop: Shop) -> None:
    said = hitl("reviews", "--store", shop.url)

    assert said.code == 0
    assert shop.plain.id in said.out
    assert "Read EUR 48.00 to Alba & Sons" in said.out
    assert "0.62" in said.out


def test_reviews_as_json_are_the_page_of_the_api(hitl: Command, shop: Shop) -> None:
    of_run = ("--run", shop.plain.run_id)

    said = hitl("reviews", "--store", shop.url, "--all", *of_run, "--json")

    assert [r.id for r in ReviewPage.model_validate_json(said.out).reviews] == [shop.plain.id]


def test_nothing_waits_is_said_so(hitl: Command, shop: Shop) -> None:
    said = hitl("reviews", "--store", shop.url, "--workflow", "refunds")

    assert said.out == "Nothing waits.\n"


def test_a_review_shows_all_that_a_decision_rests_on(hitl: Command, shop: Shop) -> None:
    said = hitl("reviews", shop.plain.id, "--store", shop.url)

    for part in (
        "Confidence 0.62 is below 0.90.",
        "Reliability 0.62 is below 0.70.",
        'update.amount: "EUR 48.00"',
        'amount: null → "EUR 48.00"',
        "wrong amount, wrong payee",
        "retry (Retry, 2 left)",
        f"hash {shop.plain.proposal_hash}",
    ):
        assert part in said.out


def test_a_review_as_json_is_that_of_the_api(hitl: Command, shop: Shop) -> None:
    said = hitl("reviews", shop.plain.id, "--store", shop.url, "--json")

    assert ReviewDetail.model_validate_json(said.out).proposal_hash == shop.plain.proposal_hash


@pytest.mark.parametrize("words", [("runs",), ("reviews",), ("reviews", "--all", "--json")])
def test_hostile_text_is_inert_in_every_listing(
    hitl: Command, shop: Shop, words: tuple[str, ...]
) -> None:
    said = hitl(*words, "--store", shop.url)

    assert CONTROLS.isdisjoint(said.out)


def test_hostile_text_is_shown_for_what_it_is(hitl: Command, shop: Shop) -> None:
    said = hitl("reviews", shop.hostile.id, "--store", shop.url)

    assert CONTROLS.isdisjoint(said.out)
    assert "\\x1b[2J\\x9b\\u202eSons & Evil\\u200b\\x07[bold]" in said.out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("runs", "run_nope"), 1, "No run with id 'run_nope'."),
        (("reviews", "rev_\x1b"), 1, "No review with id 'rev_\\x1b'."),
        (("runs", "--status", "sleeping"), 2, "'needs_attention'"),
        (("reviews", "--status", "sleeping"), 2, "'superseded'"),
        (("runs", "--limit", "0"), 2, "--limit"),
    ],
)
def test_what_cannot_be_found_is_a_sentence(
    hitl: Command, shop: Shop, words: tuple[str, ...], code: int, sentence: str
) -> None:
    said = hitl(*words, "--store", shop.url)

    assert (said.code, said.out) == (code, "")
    assert sentence in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite:////no/such/folder/hitl.db", "there is no such file to read"),
        ("hitl.db", "this is not a store URL"),
        ("mysql://x/y", "the scheme 'mysql' is not known"),
        ("postgresql://ana:secret@127.0.0.1:1/hitl", "Connection refused"),
    ],
)
def test_a_store_that_cannot_be_opened_is_a_sentence(
    hitl: Command, url: str, sentence: str
) -> None:
    said = hitl("reviews", "--store", url)

    assert said.code in (1, 2)
    assert sentence in said.err
    assert "secret" not in said.err


def test_looking_makes_no_database(hitl: Command, url: str) -> None:
    said = hitl("runs", "--store", url)

    assert said.code == 1
    assert hitl("runs", "--store", url).err == said.err


def test_the_store_can_be_named_by_the_environment(
    hitl: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HITL_STORE", shop.url)

    assert shop.plain.id in hitl("reviews").out


@pytest.mark.parametrize("words", [("runs",), ("reviews",)])
def test_ids_stay_whole_on_a_narrow_terminal(
    hitl: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    said = hitl(*words, "--store", shop.url)

    assert (shop.plain.run_id if words == ("runs",) else shop.plain.id) in said.out
