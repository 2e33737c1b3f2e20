"""`hitl policy check --log`: the laboratory's verdict on a policy, for people and for CI."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import typer

from hitl.cli.lab import allowed
from hitl.cli.terminal import console, print_json, say, table
from hitl.lab.log import read_file
from hitl.lab.reports import plain
from hitl.lab.reports.gating import Check, check_policy
from hitl.policy import EscalationPolicy


def check(
    file: str,
    log: str,
    *,
    alpha: float,
    sure: float,
    silent_cost: float,
    junit: str | None,
    markdown: str | None,
    as_json: bool,
) -> None:
    """Print what holds and what does not, and write the reports that were asked for.

    Raises:
        typer.Exit: Something does not hold: exit code 1.
    """
    policy = EscalationPolicy.load(file)
    found = check_policy(
        read_file(log), policy, alpha=alpha, delta=allowed(sure), silent_cost=silent_cost
    )
    if junit is not None:
        Path(junit).write_bytes(as_junit(found, suite=f"hitl policy check {policy.name}"))
    if markdown is not None:
        Path(markdown).write_text(as_markdown(found, title=policy.name), encoding="utf-8")
    passed = all(each.passed for each in found)
    if as_json:
        print_json({"ok": passed, "hash": policy.content_hash, "checks": plain(found)})
    else:
        rows = [("holds" if c.passed else "FAILS", c.name, c.sentence) for c in found]
        console().print(table(("", "check", "what was found"), rows, wraps=("what was found",)))
        say("Everything holds." if passed else "This policy should not go live on this evidence.")
    if not passed:
        raise typer.Exit(1)


def as_junit(checks: Sequence[Check], *, suite: str) -> bytes:
    """Return the checks as a JUnit test suite: one test case each."""
    failed = sum(not each.passed for each in checks)
    root = ElementTree.Element(
        "testsuite", name=suite, tests=str(len(checks)), failures=str(failed), errors="0"
    )
    for each in checks:
        case = ElementTree.SubElement(root, "testcase", classname=suite, name=each.name)
        if each.passed:
            ElementTree.SubElement(case, "system-out").text = each.sentence
        else:
            ElementTree.SubElement(case, "failure", message=each.sentence)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def as_markdown(checks: Sequence[Check], *, title: str) -> str:
    """Return the checks as a Markdown table, for a pull request."""
    lines = [f"### Policy `{title}`", "", "| | check | what was found |", "|---|---|---|"]
    lines += [
        f"| {'✅' if c.passed else '❌'} | {_cell(c.name)} | {_cell(c.sentence)} |" for c in checks
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
