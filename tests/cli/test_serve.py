"""`hitl serve`, and `hitl decide` beside it: two processes, one store."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from hitl.models import Decision, ReviewStatus
from hitl.stores import holder
from tests.cli.conftest import Command, Shop
from tests.cli.serving import PATIENCE, ROOT, serving

APP = """
from examples.first_approval import make_app


def app():
    return make_app({url!r})
"""


@pytest.fixture
def target(shop: Shop, tmp_path: Path) -> str:
    """Return the name of a module in a folder of its own that makes the shop's workflow."""
    (tmp_path / "shop_app.py").write_text(APP.format(url=shop.url))
    return "shop_app:app"


def test_a_store_alone_shows_its_queue(shop: Shop) -> None:
    with serving("--store", shop.url) as server, httpx.Client(follow_redirects=True) as browser:
        page = browser.get(server.url)
        code, err = server.end()

    assert page.status_code == 200
    assert shop.plain.id in page.text
    assert "no run is advanced here" in err
    assert code == 0


@pytest.mark.parametrize("way", ["?wait=60", "/events"])
def test_it_ends_at_once_although_a_program_waits_for_an_answer(
    shop: Shop, tmp_path: Path, way: str
) -> None:
    waited: list[float] = []

    def wait(origin: str, token: str) -> None:
        with httpx.stream(
            "GET",
            f"{origin}/v1/reviews/{shop.plain.id}{way}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        ) as answer:
            began = time.monotonic()
            answer.read()
            waited.append(time.monotonic() - began)

    with serving("--store", shop.url) as server:
        held = holder(shop.url)
        assert held is not None
        thread = threading.Thread(target=wait, args=(server.origin, held.token))
        thread.start()
        time.sleep(1.0)
        code, _ = server.end(signal.SIGINT)
        thread.join(PATIENCE)

    assert code == 0
    assert waited
    assert waited[0] < 30


def test_without_the_token_the_pages_are_closed(shop: Shop) -> None:
    with serving("--store", shop.url) as server:
        page = httpx.get(f"{server.origin}/reviews/{shop.plain.id}")

    assert "EUR 48.00" not in page.text
    assert page.status_code in (303, 401, 403)


def test_a_decision_beside_a_served_store_goes_through_it(hitl: Command, shop: Shop) -> None:
    words = ("decide", shop.plain.id, "approve", "--by", "ana", "-y", "--json")

    with serving("--store", shop.url):
        said = hitl(*words, "--store", shop.url)
        again = hitl(*words, "--store", shop.url)

    assert Decision.model_validate_json(said.out).by == "ana"
    assert again.code == 1
    assert "was already decided by ana (approve)" in again.err
    assert shop.review(shop.plain.id).status is ReviewStatus.APPROVED


def test_served_with_its_app_the_run_goes_on(
    hitl: Command, shop: Shop, target: str, tmp_path: Path
) -> None:
    with serving("--app", target, cwd=tmp_path) as server:
        said = hitl("decide", shop.plain.id, "approve", "--by", "ana", "-y", "--store", shop.url)
        waits = _waits_for(hitl, shop, "Pay EUR 48.00")
        code, _ = server.end(signal.SIGINT)

    assert f"Run {shop.plain.run_id!r} goes on where it is served." in said.out
    assert waits
    assert code == 0
    assert holder(shop.url) is None


def _waits_for(hitl: Command, shop: Shop, title: str) -> bool:
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        if title in hitl("reviews", "--store", shop.url).out:
            return True
        time.sleep(0.05)
    return False


def test_a_taken_port_is_a_sentence(hitl: Command, shop: Shop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        said = hitl("serve", "--store", shop.url, "--port", port)

    assert said.code == 2
    assert f"Port {port} on 127.0.0.1 cannot be used" in said.err
    assert holder(shop.url) is None


def test_an_app_brings_its_own_store(hitl: Command, shop: Shop) -> None:
    said = hitl("serve", "--app", "x:y", "--store", shop.url)

    assert said.code == 2
    assert "leave --store out" in said.err


def test_what_is_no_workflow_is_a_sentence(hitl: Command) -> None:
    said = hitl("serve", "--app", "examples.first_approval:POLICY")

    assert said.code == 2
    assert "not a wrapped workflow" in said.err


def test_a_broken_pipe_and_an_old_locale_end_quietly(shop: Shop) -> None:
    script = "from hitl.cli import main; main()"
    command = [sys.executable, "-c", script, "reviews", "--store", shop.url]

    ended = subprocess.run(
        command,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
    )

    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr


def test_another_way_to_log_is_refused(
    hitl: Command, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HITL_LOG", "xml")

    said = hitl("serve", "--store", url)

    assert (said.code, "HITL_LOG is 'xml'" in said.err) == (2, True)
