"""`hitl demo --headless`: the figures, as data and as a table."""

import json
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Command
from tests.cli.serving import serving

KEYS = [
    *("cheques", "digits", "digit_accuracy", "alone_right", "reviewed_right", "review_share"),
    *("reviews", "approved", "denied", "resets", "predicted_alone", "predicted_reviewed"),
    *("predicted_alone_interval", "predicted_reviewed_interval", "seconds"),
]
SMALL = ("demo", "--headless", "--cheques", "6", "--seed", "1")


def test_the_figures_as_json(hitl: Command) -> None:
    said = hitl(*SMALL, "--json")

    figures = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    assert list(figures) == KEYS
    assert (figures["cheques"], figures["digits"]) == (6, 36)
    assert figures["approved"] + figures["denied"] == figures["reviews"]
    assert figures["reviewed_right"] >= figures["alone_right"]


def test_the_same_seed_gives_the_same_figures(hitl: Command) -> None:
    once, again = (json.loads(hitl(*SMALL, "--json").out) for _ in range(2))

    assert {**once, "seconds": 0} == {**again, "seconds": 0}


def test_the_figures_as_a_table(hitl: Command) -> None:
    said = hitl(*SMALL)

    assert said.code == 0
    assert "with a person" in said.out
    assert "6 cheques, 36 digits" in said.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--cheques", "0"), "--cheques"),
        (("--budget", "7"), "7.0 is not a share"),
        (("--budget", "nan"), "nan is not a share"),
        (("--seed", "-1"), "-1 is negative"),
        (("--reviewer-accuracy", "1.5"), "1.5"),
    ],
)
def test_impossible_values_are_usage_errors(
    hitl: Command, words: tuple[str, ...], sentence: str
) -> None:
    said = hitl("demo", "--headless", *words)

    assert said.code == 2
    assert sentence in said.err
    assert "Traceback" not in said.err


def test_in_the_browser_it_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    words = ("--cheques", "3", "--seed", "1")

    with serving(*words, command="demo", cwd=tmp_path) as killed:
        killed.process.kill()
    with (
        serving(*words, command="demo", cwd=tmp_path) as server,
        httpx.Client(follow_redirects=True) as browser,
    ):
        page = browser.get(server.url)
        code, _ = server.end()

    assert page.status_code == 200
    assert "Cheque desk" in page.text
    assert code == 0
