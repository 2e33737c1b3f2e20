"""`hitl demo`: the cheque desk, with a simulated reviewer or in the browser."""

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hitl.cli.serve import tell_address, until_interrupted
from hitl.cli.terminal import console, print_json, say, table
from hitl.errors import MissingExtra

try:
    from hitl.demo.figures import Figures
    from hitl.demo.headless import Headless, run_headless
    from hitl.demo.live import run_live
except ModuleNotFoundError as missing:
    raise MissingExtra("hitl demo", "demo", str(missing.name)) from missing

CHEQUES = 150
"""As many as the images allow without repeating."""


def headless(
    *,
    cheques: int | None,
    seed: int,
    reviewer_accuracy: float,
    budget: float,
    as_json: bool,
) -> None:
    """Run the desk with a simulated reviewer, and print what came of it."""
    with _progress() as tell:
        found = run_headless(
            cheques=CHEQUES if cheques is None else cheques,
            seed=seed,
            reviewer_accuracy=reviewer_accuracy,
            budget=budget,
            progress=tell,
        )
    if found.note:
        say(found.note, err=True)
    if as_json:
        print_json(found.figures.as_json())
    else:
        _print(found)


def live(*, cheques: int | None, seed: int, budget: float, port: int) -> None:
    """Serve the desk in the browser until interrupted; its files stay, and it goes on from them."""
    with until_interrupted():
        run_live(
            cheques=CHEQUES if cheques is None else cheques,
            seed=seed,
            budget=budget,
            port=port,
            on_ready=tell_address,
        )


def _print(found: Headless) -> None:
    figures = found.figures
    rows = [
        ("alone", *_row(figures.alone_right, figures.predicted_alone)),
        ("with a person", *_row(figures.reviewed_right, figures.predicted_reviewed)),
    ]
    intervals = (figures.predicted_alone_interval, figures.predicted_reviewed_interval)
    told = [(*row, _interval(i)) for row, i in zip(rows, intervals, strict=True)]
    console().print(table(("", "cheques right", "predicted", "90 % of such days"), told))
    for line in _sentences(figures, found.reviews_elsewhere):
        say(line)


def _sentences(figures: Figures, elsewhere: int) -> Iterator[str]:
    yield (
        f"{figures.cheques} cheques, {figures.digits} digits, of which the reader alone reads"
        f" {figures.digit_accuracy:.1%} right."
    )
    yield (
        f"The person saw {figures.reviews} digits ({figures.review_share:.1%}): {figures.approved}"
        f" approved, {figures.denied} denied; and {elsewhere} payments."
    )
    yield f"{figures.seconds:.1f} s."


def _row(right: float, predicted: float) -> tuple[str, str]:
    return f"{right:.1%}", f"{predicted:.1%}"


def _interval(bounds: tuple[float, float]) -> str:
    low, high = bounds
    return f"{low:.1%} to {high:.1%}"


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """Give what shows progress on standard error; None when that is no terminal."""
    on = console(err=True)
    if not on.is_terminal:
        yield None
        return
    columns = (TextColumn("cheques"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=on, transient=True) as bar:
        task = bar.add_task("cheques", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
