"""The first thing anybody types: it must be quick, and say what there is."""

import resource
import subprocess
import sys

import pytest

from tests.cli.conftest import Command

COMMANDS = {
    "demo": ("--headless", "--cheques", "--seed", "--reviewer-accuracy", "--budget", "--json"),
    "serve": ("--app", "--store", "--port", "--reviewer"),
    "runs": ("--store", "--status", "--limit", "--json"),
    "reviews": ("--store", "--run", "--status", "--all", "--json"),
    "decide": ("--by", "--reason", "--note", "--remedy", "--answer", "--hash", "--yes", "--json"),
    "stop": ("--by", "--reason", "--store", "--json"),
    "resume": ("--by", "--store", "--json"),
    "policy check": ("--app", "--json"),
    "policy show": ("--json",),
    "policy init": ("MODULE:NAME",),
    "doctor": ("--store", "--json"),
    "db upgrade": ("--store", "--json"),
    "audit verify": ("--store", "--file", "--run", "--head", "--json"),
    "audit export": ("FILE", "--store", "--run", "--json"),
    "audit head": ("FILE", "--store", "--json"),
    "debug failpoints": ("--json",),
    "migrate": ("--app", "--by", "--dry-run", "--json"),
    "restart": ("--app", "--by", "--dry-run", "--json"),
}
CPU_SECONDS = 0.4
HEAVY = "langgraph langchain_core pydantic sqlalchemy fastapi jinja2 httpx rich numpy sklearn"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(hitl: Command, command: str) -> None:
    said = hitl(*command.split(), "--help")

    assert said.code == 0
    assert [option for option in COMMANDS[command] if option not in said.out] == []


def test_no_command_at_all_shows_the_commands(hitl: Command) -> None:
    said = hitl()

    told = said.out + said.err
    assert [word for word in COMMANDS if word.split()[0] not in told] == []


def test_an_option_that_does_not_exist_is_a_usage_error(hitl: Command) -> None:
    said = hitl("runs", "--nope")

    assert said.code == 2
    assert "--nope" in said.err
    assert "Traceback" not in said.err


def test_help_takes_little_time_and_loads_nothing_heavy() -> None:
    script = (
        "import sys; from hitl.cli import run; code = run(['--help']);"
        f" print([m for m in '{HEAVY}'.split() if m in sys.modules]); sys.exit(code)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.stdout.splitlines()[-1] == "[]"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime <= CPU_SECONDS
