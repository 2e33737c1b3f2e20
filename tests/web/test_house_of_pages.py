"""Rules of the pages that no linter knows."""

import base64
import hashlib
import re
import tomllib
from pathlib import Path

import pytest

import review_ui

FOLDER = Path(review_ui.__file__).parent
STATIC = FOLDER / "static"
TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))
VENDOR = tomllib.loads((STATIC / "VENDOR.toml").read_text())["file"]


@pytest.mark.parametrize("entry", VENDOR, ids=lambda e: str(e["package"]))
def test_a_vendored_file_is_what_its_entry_says(entry: dict[str, str]) -> None:
    data = (STATIC / entry["path"]).read_bytes()

    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert len((STATIC / entry["licence_text"]).read_text()) > 500


def test_htmx_is_the_published_file() -> None:
    data = (STATIC / "vendor/htmx-4.0.1.min.js").read_bytes()

    assert (
        base64.b64encode(hashlib.sha384(data).digest()).decode()
        == "Qp9rdC8H7EqOoX+nR0P3RPG2Noji+qdwJlGpfzwQJsfOpp3sGwIdSP9xO3+UlEhn"
    )


def test_every_foreign_file_has_an_entry() -> None:
    foreign = {
        p.relative_to(STATIC).as_posix()
        for folder in ("vendor", "fonts")
        for p in (STATIC / folder).iterdir()
    }

    assert foreign == {entry["path"] for entry in VENDOR}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda p: p.name)
def test_a_template_needs_no_eval_no_inline_style_and_no_written_path(template: Path) -> None:
    text = template.read_text()

    assert "|safe" not in text
    assert not re.search(r"\bhx-on|\bjs:|\bstyle=|<style|\bon[a-z]+=|javascript:", text)
    assert not re.search(r'hx-trigger="[^"]*\[', text)  # filters need eval
    assert not re.search(r'(href|src|action|hx-(get|post))="/', text)
    assert not re.search(r"hx-ext|hx-disabled-elt|hx-vars|hx-inherit|htmx:[a-z]+[A-Z]", text)
    assert "http" not in text.replace("http-equiv", "")


def test_our_script_is_small_and_needs_no_eval() -> None:
    script = (STATIC / "hitl.js").read_text()

    assert len(script) < 12_000
    assert not re.search(
        r"\beval\b|new Function|innerHTML|insertAdjacentHTML|document\.write", script
    )


def test_no_style_or_script_asks_another_host() -> None:
    for path in (*STATIC.glob("*.css"), *STATIC.glob("*.js")):
        assert "//" not in re.sub(r"^\s*//.*$|\s//\s.*$", "", path.read_text(), flags=re.MULTILINE)
