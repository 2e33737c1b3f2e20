"""The drawn curve and its table rest on the run's own figures."""

import math
import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from hitl.models import Covers, RunRecord
from hitl.reviews import RunTimeline, TimelineStep
from review_ui.charts import Curve, CurveStep, describe, glyph, sawtooth
from review_ui.curves import curve_of, floor_of
from review_ui.phrases import duration, probability
from tests.web.records import NOON, Desk, gate_of, history, make_gate, make_review, make_run


def timeline(*steps: TimelineStep, run: RunRecord | None = None) -> RunTimeline:
    return RunTimeline(run=run or make_run(), steps=steps, reviews=(), events=())


def waiting() -> TimelineStep:
    review = make_review()
    return TimelineStep(gate=gate_of(review), review=review)


def test_the_curve_is_the_product_of_the_steps_and_jumps_at_a_yes() -> None:
    curve = curve_of(timeline(*(TimelineStep(gate=g) for g in history()), waiting()))

    assert [s.unchecked for s in curve.steps] == pytest.approx([0.90, 0.95, 0.7885, 0.5598])
    assert [s.after for s in curve.steps] == pytest.approx([1.0, 0.95, 0.7885, 0.5598])
    assert [bool(s.verified_by) for s in curve.steps] == [True, False, False, False]
    assert curve.steps[-1].waiting


def test_the_ghost_is_the_product_of_every_p() -> None:
    curve = curve_of(timeline(*(TimelineStep(gate=g) for g in history()), waiting()))

    assert curve.unaided == pytest.approx(math.prod([0.90, 0.95, 0.83, 0.71]))


def test_the_ghost_takes_the_first_attempt_that_people_denied() -> None:
    denied = make_gate("gate_a", p=0.4, committed_at=None)
    retried = make_gate("gate_b", p=0.9, attempt=2, reliability_after=0.9)

    curve = curve_of(timeline(TimelineStep(gate=denied), TimelineStep(gate=retried)))

    assert len(curve.steps) == 1
    assert curve.unaided == pytest.approx(0.4)
    assert curve.now == pytest.approx(0.9)


def test_steps_of_one_superstep_count_their_shared_prefix_once() -> None:
    first = make_gate("gate_a", p=0.9, step="fetch", reliability_after=0.9)
    left = make_gate("gate_b", p=0.9, step="left", visit=2, reliability_before=0.9)
    right = make_gate("gate_c", p=0.9, step="right", visit=2, reliability_before=0.9)
    rows = [g.model_copy(update={"reliability_after": 0.81}) for g in (left, right)]

    curve = curve_of(timeline(*(TimelineStep(gate=g) for g in (first, *rows))))

    assert curve.now == pytest.approx(0.9**3)


def test_a_siblings_reset_drops_the_shared_prefix_and_keeps_the_sibling() -> None:
    plain = make_gate("gate_b", p=0.9, step="left", visit=2, reliability_before=0.5)
    plain = plain.model_copy(update={"reliability_after": 0.45})
    reset = make_gate("gate_c", p=0.8, step="right", visit=2, reliability_before=0.5)
    reset = reset.model_copy(
        update={"reliability_after": 1.0, "verified": True, "covers": Covers.SINCE_RESET}
    )

    curve = curve_of(timeline(TimelineStep(gate=plain), TimelineStep(gate=reset)))

    assert curve.now == pytest.approx(0.9)


def test_the_page_of_one_review_leaves_others_that_wait_out() -> None:
    other = make_review("rev_2", visit=5)
    run = timeline(waiting(), TimelineStep(gate=gate_of(other), review=other))

    assert len(curve_of(run).steps) == 2
    assert len(curve_of(run, review_id="rev_1").steps) == 1


def test_undone_steps_leave_the_curve() -> None:
    gone = make_gate("gate_a", p=0.2, reliability_after=0.2, undone_at=NOON)
    kept = make_gate("gate_b", p=0.9, reliability_after=0.9)

    curve = curve_of(timeline(TimelineStep(gate=gone), TimelineStep(gate=kept)))

    assert [s.p for s in curve.steps] == [0.9]


