"""Each example prints what its docstring says, offline, and fits on two screens."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PRINTED = {
    "first_approval.py": """\
asked:   Read EUR 48.00 to Alba & Sons? Confidence 0.62 is below 0.90. Reliability 0.62 is below 0.70.
decided: deny wrong amount
asked:   Read EUR 43.00 to Alba & Sons? Attempt 2, after a no.
decided: approve
asked:   Pay EUR 43.00 to Alba & Sons? This checkpoint always asks.
decided: approve
run:     done, paid EUR 43.00 to Alba & Sons
""",
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_prints_what_it_says(path: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
    )

    assert ended.stderr == ""
    assert ended.stdout == PRINTED[path.name]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_fits_on_two_screens(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80


def test_the_curve_is_drawn_from_what_the_desk_does() -> None:
    curve = runpy.run_path(str(ROOT / "docs" / "curve.py"))

    alone, helped, seen = curve["shares"]()

    drawn = (ROOT / "docs" / "curve.svg").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert alone == sorted(alone, reverse=True)
    assert 0.09 <= seen <= 0.11
    for share in (alone[-1], helped[-1]):
        assert f"{share:.0%} " in drawn
        assert f"{share:.0%} ".replace("%", " %") in readme
