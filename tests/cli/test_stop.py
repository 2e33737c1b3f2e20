"""`hitl stop` and `hitl resume`."""

import json
from pathlib import Path

import pytest

from hitl.models import ReviewStatus, RunRecord
from tests.cli.conftest import Command, Shop
from tests.cli.serving import serving


def test_a_stopped_run_asks_nobody_any_more_and_can_go_on(hitl: Command, shop: Shop) -> None:
    run_id, at = shop.plain.run_id, ("--store", shop.url)

    stopped = hitl("stop", run_id, "--by", "ana", "--reason", "wrong customer", *at, "--json")
    closed = shop.review(shop.plain.id)
    resumed = hitl("resume", run_id, "--by", "ana", *at)

    record = RunRecord.model_validate_json(stopped.out)
    assert record.status == "stopped"
    assert "wrong customer" in record.reason
    assert closed.status is not ReviewStatus.PENDING
    assert (resumed.code, run_id in resumed.out) == (0, True)


def test_a_served_run_is_stopped_through_its_server(hitl: Command, shop: Shop) -> None:
    with serving("--store", shop.url):
        said = hitl("stop", shop.plain.run_id, "--by", "ana", "--store", shop.url)

    assert said.code == 0
    assert f"Run {shop.plain.run_id} is stopped." in said.out


def test_what_cannot_be_stopped_or_resumed_is_a_sentence(hitl: Command, shop: Shop) -> None:
    unknown = hitl("stop", "run_nope", "--by", "ana", "--store", shop.url)
    never_stopped = hitl("resume", shop.plain.run_id, "--by", "ana", "--store", shop.url)

    assert (unknown.code, never_stopped.code) == (1, 1)
    assert unknown.err == "No run with id 'run_nope'.\n"
    assert shop.plain.run_id in never_stopped.err


def test_all_live_runs_or_those_of_one_workflow_are_stopped(hitl: Command, shop: Shop) -> None:
    many = ("stop", "--by", "ana", "--reason", "bank holiday", "--store", shop.url)

    nobody = hitl(*many, "--workflow", "refunds")
    everybody = hitl(*many, "--all", "--json")
    again = hitl(*many, "--all")

    stopped = json.loads(everybody.out)["runs"]
    assert "0 runs were stopped" in nobody.out
    assert {run["id"] for run in stopped} == {shop.plain.run_id, shop.hostile.run_id}
    assert {run["status"] for run in stopped} == {"stopped"}
    assert all("bank holiday" in run["reason"] for run in stopped)
    assert "0 runs were stopped" in again.out


def test_all_are_stopped_through_the_process_that_serves_them(hitl: Command, shop: Shop) -> None:
    with serving("--store", shop.url):
        said = hitl("stop", "--all", "--by", "ana", "--store", shop.url)

    assert said.code == 0
    assert "2 runs were stopped" in said.out
    assert shop.review(shop.plain.id).status is ReviewStatus.SUPERSEDED


def test_a_store_that_is_not_there_is_not_made(hitl: Command, url: str, tmp_path: Path) -> None:
    said = hitl("stop", "--all", "--by", "ana", "--store", url)

    assert said.code == 1
    assert "no such file" in said.err
    assert list(tmp_path.glob("hitl.db*")) == []


@pytest.mark.parametrize("words", [(), ("run_1", "--all"), ("--all", "--workflow", "w")])
def test_what_to_stop_is_said_once(hitl: Command, words: tuple[str, ...]) -> None:
    said = hitl("stop", *words, "--by", "ana")

    assert said.code == 2
    assert "Name one" in said.err
