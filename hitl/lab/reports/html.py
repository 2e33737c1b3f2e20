"""The evaluation as one HTML page: charts drawn here, every number also in a table, no script."""

from collections.abc import Iterator
from html import escape

from hitl.lab.reports.charts import Interval, Line, html_table, interval_chart, line_chart
from hitl.lab.reports.evaluation import Evaluation, Slice
from hitl.lab.reports.words import COLUMNS, PERSON_COLUMNS, person_row, sentences, slice_rows

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:84rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:14px}
th,td{padding:.3rem .6rem;text-align:left;border-bottom:1px solid #ddd;white-space:nowrap}
figure{margin:2rem 0;overflow-x:auto}figcaption{font-weight:600}svg{display:block;width:46rem;height:auto;font-size:12px}
@media(prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}th,td{border-color:#444}}
"""


def evaluation_page(found: Evaluation, *, title: str) -> str:
    """Return the report as a page that stands alone.

    Args:
        found: The report.
        title: What it is about, e.g. where the log came from.
    """
    name = escape(title)
    parts = [
        f"<h1>{name}</h1>",
        "<h2>Checkpoints</h2>",
        html_table(COLUMNS, slice_rows(found)),
        "<h2>What it means</h2><ul>",
        *(f"<li>{escape(each)}</li>" for each in sentences(found)),
        "</ul>",
        *_charts(found),
    ]
    if found.people:
        parts += [
            "<h2>Reviewers</h2>",
            html_table(PERSON_COLUMNS, list(map(person_row, found.people))),
        ]
        parts += [
            f"<p>{escape(p.name)}: {escape(p.refusal)}</p>" for p in found.people if p.refusal
        ]
    body = "".join(parts)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style><body>{body}</body></html>\n"
    )


def _charts(found: Evaluation) -> Iterator[str]:
    rows = [
        Interval(s.name, s.silent.estimate.value, s.silent.estimate.low, s.silent.estimate.high)
        for s in (*found.slices, found.total)
        if s.silent.estimate is not None
    ]
    if rows:
        sure = f"{1 - found.delta:.0%}"
        title = f"Silent errors among the steps nobody was asked about ({sure} intervals)"
        yield interval_chart(title, unit="silent errors", rows=rows)
    for each in found.slices:
        if each.ranking is not None and each.ranking.augrc is not None:
            yield _curve(each)


def _curve(each: Slice) -> str:
    ranking = each.ranking
    assert ranking is not None  # noqa: S101 - asked for where there is one
    lines = [Line("every threshold", ranking.coverage, ranking.silent)]
    estimate = each.silent.estimate
    if estimate is not None and each.rows:
        at = each.silent.acted / each.rows
        lines.append(Line("as it was", (at,), (estimate.value * at,), steps=True))
    return line_chart(
        f"{each.name}: what acting more often would let pass",
        x="share of steps that act unasked",
        y="share of steps that act and are wrong",
        lines=lines,
    )
