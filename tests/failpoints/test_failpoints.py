"""What arms a failpoint, what is refused, and that every place listed is in the code."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hitl.cli import run as command_line
from hitl.errors import ConfigurationError, InjectedFault
from hitl.failpoints import POINTS, VARIABLE, Armed, armed, read

SOURCE = Path(__file__).parents[2] / "hitl"


def arming(text: str, **environment: str) -> Armed:
    found = read({VARIABLE: text, **environment})
    assert found is not None
    return found


def test_every_failpoint_listed_is_in_the_code_once_or_more_and_no_other_is() -> None:
    calls = re.compile(r'reach\("([^"]+)"\)')
    found = {name for path in SOURCE.rglob("*.py") for name in calls.findall(path.read_text())}

    assert found == {point.name for point in POINTS}
    assert len(POINTS) == len({point.name for point in POINTS})
    assert {p.then for p in POINTS if p.then} <= found


def test_each_says_where_it_is() -> None:
    for point in POINTS:
        module, _, _ = point.where.partition(":")
        path = SOURCE / f"{module.replace('.', '/')}.py"
        assert f'reach("{point.name}")' in path.read_text(), point.name


def test_nothing_is_armed_where_nothing_asks_for_it() -> None:
    assert read({}) is None
    assert read({VARIABLE: "", "HITL_ENV": "production"}) is None
    assert armed() is None


@pytest.mark.parametrize(
    "text",
    [
        "decide.before_comit",
        "decide.before_commit:explode",
        "decide.before_commit:0",
        "decide.before_commit:1:hang",
        "decide.before_commit:1:hang:0",
        "decide.before_commit:1:kill:2",
        "decide.before_commit:-1",
    ],
)
def test_what_is_not_understood_is_said_and_nothing_starts(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not understood"):
        read({VARIABLE: text})


def test_production_refuses_to_be_broken_on_purpose(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "from hitl.cli import main; main()", "db", "upgrade"],
        env={VARIABLE: "migrate.mid_step", "HITL_ENV": "production", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
        cwd=SOURCE.parent,
    )

    assert ended.returncode == 2
    assert "production" in ended.stderr
    assert "Unset HITL_FAILPOINT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_acts_once_at_its_time() -> None:
    it = arming("decide.before_commit:2:error")

    it.reached("decide.before_commit")
    it.reached("request.before_commit")
    with pytest.raises(InjectedFault, match=r"decide\.before_commit"):
        it.reached("decide.before_commit")
    it.reached("decide.before_commit")


def test_execute_and_error_lets_it_happen_and_fails_after_it() -> None:
    it = arming("decide.before_commit:execute_and_error")

    it.reached("decide.before_commit")
    with pytest.raises(InjectedFault, match="after_commit_before_ack"):
        it.reached("decide.after_commit_before_ack")
    it.reached("decide.after_commit_before_ack")


def test_hang_holds_it_up() -> None:
    began = time.monotonic()

    arming("decide.before_commit:hang:30").reached("decide.before_commit")

    assert time.monotonic() - began >= 0.03


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["debug", "failpoints", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in told["failpoints"]] == [point.name for point in POINTS]

    assert command_line(["debug", "failpoints"]) == 0
    assert "decide.after_commit_before_ack" in capsys.readouterr().out
