"""`hitl policy evaluate`, `certify` and `export` on logs in files and in a store."""

import json
from pathlib import Path

import numpy as np
import pytest

from hitl.lab.log import read_file, write_file
from tests.cli.conftest import Command, Shop
from tests.lab.logs import synthetic


@pytest.fixture
def june(tmp_path: Path) -> str:
    log, _ = synthetic(np.random.default_rng(2), 3000, rate=0.2, unanswered=0.02)
    path = tmp_path / "june.jsonl"
    write_file(log, path)
    return str(path)


def test_evaluate_prints_a_table_and_sentences_and_writes_a_page(
    hitl: Command, june: str, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"

    said = hitl("policy", "evaluate", "--log", june, "--html", str(page), "--review-minutes", "2")

    assert said.code == 0
    assert "silent errors" in said.out
    assert "human minutes per 100 runs" in said.out
    assert "Approved unchanged is not needless" in said.out
    assert "reviews have no answer" in said.out
    assert page.read_text().startswith("<!doctype html>")


def test_evaluate_as_json_has_the_same_numbers(hitl: Command, june: str) -> None:
    said = json.loads(hitl("policy", "evaluate", "--log", june, "--json", "--by", "day").out)

    total = said["evaluation"]["total"]
    assert total["rows"] == 3000
    assert 0.0 <= total["silent"]["estimate"]["low"] <= total["silent"]["estimate"]["high"] <= 1.0
    assert [each["name"] for each in said["evaluation"]["slices"]] == ["2023-11-14"]
    assert any("not identifiable" in each for each in said["sentences"])


def test_certify_prints_a_threshold_as_a_policy_takes_it(hitl: Command, june: str) -> None:
    said = hitl("policy", "certify", "--log", june, "--error-at-most", "0.12", "--sure", "0.9")

    assert said.code == 0
    assert "proven, 90% sure" in said.out
    assert "Reviewers are taken to miss nothing" in said.out


def test_certify_says_none_and_takes_reviewers_into_account(hitl: Command, june: str) -> None:
    words = ("policy", "certify", "--log", june, "--error-at-most", "0.12", "--json")

    perfect = json.loads(hitl(*words).out)["certificates"][0]
    poor = json.loads(hitl(*words, "--caught", "5", "--shown", "10").out)["certificates"][0]

    assert perfect["certificate"]["sensitivity"] == 1.0
    assert poor["certificate"] is None
    assert "ask about everything" in poor["refusal"]


def test_a_stores_log_is_read_beside_its_writer_and_exported(
    hitl: Command, shop: Shop, tmp_path: Path
) -> None:
    file = tmp_path / "out.parquet"

    evaluated = hitl("policy", "evaluate", "--store", shop.url)
    exported = hitl("policy", "export", str(file), "--store", shop.url)

    assert evaluated.code == 0
    assert "No question was answered." in evaluated.out
    assert exported.code == 0
    assert f"{len(read_file(file))} rows are in" in exported.out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("evaluate", "--log", "nowhere.jsonl"), 2, "There is no gate log at 'nowhere.jsonl'"),
        (("evaluate", "--store", "sqlite:///nowhere.db"), 1, "nowhere.db"),
        (("certify", "--log", "JUNE", "--step", "pay"), 1, "the slice is empty"),
        (("certify", "--log", "JUNE", "--sure", "1.5"), 2, "--sure must lie between 0 and 1"),
        (("evaluate", "--log", "JUNE", "--policy-hash", "zz"), 1, "policy_hash 'zz'"),
        (("evaluate", "--log", "JUNE", "--not-wrong", "later"), 2, "--not-wrong is for a store"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    hitl: Command, june: str, words: tuple[str, ...], code: int, sentence: str
) -> None:
    said = hitl("policy", *(june if word == "JUNE" else word for word in words))

    assert said.code == code
    assert sentence in said.err


CANDIDATE = """
name: stricter
checkpoints:
  - step: read
    confidence_below: 0.9
"""


def test_compare_lists_what_would_change_most_costly_first(
    hitl: Command, june: str, tmp_path: Path
) -> None:
    file = tmp_path / "stricter.yaml"
    file.write_text(CANDIDATE)
    words = ("policy", "compare", "--log", june, "--candidate", str(file))

    said = hitl(*words, "--limit", "3")
    plain = json.loads(hitl(*words, "--json").out)["comparison"]

    assert said.code == 0
    assert "candidate stricter" in said.out
    assert "Confidence 0." in said.out
    assert "more changes" in said.out
    assert plain["asked_candidate"] > plain["asked_live"]
    assert [c["cost"] for c in plain["changes"]] == sorted(
        (c["cost"] for c in plain["changes"]), reverse=True
    )


def test_plan_prints_the_plan_its_sureness_and_a_ready_policy(
    hitl: Command, june: str, tmp_path: Path
) -> None:
    out = tmp_path / "planned.yaml"

    said = hitl(
        *("policy", "plan", "--log", june, "--review-minutes", "1"),
        *("--silent-cost", "60", "--out", str(out)),
    )

    assert said.code == 0
    assert "read ◆" in said.out
    assert "was chosen in 200 of 200 draws" in said.out
    assert hitl("policy", "check", str(out)).code == 0


def test_plan_refuses_what_was_not_measured(hitl: Command, june: str) -> None:
    untimed = hitl("policy", "plan", "--log", june)
    slip = hitl("policy", "plan", "--log", june, "--review-minutes", "1", "--accuracy", "read")

    assert untimed.code == 1
    assert "give --review-minutes" in untimed.err
    assert slip.code == 2
    assert "--accuracy takes STEP=NUMBER" in slip.err
