"""`hitl policy evaluate`, `certify` and `export`: the laboratory's reports, printed."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hitl.cli.opened import ReadOnlyStore
from hitl.cli.terminal import console, print_json, say, table
from hitl.errors import ConfigurationError, EvidenceRefusal
from hitl.lab.log import GateLog, read_file, read_gate_log, write_file
from hitl.lab.reports import StepCertificate, certify_log, evaluation_page, plain
from hitl.lab.reports import evaluate as evaluated
from hitl.lab.reports.evaluation import By
from hitl.lab.reports.words import COLUMNS, PERSON_COLUMNS, person_row, sentences, slice_rows
from hitl.stores import open_reader


@dataclass(frozen=True, slots=True)
class Source:
    """Where a gate log comes from, and which part of it is wanted."""

    store: str
    log: str | None
    """A file, which then counts instead of the store."""
    workflow: str | None
    policy_hash: str | None
    not_wrong: tuple[str, ...]

    @property
    def name(self) -> str:
        """What a report says it is about."""
        return self.store if self.log is None else self.log

    def read(self) -> GateLog:
        """Return the log.

        Raises:
            StoreError: There is no such store.
            ConfigurationError: There is no such file, or it is not a gate log.
            EvidenceRefusal: No row is of this workflow or policy.
        """
        found = self._of_store() if self.log is None else self._of_file(self.log)
        if self.policy_hash is None or len(found) == 0:
            return found
        fits = [h for h in found.values("policy_hash") if h.startswith(self.policy_hash)]
        return found.only("policy_hash", fits[0] if len(fits) == 1 else self.policy_hash)

    def _of_store(self) -> GateLog:
        store = ReadOnlyStore(open_reader(self.store))
        try:
            with progress("reading runs") as tell:
                return store.read(
                    lambda r: read_gate_log(
                        r, workflow=self.workflow, not_wrong=self.not_wrong, progress=tell
                    )
                )
        finally:
            store.close()

    def _of_file(self, path: str) -> GateLog:
        if self.not_wrong:
            raise ConfigurationError("--not-wrong is for a store; a file has its 'wrong' column.")
        found = read_file(path)
        return found if self.workflow is None else found.only("workflow", self.workflow)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the terminal's error stream while something long goes on."""
    bar = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console(err=True),
        transient=True,
        disable=not console(err=True).is_terminal,
    )
    with bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def evaluate(
    source: Source,
    *,
    by: By,
    alpha: float,
    sure: float,
    review_minutes: float | None,
    html: str | None,
    as_json: bool,
) -> None:
    """Print the evaluation of a gate log, and write its page if one is wanted."""
    found = evaluated(
        source.read(), by=by, alpha=alpha, delta=allowed(sure), review_minutes=review_minutes
    )
    if html is not None:
        page = evaluation_page(found, title=f"Policy evaluation of {source.name}")
        Path(html).write_text(page, encoding="utf-8")
    if as_json:
        print_json({"evaluation": plain(found), "sentences": list(sentences(found))})
        return
    console().print(table(COLUMNS, slice_rows(found)))
    for each in sentences(found):
        say(each)
    if found.people:
        console().print(table(PERSON_COLUMNS, map(person_row, found.people)))
        for person in found.people:
            if person.refusal:
                say(f"{person.name}: {person.refusal}")
    if html is not None:
        say(f"The page is in {html}.")


def certify(
    source: Source,
    *,
    step: str | None,
    alpha: float,
    sure: float,
    sensitivity: float | None,
    caught: int,
    shown: int,
    as_json: bool,
) -> None:
    """Print what a gate log proves about its steps' thresholds."""
    found = certify_log(
        source.read(),
        alpha=alpha,
        delta=allowed(sure),
        step=step,
        sensitivity=sensitivity,
        caught=caught,
        shown=shown,
    )
    if as_json:
        print_json({"certificates": plain(found)})
        return
    columns = ("step", "ask below", "acts on", "labels", "wrong", "errors at most", "left out")
    console().print(table(columns, map(_certificate_row, found)))
    for each in found:
        for sentence in (each.refusal, *each.warnings):
            if sentence:
                say(f"{each.step}: {sentence}")
        if each.certificate is not None:
            say(_proof(each))


def export(source: Source, file: str) -> None:
    """Write a gate log to a file."""
    log = source.read()
    if len(log) == 0:
        raise EvidenceRefusal("The log holds no gate row; nothing was written.")
    write_file(log, file)
    say(f"{len(log):,} rows are in {file}.")


def allowed(sure: float) -> float:
    """Return delta for a share of certainty.

    Raises:
        typer.BadParameter: It is not between 0 and 1.
    """
    if not 0.0 < sure < 1.0:
        raise typer.BadParameter(f"--sure must lie between 0 and 1, both excluded; it is {sure}.")
    return round(1.0 - sure, 12)


def _certificate_row(each: StepCertificate) -> tuple[object, ...]:
    proof = each.certificate
    if proof is None:
        return each.step, "always ask", None, each.labels, None, None, each.left_out
    below = "never" if each.confidence_below is None else f"{each.confidence_below:.6f}"
    return (
        each.step,
        below,
        f"{proof.coverage:.1%}",
        proof.n,
        proof.k,
        f"{proof.bound:.2%}",
        each.left_out,
    )


def _proof(each: StepCertificate) -> str:
    sure = f"{1 - each.delta:.0%}"
    where = (
        "always acts"
        if each.confidence_below is None
        else f"acts at confidence_below: {each.confidence_below!r}"
    )
    return (
        f"{each.step}: proven, {sure} sure: when it {where}, at most {each.alpha:.2%} of what it does"
        f" alone is wrong, under policy {each.policies[0][:12] or '(none)'} and while nothing changes."
    )
