"""The house rules that a linter does not know."""

import ast
import hashlib
import importlib
import inspect
import pkgutil
import re
import statistics
import subprocess
import sys
import tomllib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph

import hitl
import review_ui
from hitl import errors

ROOT = Path(__file__).parent.parent
MODULES = sorted([*ROOT.glob("hitl/**/*.py"), *ROOT.glob("review_ui/**/*.py")])
TEMPLATES = sorted(ROOT.glob("review_ui/templates/**/*"))
STATIC = ROOT / "review_ui" / "static"
README = (ROOT / "README.md").read_text(encoding="utf-8")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions() -> Iterator[tuple[str, int]]:
    """Yield every function with its length in lines, the docstring left out."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield f"{name_of(path)}:{node.name}", _lines(node) - _lines(_docstring(node))


def _docstring(node: Function) -> ast.stmt | None:
    return node.body[0] if ast.get_docstring(node) is not None else None


def _lines(node: ast.stmt | None) -> int:
    return 0 if node is None or node.end_lineno is None else node.end_lineno - node.lineno + 1


# -- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_fits_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_functions_are_short() -> None:
    lengths = dict(functions())

    tenths = statistics.quantiles(lengths.values(), n=10)
    assert {name: length for name, length in lengths.items() if length > 60} == {}
    assert tenths[-1] <= 30
    assert statistics.median(lengths.values()) <= 10


# -- names ----------------------------------------------------------------------------------------


def packages() -> list[str]:
    """Return every package and module of the two top-level packages, the demo's and migrations left out."""
    found = [
        module.name
        for top in (hitl, review_ui)
        for module in pkgutil.walk_packages(top.__path__, f"{top.__name__}.")
    ]
    return ["hitl", "review_ui", *(n for n in found if ".migrations" not in n)]


@pytest.mark.parametrize("name", packages())
def test_public_names_are_there_sorted_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    public = list(getattr(module, "__all__", ()))

    assert module.__doc__
    assert public == sorted(public, key=_rank)
    assert [n for n in public if not hasattr(module, n)] == []
    assert [n for n in public if _undocumented(getattr(module, n))] == []


def _rank(name: str) -> tuple[int, str]:
    """Constants first, then classes, then functions: the order the linter keeps too."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def _undocumented(thing: object) -> bool:
    is_defined = inspect.isclass(thing) or inspect.isroutine(thing)
    return is_defined and not getattr(thing, "__doc__", None)


def test_every_error_stands_in_the_tree_at_the_top_of_its_module() -> None:
    for name in packages():
        importlib.import_module(name)
    tree = {
        match[2]: len(match[1]) // 2
        for match in re.finditer(r"^( *)[*+-] (\w+)$", errors.__doc__ or "", re.MULTILINE)
    }

    defined = {e.__name__: e for e in vars(errors).values() if _is_error(e)}

    assert sorted(tree) == sorted(defined)
    assert {n: d for n, d in tree.items() if d != _depth(defined[n])} == {}


def _is_error(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, errors.HitlError)


def _depth(error: type) -> int:
    return sum(issubclass(base, errors.HitlError) for base in error.__mro__) - 1


# -- what importing costs -------------------------------------------------------------------------


def test_import_hitl_loads_neither_numbers_nor_the_web() -> None:
    script = (
        "import sys, hitl; [getattr(hitl, name) for name in hitl.__all__];"
        "heavy = 'numpy scipy sklearn PIL fastapi jinja2 uvicorn review_ui'.split();"
        "print([name for name in heavy if name in sys.modules])"
    )

    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert ended.stdout == "[]\n"


# -- pages ----------------------------------------------------------------------------------------

HTMX_2 = re.compile(r"hx-ext|hx-disabled-elt|hx-vars|hx-inherit|htmx:[a-z]+[A-Z]|hx-on[:=]")
"""What htmx 2 had and 4 has not, and `hx-on`, which the content policy forbids."""


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_is_escaped_and_for_htmx_4(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert path.suffix == ".html"
    assert re.search(r"\|\s*safe\b|autoescape false", text) is None
    assert HTMX_2.search(text) is None
    assert re.search(r"<script(?![^>]*\bsrc=)|\son[a-z]+=|\bstyle=|https?://", text) is None


def test_what_others_wrote_is_what_they_wrote() -> None:
    listed = tomllib.loads((STATIC / "VENDOR.toml").read_text())["file"]

    for file in listed:
        content = (STATIC / file["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        if "sha384" in file:
            assert b64encode(hashlib.sha384(content).digest()).decode() == file["sha384"]
        assert (STATIC / file["licence_text"]).is_file()
    vendored = [*STATIC.glob("vendor/*"), *STATIC.glob("fonts/*")]
    assert {str(p.relative_to(STATIC)) for p in vendored} == {file["path"] for file in listed}


# -- the front door -------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


class Invoice(TypedDict, total=False):
    """The state of the README's graph."""

    text: str
    amount: str
    payee: str