def test_a_step_of_unknown_p_keeps_the_value() -> None:
    unknown = make_gate("gate_a", p=None)

    curve = curve_of(timeline(TimelineStep(gate=unknown)))

    assert (curve.now, curve.unaided) == (1.0, 1.0)


def test_a_long_run_draws_its_newest_steps_and_says_where_they_start() -> None:
    rows = [make_gate(f"gate_{i:03}", visit=i, p=0.999) for i in range(1, 301)]

    curve = curve_of(timeline(*(TimelineStep(gate=g) for g in rows)))

    assert (len(curve.steps), curve.first) == (240, 61)
    assert "step 61" in sawtooth(curve, id="c", title="t")


def test_the_floor_is_the_one_that_fired_last() -> None:
    assert floor_of([waiting()]) == 0.70
    assert floor_of([TimelineStep(gate=make_gate("gate_a"))]) is None


def test_the_chart_has_a_title_a_description_and_no_inline_style() -> None:
    curve = curve_of(timeline(*(TimelineStep(gate=g) for g in history()), waiting()))

    chart = str(sawtooth(curve, id="c", title="The <run>"))

    assert '<title id="c-t">The &lt;run&gt;</title>' in chart
    assert "Reliability now 0.56, floor 0.70." in chart
    assert "1.00 assumed" in chart
    assert "style=" not in chart


def test_the_drawn_points_are_at_the_steps_values() -> None:
    curve = Curve(
        steps=(
            CurveStep("a", before=1.0, unchecked=0.9, after=0.9, unaided=0.9),
            CurveStep("b", before=0.9, unchecked=0.6, after=1.0, unaided=0.6, verified_by="ana"),
        )
    )

    chart = str(sawtooth(curve, id="c", title="t"))

    path = re.search(r'class="rel" d="M([^"]+)"', chart)
    assert path is not None
    points = [tuple(map(float, p.split())) for p in path[1].split(" L")]
    assert points == [
        (0, 0),
        (500, pytest.approx(100 / 0.6, abs=0.01)),
        (1000, pytest.approx(400 / 0.6, abs=0.01)),
    ]


def test_an_empty_run_is_drawn_as_certain() -> None:
    assert describe(Curve(steps=())).startswith("Reliability now 1.00. No person")
    assert "start" in sawtooth(Curve(steps=()), id="c", title="t")


def test_a_glyph_says_its_number_and_escapes_it() -> None:
    assert 'aria-label="&lt;b&gt;"' in glyph([1.0, 0.5], floor=0.7, label="<b>", calm=False)


def test_the_pages_table_has_the_curves_numbers(client: TestClient, desk: Desk) -> None:
    desk.add_gates(*history())
    desk.open(make_review())

    for path in ("/reviews/rev_1", "/runs/run_1"):
        page = client.get(path).text
        table = page[page.index("Show as table") :]
        cells = re.findall(r"<td>([\d.]+)\s*<", table)
        assert cells[:4] == ["0.90", "1.00", "0.90", "1.00"], path


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (1.0, "1.00"),
        (0.9993, ">0.99"),
        (0.994, "0.99"),
        (0.0001, "<0.01"),
        (0.0, "0.00"),
        (None, "unknown"),
    ],
)
def test_a_probability_is_never_rounded_to_certainty(p: float | None, words: str) -> None:
    assert probability(p) == words


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=45), "45 s"),
        (timedelta(minutes=12, seconds=5), "12 min"),
        (timedelta(hours=3, minutes=5), "3 h 05 min"),
        (timedelta(days=2, hours=4), "2 d 4 h"),
        (timedelta(seconds=-5), "0 s"),
    ],
)
def test_a_length_of_time_takes_two_units(span: timedelta, words: str) -> None:
    assert duration(span) == words
