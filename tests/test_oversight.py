"""docs/oversight.md has all 19 requirements, and names tests that exist."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "oversight.md").read_text(encoding="utf-8")
ROWS = re.findall(
    r"^\| HO-(\d{3}) \| .+? \| (held|partly|yours) \| (.+) \| (.+) \|$", TEXT, re.MULTILINE
)
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")


def test_all_nineteen_stand_there_in_order_and_are_counted() -> None:
    assert [number for number, *_ in ROWS] == [f"{n:03}" for n in range(1, 20)]
    counts = Counter(state for _, state, _, _ in ROWS)
    told = f"{counts['held']} are held, {counts['partly']} partly, {counts['yours']} are yours."
    assert told in TEXT


def test_each_names_tests_that_exist() -> None:
    for number, _, _, tests in ROWS:
        named = NAMED.findall(tests)
        assert len(named) == tests.count("`tests/") >= 1, number
        for path, name in named:
            source = (ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"^(async )?def {name or 'test_'}", source, re.MULTILINE), name
