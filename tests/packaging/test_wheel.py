"""The wheel, in an empty environment: what a user gets."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.cli.serving import ROOT, serving

PAGES = ROOT / "review_ui"
UV = [sys.executable, "-m", "uv"]


def run(*words: str | Path, cwd: Path = ROOT) -> str:
    """Run a command that must succeed and return what it printed."""
    ended = subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an environment with the wheel and what it needs, and nothing else."""
    environment = tmp_path_factory.mktemp("empty") / "venv"
    run(*UV, "venv", "-q", "--python", sys.executable, environment)
    run(*UV, "pip", "install", "-q", "--python", environment / "bin" / "python", wheel)
    return environment


def test_the_wheel_carries_the_pages_and_no_tests(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())

    wanted = {
        f"review_ui/{path.relative_to(PAGES)}"
        for folder in ("templates", "static")
        for path in (PAGES / folder).rglob("*")
        if path.is_file()
    }
    assert wanted
    assert wanted - inside == set()
    assert {"hitl/py.typed", "review_ui/py.typed"} <= inside
    assert {name.split("/")[0].partition("-")[0] for name in inside} == {
        "hitl",
        "review_ui",
        "hitl_framework",
    }
    assert [name for name in inside if re.search(r"test|\.db|__pycache__", name)] == [
        name for name in inside if name == "hitl/testing.py"
    ]


def test_the_wheel_carries_the_migrations_and_the_licence(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())

    migrations = (ROOT / "hitl" / "stores" / "migrations").rglob("*.[pm]*")
    wanted = {str(p.relative_to(ROOT)) for p in migrations if p.suffix in (".py", ".mako")}
    assert wanted - inside == set()
    assert [name for name in inside if name.endswith("licenses/LICENSE")] != []


@pytest.mark.slow
def test_its_command_answers_in_an_empty_environment(installed: Path, tmp_path: Path) -> None:
    hitl = installed / "bin" / "hitl"

    assert "decide" in run(hitl, "--help", cwd=tmp_path)
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", run(hitl, "--version", cwd=tmp_path))
    assert "all others fit" in run(hitl, "doctor", cwd=tmp_path)


@pytest.mark.slow
def test_the_demo_says_what_it_needs(installed: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [installed / "bin" / "hitl", "demo", "--headless", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert ended.returncode == 2
    assert "pip install 'hitl-framework[demo]'" in ended.stderr


@pytest.mark.slow
def test_it_serves_its_pages(installed: Path, tmp_path: Path) -> None:
    python = str(installed / "bin" / "python")
    url = f"sqlite:///{tmp_path / 'hitl.db'}"

    with (
        serving("--store", url, cwd=tmp_path, python=python, source=None) as server,
        httpx.Client(follow_redirects=True) as browser,
    ):
        page = browser.get(server.url)
        linked = re.findall(r'(?:href|src)="(/_s/[^"]+)"', page.text)
        answers = [browser.get(f"{server.origin}{path}").status_code for path in linked]

    assert page.status_code == 200
    assert len(linked) >= 2
    assert set(answers) == {200}


@pytest.mark.slow
def test_a_wrapped_graph_runs_there(installed: Path, tmp_path: Path) -> None:
    example = ROOT / "examples" / "first_approval.py"

    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    ended = subprocess.run(
        [installed / "bin" / "python", example],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )

    assert ended.stderr == ""
    assert ended.stdout.endswith("paid EUR 43.00 to Alba & Sons\n")
