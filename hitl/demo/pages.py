"""The desk's page beside the reviewer's pages: two counters, and what is going on."""

from pathlib import Path

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from markupsafe import Markup

from hitl.demo.board import Board, Score
from review_ui.charts import sawtooth
from review_ui.curves import curve_of
from review_ui.doorway import signed_in
from review_ui.site import Front
from review_ui.templating import render

FRONT = Front("demo", "Desk")
_FOLDER = Path(__file__).parent / "templates"
_STYLE = (_FOLDER / "demo.css").read_bytes()

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])


@router.get("/demo", name="hitl:demo")
def show_desk(request: Request) -> Response:
    """Show the desk."""
    return render(request, "demo.html", {"tab": "demo"} | _context(request), folder=_FOLDER)


@router.get("/demo/board", name="hitl:demo_board")
def show_board(request: Request) -> Response:
    """What changes on it; polled by the page above."""
    return render(request, "_board.html", _context(request) | {"polled": True}, folder=_FOLDER)


@router.get("/demo/style.css", name="hitl:demo_style")
def style() -> Response:
    """The few rules that only this page needs."""
    return Response(_STYLE, media_type="text/css")


def _context(request: Request) -> dict[str, object]:
    board: Board = request.app.state.hitl_demo
    score = board.score()
    return {
        "score": score,
        "waiting": len(score.waiting),
        "errors": wrong_so_far(score),
        "curve": _curve(board, score.current),
        "polled": False,
    }


def _curve(board: Board, run_id: str | None) -> Markup:
    if run_id is None:
        return Markup()
    timeline = board.desk.app.queue.timeline(run_id)
    title = f"Reliability of {run_id}, step by step"
    return sawtooth(curve_of(timeline), id="run-now", title=title, compact=True)


def wrong_so_far(score: Score) -> Markup:
    """Return the chart of wrong cheques over cheques: alone dotted, with you drawn."""
    most = max([1, *score.wrong_alone, *score.wrong_with_you])
    alone, with_you = (_line(line, most) for line in (score.wrong_alone, score.wrong_with_you))
    said = (
        f"Of {score.over} cheques, {score.over - score.alone_right} would be wrong alone and"
        f" {score.over - score.with_you_right} are wrong with you."
    )
    return Markup(
        '<div class="chart compact"><div class="y" aria-hidden="true"><span>{most}</span><span>0</span>'
        '</div><svg class="plot" role="img" aria-labelledby="wrong-t wrong-d"><title id="wrong-t">Wrong'
        ' cheques so far</title><desc id="wrong-d">{said}</desc><svg viewBox="0 0 1000 1000"'
        ' preserveAspectRatio="none" width="100%" height="100%" overflow="visible">'
        '<line class="axis" x1="0" y1="1000" x2="1000" y2="1000"/><path class="ghost" d="{alone}"/>'
        '<path class="rel" d="{with_you}"/></svg></svg><div class="x" aria-hidden="true">'
        "<span>first cheque</span><span>now</span></div></div>"
    ).format(most=most, said=said, alone=alone, with_you=with_you)


def _line(wrong: tuple[int, ...], most: int) -> str:
    points = [0, *wrong]
    width = max(len(points) - 1, 1)
    return "M" + " L".join(
        f"{1000 * n / width:.1f} {1000 - 1000 * w / most:.1f}" for n, w in enumerate(points)
    )
