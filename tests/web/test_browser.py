"""The pages in a real browser: keys, the moment before a verdict counts, undo, hostile text, axe."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from hitl.models import Covers, Decision, JsonObject, Verdict
from hitl.reviews import ReviewQueue, utcnow
from hitl.stores import open_store
from review_ui import create_app
from tests.web.hostile import MARKUP, TRICKS, hostile_review
from tests.web.records import (
    Desk,
    history,
    make_presentation,
    make_question,
    make_review,
    make_run,
)
from tests.web.served import serving
from tests.web.test_choosing import THREE

pytestmark = pytest.mark.browser

ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ARMED = 800
"""Milliseconds after which a verdict counts."""
STOPPED_CLOCK = "const opened = performance.now(); performance.now = () => opened;"
"""The first moment for as long as a test needs, however slow the machine is."""


def chromium() -> str | None:
    """Return the browser to use, or None where there is none."""
    return os.environ.get("HITL_CHROMIUM") or shutil.which("chromium")


def report_missing(reason: str) -> NoReturn:
    """A missing browser fails the suite in CI; elsewhere it is reported."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all the tests here."""
    path = chromium()
    if path is None:
        report_missing("There is no Chromium; install one or set HITL_CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@dataclass(slots=True)
class Site:
    """A served desk with a browser that writes down what it should not do."""

    desk: Desk
    base: str
    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    """Requests to other origins, dialogs, errors and policy violations."""

    def page(self, path: str, *, wait: int = ARMED, script: str = "", **context: Any) -> Page:
        """Open `path` in a browser of its own; `script` runs in the page before its own do."""
        options: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}} | context
        opened = self.browser.new_context(**options)
        self.contexts.append(opened)
        opened.set_default_timeout(10_000)
        page = opened.new_page()
        if script:
            page.add_init_script(script)
        page.on("request", lambda r: self._note(not r.url.startswith(self.base), r.url))
        page.on("dialog", lambda d: self._note(True, f"dialog {d.message}"))
        page.on("pageerror", lambda e: self._note(True, f"error {e}"))
        page.on("console", lambda m: self._note("Content Security" in m.text, m.text))
        page.goto(self.base + path)
        page.wait_for_timeout(wait)
        return page

    def said(self, review_id: str = "rev_1") -> Decision | None:
        """Return what was answered on a review, sent or not."""
        intent = self.desk.queue.intent(review_id)
        return intent.decision if intent else self.desk.queue.get(review_id).decision

    def answers(self) -> int:
        """Return how many answers were given."""
        actions = [e.body["action"] for e in self.desk.queue.audit(limit=1000)]
        return actions.count("intent.put")

    def _note(self, strange: bool, what: str) -> None:
        if strange:
            self.strange.append(what)


Serve = Callable[..., Site]


@pytest.fixture
def serve(browser: Browser, tmp_path: Path) -> Iterator[Serve]:
    """Serve a desk in real time; what it notes as strange fails the test."""
    with ExitStack() as stack:
        sites: list[Site] = []

        def started(**options: Any) -> Site:
            store = open_store(f"sqlite:///{tmp_path / 'hitl.db'}")
            stack.callback(store.close)
            queue = ReviewQueue(store)
            options = {"undo_window": timedelta(seconds=30)} | options
            base = stack.enter_context(serving(create_app(queue, **options)))
            sites.append(Site(Desk(store, utcnow, queue), base, browser))
            return sites[-1]

        yield started
        for site in sites:
            for context in site.contexts:
                context.close()
    assert [what for site in sites for what in site.strange] == []


@pytest.fixture
def site(serve: Serve) -> Site:
    """A desk with three reviews."""
    site = serve()
    site.desk.add_gates(*history())
    site.desk.open(
        make_review(),
        make_review("rev_2", visit=5, presentation=make_presentation(title="The second")),
        make_review("rev_3", visit=6, presentation=make_presentation(title="The third")),
    )
    return site


