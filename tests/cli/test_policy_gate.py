"""`hitl policy check --log`: exit code 1 when a threshold is not proven any more, or a policy is worse."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from hitl.lab.log import GateLog, write_file
from tests.cli.conftest import Command
from tests.lab.logs import record, synthetic


def written(folder: Path, name: str, threshold: float) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(
        f"name: {name}\ncheckpoints:\n  - step: read\n    confidence_below: {threshold}\n"
    )
    return str(path)


@pytest.fixture
def june(tmp_path: Path) -> str:
    log, _ = synthetic(np.random.default_rng(2), 4000, rate=0.3)
    path = tmp_path / "june.jsonl"
    write_file(log, path)
    return str(path)


def test_a_threshold_that_is_proven_passes(hitl: Command, june: str, tmp_path: Path) -> None:
    policy = written(tmp_path, "live", 0.6)

    said = hitl("policy", "check", "--policy", policy, "--log", june, "--error-at-most", "0.2")

    assert said.code == 0
    assert "Proven: at most" in said.out
    assert "as the live policy did" in said.out
    assert "Everything holds." in said.out


def test_one_that_is_not_fails_and_the_reports_say_so(
    hitl: Command, june: str, tmp_path: Path
) -> None:
    policy = written(tmp_path, "live", 0.6)
    junit, markdown = tmp_path / "out.xml", tmp_path / "out.md"

    said = hitl(
        *("policy", "check", policy, "--log", june, "--error-at-most", "0.05", "--json"),
        *("--junit", str(junit), "--markdown", str(markdown)),
    )

    told = json.loads(said.out)
    assert said.code == 1
    assert told["ok"] is False
    assert [c["passed"] for c in told["checks"]] == [False, True]
    assert "Broken" in told["checks"][0]["sentence"]
    suite = ElementTree.fromstring(junit.read_bytes())
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert "| ❌ | read: confidence_below 0.6 |" in markdown.read_text()


def test_a_candidate_that_is_worse_fails(hitl: Command, june: str, tmp_path: Path) -> None:
    lax = written(tmp_path, "lax", 0.1)

    said = hitl(
        *("policy", "check", lax, "--log", june, "--error-at-most", "0.5", "--silent-cost", "50")
    )

    assert said.code == 1
    assert "Worse: it costs +" in said.out


def test_what_was_never_spot_checked_does_not_pass(hitl: Command, tmp_path: Path) -> None:
    blind = GateLog.of(record(n, propensity_label=0.0) for n in range(50))
    write_file(blind, tmp_path / "blind.jsonl")
    policy = written(tmp_path, "live", 0.6)

    said = hitl("policy", "check", policy, "--log", str(tmp_path / "blind.jsonl"))

    assert said.code == 1
    assert said.out.count("no spot checks") == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Name one policy"),
        (("P", "--policy", "P"), "Name one policy"),
        (("P", "--junit", "x.xml"), "report on a log"),
        (("P", "--log", "L", "--app", "a:b"), "are about a graph"),
    ],
)
def test_what_does_not_go_together_is_refused(
    hitl: Command, words: tuple[str, ...], sentence: str
) -> None:
    said = hitl("policy", "check", *words)

    assert said.code == 2
    assert sentence in said.err
