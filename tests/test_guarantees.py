"""docs/guarantees.md names tests that exist, some for every promise, and is found from the README."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
PROMISES = re.findall(r"^## (\d)\. (.+?)\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_there_are_eight_promises_and_what_is_not_promised() -> None:
    assert [number for number, _, _ in PROMISES] == [str(n) for n in range(1, 9)]
    assert "## What is not promised" in TEXT


def test_every_promise_is_held_by_tests_that_exist() -> None:
    for number, promise, text in PROMISES:
        held_by = NAMED.findall(text)
        assert len(held_by) >= 4, f"{number}. {promise}"
        for path, name in held_by:
            source = (ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"{path}::{name}"


def test_nothing_that_looks_like_a_test_is_misspelt() -> None:
    assert len(NAMED.findall(TEXT)) == TEXT.count("`tests/")


def test_the_readme_leads_there() -> None:
    assert "(docs/guarantees.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
