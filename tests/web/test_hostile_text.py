"""What agents write stays text: in every string, on every page."""

from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from hitl.models import Place, StepName
from tests.web.acting import send
from tests.web.hostile import MARKUP, TRICKS, hostile_review
from tests.web.records import Desk, make_gate, make_presentation, make_review, make_run

PAGES = ("/queue", "/reviews/rev_1", "/runs", "/runs/run_1")


class Skeleton(HTMLParser):
    """Collects the elements of a page with the names of their attributes, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if dict(attrs).get("class") == "name":
            return  # beside a label, where the field is spelt differently in the data
        self.elements.append((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def pages_with(client: TestClient, desk: Desk, text: str) -> dict[str, str]:
    desk.add_run(make_run(workflow=f"desk {text}", reason=f"because {text}"))
    desk.add_gates(
        make_gate("gate_x").model_copy(
            update={
                "summary": text,
                "name": StepName(step=f"step {text}", place=Place.AFTER, visit=1),
                "p": 0.9,
            }
        )
    )
    desk.open(hostile_review(text))
    return {path: client.get(path).text for path in PAGES}


@pytest.mark.parametrize("text", MARKUP)
def test_markup_adds_no_element_and_no_attribute(client: TestClient, desk: Desk, text: str) -> None:
    harmless = text.translate({ord(c): "0" for c in "<>\"'&{}%#$=!()[]"})
    hostile = pages_with(client, desk, text)
    desk.store.write(lambda t: t.set_review(hostile_review(harmless)))

    for path in ("/queue", "/reviews/rev_1"):
        assert Skeleton(hostile[path]).elements == Skeleton(client.get(path).text).elements
    for page in hostile.values():
        names = {name for _, attributes in Skeleton(page).elements for name in attributes}
        tags = {tag for tag, _ in Skeleton(page).elements}
        assert not {n for n in names if n.startswith(("on", "hx-on", "style", "srcdoc"))}
        assert not tags & {"iframe", "base", "style", "object", "embed", "math"}
        assert "window.pwned" not in page or "&lt;" in page or "&#3" in page


@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_still_readable_as_what_it_is(client: TestClient, desk: Desk, text: str) -> None:
    page = pages_with(client, desk, text)["/reviews/rev_1"]

    words = "".join(Skeleton(page).words)

    assert text[:60] in words


@pytest.mark.parametrize(("text", "mark"), TRICKS.items())
def test_hidden_characters_are_shown_and_never_sent(
    client: TestClient, desk: Desk, text: str, mark: str
) -> None:
    pages = pages_with(client, desk, text)

    for path, page in pages.items():
        assert mark in page, path
        visible = "".join(Skeleton(page).words)
        hidden = {c for c in text if f"U+{ord(c):04X}" == mark}
        assert not hidden & set(visible), path


def test_words_of_mixed_alphabets_are_marked(client: TestClient, desk: Desk) -> None:
    pages = pages_with(client, desk, "log in at p\u0430ypal")

    assert "Letters of more than one alphabet: Cyrillic, Latin" in pages["/reviews/rev_1"]
    assert '<span class="ctl">mixed</span>' in pages["/queue"]


def test_a_very_long_text_is_folded_and_what_is_folded_is_counted(
    client: TestClient, desk: Desk
) -> None:
    quote = "short\n" * 5 + "\n" * 200 + "and the bad line"
    shown = make_presentation()
    evidence = shown.evidence[0].model_copy(update={"quote": quote})
    desk.open(make_review(presentation=shown.model_copy(update={"evidence": (evidence,)})))

    page = client.get("/reviews/rev_1").text

    assert "more lines</summary>" in page
    assert "and the bad line" in page


def test_a_line_of_a_hundred_thousand_characters_stays_a_line(
    client: TestClient, desk: Desk
) -> None:
    shown = make_presentation(title="a" * 100_000)
    desk.open(make_review(presentation=shown))

    queue, page = client.get("/queue").text, client.get("/reviews/rev_1").text

    assert "… 99,840 more" in queue
    assert len(queue) < 30_000
    assert "a" * 241 not in page


def test_what_a_reviewer_writes_is_as_inert_as_what_an_agent_writes(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review())
    page = client.get("/reviews/rev_1").text

    send(client, page, "deny", reasons=[MARKUP[0]], note=MARKUP[1])
    desk.queue.sweep(desk.clock().replace(year=2027))

    for path in ("/reviews/rev_1", "/runs/run_1"):
        shown = client.get(path).text
        assert "<script>window" not in shown
        assert "<img src=https" not in shown


def test_an_address_is_as_inert_as_a_text(client: TestClient) -> None:
    for path in (f"/reviews/{MARKUP[0]}", f"/runs/{MARKUP[1]}", f"/queue?status={MARKUP[0]}"):
        answer = client.get(path)

        assert answer.status_code in {404, 422}
        assert "<script>window" not in answer.text
        assert "<img src=https" not in answer.text