def until(true: Callable[[], bool], *, seconds: float = 5.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "It did not happen in time."
        time.sleep(0.02)


# -- deciding by key ----------------------------------------------------------------------------


def test_a_approves_and_the_next_review_is_there_with_its_heading_in_focus(site: Site) -> None:
    page = site.page("/reviews/rev_1")

    page.keyboard.press("a")
    page.wait_for_url("**/reviews/rev_2")
    page.wait_for_function("document.activeElement.textContent === 'The second'")

    said = site.said()
    assert said is not None
    assert (said.verdict, said.surface) == (Verdict.APPROVE, "page")
    assert said.shown_ms is not None
    assert said.shown_ms >= ARMED - 100
    assert site.desk.queue.get("rev_2").holder == "you"
    assert page.title().startswith("The second")
    assert page.locator("#count").text_content() == "3"  # the first is not sent yet


def test_d_d_denies_with_the_first_rung(site: Site) -> None:
    page = site.page("/reviews/rev_1")

    page.keyboard.press("d")
    assert site.answers() == 0
    page.keyboard.press("d")
    page.wait_for_url("**/reviews/rev_2")

    said = site.said()
    assert said is not None
    assert (said.verdict, said.remedy, said.reasons) == (Verdict.DENY, "retry", ())


def test_d_2_t_enter_takes_over_and_the_work_is_handed_in_by_key(site: Site) -> None:
    page = site.page("/reviews/rev_1")

    for key in ("d", "2", "t", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**/reviews/rev_1/takeover")
    page.wait_for_function("document.activeElement.textContent.startsWith('Your turn')")
    assert site.said() is None
    assert site.desk.queue.get("rev_1").taken_over_at is not None
    assert page.locator("input[value='Wrong payee']").is_checked()
    assert page.locator("[name='work.payee']").input_value() == "Alba Components"
    page.wait_for_timeout(ARMED)

    page.locator("[name='work.amount']").fill("1201.4")
    page.keyboard.press("Enter")
    assert site.said() is None
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/reviews/rev_2")

    said = site.said()
    assert said is not None
    assert (said.remedy, said.reasons) == ("takeover", ("Wrong payee",))
    assert said.answer == {"amount": 1201.4}

    page.keyboard.press("z")
    page.wait_for_url("**/reviews/rev_1/takeover")
    assert page.locator("[name='work.amount']").input_value() == "1201.4"
    page.keyboard.press("l")
    page.wait_for_url("**/reviews/rev_1")
    assert site.desk.queue.get("rev_1").taken_over_at is None


def test_another_attempt_is_chosen_by_key_and_the_others_labelled(serve: Serve) -> None:
    site = serve()
    shown = make_presentation(choices=3)
    site.desk.open(make_review(arguments=THREE, presentation=shown), make_review("rev_2", visit=5))
    page = site.page("/reviews/rev_1", bypass_csp=True)

    page.keyboard.press("v")
    page.get_by_label("Label of number 1").select_option("wrong")
    page.locator("main h1").focus()
    page.evaluate(AXE.read_text())
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", TAGS)["violations"]
    assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == []
    page.keyboard.press("a")
    page.wait_for_url("**/reviews/rev_2")

    said = site.said()
    assert said is not None
    assert (said.verdict, said.answer) == (Verdict.APPROVE, {"choice": 2, "wrong": [1]})


def test_deny_with_an_answer_typed_into_the_schemas_form(site: Site) -> None:
    page = site.page("/reviews/rev_1")

    page.keyboard.press("d")
    page.keyboard.press("g")
    page.keyboard.type("1201")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reviews/rev_2")

    said = site.said()
    assert said is not None
    assert (said.remedy, said.answer) == ("answer", {"amount": 1201})


def test_an_answer_that_cannot_be_read_stays_in_place(site: Site) -> None:
    page = site.page("/reviews/rev_1")
    page.keyboard.press("g")
    page.keyboard.type("twelve")
    page.keyboard.press("Enter")

    page.get_by_text("'twelve' is not a whole number.").wait_for()

    assert page.locator("input[name='answer.amount']").input_value() == "twelve"
    assert page.url.endswith("/reviews/rev_1")
    assert site.answers() == 0


def test_z_takes_the_last_answer_back(site: Site) -> None:
    page = site.page("/reviews/rev_1")
    for key in ("d", "1", "d"):
        page.keyboard.press(key)
    page.wait_for_url("**/reviews/rev_2")

    page.keyboard.press("z")
    page.wait_for_url("**/reviews/rev_1")
    page.get_by_text("Taken back. Nothing was sent.").wait_for()

    assert site.said() is None
    assert page.locator("input[name='reasons'][value='Wrong digit']").is_checked()


def test_the_undo_strip_counts_down_and_goes(serve: Serve) -> None:
    site = serve(undo_window=timedelta(seconds=2))
    site.desk.open(make_review(), make_review("rev_2", visit=5))
    page = site.page("/reviews/rev_1")
    page.keyboard.press("a")
    page.locator("#undo-strip").wait_for()

    page.locator("#undo-strip").wait_for(state="detached", timeout=4_000)

    assert site.desk.queue.sweep() == 1
    assert site.desk.queue.get("rev_1").status == "approved"


def test_a_question_is_answered_with_one_press_or_left_to_the_step(serve: Serve) -> None:
    site = serve()
    site.desk.open(make_question(), make_question("rev_2", visit=5), make_review("rev_3", visit=6))
    page = site.page("/reviews/rev_1")

    assert page.get_by_role("button", name="Alba GmbH").is_visible()
    assert page.locator("pre:visible").count() == 0, "no raw JSON"
    page.keyboard.press("2")
    page.wait_for_url("**/reviews/rev_2")
    page.wait_for_timeout(ARMED)
    page.keyboard.press("u")
    page.wait_for_url("**/reviews/rev_3")

    said, left = site.said(), site.said("rev_2")
    assert said is not None
    assert left is not None
    assert (said.verdict, said.answer, said.surface) == (Verdict.APPROVE, "Alba GmbH", "page")
    assert (left.verdict, left.remedy) == (Verdict.DENY, "judgement")
    assert page.get_by_text("Use your judgement.").is_visible()  # the undo strip


# -- what does not count ------------------------------------------------------------------------


def test_a_held_for_two_seconds_is_one_decision(site: Site) -> None:
    page = site.page("/reviews/rev_1")

    end = time.monotonic() + 2.0
    page.keyboard.down("a")
    while time.monotonic() < end:  # a held key repeats: the browser sends keydown again
        page.keyboard.down("a")
        page.wait_for_timeout(30)
    page.keyboard.up("a")

    assert site.answers() == 1
    assert site.said("rev_2") is None


def test_a_second_a_within_300_ms_is_not_heard(site: Site) -> None:
    page = site.page("/reviews/rev_1")

    page.keyboard.press("a")
    page.wait_for_timeout(150)
    page.keyboard.press("a")
    page.wait_for_url("**/reviews/rev_2")
    page.wait_for_timeout(400)

    assert site.answers() == 1
    assert site.said("rev_2") is None


def test_nothing_is_decided_in_the_first_moment(site: Site) -> None:
    page = site.page("/reviews/rev_1", script=STOPPED_CLOCK)

    page.keyboard.press("a")
    page.locator(".verdict.yes").click()
    page.get_by_text("Too quick").wait_for()
    assert site.answers() == 0

    page.evaluate("delete performance.now")
    page.wait_for_timeout(ARMED)
    page.keyboard.press("a")
    until(lambda: site.answers() == 1)


def test_enter_decides_nothing_and_no_verdict_has_the_focus(site: Site) -> None:
    page = site.page("/reviews/rev_1")

    focused = page.evaluate("document.activeElement.tagName")
    for _ in range(3):
        page.keyboard.press("Enter")
    page.wait_for_timeout(300)

    assert focused == "BODY"
    assert site.answers() == 0
    assert page.url.endswith("/reviews/rev_1")


def test_a_does_nothing_while_the_deny_panel_is_open(site: Site) -> None:
    page = site.page("/reviews/rev_1")

    page.keyboard.press("d")
    page.keyboard.press("a")
    page.get_by_text("The deny panel is open.").wait_for()
    page.keyboard.press("Escape")
    assert site.answers() == 0

    page.keyboard.press("a")
    page.wait_for_url("**/reviews/rev_2")


def test_keys_typed_into_a_note_are_text(site: Site) -> None:
    page = site.page("/reviews/rev_1")

    page.keyboard.press("d")
    page.locator("#note").focus()
    page.keyboard.type("add a zero, x")

    assert page.locator("#note").input_value() == "add a zero, x"
    assert site.answers() == 0


def test_switched_off_keys_do_nothing_and_buttons_still_work(site: Site) -> None:
    page = site.page("/reviews/rev_1")
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Off").click()
    page.locator("h1").click()

    page.keyboard.press("a")
    page.wait_for_timeout(300)
    assert site.answers() == 0

    page.reload()
    page.wait_for_timeout(ARMED)
    page.keyboard.press("a")
    page.wait_for_timeout(300)
    assert site.answers() == 0
    page.locator(".verdict.yes").click()
    page.wait_for_url("**/reviews/rev_2")


def test_high_risk_is_approved_after_everything_was_on_screen(serve: Serve) -> None:
    site = serve()
    long: JsonObject = {"update": {f"field_{i}": "a line of text" for i in range(60)}}
    site.desk.open(
        make_review(
            risk="high", arguments=long, presentation=make_presentation(changes=(), vouched=())
        )
    )
    page = site.page("/reviews/rev_1")

    page.keyboard.press("a")
    page.get_by_text("Look at this first").wait_for()
    assert site.answers() == 0
    page.wait_for_timeout(300)
    page.keyboard.press("a")

    until(lambda: site.answers() == 1)


def test_on_a_small_screen_the_evidence_is_looked_at_first(site: Site) -> None:
    page = site.page("/reviews/rev_1", viewport={"width": 390, "height": 844})

    _tap(page, ".verdict.yes")
    page.get_by_text("Look at this first").wait_for()
    assert site.answers() == 0
    _tap(page, ".verdict.yes")

    until(lambda: site.answers() == 1)


def _tap(page: Page, selector: str) -> None:
    """Press where the element is; a locator's click would scroll the page first."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


# -- the hold -----------------------------------------------------------------------------------


def test_opening_a_review_holds_it_and_leaving_lets_it_go(site: Site) -> None:
    page = site.page("/reviews/rev_1")
    page.get_by_text("Held for you").wait_for()
    assert site.desk.queue.get("rev_1").holder == "you"

    page.goto(site.base + "/queue")

    until(lambda: site.desk.queue.get("rev_1").holder is None)


def test_a_decision_that_lost_is_told_in_place_and_the_note_is_still_there(site: Site) -> None:
    page = site.page("/reviews/rev_1")
    page.get_by_text("Held for you").wait_for()
    review = site.desk.queue.get("rev_1")
    stolen = review.model_copy(update={"holder": "jonas", "claim_fence": "his"})
    site.desk.store.write(lambda t: t.set_review(stolen))

    page.keyboard.press("d")
    page.locator("#note").fill("It is a 1.")
    page.locator("#note").press("Enter")
    page.get_by_text("is held by jonas. Nothing was saved.").first.wait_for()

    assert page.locator("#note").input_value() == "It is a 1."
    assert site.answers() == 0


def test_a_server_that_is_gone_is_told_in_place(site: Site) -> None:
    page = site.page("/reviews/rev_1")
    page.route("**/decision", lambda route: route.abort())

    page.keyboard.press("a")

    page.get_by_text("No answer from the queue.").wait_for()
    page.unroute("**/decision")
    page.keyboard.press("a")
    page.wait_for_url("**/reviews/rev_2")
    assert site.answers() == 1


# -- the queue ----------------------------------------------------------------------------------


def test_the_queue_is_walked_by_key(site: Site) -> None:
    page = site.page("/queue")

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    page.wait_for_url("**/reviews/rev_2")


def test_n_starts_with_the_most_pressing_review(site: Site) -> None:
    page = site.page("/queue")

    page.keyboard.press("n")

    page.wait_for_url("**/reviews/rev_1")


def test_the_list_follows_without_a_reload_and_keeps_the_focus(site: Site) -> None:
    page = site.page("/queue")
    page.keyboard.press("j")
    site.desk.open(make_review("rev_9", visit=9, presentation=make_presentation(title="New one")))

    page.get_by_text("New one").wait_for(timeout=8_000)

    assert page.locator("#count").text_content() == "4"
    assert page.evaluate("document.activeElement.closest('li').id") == "row-rev_1"


def test_back_after_deciding_shows_the_review_as_it_stands_now(site: Site) -> None:
    page = site.page("/reviews/rev_1")
    page.keyboard.press("a")
    page.wait_for_url("**/reviews/rev_2")
    page.wait_for_timeout(200)

    page.go_back()
    page.get_by_text("it can still be undone").wait_for()

    assert page.locator("form[data-verdict]").count() == 0


def test_alike_reviews_are_marked_looked_at_and_denied_together_by_key(serve: Serve) -> None:
    site = serve()
    shown = make_presentation(covers=Covers.STEP, vouched=())
    site.desk.open(*(make_review(f"rev_{n}", visit=n, presentation=shown) for n in (1, 2, 3)))
    page = site.page("/queue", bypass_csp=True, viewport={"width": 1440, "height": 500})

    page.keyboard.press("j")
    page.keyboard.press("p")
    page.get_by_text("A look holds nothing").wait_for()
    assert site.desk.queue.get("rev_1").holder is None
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    page.get_by_role("button", name="Mark all alike here").click()
    page.get_by_role("button", name="Decide the marked together").click()
    page.wait_for_timeout(ARMED)
    page.keyboard.press("d")
    page.keyboard.press("1")
    page.keyboard.press("d")
    page.get_by_text("not looked at yet").wait_for()
    assert site.answers() == 0
    page.keyboard.press("Escape")
    for _ in range(3):
        page.keyboard.press("j")
        page.wait_for_timeout(ARMED)
    page.set_viewport_size({"width": 1440, "height": 2000})  # nothing half behind the bar
    page.evaluate(AXE.read_text())
    assert violations(page, TAGS) == []
    for key in ("d", "d"):
        page.keyboard.press(key)
    page.get_by_role("heading", name="3 of 3 denied").wait_for()

    said = site.said("rev_3")
    assert said is not None
    assert (said.remedy, said.reasons, said.surface) == ("retry", ("Wrong digit",), "bulk")
    page.keyboard.press("z")
    page.get_by_role("heading", name="3 of 3 taken back").wait_for()
    assert site.said("rev_3") is None


# -- without JavaScript -------------------------------------------------------------------------


def test_without_javascript_deny_with_a_reason_and_undo_work(site: Site) -> None:
    page = site.page("/queue", java_script_enabled=False)

    page.get_by_role("button", name="Start reviewing").click()
    page.locator("summary.no").click()
    page.locator("input[value='Wrong payee']").check()
    page.locator("input[value='takeover']").check()
    page.locator(".send").click()
    page.locator("[name='work.payee']").fill("Alba Components SRL")
    page.get_by_role("button", name="Hand in").click()
    assert page.url.endswith("/reviews/rev_2?undo=rev_1")

    said = site.said()
    assert said is not None
    assert said.answer == {"payee": "Alba Components SRL"}
    assert (said.remedy, said.reasons) == ("takeover", ("Wrong payee",))
    page.get_by_role("button", name="Undo").click()
    assert site.said() is None
    assert "Taken back" in page.content()


# -- hostile text -------------------------------------------------------------------------------


def test_hostile_text_asks_nobody_runs_nothing_and_moves_no_button(serve: Serve) -> None:
    site = serve()
    texts = (*MARKUP, *TRICKS)
    site.desk.add_run(make_run(workflow=f"desk {MARKUP[1]}", reason=" ".join(MARKUP)))
    site.desk.open(make_review("rev_plain", visit=90))
    site.desk.open(*(hostile_review(t, f"rev_{i}", visit=i + 1) for i, t in enumerate(texts)))
    page = site.page("/reviews/rev_plain", wait=200)
    plain = _buttons(page)

    for i, _ in enumerate(texts):
        page.goto(f"{site.base}/reviews/rev_{i}")
        assert _buttons(page) == plain, texts[i]
        assert page.evaluate("window.pwned") is None
        assert page.evaluate("getComputedStyle(document.body).display") == "flex"
    for path in ("/queue", "/runs", "/runs/run_1"):
        page.goto(site.base + path)
        assert page.evaluate("window.pwned") is None

    assert site.strange == []
    assert site.answers() == 0


def _buttons(page: Page) -> list[tuple[str, float]]:
    page.wait_for_timeout(60)
    script = """[...document.querySelectorAll('.decide .verdict')].map(
        b => [b.className, Math.round(b.getBoundingClientRect().left)])"""
    found: list[tuple[str, float]] = page.evaluate(script)
    return found


# -- for everybody ------------------------------------------------------------------------------


VIEWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "queue": ("/queue", ()),
    "closed": ("/queue?status=executed", ()),
    "review": ("/reviews/rev_1", ()),
    "deny": ("/reviews/rev_1", ("d", "g")),
    "workspace": ("/reviews/rev_3/takeover", ()),
    "not taken": ("/reviews/rev_1/takeover", ()),
    "spot check": ("/reviews/rev_s", ()),
    "decided": ("/reviews/rev_d", ()),
    "run": ("/runs/run_1", ()),
    "runs": ("/runs", ()),
    "sign in": ("/sign-in", ()),
    "missing": ("/reviews/none", ()),
    "keys": ("/queue", ("?",)),
}


@pytest.fixture
def full(site: Site) -> Site:
    """The desk with a spot check and a decided review too."""
    decided = make_review("rev_d", visit=7)
    site.desk.open(decided, make_review("rev_s", visit=8, blocking=False, rungs=()))
    site.desk.queue.decide(
        "rev_d", "deny", by="ana", proposal_hash=decided.proposal_hash, reasons=["Wrong digit"]
    )
    site.desk.queue.take_over("rev_3", by="you")
    return site


SIZES = {"wide": (1440, 900), "phone": (390, 844)}
STILL = "*, ::before, ::after { transition: none !important; animation: none !important }"
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that look at colours: the only ones the dark scheme can change."""


def test_axe_finds_nothing(full: Site) -> None:
    axe = AXE.read_text()
    page = full.page("/queue", wait=0, bypass_csp=True)
    found: list[str] = []

    for name, (path, keys) in VIEWS.items():
        page.goto(full.base + path)
        page.add_style_tag(content=STILL)
        for key in keys:
            page.keyboard.press(key)
        page.evaluate(axe)
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme="light")
            found += [f"{name}, {size}: {v}" for v in violations(page, TAGS)]
            page.emulate_media(color_scheme="dark")
            found += [f"{name}, {size}, dark: {v}" for v in violations(page, COLOURS)]

    assert found == []


def violations(page: Page, only: list[str]) -> list[str]:
    """Return what axe finds by these tags or rules."""
    result = page.evaluate("only => axe.run(document, {runOnly: only})", only)
    assert result["passes"]
    return [
        f"{v['id']} ({v['impact']}) at {[n['target'] for n in v['nodes'][:3]]}"
        for v in result["violations"]
    ]


@pytest.mark.parametrize("width", [320, 390, 760, 1120])
def test_nothing_scrolls_sideways(full: Site, width: int) -> None:
    page = full.page("/queue", wait=0, viewport={"width": width, "height": 800})

    for name, (path, keys) in VIEWS.items():
        page.goto(full.base + path)
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_timeout(60)
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(over) <= 0, name


def test_on_a_phone_what_is_pressed_is_large_enough(site: Site) -> None:
    page = site.page("/reviews/rev_1", viewport={"width": 320, "height": 700}, has_touch=True)
    page.locator("summary.no").click()

    small = page.evaluate(
        """[...document.querySelectorAll('.decide button, .decide summary, .decide label')]
        .filter(e => e.offsetParent && !e.classList.contains('vh'))
        .map(e => [e.textContent.trim().slice(0, 20), e.getBoundingClientRect().height])
        .filter(([, h]) => h < 44)"""
    )

    assert small == []
    assert page.locator(".verdict.yes").is_visible()


def test_the_keyboard_alone_reaches_a_denial_and_its_undo_with_a_visible_focus(
    site: Site,
) -> None:
    page = site.page("/queue")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    _tab_to(page, "a.t")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reviews/rev_1")
    page.wait_for_timeout(ARMED)

    _tab_to(page, "summary.no")
    page.keyboard.press("Enter")
    _tab_to(page, "[name=reasons]")
    page.keyboard.press("Space")
    _tab_to(page, "button.send")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reviews/rev_2")
    _tab_to(page, "#undo-strip button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reviews/rev_1")

    assert site.said() is None


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            outlined = """() => {
                const e = document.activeElement.closest('label') ?? document.activeElement;
                const styles = [getComputedStyle(e), getComputedStyle(e, '::after')];
                return styles.some(s => s.outlineStyle !== 'none' && s.outlineWidth !== '0px');
            }"""
            assert page.evaluate(outlined), selector
            return
    pytest.fail(f"{selector} is not reached by Tab.")


def test_the_theme_can_be_chosen_at_once_and_stays(site: Site) -> None:
    page = site.page("/queue", color_scheme="light", wait=0)
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.locator(".menu summary").click()

    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.wait_for_timeout(200)
    page.reload()

    assert light != dark
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == dark


def test_the_one_time_link_opens_the_pages_in_a_browser(serve: Serve) -> None:
    site = serve(token="a-token-that-was-printed-once")
    site.desk.open(make_review())
    page = site.page("/?token=a-token-that-was-printed-once", wait=0)

    assert page.url == f"{site.base}/queue"
    page.get_by_text("Read the amount as 1,207.40").click()
    page.wait_for_url("**/reviews/rev_1")
    page.wait_for_timeout(ARMED)
    page.keyboard.press("a")
    until(lambda: site.answers() == 1)