def readme_graph() -> Any:
    def read_invoice(state: Invoice) -> Invoice:
        hitl.report(confidence=0.62)
        payee, amount = state["text"].split(": ")
        return {"payee": payee, "amount": amount}

    def pay(state: Invoice) -> Invoice:
        return {}

    graph = StateGraph(Invoice)
    graph.add_node("read_invoice", read_invoice)
    graph.add_node("pay", pay)
    graph.add_edge(START, "read_invoice")
    graph.add_edge("read_invoice", "pay")
    graph.add_edge("pay", END)
    return graph


def test_the_readmes_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = {"text": "Alba & Sons: EUR 43.00"}
    names: dict[str, Any] = {"graph": readme_graph(), "inputs": inputs}
    apps = []

    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
        if names["app"] not in apps:
            apps.append(names["app"])

    assert "RunStatus.DONE" in repr(names["run"].status)
    assert "Alba & Sons" in capsys.readouterr().out
    for app in apps:
        app.close()


def test_the_readme_fits_and_names_only_what_exists() -> None:
    linked = re.findall(r"\]\(((?!http)[^)#]+)\)", README)

    assert len(README.splitlines()) <= 250
    assert [path for path in linked if not (ROOT / path).exists()] == []


def test_the_readmes_commands_exist() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from hitl.cli import run; run(['--help'])"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout

    shell = "\n".join((*blocks("sh"), *re.findall(r"`(hitl [^`]+)`", README)))
    used = set(re.findall(r"(?:^|bin/)hitl ([a-z]+)", shell, re.MULTILINE))
    assert len(used) >= 5
    assert [word for word in used if f"  {word} " not in told] == []


def test_the_ci_script_runs_the_readmes_test_command() -> None:
    (command,) = [line for line in "".join(blocks("sh")).splitlines() if "-m tests" in line]

    script = ROOT / ".ci" / "run"
    assert command in script.read_text().splitlines()
    assert script.stat().st_mode & 0o111


def test_every_route_of_the_api_is_documented() -> None:
    source = "".join(p.read_text(encoding="utf-8") for p in sorted(ROOT.glob("review_ui/*.py")))
    told = (ROOT / "docs" / "http.md").read_text(encoding="utf-8").replace("{id}", "{}")

    routes = re.findall(r"@v1\.(get|post|patch)\(\s*\"([^\"]+)\"", source)

    written = {f"{verb.upper()} /v1{re.sub('{[^}]*}', '{}', path)}" for verb, path in routes}
    assert len(written) >= 18
    assert [route for route in written if route not in told] == []


# -- what stays outside ---------------------------------------------------------------------------

FORBIDDEN = [
    "".join(parts)
    for parts in (
        ("py", "pi.org"),
        ("python", "hosted"),
        ("registry.", "npm"),
        ("npm", "js."),
        ("/wo", "rk/"),
        (".lib", "rary"),
        ("/tm", "p/w"),
        ("/ro", "ot/"),
    )
]
"""Registry hosts and the paths of somebody's machine, in pieces so that this file may stand."""


def written() -> list[Path]:
    """Return every text file that is handed in."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [p for p in paths if p.is_file() and b"\0" not in p.read_bytes()[:8000]]


def test_no_file_names_a_registry_or_a_machine() -> None:
    found = {
        f"{name_of(path)}: {word}"
        for path in written()
        for word in FORBIDDEN
        if word in path.read_text(encoding="utf-8", errors="replace")
    }

    assert written()
    assert found == set()


def test_no_lock_file_is_handed_in() -> None:
    assert [p.name for p in written() if p.name.endswith((".lock", "requirements.txt"))] == []
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["exclude-newer"]
